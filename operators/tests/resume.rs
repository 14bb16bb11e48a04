//! Every kind of step that remembers something, and what it was told: a job does not resume under other words.
//!
//! Would catch: windows of another size that fire the old panes, a longer gap over the old sessions, and any step that is
//! told something its listing and its checkpoint do not know of. A line of the table is one step in two wordings.

use std::sync::Arc;

use dualgauge_engine::checkpoint::LocalStore;
use dualgauge_engine::fs::FaultFs;
use dualgauge_engine::testing::{Item, Lines, Script, as_lines};
use dualgauge_engine::{Checkpoints, Data, Duration, Durations, ErrorKind, Flow, Job, Stream};
use dualgauge_operators::aggregate::{count, filtered, first, last, max, min, top_k};
use dualgauge_operators::join::{AsOf, Broadcast, JoinInterval, JoinStrategy, between};
use dualgauge_operators::keyed::{Fold, Neighbours, Reduce, rows_before, time_before};
use dualgauge_operators::window::{
    InWindow, counted, cumulate, days_in, months_in, places, session, sliding, tumbling,
};
use dualgauge_operators::{Deduplicate, KeyBy, KeyedStream, Map, first_within, last_within};

type Graph = Box<dyn Fn(&Flow<'_>) + Send + Sync>;
type Keyed<'s> = KeyedStream<'s, Item, dualgauge_engine::flow::NoLate, fn(&Item) -> String>;

fn key(item: &Item) -> String {
    item.key.clone()
}

fn keyed<'s>(flow: &Flow<'s>, source: &str) -> Keyed<'s> {
    flow.source::<Item>(source).key_by(key as fn(&Item) -> String)
}

fn end<D: Data, L: 'static>(stream: Stream<'_, D, L>) {
    as_lines(stream.map(|_| String::new())).sink("out");
}

/// One line of the table: what the step is called, in two wordings, and what a refusal says of both.
struct Row(&'static str, Graph, Graph, [&'static str; 2]);

