//! What a run says while it runs: a bar in event time on a terminal, a line a second elsewhere.
//!
//! History is measured by its event times, which the plan knows; a live run has no end, so it tells its watermark, and how
//! far that lags behind the clock.

use std::io::Write;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::figures::{bytes, grouped, length, plural, rate};
use super::outside::visible;
use crate::checkpoint::CommitKind;
use crate::job::{LastCheckpoint, Metrics, Plan, Pulse, Snapshot, Standstill};
use crate::{Duration, Durations, EventTime};

/// How the bar is cut: fine enough for any terminal.
const STEPS: u64 = 1000;

/// The progress of one run.
pub(super) struct Progress {
    sources: Vec<String>,
    /// The first and last event time of all history, where it is known and nothing is live.
    history: Option<(EventTime, EventTime)>,
    live: bool,
    bar: Option<ProgressBar>,
    /// When the last line was written, and the rows until then.
    last: (Duration, u64),
    recent: Duration,
    recent_rows: u64,
    /// The pulse of the workers when the last line was written, and who had not come back since the one before.
    pulse: Option<Pulse>,
    worker_stands: Option<usize>,
}

/// How a run stands at one moment.
struct Standing {
    rows: u64,
    late: u64,
    in_no_window: u64,
    bad: u64,
    /// The lowest watermark of the sources.
    watermark: EventTime,
    /// The newest checkpoint, where the run takes any.
    checkpoint: Option<LastCheckpoint>,
    /// Why it stands still, where it does.
    stands: Option<String>,
    /// Rows over the last second or so.
    rate: String,
    /// Since the start.
    elapsed: Duration,
    now: EventTime,
}

impl Progress {
    /// Progress through what the plan lists; a bar only on a terminal.
    pub(super) fn new(plan: &Plan, (from, to): (Option<EventTime>, Option<EventTime>), terminal: bool) -> Progress {
        let live = plan.sources.iter().any(|source| source.live().next().is_some());
        let spans: Option<Vec<_>> = plan.sources.iter().map(|source| source.history()).collect();
        let spans = spans.filter(|spans| !live && !spans.is_empty()).unwrap_or_default();
        let first = spans.iter().map(|span| span.0).min().map(|first| from.map_or(first, |from| first.max(from)));
        let last = spans.iter().map(|span| span.1).max().map(|last| to.map_or(last, |to| last.min(to)));
        let history = first.zip(last);
        let bar = terminal.then(|| {
            let template = if history.is_some() { "[{bar:32}] {msg}" } else { "{spinner} {msg}" };
            let style = ProgressStyle::with_template(template).expect("the template is well formed");
            let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
            bar.with_style(style.progress_chars("=> "))
        });
        let sources = plan.sources.iter().map(|source| source.name.clone()).collect();
        let (last, recent) = ((Duration::ZERO, 0), Duration::ZERO);
        Progress { sources, history, live, bar, last, recent, recent_rows: 0, pulse: None, worker_stands: None }
    }

    /// Shows how the run stands, now that `elapsed` has passed since its start.
    pub(super) fn tick(&mut self, metrics: &Metrics, pulse: Pulse, times: (Duration, EventTime), err: &mut dyn Write) {
        self.show(&metrics.snapshot(), pulse, times, err);
    }

    fn show(&mut self, snapshot: &Snapshot, pulse: Pulse, (elapsed, now): (Duration, EventTime), err: &mut dyn Write) {
        let since = elapsed - self.last.0;
        let rows = snapshot.rows_read();
        if since >= 1.seconds() || self.recent == Duration::ZERO {
            (self.recent, self.recent_rows) = (since, rows - self.last.1);
        }
        if since >= 1.seconds() {
            let before = self.pulse.replace(pulse.clone());
            self.worker_stands = before.and_then(|before| pulse.standing_since(&before).first().copied());
        }
        let standing = Standing {
            rows,
            late: snapshot.late(),
            in_no_window: snapshot.in_no_window(),
            bad: snapshot.bad(),
            watermark: self.sources.iter().map(|name| snapshot.source(name).watermark).min().unwrap_or(EventTime::MIN),
            checkpoint: snapshot.checkpoints.last,
            stands: self.stands(snapshot, now),
            rate: rate(self.recent_rows, self.recent),
            elapsed,
            now,
        };
        if let Some(bar) = &self.bar {
            bar.set_position((self.done(standing.watermark) * STEPS as f64) as u64);
            bar.set_message(visible(&self.line(&standing)).into_owned());
            bar.tick();
        } else if since >= 1.seconds() {
            let _ = writeln!(err, "{}", self.line(&standing)); // progress is worth no error
        }
        if since >= 1.seconds() {
            self.last = (elapsed, rows);
        }
    }

    /// Why the run stands still: a worker that has not come back for a second, or what its sources wait for.
    fn stands(&self, snapshot: &Snapshot, now: EventTime) -> Option<String> {
        if let Some(worker) = self.worker_stands {
            return Some(format!("worker {worker} is in a read, a write or a closure that has not returned"));
        }
        Standstill::foremost(&snapshot.standstills).map(|standstill| standstill.told(now))
    }

    /// Makes room for the last words.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// How much of the history's event time has been read, from 0 to 1.
    fn done(&self, watermark: EventTime) -> f64 {
        let Some((first, last)) = self.history else { return 0.0 };
        let (done, all) = (watermark.max(first).min(last) - first, last - first);
        if watermark > last { 1.0 } else { done.as_micros() as f64 / all.as_micros().max(1) as f64 }
    }

