//! Jobs that are killed anywhere, and lose power anywhere, and are started again on other numbers of workers.
//!
//! Would catch: a row that is lost or doubled across a crash, state that comes back wrong or at the wrong worker, a source
//! that goes on elsewhere than it stopped, and a simulation that is not the same twice. The step and the join here are as
//! plain as can be, so that what fails is the engine's.

mod contract;

use std::sync::Arc;

use dualgauge_engine::checkpoint::{CommitKind, Entry, LocalStore, ManifestLog};
use dualgauge_engine::flow::{NodeSpec, Outputs, TwoInputStep};
use dualgauge_engine::fs::FaultFs;
use dualgauge_engine::state::{Parts, Tables};
use dualgauge_engine::testing::{Item, Line, Lines, Script, Step as Do, Survived, seconds, survive, survive_on};
use dualgauge_engine::{
    Batch, Checkpoints, Duration, Durations, ErrorKind, Event, EventTime, Flow, Job, KeyGroup, Limits, Step, Stream,
};

const WINDOW: Duration = Duration::from_micros(10_000_000);

fn window_of(time: EventTime) -> EventTime {
    time.floor_to(WINDOW, Duration::ZERO)
}

fn last_instant(start: EventTime) -> EventTime {
    start + WINDOW - Duration::from_micros(1)
}

/// The sum of each key's values in each ten seconds.
#[derive(Default)]
struct Sums {
    windows: Tables<EventTime, String, i64>,
}

impl Step for Sums {
    type In = Item;
    type Out = String;
    type Late = Item;

    fn apply(&mut self, mut batch: Batch<Item>, watermark: EventTime, out: &mut Outputs<String, Item>) {
        batch.drain_judged(watermark, |event, watermark| {
            let start = window_of(event.time);
            if start + WINDOW <= watermark {
                return out.late.give_behind(event.time, event.data, watermark);
            }
            *self.windows.table(start).change(event.data.key, || 0) += event.data.value;
        });
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<String, Item>) {
        while let Some(start) = self.windows.first().filter(|start| *start + WINDOW <= watermark) {
            self.windows.drain_first(|key, sum| out.emit.give(last_instant(start), format!("{key} {sum}")));
        }
    }

    fn holds(&self) -> Option<EventTime> {
        self.windows.first().map(last_instant)
    }

    fn kept(&mut self) -> Parts<'_> {
        vec![("windows", &mut self.windows)]
    }
}

/// The values of a key on the left, and on the right.
type Sides = (Vec<i64>, Vec<i64>);

/// The pairs of each key's values, left and right, in each ten seconds.
#[derive(Default)]
struct Pairs {
    windows: Tables<EventTime, String, Sides>,
}

impl Pairs {
    fn add(&mut self, mut batch: Batch<Item>, watermark: EventTime, side: fn(&mut Sides) -> &mut Vec<i64>) {
        batch.drain_judged(watermark, |event, watermark| {
            let start = window_of(event.time);
            if start + WINDOW > watermark {
                let sides = self.windows.table(start).change(event.data.key, Default::default);
                side(sides).push(event.data.value);
            }
        });
    }
}

impl TwoInputStep for Pairs {
    type Left = Item;
    type Right = Item;
    type Out = String;
    type Late = Item;

    fn apply_left(&mut self, batch: Batch<Item>, watermark: EventTime, _: &mut Outputs<String, Item>) {
        self.add(batch, watermark, |sides| &mut sides.0);
    }

    fn apply_right(&mut self, batch: Batch<Item>, watermark: EventTime, _: &mut Outputs<String, Item>) {
        self.add(batch, watermark, |sides| &mut sides.1);
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<String, Item>) {
        while let Some(start) = self.windows.first().filter(|start| *start + WINDOW <= watermark) {
            self.windows.drain_first(|key, (left, right)| {
                for left in left {
                    right.iter().for_each(|right| out.emit.give(last_instant(start), format!("{key} {left}-{right}")));
                }
            });
        }
    }

