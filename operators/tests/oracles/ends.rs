//! The ends of time: every operator against exact arithmetic, for every cut into batches.
//!
//! What this would catch: a sum that saturates where a distance was meant, a window that is cut off at an end of time on one
//! path and not on another, an event that is counted, late or lost as its batch happens to end. The oracle counts in numbers
//! so wide that nothing of it has an end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dualgauge_engine::flow::{BadRecords, NodeSpec, source};
use dualgauge_engine::testing::{Item, Line, Lines, Script, Step};
use dualgauge_engine::{Duration, Event, EventTime, Flow, Job, Limits, Stream};
use dualgauge_operators::aggregate::count;
use dualgauge_operators::join::{AsOf, JoinInterval, between};
use dualgauge_operators::keyed::{Context, Process, ProcessWith};
use dualgauge_operators::window::{InWindow, Window, session, sliding, tumbling};
use dualgauge_operators::{Deduplicate, Either, KeyBy, Map, first_within, last_within};
use proptest::prelude::*;

use crate::case::{config, event, in_order};

/// Both outputs of every operator: its results and what was late for it.
const OUTPUTS: usize = 20;

type Answer = [Vec<String>; OUTPUTS];

/// The lengths that the steps are given, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    size: i64,
    /// How many slides a size has, at most.
    slides: i64,
    offset: i64,
    length: i64,
    lower: i64,
    lateness: i64,
    disorder: i64,
}

/// An event, and how it is cut off from the next one.
#[derive(Clone, Debug)]
struct Given {
    item: Item,
    cut: bool,
}

/// A time near an end, or anywhere.
fn time() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => (0..25_i64).prop_map(|by| i64::MAX - by),
        4 => (0..25_i64).prop_map(|by| i64::MIN + by),
        1 => -20..20_i64,
        1 => any::<i64>(),
    ]
}

/// A length of a few, or of all of time.
fn length() -> impl Strategy<Value = i64> {
    let long = prop_oneof![Just(i64::MAX), Just(i64::MAX - 1), (0..20_i64).prop_map(|by| i64::MAX - by), 1..i64::MAX];
    prop_oneof![4 => 1..20_i64, 1 => long]
}

fn length_or_none() -> impl Strategy<Value = i64> {
    prop_oneof![2 => Just(0_i64), 2 => length()]
}

fn lengths() -> impl Strategy<Value = Lengths> {
    let bound = prop_oneof![3 => -20..20_i64, 1 => length().prop_map(|length| -length)];
    (length(), 1..4_i64, any::<i64>(), length(), bound, length_or_none(), length_or_none()).prop_map(
        |(size, slides, offset, length, lower, lateness, disorder)| Lengths {
            size,
            slides,
            offset,
            length,
            lower,
            lateness,
            disorder,
        },
    )
}

fn given() -> impl Strategy<Value = Vec<Given>> {
    let one = (time(), 0..2_u8, 0..3_i64, any::<bool>()).prop_map(|(time, key, value, cut)| {
        let item = Item { time: EventTime::from_micros(time), key: format!("k{key}"), value };
        Given { item, cut }
    });
    prop::collection::vec(one, 0..24)
}

impl Lengths {
    fn slide(&self) -> i64 {
        (self.size / self.slides).max(1)
    }

    /// An offset that windows with this period can have.
    fn offset(&self, period: i64) -> i64 {
        self.offset % period
    }

    fn upper(&self) -> i64 {
        self.lower.saturating_add(self.length)
    }
}

fn micros(length: i64) -> Duration {
    Duration::from_micros(length)
}

/// Emits each event, and a word when its timer fires.
struct Remind(Duration);

impl Process<String, Item> for Remind {
    type State = ();
    type Out = String;

    fn on_event(&mut self, _: &String, item: Item, (): &mut (), context: &mut Context<'_, String, String>) {
        context.set_timer(context.time() + self.0);
        context.emit(event(&item));
    }

    fn on_timer(&mut self, key: &String, (): &mut (), context: &mut Context<'_, String, String>) {
        context.emit(format!("{key} reminded"));
    }
}

fn window(window: Window, text: &str) -> String {
    format!("[{},{}) {text}", window.start.as_micros(), window.end.as_micros())
}

