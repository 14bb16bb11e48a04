//! Partitions that appear while a source is followed: they are not read, but they are reported and counted.

use std::collections::BTreeSet;

use crate::flow::bound::BoundSource;
use crate::run::{Counter, Shared, SourceCounts};
use crate::{Duration, Durations, PartitionId};

/// The next look waits this many times as long as the last one took: looking costs a hundredth of the time at most.
const PAUSE: i64 = 100;

/// Looks now and then for partitions that were not listed.
pub(super) struct Appeared {
    /// When to look next; `None` where nobody looks.
    next: Option<Duration>,
    known: BTreeSet<PartitionId>,
    said: bool,
    unread: Counter,
}

impl Appeared {
    /// Of a source's workers, only the first one looks.
    pub(super) fn of(source: &BoundSource, worker: usize, shared: &Shared, counts: &SourceCounts) -> Appeared {
        let looks = worker == 0 && !source.source.bounded();
        let listed = source.listing.partitions.iter().chain(&source.listing.pruned).filter(|_| looks);
        let known = listed.map(|partition| partition.id.clone()).collect();
        let next = looks.then(|| shared.clock.elapsed());
        Appeared { next, known, said: false, unread: counts.unread.clone() }
    }

    /// Looks, if it is time to. If looking fails, whoever reads the source reports that.
    pub(super) fn look(&mut self, source: &BoundSource, shared: &Shared) {
        let now = shared.clock.elapsed();
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        let found = source.source.appeared(&|id| self.known.contains(id)).unwrap_or_default();
        if let Some(first) = found.iter().min().filter(|_| !self.said) {
            let others = found.len() - 1;
            let others = if others > 0 { format!(" (and {others} others)") } else { String::new() };
            shared.metrics.note(format!(
                "source {}: {first}{others} has come since the start and is not read; what comes later is counted as \
                 `unread`. A new start reads them",
                source.options.name
            ));
        }
        if !found.is_empty() {
            self.said = true;
            self.unread.add(found.len() as u64);
        }
        self.known.extend(found);
        let took = shared.clock.elapsed() - now;
        self.next = Some(now + 1.seconds().max(Duration::from_micros(took.as_micros().saturating_mul(PAUSE))));
    }
}
