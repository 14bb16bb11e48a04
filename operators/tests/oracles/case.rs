//! Random inputs, and how the oracles see them.

use std::sync::Arc;

use dualgauge_engine::testing::{Item, Script, Step, run_inputs, run_inputs_through_crashes};
use dualgauge_engine::{Duration, EventTime, Stream};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// Events, how they lie in partitions and batches, and how the job is run. A microsecond is the unit of all times, so
/// that windows of a few of them have many events on their borders.
#[derive(Clone, Debug)]
pub struct Case {
    moves: Vec<Move>,
    partitions: usize,
    /// Where the clock of every partition starts.
    start: i64,
    disorder: Duration,
    workers: usize,
    epoch_rows: usize,
    seed: Option<u64>,
}

/// An event, by how it differs from the one before it in its partition.
#[derive(Clone, Debug)]
struct Move {
    partition: usize,
    /// How far the partition's clock moves on.
    advance: i64,
    /// How far the event is behind it.
    behind: i64,
    key: u8,
    value: i64,
    then: Then,
}

/// What comes after an event.
#[derive(Clone, Debug)]
enum Then {
    /// The next one.
    More,
    /// The end of its batch.
    Cut,
    /// The end of its batch, and then nothing for a moment.
    Pause,
    /// The end of its batch, and the promise that nothing further behind the clock than this follows.
    Promise(i64),
}

/// An event and the stamp against which it is judged.
#[derive(Clone, Debug)]
pub struct Judged {
    pub item: Item,
    pub stamp: EventTime,
}

fn moves(keys: u8) -> impl Strategy<Value = Move> {
    let advance = prop_oneof![2 => Just(0_i64), 6 => 0..4_i64, 1 => 5..40_i64];
    let behind = prop_oneof![5 => Just(0_i64), 3 => 0..5_i64, 2 => 0..30_i64];
    let then = prop_oneof![
        6 => Just(Then::More),
        3 => Just(Then::Cut),
        1 => Just(Then::Pause),
        1 => (0..6_i64).prop_map(Then::Promise),
    ];
    (0..8_usize, advance, behind, 0..keys, -2..4_i64, then).prop_map(
        |(partition, advance, behind, key, value, then)| Move { partition, advance, behind, key, value, then },
    )
}

/// Any input, read in any way.
pub fn case() -> impl Strategy<Value = Case> {
    let keys = prop_oneof![Just(1_u8), Just(3), Just(30)];
    let disorder = prop_oneof![3 => Just(0_i64), 3 => 0..12_i64, 1 => Just(1_000)];
    let moves = keys.prop_flat_map(|keys| prop::collection::vec(moves(keys), 0..60));
    let epoch_rows = prop_oneof![Just(1_usize), 2..12_usize, Just(1_000_000)];
    let seed = prop_oneof![Just(None), any::<u64>().prop_map(Some)];
    (moves, 1..5_usize, -60..20_i64, disorder, 1..4_usize, epoch_rows, seed).prop_map(
        |(moves, partitions, start, disorder, workers, epoch_rows, seed)| {
            let disorder = Duration::from_micros(disorder);
            Case { moves, partitions, start, disorder, workers, epoch_rows, seed }
        },
    )
}

