//! How the two streams reach a contestant: as history, or live.
//!
//! Live rows arrive by a schedule that is made beforehand and follows the clock, never the job: every few milliseconds
//! each side's log is given what has happened since. If the machine or the job is slow, rows come late but the schedule
//! stands, so that the waiting caused by a slow job counts in its latencies.

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::contestant::{Ends, Feed, Setting};
use super::records::Row;
use super::workload::{Side, Workload};
use dualgauge::connectors::log::{Layout, Log, LogSource};
use dualgauge::connectors::parquet::{self, FileOptions, write_file};
use dualgauge::{Clock, Duration, Error, EventTime, Record, Result, Sink, Source};

/// How often rows arrive: what has happened since is given to a side's log, and committed.
pub(super) const ARRIVE_EVERY: Duration = Duration::from_micros(5_000);

/// How long before the first arrival a job is started, so that no latency includes the start.
pub(super) const LEAD: Duration = Duration::from_micros(250_000);

/// How many rows are made at once.
const BATCH_ROWS: u64 = 8192;

/// The row groups of a side: enough that several workers have something to read in a short history.
fn row_group_rows(rows: u64) -> usize {
    (rows / 8).clamp(1 << 12, 1 << 16) as usize
}

/// Writes what a feed needs before a run into `dir`, which exists and is empty: one file per side, or one empty log per
/// side.
pub(super) fn prepare(setting: &Setting, dir: &Path) -> Result<()> {
    for side in [Side::Left, Side::Right] {
        let place = dir.join(side.name());
        if setting.feed == Feed::Live {
            Log::create(place, &Row::schema(), Layout::partitions(1).event_time("time"))?;
            continue;
        }
        let rows = setting.workload.side(side);
        let row_group_rows = row_group_rows(rows.len());
        let options = FileOptions { row_group_rows, sorted_by: Some("time".to_string()), ..FileOptions::default() };
        let starts = (0..rows.len()).step_by(BATCH_ROWS as usize);
        let batches = starts.map(|start| {
            let batch: Vec<Row> = rows.rows(start..(start + BATCH_ROWS).min(rows.len())).collect();
            Row::encode(batch.iter())
        });
        write_file(place.with_extension("parquet"), &Row::schema(), batches, &options)?;
    }
    Ok(())
}

/// Both ends of a run over what was prepared in `dir`.
pub(super) fn ends(setting: &Setting, dir: &Path, sink: Arc<dyn Sink>) -> Result<Ends> {
    let source = |side: Side| -> Result<Arc<dyn Source>> {
        let place = dir.join(side.name());
        Ok(match setting.feed {
            Feed::History => Arc::new(parquet::read(place.with_extension("parquet"))),
            Feed::Live => Arc::new(LogSource::open(place)?),
        })
    };
    Ok(Ends { left: source(Side::Left)?, right: source(Side::Right)?, sink })
}

/// The schedule of a live run: what arrives when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// When event time starts, by the clock of the run.
    pub(super) start: Duration,
}

impl Schedule {
    /// When what happened at `time` arrives, by the clock of the run: with the next batch.
    pub(super) fn arrival(&self, time: EventTime) -> Duration {
        self.start + Duration::from_micros((tick(time) + 1) * ARRIVE_EVERY.as_micros())
    }

    /// When the event that closes the window ending at `end` arrives: the later of the two sides' first events at or
    /// after that. `None` if a side has none and ends instead.
    pub(super) fn closing(&self, workload: &Workload, end: EventTime) -> Option<Duration> {
        let closing = |side| {
            let rows = workload.side(side);
            let number = rows.first_at(end);
            (number < rows.len()).then(|| self.arrival(rows.time(number)))
        };
        Some(closing(Side::Left)?.max(closing(Side::Right)?))
    }
}

/// The number of the batch in which what happened at `time` arrives.
fn tick(time: EventTime) -> i64 {
    time.as_micros().div_euclid(ARRIVE_EVERY.as_micros())
}

/// The threads that append, one per side, and seal the logs after the last row.
pub(super) struct Appenders(Vec<JoinHandle<Result<()>>>);

impl Appenders {
    /// Starts appending to the logs in `dir` by `schedule`.
    pub(super) fn start(
        workload: &Workload,
        dir: &Path,
        schedule: Schedule,
        clock: &Arc<dyn Clock>,
    ) -> Result<Appenders> {
        let start = |side: Side| -> Result<JoinHandle<Result<()>>> {
            let mut writer = Log::open(dir.join(side.name()))?.writer(0)?;
            let (workload, clock) = (*workload, Arc::clone(clock));
            Ok(thread::spawn(move || {
                let rows = workload.side(side);
                let mut next = 0;
                while next < rows.len() {
                    let now = tick(rows.time(next));
                    let end = rows.first_at(EventTime::from_micros((now + 1) * ARRIVE_EVERY.as_micros()));
                    let arriving: Vec<Row> = rows.rows(next..end).collect();
                    let due = schedule.arrival(rows.time(next));
                    thread::sleep((due - clock.elapsed()).to_std());
                    writer.append_rows(&arriving)?;
                    writer.commit()?;
                    next = end;
                }
                writer.seal().map(drop)
            }))
        };
        Ok(Appenders(vec![start(Side::Left)?, start(Side::Right)?]))
    }

    /// Waits until everything is appended and sealed.
    pub(super) fn join(self) -> Result<()> {
        let ended = |appender: JoinHandle<Result<()>>| {
            appender.join().unwrap_or_else(|_| Err(Error::environment("the thread that appends has panicked")))
        };
        self.0.into_iter().try_for_each(ended)
    }
}
