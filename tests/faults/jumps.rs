//! One event whose time is absurd, among many that are not.
//!
//! Would catch: a watermark that follows it, so that all that comes after is late; an overflow; a record that is dropped
//! without being counted.

use std::sync::Arc;

use dualgauge::VirtualClock;
use dualgauge::prelude::*;
use dualgauge::testing::{Item, Script, Step};

use crate::common::{Out, at, from_environment, limits};

/// Rows a second apart, in order, in batches; at `place` one of time `absurd`.
fn script(rows: i64, absurd: Option<EventTime>) -> Script {
    let mut items: Vec<Item> = (0..rows)
        .map(|row| Item { time: at(row), key: ["a", "b"][row as usize % 2].to_string(), value: row })
        .collect();
    if let Some(time) = absurd {
        items.insert(rows as usize / 2, Item { time, key: "a".to_string(), value: 1_000_000_000 });
    }
    Script::new(vec![items.chunks(100).map(|batch| Step::Batch(batch.to_vec(), None)).collect()])
}

/// More by `DUALGAUGE_ROWS`.
#[test]
fn an_absurd_event_time_changes_no_other_result_and_is_counted_once() {
    let rows = from_environment("DUALGAUGE_ROWS", 20_000) as i64;
    let clock = || Arc::new(VirtualClock::at(at(rows)));
    let plain = Out::default();
    plain.job(script(rows, None)).clock(clock()).run().unwrap();
    assert_eq!(plain.text()[0].len(), 2 * rows as usize / 10);
    let ahead = |by: Duration| at(rows) + by;
    for (absurd, counted_as) in [
        (ahead(25.hours()), "bad"),
        (ahead(36_500.days()), "bad"),
        (EventTime::from_micros(i64::MAX), "bad"),
        (EventTime::from_micros(i64::MAX - 1), "bad"),
        (EventTime::from_micros(i64::MIN), "bad"),
        (EventTime::from_micros(i64::MIN + 1), "late"),
        (at(-3_153_600_000), "late"),
    ] {
        for workers in [1, 2] {
            let out = Out::default();
            let job = out.job(script(rows, Some(absurd))).workers(workers).limits(limits(1_000)).clock(clock());
            let outcome = job.run().unwrap();
            assert_eq!(out.text()[0], plain.text()[0], "an event at {absurd}");
            let counts = [outcome.metrics.snapshot().bad(), outcome.metrics.snapshot().late()];
            assert_eq!(counts, if counted_as == "bad" { [1, 0] } else { [0, 1] }, "an event at {absurd}");
        }
    }
}

/// Two hours ahead is less than a day, the guard's default: the event counts, and what its own partition brings after it
/// is late by rule. A smaller `max_ahead` makes a bad record of it.
#[test]
fn two_hours_ahead_are_within_the_guard_until_it_is_set_closer() {
    let rows = 2_000;
    let ahead = script(rows, Some(at(rows) + 2.hours()));
    let clock = || Arc::new(VirtualClock::at(at(rows)));
    let out = Out::default();
    let outcome = out.job(ahead.clone()).clock(clock()).run().unwrap();
    assert_eq!((outcome.metrics.snapshot().bad(), outcome.metrics.snapshot().late()), (0, 1_000));
    let (out, plain) = (Out::default(), Out::default());
    plain.job(script(rows, None)).clock(clock()).run().unwrap();
    let closer = dualgauge::flow::SourceOptions::default().max_ahead(1.hours());
    let job = Job::new(crate::common::sums).source_with("items", Arc::new(ahead), closer);
    let job = job.sink("sums", out.sums.clone()).sink("late", out.late.clone()).clock(clock());
    let outcome = job.run().unwrap();
    assert_eq!((outcome.metrics.snapshot().bad(), outcome.metrics.snapshot().late()), (1, 0));
    assert_eq!(out.text(), plain.text());
}
