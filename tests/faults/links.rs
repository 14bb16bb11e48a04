//! File systems without hard links, without a move that replaces nothing, and on which a directory takes no sync: those of
//! memory cards, and those that are mounted from afar.
//!
//! Would catch: a job that does not start there, or not again; a name that is given to two; and output that is lost or doubled
//! when the power goes.

use std::path::Path;
use std::sync::Arc;

use dualgauge::checkpoint::LocalStore;
use dualgauge::connectors::csv;
use dualgauge::fs::{Fault, FaultFs, Fs, Lacks};
use dualgauge::prelude::*;
use dualgauge::testing::Baton;
use dualgauge::{Checkpoints, Result};

use crate::common::{disk, from_environment, limits, script, sums};
use crate::starts::{SINKS, at_the_same_moment, output, run};

/// What file systems lack: FAT and its like, FUSE and its like, and a directory that takes no sync alone.
const LACKS: [Lacks; 3] = [
    Lacks { links: true, moves: false, syncs: false },
    Lacks { links: true, moves: true, syncs: true },
    Lacks { links: false, moves: false, syncs: true },
];

#[test]
fn a_job_runs_its_whole_life_on_every_file_system_and_is_resumed_when_the_power_went() {
    let step = from_environment("DUALGAUGE_STEP", 7) as usize;
    for sink in SINKS {
        let undisturbed = disk();
        run(Arc::new(undisturbed.clone()), sink, 1).unwrap();
        for lacks in LACKS {
            let fs = disk().fork();
            fs.set_lacks(lacks);
            let ended = run(Arc::new(fs.clone()), sink, 1);
            assert!(ended.is_ok(), "{sink}, {lacks:?}: {ended:?}");
            assert!(output(&fs, sink) == output(&undisturbed, sink), "{sink}, {lacks:?}");
            crate::disks::count((0..fs.operations()).step_by(step), |operation| {
                let fs = disk().fork();
                fs.set_lacks(lacks);
                fs.fail_at(operation, Fault::PowerLoss);
                let ended = run(Arc::new(fs.clone()), sink, 1);
                let left = fs.after_crash(operation);
                let again = run(Arc::new(left.clone()), sink, 1);
                assert!(again.is_ok(), "{sink}, {lacks:?}, operation {operation}: {again:?}");
                assert!(output(&left, sink) == output(&undisturbed, sink), "{sink}, {lacks:?}, operation {operation}");
                ended.is_err()
            });
        }
    }
}

#[test]
fn of_starts_at_the_same_moment_one_survives_on_every_file_system() {
    LACKS.iter().for_each(|lacks| at_the_same_moment(0..from_environment("DUALGAUGE_SEEDS", 6), *lacks));
}

#[test]
fn what_a_file_system_lacks_is_said_once_for_each_place() {
    let notes = |fs: &FaultFs| -> Result<Vec<String>> {
        let store = Arc::new(LocalStore::open(Arc::new(fs.clone()), "/job/checkpoints")?);
        let sink = |name: &str| csv::write(Path::new("/job").join(name)).on(Arc::new(fs.clone()) as Arc<dyn Fs>);
        let job =
            Job::new(sums).source("items", script(1, 1, 3)).sink("sums", sink("sums/")).sink("late", sink("late/"));
        let job = job.limits(limits(4)).turns(Arc::new(Baton::new(1, 1))).checkpoints(Checkpoints::in_store(store));
        let running = job.start()?;
        let notes = running.notes().to_vec();
        running.join()?;
        Ok(notes.into_iter().filter(|note| note.contains("file system")).collect())
    };
    assert_eq!(notes(&disk()).unwrap(), Vec::<String>::new());
    for lacks in LACKS {
        let fs = disk();
        fs.set_lacks(lacks);
        let told = notes(&fs).unwrap();
        assert_eq!(told.len(), 3, "the checkpoints and two sinks: {told:?}");
        for (lacking, words) in [
            (lacks.links && !lacks.moves, "by a move that replaces nothing"),
            (lacks.links && lacks.moves, "no other machine starts the same job"),
            (lacks.syncs, "takes no sync of a directory"),
        ] {
            assert!(told.iter().all(|note| note.contains(words) == lacking), "{lacks:?}: {words}: {told:?}");
        }
    }
}
