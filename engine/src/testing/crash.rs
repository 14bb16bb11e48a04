//! Runs a flow that is killed again and again, each time somewhere else, until it comes to its end.
//!
//! Everything that chance decides is drawn from one seed: how many workers each generation has, who steps when, when it
//! is killed, whether the power fails with it, and what of the unsynced is left. The same seed twice is the same run.

use std::path::Path;
use std::sync::Arc;

use super::baton::Baton;
use crate::checkpoint::LocalStore;
use crate::fs::{Fault, FaultFs, Fs};
use crate::{Checkpoints, Duration, Durations, ErrorKind, EventTime, Job, Limits, VirtualClock};

/// What a run with crashes came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survived {
    /// How often it was killed.
    pub kills: u32,
    /// How often the power failed in the midst of an operation of the disk.
    pub power_losses: u32,
    /// How many checkpoints were committed.
    pub commits: u64,
    /// How many turns the workers took.
    pub turns: u64,
}

/// The most crashes of one run.
const CRASHES_MAX: u32 = 8;

/// Runs `job` to its end through crashes that `seed` draws; `job` binds its sources and sinks anew each time.
///
/// # Panics
/// When the job fails other than by a crash.
pub fn survive(seed: u64, job: impl Fn() -> Job) -> Survived {
    survive_on(&FaultFs::new(), seed, job)
}

/// The same, with checkpoints on the disk `fs`.
pub fn survive_on(fs: &FaultFs, seed: u64, job: impl Fn() -> Job) -> Survived {
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut survived = Survived { kills: 0, power_losses: 0, commits: 0, turns: 0 };
    // Late enough for every event of a test to be in the past.
    let clock = Arc::new(VirtualClock::at(EventTime::default() + 50_000.days()));
    loop {
        let crashes = survived.kills + survived.power_losses;
        let workers = 1 + chance.below(4) as usize;
        let mut baton = Baton::new(workers, chance.next());
        if crashes < CRASHES_MAX {
            match chance.below(4) {
                0 => fs.fail_at(fs.operations() + chance.below(120), Fault::PowerLoss),
                _ => baton = baton.kill_at(chance.below(60) * (1 + chance.below(10))),
            }
        }
        let baton = Arc::new(baton);
        // The directory itself is there before the job is: its name is not the job's to keep.
        let prepared = fs.create_dirs(Path::new("/job")).and_then(|()| fs.sync_dir(Path::new("/")));
        let store =
            prepared.map_err(|_| ()).and_then(|()| LocalStore::open(Arc::new(fs.clone()), "/job").map_err(|_| ()));
        let outcome = match store {
            Err(()) => Err(ErrorKind::Environment),
            Ok(store) => {
                let epoch_rows = 1 + chance.below(6) as usize;
                let batch_rows = 100 + chance.below(2_000) as usize;
                let limits = Limits { epoch_rows, batch_rows, epoch_interval: Duration::MAX, ..Limits::default() };
                let checkpoints = Checkpoints::in_store(Arc::new(store)).every(Duration::ZERO);
                let job = job().workers(workers).limits(limits).checkpoints(checkpoints);
                let running = job.clock(clock.clone()).turns(baton.clone()).start();
                running
                    .and_then(|running| {
                        let metrics = running.metrics();
                        let outcome = running.join();
                        survived.commits += metrics.commits();
                        outcome.map(|_| ())
                    })
                    .map_err(|error| match error.kind() {
                        kind @ (ErrorKind::Stopped | ErrorKind::Environment) => kind,
                        kind => panic!("seed {seed}: {kind:?}: {error}"),
                    })
            }
        };
        survived.turns += baton.turns();
        match outcome {
            Ok(()) => return survived,
            Err(ErrorKind::Stopped) => survived.kills += 1,
            Err(_) => survived.power_losses += 1,
        }
        assert!(crashes < CRASHES_MAX, "seed {seed}: the last generation fails, and nobody has killed it");
        fs.crash(chance.next());
    }
}

/// Xorshift: all that is asked of it is that another seed gives other numbers.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 33) % end
    }
}
