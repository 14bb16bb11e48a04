//! What the step of an interval join keeps, and for how long; what it answers is tested from outside.

use std::collections::BTreeMap;

use dualgauge_engine::flow::Outputs;
use dualgauge_engine::state::Changes;
use dualgauge_engine::{Batch, Data, Duration, Durations, Epoch, Event, EventTime, KeyGroup, TwoInputStep};

use super::kind::Full;
use super::side::Side;
use super::step::{IntervalStep, Reach};
use crate::key_fn::KeyFn;

type Pair = (Option<i64>, Option<i64>);
type Each = fn(EventTime, Option<&i64>, Option<&i64>) -> Pair;
type Test = IntervalStep<i64, i64, fn(&i64) -> i64, fn(&i64) -> i64, Full<Each>>;

/// A full join by the last digit of `right - left` in `[lower, upper]` seconds.
fn step(lower: i64, upper: i64) -> Test {
    let reach = Reach { lower: lower.seconds(), upper: upper.seconds() };
    let key: fn(&i64) -> i64 = |value| value % 10;
    let each: Each = |_, left, right| (left.copied(), right.copied());
    IntervalStep::new(reach, Duration::ZERO, Full(each), key, key)
}

/// An event in each of these seconds.
fn batch(seconds: impl Iterator<Item = i64>) -> Batch<i64> {
    Batch::from(seconds.map(|second| Event::new(at(second), second)).collect::<Vec<_>>())
}

fn at(second: i64) -> EventTime {
    EventTime::default() + second.seconds()
}

