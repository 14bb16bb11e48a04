//! One line of progress: how a run stands at one moment, in words.

use crate::cli::figures::{bytes, grouped, length, plural};
use crate::job::{LastCheckpoint, Plan, Snapshot};
use crate::{Duration, Durations, EventTime};

/// What a run is measured by.
pub(super) struct Measure {
    /// The first and last event time of all history, where it is known and nothing is live.
    history: Option<(EventTime, EventTime)>,
    live: bool,
}

/// How a run stands at one moment.
pub(super) struct Standing {
    pub(super) rows: u64,
    pub(super) late: u64,
    pub(super) in_no_window: u64,
    pub(super) bad: u64,
    /// The lowest watermark of the sources.
    pub(super) watermark: EventTime,
    /// Which source holds the watermark, where that is worth a word.
    pub(super) held: Option<String>,
    /// The newest checkpoint, where the run takes any.
    pub(super) checkpoint: Option<LastCheckpoint>,
    /// Why it stands still, where it does.
    pub(super) stands: Option<String>,
    /// Rows over the last while.
    pub(super) rate: String,
    /// Since the start.
    pub(super) elapsed: Duration,
    /// When this start had first read something, since the start, and how much of the history was done by then: all that an
    /// earlier start has read is.
    pub(super) begun: (Duration, f64),
    pub(super) now: EventTime,
}

/// Which source holds the watermark: where there is one of several, or nothing comes from it.
pub(super) fn held(snapshot: &Snapshot, now: EventTime) -> Option<String> {
    let holder = snapshot.watermark_holder.as_ref()?;
    let silent = holder.silent_since.map(|since| {
        let whole = ((now - since).max(Duration::ZERO).as_micros() / 1_000_000).seconds();
        format!(", silent for {}", length(whole))
    });
    let worth = silent.is_some() || snapshot.sources.len() > 1;
    worth.then(|| format!("held by {}{}", holder.source, silent.unwrap_or_default()))
}

impl Measure {
    pub(super) fn new(plan: &Plan, (from, to): (Option<EventTime>, Option<EventTime>)) -> Measure {
        let live = plan.sources.iter().any(|source| source.live().next().is_some());
        let spans: Option<Vec<_>> = plan.sources.iter().map(|source| source.history()).collect();
        let spans = spans.filter(|spans| !live && !spans.is_empty()).unwrap_or_default();
        let first = spans.iter().map(|span| span.0).min().map(|first| from.map_or(first, |from| first.max(from)));
        let last = spans.iter().map(|span| span.1).max().map(|last| to.map_or(last, |to| last.min(to)));
        Measure { history: first.zip(last), live }
    }

    /// Whether it is known where the run ends.
    pub(super) fn has_end(&self) -> bool {
        self.history.is_some()
    }

    /// How much of the history's event time has been read, from 0 to 1.
    pub(super) fn done(&self, watermark: EventTime) -> f64 {
        let Some((first, last)) = self.history else { return 0.0 };
        let (done, all) = (watermark.max(first).min(last) - first, last - first);
        if watermark > last { 1.0 } else { done.as_micros() as f64 / all.as_micros().max(1) as f64 }
    }

    pub(super) fn line(&self, standing: &Standing) -> String {
        let line = self.sources_line(standing);
        let line = match &standing.held {
            Some(held) => format!("{line}  {held}"),
            None => line,
        };
        let line = match &standing.stands {
            Some(why) => format!("{line}  stands still: {why}"),
            None => line,
        };
        let Some(last) = standing.checkpoint else { return line };
        let age = length((standing.now - last.taken).max(Duration::ZERO));
        format!("{line}  checkpoint {} ({age} ago, {})", last.epoch, bytes(last.bytes))
    }

