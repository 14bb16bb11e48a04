//! What a job counts: every stateful operator in a table, on several numbers of workers.
//!
//! Would catch: a late record that is counted twice or not at all, a step of which both halves count what comes in, a copy
//! for every worker that counts for each of them, and a source, a step and a sink of one name that share a count.

use std::collections::BTreeMap;
use std::sync::Arc;

use dualgauge_engine::checkpoint::{CommitKind, LocalStore};
use dualgauge_engine::flow::NoLate;
use dualgauge_engine::fs::FaultFs;
use dualgauge_engine::job::{Metrics, Snapshot};
use dualgauge_engine::testing::{Item, Line, Lines, Script, as_lines};
use dualgauge_engine::{Checkpoints, Data, Durations, ErrorKind, EventTime, Flow, Job, Stream, VirtualClock};
use dualgauge_operators::aggregate::count;
use dualgauge_operators::join::{AsOf, Broadcast, JoinInterval, between};
use dualgauge_operators::keyed::{Fold, Neighbours, Reduce, rows_before, time_before};
use dualgauge_operators::window::{InWindow, counted, cumulate, session, sliding, tumbling, whole};
use dualgauge_operators::{Deduplicate, KeyBy, KeyedStream, Map, first_within, last_within};

/// One name for a source, a step and a sink.
const NAME: &str = "items";

type Keyed<'s> = KeyedStream<'s, Item, NoLate, fn(&Item) -> String>;

fn key(item: &Item) -> String {
    item.key.clone()
}

fn keyed<'s>(flow: &Flow<'s>, source: &str) -> Keyed<'s> {
    flow.source::<Item>(source).key_by(key as fn(&Item) -> String)
}

fn lines<D: Data, L: 'static>(records: Stream<'_, D, L>) -> Stream<'_, Line> {
    as_lines(records.map(|_| String::new()))
}

fn end<D: Data, L: Data>(step: Stream<'_, D, L>) {
    lines(step.late()).sink("late");
    lines(step).sink(NAME);
}

/// An operator: its graph, and how many records come out of it.
type Row = (&'static str, fn(&Flow<'_>), u64);

/// The operators of one input, which is told `NAME`: two records on time, and the third late.
const ONE: [Row; 16] = [
    ("tumbling", |flow| end(keyed(flow, NAME).window(tumbling(10.seconds())).aggregate(NAME, count())), 2),
    ("sliding", |flow| end(keyed(flow, NAME).window(sliding(10.seconds(), 5.seconds())).aggregate(NAME, count())), 4),
    ("cumulate", |flow| end(keyed(flow, NAME).window(cumulate(5.seconds(), 10.seconds())).aggregate(NAME, count())), 4),
    ("counted", |flow| end(keyed(flow, NAME).window(counted(2)).aggregate(NAME, count())), 1),
    ("session", |flow| end(keyed(flow, NAME).window(session(2.seconds())).aggregate(NAME, count())), 2),
    ("top_n", |flow| end(keyed(flow, NAME).window(tumbling(10.seconds())).top_n(NAME, 1, |item| item.value)), 2),
    (
        "early",
        |flow| {
            let windows = keyed(flow, NAME).window(tumbling(10.seconds())).early(1.seconds());
            let panes = windows.aggregate(NAME, count());
            lines(panes.late()).sink("late");
            lines(panes).sink(NAME);
        },
        0,
    ),
    (
        "fold",
        |flow| {
            end(keyed(flow, NAME).fold(NAME, |sum: &mut i64, item| {
                *sum += item.value;
                *sum
            }))
        },
        2,
    ),
    ("row_number", |flow| end(keyed(flow, NAME).over().row_number(NAME, |item, _| item)), 2),
    ("lag", |flow| end(keyed(flow, NAME).over().lag(NAME, 1, |item, _| item)), 2),
    ("frame of rows", |flow| end(keyed(flow, NAME).over().frame(NAME, rows_before(2), count(), |item, _| item)), 2),
    (
        "frame of time",
        |flow| end(keyed(flow, NAME).over().frame(NAME, time_before(5.seconds()), count(), |item, _| item)),
        2,
    ),
    ("reduce", |flow| end(keyed(flow, NAME).reduce(NAME, |first, _| first)), 2),
    ("as_arrives", |flow| end(keyed(flow, NAME).as_arrives().reduce(NAME, |first, _| first)), 2),
    ("first_within", |flow| end(keyed(flow, NAME).deduplicate(NAME, first_within(5.seconds()))), 2),
    ("last_within", |flow| end(keyed(flow, NAME).deduplicate(NAME, last_within(5.seconds()))), 2),
];

