//! What a join makes the job hold when its sides are not equally far: one is idle, ends early, or is hours ahead.
//!
//! What this would catch: a join that holds one whole side, because nobody keeps the other in step, or because it waits
//! for what does not come. Each row counts itself for as long as it is anywhere in the job, so nothing is left out: what
//! a step keeps, what is on its way, what is copied. Limits are low, so that what may be held is a small part of what is
//! read; and where lockstep or idleness is switched off the same count shows it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dualgauge_engine::flow::{NodeSpec, source};
use dualgauge_engine::testing::{Baton, Item, Line, Lines, seconds};
use dualgauge_engine::{
    Duration, Durations, Event, EventTime, Flow, Job, Limits, Listing, Next, Offset, Partition, PartitionReader,
    Record, Result, Scan, Source, SourceBatch, Stream, VirtualClock,
};
use dualgauge_operators::join::{AsOf, Broadcast, JoinInterval, between};
use dualgauge_operators::window::{InWindow, tumbling};
use dualgauge_operators::{Inspect, KeyBy, Map};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many rows there are now, and were at most.
static HERE: AtomicI64 = AtomicI64::new(0);
static MOST: AtomicI64 = AtomicI64::new(0);
/// The counts are those of one job at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Counts itself for as long as it is there.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Counted;

impl Counted {
    fn new() -> Counted {
        let now = HERE.fetch_add(1, Ordering::SeqCst) + 1;
        MOST.fetch_max(now, Ordering::SeqCst);
        Counted
    }
}

impl Clone for Counted {
    fn clone(&self) -> Counted {
        Counted::new()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        HERE.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Counted, D::Error> {
        <()>::deserialize(deserializer).map(|()| Counted::new())
    }
}

/// What flows into a join.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Row {
    item: Item,
    counted: Counted,
}

impl Row {
    fn key(&self) -> String {
        self.item.key.clone()
    }
}

/// How many rows a side has that is there all the time, one every ten seconds: five and a half hours.
const ROWS: usize = 2_000;

/// What is 60 rows long: how far apart the sides may be, how long a window is, and how far a pair may be apart.
const REACH: Duration = Duration::from_micros(600_000_000);

/// The rows of a side, from the first second on.
fn side(first: i64, rows: usize) -> Vec<Item> {
    let item = |n: i64| Item { time: at(first + 10 * n), key: format!("k{}", n * 7 % 20), value: n };
    (0..rows as i64).map(item).collect()
}

fn at(second: i64) -> EventTime {
    EventTime::default() + second.seconds()
}

/// How one side differs from the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    /// It has nothing more to say, and does not end before the other.
    Idle,
    EndsEarly,
    /// It begins two hours later.
    Ahead,
}

/// One side as a source. One that is idle in the end ends when the whole of the other has been read.
struct Feed {
    items: Vec<Item>,
    idle_until: Option<(Arc<AtomicUsize>, usize)>,
}

struct FeedReader {
    rest: Vec<Item>,
    read: u64,
    idle_until: Option<(Arc<AtomicUsize>, usize)>,
}

impl Source for Feed {
    fn describe(&self) -> String {
        "feed".to_string()
    }

    fn bounded(&self) -> bool {
        false
    }

    fn partitions(&self, _: &Scan) -> Result<Listing> {
        let partition = Partition { followed: true, ..Partition::new("one") };
        Ok(Listing { partitions: vec![partition], ..Listing::default() })
    }

    fn open(&self, _: &Partition, _: Option<&Offset>, _: &Scan) -> Result<Box<dyn PartitionReader>> {
        let rest = self.items.iter().rev().cloned().collect();
        Ok(Box::new(FeedReader { rest, read: 0, idle_until: self.idle_until.clone() }))
    }
}

impl PartitionReader for FeedReader {
    fn next(&mut self) -> Result<Next> {
        let items = self.rest.split_off(self.rest.len().saturating_sub(4));
        if items.is_empty() {
            let idle = self.idle_until.as_ref().is_some_and(|(read, rows)| read.load(Ordering::SeqCst) < *rows);
            return Ok(if idle { Next::Pending } else { Next::End });
        }
        self.read += items.len() as u64;
        let rows = Item::encode(items.iter().rev());
        Ok(Next::Batch(SourceBatch { rows, offset_after: Offset::at(self.read), bound_after: None }))
    }
}