fn either(late: Either<Item, Item>) -> String {
    match late {
        Either::Left(item) => format!("left {}", event(&item)),
        Either::Right(item) => format!("right {}", event(&item)),
    }
}

/// Every operator over the same items.
fn all<'s>(items: &Stream<'s, Item>, lengths: Lengths) -> [Stream<'s, String>; OUTPUTS] {
    let Lengths { size, length, lower, lateness, .. } = lengths;
    let (slide, upper) = (lengths.slide(), lengths.upper());
    let keyed = || items.clone().key_by(|item| item.key.clone());
    let lateness = micros(lateness);
    let tumbles = tumbling(micros(size)).offset(micros(lengths.offset(size)));
    let slides = sliding(micros(size), micros(slide)).offset(micros(lengths.offset(slide)));
    macro_rules! late {
        ($results:expr) => {
            $results.late().map(|item| event(&item))
        };
    }
    macro_rules! counted {
        ($name:literal, $kind:expr) => {{
            let panes = keyed().window($kind).allowed_lateness(lateness).aggregate($name, count());
            let late = late!(panes);
            [panes.map(|pane| window(pane.window, &format!("{} {}", pane.key, pane.value))), late]
        }};
    }
    let [tumbled, tumbled_late] = counted!("tumbling", tumbles);
    let [slid, slid_late] = counted!("sliding", slides);
    let [sessions, sessions_late] = counted!("session", session(micros(length)));

    let top = keyed().window(tumbles).allowed_lateness(lateness).top_n("top", 1, |item| item.value);
    let top_late = late!(top);
    let top = top.map(|row| window(row.window, &event(&row.value)));

    let waiting = || keyed().allowed_lateness(lateness);
    let first = waiting().deduplicate("first", first_within(micros(length)));
    let first_late = late!(first);
    let last = waiting().deduplicate("last", last_within(micros(length)));
    let last_late = late!(last);
    let reminded = waiting().process("remind", Remind(micros(length)));
    let reminded_late = late!(reminded);

    let pair = |left: &Item, right: &Item| format!("{} {}", event(left), event(right));
    let near = waiting().interval_join(waiting(), between(micros(lower), micros(upper))).inner("near", pair);
    let near_late = near.late().map(either);
    let valid = waiting().as_of(waiting()).inner("valid", pair);
    let valid_late = valid.late().map(either);
    let met = keyed().window(slides).allowed_lateness(lateness).join(keyed());
    let met = met.inner("met", move |at, left, right| window(at, &pair(left, right)));
    let met_late = met.late().map(either);

    let first = first.map(|item| event(&item));
    let last = last.map(|item| event(&item));
    [
        tumbled,
        tumbled_late,
        slid,
        slid_late,
        sessions,
        sessions_late,
        top,
        top_late,
        first,
        first_late,
        last,
        last_late,
        reminded.map(|text| text),
        reminded_late,
        near.map(|text| text),
        near_late,
        valid.map(|text| text),
        valid_late,
        met.map(|text| text),
        met_late,
    ]
}

/// What the operators write, and how many records were bad.
fn run(script: Script, lengths: Lengths, workers: usize, epoch_rows: usize) -> (Answer, u64) {
    let outputs: [Lines; OUTPUTS] = std::array::from_fn(|_| Lines::default());
    let options = source("items").disorder(micros(lengths.disorder)).max_ahead(Duration::MAX);
    let options = options.on_bad_records(BadRecords::Drop);
    let graph = move |flow: &Flow<'_>| {
        let items = flow.source::<Item>(options.clone());
        for (number, output) in all(&items, lengths).into_iter().enumerate() {
            let lines = output.transform(NodeSpec::stateless("lines"), |batch| {
                batch.transform(|event, out| {
                    out.push(Event::new(event.time, Line { time: event.time, text: event.data }));
                })
            });
            lines.sink(&format!("lines {number}"));
        }
    };
    let limits = Limits { epoch_rows, epoch_interval: Duration::MAX, ..Limits::default() };
    let mut job = Job::new(graph).source("items", script).workers(workers).limits(limits);
    for (number, lines) in outputs.iter().enumerate() {
        job = job.sink(&format!("lines {number}"), lines.clone());
    }
    let outcome = job.run().unwrap_or_else(|error| panic!("the run failed: {error}"));
    (outputs.map(|lines| lines.text()), outcome.metrics.source("items").bad)
}

