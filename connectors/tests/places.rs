//! What a sink touches: only what it has made itself. Links, and names that a checkpoint made up, lead nowhere.
//!
//! Each test is a table over all sinks that write to places; a new one is put into `SINKS`.

#[path = "places/contract.rs"]
mod contract;
#[path = "places/ends.rs"]
mod ends;
#[path = "places/exchange.rs"]
mod exchange;
#[path = "places/living.rs"]
mod living;
#[path = "places/many.rs"]
mod many;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use dualgauge_connectors::binding;
use dualgauge_connectors::log::{Log, ReadOptions};
use dualgauge_engine::sink::{After, Prepared, Since, Writing};
use dualgauge_engine::{Epoch, ErrorKind, EventTime, Next, PartitionReader, Result, Sink, SinkWriter};

/// Every sink that writes to a place, by its binding; the place lies in the directory `DIR`.
const SINKS: &[&str] = &[
    "parquet:DIR/out?buckets=1&span=10ms",
    "csv:DIR/out/?span=10ms",
    "json:DIR/out/?span=10ms",
    "csv:DIR/out/one.csv",
    "json:DIR/out/one.json",
    "log:DIR/out",
];

fn sink(binding: &str, dir: &Path) -> Box<dyn Sink> {
    binding::sink(&binding.replace("DIR", &dir.display().to_string())).unwrap()
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, false)]))
}

fn job(generation: u64) -> Writing {
    let mut writing = Writing::of("mine", generation);
    writing.resumes = generation > 1;
    writing
}

fn put(writer: &mut dyn SinkWriter, micros: &[i64]) {
    try_put(writer, micros).unwrap();
}

fn try_put(writer: &mut dyn SinkWriter, micros: &[i64]) -> Result<()> {
    let times: Vec<_> = micros.iter().copied().map(EventTime::from_micros).collect();
    let rows = RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(micros.to_vec()))]).unwrap();
    writer.write(&times, &rows)
}

/// All files below a directory with what is in them; a link is told as one.
fn all(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        match () {
            () if kind.is_symlink() => drop(found.insert(entry.path(), b"a link".to_vec())),
            () if kind.is_dir() => found.extend(all(&entry.path())),
            () => drop(found.insert(entry.path(), fs::read(entry.path()).unwrap())),
        }
    }
    found
}

/// Texts that lead elsewhere, or to what no sink has made.
fn hostile(victim: &Path) -> Vec<String> {
    let up = format!("../../../{}", victim.file_name().unwrap().display());
    let absolute = victim.display().to_string();
    let plain = ["", ".", "..", "diary.txt", "b0.g1.1.x/../../../../diary.txt", "b7.g1.1.x.part", "b0.g1.1.\0.part"];
    plain.map(String::from).into_iter().chain([up, absolute]).collect()
}

/// The places of names in what a sink has prepared.
fn names(value: &serde_json::Value, at: String, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (field, value) in fields {
                match value {
                    serde_json::Value::String(_) if matches!(field.as_str(), "name" | "staged" | "file") => {
                        found.push(format!("{at}/{field}"));
                    }
                    serde_json::Value::Array(_) if field == "spent" => found.push(format!("{at}/{field}")),
                    value => names(value, format!("{at}/{field}"), found),
                }
            }
        }
        serde_json::Value::Array(values) => {
            values.iter().enumerate().for_each(|(number, value)| names(value, format!("{at}/{number}"), found));
        }
        _ => {}
    }
}

