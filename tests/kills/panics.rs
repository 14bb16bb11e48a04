//! A closure panics in one of the processes: all end, and how long that takes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use dualgauge::Clock;

use crate::drawn::percentiles;
use crate::supervisor::{Call, Run, Team, Way};
use crate::{FOUR, Golden, ONE, ONE_OF_TWO_WORKERS, TWO, drawn, each, from_environment};

/// The words that arm a hook of the child, before its name and the number of the call.
pub const PANIC: &str = "panic ";

/// What the child prints right before it panics.
pub const SAID: &str = "panics";

const HOOKS: [&str; 4] = ["map", "key_by", "aggregate", "fold"];

static ARMED: Mutex<(String, u64)> = Mutex::new((String::new(), 0));

/// Lets the named hook of this process panic at a call of it.
pub fn arm(words: &str) {
    let (hook, call) = words.split_once(' ').expect("a hook and the number of a call");
    *ARMED.lock().unwrap() = (hook.to_string(), call.parse().expect("a number"));
}

/// A call of a hook.
pub fn call(hook: &str) {
    let due = {
        let mut armed = ARMED.lock().unwrap();
        let is_it = armed.0 == hook && armed.1 > 0;
        armed.1 -= u64::from(is_it);
        is_it && armed.1 == 0
    };
    if due {
        println!("{SAID}");
        panic!("unlucky");
    }
}

/// Of one, two and four processes, whichever comes to it first.
pub fn in_hooks(golden: &Golden) -> String {
    let (rounds, times, exits) = (from_environment("DUALGAUGE_PANICS", 1), Mutex::new(Vec::new()), AtomicU64::new(0));
    let teams: [Team; 4] = [ONE, ONE_OF_TWO_WORKERS, TWO, FOUR];
    let cases = HOOKS.iter().flat_map(|hook| teams.map(|team| (hook, team)));
    let cases = (0..rounds).flat_map(|round| cases.clone().map(move |(hook, team)| (round, hook, team)));
    each(cases, |number, (round, hook, team)| {
        let words = format!("{PANIC}{hook} {}", 1 + drawn(round * 100 + number, 400 / team.processes as u64));
        let way = Way { from: "history", to: words.leak(), team };
        let run = Run::new(&golden.ground, &format!("panic-{number}"), way);
        let mut processes = run.call(&Call::new(team, 0, "trace"));
        while processes.line().expect("a process panics").1 != SAID {}
        let (clock, since) = (processes.clock, processes.clock.elapsed());
        let ended = processes.wait();
        times.lock().unwrap().push(clock.elapsed() - since);
        assert!(ended.statuses.iter().all(|status| status.code() == Some(70)), "{hook}, {team:?}: {}", ended.said());
        assert!(
            ended.errors.iter().all(|said| said.contains("panicked: unlucky")),
            "{hook}, {team:?}: {}",
            ended.said()
        );
        exits.fetch_add(ended.statuses.len() as u64, Ordering::Relaxed);
    });
    let times = times.into_inner().unwrap();
    format!(
        "{} panics, {} processes with exit code 70; from a panic until all processes had ended {}",
        times.len(),
        exits.into_inner(),
        percentiles(times)
    )
}