/// How often each property is tried: enough to find what was planted, in seconds.
pub fn config() -> ProptestConfig {
    ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(32),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

impl Case {
    /// The events of each partition in its order, with what comes after each.
    fn partitions(&self) -> Vec<Vec<(Item, i64, &Then)>> {
        let mut partitions = vec![Vec::new(); self.partitions];
        let mut clocks = vec![self.start; self.partitions];
        for Move { partition, advance, behind, key, value, then } in &self.moves {
            let number = partition % self.partitions;
            clocks[number] += advance;
            let time = EventTime::from_micros(clocks[number] - behind);
            let item = Item { time, key: format!("k{key}"), value: *value };
            partitions[number].push((item, clocks[number], then));
        }
        partitions
    }

    /// The same events, with `unit` microseconds for one, and the first around `origin`.
    pub fn stretched(mut self, unit: i64, origin: EventTime) -> Case {
        self.start = origin.as_micros() + self.start * unit;
        self.disorder = Duration::from_micros(self.disorder.as_micros() * unit);
        for Move { advance, behind, then, .. } in &mut self.moves {
            (*advance, *behind) = (*advance * unit, *behind * unit);
            if let Then::Promise(behind) = then {
                *behind *= unit;
            }
        }
        self
    }

    /// The input as a script.
    pub fn script(&self) -> Script {
        let steps = |events: Vec<(Item, i64, &Then)>| {
            let (mut steps, mut items) = (Vec::new(), Vec::new());
            for (item, clock, then) in events {
                items.push(item);
                let promised = match then {
                    Then::More => continue,
                    Then::Cut | Then::Pause => None,
                    Then::Promise(behind) => Some(EventTime::from_micros(clock - behind)),
                };
                steps.push(Step::Batch(std::mem::take(&mut items), promised));
                if matches!(then, Then::Pause) {
                    steps.push(Step::Pending);
                }
            }
            steps.push(Step::Batch(items, None));
            steps
        };
        Script::new(self.partitions().into_iter().map(steps).collect()).disorder(self.disorder)
    }

    /// Every event with its stamp: the watermark of its partition just before it.
    pub fn judged(&self) -> Vec<Judged> {
        let mut judged = Vec::new();
        for partition in self.partitions() {
            let mut stamp = EventTime::MIN;
            for (item, clock, then) in partition {
                let after = item.time - self.disorder;
                judged.push(Judged { item, stamp });
                stamp = stamp.max(after);
                if let Then::Promise(behind) = then {
                    stamp = stamp.max(EventTime::from_micros(clock - behind));
                }
            }
        }
        judged
    }

    /// Every event of history: nothing is late there.
    pub fn on_time(&self) -> Vec<Judged> {
        self.judged().into_iter().map(|judged| Judged { stamp: EventTime::MIN, ..judged }).collect()
    }

    /// What `flow` writes when it reads `script` in the way of this case; and it writes the same through crashes.
    pub fn run<const N: usize>(
        &self,
        script: Script,
        flow: impl for<'s> Fn(Stream<'s, Item>) -> [Stream<'s, String>; N] + Send + Sync + 'static,
    ) -> [Vec<String>; N] {
        self.run_inputs([script], move |[items]| flow(items))
    }

    /// The same for a flow of several inputs.
    pub fn run_inputs<const M: usize, const N: usize>(
        &self,
        scripts: [Script; M],
        flow: impl for<'s> Fn([Stream<'s, Item>; M]) -> [Stream<'s, String>; N] + Send + Sync + 'static,
    ) -> [Vec<String>; N] {
        let flow = Arc::new(flow);
        let same = Arc::clone(&flow);
        let lines = run_inputs(scripts.clone(), move |items| flow(items), self.workers, self.epoch_rows, self.seed);
        let crashes = self.epoch_rows as u64 * 1_000 + self.seed.unwrap_or(0);
        let through = run_inputs_through_crashes(scripts, move |items| same(items), crashes);
        assert_eq!(through, lines, "left: through crashes of seed {crashes}, right: without");
        lines
    }
}

/// A time as the lines of a test show it.
pub fn line(time: EventTime, text: &str) -> String {
    format!("{} {text}", dualgauge_engine::testing::seconds(time))
}

/// An event as the lines of a test show it.
pub fn event(item: &Item) -> String {
    format!("{}:{}@{}", item.key, item.value, item.time.as_micros())
}

/// Lines in the order in which a run gives them.
pub fn in_order(mut lines: Vec<(EventTime, String)>) -> Vec<String> {
    lines.sort();
    lines.into_iter().map(|(time, text)| line(time, &text)).collect()
}
