//! Three versions of a program, which keep the same in different types.

use dualgauge_engine::flow::{NodeSpec, Outputs};
use dualgauge_engine::state::{Parts, Queue, Tables};
use dualgauge_engine::testing::{Item, Line};
use dualgauge_engine::{Batch, Data, Duration, Durations, Event, EventTime, Flow, KeyGroup, Record, Step, Stream};

const WINDOW: Duration = Duration::from_micros(10_000_000);

/// A program: what it keeps, and what it says of older programs.
pub trait Version: 'static {
    /// What a window keeps of a key.
    type Sum: Data + Default + Into<i64> + Add;
    /// What waits for the watermark.
    type Word: Data + Ord + From<(String, i64)> + Into<(String, i64)>;
    /// What is written, and waits at a sink until it is settled.
    type Row: Record + From<Line>;

    fn declare(_: &Flow<'_>) {}
}

pub trait Add {
    fn add(&mut self, value: i64);
}

pub mod first {
    use dualgauge_engine::testing::Line;
    use dualgauge_engine::{EventTime, record};
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Default, Serialize, Deserialize)]
    pub struct Sum {
        total: i32,
    }

    impl super::Add for Sum {
        fn add(&mut self, value: i64) {
            self.total += value as i32;
        }
    }

    impl From<Sum> for i64 {
        fn from(sum: Sum) -> i64 {
            sum.total.into()
        }
    }

    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    pub struct Word(String, i32);

    impl From<(String, i64)> for Word {
        fn from((key, value): (String, i64)) -> Word {
            Word(key, value as i32)
        }
    }

    impl From<Word> for (String, i64) {
        fn from(word: Word) -> (String, i64) {
            (word.0, word.1.into())
        }
    }

    #[record]
    pub struct Row {
        #[event_time]
        pub time: EventTime,
        pub text: String,
    }

    impl From<Line> for Row {
        fn from(line: Line) -> Row {
            Row { time: line.time, text: line.text }
        }
    }

    pub struct Program;

    impl super::Version for Program {
        type Sum = Sum;
        type Word = Word;
        type Row = Row;
    }
}

pub mod second {
    use dualgauge_engine::testing::Line;
    use dualgauge_engine::{EventTime, Flow, record};
    use serde::{Deserialize, Serialize};

    #[derive(Deserialize)]
    pub struct SumV1 {
        total: i32,
    }

    #[derive(Clone, Default, Serialize, Deserialize)]
    pub struct Sum {
        pub total: i64,
        pub largest: Option<i64>,
    }

    impl From<SumV1> for Sum {
        fn from(old: SumV1) -> Sum {
            Sum { total: old.total.into(), largest: None }
        }
    }

    impl super::Add for Sum {
        fn add(&mut self, value: i64) {
            self.total += value;
            self.largest = self.largest.max(Some(value));
        }
    }

    impl From<Sum> for i64 {
        fn from(sum: Sum) -> i64 {
            sum.total
        }
    }

    #[derive(Deserialize)]
    pub struct WordV1(String, i32);

    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    pub struct Word {
        pub value: i64,
        pub key: String,
    }

    impl From<WordV1> for Word {
        fn from(old: WordV1) -> Word {
            Word { value: old.1.into(), key: old.0 }
        }
    }

    impl From<(String, i64)> for Word {
        fn from((key, value): (String, i64)) -> Word {
            Word { value, key }
        }
    }

    impl From<Word> for (String, i64) {
        fn from(word: Word) -> (String, i64) {
            (word.key, word.value)
        }
    }

    #[record]
    pub struct RowV1 {
        #[event_time]
        pub time: EventTime,
        pub text: String,
    }

    #[record]
    pub struct Row {
        #[event_time]
        pub time: EventTime,
        pub length: u64,
        pub text: String,
    }

    impl From<RowV1> for Row {
        fn from(RowV1 { time, text }: RowV1) -> Row {
            Row { time, length: text.len() as u64, text }
        }
    }

    impl From<Line> for Row {
        fn from(line: Line) -> Row {
            RowV1 { time: line.time, text: line.text }.into()
        }
    }

    pub struct Program;

    impl super::Version for Program {
        type Sum = Sum;
        type Word = Word;
        type Row = Row;

        fn declare(flow: &Flow<'_>) {
            flow.upcast::<SumV1, Sum>();
            flow.upcast::<WordV1, Word>();
            flow.upcast::<RowV1, Row>();
        }
    }
}

/// Its words and rows are those of the second; its sums have changed again.
pub mod third {
    use dualgauge_engine::Flow;
    use serde::{Deserialize, Serialize};

    use super::second::{Row, RowV1, SumV1, Word, WordV1};

    #[derive(Serialize, Deserialize)]
    pub struct SumV2 {
        pub total: i64,
        pub largest: Option<i64>,
    }

    #[derive(Clone, Default, Serialize, Deserialize)]
    pub struct Sum(Vec<i64>);