#[test]
fn a_name_that_a_checkpoint_made_up_is_refused_before_anything_is_touched() {
    for binding in SINKS {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("diary.txt"), "precious").unwrap();
        let sink = sink(binding, dir.path());
        sink.check(&schema(), &job(1)).unwrap();
        drop(sink.claim(&schema(), &job(1)).unwrap());
        let mut writer = sink.open(0, &schema(), &job(1)).unwrap();
        writer.recover(&[]).unwrap();
        put(&mut *writer, &[1, 2, 20_001]);
        let first = writer.prepare(Epoch(1), EventTime::MIN).unwrap();
        put(&mut *writer, &[20_002]);
        let last = writer.prepare(Epoch(2), EventTime::MAX).unwrap();
        std::mem::forget(writer);
        let before = all(dir.path());
        let mut tried = 0;
        for honest in [&first, &last] {
            let head = usize::from(honest[0] == 1);
            let read = || serde_json::from_slice::<serde_json::Value>(&honest[head..]).unwrap();
            let mut found = Vec::new();
            names(&read(), String::new(), &mut found);
            for (field, text) in found
                .iter()
                .flat_map(|field| hostile(&dir.path().join("diary.txt")).into_iter().map(move |text| (field, text)))
            {
                let mut crafted = read();
                *crafted.pointer_mut(field).unwrap() = match field.ends_with("spent") {
                    true => serde_json::json!([text]),
                    false => serde_json::json!(text),
                };
                let bytes = [&honest[..head], &serde_json::to_vec(&crafted).unwrap()].concat();
                let mut writer = sink.open(0, &schema(), &job(2)).unwrap();
                // An honest one before it is not published either.
                let prepared =
                    [Prepared { epoch: Epoch(1), bytes: first.clone() }, Prepared { epoch: Epoch(3), bytes }];
                let prepared = if binding.starts_with("log:") { &prepared[1..] } else { &prepared[..] };
                let error = writer.recover(prepared).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Data, "{binding}: {field} = {text:?}: {error}");
                assert!(error.to_string().contains("epoch 3"), "{binding}: {field} = {text:?}: {error}");
                std::mem::forget(writer);
                assert_eq!(all(dir.path()), before, "{binding}: {field} = {text:?}");
                tried += 1;
            }
        }
        assert!(tried >= 2 * hostile(dir.path()).len(), "{binding}: only {tried} were tried");
    }
}

#[cfg(unix)]
#[test]
fn a_link_below_a_place_is_refused_by_name_and_what_it_leads_to_is_as_it_was() {
    // Where the link lies, below `out`; its target is a directory with a file, or the file.
    let staging = [".staging", ".staging/x", ".staging/b0.g1.1.x.part", ".staging/job-mine"];
    let one = |name: &str| [format!(".{name}.staging"), format!(".{name}.staging/x"), format!(".{name}.job")];
    for binding in SINKS {
        let links: Vec<String> = match *binding {
            binding if binding.starts_with("log:") => ["p0000", "p0000/stage"].map(String::from).into_iter().collect(),
            binding if binding.ends_with("one.csv") => one("one.csv").into_iter().collect(),
            binding if binding.ends_with("one.json") => one("one.json").into_iter().collect(),
            _ => staging.map(String::from).into_iter().chain([".job".to_string()]).collect(),
        };
        for link in links {
            for target in ["home", "home/diary.txt"] {
                let dir = tempfile::tempdir().unwrap();
                fs::create_dir_all(dir.path().join("home/photos")).unwrap();
                fs::write(dir.path().join("home/diary.txt"), "precious").unwrap();
                fs::write(dir.path().join("home/photos/b0.g1.2.x.part"), "a photo").unwrap();
                let sink = sink(binding, dir.path());
                if binding.starts_with("log:") {
                    // A log that is there, one of whose directories was exchanged for a link.
                    drop(sink.claim(&schema(), &job(1)).unwrap());
                    drop(sink.open(0, &schema(), &job(1)).unwrap());
                    fs::remove_file(dir.path().join("out/.job")).unwrap();
                    fs::remove_dir_all(dir.path().join("out").join(&link)).unwrap();
                }
                let at = dir.path().join("out").join(&link);
                fs::create_dir_all(at.parent().unwrap()).unwrap();
                std::os::unix::fs::symlink(dir.path().join(target), &at).unwrap();
                let before = all(&dir.path().join("home"));
                for writing in [Writing::default(), job(1), job(2)] {
                    let outcome = sink.check(&schema(), &writing).and_then(|()| {
                        let mut writer = sink.open(0, &schema(), &writing)?;
                        writer.recover(&[])?;
                        writer.prepare(Epoch(1), EventTime::MAX)?;
                        sink.finish(&schema(), &writing, &[])
                    });
                    let error = outcome.map(|()| String::new()).unwrap_or_else(|error| error.to_string());
                    assert!(error.contains("is a symbolic link"), "{binding}: {link} to {target}: {error}");
                    let name = at.display().to_string();
                    assert!(error.contains(&name), "{binding}: {link} to {target}: {error}");
                }
                assert_eq!(all(&dir.path().join("home")), before, "{binding}: {link} to {target}");
                assert!(at.is_symlink(), "{binding}: {link}: the link itself stays too");
            }
        }
    }
}