    fn holds(&self) -> Option<EventTime> {
        self.windows.first().map(last_instant)
    }

    fn kept(&mut self) -> Parts<'_> {
        vec![("windows", &mut self.windows)]
    }
}

fn group(item: &Item) -> KeyGroup {
    KeyGroup::of(&item.key)
}

fn as_lines(stream: Stream<'_, String>, sink: &str) {
    let lines = stream.transform(NodeSpec::stateless("lines"), |batch| {
        batch.transform(|event, out| out.push(Event::new(event.time, Line { time: event.time, text: event.data })))
    });
    lines.sink(sink);
}

/// Sums, what was late for them, and pairs; three sinks.
fn graph(flow: &Flow<'_>) {
    let items = flow.source::<Item>("items").disorder(4.seconds());
    let others = flow.source::<Item>("others").disorder(4.seconds());
    let joined = items.clone().step_with(others, NodeSpec::stateful("pairs", "pairs"), group, group, Pairs::default());
    let sums = items.step(NodeSpec::stateful("sums", "sums"), group, Sums::default());
    let late = sums.late().transform(NodeSpec::stateless("late text"), |batch| {
        batch.transform(|event, out| {
            out.push(Event::new(event.time, format!("late {} {}", event.data.key, seconds(event.data.time))))
        })
    });
    as_lines(late, "late");
    as_lines(sums.transform(NodeSpec::stateless("text"), |batch| batch), "sums");
    as_lines(joined.transform(NodeSpec::stateless("text"), |batch| batch), "pairs");
}

/// The three outputs of a run.
#[derive(Clone, Default)]
struct Out {
    sums: Lines,
    late: Lines,
    pairs: Lines,
}

impl Out {
    fn text(&self) -> [Vec<String>; 3] {
        [&self.sums, &self.late, &self.pairs].map(Lines::text)
    }
}

/// A number that looks drawn, by a seed and its place.
fn drawn(seed: u64, place: u64, below: u64) -> u64 {
    let mixed = (seed ^ place.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 33) % below
}

/// Three partitions of values that are all different, in disorder, some of it more than is allowed.
fn script(seed: u64) -> Script {
    let partition = |number: u64| {
        let batch = |batch: u64| {
            let item = |row: u64| {
                let place = (number * 100 + batch) * 10 + row;
                let at = (batch * 3 + row) as i64 - drawn(seed, place, 9) as i64;
                let time = EventTime::default() + at.seconds();
                Item {
                    time,
                    key: ["a", "b", "c", "d"][drawn(seed, place + 7, 4) as usize].to_string(),
                    value: place as i64,
                }
            };
            Do::Batch((0..1 + drawn(seed, number + batch, 3)).map(item).collect(), None)
        };
        (0..12).map(batch).collect()
    };
    Script::new((0..3).map(partition).collect())
}

fn job(seed: u64, out: &Out) -> Job {
    let job = Job::new(graph).source("items", script(seed)).source("others", script(seed + 1));
    job.sink("sums", out.sums.clone()).sink("late", out.late.clone()).sink("pairs", out.pairs.clone())
}

fn undisturbed(seed: u64) -> [Vec<String>; 3] {
    let out = Out::default();
    job(seed, &out).limits(Limits { epoch_rows: 5, epoch_interval: Duration::MAX, ..Limits::default() }).run().unwrap();
    out.text()
}

fn seeds() -> std::ops::Range<u64> {
    let count = std::env::var("DUALGAUGE_SEEDS").ok().and_then(|count| count.parse().ok());
    0..count.unwrap_or(200)
}

#[test]
fn the_simulation_is_the_same_twice() {
    for seed in 0..20 {
        let run = || {
            let out = Out::default();
            (survive(seed, || job(seed, &out)), out.text())
        };
        assert_eq!(run(), run(), "seed {seed}");
    }
}