/// A graph of one step, which the expression makes of the flow.
macro_rules! graph {
    (|$flow:ident| $step:expr) => {
        Box::new(|$flow: &Flow<'_>| end($step)) as Graph
    };
}

fn table() -> Vec<Row> {
    fn hour(flow: &Flow<'_>, size: Duration, lateness: Duration) {
        end(keyed(flow, "items").window(tumbling(size)).allowed_lateness(lateness).aggregate("step", count()));
    }
    fn sliding_by(flow: &Flow<'_>, slide: Duration) {
        end(keyed(flow, "items").window(sliding(10.seconds(), slide)).aggregate("step", count()));
    }
    vec![
        Row(
            "the size of tumbling windows",
            Box::new(|flow| hour(flow, 10.seconds(), Duration::ZERO)),
            Box::new(|flow| hour(flow, 20.seconds(), Duration::ZERO)),
            ["tumbling 10s", "tumbling 20s"],
        ),
        Row(
            "allowed lateness",
            Box::new(|flow| hour(flow, 10.seconds(), Duration::ZERO)),
            Box::new(|flow| hour(flow, 10.seconds(), 5.seconds())),
            ["`tumbling 10s`", "`tumbling 10s, lateness 5s`"],
        ),
        Row(
            "the offset of windows",
            Box::new(|flow| hour(flow, 10.seconds(), Duration::ZERO)),
            graph!(|flow| {
                keyed(flow, "items").window(tumbling(10.seconds()).offset(3.seconds())).aggregate("step", count())
            }),
            ["`tumbling 10s`", "`tumbling 10s offset 3s`"],
        ),
        Row(
            "how often windows fire early",
            Box::new(|flow| hour(flow, 10.seconds(), Duration::ZERO)),
            graph!(|flow| {
                keyed(flow, "items").window(tumbling(10.seconds())).early(2.seconds()).aggregate("step", count())
            }),
            ["`tumbling 10s`", "`tumbling 10s, early every 2s`"],
        ),
        Row(
            "the slide",
            Box::new(|flow| sliding_by(flow, 5.seconds())),
            Box::new(|flow| sliding_by(flow, 2.seconds())),
            ["sliding 10s every 5s", "sliding 10s every 2s"],
        ),
        Row(
            "the step of cumulating windows",
            graph!(|flow| keyed(flow, "items").window(cumulate(5.seconds(), 20.seconds())).aggregate("step", count())),
            graph!(|flow| keyed(flow, "items").window(cumulate(4.seconds(), 20.seconds())).aggregate("step", count())),
            ["cumulating 5s to 20s", "cumulating 4s to 20s"],
        ),
        Row(
            "the zone of days",
            graph!(|flow| keyed(flow, "items").window(days_in("Europe/Berlin")).aggregate("step", count())),
            graph!(|flow| keyed(flow, "items").window(days_in("Europe/Paris")).aggregate("step", count())),
            ["days in Europe/Berlin, time zones of 20", "days in Europe/Paris, time zones of 20"],
        ),
        Row(
            "the unit of the calendar",
            graph!(|flow| keyed(flow, "items").window(days_in("Europe/Berlin")).aggregate("step", count())),
            graph!(|flow| keyed(flow, "items").window(months_in("Europe/Berlin")).aggregate("step", count())),
            ["`days in Europe/Berlin", "`months in Europe/Berlin"],
        ),
        Row(
            "how many events a window has",
            graph!(|flow| keyed(flow, "items").window(counted(2)).aggregate("step", count())),
            graph!(|flow| keyed(flow, "items").window(counted(3)).aggregate("step", count())),
            ["counted 2", "counted 3"],
        ),
        Row(
            "how far back a lag looks",
            graph!(|flow| keyed(flow, "items").over().lag("step", 1, |item, _| item)),
            graph!(|flow| keyed(flow, "items").over().lag("step", 2, |item, _| item)),
            ["1 before", "2 before"],
        ),
        Row(
            "what a frame has",
            graph!(|flow| keyed(flow, "items").over().frame("step", rows_before(2), count(), |item, _| item)),
            graph!(|flow| keyed(flow, "items").over().frame("step", time_before(2.seconds()), count(), |item, _| item)),
            ["2 rows before", "2s before"],
        ),
        Row(
            "the gap of sessions",
            graph!(|flow| keyed(flow, "items").window(session(10.seconds())).aggregate("step", count())),
            graph!(|flow| keyed(flow, "items").window(session(11.seconds())).aggregate("step", count())),
            ["session gap 10s", "session gap 11s"],
        ),
        Row(
            "the n of the first n",
            graph!(|flow| keyed(flow, "items").window(tumbling(10.seconds())).top_n("step", 2, |item| item.value)),
            graph!(|flow| keyed(flow, "items").window(tumbling(10.seconds())).top_n("step", 3, |item| item.value)),
            ["top 2", "top 3"],
        ),
        Row(
            "what place equals have",
            graph!(|flow| keyed(flow, "items").window(tumbling(10.seconds())).top_n("step", 2, |item| item.value)),
            graph!(|flow| {
                let windows = keyed(flow, "items").window(tumbling(10.seconds()));
                windows.top_n("step", places(2).dense_rank(), |item| item.value)
            }),
            ["`tumbling 10s, top 2`", "`tumbling 10s, dense rank to 2`"],
        ),
        Row(
            "the k of an aggregate among others",
            graph!(|flow| {
                let windows = keyed(flow, "items").window(tumbling(10.seconds()));
                windows.aggregate("step", (count(), top_k(2, |item: &Item| item.value)))
            }),
            graph!(|flow| {
                let windows = keyed(flow, "items").window(tumbling(10.seconds()));
                windows.aggregate("step", (count(), top_k(5, |item: &Item| item.value)))
            }),
            ["top 2", "top 5"],
        ),
        Row(
            "the horizon of deduplication",
            graph!(|flow| keyed(flow, "items").deduplicate("step", first_within(1.minutes()))),
            graph!(|flow| keyed(flow, "items").deduplicate("step", first_within(2.minutes()))),
            ["first within 1m", "first within 2m"],
        ),
        Row(
            "which repeat is kept",
            graph!(|flow| keyed(flow, "items").deduplicate("step", last_within(1.minutes()))),
            graph!(|flow| keyed(flow, "items").deduplicate("step", last_within(2.minutes()))),
            ["last within 1m", "last within 2m"],
        ),
        Row(
            "the windows of a join",
            graph!(|flow| {
                let left = keyed(flow, "items").window(tumbling(10.seconds()));
                left.join(keyed(flow, "others")).inner("step", |_, left, _| left.value)
            }),
            graph!(|flow| {
                let left = keyed(flow, "items").window(tumbling(30.seconds()));
                left.join(keyed(flow, "others")).inner("step", |_, left, _| left.value)
            }),
            ["inner, tumbling 10s", "inner, tumbling 30s"],
        ),
        Row(
            "the bounds of an interval join",
            graph!(|flow| {
                let between = between(0.seconds(), 10.seconds());
                keyed(flow, "items").interval_join(keyed(flow, "others"), between).inner("step", |left, _| left.value)
            }),
            graph!(|flow| {
                let between = between(0.seconds(), 20.seconds());
                keyed(flow, "items").interval_join(keyed(flow, "others"), between).inner("step", |left, _| left.value)
            }),
            ["[0s, 10s]", "[0s, 20s]"],
        ),
        Row(
            "the lateness of a temporal join",
            graph!(|flow| keyed(flow, "items").as_of(keyed(flow, "others")).inner("step", |left, _| left.value)),
            graph!(|flow| {
                let left = keyed(flow, "items").allowed_lateness(3.seconds());
                left.as_of(keyed(flow, "others")).inner("step", |left, _| left.value)
            }),
            ["`inner`", "`inner, lateness 3s`"],
        ),
        Row(
            "the lateness of a broadcast",
            graph!(|flow| {
                let rules = flow.source::<Item>("others").broadcast(|sum: &mut i64, item: Item| *sum += item.value);
                flow.source::<Item>("items").with_broadcast("step", rules, |_, sum| Some(*sum))
            }),
            graph!(|flow| {
                let rules = flow.source::<Item>("others").broadcast(|sum: &mut i64, item: Item| *sum += item.value);
                let rules = rules.allowed_lateness(3.seconds());
                flow.source::<Item>("items").with_broadcast("step", rules, |_, sum| Some(*sum))
            }),
            ["``", "`lateness 3s`"],
        ),
        Row(
            "the lateness of running totals",
            graph!(|flow| keyed(flow, "items").fold("step", |sum: &mut i64, item| *sum += item.value)),
            graph!(|flow| {
                let late = keyed(flow, "items").allowed_lateness(3.seconds());
                late.fold("step", |sum: &mut i64, item| *sum += item.value)
            }),
            ["``", "`lateness 3s`"],
        ),
        Row(
            "the aggregate, where both keep the same type",
            graph!(|flow| {
                keyed(flow, "items").window(tumbling(10.seconds())).aggregate("step", min(|item: &Item| item.value))
            }),
            graph!(|flow| {
                keyed(flow, "items").window(tumbling(10.seconds())).aggregate("step", max(|item: &Item| item.value))
            }),
            ["`min`", "`max`"],
        ),
        Row(
            "one of several aggregates",
            graph!(|flow| {
                let sessions = keyed(flow, "items").window(session(10.seconds()));
                sessions.aggregate("step", (count(), first()))
            }),
            graph!(|flow| {
                let sessions = keyed(flow, "items").window(session(10.seconds()));
                sessions.aggregate("step", (count(), last()))
            }),
            ["`(Count, first)`", "`(Count, last)`"],
        ),
        Row(
            "which records an aggregate takes",
            graph!(|flow| {
                let windows = keyed(flow, "items").window(sliding(10.seconds(), 5.seconds()));
                windows.aggregate("step", count())
            }),
            graph!(|flow| {
                let windows = keyed(flow, "items").window(sliding(10.seconds(), 5.seconds()));
                windows.aggregate("step", filtered(|item: &Item| item.value > 1, count()))
            }),
            ["`Count`", "`Count, filtered`"],
        ),
        Row(
            "the order in which records are taken",
            graph!(|flow| keyed(flow, "items").reduce("step", |first, _| first)),
            graph!(|flow| keyed(flow, "items").as_arrives().reduce("step", |first, _| first)),
            ["`event time`", "`arrival`"],
        ),
    ]
}

fn job(graph: &Arc<Graph>, fs: &FaultFs, script: &str) -> (Job, Checkpoints) {
    let built = Arc::clone(graph);
    let job = Job::new(move |flow| built(flow)).sink("out", Lines::default());
    let (sources, _) = job.names().unwrap();
    let job = sources.iter().fold(job, |job, source| job.source(source, Script::from(script)));
    (job, Checkpoints::in_store(Arc::new(LocalStore::open(Arc::new(fs.clone()), "/job").unwrap())))
}

/// Runs a graph until its items are read, and stops it with a checkpoint.
fn begin(graph: &Arc<Graph>, fs: &FaultFs) {
    let (job, checkpoints) = job(graph, fs, "a:1@1 b:2@2 ...");
    let running = job.checkpoints(checkpoints).start().unwrap();
    while running.metrics().source("items").rows < 2 {
        assert!(!running.is_finished(), "{:?}", running.join());
        std::thread::yield_now();
    }
    running.stop_handle().stop();
    assert_eq!(running.join().unwrap_err().kind(), ErrorKind::Stopped);
}

#[test]
fn a_step_does_not_resume_under_other_words_and_does_under_its_own_or_empty() {
    for Row(what, before, now, words) in table() {
        let (before, now) = (Arc::new(before), Arc::new(now));
        for empty in [false, true] {
            let fs = FaultFs::new();
            begin(&before, &fs);
            let resume = |graph: &Arc<Graph>, dropped: Option<&str>| {
                let (job, checkpoints) = job(graph, &fs, "a:1@1 b:2@2 | a:3@3");
                job.checkpoints(dropped.into_iter().fold(checkpoints, Checkpoints::drop_state)).run()
            };
            let error = resume(&now, None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{what}: {error}");
            let error = error.to_string();
            for part in ["E-OTHER-WORDS: the step `step`", words[0], words[1], "drop_state(\"step\")"] {
                assert!(error.contains(part), "{what}: `{part}` is not in {error}");
            }
            let resumed = if empty { resume(&now, Some("step")) } else { resume(&before, None) };
            resumed.unwrap_or_else(|error| panic!("{what}: {error}"));
        }
    }
}

#[test]
fn a_join_resumes_with_another_strategy() {
    let join = |strategy| -> Arc<Graph> {
        let build = move |flow: &Flow<'_>| {
            let left = keyed(flow, "items").window(tumbling(10.seconds()));
            let join = left.join(keyed(flow, "others")).strategy(strategy);
            end(join.inner("step", |_, left, _| left.value));
        };
        Arc::new(Box::new(build))
    };
    let fs = FaultFs::new();
    begin(&join(JoinStrategy::ALL[0]), &fs);
    let (job, checkpoints) = job(&join(JoinStrategy::ALL[1]), &fs, "a:1@1 b:2@2 | a:3@3");
    job.checkpoints(checkpoints).run().unwrap();
}