/// A join of both sides, by the line it writes for each result.
type Join = for<'s> fn(Stream<'s, Row>, Stream<'s, Row>) -> Stream<'s, String>;

fn pair(left: &Row, right: &Row) -> String {
    format!("{} {}", left.item.value, right.item.value)
}

fn valid(left: &Row, right: Option<i64>) -> String {
    format!("{} {}", left.item.value, right.map_or("-".to_string(), |value| value.to_string()))
}

fn window<'s>(left: Stream<'s, Row>, right: Stream<'s, Row>) -> Stream<'s, String> {
    let windows = left.key_by(Row::key).window(tumbling(REACH));
    windows.join(right.key_by(Row::key)).inner("window", |_, left, right| pair(left, right)).map(|text| text)
}

fn interval<'s>(left: Stream<'s, Row>, right: Stream<'s, Row>) -> Stream<'s, String> {
    let join = left.key_by(Row::key).interval_join(right.key_by(Row::key), between(-REACH, REACH));
    join.inner("interval", pair).map(|text| text)
}

fn temporal<'s>(left: Stream<'s, Row>, right: Stream<'s, Row>) -> Stream<'s, String> {
    let join = left.key_by(Row::key).as_of(right.key_by(Row::key));
    join.left("temporal", |left, right| valid(left, right.map(|right| right.item.value))).map(|text| text)
}

fn broadcast<'s>(left: Stream<'s, Row>, right: Stream<'s, Row>) -> Stream<'s, String> {
    let latest = right.broadcast(|latest: &mut BTreeMap<String, i64>, change: Row| {
        latest.insert(change.key(), change.item.value);
    });
    let met = left.with_broadcast("met", latest, |left, latest| [valid(&left, latest.get(&left.item.key).copied())]);
    met.map(|text| text)
}

const JOINS: [(&str, Join); 4] =
    [("window", window), ("interval", interval), ("temporal", temporal), ("broadcast", broadcast)];

/// What comes of the whole of both sides.
fn expected(name: &str, left: &[Item], right: &[Item]) -> Vec<String> {
    let window = |item: &Item| item.time.as_micros().div_euclid(REACH.as_micros());
    let mut lines = Vec::new();
    for l in left {
        let same_key = right.iter().filter(|r| r.key == l.key);
        let text = |r: &Item| format!("{} {}", l.value, r.value);
        match name {
            "window" => lines.extend(same_key.filter(|r| window(r) == window(l)).map(|r| {
                let end = EventTime::from_micros((window(l) + 1) * REACH.as_micros() - 1);
                (end, text(r))
            })),
            "interval" => lines.extend(
                same_key
                    .filter(|r| l.time - REACH <= r.time && r.time <= l.time + REACH)
                    .map(|r| (l.time.max(r.time), text(r))),
            ),
            _ => {
                let latest = same_key.filter(|r| r.time <= l.time).max();
                lines.push((l.time, latest.map_or(format!("{} -", l.value), text)));
            }
        }
    }
    lines.sort();
    lines.iter().map(|(time, text)| format!("{} {text}", seconds(*time))).collect()
}

/// A job of two sides of which one differs from the other.
struct Setting {
    sides: [Vec<Item>; 2],
    /// The side that is idle until the whole of the other has been read.
    idle: Option<usize>,
    /// Whether the watermark goes on when a side has been idle for as long as 60 rows of the other take.
    idle_after: bool,
    limits: Limits,
}

impl Setting {
    fn new(case: Case, who: usize) -> Setting {
        let mut sides = [side(0, ROWS), side(0, ROWS)];
        sides[who] = match case {
            Case::Idle | Case::EndsEarly => side(0, 50),
            Case::Ahead => side(7_200, ROWS),
        };
        let limits = Limits {
            epochs_ahead: 4,
            epoch_rows: 16,
            epoch_interval: Duration::MAX,
            lockstep: REACH,
            lockstep_rows: 32,
            ..Limits::default()
        };
        Setting { sides, idle: (case == Case::Idle).then_some(who), idle_after: true, limits }
    }

