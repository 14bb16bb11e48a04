//! Catches a query of the example whose answer is not that of its SQL, or differs between the live log and history; and
//! a program by hand, which the bench takes for the floor, that answers a different question.
//!
//! The answers in `tests/fixtures/nexmark/answers.csv` are DuckDB's, on the same files; `make.py` beside them made them and
//! says how. They are rows and digests, as the example prints them.

use std::collections::BTreeMap;
use std::path::Path;

use dualgauge::Digest;
use dualgauge_nexmark::{Options, Table, generate};

#[path = "../../../examples/nexmark/answer.rs"]
mod answer;
#[allow(dead_code)] // the example uses all of it
#[path = "../../../examples/nexmark/data.rs"]
mod data;
#[path = "../benches/nexmark/floor/mod.rs"]
mod floor;
#[allow(dead_code)] // the example uses all of it
#[path = "../../../examples/nexmark/queries/mod.rs"]
mod queries;
#[allow(dead_code)] // the example uses all of it
#[path = "../../../examples/nexmark/run.rs"]
mod run;

use answer::Answer;
use data::Size;
use queries::{QUERIES, Query};

/// A hundred seconds.
const SIZE: Size = Size { events: 100_000, rate: 1_000 };

/// What DuckDB makes of the same events, by query.
fn fixtures() -> BTreeMap<&'static str, (u64, &'static str)> {
    let lines = include_str!("fixtures/nexmark/answers.csv").lines().skip(1);
    let of_line = |line: &'static str| {
        let mut columns = line.split(',');
        let mut next = || columns.next().expect("query,rows,digest");
        (next(), (next().parse().expect("a number of rows"), next()))
    };
    lines.map(of_line).collect()
}

fn shown(digest: Digest) -> (u64, String) {
    (digest.rows, digest.to_string())
}

#[test]
fn every_answer_is_that_of_duckdb() {
    let dir = tempfile::tempdir().unwrap();
    generate(&Options { events: SIZE.events, rate: SIZE.rate, ..Options::new(dir.path()) }).unwrap();
    let expected = fixtures();
    assert_eq!(expected.len(), QUERIES.len(), "every answer has its query");
    for query in QUERIES {
        let (rows, digest) = expected[query.name];
        assert!(rows > 0, "{}: an empty answer says nothing", query.name);
        for workers in 1..=2 {
            let answer = Answer::new(&query, true, None);
            run::over_history(&query, dir.path(), workers, &answer).unwrap();
            assert_eq!(shown(answer.total()), (rows, digest.to_string()), "{} on {workers} workers", query.name);
        }
    }
}

#[test]
fn every_program_by_hand_gives_the_same_answer() {
    let dir = tempfile::tempdir().unwrap();
    // Several files, so that each worker reads some.
    let options = Options { events: SIZE.events, rate: SIZE.rate, file_rows: 10_000, ..Options::new(dir.path()) };
    generate(&options).unwrap();
    let expected = fixtures();
    for name in floor::PROGRAMS {
        let (rows, digest) = expected[name];
        for workers in [1, 3] {
            let answer = Answer::new(&Query::named(name).unwrap(), true, None);
            floor::run(name, dir.path(), workers, &answer).unwrap();
            assert_eq!(shown(answer.total()), (rows, digest.to_string()), "{name} on {workers} workers");
        }
    }
}

#[test]
fn every_answer_is_the_same_on_the_live_log() {
    let expected = fixtures();
    for query in QUERIES {
        let answer = Answer::new(&query, true, None);
        let outcome = run::over_logs(&query, SIZE, 2, &answer).unwrap();
        let (rows, digest) = expected[query.name];
        assert_eq!(shown(answer.total()), (rows, digest.to_string()), "{}", query.name);
        assert_eq!(outcome.metrics.snapshot().late(), 0, "{}: a second out of order is waited for", query.name);
    }
}

#[test]
fn files_are_found_in_either_shape_and_the_answer_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let made = generate(&Options { events: 10_000, tables: vec![Table::Bids], ..Options::new(dir.path()) }).unwrap();
    let query = Query::named("q2").unwrap();
    let answer_of = |history: &Path| {
        let out = tempfile::tempdir().unwrap();
        let answer = Answer::new(&query, true, Some(out.path()));
        run::over_history(&query, history, 1, &answer).unwrap();
        let written = std::fs::read_dir(out.path().join("q2")).unwrap().count();
        (answer.total(), written)
    };
    let (digest, written) = answer_of(dir.path());
    assert!(digest.rows > 0 && written > 0, "{digest:?} in {written} files");

    let whole = tempfile::tempdir().unwrap();
    std::fs::copy(made.tables[0].dir.join("bids-00000.parquet"), whole.path().join("bids.parquet")).unwrap();
    assert_eq!(answer_of(whole.path()), (digest, written));
    let missing = data::files(whole.path(), Table::Persons).unwrap_err().to_string();
    assert!(missing.contains("neither persons.parquet nor persons/"), "{missing}");
}