#[test]
fn an_older_output_stays_until_the_new_one_is_whole_and_only_what_a_sink_made_goes() {
    for binding in SINKS.iter().filter(|binding| !binding.starts_with("log:")) {
        let (dir, one) = (tempfile::tempdir().unwrap(), binding.contains("/one."));
        let out = dir.path().join("out");
        let over =
            sink(&format!("{binding}{}overwrite=true", if binding.contains('?') { "&" } else { "?" }), dir.path());
        let seen = || {
            let all = all(&out).into_iter().filter(|(path, _)| path.parent() == Some(&out));
            all.filter(|(path, _)| !path.file_name().unwrap().to_str().unwrap().starts_with('.'))
                .collect::<BTreeMap<_, _>>()
        };
        let mut before = BTreeMap::new();
        for (run, micros) in [[1, 20_001], [20_002, 40_001]].into_iter().enumerate() {
            over.check(&schema(), &Writing::default()).unwrap();
            let claim = over.claim(&schema(), &Writing::default()).unwrap();
            let second = over.claim(&schema(), &Writing::default()).unwrap_err().to_string();
            assert!(second.contains("is writing here at this moment"), "{binding}: {second}");
            let mut writer = over.open(0, &schema(), &Writing::default()).unwrap();
            put(&mut *writer, &micros);
            let prepared = writer.prepare(Epoch(1), EventTime::MAX).unwrap();
            writer.commit(Epoch(1), &prepared).unwrap();
            drop(writer);
            assert!(run == 0 || seen() == before, "{binding}: the old output stays until the end");
            over.finish(&schema(), &Writing::default(), &[]).unwrap();
            drop(claim);
            let after = seen();
            assert_eq!(after.len(), if one { 1 } else { 2 }, "{binding}: {:?}", after.keys());
            assert!(after != before && !out.join(".staging").exists() && !out.join(".job").exists(), "{binding}");
            before = after;
        }
        // A run that does not come to its end leaves it as it was.
        let claim = over.claim(&schema(), &Writing::default()).unwrap();
        let mut writer = over.open(0, &schema(), &Writing::default()).unwrap();
        put(&mut *writer, &[1, 60_001]);
        let prepared = writer.prepare(Epoch(1), EventTime::MAX).unwrap();
        writer.commit(Epoch(1), &prepared).unwrap();
        drop((writer, claim));
        assert!(seen() == before, "{binding}: {:?}", seen().keys());
        // Changed by somebody, it is nobody's output any more.
        let path = before.keys().next().unwrap();
        fs::write(path, "mine").unwrap();
        let error = over.check(&schema(), &Writing::default()).unwrap_err().to_string();
        assert!(error.contains(&path.file_name().unwrap().display().to_string()), "{binding}: {error}");
        assert_eq!(fs::read(path).unwrap(), b"mine");
    }
}

/// What resumes from the commit of an epoch that start `by` has taken.
fn from(epoch: u64, by: u64, generation: u64) -> Writing {
    job(generation).resuming(After { epoch: Epoch(epoch), generation: by })
}

/// Publishes rows in three epochs; a single file comes with the last.
fn publish_three(sink: &dyn Sink) {
    sink.check(&schema(), &job(1)).unwrap();
    drop(sink.claim(&schema(), &job(1)).unwrap());
    let mut writer = sink.open(0, &schema(), &job(1)).unwrap();
    writer.recover(&[]).unwrap();
    for (epoch, micros) in [(1, 1), (2, 20_001), (3, 40_001)] {
        put(&mut *writer, &[micros]);
        let watermark = if epoch == 3 { EventTime::MAX } else { EventTime::from_micros(micros + 15_000) };
        let prepared = writer.prepare(Epoch(epoch), watermark).unwrap();
        writer.commit(Epoch(epoch), &prepared).unwrap();
    }
}

