//! `run --checkpoint`: where a run goes on, what it says of it, and how it is started again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dualgauge::checkpoint::{CommitKind, Entry, ManifestLog, open_store};
use dualgauge::cli::{Exit, Interrupt};
use dualgauge::connectors::csv;
use dualgauge::prelude::*;

use crate::support::{Answer, Bid, Data, HotItem, call, call_graph, hot_items};

/// The counts of `bids_per_auction`, undisturbed.
fn undisturbed(data: &Data, more: &[&str]) -> Vec<String> {
    let (bids, out) = (data.bind("bids", "csv", "bids.csv"), data.bind("hot_items", "csv", "undisturbed.csv"));
    let answer = call(&[&["run", "--source", &bids, "--sink", &out], more].concat());
    assert_eq!(answer.exit, Exit::Done, "{}", answer.err);
    data.lines("undisturbed.csv")
}

/// The words of a run over what is in `bids.csv` and what may still come, into `out.csv`, with checkpoints.
fn live(data: &Data, more: &[&str]) -> Vec<String> {
    let source = data.bind("bids", "csv", "bids.csv?follow=true&disorder=0s");
    let (sink, place) = (data.bind("hot_items", "csv", "out.csv"), data.path("checkpoints").display().to_string());
    let words = ["run", "--source", &source, "--sink", &sink, "--checkpoint", &place, "--every", "1ms"];
    words.iter().chain(more).map(|word| word.to_string()).collect()
}

