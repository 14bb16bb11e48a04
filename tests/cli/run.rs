//! `run`: results, selections, last words, stops and panics.

use dualgauge::cli::{Exit, Interrupt};
use dualgauge::prelude::*;

use crate::support::{Bid, Data, call, call_graph, named_bids};

#[test]
fn a_run_writes_its_results_and_tells_what_it_did() {
    let data = Data::of_seconds(30);
    let (bids, out) = (data.bind("bids", "csv", "bids.csv"), data.bind("hot_items", "csv", "out.csv"));
    let answer = call(&["run", "--source", &bids, "--sink", &out, "--workers", "2"]);
    assert_eq!((answer.exit, answer.out.as_str()), (Exit::Done, ""), "{}", answer.err);
    let lines = data.lines("out.csv");
    assert_eq!(lines.len(), 6, "two auctions in three windows");
    assert!(lines.contains(&"1,1970-01-01T00:00:09.999999Z,5".to_string()), "{lines:?}");
    assert!(answer.err.starts_with("done in "), "{}", answer.err);
    assert!(answer.err.contains("  bids: 30 rows read ("), "{}", answer.err);
    assert!(answer.err.contains("  hot_items: 6 rows written\n"), "{}", answer.err);
}

#[test]
fn a_quiet_run_says_nothing() {
    let data = Data::of_seconds(30);
    let (bids, out) = (data.bind("bids", "parquet", "bids.parquet"), data.bind("hot_items", "parquet", "out"));
    let answer = call(&["run", "--quiet", "--source", &bids, "--sink", &out]);
    assert_eq!((answer.exit, answer.out.as_str(), answer.err.as_str()), (Exit::Done, "", ""));
    assert!(data.path("out").read_dir().unwrap().next().is_some(), "there is output");
}

#[test]
fn from_and_to_select_events() {
    let data = Data::of_seconds(60);
    let bids = data.bind("bids", "parquet", "bids.parquet");
    let (from, to) = ("1970-01-01T00:00:15Z", "1970-01-01T00:00:31Z");
    let out = data.bind("hot_items", "csv", "out.csv");
    let answer = call(&["run", "--source", &bids, "--sink", &out, "--from", from, "--to", to]);
    assert_eq!(answer.exit, Exit::Done, "{}", answer.err);
    let counts: Vec<_> =
        data.lines("out.csv").iter().map(|line| line.rsplit(',').next().unwrap().to_string()).collect();
    assert_eq!(counts, ["2", "3", "5", "5", "1"], "15 to 19, 20 to 29, and 30");
}

#[test]
fn a_live_source_ends_at_until_and_history_does_not() {
    let data = Data::of_seconds(60);
    let follow = data.bind("bids", "csv", "bids.csv?follow=true&disorder=0s");
    let until = ["--until", "1970-01-01T00:00:25Z"];
    let out = data.bind("hot_items", "csv", "out.csv");
    let answer = call(&[&["run", "--source", &follow, "--sink", &out], &until[..]].concat());
    assert_eq!(answer.exit, Exit::Done, "{}", answer.err);
    let counts = |name| -> u64 {
        data.lines(name).iter().map(|line| line.rsplit(',').next().unwrap().parse::<u64>().unwrap()).sum()
    };
    assert_eq!(counts("out.csv"), 25);

    let bids = data.bind("bids", "csv", "bids.csv");
    let out = data.bind("hot_items", "csv", "all.csv");
    let answer = call(&[&["run", "--source", &bids, "--sink", &out], &until[..]].concat());
    assert_eq!(answer.exit, Exit::Done, "{}", answer.err);
    assert_eq!(counts("all.csv"), 60);
}

#[test]
fn history_and_live_meet_at_the_seam() {
    let data = Data::of_seconds(60);
    let both =
        format!("{},csv:{}?follow=true", data.bind("bids", "parquet", "bids.parquet"), data.path("bids.csv").display());
    let out = data.bind("hot_items", "csv", "out.csv");
    let times = ["--seam", "1970-01-01T00:00:25Z", "--until", "1970-01-01T00:00:50Z"];
    let answer = call(&[&["run", "--source", &both, "--sink", &out], &times[..]].concat());
    assert_eq!(answer.exit, Exit::Done, "{}", answer.err);
    let lines = data.lines("out.csv");
    assert_eq!(lines.len(), 10, "two auctions in five windows");
    assert!(lines.iter().all(|line| line.ends_with(",5")), "each bid once: {lines:?}");
    let plan = call(&["plan", "--source", &both, "--seam", "1970-01-01T00:00:25Z"]).out;
    assert!(plan.contains("row groups    2 to read") && plan.contains("live          1 partition"), "{plan}");
}