#[test]
fn what_was_published_since_a_commit_is_taken_back_and_nothing_else() {
    for binding in SINKS {
        let (dir, is_log) = (tempfile::tempdir().unwrap(), binding.starts_with("log:"));
        let (sink, out) = (sink(binding, dir.path()), dir.path().join("out"));
        publish_three(&*sink);
        let seen = || {
            let seen = all(&out).into_iter().filter(|(path, _)| path.parent() == Some(&out));
            seen.filter(|(path, _)| !path.file_name().unwrap().to_str().unwrap().starts_with('.')).collect::<Vec<_>>()
        };
        let (before, since) = (all(&out), |writing: &Writing| sink.published_since(writing, &[]));
        let what = match *binding {
            _ if is_log => "2 rows",
            binding if binding.contains("/one.") => "1 file",
            _ => "2 files",
        };
        let published = Since::Published { upto: Epoch(3), what: what.to_string() };
        assert_eq!(since(&from(1, 1, 2)).unwrap(), published, "{binding}");
        assert_eq!(since(&from(3, 1, 2)).unwrap(), Since::Nothing, "{binding}");
        let stranger = Writing::of("yours", 2).resuming(After { epoch: Epoch(1), generation: 1 });
        assert!(!matches!(since(&stranger), Ok(Since::Published { .. })), "{binding}: not of another job");
        assert!(all(&out) == before, "{binding}: nothing was changed");
        if !is_log {
            // What is no longer what was published is not taken back.
            let is_later = |path: &Path| [".04Z", "/one."].iter().any(|part| path.to_str().unwrap().contains(part));
            let (path, bytes) = seen().into_iter().find(|(path, _)| is_later(path)).unwrap();
            fs::write(&path, "mine").unwrap();
            for error in [since(&from(1, 1, 2)).unwrap_err(), sink.take_back(&from(1, 1, 2)).unwrap_err()] {
                assert!(error.to_string().contains("E-OUTPUT-AHEAD"), "{binding}: {error}");
                assert!(error.to_string().contains(path.to_str().unwrap()), "{binding}: {error}");
            }
            assert_eq!(fs::read(&path).unwrap(), b"mine");
            fs::write(&path, bytes).unwrap();
        }
        for _ in 0..2 {
            sink.take_back(&from(1, 1, 2)).unwrap();
            assert_eq!(since(&from(1, 2, 2)).unwrap(), Since::Nothing, "{binding}");
            match () {
                () if is_log => assert_eq!(rows_of_log(&out), [1], "{binding}"),
                () if what == "1 file" => assert!(seen().is_empty(), "{binding}: {:?}", seen()),
                () => assert!(seen().len() == 1 && before.contains_key(&seen()[0].0), "{binding}: {:?}", seen()),
            }
        }
        let left = since(&from(2, 1, 2)).unwrap_err().to_string();
        assert!(left.contains("E-OUTPUT-AHEAD") && left.contains("the history that was left"), "{binding}: {left}");
        assert!(since(&from(0, 1, 3)).is_ok(), "{binding}: further back is possible");
    }
}

fn rows_of_log(dir: &Path) -> Vec<i64> {
    let mut reader = Log::open(dir).unwrap().reader(0, None, ReadOptions::default()).unwrap();
    let mut rows = Vec::new();
    while let Next::Batch(batch) = reader.next().unwrap() {
        rows.extend(batch.rows.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values());
    }
    rows
}

#[test]
fn rows_of_somebody_else_behind_those_of_a_job_keep_it_from_going_back() {
    let dir = tempfile::tempdir().unwrap();
    let (sink, out) = (sink("log:DIR/out", dir.path()), dir.path().join("out"));
    publish_three(&*sink);
    let mut writer = Log::open(&out).unwrap().writer(0).unwrap();
    writer.append(&RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(vec![7]))]).unwrap()).unwrap();
    writer.commit().unwrap();
    drop(writer);
    for error in [sink.published_since(&from(1, 1, 2), &[]).unwrap_err(), sink.take_back(&from(1, 1, 2)).unwrap_err()] {
        assert!(error.to_string().contains("E-OUTPUT-AHEAD") && error.to_string().contains("offset 3"), "{error}");
    }
    assert_eq!(rows_of_log(&out), [1, 20_001, 40_001, 7]);
}
