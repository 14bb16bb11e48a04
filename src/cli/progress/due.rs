//! When a line of progress is due, where there is no terminal to draw on.
//!
//! Logs are read afterwards, and by people who pay for their length: so a line comes when something has changed, and at most
//! once in ten seconds. That a run begins to stand still is worth a line at once; each reason again only after ten seconds.
//! While it stands for one reason it is reminded of, more and more rarely: who looks at the end of a log shall see it.

use std::mem::Discriminant;

use crate::checkpoint::CommitKind;
use crate::job::{Limit, Snapshot, Standstill};
use crate::{Duration, Durations, Epoch, EventTime};

/// Before this a run is not worth a line: most are over.
const FIRST: Duration = Duration::from_micros(1_000_000);

/// How long after the last line a reason that has not changed is told again: the first time, the second, and from then on.
const AGAIN: [Duration; 3] =
    [Duration::from_micros(10_000_000), Duration::from_micros(60_000_000), Duration::from_micros(600_000_000)];

/// What a run waits for: a worker that does not come back, or a limit of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Worker(usize),
    Source(String, Discriminant<Limit>),
}

impl Reason {
    pub(super) fn of(standstill: &Standstill) -> Reason {
        Reason::Source(standstill.source.clone(), std::mem::discriminant(&standstill.limit))
    }
}

/// What a line tells that may change. That time passes is no change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    rows: [u64; 5],
    watermark: EventTime,
    checkpoint: Option<(Epoch, CommitKind)>,
    holder: Option<String>,
    stands: Option<Reason>,
}

impl Told {
    pub(super) fn of(snapshot: &Snapshot, watermark: EventTime, stands: Option<Reason>) -> Told {
        let rows =
            [snapshot.rows_read(), snapshot.rows_written(), snapshot.late(), snapshot.in_no_window(), snapshot.bad()];
        let checkpoint = snapshot.checkpoints.last.map(|last| (last.epoch, last.kind));
        let holder = snapshot.watermark_holder.as_ref().map(|holder| holder.source.clone());
        Told { rows, watermark, checkpoint, holder, stands }
    }
}

/// Remembers what was told, and when.
#[derive(Debug, Default)]
pub(super) struct Due {
    last: Option<(Duration, Told)>,
    /// The reasons that were told, each with the last time.
    reasons: Vec<(Duration, Reason)>,
    /// How many lines in a row have told the last reason after the first that did.
    again: usize,
}

impl Due {
    /// Whether a line is due that tells this, `elapsed` after the start. If so, it counts as told.
    pub(super) fn is(&mut self, elapsed: Duration, told: Told) -> bool {
        let due = match &self.last {
            None => elapsed >= FIRST,
            Some((when, last)) => {
                let news = told.stands.as_ref().filter(|reason| last.stands.as_ref() != Some(*reason));
                let news = news.is_some_and(|reason| {
                    let before = self.reasons.iter().find(|(_, known)| known == reason);
                    before.is_none_or(|(when, _)| elapsed - *when >= 10.seconds())
                });
                let again = AGAIN[self.again.min(AGAIN.len() - 1)];
                let stands_on = told.stands.is_some() && told.stands == last.stands && elapsed - *when >= again;
                news || stands_on || (elapsed - *when >= 10.seconds() && *last != told)
            }
        };
        if due {
            let goes_on =
                self.last.as_ref().is_some_and(|(_, last)| told.stands.is_some() && last.stands == told.stands);
            self.again = if goes_on { self.again + 1 } else { 0 };
            if let Some(reason) = &told.stands {
                self.reasons.retain(|(_, known)| known != reason);
                self.reasons.push((elapsed, reason.clone()));
            }
            self.last = Some((elapsed, told));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PartitionId;
    use crate::job::Metrics;

    fn told(rows: u64, stands: Option<Reason>) -> Told {
        let mut snapshot = Metrics::default().snapshot();
        snapshot.sources.entry("bids".into()).or_default().rows = rows;
        Told::of(&snapshot, EventTime::MIN, stands)
    }

    fn silent(source: &str) -> Reason {
        let limit =
            Limit::Silent { partition: PartitionId("p".into()), watermark: EventTime::default(), idle_after: None };
        Reason::of(&Standstill { source: source.into(), limit, since: EventTime::default() })
    }

    /// The seconds at which a line came.
    fn lines(seconds: std::ops::Range<i64>, told: impl Fn(i64) -> Told) -> Vec<i64> {
        let mut due = Due::default();
        seconds.filter(|second| due.is(second.seconds(), told(*second))).collect()
    }

    #[test]
    fn a_line_comes_when_something_has_changed_and_once_in_ten_seconds() {
        assert_eq!(lines(0..45, |second| told(second as u64, None)), [1, 11, 21, 31, 41]);
        assert_eq!(lines(0..45, |_| told(7, None)), [1], "nothing changes");
        assert_eq!(lines(0..45, |second| told((second >= 26).into(), None)), [1, 26], "it has been quiet for long");
        assert_eq!(lines(0..45, |second| told((second >= 4).into(), None)), [1, 11]);
    }

    #[test]
    fn that_a_run_begins_to_stand_still_is_said_at_once() {
        let from_4 = |second| told(7, (second >= 4).then(|| silent("rules")));
        assert_eq!(lines(0..14, from_4), [1, 4]);
        let other = |second| told(7, Some(silent(if second < 6 { "rules" } else { "bids" })));
        assert_eq!(lines(0..16, other), [1, 6]);
    }

    #[test]
    fn a_run_that_stands_on_says_so_again_more_and_more_rarely() {
        let from_4 = |second| told(7, (second >= 4).then(|| silent("rules")));
        assert_eq!(lines(0..2_000, from_4), [1, 4, 14, 74, 674, 1_274, 1_874]);
        let worker = |second| told(7, (second >= 4).then_some(Reason::Worker(2)));
        assert_eq!(lines(0..700, worker), [1, 4, 14, 74, 674]);
        let twice = |second: i64| match second {
            4..100 | 200.. => told(7, Some(silent("rules"))),
            _ => told(second as u64, None),
        };
        let after = lines(0..300, twice).into_iter().filter(|second| *second >= 200);
        assert_eq!(after.collect::<Vec<_>>(), [200, 210, 270], "another standstill begins anew");
    }

    #[test]
    fn what_stands_and_goes_on_by_turns_does_not_fill_a_log() {
        let flapping = |second: i64| told(second as u64, (second % 2 == 0).then(|| silent("rules")));
        assert_eq!(lines(0..45, flapping), [1, 2, 12, 22, 32, 42]);
        let two = |second: i64| told(second as u64, Some(silent(if second % 2 == 0 { "rules" } else { "bids" })));
        assert!(lines(0..101, two).len() <= 2 * 11);
    }
}