#[test]
fn options_of_a_binding_override_those_of_the_graph() {
    let data = Data::of_seconds(10);
    data.write(
        "bids.csv",
        "auction,price,date_time\n1,1,1970-01-01T00:00:30Z\n1,1,1970-01-01T00:00:01Z\nx,1,1970-01-01\n",
    );
    let run = |options: &str, out: &str| {
        let (bids, out) =
            (data.bind("bids", "csv", &format!("bids.csv?{options}")), data.bind("hot_items", "csv", out));
        call(&["run", "--source", &bids, "--sink", &out])
    };
    let answer = run("disorder=1m", "a.csv");
    assert_eq!(answer.exit, Exit::Failed, "a bad record ends the run: {}", answer.err);
    assert!(answer.err.contains("source bids") && answer.err.contains("line 4"), "{}", answer.err);
    let answer = run("disorder=1m&bad=drop", "b.csv");
    assert_eq!(answer.exit, Exit::Done, "{}", answer.err);
    assert!(answer.err.contains("2 rows read, 1 bad"), "{}", answer.err);
    assert_eq!(data.lines("b.csv").len(), 2);
    let answer = run("disorder=1s&bad=drop", "c.csv");
    assert!(answer.err.contains("  bids_per_auction: 1 record late\n"), "{}", answer.err);
}

#[test]
fn an_interrupted_run_stops_in_order_and_settles_what_came() {
    let data = Data::of_seconds(30);
    let interrupt = Interrupt::default();
    let raised = interrupt.clone();
    let graph = move |flow: &Flow<'_>| {
        let raised = raised.clone();
        flow.source::<Bid>("bids")
            .inspect(move |bid| {
                // Once: who asks a second time wants no order.
                if bid.time == EventTime::default() {
                    raised.raise();
                }
            })
            .sink("copies");
    };
    let bids = data.bind("bids", "csv", "bids.csv?follow=true");
    let out = data.bind("copies", "csv", "out.csv");
    let answer = call_graph(graph, &["run", "--source", &bids, "--sink", &out], interrupt);
    assert_eq!(answer.exit, Exit::Failed);
    let said = "note: sink copies: its file is seen when the run has ended\nstopped after ";
    assert!(answer.err.starts_with(said), "{}", answer.err);
    assert!(answer.err.contains("windows that were half full did not fire"), "{}", answer.err);
    // All rows are one batch, so all had come.
    let copies = std::fs::read_to_string(data.path("out.csv")).unwrap();
    assert_eq!(copies.lines().count(), 1 + 30, "{copies}");
}

#[test]
fn an_interrupt_before_the_run_stops_it() {
    let data = Data::of_seconds(30);
    let (bids, out) = (data.bind("bids", "csv", "bids.csv?follow=true"), data.bind("hot_items", "csv", "out.csv"));
    let interrupt = Interrupt::default();
    assert!(interrupt.raise(), "the first time");
    assert!(!interrupt.raise(), "not the first time");
    let answer = call_graph(crate::support::hot_items, &["run", "--source", &bids, "--sink", &out], interrupt);
    assert_eq!(answer.exit, Exit::Failed);
}

#[test]
fn a_panic_in_a_closure_exits_with_70_and_names_the_step() {
    let data = Data::of_seconds(30);
    let graph = |flow: &Flow<'_>| {
        flow.source::<Bid>("bids")
            .inspect(|bid| assert!(bid.data.price < 110, "too dear: {}", bid.data.price))
            .sink("copies");
    };
    let (bids, out) = (data.bind("bids", "csv", "bids.csv"), data.bind("copies", "csv", "out.csv"));
    let answer = call_graph(graph, &["run", "--source", &bids, "--sink", &out], Interrupt::default());
    assert_eq!((answer.exit, answer.exit.code()), (Exit::Panicked, 70));
    assert!(answer.err.contains("inspect at ") && answer.err.contains("too dear: 110"), "{}", answer.err);
    let answer = call_graph(|_: &Flow<'_>| panic!("no graph"), &["graph"], Interrupt::default());
    assert_eq!(answer.exit, Exit::Panicked);
    assert!(answer.err.contains("building the graph panicked: no graph"), "{}", answer.err);
}

#[test]
fn a_table_is_bound_like_a_source_on_the_line_and_in_a_job_file() {
    let data = Data::of_seconds(4);
    let bids = data.bind("bids", "parquet", "bids.parquet");
    let names = data.bind("names", "csv", "names.csv");
    data.write("names.csv", "auction,name\n1,one\n");
    let out = data.bind("named", "csv", "out.csv");
    let expected = ["one,1970-01-01T00:00:00Z", "one,1970-01-01T00:00:02Z"];
    let words = ["run", "--source", &bids, "--source", &names, "--sink", &out, "--workers", "2"];
    let answer = call_graph(named_bids, &words, Interrupt::default());
    assert_eq!(answer.exit, Exit::Done, "{}", answer.err);
    assert_eq!(data.lines("out.csv"), expected);

    let (bids, names) = (bids.split_once('=').unwrap().1, names.split_once('=').unwrap().1);
    let job = format!("[sources]\nbids = \"{bids}\"\nnames = \"{names}\"\n");
    let (job, out) = (data.write("job.toml", &job), data.bind("named", "csv", "again.csv"));
    let answer = call_graph(named_bids, &["run", "--job", &job, "--sink", &out], Interrupt::default());
    assert_eq!(answer.exit, Exit::Done, "{}", answer.err);
    assert_eq!(data.lines("again.csv"), expected);

    let followed = format!("names={names}?follow=true");
    let words = ["run", "--source", &followed, "--job", &job, "--sink", &out];
    let answer = call_graph(named_bids, &words, Interrupt::default());
    assert_eq!(answer.exit, Exit::Usage);
    assert!(answer.err.contains("table names") && answer.err.contains("it is followed"), "{}", answer.err);
}
