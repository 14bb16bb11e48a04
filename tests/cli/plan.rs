//! `plan`: what would be read, from metadata alone.

use dualgauge::cli::{Exit, Interrupt};
use dualgauge::prelude::*;

use crate::support::{Bid, Data, call, call_graph, named_bids};

#[test]
fn a_plan_tells_row_groups_sizes_history_and_windows() {
    let data = Data::of_seconds(100);
    let bids = data.bind("bids", "parquet", "bids.parquet");
    let answer = call(&["plan", "--source", &bids]);
    assert_eq!((answer.exit, answer.err.as_str()), (Exit::Done, ""));
    let bytes = answer.out.lines().find_map(|line| line.strip_prefix("  to read       100 rows, ")).unwrap();
    let expected = format!(
        "source bids = parquet:{}\n  \
           row groups    5 to read, 0 pruned by time\n  \
           open at once  1 at most\n  \
           to read       100 rows, {bytes}\n  \
           history       1970-01-01T00:00:00Z to 1970-01-01T00:01:39Z\n\
         windows held open at once\n  \
           bids_per_auction  3 at most (tumbling 10s)\n",
        data.path("bids.parquet").display()
    );
    assert_eq!(answer.out, expected);
}

#[test]
fn row_groups_outside_the_selection_are_pruned() {
    let data = Data::of_seconds(100);
    let bids = data.bind("bids", "parquet", "bids.parquet");
    let selection = ["--from", "1970-01-01T00:00:40Z", "--to", "1970-01-01T00:01:00Z"];
    let answer = call(&[&["plan", "--source", &bids], &selection[..]].concat());
    assert!(answer.out.contains("row groups    1 to read, 4 pruned by time"), "{}", answer.out);
}

#[test]
fn a_source_that_does_not_know_its_times_is_told_so() {
    let data = Data::of_seconds(3);
    let bids = data.bind("bids", "csv", "bids.csv");
    let answer = call(&["plan", "--source", &bids]);
    assert!(answer.out.contains("files         1 to read"), "{}", answer.out);
    assert!(answer.out.contains("all until the input ends") && answer.out.contains("set `disorder`"), "{}", answer.out);
    let answer = call(&["plan", "--source", &format!("{bids}?disorder=5s")]);
    assert!(answer.out.contains("bids_per_auction  2 at most"), "{}", answer.out);
    let answer = call(&["plan", "--source", &format!("{bids}?follow=true")]);
    assert!(answer.out.contains("live          1 partition, begins with what is there"), "{}", answer.out);
}

#[test]
fn sliding_windows_overlap() {
    let sliding = |flow: &Flow<'_>| {
        let windowed = flow.source::<Bid>("bids").key_by(|bid| bid.auction).window(sliding(60.seconds(), 10.seconds()));
        windowed.aggregate("per_minute", agg::count()).filter_map(|_| None::<Bid>).sink("none");
    };
    let data = Data::of_seconds(21);
    let bids = data.bind("bids", "parquet", "bids.parquet");
    let answer = call_graph(sliding, &["plan", "--source", &bids], Interrupt::default());
    // 19 seconds are read at once; windows of 60 that start every 10 and touch them: 8.
    assert!(answer.out.contains("per_minute    8 at most (sliding 1m every 10s)"), "{}", answer.out);
}

#[test]
fn a_table_has_a_paragraph_of_its_own() {
    let data = Data::of_seconds(30);
    let bids = data.bind("bids", "parquet", "bids.parquet");
    let names = data.bind("names", "csv", "names.csv");
    data.write("names.csv", "auction,name\n1,one\n");
    let answer = call_graph(named_bids, &["plan", "--source", &bids, "--source", &names], Interrupt::default());
    assert_eq!(answer.exit, Exit::Done, "{}", answer.err);
    let expected = format!(
        "table names = csv:{}\n  \
           files         1 to read before the first event\n  \
           to read       ",
        data.path("names.csv").display()
    );
    assert!(answer.out.contains(&expected), "{}", answer.out);
}
