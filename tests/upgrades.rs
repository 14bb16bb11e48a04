//! A program whose records and states have changed goes on with what every operator keeps.
//!
//! Would catch: an operator whose state is up-cast at the wrong place of its entries, or cannot be; one that loses, doubles
//! or moves what it keeps when its type is another. Two versions of a graph of all stateful operators do the same; the
//! job is killed at drawn moments, and from some start on it is the second version that goes on.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use dualgauge::checkpoint::{Entry, LocalStore, ManifestLog, StateReader, Store};
use dualgauge::flow::NodeSpec;
use dualgauge::fs::FaultFs;
use dualgauge::prelude::*;
use dualgauge::testing::{Item, Line, Lines, Script, Step, survive_on};
use dualgauge::{Data, Event, Limits};

/// A version of the program.
trait Version: 'static {
    /// What is read, and kept by windows, joins and all that waits.
    type Row: Row;
    /// What a key keeps for itself.
    type Seen: Data + Default + Seen;
    /// What is written.
    type Text: Record + From<Line>;

    fn declare(_: &Flow<'_>) {}
}

trait Row: Record + Ord {
    fn key(&self) -> String;
    fn value(&self) -> i64;
    fn time(&self) -> EventTime;
}

trait Seen {
    fn see(&mut self, value: i64) -> i64;
}

macro_rules! row {
    ($row:ty) => {
        impl super::Row for $row {
            fn key(&self) -> String {
                self.key.clone()
            }
            fn value(&self) -> i64 {
                self.value
            }
            fn time(&self) -> dualgauge::EventTime {
                self.time
            }
        }
    };
}

mod first {
    use super::*;

    #[record]
    pub struct Row {
        #[event_time]
        pub time: EventTime,
        pub key: String,
        pub value: i64,
    }

    row!(Row);

    #[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
    pub struct Seen(i32);

    impl super::Seen for Seen {
        fn see(&mut self, value: i64) -> i64 {
            self.0 += value as i32;
            self.0.into()
        }
    }

    pub struct Program;

    impl Version for Program {
        type Row = Row;
        type Seen = Seen;
        type Text = Line;
    }
}

mod second {
    use super::*;

    /// As it was.
    #[record]
    pub struct RowV1 {
        #[event_time]
        pub time: EventTime,
        pub key: String,
        pub value: i64,
    }

    #[record]
    pub struct Row {
        #[event_time]
        pub time: EventTime,
        #[column(default)]
        pub note: Option<String>,
        pub key: String,
        pub value: i64,
    }

    impl From<RowV1> for Row {
        fn from(RowV1 { time, key, value }: RowV1) -> Row {
            Row { time, note: None, key, value }
        }
    }

    row!(Row);

    #[derive(serde::Deserialize)]
    pub struct SeenV1(i32);

    #[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
    pub struct Seen {
        largest: Option<i64>,
        total: i64,
    }

    impl From<SeenV1> for Seen {
        fn from(old: SeenV1) -> Seen {
            Seen { largest: None, total: old.0.into() }
        }
    }

    impl super::Seen for Seen {
        fn see(&mut self, value: i64) -> i64 {
            self.largest = self.largest.max(Some(value));
            self.total += value;
            self.total
        }
    }

    #[record]
    pub struct Text {
        #[event_time]
        pub time: EventTime,
        pub length: u64,
        pub text: String,
    }

    impl From<Line> for Text {
        fn from(Line { time, text }: Line) -> Text {
            Text { time, length: text.len() as u64, text }
        }
    }

    pub struct Program;

    impl Version for Program {
        type Row = Row;
        type Seen = Seen;
        type Text = Text;

        fn declare(flow: &Flow<'_>) {
            flow.upcast::<RowV1, Row>();
            flow.upcast::<SeenV1, Seen>();
            flow.upcast::<Line, Text>();
        }
    }
}

/// Says of a key what it has seen, when it has been silent for three seconds.
struct Silent<V>(PhantomData<V>);

impl<V: Version> Process<String, V::Row> for Silent<V> {
    type State = (EventTime, V::Seen);
    type Out = String;

    fn on_event(
        &mut self,
        _: &String,
        row: V::Row,
        state: &mut (EventTime, V::Seen),
        context: &mut ProcessContext<'_, String, String>,
    ) {
        state.0 = row.time();
        state.1.see(row.value());
        context.set_timer(row.time() + 3.seconds());
    }

    fn on_timer(
        &mut self,
        key: &String,
        state: &mut (EventTime, V::Seen),
        context: &mut ProcessContext<'_, String, String>,
    ) {
        if context.time() == state.0 + 3.seconds() {
            context.emit(format!("{key} {}", state.1.see(0)));
            context.forget();
        }
    }
}

