//! The exchange of an older output for a new one, with the power lost at each operation of the run that makes it.
//!
//! Would catch: a moment at which neither output is there, half a file that is seen, and a next start that does not put in
//! order what it finds. The run is cut off everywhere, and of each moment several fates of what was not synced are looked at.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dualgauge_connectors::{csv, json, parquet};
use dualgauge_engine::fs::{Fault, FaultFs, Fs};
use dualgauge_engine::sink::{Prepared, Writing};
use dualgauge_engine::{Durations, Epoch, EventTime, Result, Sink};

use crate::{from, job, schema, try_put};

const SINKS: [&str; 5] = ["parquet", "csv", "json", "one file of csv", "one file of json"];

/// How many fates of a moment are looked at; 0 keeps nothing that was not synced.
const FATES: u64 = 4;

type Seen = BTreeMap<String, Vec<u8>>;

/// The sink, on a disk.
fn on(name: &str, disk: &FaultFs) -> Box<dyn Sink> {
    let (fs, span): (Arc<dyn Fs>, _) = (Arc::new(disk.clone()), 10.millis());
    match name {
        "parquet" => Box::new(parquet::write("/job/out").span(span).buckets(1).overwrite(true).on(fs)),
        "csv" => Box::new(csv::write("/job/out/").span(span).overwrite(true).on(fs)),
        "json" => Box::new(json::write("/job/out/").span(span).overwrite(true).on(fs)),
        "one file of csv" => Box::new(csv::write("/job/out/one.csv").overwrite(true).on(fs)),
        "one file of json" => Box::new(json::write("/job/out/one.json").overwrite(true).on(fs)),
        other => panic!("{other} is no sink"),
    }
}

/// What a reader sees.
fn seen(disk: &FaultFs) -> Seen {
    let dir = Path::new("/job/out");
    let names = disk.list(dir).unwrap().into_iter().filter(|name| !name.starts_with('.'));
    names.map(|name| (name.clone(), disk.read(&dir.join(name)).unwrap())).collect()
}

/// A run from its start to its end; what it has prepared is `kept` from when on a checkpoint would know of it.
fn run(sink: &dyn Sink, writing: &Writing, micros: &[i64], kept: &mut Option<Vec<u8>>) -> Result<()> {
    sink.check(&schema(), writing)?;
    let _claim = sink.claim(&schema(), writing)?;
    let mut writer = sink.open(0, &schema(), writing)?;
    match kept {
        Some(bytes) => writer.recover(&[Prepared { epoch: Epoch(2), bytes: bytes.clone() }])?,
        None => {
            writer.recover(&[])?;
            try_put(&mut *writer, micros)?;
            let bytes = writer.prepare(Epoch(2), EventTime::MAX)?;
            *kept = Some(bytes.clone());
            writer.commit(Epoch(2), &bytes)?;
        }
    }
    drop(writer);
    sink.finish(&schema(), writing, &[])
}

/// The older output: spans at 0 and 0.02 seconds. The new one has them at 0.02 and 0.04.
const OLD: [i64; 2] = [1, 20_001];
const NEW: [i64; 2] = [20_002, 40_001];

#[test]
fn with_the_power_lost_anywhere_the_older_output_or_the_new_one_is_there_whole() {
    for name in SINKS {
        for checkpoints in [false, true] {
            for micros in [&NEW[..], &[]] {
                lose_power_everywhere(name, checkpoints, micros);
            }
        }
    }
}

fn lose_power_everywhere(name: &str, checkpoints: bool, micros: &[i64]) {
    let first = if checkpoints { job(1) } else { Writing::default() };
    let disk = FaultFs::new();
    disk.create_dirs(Path::new("/job/out")).unwrap();
    run(&*on(name, &disk), &Writing::default(), &OLD, &mut None).unwrap();
    let (disk, old) = (disk.fork(), seen(&disk));
    let whole = disk.fork();
    run(&*on(name, &whole), &first, micros, &mut None).unwrap();
    let (new, operations) = (seen(&whole), whole.operations());
    assert!(new != old && !new.is_empty() && operations > 20, "{name}: {operations} operations");
    let is_old_or_new = |seen: &Seen, what: &str| {
        assert!(!seen.is_empty() && (*seen == old || *seen == new), "{what}: {:?}", seen.keys());
    };
    for operation in 0..operations {
        let (tried, mut kept) = (disk.fork(), None);
        tried.fail_at(operation, Fault::PowerLoss);
        let _ = run(&*on(name, &tried), &first, micros, &mut kept);
        for fate in 0..FATES {
            let what = format!("{name}, checkpoints {checkpoints}, {micros:?}: operation {operation}, fate {fate}");
            let left = tried.after_crash(fate);
            let (found, one) = (seen(&left), name.starts_with("one"));
            if one {
                is_old_or_new(&found, &what);
            }
            // Of a directory a reader may see files of both, each whole; all of one of them is there.
            let is = |whole: &Seen| whole.iter().all(|(name, bytes)| found.get(name).is_some_and(|is| is == bytes));
            let of = |name: &String, bytes: &Vec<u8>| [&old, &new].iter().any(|whole| whole.get(name) == Some(bytes));
            assert!(found.iter().all(|(name, bytes)| of(name, bytes)), "{what}: half a file");
            let common = |name: &&String| old.contains_key(*name) && new.contains_key(*name);
            let exchanged = old.keys().filter(common).any(|name| found[name] == new[name]);
            assert!(is(&old) || is(&new) || exchanged, "{what}: neither is there: {:?}", found.keys());
            // The next start completes what had begun, before anything else.
            let next = match (checkpoints, &kept) {
                (false, _) => Writing::default(),
                (true, None) => Writing::of("mine", 2),
                (true, Some(_)) => from(2, 1, 2).ended(),
            };
            let sink = on(name, &left);
            let starts = sink.check(&schema(), &next).and_then(|()| sink.claim(&schema(), &next));
            drop(starts.unwrap_or_else(|error| panic!("{what}: {error}")));
            is_old_or_new(&seen(&left), &what);
            let mut kept = kept.clone().filter(|_| checkpoints);
            run(&*on(name, &left), &next, micros, &mut kept).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(seen(&left) == new, "{what}: {:?}", seen(&left).keys());
            let staging = if one {
                format!("/job/out/.{}.staging", new.keys().next().unwrap())
            } else {
                "/job/out/.staging".to_string()
            };
            let aside = left.list(Path::new(&staging));
            assert!(aside.is_err(), "{what}: {aside:?} is left aside");
        }
    }
}