/// The operators of two inputs, with two records on time and one late on each.
const TWO: [Row; 6] = [
    (
        "join tumbling",
        |flow| {
            let join = keyed(flow, NAME).window(tumbling(10.seconds())).join(keyed(flow, "others"));
            end(join.inner(NAME, |_, left, right| (left.clone(), right.clone())));
        },
        2,
    ),
    (
        "join sliding",
        |flow| {
            let join = keyed(flow, NAME).window(sliding(10.seconds(), 5.seconds())).join(keyed(flow, "others"));
            end(join.inner(NAME, |_, left, right| (left.clone(), right.clone())));
        },
        4,
    ),
    (
        "join session",
        |flow| {
            let join = keyed(flow, NAME).window(session(2.seconds())).join(keyed(flow, "others"));
            end(join.inner(NAME, |_, left, right| (left.clone(), right.clone())));
        },
        2,
    ),
    (
        "interval_join",
        |flow| {
            let join = keyed(flow, NAME).interval_join(keyed(flow, "others"), between(-1.seconds(), 1.seconds()));
            end(join.inner(NAME, |left, right| (left.clone(), right.clone())));
        },
        2,
    ),
    (
        "as_of",
        |flow| {
            let join = keyed(flow, NAME).as_of(keyed(flow, "others"));
            end(join.inner(NAME, |left, right| (left.clone(), right.clone())));
        },
        2,
    ),
    (
        "with_broadcast",
        |flow| {
            let note = |noted: &mut i64, item: Item| *noted += item.value;
            let changes = flow.source::<Item>("others").broadcast(note);
            end(flow.source::<Item>(NAME).with_broadcast(NAME, changes, |item: Item, noted: &i64| [(item, *noted)]));
        },
        2,
    ),
];