/// Every operator that keeps something of a type that has changed, each with a sink of its name.
fn graph<V: Version>(flow: &Flow<'_>) {
    V::declare(flow);
    let items = flow.source::<V::Row>("items").disorder(4.seconds());
    let others = flow.source::<V::Row>("others").disorder(4.seconds());
    let keyed = || items.clone().key_by(V::Row::key);
    let other = || others.clone().key_by(V::Row::key);
    let text = |row: &V::Row| format!("{} {}", row.key(), row.value());
    let pair = |left: &V::Row, right: &V::Row| format!("{} {} {}", left.key(), left.value(), right.value());
    let either = |left: Option<&V::Row>, right: Option<&V::Row>| {
        format!("{:?} {:?}", left.map(V::Row::value), right.map(V::Row::value))
    };

    let windows = keyed().window(tumbling(10.seconds()));
    let windows = windows.aggregate("tumbling", (agg::count(), agg::max_by_key(V::Row::value), agg::collect()));
    let pane = move |rows: Vec<V::Row>| rows.iter().map(text).collect::<Vec<_>>().join(", ");
    write::<V, _>(
        windows.map(move |pane_of| {
            let (count, largest, all) = pane_of.value;
            format!("{} {count} {} [{}]", pane_of.key, text(&largest.unwrap()), pane(all))
        }),
        "tumbling",
    );
    let slides = keyed().window(sliding(10.seconds(), 5.seconds())).aggregate("sliding", agg::collect());
    write::<V, _>(slides.map(move |pane_of| format!("{} [{}]", pane_of.key, pane(pane_of.value))), "sliding");
    let sessions = keyed().window(session(2.seconds())).aggregate("sessions", agg::collect());
    write::<V, _>(sessions.map(move |pane_of| format!("{} [{}]", pane_of.key, pane(pane_of.value))), "sessions");
    let corrected = keyed().window(tumbling(10.seconds())).allowed_lateness(3.seconds());
    let corrected = corrected.early(1.seconds()).aggregate("corrected", agg::last());
    write::<V, _>(corrected.map(move |pane_of| text(&pane_of.value.unwrap())), "corrected");
    let top = keyed().window(tumbling(10.seconds())).top_n("top", 2, V::Row::value);
    write::<V, _>(top.map(move |row| format!("{} #{}", text(&row.value), row.rank)), "top");

    write::<V, _>(keyed().process("silent", Silent::<V>(PhantomData)), "silent");
    let totals = keyed().fold("totals", |seen: &mut V::Seen, row| format!("{} {}", row.key(), seen.see(row.value())));
    write::<V, _>(totals, "totals");
    write::<V, _>(keyed().deduplicate("once", first_within(5.seconds())).map(move |row| text(&row)), "once");
    let last = keyed().deduplicate("latest", last_within(5.seconds()));
    write::<V, _>(last.map(move |row| text(&row)), "latest");

    let joined = keyed().window(tumbling(10.seconds())).join(other());
    write::<V, _>(joined.full("joined", move |_, left, right| either(left, right)), "joined");
    let near = keyed().interval_join(other(), between(-2.seconds(), 3.seconds()));
    write::<V, _>(near.full("near", either), "near");
    let meet = keyed().interval_join(other(), between(-2.seconds(), 3.seconds()));
    write::<V, _>(meet.inner("meet", pair), "meet");
    let valid = keyed().as_of(other());
    write::<V, _>(valid.left("valid", move |left, right| either(Some(left), right)), "valid");
    let latest = others.clone().broadcast(|latest: &mut BTreeMap<String, V::Row>, row: V::Row| {
        latest.insert(row.key(), row);
    });
    let told =
        items.clone().with_broadcast("told", latest, move |row, latest| [either(Some(&row), latest.get(&row.key()))]);
    write::<V, _>(told, "told");
}

/// The names of all sinks.
const SINKS: [&str; 14] = [
    "tumbling",
    "sliding",
    "sessions",
    "corrected",
    "top",
    "silent",
    "totals",
    "once",
    "latest",
    "joined",
    "near",
    "meet",
    "valid",
    "told",
];

fn write<V: Version, L: 'static>(texts: Stream<'_, String, L>, sink: &str) {
    let line =
        |event: Event<String>| Event::new(event.time, V::Text::from(Line { time: event.time, text: event.data }));
    let lines =
        texts.transform(NodeSpec::stateless("lines"), move |batch| batch.transform(|event, out| out.push(line(event))));
    lines.sink(sink);
}

