//! Every option of every source, on either side of history and live, with a given seam and with a proved one.
//!
//! Would catch: an option that is taken and reaches nobody, one that reaches the other side, and one that is unknown
//! where it stands and is silently ignored.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use dualgauge_engine::{EventTime, Scan};

use super::basis::{SHARED, SOURCES};
use super::*;
use crate::log::Log;
use crate::parquet::{COVERS, Covered, FileOptions, write_file};

/// A log without rows, and a directory of Parquet whose one file covers nothing of it yet.
fn places(dir: &Path) {
    let rows: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let rows = RecordBatch::try_from_iter([("n", rows)]).unwrap();
    let log = Log::create(dir.join("log"), &rows.schema(), 1).unwrap();
    let part = Covered { log: log.id(), partition: 0, from: 0, to: 0, watermark_max_time: EventTime::MIN };
    let said = vec![(COVERS.to_owned(), serde_json::to_string(&[part]).unwrap())];
    std::fs::create_dir(dir.join("parquet")).unwrap();
    let options = FileOptions { key_values: said, ..FileOptions::default() };
    write_file(dir.join("parquet/a.parquet"), &rows.schema(), [rows], &options).unwrap();
    std::fs::create_dir(dir.join("empty")).unwrap();
}

/// Which sides a scheme may stand at, and whether the seam is proved.
fn sides(scheme: &str) -> Vec<(&'static str, bool)> {
    let proved = match scheme {
        "parquet" => Some(("history", true)),
        "log" => Some(("live", true)),
        _ => None,
    };
    [("history", false), ("live", false)].into_iter().chain(proved).collect()
}

/// History and live, of which one is `text` and the other has no options.
fn bound(dir: &Path, side: &str, proved: bool, text: &str) -> Result<Box<dyn Source>> {
    let (files, log) = (format!("parquet:{}/parquet", dir.display()), format!("log:{}/log", dir.display()));
    let seam = (!proved).then_some(EventTime::from_micros(5));
    if side == "history" { hybrid(text, &log, seam) } else { hybrid(&files, text, seam) }
}

#[test]
fn every_option_reaches_its_side() {
    let dir = tempfile::tempdir().unwrap();
    places(dir.path());
    let of = |scheme: &str, option: &str, value: &str| {
        format!("{scheme}:{0}/{scheme}?{option}={value}", dir.path().display())
    };
    for &(scheme, option, a, b, _) in SOURCES {
        let changes = source(&of(scheme, option, a)).unwrap().basis();
        let changes = changes.changes(&source(&of(scheme, option, b)).unwrap().basis());
        for (side, proved) in sides(scheme) {
            // The seam is proved only for a log that is followed.
            let case = format!("{side} {scheme} {option}, proved {proved}");
            let values = if proved && option == "follow" { ["true", "true"] } else { [a, b] };
            let [a, b] = values.map(|value| bound(dir.path(), side, proved, &of(scheme, option, value)));
            let (a, b) = (a.unwrap_or_else(|error| panic!("{case}: {error}")), b.unwrap());
            let found: Vec<_> = a.basis().changes(&b.basis()).into_iter().map(|change| change.option).collect();
            let expected = changes.iter().map(|change| format!("{side} {}", change.option));
            let expected: Vec<_> = if values == ["true", "true"] { Vec::new() } else { expected.collect() };
            assert_eq!(found, expected, "{case}");
        }
    }
}

#[test]
fn an_option_that_a_side_does_not_take_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    places(dir.path());
    let sinks = ["buckets", "span", "overwrite", "seal", "sortd"];
    for scheme in ["parquet", "log", "csv", "json"] {
        let taken = |option: &str| SOURCES.iter().any(|row| row.0 == scheme && row.1 == option);
        let others = SOURCES.iter().map(|row| row.1).chain(sinks).filter(|option| !taken(option));
        for option in others {
            let text = format!("{scheme}:{}/{scheme}?{option}=true", dir.path().display());
            for (side, proved) in sides(scheme) {
                let error = bound(dir.path(), side, proved, &text).err().unwrap_or_else(|| panic!("{side} {text}"));
                let (error, words) = (error.to_string(), format!("`{text}`: unknown option `{option}`"));
                assert!(error.starts_with(&words), "{side}, proved {proved}: {error}");
            }
        }
    }
}

#[test]
fn what_the_engine_takes_may_stand_at_either_side_and_not_differ() {
    for &(option, a, b) in SHARED {
        let expected = source_options(&format!("csv:a?{option}={a}")).unwrap();
        assert_ne!(expected, SourceOptions::default(), "{option}");
        let said = |before: &str, after: &str| hybrid_options(&format!("csv:a{before}"), &format!("csv:b{after}"));
        let (a, b) = (format!("?{option}={a}"), format!("?{option}={b}"));
        for (before, after) in [(&a[..], ""), ("", &a[..]), (&a[..], &a[..])] {
            assert_eq!(said(before, after).unwrap(), expected, "{before} {after}");
        }
        let error = said(&a, &b).unwrap_err().to_string();
        assert!(error.contains(&format!("option `{option}` is of the source as a whole")), "{error}");
        let error = said(&format!("?{option}=nonsense"), "").unwrap_err().to_string();
        assert!(error.starts_with(&format!("`csv:a?{option}=nonsense`: option `{option}`")), "{error}");
    }
}

#[test]
fn a_history_that_may_be_empty_leaves_the_whole_log() {
    let dir = tempfile::tempdir().unwrap();
    places(dir.path());
    let (log, empty) = (format!("log:{}/log", dir.path().display()), format!("parquet:{}/empty", dir.path().display()));
    let error = hybrid(&empty, &log, None).err().unwrap().to_string();
    assert!(error.contains("has no file *.parquet"), "{error}");
    let both = hybrid(&format!("{empty}?allow_empty=true"), &log, None).unwrap();
    let schema = Arc::new(arrow_schema::Schema::empty());
    let scan = Scan { schema, event_time: String::new(), from: None, to: None, batch_rows: 1 };
    let partitions = both.partitions(&scan).unwrap().partitions;
    assert_eq!(partitions.len(), 1);
    assert_eq!(partitions[0].start.as_ref().unwrap().position, 0);
}
