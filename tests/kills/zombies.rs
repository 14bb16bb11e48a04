//! Zombies: processes that stand still while a next generation runs to the end, and then go on.

use std::sync::atomic::{AtomicU64, Ordering};

use dualgauge::failpoint::Point;

use crate::supervisor::{Processes, Run, Way};
use crate::{Golden, ONE, ONE_OF_TWO_WORKERS, TWO, WAYS, drawn, each, from_environment, points};

/// A log that a stopped process is writing to at that moment is locked by it, so zombies have files alone.
const ALONE: [Way; 2] =
    [Way { from: "history", to: "files", team: ONE }, Way { from: "live", to: "files", team: ONE_OF_TWO_WORKERS }];
const OF_TWO: [Way; 2] =
    [Way { from: "history", to: "files", team: TWO }, Way { from: "live", to: "files", team: TWO }];

/// Starts the job, and lets it stand still at a passage of the point.
fn stopped<'r>(golden: &Golden, run: &'r Run, way: Way, point: &str, number: u64) -> (Processes<'r>, usize, String) {
    let like = WAYS.iter().position(|known| (known.from, known.team) == (way.from, way.team)).unwrap();
    let (process, passage) = golden.passage(like, point, number);
    let plan = format!("{point}:{passage}:stop");
    let mut old = run.start(process, &plan);
    old.wait_until_stopped();
    (old, process, plan)
}

pub fn at_every_step(golden: &Golden) -> String {
    let fenced = AtomicU64::new(0);
    let points = points(&Point::COMMIT);
    let cases = ALONE.into_iter().flat_map(|way| points.iter().map(move |point| (way, point)));
    let count = each(cases, |number, (way, point)| {
        let run = Run::new(&golden.ground, &format!("zombie-{number}"), way);
        let (old, process, plan) = stopped(golden, &run, way, point, number);
        fenced.fetch_add(u64::from(wake(golden, &run, old, &[process], way, &plan)), Ordering::Relaxed);
    });
    told(count, fenced)
}

/// One of two stands still, and the other waits for it, however long; or both stand still. Each point has one of the
/// two, in history or live; with `DUALGAUGE_WAYS=4` all four.
pub fn of_two_processes(golden: &Golden) -> String {
    let fenced = AtomicU64::new(0);
    let points = points(&Point::COMMIT);
    let of_each = from_environment("DUALGAUGE_WAYS", 1).min(4);
    let cases = points
        .iter()
        .enumerate()
        .flat_map(|(at, point)| (0..of_each).map(move |turn| ((at + at / 4) as u64 + turn, point)));
    let count = each(cases, |number, (kind, point)| {
        let (way, both) = (OF_TWO[(kind % 2) as usize], kind / 2 % 2 == 0);
        let run = Run::new(&golden.ground, &format!("zombie-of-two-{number}"), way);
        let (old, process, plan) = stopped(golden, &run, way, point, number);
        let sleepers: Vec<_> = (0..2).filter(|&other| both || other == process).collect();
        sleepers.iter().filter(|&&other| other != process).for_each(|&other| old.signal(other, "-STOP"));
        let at = format!("process {process} at {plan}, asleep {sleepers:?}");
        fenced.fetch_add(u64::from(wake(golden, &run, old, &sleepers, way, &at)), Ordering::Relaxed);
    });
    told(count, fenced)
}

pub fn at_drawn_moments(golden: &Golden) -> String {
    let fenced = AtomicU64::new(0);
    let count = each(0..from_environment("DUALGAUGE_ZOMBIES", 12), |number, seed| {
        let way = [ALONE, OF_TWO][seed as usize / 2 % 2][seed as usize % 2];
        let run = Run::new(&golden.ground, &format!("drawn-zombie-{number}"), way);
        let moment = 1 + drawn(seed, golden.lines() / 2);
        let mut old = run.start(0, "trace");
        // One that has not fenced older ones off when it is stopped is the younger one when it is woken.
        while !old.seen.iter().any(|(_, line)| line.ends_with("after-fence")) && old.line().is_some() {}
        old.lines(moment as usize);
        let all: Vec<_> = (0..way.team.processes).collect();
        let sleepers =
            if drawn(seed + 1_000, 2) == 0 { &all[..] } else { &all[drawn(seed, all.len() as u64) as usize..][..1] };
        sleepers.iter().for_each(|&process| old.signal(process, "-STOP"));
        let at = format!("line {moment}, asleep {sleepers:?}");
        fenced.fetch_add(u64::from(wake(golden, &run, old, sleepers, way, &at)), Ordering::Relaxed);
    });
    told(count, fenced)
}

fn told(count: u64, fenced: AtomicU64) -> String {
    let fenced = fenced.into_inner();
    assert!(fenced > count / 2, "{fenced} of {count} zombies were fenced");
    format!("{count} zombies, {fenced} fenced, the others had made their last commit")
}

/// A second generation runs to the end while the `sleepers` of the first one stand still; then they go on. Whether they
/// were fenced: one that had committed the end of the input before it stood still has nothing left but to publish, as the
/// second has done.
fn wake(golden: &Golden, run: &Run, old: Processes<'_>, sleepers: &[usize], way: Way, stopped_at: &str) -> bool {
    let what = format!("{way:?}, stopped at {stopped_at}");
    let had_ended = run.has_ended();
    run.finish(way.team);
    let output = run.output();
    let mut expected = golden.output.clone();
    expected.retain(|name, _| name != "dearest");
    assert!(output == expected, "{what}: other output, of {:?}", output.keys());
    sleepers.iter().for_each(|&process| old.signal(process, "-CONT"));
    let ended = old.wait();
    let is_fenced = ended.statuses.iter().all(|status| !status.success()) && ended.said().contains("E-FENCED");
    assert!(is_fenced || had_ended && ended.is_well(), "{what}: {}", ended.said());
    // One that had only just started makes its hidden directory anew before it learns that it is over.
    assert!(run.visible() == output, "{what}: the old generation has changed the output");
    is_fenced
}
