//! What the classes share: a small job with windows, and chance.

#[cfg(target_os = "linux")]
use std::path::Path;
#[cfg(target_os = "linux")]
use std::process::Command;
use std::sync::Arc;

use dualgauge::checkpoint::LocalStore;
use dualgauge::fs::{FaultFs, Fs};
use dualgauge::prelude::*;
use dualgauge::testing::{Item, Line, Lines, Script, Step};
use dualgauge::{Checkpoints, Limits, Result};

/// The sums of each key's values in each ten seconds, and what was late for them.
pub fn sums(flow: &Flow<'_>) {
    let items = flow.source::<Item>("items").disorder(4.seconds()).on_bad_records(BadRecords::Drop);
    let sums = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds())).aggregate("sums", agg::sum(value));
    let late = sums.late().map(|item| Line { time: item.time, text: format!("late {} {}", item.key, item.value) });
    late.sink("late");
    sums.map(|pane| Line { time: pane.time, text: format!("{} {}", pane.key, pane.value) }).sink("sums");
}

fn value(item: &Item) -> i64 {
    item.value
}

/// The lines of both sinks, in the order of their times.
#[derive(Clone, Default)]
pub struct Out {
    pub sums: Lines,
    pub late: Lines,
}

impl Out {
    pub fn text(&self) -> [Vec<String>; 2] {
        [self.sums.text(), self.late.text()]
    }

    /// The job that writes here what it makes of `script`.
    pub fn job(&self, script: Script) -> Job {
        Job::new(sums).source("items", script).sink("sums", self.sums.clone()).sink("late", self.late.clone())
    }
}

/// Small epochs, which nothing but their rows ends.
pub fn limits(epoch_rows: usize) -> Limits {
    Limits { epoch_rows, epoch_interval: Duration::MAX, ..Limits::default() }
}

/// Checkpoints as often as can be, on a disk.
pub fn checkpoints(fs: &(impl Fs + Clone + 'static)) -> Result<Checkpoints> {
    let store = LocalStore::open(Arc::new(fs.clone()), "/job")?;
    Ok(Checkpoints::in_store(Arc::new(store)).every(Duration::ZERO))
}

/// An empty disk with the directory of the job.
pub fn disk() -> FaultFs {
    let fs = FaultFs::new();
    fs.create_dirs("/job".as_ref()).unwrap();
    fs.sync_dir("/".as_ref()).unwrap();
    fs
}

/// A real file system of two megabytes, for as long as it lives.
#[cfg(target_os = "linux")]
pub struct SmallDisk(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    /// None, which it says, where this process may not mount one.
    pub fn mount() -> Option<SmallDisk> {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "dualgauge"]).arg(dir.path()).output();
        if mount.is_ok_and(|mounted| mounted.status.success()) {
            return Some(SmallDisk(dir));
        }
        println!("skipped: this process may not mount a tmpfs");
        None
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the space there is.
    pub fn fill(&self) {
        let filled = std::fs::write(self.path().join("ballast"), vec![1; 4 << 20]).unwrap_err();
        assert_eq!(filled.kind(), std::io::ErrorKind::StorageFull);
    }

    /// Gives so many bytes of it back.
    pub fn spare(&self, bytes: u64) {
        let ballast = std::fs::File::options().write(true).open(self.path().join("ballast")).unwrap();
        ballast.set_len(ballast.metadata().unwrap().len() - bytes).unwrap();
    }

    /// Gives it back.
    pub fn free(&self) {
        std::fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// A number that looks drawn, by a seed and its place.
pub fn drawn(seed: u64, place: u64, below: u64) -> u64 {
    let mixed =
        (seed ^ place.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(place).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 33) % below
}

/// How many seeds there are.
pub fn seeds(default: u64) -> std::ops::Range<u64> {
    0..from_environment("DUALGAUGE_SEEDS", default)
}

pub fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |count| count.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

pub fn at(seconds: i64) -> EventTime {
    EventTime::default() + seconds.seconds()
}

/// Partitions of values that are all different, in disorder, some of it more than is allowed.
pub fn script(seed: u64, partitions: u64, batches: u64) -> Script {
    let partition = |number: u64| {
        let batch = |batch: u64| {
            let item = |row: u64| {
                let place = (number * 1_000 + batch) * 10 + row;
                let time = at((batch * 3 + row) as i64 - drawn(seed, place, 9) as i64);
                let key = ["a", "b", "c", "d"][drawn(seed, place + 7, 4) as usize].to_string();
                Item { time, key, value: place as i64 }
            };
            Step::Batch((0..1 + drawn(seed, number + batch, 3)).map(item).collect(), None)
        };
        (0..batches).map(batch).collect()
    };
    Script::new((0..partitions).map(partition).collect())
}