/// A number that no sum of times and lengths leaves.
type Wide = i128;

/// Longer than any distance between two times.
const ENDLESS: Wide = 1 << 80;

fn wide(time: EventTime) -> Wide {
    time.as_micros().into()
}

/// A length, of which the greatest is longer than anything.
fn long(length: i64) -> Wide {
    match length {
        i64::MAX => ENDLESS,
        length if length <= -i64::MAX => -ENDLESS,
        length => length.into(),
    }
}

/// A time as it is seen: cut off at the ends.
fn seen(time: Wide) -> EventTime {
    EventTime::from_micros(time.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}

/// A window as it really is.
type Exact = (Wide, Wide);

fn cut((start, end): Exact) -> Window {
    Window { start: seen(start), end: seen(end) }
}

/// The windows that hold `time`. Those that would end beyond the last instant are one, the first of them.
fn windows(time: Wide, size: i64, slide: i64, offset: i64) -> Vec<Exact> {
    let (size, slide, end) = (Wide::from(size), Wide::from(slide), Wide::from(i64::MAX));
    let on_grid = |time: Wide| time - (time - Wide::from(offset)).rem_euclid(slide);
    let newest = on_grid(time);
    let starts =
        std::iter::successors(Some(newest), |start| Some(start - slide)).take_while(|start| time < start + size);
    // The least start of the grid whose window reaches the end.
    let last = on_grid(end - size + slide - 1);
    let mut windows: Vec<_> = starts.filter(|start| start + size < end).map(|start| (start, start + size)).collect();
    if last <= time {
        windows.push((last, ENDLESS));
    }
    windows
}

/// Records that are on time, and those that are not.
fn judge<'a>(events: &'a [(Item, Wide)], is_late: impl Fn(&Item, Wide) -> bool) -> (Vec<&'a Item>, Vec<&'a Item>) {
    let (late, on_time): (Vec<_>, Vec<_>) = events.iter().partition(|(item, stamp)| is_late(item, *stamp));
    let items = |judged: Vec<&'a (Item, Wide)>| judged.into_iter().map(|(item, _)| item).collect();
    (items(on_time), items(late))
}

fn lines(items: &[&Item]) -> Vec<String> {
    in_order(items.iter().map(|item| (item.time, event(item))).collect())
}

fn both_sides(items: &[&Item]) -> Vec<String> {
    let sides = |item: &&Item| ["left", "right"].map(|side| (item.time, format!("{side} {}", event(item))));
    in_order(items.iter().flat_map(sides).collect())
}