    impl From<SumV1> for SumV2 {
        fn from(old: SumV1) -> SumV2 {
            let super::second::Sum { total, largest } = old.into();
            SumV2 { total, largest }
        }
    }

    impl From<SumV2> for Sum {
        fn from(old: SumV2) -> Sum {
            Sum(vec![old.total])
        }
    }

    impl super::Add for Sum {
        fn add(&mut self, value: i64) {
            self.0.push(value);
        }
    }

    impl From<Sum> for i64 {
        fn from(sum: Sum) -> i64 {
            sum.0.into_iter().sum()
        }
    }

    pub struct Program;

    impl super::Version for Program {
        type Sum = Sum;
        type Word = Word;
        type Row = Row;

        fn declare(flow: &Flow<'_>) {
            flow.upcast::<SumV1, SumV2>();
            flow.upcast::<SumV2, Sum>();
            flow.upcast::<WordV1, Word>();
            flow.upcast::<RowV1, Row>();
        }
    }
}

/// The sum of each key's values in each ten seconds.
pub struct Sums<A> {
    pub windows: Tables<EventTime, String, A>,
}

impl<A: Data + Default + Into<i64> + Add> Step for Sums<A> {
    type In = Item;
    type Out = String;
    type Late = Item;

    fn apply(&mut self, mut batch: Batch<Item>, watermark: EventTime, _: &mut Outputs<String, Item>) {
        batch.drain_judged(watermark, |event, watermark| {
            let start = event.time.floor_to(WINDOW, Duration::ZERO);
            if start + WINDOW > watermark {
                self.windows.table(start).change(event.data.key, A::default).add(event.data.value);
            }
        });
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<String, Item>) {
        while let Some(start) = self.windows.first().filter(|start| *start + WINDOW <= watermark) {
            let end = start + WINDOW - Duration::from_micros(1);
            self.windows.drain_first(|key, sum| out.emit.give(end, format!("{key} {}", sum.into())));
        }
    }

    fn holds(&self) -> Option<EventTime> {
        self.windows.first().map(|start| start + WINDOW - Duration::from_micros(1))
    }

    fn kept(&mut self) -> Parts<'_> {
        vec![("windows", &mut self.windows)]
    }
}

/// Each event, in the order of their times.
struct Sorted<D> {
    waiting: Queue<D>,
}

impl<D: Data + Ord + From<(String, i64)> + Into<(String, i64)>> Step for Sorted<D> {
    type In = Item;
    type Out = String;
    type Late = Item;

    fn apply(&mut self, mut batch: Batch<Item>, watermark: EventTime, _: &mut Outputs<String, Item>) {
        batch.drain_judged(watermark, |event, watermark| {
            if event.time >= watermark {
                self.waiting.push(Event::new(event.time, D::from((event.data.key, event.data.value))));
            }
        });
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<String, Item>) {
        while self.waiting.next_time().is_some_and(|time| time < watermark || watermark == EventTime::MAX) {
            let event = self.waiting.pop().expect("it was just seen");
            let (key, value) = event.data.into();
            out.emit.give(event.time, format!("{key} {value}"));
        }
    }

    fn holds(&self) -> Option<EventTime> {
        self.waiting.next_time()
    }

    fn kept(&mut self) -> Parts<'_> {
        vec![("waiting", &mut self.waiting)]
    }
}

pub fn group(item: &Item) -> KeyGroup {
    KeyGroup::of(&item.key)
}

/// Sums, sorted events, and a copy of each event, which waits at its sink.
pub fn graph<V: Version>(flow: &Flow<'_>) {
    V::declare(flow);
    keep_and_write::<V>(flow);
}

pub fn keep_and_write<V: Version>(flow: &Flow<'_>) {
    let items = flow.source::<Item>("items").disorder(4.seconds());
    let windows = Tables::new();
    let sums = items.clone().step(NodeSpec::stateful("sums", "sums"), group, Sums::<V::Sum> { windows });
    let waiting = Queue::new(|word: &V::Word| KeyGroup::of(&Into::<(String, i64)>::into(word.clone()).0));
    let sorted = items.clone().step(NodeSpec::stateful("sorted", "sorted"), group, Sorted::<V::Word> { waiting });
    write::<V, _>(sums, "sums");
    write::<V, _>(sorted, "sorted");
    copy::<V>(items);
}

pub fn copy<V: Version>(items: Stream<'_, Item>) {
    let copies = items.transform(NodeSpec::stateless("copies"), |batch| {
        let text = |item: &Item| format!("{} {}", item.key, item.value);
        batch.transform(move |event, out| out.push(Event::new(event.time, text(&event.data))))
    });
    write::<V, _>(copies, "copies");
}

pub fn write<V: Version, L: 'static>(texts: Stream<'_, String, L>, sink: &str) {
    let rows = texts.transform(NodeSpec::stateless("rows"), |batch| {
        let row =
            |event: Event<String>| Event::new(event.time, V::Row::from(Line { time: event.time, text: event.data }));
        batch.transform(move |event, out| out.push(row(event)))
    });
    rows.sink(sink);
}
