//! More spans open at once than a process may have files, with the power lost in the midst of them.
//!
//! Would catch: rows that are lost or doubled where a file is closed between two pieces of it, or where rows are moved to
//! parts because all spans together hold too much.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dualgauge_connectors::{csv, json, parquet};
use dualgauge_engine::fs::{Fault, FaultFs, Fs};
use dualgauge_engine::sink::Prepared;
use dualgauge_engine::{Durations, Epoch, EventTime, Result, Sink};

use crate::{from, job, schema, try_put};

const SPANS: i64 = 90;

/// How many moments the power is lost at, spread over the run.
const MOMENTS: u64 = 40;

fn on(name: &str, disk: &FaultFs) -> Box<dyn Sink> {
    let (fs, span): (Arc<dyn Fs>, _) = (Arc::new(disk.clone()), 10.millis());
    match name {
        "parquet" => Box::new(parquet::write("/job/out").span(span).buckets(1).on(fs)),
        "csv" => Box::new(csv::write("/job/out/").span(span).on(fs)),
        "json" => Box::new(json::write("/job/out/").span(span).on(fs)),
        other => panic!("{other} is no sink"),
    }
}

/// Runs on from what was prepared to the end: three epochs, of which each brings a row for each span.
fn run(name: &str, disk: &FaultFs, prepared: &mut Vec<Prepared>, generation: u64) -> Result<()> {
    let sink = on(name, disk);
    let writing = match prepared.last() {
        None => job(generation),
        Some(last) => from(last.epoch.0, generation - 1, generation),
    };
    sink.check(&schema(), &writing)?;
    let _claim = sink.claim(&schema(), &writing)?;
    let mut writer = sink.open(0, &schema(), &writing)?;
    writer.recover(prepared)?;
    for epoch in prepared.len() as u64 + 1..=3 {
        let micros: Vec<_> = (0..SPANS).map(|span| span * 10_000 + epoch as i64).collect();
        try_put(&mut *writer, &micros)?;
        let watermark = if epoch == 3 { EventTime::MAX } else { EventTime::MIN };
        let bytes = writer.prepare(Epoch(epoch), watermark)?;
        prepared.push(Prepared { epoch: Epoch(epoch), bytes: bytes.clone() });
        writer.commit(Epoch(epoch), &bytes)?;
    }
    drop(writer);
    sink.finish(&schema(), &writing, &[])
}

fn seen(disk: &FaultFs) -> BTreeMap<String, Vec<u8>> {
    let dir = Path::new("/job/out");
    let names = disk.list(dir).unwrap().into_iter().filter(|name| !name.starts_with('.'));
    names.map(|name| (name.clone(), disk.read(&dir.join(name)).unwrap())).collect()
}

#[test]
fn a_job_of_many_open_spans_that_loses_power_leaves_what_an_undisturbed_one_leaves() {
    for name in ["parquet", "csv", "json"] {
        let whole = FaultFs::new();
        whole.create_dirs(Path::new("/job")).unwrap();
        let disk = whole.fork();
        run(name, &whole, &mut Vec::new(), 1).unwrap();
        let (expected, operations) = (seen(&whole), whole.operations());
        assert_eq!(expected.len(), SPANS as usize, "{name}");
        for moment in 0..MOMENTS {
            let (tried, mut prepared) = (disk.fork(), Vec::new());
            let operation = moment * operations / MOMENTS + moment % 3;
            tried.fail_at(operation, Fault::PowerLoss);
            run(name, &tried, &mut prepared, 1).unwrap_err();
            for fate in [0, 1 + moment] {
                let (left, mut prepared) = (tried.after_crash(fate), prepared.clone());
                run(name, &left, &mut prepared, 2)
                    .unwrap_or_else(|error| panic!("{name}: operation {operation}, fate {fate}: {error}"));
                assert!(
                    seen(&left) == expected,
                    "{name}: operation {operation}, fate {fate}: {:?}",
                    seen(&left).keys()
                );
            }
        }
    }
}
