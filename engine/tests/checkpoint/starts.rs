//! Starting: fences, and where a job goes on.

use dualgauge_engine::checkpoint::{Appended, Entry, ManifestLog, start};
use dualgauge_engine::fs::FaultFs;

use crate::common::{commit, layer, store, wish};

#[test]
fn a_job_goes_on_from_its_newest_commit_and_keeps_its_name() {
    let store = store(&FaultFs::new());
    let mut first = start(store.clone(), wish()).unwrap();
    assert_eq!((first.generation, &first.resume), (1, &None));
    let mine = commit(1, 5, vec![layer(&store, "layers/1", &[(0, 1, Some(2))], &[])]);
    assert_eq!(first.log.append(&Entry::Commit(Box::new(mine.clone()))).unwrap(), Appended::Done(1));
    let second = start(store.clone(), wish()).unwrap();
    assert_eq!((second.generation, second.job, second.resume), (2, first.job, Some(mine)));
    assert_eq!(ManifestLog::read(&*store).unwrap().len(), 3);
}

#[test]
fn an_older_generation_that_wakes_up_is_told_so_and_stays_fenced() {
    let store = store(&FaultFs::new());
    let mut old = start(store.clone(), wish()).unwrap();
    let mut new = start(store.clone(), wish()).unwrap();
    let entry = |generation| Entry::Commit(Box::new(commit(generation, 5, Vec::new())));
    assert_eq!(old.log.append(&entry(1)).unwrap(), Appended::Fenced { by: Some(2) });
    assert_eq!(new.log.append(&entry(2)).unwrap(), Appended::Done(2));
    assert_eq!(old.log.append(&entry(1)).unwrap(), Appended::Fenced { by: Some(2) });
}