fn snapshot(graph: fn(&Flow<'_>), sources: &[(&str, &str)], workers: usize) -> Snapshot {
    let job = Job::new(graph).sink(NAME, Lines::default()).sink("late", Lines::default()).workers(workers);
    let job = sources.iter().fold(job, |job, (name, script)| job.source(name, Script::from(*script)));
    job.run().unwrap().metrics.snapshot()
}

#[test]
fn each_stateful_operator_counts_what_comes_in_what_goes_out_and_what_is_late_once() {
    let (one, two) =
        ([(NAME, "a:1@10 a:2@30 a:9@4")], [(NAME, "a:1@10 a:2@30 a:9@4"), ("others", "a:3@10 a:4@30 a:8@5")]);
    let one = ONE.iter().map(|row| (row, one.as_slice(), 1));
    let two = TWO.iter().map(|row| (row, two.as_slice(), 2));
    for ((operator, graph, out), sources, inputs) in one.chain(two) {
        for workers in [1, 2, 7] {
            let on = format!("{operator} on {workers} workers");
            let metrics = snapshot(*graph, sources, workers);
            assert_eq!(
                metrics.sources.keys().collect::<Vec<_>>(),
                sources.iter().map(|(name, _)| name).collect::<Vec<_>>()
            );
            for (name, _) in sources {
                let source = metrics.source(name);
                assert_eq!((source.rows, source.bad, source.repeated, source.unread), (3, 0, 0, 0), "{on}");
                assert_eq!(
                    (source.watermark, source.lag, source.positions),
                    (EventTime::MAX, None, BTreeMap::new()),
                    "{on}"
                );
            }
            assert_eq!(metrics.steps.keys().collect::<Vec<_>>(), [NAME], "{on}");
            let step = metrics.step(NAME);
            assert_eq!((step.records_in, step.late), (3 * inputs, inputs), "{on}");
            if *operator != "early" {
                assert_eq!((step.records_out, metrics.sink(NAME).rows), (*out, *out), "{on}");
            }
            assert_eq!(metrics.sink("late").rows, inputs, "{on}");
            assert_eq!((metrics.rows_read(), metrics.late(), metrics.bad()), (3 * inputs, inputs, 0), "{on}");
            assert_eq!(metrics.workers.keys().copied().collect::<Vec<_>>(), (0..workers).collect::<Vec<_>>(), "{on}");
            assert_eq!(metrics.workers.values().map(|worker| worker.rows_read).sum::<u64>(), 3 * inputs, "{on}");
            assert_eq!(metrics.workers.values().map(|worker| worker.records_in).sum::<u64>(), 3 * inputs, "{on}");
            let written = metrics.workers.values().map(|worker| worker.rows_written).sum::<u64>();
            assert_eq!(written, metrics.rows_written(), "{on}");
            assert_eq!(metrics.watermark_holder, None, "{on}: all is read");
        }
    }
}

#[test]
fn what_lies_between_two_windows_is_in_none_and_not_late() {
    // Windows of 2 s every 10 s: 1 and 31 s are in one, 5, 25 and 4 s are in none, and 0 s comes late for its own.
    let script = "a:1@1 a:2@5 a:3@25 a:4@31 a:5@4 a:6@0";
    let alone =
        |flow: &Flow<'_>| end(keyed(flow, NAME).window(sliding(2.seconds(), 10.seconds())).aggregate(NAME, count()));
    let early = |flow: &Flow<'_>| {
        let windows = keyed(flow, NAME).window(sliding(2.seconds(), 10.seconds())).early(1.seconds());
        let panes = windows.aggregate(NAME, count());
        lines(panes.late()).sink("late");
        lines(panes).sink(NAME);
    };
    let join = |flow: &Flow<'_>| {
        let windows = keyed(flow, NAME).window(sliding(2.seconds(), 10.seconds()));
        end(windows.join(keyed(flow, "others")).inner(NAME, |_, left, right| (left.clone(), right.clone())));
    };
    for workers in [1, 2, 7] {
        for (graph, sources, times) in [
            (alone as fn(&Flow<'_>), vec![(NAME, script)], 1),
            (early, vec![(NAME, script)], 1),
            (join, vec![(NAME, script), ("others", script)], 2),
        ] {
            let metrics = snapshot(graph, &sources, workers);
            let step = metrics.step(NAME);
            assert_eq!(
                (step.records_in, step.in_no_window, step.late),
                (6 * times, 3 * times, times),
                "{workers} workers"
            );
            assert_eq!((metrics.in_no_window(), metrics.late()), (3 * times, times), "{workers} workers");
            assert_eq!((metrics.sink(NAME).rows, metrics.sink("late").rows), (2, times), "{workers} workers");
        }
    }
}

#[test]
fn in_the_window_of_all_time_nothing_is_late() {
    let graph = |flow: &Flow<'_>| end(keyed(flow, NAME).window(whole()).aggregate(NAME, count()));
    let metrics = snapshot(graph, &[(NAME, "a:1@10 a:2@30 a:9@4")], 2);
    assert_eq!((metrics.step(NAME).records_in, metrics.step(NAME).late, metrics.step(NAME).records_out), (3, 0, 1));
}

#[test]
fn no_name_collides_with_what_the_engine_counts() {
    let graph = |flow: &Flow<'_>| {
        let own = flow.counter("checkpoint", "late");
        let seen = flow.source::<Item>("checkpoint").map(move |item| {
            own.add(10);
            item
        });
        let sums = seen.key_by(key).reduce("checkpoint", |first, _| first);
        lines(sums).sink("checkpoint");
    };
    let script = Script::from("a:1@10 b:2@30 a:9@4");
    let job = Job::new(graph).source("checkpoint", script).sink("checkpoint", Lines::default());
    let metrics = job.run().unwrap().metrics;
    assert_eq!(metrics.source("checkpoint").rows, 3);
    assert_eq!((metrics.step("checkpoint").late, metrics.step("checkpoint").records_out), (1, 2));
    assert_eq!((metrics.sink("checkpoint").rows, metrics.sink("checkpoint").retries), (2, 0));
    assert_eq!((metrics.commits(), metrics.checkpoint_retries()), (0, 0));
    assert_eq!(metrics.counter("checkpoint", "late").get(), 30, "the program's own");
    assert_eq!(metrics.snapshot().counters["checkpoint"]["late"], 30);
    assert_eq!(metrics.counter("checkpoint", "rows").get(), 0);
}

