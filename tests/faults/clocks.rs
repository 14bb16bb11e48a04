//! Clocks that jump, and partitions that fall idle at any moment.
//!
//! Would catch: a result that depends on the wall clock, or on when a partition had nothing to read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dualgauge::prelude::*;
use dualgauge::testing::{Baton, Item, Line, Lines, Script, Step};
use dualgauge::{Clock, VirtualClock};

use crate::common::{Out, at, checkpoints, disk, drawn, limits, script, seeds};

/// A wall clock that jumps an hour or a year either way whenever it is asked; a steady one beside it, as is promised.
struct Jumping {
    seed: u64,
    asked: AtomicU64,
}

impl Clock for Jumping {
    fn now(&self) -> EventTime {
        let place = self.asked.fetch_add(1, Ordering::SeqCst);
        // Far behind every event of the script there is room for a year, so that no guard is asked for anything.
        let base = at(0) + 50_000.days();
        match drawn(self.seed, place, 5) {
            0 => base - 1.hours(),
            1 => base + 1.hours(),
            2 => base - 365.days(),
            3 => base + 365.days(),
            _ => base,
        }
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(drawn(self.seed, 99, 10_000) as i64 * self.asked.fetch_add(1, Ordering::SeqCst) as i64)
    }
}

#[test]
fn a_clock_that_jumps_changes_nothing() {
    let mut jumps = 0;
    for seed in seeds(200) {
        let (plain, jumping) = (Out::default(), Out::default());
        plain.job(script(seed, 3, 12)).run().unwrap();
        let clock = Arc::new(Jumping { seed, asked: AtomicU64::new(0) });
        let workers = 1 + seed as usize % 3;
        let job = jumping.job(script(seed, 3, 12)).workers(workers).turns(Arc::new(Baton::new(workers, seed)));
        let job = job.limits(limits(5)).clock(clock.clone()).checkpoints(checkpoints(&disk()).unwrap());
        job.run().unwrap();
        assert_eq!(jumping.text(), plain.text(), "seed {seed}");
        jumps += clock.asked.load(Ordering::SeqCst);
    }
    println!("{} seeds, the clock was asked {jumps} times", seeds(200).count());
    assert!(jumps > 1_000);
}

/// A clock of which every look takes a while, so that whoever waits is idle sooner or later.
struct Running(VirtualClock, Duration);

impl Clock for Running {
    fn now(&self) -> EventTime {
        at(0) + 50_000.days()
    }

    fn elapsed(&self) -> Duration {
        self.0.advance(self.1);
        self.0.elapsed()
    }
}

/// Every row is in a sum or is late, whatever falls idle; and where nothing is late the sums are those of a run without
/// idleness.
fn with_idleness(flow: &Flow<'_>) {
    let items = flow.source::<Item>("items").disorder(4.seconds()).idle_after(3.seconds());
    let counts = items.key_by(|_| ()).window(tumbling(10.seconds())).aggregate("counts", agg::count());
    counts.late().map(|item| Line { time: item.time, text: String::new() }).sink("late");
    counts.map(|pane| Line { time: pane.time, text: pane.value.to_string() }).sink("counts");
}

#[test]
fn wherever_partitions_fall_idle_every_row_is_counted_or_late() {
    let (mut with_late, mut without) = (0, 0);
    for seed in seeds(200) {
        let pending = |partition: u64| {
            let steps = (0..15).flat_map(move |batch| {
                let place = partition * 100 + batch;
                let item = Item { time: at(batch as i64 * 3), key: String::new(), value: 1 };
                let spans = if drawn(seed, place, 3) == 0 { drawn(seed, place + 50, 40) } else { 0 };
                (0..spans).map(|_| Step::Pending).chain([Step::Batch(vec![item], None)])
            });
            steps.collect()
        };
        let script = || Script::new((0..3).map(pending).collect());
        let (counts, late) = (Lines::default(), Lines::default());
        let workers = 1 + seed as usize % 3;
        let clock = Running(VirtualClock::at(at(0)), Duration::from_micros(1_000 * (1 + drawn(seed, 7, 200) as i64)));
        let job = Job::new(with_idleness).source("items", script()).sink("counts", counts.clone());
        let job = job.sink("late", late.clone()).workers(workers).turns(Arc::new(Baton::new(workers, seed)));
        let outcome = job.limits(limits(5)).clock(Arc::new(clock)).run().unwrap();
        let count = |line: &String| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap();
        let (counted, late) = (counts.text().iter().map(count).sum::<usize>(), late.text().len());
        assert_eq!(counted + late, 45, "seed {seed}: {counted} counted, {late} late");
        assert_eq!(outcome.metrics.snapshot().late(), late as u64, "seed {seed}: what is late is counted");
        if late == 0 {
            let expected = ["9.999999 12", "19.999999 9", "29.999999 9", "39.999999 12", "49.999999 3"];
            assert_eq!(counts.text(), expected, "seed {seed}");
            without += 1;
        } else {
            with_late += 1;
        }
    }
    println!("{} seeds: {with_late} with late rows, {without} without", seeds(200).count());
    assert!(with_late > 10 && without > 10, "{with_late} with late rows, {without} without");
}
