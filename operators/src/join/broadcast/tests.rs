//! What the step of a broadcast stream keeps, for how long, and how it is restored on a different number of workers;
//! what it answers is tested from outside.

use std::collections::BTreeMap;

use dualgauge_engine::checkpoint::GroupRange;
use dualgauge_engine::flow::{Emitter, Outputs};
use dualgauge_engine::state::Changes;
use dualgauge_engine::{Batch, Duration, Durations, Epoch, ErrorKind, Event, EventTime, KeyGroup, TwoInputStep};

use super::step::BroadcastStep;
use crate::Either;

type Apply = fn(&mut i64, i64);
type Each = fn(Event<i64>, &i64, &mut Emitter<(i64, i64)>);
type Test = BroadcastStep<i64, i64, i64, (i64, i64), Apply, Each>;

/// Each event with the last change, on one of several workers.
fn step(worker: usize, workers: usize) -> Test {
    let each: Each = |event, state, out| out.give(event.time, (event.data, *state));
    let groups = GroupRange::of_worker(worker, workers);
    BroadcastStep::new(|state, change| *state = change, each, Duration::ZERO, groups)
}

/// An event in each of these seconds.
fn batch(seconds: impl IntoIterator<Item = i64>) -> Batch<i64> {
    Batch::from(seconds.into_iter().map(|second| Event::new(at(second), second)).collect::<Vec<_>>())
}

fn at(second: i64) -> EventTime {
    EventTime::default() + second.seconds()
}

/// How many events and changes wait in the step.
fn sizes(step: &mut Test) -> [usize; 2] {
    [step.events.waiting.count(), step.replica.to_come()]
}

fn results(out: &mut Outputs<(i64, i64), Either<i64, i64>>) -> Vec<(i64, i64)> {
    let mut results: Vec<_> =
        out.emit.take_full().flat_map(|(_, batch)| batch.events).map(|event| event.data).collect();
    results.sort();
    results
}

/// What the checkpoints of all workers have, part by part.
#[derive(Default)]
struct Stored(BTreeMap<&'static str, Entries>);

/// Values by key group and key.
type Entries = BTreeMap<(u16, Vec<u8>), Vec<u8>>;

impl Stored {
    /// Saves what has changed on a worker that owns `groups`, and says how many entries were written.
    fn save(&mut self, step: &mut Test, groups: GroupRange, epoch: u64) -> usize {
        let mut written = 0;
        for (part, kept) in step.kept() {
            let mut changes = Changes::new(Epoch(epoch));
            kept.save(&mut changes);
            let entries = self.0.entry(part).or_default();
            for (from, to) in changes.ranges() {
                entries.retain(|(group, key), _| !groups.contains(KeyGroup(*group)) || key < from || key >= to);
            }
            for change in changes.iter() {
                assert!(groups.contains(change.group), "{part} is put under a group of another worker");
                let value = change.value.expect("only ranges are removed").to_vec();
                entries.insert((change.group.0, change.key.to_vec()), value);
                written += 1;
            }
        }
        written
    }

    /// Loads what a worker that owns `groups` is given, in the order of the parts.
    fn load(&self, step: &mut Test, groups: GroupRange) -> dualgauge_engine::Result<()> {
        for (part, kept) in step.kept() {
            for ((group, key), value) in self.0.get(part).into_iter().flatten() {
                if kept.is_replicated() || groups.contains(KeyGroup(*group)) {
                    kept.load(KeyGroup(*group), key, value)?;
                }
            }
        }
        step.loaded();
        Ok(())
    }

    /// How many entries there are of each part.
    fn sizes(&self) -> [usize; 3] {
        ["events", "changes", "state"].map(|part| self.0[part].len())
    }
}

#[test]
fn what_waits_is_kept_and_a_checkpoint_has_that_and_one_state() {
    let (mut step, mut out, mut stored) = (step(0, 1), Outputs::default(), Stored::default());
    let all = GroupRange::of_worker(0, 1);
    for second in 0..2_000 {
        // Two seconds of the events and five of the changes are ahead of the watermark.
        step.apply_left(batch([second + 2]), at(second), &mut out);
        step.apply_right(batch([second + 5]), at(second), &mut out);
        step.advance(at(second + 1), &mut out);
        assert_eq!(step.holds(), Some(at((second + 1).max(2))));
        if second > 20 {
            assert_eq!(sizes(&mut step), [2, 5], "after {second} seconds");
        }
        if second > 20 && second % 3 == 0 {
            stored.save(&mut step, all, second as u64);
            assert_eq!(stored.sizes(), [2, 5, 1], "after {second} seconds");
        }
    }
    step.advance(EventTime::MAX, &mut out);
    assert_eq!((sizes(&mut step), step.holds()), ([0, 0], None));
    stored.save(&mut step, all, 2_000);
    assert_eq!(stored.sizes(), [0, 0, 1]);
    assert_eq!(stored.save(&mut step, all, 2_001), 0, "a state that does not change costs no save anything");
}

/// Two workers: one has applied all changes, the other only the first.
fn two_that_are_not_equally_far() -> Stored {
    let (mut stored, mut out) = (Stored::default(), Outputs::default());
    for (worker, events, watermark) in [(0, vec![12, 13], 10), (1, vec![3, 11], 2)] {
        let mut step = step(worker, 2);
        step.apply_right(batch([1, 2, 5]), EventTime::MIN, &mut out);
        step.apply_left(batch(events), EventTime::MIN, &mut out);
        step.advance(at(watermark), &mut out);
        stored.save(&mut step, GroupRange::of_worker(worker, 2), 0);
    }
    assert_eq!(results(&mut out), [], "nothing has been passed yet");
    assert_eq!(stored.sizes(), [4, 2, 2]);
    stored
}

#[test]
fn whoever_goes_on_takes_the_copy_that_is_furthest_behind() {
    for workers in 1..=4 {
        let mut stored = two_that_are_not_equally_far();
        let mut out = Outputs::default();
        for worker in 0..workers {
            let mut step = step(worker, workers);
            let groups = GroupRange::of_worker(worker, workers);
            stored.load(&mut step, groups).unwrap();
            assert_eq!((*step.replica.state(), step.replica.to_come()), (1, 2), "worker {worker} of {workers}");
            // It saves its own copy in place of those that were in its groups.
            stored.save(&mut step, groups, 1);
            step.advance(EventTime::MAX, &mut out);
        }
        assert_eq!(results(&mut out), [(3, 2), (11, 5), (12, 5), (13, 5)], "{workers} workers");
        assert_eq!(stored.sizes(), [4, 2 * workers, workers], "a copy for each of {workers} workers");
    }
}

#[test]
fn changes_without_the_state_they_belong_to_are_damage() {
    let mut stored = two_that_are_not_equally_far();
    stored.0.get_mut("state").unwrap().retain(|(group, _), _| *group == 0);
    let error = stored.load(&mut step(0, 1), GroupRange::of_worker(0, 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
    assert_eq!(
        error.to_string(),
        "key group 128 has changes of a broadcast stream, and no state that they would change"
    );
}