fn expected(events: &[(Item, Wide)], lengths: Lengths) -> Answer {
    let Lengths { size, length, lower, .. } = lengths;
    let (slide, lateness) = (lengths.slide(), long(lengths.lateness));
    let aligned = |slide: i64| {
        let offset = lengths.offset(slide);
        let (mut panes, mut late) = (BTreeMap::<(Exact, &str), Vec<&Item>>::new(), Vec::new());
        for (item, stamp) in events {
            let mut open = windows(wide(item.time), size, slide, offset);
            open.retain(|(_, end)| end + lateness > *stamp);
            if open.is_empty() {
                late.push(item);
            }
            open.into_iter().for_each(|at| panes.entry((at, &item.key)).or_default().push(item));
        }
        (panes, late)
    };
    let line = |at: Exact, text: String| (cut(at).last_instant(), window(cut(at), &text));
    let counts = |panes: &BTreeMap<(Exact, &str), Vec<&Item>>| {
        in_order(panes.iter().map(|((at, key), items)| line(*at, format!("{key} {}", items.len()))).collect())
    };
    let (tumbled, tumbled_late) = aligned(size);
    let (slid, slid_late) = aligned(slide);
    let top = tumbled.iter().map(|((at, _), items)| {
        line(*at, event(items.iter().max_by_key(|item| (item.value, **item)).expect("no pane is empty")))
    });
    let pairs = slid.iter().flat_map(|((at, _), items)| {
        items
            .iter()
            .flat_map(move |left| items.iter().map(move |right| (left, right)))
            .map(|(left, right)| line(*at, format!("{} {}", event(left), event(right))))
    });

    let (on_time, late) = judge(events, |item, stamp| wide(item.time) + lateness < stamp);
    let mut by_key: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
    on_time.iter().for_each(|item| by_key.entry(&item.key).or_default().push(item));
    by_key.values_mut().for_each(|items| items.sort());
    let (mut sessions, mut firsts, mut lasts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut reminded, mut near, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for (key, items) in &by_key {
        let apart = |earlier: &Item, later: &Item| wide(later.time) - wide(earlier.time);
        for session in items.chunk_by(|a, b| apart(a, b) < long(length)) {
            let (first, last) = (wide(session[0].time), wide(session[session.len() - 1].time));
            sessions.push(line((first, last + long(length)), format!("{key} {}", session.len())));
        }
        let (mut original, mut last): (Option<&Item>, Option<&Item>) = (None, None);
        for item in items {
            if original.is_none_or(|original| apart(original, item) >= long(length)) {
                original = Some(item);
                firsts.push(*item);
                lasts.extend(last);
            }
            last = Some(item);
        }
        lasts.extend(last);
        let timers: BTreeSet<_> =
            items.iter().map(|item| seen(wide(item.time) + long(length)).min(EventTime::LAST)).collect();
        reminded.extend(items.iter().map(|item| (item.time, event(item))));
        reminded.extend(timers.into_iter().map(|time| (time, format!("{key} reminded"))));
        for left in items {
            for right in items {
                let between = long(lower)..=long(lengths.upper());
                if between.contains(&apart(left, right)) {
                    near.push((left.time.max(right.time), format!("{} {}", event(left), event(right))));
                }
            }
            let version = items.iter().rfind(|version| version.time <= left.time).expect("it is one itself");
            valid.push((left.time, format!("{} {}", event(left), event(version))));
        }
    }
    let (waited, sides) = (lines(&late), both_sides(&late));
    [
        counts(&tumbled),
        lines(&tumbled_late),
        counts(&slid),
        lines(&slid_late),
        in_order(sessions),
        waited.clone(),
        in_order(top.collect()),
        lines(&tumbled_late),
        lines(&firsts),
        waited.clone(),
        lines(&lasts),
        waited.clone(),
        in_order(reminded),
        waited,
        in_order(near),
        sides.clone(),
        in_order(valid),
        sides,
        in_order(pairs.collect()),
        both_sides(&slid_late),
    ]
}

/// The events that can be, each with the watermark of its partition before it.
fn judged(partitions: &[&[Given]], disorder: i64) -> Vec<(Item, Wide)> {
    let mut judged = Vec::new();
    for partition in partitions {
        let mut stamp = Wide::from(i64::MIN);
        for Given { item, .. } in partition.iter().filter(|given| given.item.time.is_instant()) {
            judged.push((item.clone(), stamp));
            stamp = stamp.max(wide(item.time) - long(disorder));
        }
    }
    judged
}

fn script(partitions: &[&[Given]], cuts: impl Fn(&Given) -> bool) -> Script {
    let steps = |partition: &&[Given]| {
        let batches = partition.chunk_by(|given, _| !cuts(given));
        batches.map(|batch| Step::Batch(batch.iter().map(|given| given.item.clone()).collect(), None)).collect()
    };
    Script::new(partitions.iter().map(steps).collect())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn at_the_ends_of_time_every_operator_says_the_same_for_every_cut(
        given in given(), second in 0..24_usize, lengths in lengths(), workers in 1..3_usize,
    ) {
        let (first, second) = given.split_at(second.min(given.len()));
        let partitions = [first, second];
        let bad = given.iter().filter(|given| !given.item.time.is_instant()).count() as u64;
        let expected = Arc::new((expected(&judged(&partitions, lengths.disorder), lengths), bad));
        let whole = script(&partitions, |_| false);
        let single = script(&partitions, |_| true);
        let drawn = script(&partitions, |given| given.cut);
        for (cuts, script, epoch_rows) in [("no", whole, 1_000), ("all", single, 1), ("some", drawn, 3)] {
            let answer = run(script, lengths, workers, epoch_rows);
            prop_assert_eq!(&answer, &*expected, "with {} cuts", cuts);
        }
        let history: Vec<_> = judged(&partitions, 0).into_iter().map(|(item, _)| (item, Wide::from(i64::MIN))).collect();
        let expected = (self::expected(&history, lengths), bad);
        prop_assert_eq!(run(script(&partitions, |given| given.cut).promised(), lengths, workers, 3), expected);
    }
}
