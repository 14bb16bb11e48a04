//! A place has one owner from the first moment of a run, though nothing was staged yet, and after the run as long as
//! something of it is unfinished.
//!
//! It would catch a second run that takes the place from one that has only just come there.

use dualgauge_engine::Retry;

use super::*;

fn another_job() -> Writing {
    Writing::of("another", 1)
}

/// Those who may come to a place, and whether they overwrite.
fn others(binding: &str) -> Vec<(Writing, String)> {
    let with = |option: &str| format!("{binding}{}{option}", if binding.contains('?') { "&" } else { "?" });
    let mut others = vec![(another_job(), binding.to_string()), (Writing::default(), binding.to_string())];
    if !binding.starts_with("log:") {
        let over = with("overwrite=true");
        others.extend([(another_job(), over.clone()), (Writing::default(), over)]);
    }
    others
}

#[test]
fn a_living_run_keeps_its_place_before_it_has_staged_anything() {
    for binding in SINKS {
        for first in [job(1), Writing::default()] {
            let dir = tempfile::tempdir().unwrap();
            let place = sink(binding, dir.path());
            place.check(&schema(), &first).unwrap();
            let claim = place.claim(&schema(), &first).unwrap();
            let before = all(dir.path());
            for (second, other) in others(binding) {
                // Nobody waits for who lives: he may live for ever.
                let second = second.retrying(Retry::new(|why, _| panic!("{why}")));
                let other = sink(&other, dir.path());
                for refused in [other.check(&schema(), &second), other.claim(&schema(), &second).map(drop)] {
                    let refused = refused.expect_err(binding).to_string();
                    assert!(refused.contains("is writing here at this moment"), "{binding}, {second:?}: {refused}");
                }
                assert_eq!(before, all(dir.path()), "{binding}, {second:?}");
            }
            // A younger start of the job has the place, though an older one lives.
            if first.job.is_some() {
                drop(place.claim(&schema(), &job(2)).unwrap());
            }
            drop(claim);
            // Where nothing of it is left, anybody may come; a log is kept for the job's next start.
            if !binding.starts_with("log:") {
                let other = sink(binding, dir.path());
                other.check(&schema(), &another_job()).unwrap();
                drop(other.claim(&schema(), &another_job()).unwrap());
            }
        }
    }
}

#[test]
fn a_run_that_has_ended_leaves_no_lock() {
    for binding in SINKS {
        for run in [job(1), Writing::default()] {
            let dir = tempfile::tempdir().unwrap();
            let sink = sink(binding, dir.path());
            let claim = sink.claim(&schema(), &run).unwrap();
            let mut writer = sink.open(0, &schema(), &run).unwrap();
            writer.recover(&[]).unwrap();
            put(&mut *writer, &[1]);
            let prepared = writer.prepare(Epoch(1), EventTime::MAX).unwrap();
            writer.commit(Epoch(1), &prepared).unwrap();
            drop(writer);
            sink.finish(&schema(), &run, &[]).unwrap();
            drop(claim);
            let is_lock = |path: &PathBuf| path.ends_with("lock") || path.ends_with(".job.lock");
            let locks: Vec<_> = all(dir.path()).into_keys().filter(is_lock).collect();
            assert!(locks.is_empty(), "{binding}, {run:?}: {locks:?}");
        }
    }
}
