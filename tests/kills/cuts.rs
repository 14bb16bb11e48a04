//! Cut networks, and processes that stand still: all end with an error that names who was lost, and the next start goes on;
//! what is over before the deadline does not show at all.

use std::sync::atomic::{AtomicU64, Ordering};

use dualgauge::failpoint::Point;
use dualgauge::prelude::*;

use crate::network::{Back, Control, Data, Direction, Network, Purpose, SILENT, There, Weather};
use crate::supervisor::{Call, Ended, Run, Way};
use crate::{FOUR, Golden, TWO, WAYS, drawn, each_of, from_environment, points};

/// What happens to one process.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Network(&'static [Direction], &'static [Purpose], Weather),
    /// It stands still until the others have given it up.
    Stopped,
    /// It stands still for so many heartbeats.
    StoppedFor(u64),
}

const BOTH: &[Direction] = &[There, Back];
const ALL: &[Purpose] = &[Data, Control];
const LONG: Weather = Weather::Held { beats: u64::MAX };

/// After each of these somebody is lost.
const LASTING: [Fault; 9] = [
    Fault::Network(BOTH, ALL, SILENT),
    Fault::Network(&[There], ALL, SILENT),
    Fault::Network(&[Back], ALL, SILENT),
    Fault::Network(BOTH, &[Control], SILENT),
    Fault::Network(BOTH, &[Data], SILENT),
    Fault::Network(BOTH, ALL, LONG),
    Fault::Network(&[There], ALL, LONG),
    Fault::Network(BOTH, ALL, Weather::Reset),
    Fault::Stopped,
];

/// These pass.
const PASSING: [Fault; 3] = [
    Fault::Network(BOTH, ALL, Weather::Held { beats: 2 }),
    Fault::Network(&[Back], ALL, Weather::Held { beats: 2 }),
    Fault::StoppedFor(2),
];

/// Every process has ended, and said who was lost.
fn check_lost(ended: &Ended, what: &str) {
    for (process, (status, error)) in ended.statuses.iter().zip(&ended.errors).enumerate() {
        assert!(!status.success() && error.contains("was lost"), "{what}: process {process} does not say why: {error}");
    }
}

/// A process is stopped at a step of a commit, what happens happens, and it goes on. How all ended, and whether it came so
/// far: where this machine is so slow that one is lost before, that is a loss as well.
fn meet(golden: &Golden, run: &Run, way: Way, fault: Fault, number: u64, deadline: Duration) -> (Ended, bool, String) {
    let like = WAYS.iter().position(|known| *known == way).unwrap();
    let point = &points(&Point::COMMIT)[(number * 7 % 22) as usize];
    let (process, passage) = golden.passage(like, point, number);
    let plan = format!("{point}:{passage}:stop");
    let what = format!("{way:?}, process {process} stopped at {plan}, then {fault:?}");
    let network = Network::default();
    let reach = |from, to, address| network.reach(from, to, address);
    let mut processes = run.call(&Call { deadline, reach: &reach, ..Call::new(way.team, process, &plan) });
    let is_stopped = processes.is_stopped();
    if is_stopped {
        match fault {
            Fault::Network(directions, purposes, weather) => network.set(Some(process), directions, purposes, weather),
            Fault::Stopped => processes.until_ended((process + 1) % way.team.processes),
            Fault::StoppedFor(beats) => network.await_beats(process, beats),
        }
        processes.signal(process, "-CONT");
    }
    (processes.wait(), is_stopped, what)
}

pub fn lasting(golden: &Golden) -> String {
    let cut = AtomicU64::new(0);
    let count = each_of(3, 0..from_environment("DUALGAUGE_CUTS", 2 * LASTING.len() as u64), |number, seed| {
        let fault = LASTING[seed as usize % LASTING.len()];
        let from = ["history", "live"][seed as usize / LASTING.len() % 2];
        let way = Way { from, to: "log", team: if drawn(seed, 3) == 0 { FOUR } else { TWO } };
        let run = Run::new(&golden.ground, &format!("cut-{number}"), way);
        let (ended, reached, what) = meet(golden, &run, way, fault, seed, 2.seconds());
        check_lost(&ended, &what);
        cut.fetch_add(u64::from(reached), Ordering::Relaxed);
        run.finish(way.team);
        golden.check(&run, &what);
    });
    format!("{count} times one was lost, {} times at the drawn step", cut.into_inner())
}

pub fn passing(golden: &Golden) -> String {
    let count = each_of(3, 0..from_environment("DUALGAUGE_CUTS", PASSING.len() as u64), |number, seed| {
        let (fault, from) = (PASSING[seed as usize % PASSING.len()], ["live", "history"][seed as usize % 2]);
        let way = Way { from, to: "log", team: TWO };
        let run = Run::new(&golden.ground, &format!("stall-{number}"), way);
        let (ended, reached, what) = meet(golden, &run, way, fault, seed, 10.seconds());
        assert!(reached && ended.is_well(), "{what}: {}", ended.said());
        golden.check(&run, &what);
    });
    format!("{count} stalls that nobody noticed")
}
