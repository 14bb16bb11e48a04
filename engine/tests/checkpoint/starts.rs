//! Starting: fences, and where a job goes on.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use dualgauge_engine::checkpoint::{
    Appended, BucketCut, Commit, CommitKind, CommitName, Created, Entry, ManifestLog, Retained, SavepointRequest,
    Started, Store, StoreError, Wish, collect, layer_name, look_at_named, probe, start,
};
use dualgauge_engine::fs::FaultFs;
use dualgauge_engine::{Epoch, ErrorKind, EventTime, Prepared};

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

fn append(started: &mut Started, commit: Commit) {
    assert!(matches!(started.log.append(&Entry::Commit(Box::new(commit))), Ok(Appended::Done(_))));
}

/// A commit of generation 1 with a layer of its own.
fn with_layer(store: &Arc<dyn Store>, epoch: u64) -> Commit {
    commit(1, epoch, vec![layer(store, &layer_name(1, Epoch(epoch), "a"), &[(0, epoch as u8, Some(2))], &[])])
}

#[test]
fn a_fresh_start_is_refused_where_there_is_a_commit_and_disturbs_nobody() {
    let store = store(&FaultFs::new());
    let fresh = || Wish { fresh: true, ..wish() };
    let mut first = start(store.clone(), fresh()).unwrap();
    append(&mut first, commit(1, 5, Vec::new()));
    let error = start(store.clone(), fresh()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    append(&mut first, commit(1, 6, Vec::new()));
}

#[test]
fn a_job_goes_on_from_the_epoch_that_was_asked_for() {
    let store = store(&FaultFs::new());
    let mut first = start(store.clone(), wish()).unwrap();
    for epoch in [5, 6, 7] {
        append(&mut first, commit(1, epoch, Vec::new()));
    }
    let from = |epoch| start(store.clone(), Wish { from: Some(Epoch(epoch).into()), ..wish() });
    assert_eq!(from(6).unwrap().resume.unwrap().epoch, Epoch(6));
    assert!(from(8).unwrap_err().to_string().contains("epoch 8"));
}

#[test]
fn of_several_checkpoints_of_an_epoch_none_is_chosen_and_each_has_a_name() {
    let store = store(&FaultFs::new());
    let taken = |generation, epoch, kind, taken| Commit {
        kind,
        taken: EventTime::from_micros(taken),
        ..commit(generation, epoch, Vec::new())
    };
    let from = |epoch, generation| {
        let name = CommitName { epoch: Epoch(epoch), generation };
        start(store.clone(), Wish { from: Some(name), ..wish() })
    };
    let found = |started: Started| started.resume.map(|commit| (commit.generation, commit.taken.as_micros())).unwrap();
    use CommitKind::{Checkpoint, Savepoint};
    let mut first = start(store.clone(), wish()).unwrap();
    for (epoch, kind) in [(4, Checkpoint), (5, Savepoint), (6, Checkpoint), (7, Checkpoint)] {
        append(&mut first, taken(1, epoch, kind, epoch as i64));
    }
    // Back to epoch 4: the commit is appended once more, and others of the same epochs follow.
    let mut second = from(4, None).unwrap();
    append(&mut second, Commit { generation: 2, ..taken(1, 4, Checkpoint, 4) });
    assert_eq!(found(from(4, None).unwrap()), (2, 4), "once more it is the same");
    let mut fourth = start(store.clone(), wish()).unwrap();
    assert_eq!(fourth.generation, 4);
    for epoch in [5, 6] {
        append(&mut fourth, taken(4, epoch, Checkpoint, 100 + epoch as i64));
    }
    let refused = from(5, None).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Usage);
    for words in ["several checkpoints of epoch 5", "5@1 (a savepoint, taken at", "5@4 (a checkpoint, taken at"] {
        assert!(refused.to_string().contains(words), "{words}: {refused}");
    }
    let looked = |name: &str| {
        look_at_named(&*store, Some(name.parse().unwrap()), |_, commit| {
            Ok((commit.generation, commit.taken.as_micros()))
        })
    };
    assert!(looked("5").unwrap_err().to_string().contains("say which of them"));
    assert_eq!((looked("5@1").unwrap(), looked("5@4").unwrap(), looked("6").unwrap()), ((1, 5), (4, 105), (4, 106)));
    assert_eq!(found(from(5, Some(1)).unwrap()), (1, 5));
    assert_eq!(found(from(5, Some(4)).unwrap()), (4, 105));
    assert_eq!(found(from(6, None).unwrap()), (4, 106), "the other one is no longer kept");
    assert!(from(5, Some(3)).unwrap_err().to_string().contains("no checkpoint of epoch 5@3"));
}

