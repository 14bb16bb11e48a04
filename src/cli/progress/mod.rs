//! What a run says while it runs: a bar in event time on a terminal, now and then a line elsewhere.
//!
//! History is measured by its event times, which the plan knows; a live run has no end, so it tells its watermark, how far
//! that lags behind the clock, and which source it waits for.

mod due;
mod json;
mod level;
mod line;
mod summary;

use std::collections::VecDeque;
use std::io::Write;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::figures::rate;
use super::outside::visible;
use crate::job::{Metrics, Plan, Pulse, Snapshot, Standstill};
use crate::{Duration, Durations, EventTime};
use due::{Due, Reason, Told};
pub(super) use json::of_process;
pub(super) use level::Level;
use line::{Measure, Standing, held};
pub(super) use summary::summary;

/// How the bar is cut: fine enough for any terminal.
const STEPS: u64 = 1000;

/// The progress of one run.
pub(super) struct Progress {
    sources: Vec<String>,
    measure: Measure,
    form: Form,
    /// When the run was looked at, once a second for the last ten seconds, and the rows until then; its start at first.
    looks: VecDeque<(Duration, u64)>,
    /// When a watermark was first known, and how much was done by then.
    begun: Option<(Duration, f64)>,
    /// The pulse of the workers at that look, and who had not come back since the one before.
    pulse: Option<Pulse>,
    worker_stands: Option<usize>,
}

/// How it is shown.
enum Form {
    Bar(ProgressBar),
    Lines(Due),
    Json(Due),
    Nothing,
}

impl Progress {
    /// Progress through what the plan lists; a bar only on a terminal.
    pub(super) fn new(
        plan: &Plan,
        range: (Option<EventTime>, Option<EventTime>),
        level: Level,
        terminal: bool,
    ) -> Progress {
        let measure = Measure::new(plan, range);
        let form = match level {
            Level::Auto if terminal => Form::Bar(bar(measure.has_end())),
            Level::Auto | Level::Lines => Form::Lines(Due::default()),
            Level::Json => Form::Json(Due::default()),
            Level::Off | Level::Notes | Level::Quiet => Form::Nothing,
        };
        let sources = plan.sources.iter().map(|source| source.name.clone()).collect();
        let looks = VecDeque::from([(Duration::ZERO, 0)]);
        Progress { sources, measure, form, looks, begun: None, pulse: None, worker_stands: None }
    }

    /// Shows how the run stands, now that `elapsed` has passed since its start.
    pub(super) fn tick(&mut self, metrics: &Metrics, pulse: Pulse, times: (Duration, EventTime), err: &mut dyn Write) {
        if !matches!(self.form, Form::Nothing) {
            self.show(&metrics.snapshot(), pulse, times, err);
        }
    }

    fn show(&mut self, snapshot: &Snapshot, pulse: Pulse, (elapsed, now): (Duration, EventTime), err: &mut dyn Write) {
        let rows = snapshot.rows_read();
        let is_second = self.looks.back().is_none_or(|(looked, _)| elapsed - *looked >= 1.seconds());
        if is_second {
            let before = self.pulse.replace(pulse.clone());
            self.worker_stands = before.and_then(|before| pulse.standing_since(&before).first().copied());
            self.looks.push_back((elapsed, rows));
            // Two at least, between which there is a rate.
            while self.looks.len() > 2 && elapsed - self.looks[0].0 > 10.seconds() {
                self.looks.pop_front();
            }
        }
        let watermark = self.sources.iter().map(|name| snapshot.source(name).watermark).min();
        let watermark = watermark.unwrap_or(EventTime::MIN);
        let begun = (elapsed, self.measure.done(watermark));
        let begun = if watermark == EventTime::MIN { begun } else { *self.begun.get_or_insert(begun) };
        let (reason, stands) = self.stands(snapshot, now).unzip();
        let standing = Standing {
            rows,
            late: snapshot.late(),
            in_no_window: snapshot.in_no_window(),
            bad: snapshot.bad(),
            watermark,
            held: held(snapshot, now),
            checkpoint: snapshot.checkpoints.last,
            stands,
            rate: self.rate(elapsed, rows),
            elapsed,
            begun,
            now,
        };
        match &mut self.form {
            Form::Bar(bar) => {
                bar.set_position((self.measure.done(watermark) * STEPS as f64) as u64);
                bar.set_message(visible(&self.measure.line(&standing)).into_owned());
                bar.tick();
            }
            // Once a second is often enough to look whether there is news.
            Form::Lines(due) if is_second => {
                if due.is(elapsed, Told::of(snapshot, watermark, reason)) {
                    let clock = now.floor_to(1.seconds(), Duration::ZERO);
                    let _ = writeln!(err, "{clock}  {}", self.measure.line(&standing)); // progress is worth no error
                }
            }
            Form::Json(due) if is_second => {
                if due.is(elapsed, Told::of(snapshot, watermark, reason)) {
                    let _ = writeln!(err, "{}", json::counted(snapshot, self.worker_stands)); // likewise
                }
            }
            Form::Lines(_) | Form::Json(_) | Form::Nothing => {}
        }
    }