    fn line(&self, standing: &Standing) -> String {
        let line = self.sources_line(standing);
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
            let eta = match done {
                0.0 => "unknown".to_string(),
                done => {
                    length(Duration::from_micros((standing.elapsed.as_micros() as f64 * (1.0 / done - 1.0)) as i64))
                }
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

/// The last words of a run that ended, by source, sink and step.
pub(super) fn summary(plan: &Plan, metrics: &Metrics, elapsed: Duration) -> String {
    let snapshot = metrics.snapshot();
    let mut lines = Vec::new();
    for source in &plan.sources {
        let name = &source.name;
        let read = snapshot.source(name);
        let bad = if read.bad == 0 { String::new() } else { format!(", {} bad", grouped(read.bad)) };
        lines.push(format!("  {name}: {} read{bad} ({})", plural(read.rows, "row"), rate(read.rows, elapsed)));
    }
    for (name, step) in snapshot.steps.iter().filter(|(_, step)| step.late > 0) {
        lines.push(format!("  {name}: {} late", plural(step.late, "record")));
    }
    for (name, step) in snapshot.steps.iter().filter(|(_, step)| step.in_no_window > 0) {
        lines.push(format!("  {name}: {} in no window", plural(step.in_no_window, "record")));
    }
    for (name, sink) in &snapshot.sinks {
        lines.push(format!("  {name}: {} written", plural(sink.rows, "row")));
    }
    // What a job keeps whose input has ended is of no use any more.
    let last = snapshot.checkpoints.last;
    if last.is_some_and(|last| last.kind != CommitKind::Ended) {
        let steps = snapshot.steps.iter().map(|(name, step)| (name.clone(), step.state_bytes));
        let sinks = snapshot.sinks.iter().map(|(name, sink)| (format!("sink {name}"), sink.state_bytes));
        for (name, kept) in steps.chain(sinks).filter(|(_, kept)| *kept > 0) {
            lines.push(format!("  {name}: {} of state", bytes(kept)));
        }
    }
    if let Some(last) = last {
        let taken = plural(snapshot.checkpoints.commits, "checkpoint");
        lines.push(format!("  {taken}, the last of epoch {} ({})", last.epoch, bytes(last.bytes)));
    }
    match snapshot.restarts.count {
        0 => {}
        count => lines.push(format!("  {}", plural(count, "restart"))),
    }
    format!("{}\n{}\n", length(elapsed), lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::SourcePlan;
    use crate::{Epoch, Graph, Listing, Partition};

    fn at(seconds: i64) -> EventTime {
        EventTime::default() + seconds.seconds()
    }

    fn plan(partition: Partition) -> Plan {
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
        let (checkpoint, stands) = (None, None);
        let (late, in_no_window, bad) = (1, 0, 2);
        let (elapsed, now) = (10.seconds(), at(60));
        Standing { rows: 50, late, in_no_window, bad, watermark, checkpoint, stands, rate, elapsed, now }
    }

    #[test]
    fn history_is_measured_in_event_time() {
        let progress = Progress::new(&history(), (None, None), false);
        let line = |watermark| progress.line(&standing(watermark));
        assert_eq!(line(EventTime::MIN), "  0%  nothing read yet  50 rows  5 rows/s  ETA unknown");
        assert_eq!(line(at(25)), " 25%  1970-01-01T00:00:25Z  50 rows  5 rows/s  ETA 30s");
        assert_eq!(line(EventTime::MAX), "100%  all is read  50 rows  5 rows/s  ETA 0s");
        let progress = Progress::new(&history(), (Some(at(20)), Some(at(40))), false);
        assert!(progress.line(&standing(at(25))).starts_with(" 25%"), "a selection is measured by itself");
    }

    #[test]
    fn a_live_run_tells_its_watermark_and_its_lag() {
        let progress = Progress::new(&plan(Partition { followed: true, ..Partition::new("a") }), (None, None), false);
        let line = "watermark 1970-01-01T00:00:25Z  lag 35s  50 rows  5 rows/s  late 1  bad 2";
        assert_eq!(progress.line(&standing(at(25))), line);
        let between = Standing { in_no_window: 3, ..standing(at(25)) };
        assert!(progress.line(&between).ends_with("late 1  in no window 3  bad 2"), "{}", progress.line(&between));
        assert!(progress.line(&standing(EventTime::MIN)).starts_with("nothing read yet"));
    }

    #[test]
    fn a_run_with_checkpoints_tells_of_the_last_one() {
        let progress = Progress::new(&history(), (None, None), false);
        let last = |taken| LastCheckpoint { epoch: Epoch(31), kind: CommitKind::Checkpoint, taken, bytes: 1536 };
        let line = |taken| progress.line(&Standing { checkpoint: Some(last(taken)), ..standing(at(25)) });
        assert!(line(at(48)).ends_with("ETA 30s  checkpoint 31 (12s ago, 1.5 KiB)"), "{}", line(at(48)));
        assert!(line(at(70)).contains("(0s ago"), "a clock that goes back makes no negative age");
    }

    #[test]
    fn a_run_that_stands_still_says_why() {
        let progress = Progress::new(&plan(Partition { followed: true, ..Partition::new("a") }), (None, None), false);
        let stands = Some("source bids waits for something, for 2s".to_string());
        let line = progress.line(&Standing { stands, ..standing(at(25)) });
        assert!(line.ends_with("late 1  bad 2  stands still: source bids waits for something, for 2s"), "{line}");
    }

    #[test]
    fn plain_lines_come_once_a_second() {
        let mut progress = Progress::new(&history(), (None, None), false);
        let (mut snapshot, mut err) = (Metrics::default().snapshot(), Vec::new());
        for tick in 1..=35 {
            snapshot.sources.entry("bids".into()).or_default().rows += 10;
            progress.show(&snapshot, Pulse::default(), ((tick * 100).millis(), at(0)), &mut err);
        }
        let text = String::from_utf8(err).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[2].contains("300 rows  100 rows/s"), "{text}");
    }
}