#[test]
fn a_damaged_checkpoint_is_left_for_the_one_before_only_where_nothing_can_be_lost_or_repeated() {
    let prepared = |epoch, bytes: &[u8]| {
        let prepared = vec![Prepared { epoch: Epoch(epoch), bytes: bytes.to_vec() }];
        BTreeMap::from([("sink".to_string(), vec![BucketCut { bucket: 0, prepared }])])
    };
    for (sinks, retained, damaged, expected) in [
        (prepared(5, b"old"), true, "layers/0000000001-00000000000000000006-a", Some(5)),
        (prepared(6, b""), true, "layers/0000000001-00000000000000000006-a", Some(5)),
        (prepared(6, b"new"), true, "layers/0000000001-00000000000000000006-a", None),
        (prepared(5, b"old"), false, "layers/0000000001-00000000000000000006-a", None),
        // What the entry itself allowed to be published nobody knows any more.
        (prepared(5, b"old"), true, "manifest/00000000000000000002", None),
        (prepared(5, b"old"), true, "manifest/00000000000000000001", Some(6)),
    ] {
        let fs = FaultFs::new();
        let store = store(&fs);
        let mut first = start(store.clone(), wish()).unwrap();
        append(&mut first, with_layer(&store, 5));
        append(&mut first, Commit { sinks, ..with_layer(&store, 6) });
        let last = store.get(damaged).unwrap().len() - 1;
        fs.flip(&Path::new("/job").join(damaged), last, 1);
        let retained = Some(Retained(Arc::new(move |commit: &Commit| retained && commit.epoch == Epoch(5))));
        let second = start(store.clone(), Wish { retained, ..wish() });
        match expected {
            Some(epoch) => assert_eq!(second.unwrap().resume.unwrap().epoch, Epoch(epoch)),
            None => {
                let error = second.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Data);
                assert!(error.to_string().contains("E-CHECKPOINT-CORRUPT"), "{error}");
                assert!(error.to_string().contains(damaged), "{error}");
            }
        }
    }
}

#[test]
fn a_missing_entry_is_named() {
    let store = store(&FaultFs::new());
    let mut first = start(store.clone(), wish()).unwrap();
    append(&mut first, commit(1, 5, Vec::new()));
    append(&mut first, commit(1, 6, Vec::new()));
    store.delete("manifest/00000000000000000001").unwrap();
    let error = start(store, wish()).unwrap_err().to_string();
    assert!(error.contains("E-CHECKPOINT-CORRUPT") && error.contains("entry 1 "), "{error}");
}

