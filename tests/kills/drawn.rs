//! Killed at drawn moments, again and again, and gone on by other numbers of workers and processes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use dualgauge::Clock;
use dualgauge::prelude::*;

use crate::supervisor::{Call, Run, Team, Way};
use crate::{Golden, ONE, ONE_OF_TWO_WORKERS, TWO, WAYS, drawn, each, from_environment};

/// Each run is killed four times from outside, twice of them soon after its start, and goes on by other numbers of
/// workers.
pub fn alone(golden: &Golden) -> String {
    let kills = from_environment("DUALGAUGE_KILLS", 50);
    let (killed, recovering) = (AtomicU64::new(0), AtomicU64::new(0));
    each(0..kills.div_ceil(4), |number, seed| {
        let way = WAYS[drawn(seed, 4) as usize];
        let run = Run::new(&golden.ground, &format!("drawn-{number}"), way);
        let mut told = Vec::new();
        for turn in 0..4 {
            let place = seed * 8 + turn;
            let moment = if turn % 2 == 1 { 1 + drawn(place, 24) } else { 1 + drawn(place, golden.lines() / 2) };
            let team = Team { processes: 1, workers: 1 + drawn(place + 1_000_000, 3) as usize };
            let mut process = run.call(&Call::new(team, 0, "trace"));
            process.lines(moment as usize);
            process.kill(0);
            let ended = process.wait();
            if ended.is_well() {
                break; // it was done before
            }
            told.push(moment);
            killed.fetch_add(1, Ordering::Relaxed);
            recovering.fetch_add(u64::from(turn > 0 && ended.while_recovering()), Ordering::Relaxed);
        }
        run.finish(way.team);
        golden.check(&run, &format!("seed {seed}, {way:?}, killed after lines {told:?}"));
    });
    let (killed, recovering) = (killed.into_inner(), recovering.into_inner());
    assert!(killed >= kills * 9 / 10 && recovering >= kills / 5, "{killed} kills, {recovering} during recovery");
    format!("{killed} kills, {recovering} of them during recovery")
}

/// Who runs a job after the other: more workers and fewer, more processes and fewer.
pub const TEAMS: [Team; 6] = [
    TWO,
    Team { processes: 1, workers: 4 },
    Team { processes: 2, workers: 2 },
    Team { processes: 4, workers: 1 },
    ONE_OF_TWO_WORKERS,
    Team { processes: 1, workers: 7 },
];

/// Each run loses one of its processes three times, and goes on by another team; where that is of one process, the job is
/// killed as a whole.
pub fn one_of_several(golden: &Golden) -> String {
    let kills = from_environment("DUALGAUGE_KILLS", 18);
    let (killed, of_several, rescaled) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let down = Mutex::new((Vec::new(), Vec::new()));
    each(0..kills.div_ceil(3), |number, seed| {
        let way = Way { team: ONE, ..WAYS[if seed % 2 == 0 { 0 } else { 2 }] };
        let run = Run::new(&golden.ground, &format!("several-{number}"), way);
        let (mut told, mut before) = (Vec::new(), None);
        let mut went_on = |team, first_commit: Option<Duration>| {
            if let Some(before) = before.replace(team) {
                rescaled.fetch_add(u64::from(before != team), Ordering::Relaxed);
                down.lock().unwrap().1.extend(first_commit);
            }
        };
        for turn in 0..3 {
            let place = seed * 8 + turn;
            let team = TEAMS[(seed + 2 * turn) as usize % TEAMS.len()];
            let process = drawn(place + 2_000_000, team.processes as u64) as usize;
            let moment = 1 + drawn(place, golden.lines() / 2);
            let mut processes = run.call(&Call::new(team, 0, "trace"));
            processes.lines(moment as usize);
            processes.kill(process);
            let (clock, since) = (processes.clock, processes.clock.elapsed());
            let ended = processes.wait();
            went_on(team, ended.first_commit);
            if ended.statuses[process].success() {
                break; // it was done before
            }
            down.lock().unwrap().0.push(clock.elapsed() - since);
            told.push((team, process, moment));
            killed.fetch_add(1, Ordering::Relaxed);
            of_several.fetch_add(u64::from(team.processes > 1), Ordering::Relaxed);
        }
        let team = TEAMS[(seed + 1) as usize % TEAMS.len()];
        went_on(team, run.finish(team).first_commit);
        golden.check(&run, &format!("seed {seed}, {way:?}, killed: {told:?}"));
    });
    let [killed, of_several, rescaled] = [killed, of_several, rescaled].map(AtomicU64::into_inner);
    assert!(killed >= kills * 9 / 10 && of_several >= kills / 3, "{killed} kills, {of_several} of one of several");
    let (ends, commits) = down.into_inner().unwrap();
    format!(
        "{killed} kills, {of_several} of them of one of several processes, {rescaled} times another team went on; from a \
         kill until all had ended {}, from a start until its first commit {}",
        percentiles(ends),
        percentiles(commits)
    )
}

pub fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let of = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
    let told = |percent| of(percent).map_or("-".to_string(), |time| format!("{} ms", time.as_micros() / 1000));
    format!("p50 {}, p99 {}, most {}", told(50), told(99), told(100))
}