/// Looks until it is so.
fn until(metrics: &Metrics, is_so: impl Fn(&Snapshot) -> bool) -> Snapshot {
    loop {
        let snapshot = metrics.snapshot();
        if is_so(&snapshot) {
            return snapshot;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_running_job_shows_where_it_is_and_what_it_keeps() {
    let at = |seconds: i64| EventTime::default() + seconds.seconds();
    for workers in [1, 2, 7] {
        let graph = |flow: &Flow<'_>| {
            as_lines(flow.source::<Item>("rules").map(|_| String::new())).sink("ruled");
            let items = flow.source::<Item>(NAME);
            lines(items.clone()).sink("raw");
            end(items.key_by(key).window(tumbling(10.seconds())).aggregate(NAME, count()));
        };
        let (fs, clock) = (FaultFs::new(), Arc::new(VirtualClock::at(at(100))));
        let store = LocalStore::open(Arc::new(fs), "/job").unwrap();
        let sinks = ["ruled", "raw", "late", NAME];
        let job = sinks.iter().fold(Job::new(graph), |job, sink| job.sink(sink, Lines::default()));
        let job = job.source(NAME, Script::from("a:1@10 | a:2@30 ...")).source("rules", Script::from("r:1@12 ..."));
        let job = job.workers(workers).clock(clock).checkpoints(Checkpoints::in_store(Arc::new(store)));
        let running = job.start().unwrap();
        let metrics = running.metrics();
        let there = |name: &'static str, time: EventTime| move |now: &Snapshot| now.source(name).watermark == time;
        until(&metrics, there("rules", at(12)));
        let now = until(&metrics, there(NAME, at(30)));
        assert_eq!(now.taken, at(100));
        let (items, rules) = (now.source(NAME), now.source("rules"));
        assert_eq!((items.rows, items.lag, rules.lag), (2, Some(70.seconds()), Some(88.seconds())));
        assert_eq!(items.positions.values().collect::<Vec<_>>(), [&2], "on {workers} workers");
        assert_eq!((now.watermark(), now.checkpoints.commits), (at(12), 0));
        let holder = now.watermark_holder.unwrap();
        assert_eq!((holder.source.as_str(), holder.watermark), ("rules", at(12)));
        until(&metrics, |now| now.sink("raw").rows == 1 && now.sink(NAME).rows == 1);
        running.stop_handle().stop();
        assert_eq!(running.join().unwrap_err().kind(), ErrorKind::Stopped);
        let last = metrics.snapshot();
        assert_eq!(last.checkpoints.commits, 1);
        assert_eq!(last.checkpoints.last.map(|last| last.kind), Some(CommitKind::Checkpoint));
        // The pane of 30 s waits for the watermark, and so does its row at the sink of all rows.
        assert!(last.step(NAME).state_bytes > 0, "on {workers} workers");
        assert_eq!((last.sink("raw").rows, last.sink("raw").waiting), (1, 1), "on {workers} workers");
        assert!(last.sink("raw").state_bytes > 0, "on {workers} workers");
        assert_eq!((last.sink(NAME).rows, last.sink(NAME).waiting), (1, 0), "on {workers} workers");
    }
}