#[test]
fn nothing_is_lost_and_nothing_doubled_wherever_a_job_is_killed() {
    let (mut total, mut with_late) = (Survived { kills: 0, power_losses: 0, commits: 0, turns: 0 }, 0);
    for seed in seeds() {
        let out = Out::default();
        let survived = survive(seed, || job(seed, &out));
        assert_eq!(out.text(), undisturbed(seed), "seed {seed}: left with crashes, right without");
        with_late += usize::from(!out.late.text().is_empty());
        total.kills += survived.kills;
        total.power_losses += survived.power_losses;
        total.commits += survived.commits;
    }
    println!("{} runs: {total:?}; {with_late} with late records", seeds().count());
    assert!(total.kills > 100 && total.power_losses > 20 && total.commits > 500, "{total:?}");
    assert!(with_late > 10);
}

#[test]
fn a_sink_that_wants_no_order_gets_every_row_once_too() {
    // Up to three workers write at once, each into its own bucket; four wait and deal, as there are three buckets.
    for seed in 0..60 {
        let unordered = Lines::unordered;
        let out = Out { sums: unordered(), late: unordered(), pairs: unordered() };
        survive(seed, || job(seed, &out));
        assert_eq!(out.text(), undisturbed(seed), "seed {seed}: left with crashes, right without");
    }
}

#[test]
fn without_the_commit_rows_are_doubled() {
    let doubled = (0..20).filter(|&seed| {
        let careless = || Out { sums: Lines::careless(), late: Lines::careless(), pairs: Lines::careless() };
        let out = careless();
        survive(seed, || job(seed, &out));
        out.text() != undisturbed(seed)
    });
    assert!(doubled.count() > 5, "a sink that publishes at once is found out");
}

#[test]
fn a_job_that_is_stopped_goes_on_on_other_numbers_of_workers_and_fires_no_half_full_window() {
    for seed in 0..10 {
        let (fs, out) = (FaultFs::new(), Out::default());
        let limits = Limits { epoch_rows: 2, epoch_interval: Duration::MAX, ..Limits::default() };
        let store = || Arc::new(LocalStore::open(Arc::new(fs.clone()), "/job").unwrap());
        let (mut stops, mut ended) = (0, false);
        for workers in [1, 3, 2, 4, 1] {
            let checkpoints = Checkpoints::in_store(store()).every(Duration::MAX);
            let running = job(seed, &out).workers(workers).limits(limits).checkpoints(checkpoints).start().unwrap();
            let handle = running.stop_handle();
            if workers != 4 {
                handle.stop();
            }
            match running.join() {
                Ok(_) => ended = true,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
                    stops += 1;
                }
            }
        }
        assert!(ended && stops > 0, "{stops} stops");
        assert_eq!(out.text(), undisturbed(seed), "seed {seed}");
        let entries = ManifestLog::read(&*store()).unwrap();
        let ended =
            entries.iter().filter(|(_, entry)| matches!(entry, Entry::Commit(c) if c.kind == CommitKind::Ended));
        assert_eq!(ended.count(), 1, "a job that has ended is only published again");
    }
}

#[test]
fn the_state_is_empty_when_all_windows_have_closed() {
    let (fs, out) = (FaultFs::new(), Out::default());
    survive_on(&fs, 1, || job(1, &out));
    let store: Arc<LocalStore> = Arc::new(LocalStore::open(Arc::new(fs), "/job").unwrap());
    let entries = ManifestLog::read(&*store).unwrap();
    let Some((_, Entry::Commit(last))) = entries.last() else { panic!("the last entry is a commit") };
    assert_eq!(last.kind, CommitKind::Ended);
    for chain in &last.chains {
        let reader = dualgauge_engine::checkpoint::ChainReader::open(store.clone(), &chain.layers).unwrap();
        for step in &last.steps {
            for (part, _) in &step.parts {
                let found = &mut |_, _: &[u8], _: &[u8]| panic!("{} still keeps something in {part}", step.name);
                reader.entries(&step.name, part, chain.groups, found).unwrap();
            }
        }
    }
    assert_eq!(last.steps.len(), 5, "two steps and three sinks: {:?}", last.steps);
}
