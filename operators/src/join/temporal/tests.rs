//! What the step of a temporal join keeps, and for how long; what it answers is tested from outside.

use std::collections::BTreeMap;

use dualgauge_engine::flow::Outputs;
use dualgauge_engine::state::Changes;
use dualgauge_engine::{Batch, Duration, Durations, Epoch, Event, EventTime, TwoInputStep};

use super::step::TemporalStep;

type Each = fn(EventTime, &i64, Option<&i64>) -> Option<(i64, Option<i64>)>;
type Test = TemporalStep<i64, i64, fn(&i64) -> i64, fn(&i64) -> i64, Each>;

/// A left join by the last digit.
fn step() -> Test {
    let key: fn(&i64) -> i64 = |value| value % 10;
    let each: Each = |_, left, version| Some((*left, version.copied()));
    TemporalStep::new(each, Duration::ZERO, key, key)
}

/// An event in each of these seconds.
fn batch(seconds: impl Iterator<Item = i64>) -> Batch<i64> {
    Batch::from(seconds.map(|second| Event::new(at(second), second)).collect::<Vec<_>>())
}

fn at(second: i64) -> EventTime {
    EventTime::default() + second.seconds()
}

/// How many left events, versions that wait, and newest versions are in the step.
fn sizes(step: &mut Test) -> [usize; 3] {
    [step.left.waiting.count(), step.newest.len(), step.versions.waiting.count()]
}

/// What a checkpoint has after several saves, part by part.
#[derive(Default)]
struct Stored(BTreeMap<&'static str, BTreeMap<Vec<u8>, Vec<u8>>>);

impl Stored {
    /// Saves what has changed, and says how many entries were written.
    fn save(&mut self, step: &mut Test, epoch: u64) -> usize {
        let mut written = 0;
        for (part, kept) in step.kept() {
            let mut changes = Changes::new(Epoch(epoch));
            kept.save(&mut changes);
            let entries = self.0.entry(part).or_default();
            for (from, to) in changes.ranges() {
                entries.retain(|key, _| key < from || key >= to);
            }
            for change in changes.iter() {
                entries.insert(change.key.to_vec(), change.value.expect("only ranges are removed").to_vec());
                written += 1;
            }
        }
        written
    }

    /// How many entries there are of each part.
    fn sizes(&self) -> [usize; 3] {
        ["left", "newest", "versions"].map(|part| self.0[part].len())
    }
}

#[test]
fn one_version_a_key_is_kept_however_many_there_were_and_the_checkpoint_has_what_is_kept() {
    let (mut step, mut out, mut stored) = (step(), Outputs::default(), Stored::default());
    for second in 0..5_000 {
        // Two seconds of the left and five of the versions are ahead of the watermark.
        step.apply_left(batch(second + 2..second + 3), at(second), &mut out);
        step.apply_right(batch(second + 5..second + 6), at(second), &mut out);
        step.advance(at(second + 1), &mut out);
        assert_eq!(step.holds(), Some(at((second + 1).max(2))));
        if second > 20 {
            assert_eq!(sizes(&mut step), [2, 10, 5], "after {second} seconds");
        }
        if second % 3 == 0 {
            stored.save(&mut step, second as u64);
            assert_eq!(stored.sizes(), sizes(&mut step), "after {second} seconds");
        }
    }
    step.advance(at(20_000), &mut out);
    assert_eq!((sizes(&mut step), step.holds()), ([0, 10, 0], None));
    stored.save(&mut step, 5_000);
    assert_eq!(stored.sizes(), [0, 10, 0]);
    // A key that never comes again keeps its version, and adds nothing to any save.
    step.advance(at(9_000_000), &mut out);
    assert_eq!(stored.save(&mut step, 5_001), 0);
    assert_eq!(sizes(&mut step), [0, 10, 0]);
}

#[test]
fn a_jump_of_the_watermark_finds_for_each_event_the_version_of_its_own_time() {
    let (mut step, mut out) = (step(), Outputs::default());
    step.apply_right(batch((0..40_000).filter(|second| second % 3 == 0)), at(0), &mut out);
    step.apply_left(batch(0..40_000), at(0), &mut out);
    step.advance(EventTime::MAX, &mut out);
    assert_eq!((sizes(&mut step), step.holds()), ([0, 10, 0], None));
    let mut events: Vec<_> = out.emit.take_full().flat_map(|(_, batch)| batch.events).collect();
    events.sort();
    let version = |second: i64| (0..=second).rev().step_by(10).find(|earlier| earlier % 3 == 0);
    let expected = (0..40_000).map(|second| Event::new(at(second), (second, version(second))));
    assert!(events.into_iter().eq(expected));
}
