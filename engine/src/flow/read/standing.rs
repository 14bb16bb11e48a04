//! What a source waits for, from turn to turn: reported once it has lasted, and withdrawn when it is over.
//!
//! A source meets its limits many times a second in a good run. So what it meets is compared with what it met the turn
//! before, and only what stays is written where others see it.

use crate::run::{Limit, Shared, Standstill, TOLD_AFTER};
use crate::{Duration, EventTime, PartitionId};

/// What a source on one worker waits for.
pub(super) struct Standing {
    worker: usize,
    /// What this turn has met.
    met: Option<Limit>,
    /// What every turn has met since then.
    since: Option<(Duration, Limit)>,
    told: bool,
}

impl Standing {
    pub(super) fn new(worker: usize) -> Standing {
        Standing { worker, met: None, since: None, told: false }
    }

    pub(super) fn begin_turn(&mut self) {
        self.met = None;
    }

    /// Whether nothing has been met this turn.
    pub(super) fn is_free(&self) -> bool {
        self.met.is_none()
    }

    pub(super) fn meets(&mut self, limit: Option<Limit>) {
        self.met = limit;
    }

    /// Nothing comes from a partition that holds the watermark.
    pub(super) fn waits_for(&mut self, partition: &PartitionId, watermark: EventTime, idle_after: Option<Duration>) {
        self.met = Some(Limit::Silent { partition: partition.clone(), watermark, idle_after });
    }

    /// Reports what has lasted; `since` says from when, where that is better known.
    pub(super) fn end_turn(&mut self, source: &str, since: Option<Duration>, shared: &Shared) {
        let now = shared.clock.elapsed();
        let before = self.since.take().filter(|(_, before)| self.met.as_ref().is_some_and(|met| met.is_same(before)));
        if before.is_none() {
            self.ends(source, shared);
        }
        let Some(met) = self.met.take() else { return };
        let since = since.or(before.map(|(since, _)| since)).unwrap_or(now);
        if !self.told && now - since >= TOLD_AFTER {
            self.told = true;
            let since = shared.clock.now() - (now - since);
            let standing = Standstill { source: source.to_string(), limit: met.clone(), since };
            shared.metrics.note_standstill(source, self.worker, Some(standing));
        }
        self.since = Some((since, met));
    }

    /// It is moving again, or has ended.
    pub(super) fn ends(&mut self, source: &str, shared: &Shared) {
        if std::mem::take(&mut self.told) {
            shared.metrics.note_standstill(source, self.worker, None);
        }
    }
}