    /// Rows a second over the last ten seconds; before that, since the start.
    fn rate(&self, elapsed: Duration, rows: u64) -> String {
        let (since, before) = self.looks[0];
        rate(rows - before, elapsed - since)
    }

    /// Why the run stands still: a worker that has not come back for a second, or what its sources wait for.
    fn stands(&self, snapshot: &Snapshot, now: EventTime) -> Option<(Reason, String)> {
        if let Some(worker) = self.worker_stands {
            let words = format!("worker {worker} is in a read, a write or a closure that has not returned");
            return Some((Reason::Worker(worker), words));
        }
        let foremost = Standstill::foremost(&snapshot.standstills)?;
        Some((Reason::of(foremost), foremost.told(now)))
    }

    /// Makes room for the last words; to a program the last counts are that.
    pub(super) fn end(&self, metrics: &Metrics, err: &mut dyn Write) {
        match &self.form {
            Form::Bar(bar) => bar.finish_and_clear(),
            Form::Json(_) => {
                let _ = writeln!(err, "{}", json::counted(&metrics.snapshot(), None)); // progress is worth no error
            }
            Form::Lines(_) | Form::Nothing => {}
        }
    }
}

fn bar(has_end: bool) -> ProgressBar {
    let template = if has_end { "[{bar:32}] {msg}" } else { "{spinner} {msg}" };
    let style = ProgressStyle::with_template(template).expect("the template is well formed");
    let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
    bar.with_style(style.progress_chars("=> "))
}

#[cfg(test)]
mod tests {
    use super::line::tests::plan;
    use super::*;
    use crate::job::Limit;
    use crate::{Partition, PartitionId};

    fn at(seconds: i64) -> EventTime {
        EventTime::default() + seconds.seconds()
    }

    /// What is shown of a run that reads ten rows each tenth of a second, for so long; `change` changes what is counted.
    fn shown(level: Level, seconds: i64, change: impl Fn(i64, &mut Snapshot)) -> Vec<String> {
        let live = plan(Partition { followed: true, ..Partition::new("a") });
        let mut progress = Progress::new(&live, (None, None), level, false);
        let (mut snapshot, mut err) = (Metrics::default().snapshot(), Vec::new());
        for tick in 1..=seconds * 10 {
            let bids = snapshot.sources.entry("bids".into()).or_default();
            bids.rows += 10;
            bids.watermark = at(tick / 10);
            change(tick, &mut snapshot);
            let times = ((tick * 100).millis(), at(86_400) + (tick * 100).millis());
            progress.show(&snapshot, Pulse::default(), times, &mut err);
        }
        String::from_utf8(err).unwrap().lines().map(str::to_string).collect()
    }

    #[test]
    fn lines_come_once_in_ten_seconds_with_the_time_of_day() {
        let lines = shown(Level::Auto, 35, |_, _| ());
        let clocks: Vec<_> = lines.iter().map(|line| line.split("  ").next().unwrap()).collect();
        let seconds = ["01", "11", "21", "31"].map(|second| format!("1970-01-02T00:00:{second}Z"));
        assert_eq!(clocks, seconds, "{lines:?}");
        let right = "  watermark 1970-01-01T00:00:11Z  lag 1d  1 100 rows  100 rows/s  late 0  bad 0";
        assert_eq!(lines[1].strip_prefix(&seconds[1]), Some(right));
        assert_eq!(shown(Level::Lines, 35, |_, _| ()), lines);
    }

    #[test]
    fn the_line_names_who_holds_the_watermark_as_soon_as_it_does() {
        let lines = shown(Level::Auto, 20, |tick, snapshot| {
            let watermark = at(4);
            snapshot.sources.entry("rules".into()).or_default().watermark = watermark;
            if tick >= 60 {
                let limit = Limit::Silent { partition: PartitionId("p1".into()), watermark, idle_after: None };
                snapshot.standstills = vec![Standstill { source: "rules".into(), limit, since: at(86_404) }];
            }
        });
        let stands = lines.iter().map(|line| line.contains("stands still: source rules waits for partition p1"));
        assert_eq!(stands.collect::<Vec<_>>(), [false, true, true], "{lines:?}");
        assert!(lines[1].starts_with("1970-01-02T00:00:06Z  "), "{lines:?}");
    }

    #[test]
    fn a_line_of_json_is_a_snapshot() {
        let lines = shown(Level::Json, 25, |_, _| ());
        let read: Vec<Snapshot> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read.iter().map(|one| one.source("bids").rows).collect::<Vec<_>>(), [100, 1_100, 2_100]);
    }

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds() {
        // For an hour nothing comes, and then ten rows each tenth of a second.
        let lines = shown(Level::Lines, 3_620, |tick, snapshot| {
            let rows = (tick - 36_000).max(0) as u64 * 10;
            snapshot.sources.entry("bids".into()).or_default().rows = rows;
        });
        let line = |time: &str| lines.iter().find(|line| line.contains(time)).unwrap();
        assert!(line("T01:00:11Z").contains("  100 rows/s  "), "{}", line("T01:00:11Z"));
    }

    #[test]
    fn below_progress_nothing_is_shown() {
        for level in [Level::Off, Level::Notes, Level::Quiet] {
            assert_eq!(shown(level, 25, |_, _| ()), [""; 0], "{level:?}");
        }
    }
}