    fn sources_line(&self, standing: &Standing) -> String {
        let rows = format!("{}  {}", plural(standing.rows, "row"), standing.rate);
        let watermark = match standing.watermark {
            EventTime::MIN => "nothing read yet".to_string(),
            EventTime::MAX => "all is read".to_string(),
            time => time.floor_to(1.millis(), Duration::ZERO).to_string(),
        };
        let late = match standing.in_no_window {
            0 => format!("late {}", grouped(standing.late)),
            outside => format!("late {}  in no window {}", grouped(standing.late), grouped(outside)),
        };
        let trouble = format!("{late}  bad {}", grouped(standing.bad));
        if self.history.is_some() {
            let done = self.done(standing.watermark);
            let ((from, before), left) = (standing.begun, 1.0 - done);
            let eta = if left <= 0.0 {
                length(Duration::ZERO)
            } else if done > before {
                let taken = (standing.elapsed - from).as_micros() as f64;
                length(Duration::from_micros((taken * left / (done - before)) as i64))
            } else {
                "unknown".to_string()
            };
            return format!("{:3.0}%  {watermark}  {rows}  ETA {eta}", done * 100.0);
        }
        let has_time = !matches!(standing.watermark, EventTime::MIN | EventTime::MAX);
        if !(self.live && has_time) {
            return format!("{watermark}  {rows}  {trouble}");
        }
        let lag = length(standing.now - standing.watermark);
        format!("watermark {watermark}  lag {lag}  {rows}  {trouble}")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::checkpoint::CommitKind;
    use crate::job::{Metrics, SourcePlan};
    use crate::{Epoch, Graph, Listing, Partition};

    fn at(seconds: i64) -> EventTime {
        EventTime::default() + seconds.seconds()
    }

    pub(crate) fn plan(partition: Partition) -> Plan {
        let listing = Listing { partitions: vec![partition], ..Listing::default() };
        let source = SourcePlan {
            name: "bids".into(),
            binding: "parquet:x".into(),
            noun: "row groups",
            disorder: None,
            listing,
        };
        Plan { sources: vec![source], tables: Vec::new(), graph: Graph::default() }
    }

    fn history() -> Plan {
        plan(Partition { bound: Some(at(0)), upper: Some(at(100)), ..Partition::new("a") })
    }

    fn standing(watermark: EventTime) -> Standing {
        let rate = "5 rows/s".to_string();
        let (held, checkpoint, stands) = (None, None, None);
        let (late, in_no_window, bad) = (1, 0, 2);
        let (elapsed, begun, now) = (10.seconds(), (Duration::ZERO, 0.0), at(60));
        Standing { rows: 50, late, in_no_window, bad, watermark, held, checkpoint, stands, rate, elapsed, begun, now }
    }

    #[test]
    fn history_is_measured_in_event_time() {
        let progress = Measure::new(&history(), (None, None));
        let line = |watermark| progress.line(&standing(watermark));
        assert_eq!(line(EventTime::MIN), "  0%  nothing read yet  50 rows  5 rows/s  ETA unknown");
        assert_eq!(line(at(25)), " 25%  1970-01-01T00:00:25Z  50 rows  5 rows/s  ETA 30s");
        assert_eq!(line(EventTime::MAX), "100%  all is read  50 rows  5 rows/s  ETA 0s");
        let progress = Measure::new(&history(), (Some(at(20)), Some(at(40))));
        assert!(progress.line(&standing(at(25))).starts_with(" 25%"), "a selection is measured by itself");
    }

    #[test]
    fn what_an_earlier_start_has_read_makes_no_end_come_sooner() {
        let progress = Measure::new(&history(), (None, None));
        let line = |watermark| progress.line(&Standing { begun: (2.seconds(), 0.5), ..standing(watermark) });
        assert!(line(at(60)).ends_with("ETA 32s"), "a tenth in eight seconds: {}", line(at(60)));
        assert!(line(at(50)).ends_with("ETA unknown"), "{}", line(at(50)));
        assert!(line(at(40)).ends_with("ETA unknown"), "a restart goes back: {}", line(at(40)));
        assert!(line(EventTime::MAX).ends_with("ETA 0s"), "{}", line(EventTime::MAX));
    }

    #[test]
    fn a_live_run_tells_its_watermark_and_its_lag() {
        let progress = Measure::new(&plan(Partition { followed: true, ..Partition::new("a") }), (None, None));
        let line = "watermark 1970-01-01T00:00:25Z  lag 35s  50 rows  5 rows/s  late 1  bad 2";
        assert_eq!(progress.line(&standing(at(25))), line);
        let between = Standing { in_no_window: 3, ..standing(at(25)) };
        assert!(progress.line(&between).ends_with("late 1  in no window 3  bad 2"), "{}", progress.line(&between));
        assert!(progress.line(&standing(EventTime::MIN)).starts_with("nothing read yet"));
    }

    #[test]
    fn a_run_with_checkpoints_tells_of_the_last_one() {
        let progress = Measure::new(&history(), (None, None));
        let last = |taken| LastCheckpoint { epoch: Epoch(31), kind: CommitKind::Checkpoint, taken, bytes: 1536 };
        let line = |taken| progress.line(&Standing { checkpoint: Some(last(taken)), ..standing(at(25)) });
        assert!(line(at(48)).ends_with("ETA 30s  checkpoint 31 (12s ago, 1.5 KiB)"), "{}", line(at(48)));
        assert!(line(at(70)).contains("(0s ago"), "a clock that goes back makes no negative age");
    }

    #[test]
    fn a_run_that_stands_still_says_why() {
        let progress = Measure::new(&plan(Partition { followed: true, ..Partition::new("a") }), (None, None));
        let stands = Some("source bids waits for something, for 2s".to_string());
        let line = progress.line(&Standing { stands, ..standing(at(25)) });
        assert!(line.ends_with("late 1  bad 2  stands still: source bids waits for something, for 2s"), "{line}");
    }

    #[test]
    fn who_holds_the_watermark_is_named_where_that_is_worth_a_word() {
        let metrics = Metrics::default();
        let mut snapshot = metrics.snapshot();
        let holds = |snapshot: &Snapshot| held(snapshot, at(62));
        assert_eq!(holds(&snapshot), None, "nothing is read");
        let holder = serde_json::json!({"source": "rules", "watermark": 4, "partition": null, "silent_since": null});
        snapshot.watermark_holder = Some(serde_json::from_value(holder).unwrap());
        snapshot.sources.entry("rules".into()).or_default();
        assert_eq!(holds(&snapshot), None, "there is no other");
        snapshot.sources.entry("bids".into()).or_default();
        assert_eq!(holds(&snapshot).as_deref(), Some("held by rules"));
        snapshot.watermark_holder.as_mut().unwrap().silent_since = Some(at(50));
        assert_eq!(holds(&snapshot).as_deref(), Some("held by rules, silent for 12s"));
        let progress = Measure::new(&plan(Partition { followed: true, ..Partition::new("a") }), (None, None));
        let line = progress.line(&Standing { held: holds(&snapshot), ..standing(at(25)) });
        assert!(line.ends_with("late 1  bad 2  held by rules, silent for 12s"), "{line}");
    }
}