fn run(graph: impl Fn(&Flow<'_>) + Send + Sync + 'static, words: &[String], interrupt: Interrupt) -> Answer {
    call_graph(graph, &words.iter().map(String::as_str).collect::<Vec<_>>(), interrupt)
}

/// `hot_items`, with a look at each bid before it is counted.
fn watched(look: impl Fn(&Bid) + Send + Sync + 'static) -> impl Fn(&Flow<'_>) + Send + Sync {
    let look = Arc::new(look);
    move |flow| {
        let look = Arc::clone(&look);
        flow.source::<Bid>("bids")
            .inspect(move |bid| look(&bid.data))
            .key_by(|bid| bid.auction)
            .window(tumbling(10.seconds()))
            .aggregate("bids_per_auction", agg::count())
            .map(|pane| HotItem { auction: pane.key, time: pane.time, bids: pane.value })
            .sink("hot_items");
    }
}

fn until() -> [&'static str; 2] {
    ["--until", "1970-01-01T00:00:50Z"]
}

#[test]
fn a_run_that_is_stopped_goes_on_where_it_was_and_says_how() {
    let data = Data::of_seconds(25);
    let interrupt = Interrupt::default();
    let raised = interrupt.clone();
    let graph = watched(move |bid| {
        if bid.price == 107 {
            raised.raise();
        }
    });
    let stopped = run(graph, &live(&data, &[]), interrupt);
    assert_eq!(stopped.exit, Exit::Stopped, "{}", stopped.err);
    let place = data.path("checkpoints").display().to_string();
    assert!(stopped.err.starts_with(&format!("note: checkpoints in {place} every 1ms\n")), "{}", stopped.err);
    for part in [
        "stopped after ",
        "  bids_per_auction: ",
        " of state\n",
        "the last of epoch ",
        "stopped: a last checkpoint of epoch ",
        "goes on from there",
    ] {
        assert!(stopped.err.contains(part), "`{part}` is not in {}", stopped.err);
    }
    assert!(!data.path("out.csv").exists(), "a file is published when it is whole");

    data.append(25..60);
    let words = live(&data, &[&until()[..], &["--workers", "3"]].concat());
    let resumed = run(hot_items, &words, Interrupt::default());
    assert_eq!(resumed.exit, Exit::Done, "{}", resumed.err);
    assert!(resumed.err.starts_with("note: goes on after epoch "), "{}", resumed.err);
    assert_eq!(data.lines("out.csv"), undisturbed(&data, &["--to", until()[1]]));

    let again = run(hot_items, &words, Interrupt::default());
    assert_eq!(again.exit, Exit::Done, "{}", again.err);
    assert!(again.err.contains("the input had ended with epoch"), "{}", again.err);
    assert!(again.err.contains("bids: 0 rows read"), "{}", again.err);
}

#[test]
fn a_place_that_holds_a_checkpoint_is_not_fresh_and_has_only_the_epochs_it_has() {
    let data = Data::of_seconds(60);
    let done = run(hot_items, &live(&data, &[&until()[..], &["--fresh"]].concat()), Interrupt::default());
    assert_eq!(done.exit, Exit::Done, "{}", done.err);
    for (more, part) in [
        (&["--fresh"][..], "there is a checkpoint already; leave out --fresh"),
        (&["--from-checkpoint", "999999"], "there is no checkpoint of epoch 999999"),
        (&["--fresh", "--from-checkpoint", "3"], "leave one of them out"),
    ] {
        let answer = run(hot_items, &live(&data, more), Interrupt::default());
        assert_eq!(answer.exit, Exit::Usage, "{more:?}: {}", answer.err);
        assert!(answer.err.contains(part), "{more:?}: {}", answer.err);
    }
}

#[test]
fn a_run_that_is_behind_its_end_already_ends() {
    let data = Data::of_seconds(25);
    let interrupt = Interrupt::default();
    let raised = interrupt.clone();
    let graph = watched(move |bid| {
        if bid.price == 124 {
            raised.raise();
        }
    });
    let stopped = run(graph, &live(&data, &[]), interrupt);
    assert_eq!(stopped.exit, Exit::Stopped, "{}", stopped.err);
    let ended = run(hot_items, &live(&data, &["--until", "1970-01-01T00:00:20Z"]), Interrupt::default());
    assert_eq!(ended.exit, Exit::Done, "{}", ended.err);
}

#[test]
fn a_savepoint_is_named_and_can_be_gone_back_to() {
    let data = Data::of_seconds(25);
    let interrupt = Interrupt::default();
    interrupt.savepoint();
    let place = data.path("checkpoints").display().to_string();
    let looked = place.clone();
    let raised = interrupt.clone();
    // Stops when the savepoint is there: its words are told by then, or with the last ones.
    let stopper = std::thread::spawn(move || {
        loop {
            let entries = open_store(&looked).and_then(|store| ManifestLog::read(&*store)).unwrap();
            let savepoint = entries.iter().find_map(|(_, entry)| match entry {
                Entry::Commit(commit) if commit.kind == CommitKind::Savepoint => Some(commit.epoch),
                _ => None,
            });
            match savepoint {
                Some(epoch) => break raised.raise().then_some(epoch).unwrap(),
                None => std::thread::yield_now(),
            }
        }
    });
    let words: Vec<_> = live(&data, &[]).iter().map(|word| word.replace("1ms", "1d")).collect();
    let stopped = run(hot_items, &words, interrupt);
    let epoch = stopper.join().unwrap();
    assert_eq!(stopped.exit, Exit::Stopped, "{}", stopped.err);
    assert!(stopped.err.contains(&format!("savepoint of epoch {epoch}: it is kept")), "{}", stopped.err);

    data.append(25..60);
    let epoch = epoch.to_string();
    let words = live(&data, &[&until()[..], &["--from-checkpoint", &epoch]].concat());
    let resumed = run(hot_items, &words, Interrupt::default());
    assert_eq!(resumed.exit, Exit::Done, "{}", resumed.err);
    assert!(resumed.err.contains(&format!("goes on after epoch {epoch} in")), "{}", resumed.err);
    assert_eq!(data.lines("out.csv"), undisturbed(&data, &["--to", until()[1]]));

    let interrupt = Interrupt::default();
    interrupt.savepoint();
    let (bids, out) = (data.bind("bids", "csv", "bids.csv"), data.bind("hot_items", "csv", "other.csv"));
    let answer = call_graph(hot_items, &["run", "--source", &bids, "--sink", &out], interrupt);
    assert!(answer.err.contains("this run has no --checkpoint"), "{}", answer.err);
}

#[test]
fn standard_output_promises_less_and_says_so() {
    let data = Data::of_seconds(3);
    let (bids, place) = (data.bind("bids", "csv", "bids.csv"), data.path("checkpoints").display().to_string());
    let sink = format!("hot_items=csv:{}", data.path("out.csv").display());
    let call = |sink: &str| call(&["plan", "--source", &bids, "--sink", sink]).exit;
    assert_eq!(call(&sink), Exit::Done);
    // Standard output itself is the process's, see `tests/process.rs`; here only what is said of it.
    let job = Job::new(hot_items).source("bids", csv::read(data.path("bids.csv"))).sink("hot_items", csv::write("-"));
    let job = job.from(EventTime::MAX).checkpoints(dualgauge::Checkpoints::in_store(open_store(&place).unwrap()));
    let running = job.start().unwrap();
    let notes = running.notes().join("\n");
    assert!(notes.contains("sink hot_items (csv:-) shows rows at once"), "{notes}");
    running.join().unwrap();
}

#[test]
fn a_step_that_is_gone_wants_a_word_and_one_that_is_new_starts_empty() {
    let data = Data::of_seconds(25);
    let interrupt = Interrupt::default();
    let raised = interrupt.clone();
    let graph = watched(move |bid| {
        if bid.price == 120 {
            raised.raise();
        }
    });
    run(graph, &live(&data, &[]), interrupt);
    let renamed = |flow: &Flow<'_>| {
        let windowed = flow.source::<Bid>("bids").key_by(|bid| bid.auction).window(tumbling(10.seconds()));
        let counted = windowed.aggregate("bids_by_another_name", agg::count());
        counted.map(|pane| HotItem { auction: pane.key, time: pane.time, bids: pane.value }).sink("hot_items");
    };
    let refused = run(renamed, &live(&data, &until()), Interrupt::default());
    assert_eq!(refused.exit, Exit::Usage, "{}", refused.err);
    for part in ["the step `bids_per_auction`", "--drop-state bids_per_auction"] {
        assert!(refused.err.contains(part), "{}", refused.err);
    }
    data.append(25..60);
    let words = live(&data, &[&until()[..], &["--drop-state", "bids_per_auction"]].concat());
    let dropped = run(renamed, &words, Interrupt::default());
    assert_eq!(dropped.exit, Exit::Done, "{}", dropped.err);
    let lines = data.lines("out.csv");
    assert!(
        lines.contains(&"1,1970-01-01T00:00:29.999999Z,2".to_string()),
        "what the old step kept is forgotten: {lines:?}"
    );
}