    /// Runs a join, and says how many rows were in the job at most.
    fn most_held(&self, name: &str, join: Join, workers: usize) -> i64 {
        let clock = Arc::new(VirtualClock::at(at(1_000_000)));
        let read = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let (of_graph, ticks, idle_after) = (read.clone(), Arc::clone(&clock), self.idle_after);
        let graph = move |flow: &Flow<'_>| {
            let [left, right] = [0, 1].map(|side| {
                let (read, ticks) = (Arc::clone(&of_graph[side]), Arc::clone(&ticks));
                let options = source(["left", "right"][side]);
                let options = if idle_after { options.idle_after(60.seconds()) } else { options };
                let items = flow.source::<Item>(options).inspect(move |_| {
                    read.fetch_add(1, Ordering::SeqCst);
                    ticks.advance(1.seconds()); // a second goes by with each row
                });
                items.map(|item| Row { item, counted: Counted::new() })
            });
            let lines = join(left, right).transform(NodeSpec::stateless("lines"), |batch| {
                batch.transform(|event, out| {
                    out.push(Event::new(event.time, Line { time: event.time, text: event.data }));
                })
            });
            lines.sink("lines");
        };
        let lines = Lines::default();
        let mut job = Job::new(graph).sink("lines", lines.clone()).clock(clock).limits(self.limits).workers(workers);
        for (number, items) in self.sides.iter().enumerate() {
            let other = 1 - number;
            let idle = self.idle == Some(number);
            let idle_until = idle.then(|| (Arc::clone(&read[other]), self.sides[other].len()));
            job = job.source(["left", "right"][number], Feed { items: items.clone(), idle_until });
        }
        assert_eq!(HERE.load(Ordering::SeqCst), 0, "rows of the job before are left");
        MOST.store(0, Ordering::SeqCst);
        job.turns(Arc::new(Baton::new(workers, 1))).run().unwrap_or_else(|error| panic!("{name}: {error}"));
        let [left, right] = &self.sides;
        assert!(lines.text() == expected(name, left, right), "{name} gives another answer than a look at everything");
        MOST.load(Ordering::SeqCst)
    }
}

/// What may be held: of each side what is in the epochs that may be open, what lies within the lockstep and beyond it, and
/// what waits for its window, its partners or the one that is idle. The copies of changes that are broadcast have room in
/// what a broadcast stream has no use for.
const HELD_MAX: i64 = 2 * (4 * 16 + 60 + 32 + 60);

#[test]
fn a_join_of_sides_that_are_not_equally_far_holds_little_and_gives_the_whole_answer() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for case in [Case::Idle, Case::EndsEarly, Case::Ahead] {
        for (who, workers) in [(0, 3), (1, 1), (1, 3)] {
            for (name, join) in JOINS {
                let most = Setting::new(case, who).most_held(name, join, workers);
                let setting = format!("{name}, side {who}: {case:?}, on {workers} workers");
                assert!(most <= HELD_MAX, "{setting}: {most} rows at once, of at most {HELD_MAX}");
            }
        }
    }
}

#[test]
fn without_lockstep_or_idleness_the_count_shows_the_side_that_is_held() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for who in [0, 1] {
        for (name, join) in JOINS {
            let mut ahead = Setting::new(Case::Ahead, who);
            (ahead.limits.lockstep, ahead.limits.lockstep_rows) = (Duration::MAX, usize::MAX);
            let most = ahead.most_held(name, join, 1);
            assert!(most >= 720, "{name}, side {who}: {most} rows, of 720 that are hours ahead");
            let mut idle = Setting::new(Case::Idle, who);
            idle.idle_after = false;
            let most = idle.most_held(name, join, 1);
            assert!(most >= ROWS as i64 - 100, "{name}, side {who}: {most} rows, of {ROWS} that wait");
        }
    }
}
