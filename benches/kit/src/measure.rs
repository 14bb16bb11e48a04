//! One measurement: one contestant, one setting, one process of its own.
//!
//! Each is taken in a fresh process, so that its peak memory is that of this run, and no run finds the heap as another
//! left it. The process is this program, called again with the same arguments and a task in its environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::contestant::{Contestant, Feed, Setting};
use super::feed::{self, Appenders, LEAD, Schedule};
use super::taken::Taken;
use dualgauge::{Clock, Duration, Error, EventTime, Result, SystemClock};

/// The variable that tells a process what to measure.
const TASK: &str = "DUALGAUGE_BENCH_TASK";

/// What one run came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// From the start of the job to its end; live, from the first arrival.
    pub seconds: f64,
    /// How many pairs came out.
    pub pairs: u64,
    /// A sum over all pairs that does not depend on their order.
    pub checksum: u64,
    /// The most memory that the process ever had, if the system says.
    pub peak_bytes: Option<u64>,
    /// How long results took, in a live run.
    pub latency: Option<Latency>,
}

/// For the windows of a live run: how long after the scheduled arrival of the event that closed it a window's last pair
/// reached the sink.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How many windows were closed by an event and had a pair.
    pub windows: u64,
    /// Half of them took no longer.
    pub p50: Duration,
    /// Nine of ten took no longer.
    pub p90: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// None took longer.
    pub max: Duration,
}

impl Latency {
    /// The latency of these, in any order; `None` if there are none.
    pub(super) fn of(mut all: Vec<Duration>) -> Option<Latency> {
        all.sort();
        // The least value that at least this share does not exceed.
        let at = |share: f64| all[((all.len() as f64 * share).ceil() as usize).max(1) - 1];
        let max = *all.last()?;
        Some(Latency { windows: all.len() as u64, p50: at(0.5), p90: at(0.9), p99: at(0.99), max })
    }
}

/// What a process is to measure, and where it says so.
#[derive(Serialize, Deserialize)]
struct Task {
    contestant: String,
    setting: Setting,
    dir: PathBuf,
    result: PathBuf,
}

/// Measures in a process of its own, over what was [prepared](feed::prepare) in `dir`.
///
/// # Errors
/// A contestant that fails, with what its process had to say.
pub(super) fn measure(contestant: &Contestant, setting: &Setting, dir: &Path) -> Result<Measurement> {
    let result = dir.join("measurement.json");
    let task = Task {
        contestant: contestant.name().to_string(),
        setting: *setting,
        dir: dir.to_owned(),
        result: result.clone(),
    };
    let this = std::env::current_exe().map_err(|error| Error::io("this program cannot be found again", error))?;
    let child = Command::new(this)
        .args(std::env::args_os().skip(1))
        .env(TASK, serde_json::to_string(&task).expect("names and numbers become JSON"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| Error::io("this program cannot be started again", error))?;
    let failed = |why: &str| Error::environment(format!("{}: {why}", contestant.name()));
    if !child.status.success() {
        let said = String::from_utf8_lossy(&child.stderr);
        return Err(failed(&format!("its process ended with {}: {}", child.status, said.trim())));
    }
    // A program that did not look for its task has done something else.
    let text = std::fs::read_to_string(&result).map_err(|error| failed("it measured nothing").caused_by(error))?;
    std::fs::remove_file(&result).map_err(|error| Error::io(result.display(), error))?;
    serde_json::from_str(&text).map_err(|error| failed("its measurement cannot be read").caused_by(error))
}

/// Does the task of this process, if it has one. Returns whether it had.
///
/// # Errors
/// A contestant that fails, or that is not there.
pub(super) fn do_task(contestants: &[Contestant]) -> Result<bool> {
    let Ok(task) = std::env::var(TASK) else { return Ok(false) };
    let task: Task = serde_json::from_str(&task)
        .map_err(|error| Error::usage(format!("{TASK} is set by the bench for itself")).caused_by(error))?;
    let contestant = contestants.iter().find(|contestant| contestant.name() == task.contestant);
    let contestant = contestant.ok_or_else(|| Error::usage(format!("there is no contestant `{}`", task.contestant)))?;
    let measurement = measure_here(contestant, &task.setting, &task.dir)?;
    let text = serde_json::to_string(&measurement).expect("names and numbers become JSON");
    std::fs::write(&task.result, text).map_err(|error| Error::io(task.result.display(), error))?;
    Ok(true)
}

/// Measures in this process.
fn measure_here(contestant: &Contestant, setting: &Setting, dir: &Path) -> Result<Measurement> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let live = setting.feed == Feed::Live;
    let taken = Taken::new(live.then(|| Arc::clone(&clock)));
    let ends = feed::ends(setting, dir, Arc::new(taken.clone()))?;
    let schedule = Schedule { start: clock.elapsed() + if live { LEAD } else { Duration::ZERO } };
    let appenders = if live { Some(Appenders::start(&setting.workload, dir, schedule, &clock)?) } else { None };
    contestant.run(setting, ends)?;
    let seconds = (clock.elapsed() - schedule.start).as_micros() as f64 / 1e6;
    appenders.map_or(Ok(()), Appenders::join)?;
    let totals = taken.totals();
    let taken_by = |(last, came): (&EventTime, &Duration)| {
        let closing = schedule.closing(&setting.workload, *last + Duration::from_micros(1))?;
        Some((*came - closing).max(Duration::ZERO))
    };
    let latency = Latency::of(totals.last_came.iter().filter_map(taken_by).collect());
    Ok(Measurement { seconds, pairs: totals.rows, checksum: totals.checksum, peak_bytes: peak_bytes(), latency })
}

/// The most memory that this process ever had.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let of = |micros: std::ops::RangeInclusive<i64>| Latency::of(micros.map(Duration::from_micros).collect());
        let latency = of(1..=200).unwrap();
        let [p50, p90, p99, max] = [latency.p50, latency.p90, latency.p99, latency.max].map(Duration::as_micros);
        assert_eq!((latency.windows, p50, p90, p99, max), (200, 100, 180, 198, 200));
        assert_eq!(of(7..=7).unwrap().p50.as_micros(), 7);
        assert_eq!(Latency::of(Vec::new()), None);
    }
}