#[test]
fn a_run_is_started_again_after_a_panic_and_given_up_after_three_of_the_same() {
    let data = Data::of_seconds(60);
    let left = AtomicU32::new(1);
    let once = watched(move |bid| {
        let fails =
            bid.price == 117 && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        assert!(!fails, "an unlucky bid");
    });
    let words = live(&data, &[&until()[..], &["--restart", "2"]].concat());
    let done = run(once, &words, Interrupt::default());
    assert_eq!(done.exit, Exit::Done, "{}", done.err);
    assert!(done.err.contains("restart 1, after: inspect at ") && done.err.contains("  1 restart\n"), "{}", done.err);
    assert_eq!(data.lines("out.csv"), undisturbed(&data, &["--to", until()[1]]));

    let data = Data::of_seconds(60);
    let always = watched(|bid| assert!(bid.price != 117, "an unlucky bid"));
    let given_up = run(always, &live(&data, &["--restart", "9"]), Interrupt::default());
    assert_eq!(given_up.exit, Exit::Panicked, "{}", given_up.err);
    for part in ["an unlucky bid", "source bids: ", "in epoch ", "the same 3 times in a row", "mend the closure"] {
        assert!(given_up.err.contains(part), "`{part}` is not in {}", given_up.err);
    }
}

#[test]
fn a_state_beyond_its_limit_ends_the_run_and_names_the_steps() {
    let data = Data::of_seconds(25);
    let stopped = run(hot_items, &live(&data, &["--state-max", "10", "--restart", "5"]), Interrupt::default());
    assert_eq!(stopped.exit, Exit::Failed, "{}", stopped.err);
    for part in ["error: E-STATE-LIMIT: the state has ", " bytes (", "bids_per_auction ", "its limit is 10: "] {
        assert!(stopped.err.contains(part), "`{part}` is not in {}", stopped.err);
    }
    assert!(!stopped.err.contains("restart 1"), "it would come to the same: {}", stopped.err);
    data.append(25..60);
    let done = run(hot_items, &live(&data, &["--state-max", "1GiB", "--until", until()[1]]), Interrupt::default());
    assert!(done.err.contains("goes on after epoch "), "{}", done.err);
}

#[test]
fn a_job_file_says_where_checkpoints_are() {
    let data = Data::of_seconds(60);
    let place = |name: &str| data.path(name).display().to_string();
    let job = format!(
        "checkpoint = \"file://{}\"\nevery = \"1ms\"\nrestart = 3\nstate_max = \"1GiB\"\ndrop_state = []\nfresh = true\n\
         [sources]\nbids = \"csv:{}\"\n[sinks]\nhot_items = \"csv:{}\"\n",
        place("checkpoints"),
        place("bids.csv"),
        place("out.csv")
    );
    let job = data.write("job.toml", &job);
    let answer = call(&["run", "--job", &job]);
    assert_eq!(answer.exit, Exit::Done, "{}", answer.err);
    let store = open_store(&place("checkpoints")).unwrap();
    let entries = ManifestLog::read(&*store).unwrap();
    assert!(matches!(entries.last(), Some((_, Entry::Commit(commit))) if commit.kind == CommitKind::Ended));
    assert_eq!(call(&["run", "--job", &job]).exit, Exit::Usage, "it is no longer fresh");
    assert_eq!(call(&["plan", "--job", &job]).exit, Exit::Done, "a plan looks at no checkpoint");
}