/// What a checkpoint has after several saves, part by part.
#[derive(Default)]
struct Stored(BTreeMap<(&'static str, Vec<u8>), Entry>);

/// A value, and the group that it was saved in.
type Entry = (KeyGroup, Vec<u8>);

impl Stored {
    fn save(&mut self, step: &mut Test, epoch: u64) {
        for (part, kept) in step.kept() {
            let mut changes = Changes::new(Epoch(epoch));
            kept.save(&mut changes);
            for (from, to) in changes.ranges() {
                self.0.retain(|(in_part, key), _| *in_part != part || key < from || key >= to);
            }
            for change in changes.iter() {
                let value = change.value.expect("only ranges are removed");
                self.0.insert((part, change.key.to_vec()), (change.group, value.to_vec()));
            }
        }
    }
}

impl Stored {
    /// A step that resumes from what is stored.
    fn load(&self, mut step: Test) -> Test {
        for (name, kept) in step.kept() {
            let entries = self.0.iter().filter(|((part, _), _)| *part == name);
            entries.for_each(|((_, key), (group, value))| kept.load(*group, key, value).unwrap());
        }
        step.loaded();
        step
    }
}

#[test]
fn a_step_that_is_loaded_goes_on_where_the_saved_one_was() {
    for (lower, upper) in [(0, 10), (-10, 0), (15, 25), (-25, -15), (-13, 14)] {
        let run = |restarts: bool| {
            let (mut here, mut out, mut stored) = (step(lower, upper), Outputs::default(), Stored::default());
            for second in 0..500 {
                // Each side pauses now and then, so that some have no partner.
                let left = batch((second..second + 3).filter(|second| second / 40 % 3 != 0));
                let right = batch((second..second + 3).filter(|second| second / 50 % 2 != 0));
                here.apply_left(left, at(second), &mut out);
                here.apply_right(right, at(second), &mut out);
                stored.save(&mut here, 2 * second as u64);
                here.advance(at(second), &mut out);
                stored.save(&mut here, 2 * second as u64 + 1);
                if restarts && second % 3 == 0 {
                    here = stored.load(step(lower, upper));
                }
            }
            here.advance(EventTime::MAX, &mut out);
            let mut events: Vec<_> = out.emit.take_full().flat_map(|(_, batch)| batch.events).collect();
            events.sort();
            events
        };
        let events = run(false);
        let pairs = events.iter().filter(|event| is_pair(event)).count();
        assert!(pairs > 100 && events.len() - pairs > 100, "{pairs} pairs of {}", events.len());
        assert!(run(true) == events, "[{lower}, {upper}]");
    }
}

/// How many events of either side are in the step.
fn sizes(step: &mut Test) -> (usize, usize) {
    fn size<D: Data, F: KeyFn<D>>(side: &mut Side<D, F>) -> usize {
        side.waiting.close();
        side.waiting.since(0).count() + side.held.since(0).count()
    }
    (size(&mut step.left), size(&mut step.right))
}

#[test]
fn each_side_is_kept_for_as_long_as_a_partner_may_come_and_the_checkpoint_has_what_is_kept() {
    // Bounds, and how many seconds of the left and of the right are kept behind the watermark.
    for (lower, upper, left, right) in [(0, 10, 10, 0), (-10, 0, 0, 10), (5, 10, 10, 0), (-9, -5, 0, 9), (-3, 4, 4, 3)]
    {
        let (mut step, mut out, mut stored) = (step(lower, upper), Outputs::default(), Stored::default());
        for second in 0..10_000 {
            step.apply_left(batch(second..second + 1), at(second), &mut out);
            step.apply_right(batch(second..second + 1), at(second), &mut out);
            step.advance(at(second + 1), &mut out);
            let kept = sizes(&mut step);
            if second > 20 {
                assert_eq!(kept, (left, right), "[{lower}, {upper}] after {second} seconds");
            }
            if second % 3 == 0 {
                stored.save(&mut step, second as u64);
                assert_eq!(stored.0.len(), kept.0 + kept.1, "[{lower}, {upper}] after {second} seconds");
            }
        }
        step.advance(at(20_000), &mut out);
        assert_eq!((sizes(&mut step), step.holds()), ((0, 0), None));
        stored.save(&mut step, 10_001);
        assert!(stored.0.is_empty(), "[{lower}, {upper}]: {:?}", stored.0);
    }
}

#[test]
fn a_side_that_is_hours_ahead_waits_and_is_not_held() {
    for (lower, upper) in [(0, 10), (-10, 0), (-10, 10)] {
        let (mut step, mut out) = (step(lower, upper), Outputs::default());
        step.apply_left(batch(0..20_000), at(0), &mut out);
        for second in 0..20_000 {
            step.apply_right(batch(second..second + 1), at(second), &mut out);
            step.advance(at(second + 1), &mut out);
            let held = step.left.held.since(0).count() + step.right.held.since(0).count();
            assert!(held <= 20 && step.right.waiting.first().is_none(), "{held} are held");
        }
        let pairs = out.emit.take_full().map(|(_, batch)| batch.events.iter().filter(|e| is_pair(e)).count());
        assert!(pairs.sum::<usize>() >= 20_000);
    }
}

fn is_pair(event: &Event<Pair>) -> bool {
    matches!(event.data, (Some(_), Some(_)))
}

#[test]
fn a_jump_of_the_watermark_over_hours_holds_no_more_than_the_steps_on_the_way_would() {
    for (lower, upper) in [(0, 10), (-10, 0), (-10, 10)] {
        let (mut step, mut out) = (step(lower, upper), Outputs::default());
        step.apply_left(batch(0..50_000), at(0), &mut out);
        step.apply_right(batch(0..50_000), at(0), &mut out);
        step.advance(EventTime::MAX, &mut out);
        assert_eq!((sizes(&mut step), step.holds()), ((0, 0), None));
        assert!(step.left.held.room() + step.right.held.room() < 2_000, "[{lower}, {upper}]");
        let events: Vec<_> = out.emit.take_full().flat_map(|(_, batch)| batch.events).collect();
        let seconds_apart = (upper - lower) / 10 + 1; // with equal last digits
        let on_the_edges = 2 * 10 * seconds_apart;
        let pairs = events.iter().filter(|event| is_pair(event)).count() as i64;
        assert!((pairs - 50_000 * seconds_apart).abs() <= on_the_edges, "{pairs} pairs");
    }
}