/// A number that looks drawn, by a seed and its place.
fn drawn(seed: u64, place: u64, below: u64) -> u64 {
    let mixed = (seed ^ place.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 33) % below
}

/// Two partitions of values in disorder, few of them equal.
fn script(seed: u64) -> Script {
    let partition = |number: u64| {
        let batch = |batch: u64| {
            let item = |row: u64| {
                let place = (number * 100 + batch) * 10 + row;
                let at = (batch * 3 + row) as i64 - drawn(seed, place, 5) as i64;
                let key = ["a", "b", "c", "d"][drawn(seed, place + 7, 4) as usize].to_string();
                Item { time: EventTime::default() + at.seconds(), key, value: drawn(seed, place + 9, 50) as i64 }
            };
            Step::Batch((0..1 + drawn(seed, number + batch, 3)).map(item).collect(), None)
        };
        (0..8).map(batch).collect()
    };
    Script::new((0..2).map(partition).collect())
}

/// What was written, by the names of the sinks; it outlives crashes.
#[derive(Default)]
struct Out(BTreeMap<&'static str, Lines>);

impl Out {
    fn new() -> Out {
        Out(SINKS.iter().map(|sink| (*sink, Lines::default())).collect())
    }

    fn job<V: Version>(&self, seed: u64) -> Job {
        let job = Job::new(graph::<V>).source("items", script(seed)).source("others", script(seed + 1_000));
        self.0.iter().fold(job, |job, (sink, lines)| job.sink(sink, lines.clone()))
    }

    fn text(&self) -> BTreeMap<&'static str, Vec<String>> {
        self.0.iter().map(|(sink, lines)| (*sink, lines.text())).collect()
    }
}

fn undisturbed(seed: u64) -> BTreeMap<&'static str, Vec<String>> {
    let out = Out::new();
    let limits = Limits { epoch_rows: 5, epoch_interval: Duration::MAX, ..Limits::default() };
    out.job::<second::Program>(seed).limits(limits).run().unwrap();
    out.text()
}

/// How many entries each part of each step has in the newest checkpoint on a disk.
fn held(fs: &FaultFs) -> Option<BTreeMap<String, usize>> {
    let store: Arc<dyn Store> = Arc::new(LocalStore::open(Arc::new(fs.clone()), "/job").ok()?);
    let entries = ManifestLog::read(&*store).ok()?;
    let commit = entries.into_iter().rev().find_map(|(_, entry)| match entry {
        Entry::Commit(commit) => Some(commit),
        Entry::Fence(_) => None,
    })?;
    let state = StateReader::open(&store, &commit).ok()?;
    let mut held = BTreeMap::new();
    for (step, (part, shape)) in commit.steps.iter().flat_map(|step| step.parts.iter().map(move |part| (step, part))) {
        assert!(!shape.to_string().contains("note"), "it is still the first version's");
        let count = held.entry(format!("{} {part}", step.name)).or_default();
        let counted = &mut |_, _: &[u8], _: &[u8]| {
            *count += 1;
            Ok(())
        };
        state.entries(&step.name, part, counted).ok()?;
    }
    Some(held)
}

#[test]
fn every_operator_goes_on_with_what_it_kept_of_an_older_type() {
    let seeds = std::env::var("DUALGAUGE_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(40);
    let taken_over = RefCell::new(BTreeMap::<String, usize>::new());
    for seed in 0..seeds {
        let (out, fs, starts) = (Out::new(), FaultFs::new(), Cell::new(0));
        let first = 1 + drawn(seed, 1, 2);
        survive_on(&fs, seed, || {
            starts.set(starts.get() + 1);
            if starts.get() == first + 1 {
                held(&fs)
                    .into_iter()
                    .flatten()
                    .for_each(|(part, count)| *taken_over.borrow_mut().entry(part).or_default() += count);
            }
            if starts.get() > first { out.job::<second::Program>(seed) } else { out.job::<first::Program>(seed) }
        });
        assert_eq!(out.text(), undisturbed(seed), "seed {seed}: left with crashes and an upgrade, right without");
    }
    let taken_over = taken_over.into_inner();
    println!("{taken_over:#?}");
    assert!(taken_over.len() > 40, "{taken_over:?}");
    // Sinks hold rows for moments only, and a fold has no timers.
    let steps = taken_over.iter().filter(|(part, _)| !part.starts_with("sink ") && *part != "totals timers");
    let few: Vec<_> = steps.filter(|(_, count)| **count < 4).collect();
    assert!(few.is_empty(), "what was hardly ever taken over: {few:?}");
}