#[test]
fn collecting_keeps_what_may_still_be_asked_for_and_what_may_still_be_named() {
    let store = store(&FaultFs::new());
    let layers = || store.list("layers/").unwrap();
    let mut first = start(store.clone(), wish()).unwrap();
    append(&mut first, Commit { kind: CommitKind::Savepoint, ..with_layer(&store, 1) });
    for epoch in 2..=6 {
        append(&mut first, with_layer(&store, epoch));
    }
    layer(&store, &layer_name(1, Epoch(7), "a"), &[], &[]); // its commit is still to come
    assert_eq!(collect(&*store, &first.log, 3).unwrap(), 2);
    let of = |epochs: &[u64]| epochs.iter().map(|epoch| layer_name(1, Epoch(*epoch), "a")).collect::<Vec<_>>();
    assert_eq!(layers(), of(&[1, 4, 5, 6, 7]));

    let mut second = start(store.clone(), Wish { from: Some(Epoch(5).into()), ..wish() }).unwrap();
    assert_eq!(collect(&*store, &first.log, 1).unwrap(), 0, "an older generation collects nothing");
    append(&mut second, Commit { generation: 2, ..commit(2, 6, Vec::new()) });
    assert_eq!(collect(&*store, &second.log, 1).unwrap(), 3);
    assert_eq!(layers(), of(&[1, 5]), "the savepoint's, and that from which the generation went on");
}

#[test]
fn who_asks_for_a_savepoint_gets_one_from_behind_the_question() {
    let store = store(&FaultFs::new());
    let refused = SavepointRequest::make(&*store).unwrap_err();
    assert!(refused.to_string().contains("no checkpoints here"), "{refused}");
    let mut first = start(store.clone(), wish()).unwrap();
    append(&mut first, Commit { kind: CommitKind::Savepoint, ..commit(1, 1, Vec::new()) });
    let mut one = SavepointRequest::make(&*store).unwrap();
    append(&mut first, commit(1, 2, Vec::new()));
    let mut other = SavepointRequest::make(&*store).unwrap();
    assert_eq!((one.answer(&*store).unwrap(), other.answer(&*store).unwrap()), (None, None));
    append(&mut first, Commit { kind: CommitKind::Savepoint, ..commit(1, 3, Vec::new()) });
    assert_eq!(one.answer(&*store).unwrap(), None, "until the job has seen to it");
    store.delete("savepoint-wanted").unwrap();
    assert_eq!(one.answer(&*store).unwrap(), Some(Epoch(3)));
    assert_eq!(other.answer(&*store).unwrap(), Some(Epoch(3)), "both asked for the same");

    // What is met without a savepoint behind the question was another one: it is asked again.
    let mut third = SavepointRequest::make(&*store).unwrap();
    store.delete("savepoint-wanted").unwrap();
    assert_eq!(third.answer(&*store).unwrap(), None);
    assert!(store.get("savepoint-wanted").is_ok());
    let mut second = start(store.clone(), wish()).unwrap();
    append(&mut second, Commit { kind: CommitKind::Ended, ..commit(2, 4, Vec::new()) });
    let ended = third.answer(&*store).unwrap_err();
    assert!(ended.to_string().contains("has ended, with the checkpoint of epoch 4"), "{ended}");
    assert!(store.get("savepoint-wanted").is_err(), "it is asked no more");
}

#[test]
fn a_store_that_ignores_conditions_is_refused() {
    #[derive(Debug)]
    struct Overwrites(Arc<dyn Store>);

    impl Store for Overwrites {
        fn describe(&self) -> String {
            "memory:".into()
        }
        fn put(&self, name: &str, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> Result<(), StoreError> {
            self.0.put(name, write)
        }
        fn create(&self, name: &str, bytes: &[u8]) -> Result<Created, StoreError> {
            self.0.put(name, &mut |out| out.write_all(bytes)).map(|()| Created::New)
        }
        fn get(&self, name: &str) -> Result<Vec<u8>, StoreError> {
            self.0.get(name)
        }
        fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
            self.0.get_range(name, range)
        }
        fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
            self.0.list(folder)
        }
        fn delete(&self, name: &str) -> Result<(), StoreError> {
            self.0.delete(name)
        }
    }

    let store = store(&FaultFs::new());
    probe(&*store).unwrap();
    let error = start(Arc::new(Overwrites(store.clone())), wish()).unwrap_err().to_string();
    assert!(error.contains("memory:") && error.contains("two writers"), "{error}");
    assert_eq!(ManifestLog::read(&*store).unwrap(), [], "it is refused before anything is written");
}
