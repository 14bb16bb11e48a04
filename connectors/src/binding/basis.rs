//! Every option of every connector, and what happens to a job that resumes with another value of it.
//!
//! An option that is not in the table fails the test: whoever adds one decides whether stored offsets or staged rows
//! depend on it, and says so in the connector's basis.

use std::collections::BTreeSet;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use dualgauge_engine::{Basis, Change};

use super::*;
use crate::log::Log;

/// What happens to a job that resumes with another value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// It resumes: nothing that is stored depends on the option.
    GoesOn,
    /// It resumes if it changes to the second value, and is refused the other way round.
    GoesOnTo,
    /// It resumes if nothing is staged, and is otherwise refused by name.
    NothingStaged,
    /// It is refused by name.
    Refused,
}
use Then::*;

/// Scheme, option, two values, and what follows; for sources.
pub(super) const SOURCES: &[(&str, &str, &str, &str, Then)] = &[
    ("csv", "hive", "true", "false", Refused),
    ("csv", "allow_empty", "true", "false", GoesOn),
    ("csv", "follow", "true", "false", GoesOnTo),
    ("csv", "block_bytes", "1000", "2000", GoesOn),
    ("csv", "line_bytes_max", "1000", "2000", GoesOn),
    ("csv", "header", "true", "false", Refused),
    ("csv", "delimiter", ";", "tab", Refused),
    ("json", "hive", "true", "false", Refused),
    ("json", "allow_empty", "true", "false", GoesOn),
    ("json", "follow", "true", "false", GoesOnTo),
    ("json", "block_bytes", "1000", "2000", GoesOn),
    ("json", "line_bytes_max", "1000", "2000", GoesOn),
    ("log", "follow", "true", "false", GoesOnTo),
    ("parquet", "hive", "true", "false", Refused),
    ("parquet", "allow_empty", "true", "false", GoesOn),
    ("parquet", "sorted", "true", "false", GoesOn),
    ("csv", "unit", "s", "ms", Refused),
    ("csv", "format", "%d.%m.%Y", "%Y-%m-%d", Refused),
    ("csv", "zone", "+01:00", "+02:00", Refused),
    ("csv", "whole_floats", "true", "false", Refused),
    ("csv", "null", "NA", "NULL", Refused),
    ("json", "unit", "s", "ms", Refused),
    ("json", "format", "%d.%m.%Y", "%Y-%m-%d", Refused),
    ("json", "zone", "+01:00", "+02:00", Refused),
    ("json", "whole_floats", "true", "false", Refused),
    ("json", "null", "NA", "NULL", Refused),
    ("log", "unit", "s", "ms", Refused),
    ("log", "format", "%d.%m.%Y", "%Y-%m-%d", Refused),
    ("log", "zone", "+01:00", "+02:00", Refused),
    ("log", "whole_floats", "true", "false", Refused),
    ("parquet", "unit", "s", "ms", Refused),
    ("parquet", "format", "%d.%m.%Y", "%Y-%m-%d", Refused),
    ("parquet", "zone", "+01:00", "+02:00", Refused),
    ("parquet", "whole_floats", "true", "false", Refused),
];

/// The options that every source takes say how it is read from now on.
pub(super) const SHARED: &[(&str, &str, &str)] = &[
    ("disorder", "1s", "2s"),
    ("idle_after", "1s", "2s"),
    ("all_idle", "stay", "clock"),
    ("max_ahead", "1s", "2s"),
    ("bad", "drop", "fail"),
    ("new_files", "late", "fail"),
];

/// The same for sinks.
pub(super) const SINKS: &[(&str, &str, &str, &str, Then)] = &[
    ("parquet", "buckets", "1", "2", Refused),
    ("parquet", "row_group_rows", "10", "20", GoesOn),
    ("parquet", "span", "1h", "2h", NothingStaged),
    ("parquet", "overwrite", "true", "false", GoesOn),
    ("log", "partitions", "1", "2", Refused),
    ("log", "seal", "true", "false", GoesOn),
    ("log", "firings", "last", "all", GoesOn),
    ("csv", "buckets", "1", "2", Refused),
    ("csv", "span", "1h", "2h", NothingStaged),
    ("csv", "overwrite", "true", "false", GoesOn),
    ("csv", "order", "event_time", "none", GoesOn),
    ("csv", "firings", "last", "all", GoesOn),
    ("csv", "delimiter", ";", "tab", NothingStaged),
    ("json", "buckets", "1", "2", Refused),
    ("json", "span", "1h", "2h", NothingStaged),
    ("json", "overwrite", "true", "false", GoesOn),
    ("json", "order", "event_time", "none", GoesOn),
    ("json", "firings", "last", "all", GoesOn),
];

fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Schema::new(vec![Field::new("n", DataType::Int64, false), Field::new("time", time, false)]).into()
}

/// A path of the scheme that can be bound as a source.
pub(super) fn path(dir: &std::path::Path, scheme: &str) -> String {
    if scheme == "log" {
        Log::create(dir.join("log"), &schema(), 1).unwrap();
    }
    format!("{scheme}:{}", dir.join(scheme).display())
}

#[test]
fn every_option_of_every_connector_is_in_the_table() {
    let dir = tempfile::tempdir().unwrap();
    let of = |table: &[(&'static str, &'static str, &str, &str, Then)], scheme: &str| -> BTreeSet<&'static str> {
        table.iter().filter(|row| row.0 == scheme).map(|row| row.1).collect()
    };
    let known = |binding: Binding| -> BTreeSet<&'static str> { binding.known.into_iter().collect() };
    let registry = Registry::new();
    for scheme in registry.schemes() {
        let text = path(dir.path(), scheme);
        let (connector, mut binding) = registry.parse(&text).unwrap();
        connector.source(&mut binding).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(known(binding), of(SOURCES, scheme), "source {text}");
        let (_, mut binding) = registry.parse(&text).unwrap();
        connector.sink(&mut binding).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(known(binding), of(SINKS, scheme), "sink {text}");
    }
    let (_, mut binding) = registry.parse("csv:a").unwrap();
    shared(&mut binding).unwrap();
    assert_eq!(binding.known, SHARED.iter().map(|row| row.0).collect::<Vec<_>>());
}

/// What follows from two bases, depending on which changes are taken.
fn follows(before: &Basis, now: &Basis, takes: impl Fn(&Change) -> bool) -> bool {
    before.changes(now).iter().all(takes)
}

#[test]
fn another_value_of_an_option_is_taken_or_refused_as_the_table_says() {
    let dir = tempfile::tempdir().unwrap();
    let shared = SHARED.iter().map(|&(option, a, b)| ("csv", option, a, b, GoesOn));
    for (scheme, option, a, b, then) in SOURCES.iter().copied().chain(shared) {
        let at = if scheme == "log" && dir.path().join("log").exists() {
            format!("log:{}", dir.path().join("log").display())
        } else {
            path(dir.path(), scheme)
        };
        let bound = |value: &str| source(&format!("{at}?{option}={value}")).unwrap();
        let (a, b) = (bound(a), bound(b));
        let there = follows(&a.basis(), &b.basis(), |change| b.takes(change));
        let back = follows(&b.basis(), &a.basis(), |change| a.takes(change));
        let expected = match then {
            GoesOn => (true, true),
            GoesOnTo => (true, false),
            Refused | NothingStaged => (false, false),
        };
        assert_eq!((there, back), expected, "source {scheme}: {option}");
    }
    for &(scheme, option, a, b, then) in SINKS {
        let bound = |value: &str| sink(&format!("{scheme}:{}/out?{option}={value}", dir.path().display())).unwrap();
        let (a, b) = (bound(a), bound(b));
        let goes_on = |staged| {
            follows(&a.basis(&schema()), &b.basis(&schema()), |change| b.takes(change, staged))
                && follows(&b.basis(&schema()), &a.basis(&schema()), |change| a.takes(change, staged))
        };
        let expected = match then {
            GoesOn => (true, true),
            NothingStaged => (true, false),
            Refused | GoesOnTo => (false, false),
        };
        assert_eq!((goes_on(false), goes_on(true)), expected, "sink {scheme}: {option}");
    }
}

#[test]
fn each_format_and_other_columns_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let bound = |scheme: &str| sink(&format!("{scheme}:{}/out", dir.path().display())).unwrap();
    let other: SchemaRef = Schema::new(vec![Field::new("n", DataType::Int32, false)]).into();
    for before in ["parquet", "csv", "json", "log"] {
        for now in ["parquet", "csv", "json", "log"].into_iter().filter(|now| *now != before) {
            let (before, now) = (bound(before), bound(now));
            let changes = before.basis(&schema()).changes(&now.basis(&schema()));
            assert!(changes.iter().any(|change| change.option == "format" && !now.takes(change, true)));
        }
        let columns = bound(before).basis(&schema()).changes(&bound(before).basis(&other));
        // Lines that name their columns take any; a log has its own columns, which are checked separately.
        let refused = columns.iter().any(|change| !bound(before).takes(change, true));
        assert_eq!(refused, ["parquet", "csv"].contains(&before), "{before}");
    }
}
