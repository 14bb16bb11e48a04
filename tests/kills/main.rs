//! Whole processes that are killed: at every step of commit and recovery, at drawn moments, and stopped and woken as
//! zombies; a job of one process, and one of several. The output is compared byte for byte with that of a run that nobody
//! has touched.
//!
//! It would catch a row that is lost or doubled by a crash, a file that is published half or twice, staged files that
//! nobody clears, processes that wait for ever for one that is lost or out of reach, and an old generation that writes after a new one has
//! started. It is itself the program that it kills. More by `DUALGAUGE_WAYS`, in how many of four ways several processes
//! are killed at each step, and by `DUALGAUGE_KILLS`, `DUALGAUGE_ZOMBIES` and `DUALGAUGE_CUTS`, the numbers of drawn kills,
//! of drawn zombies and of cut networks; `DUALGAUGE_LOSS` is how many packets in a hundred are lost (`losses.rs`);
//! `DUALGAUGE_LINES` is the number of lines among which some are bad.

mod bad_records;
mod bootstrap;
mod child;
mod cuts;
mod drawn;
mod losses;
mod network;
mod panics;
mod steps;
mod supervisor;
mod zombies;

use std::collections::{BTreeMap, VecDeque};
use std::process::ExitCode;
use std::sync::Mutex;

use dualgauge::failpoint::Point;
use dualgauge::{Clock, SystemClock};

use self::supervisor::{Ground, Output, Run, Team, Way};

fn main() -> ExitCode {
    if let Some(words) = supervisor::words_of_child() {
        return child::run(&words);
    }
    // Names are asked for by tools that list tests.
    if std::env::args().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let golden = Golden::new();
    for (name, check) in CHECKS.iter().filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| name.contains(wanted))) {
        let clock = SystemClock::new();
        let done = check(&golden);
        println!("test {name} ... ok: {done}; in {} s", clock.elapsed().as_micros() / 1_000_000);
    }
    ExitCode::SUCCESS
}

/// Says what it has done, or panics.
type Check = fn(&Golden) -> String;

const CHECKS: [(&str, Check); 14] = [
    ("killed_at_every_step_of_a_commit_it_gives_the_same_output", steps::of_a_commit),
    ("killed_at_every_step_of_its_recovery_it_gives_the_same_output", steps::of_its_recovery),
    ("killed_at_drawn_moments_it_gives_the_same_output", drawn::alone),
    ("one_of_several_killed_at_drawn_moments_it_gives_the_same_output", drawn::one_of_several),
    ("killed_among_bad_records_each_is_a_dead_letter_exactly_once", bad_records::killed),
    ("a_panic_in_one_process_ends_all_with_exit_code_70", panics::in_hooks),
    ("stopped_at_every_step_and_woken_an_old_generation_changes_nothing", zombies::at_every_step),
    ("stopped_at_every_step_and_woken_one_or_all_of_two_change_nothing", zombies::of_two_processes),
    ("stopped_at_drawn_moments_and_woken_an_old_generation_changes_nothing", zombies::at_drawn_moments),
    ("cut_off_or_stopped_beyond_the_deadline_all_end_and_say_who_was_lost", cuts::lasting),
    ("a_stall_that_is_over_before_the_deadline_does_not_show", cuts::passing),
    ("with_lost_packets_all_end_or_say_who_was_lost", losses::of_packets),
    ("cut_short_in_a_handshake_they_find_each_other_or_say_who_is_missing", bootstrap::cut_short),
    ("a_thousand_slow_strangers_keep_nobody_out", bootstrap::among_strangers),
];

const ONE: Team = Team { processes: 1, workers: 1 };
const ONE_OF_TWO_WORKERS: Team = Team { processes: 1, workers: 2 };
const TWO: Team = Team { processes: 2, workers: 1 };
const FOUR: Team = Team { processes: 4, workers: 1 };

/// History and live, by one worker and by two, by two processes and by four.
const WAYS: [Way; 8] = [
    Way { from: "history", to: "log", team: ONE },
    Way { from: "history", to: "log", team: ONE_OF_TWO_WORKERS },
    Way { from: "live", to: "log", team: ONE },
    Way { from: "live", to: "log", team: ONE_OF_TWO_WORKERS },
    Way { from: "history", to: "log", team: TWO },
    Way { from: "live", to: "log", team: TWO },
    Way { from: "history", to: "log", team: FOUR },
    Way { from: "live", to: "log", team: FOUR },
];

/// What runs that nobody touches give, and how often they pass each point.
struct Golden {
    ground: Ground,
    output: Output,
    /// Of each way, by process.
    passages: Vec<Vec<BTreeMap<String, u64>>>,
}

impl Golden {
    fn new() -> Golden {
        let ground = Ground::new();
        let runs = WAYS.map(|way| {
            let run = Run::new(&ground, "golden", way);
            let ended = run.finish(way.team);
            (run.output(), ended.passages())
        });
        let [(output, _), others @ ..] = &runs;
        assert!(output.len() >= 10, "{:?}", output.keys());
        others.iter().for_each(|(other, _)| assert!(other == output, "all ways agree"));
        let output = output.clone();
        Golden { ground, output, passages: runs.map(|(_, passages)| passages).into() }
    }

    /// A process that passes the point, and a passage by a commit in the first half of a run; both drawn by a seed.
    fn passage(&self, way: usize, point: &str, seed: u64) -> (usize, u64) {
        // The first process writes twice to probe the store when it starts, and its fence.
        let is_of_start = ["write", "sync", "append", "sync-log"].iter().any(|step| point.ends_with(step));
        let of_start = |process: usize| if is_of_start && process == 0 { 3 } else { 0 };
        let passages = |process: usize| self.passages[way][process].get(point).copied().unwrap_or_default();
        let passing: Vec<_> =
            (0..WAYS[way].team.processes).filter(|&process| passages(process) > of_start(process)).collect();
        assert!(!passing.is_empty(), "{:?} never passes {point}", WAYS[way]);
        let process = passing[drawn(seed + 1_000, passing.len() as u64) as usize];
        let (of_start, passages) = (of_start(process), passages(process));
        (process, 1 + of_start + drawn(seed, (passages - of_start).div_ceil(2)))
    }

    /// About so many lines are printed by a run.
    fn lines(&self) -> u64 {
        self.passages[0][0].values().sum()
    }

    /// The output of `run` is that of one that nobody has touched.
    fn check(&self, run: &Run, what: &str) {
        compare(&self.output, run, what);
    }
}

/// The output of `run` is what was expected, byte for byte.
fn compare(expected: &Output, run: &Run, what: &str) {
    let output = run.output();
    assert!(output.keys().eq(expected.keys()), "{what}: {:?}, not {:?}", output.keys(), expected.keys());
    let other: Vec<_> =
        output.iter().filter(|(name, bytes)| expected[*name] != **bytes).map(|(name, _)| name).collect();
    assert!(other.is_empty(), "{what}: other bytes in {other:?}");
}

fn drawn(seed: u64, below: u64) -> u64 {
    let mixed = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33) % below
}

fn points(steps: &[Point]) -> Vec<String> {
    steps.iter().flat_map(|step| ["before", "after"].map(|when| format!("{when}-{}", step.name()))).collect()
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |count| count.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Does every case, as many at once as there are processors.
fn each<C: Send>(cases: impl IntoIterator<Item = C>, work: impl Fn(u64, C) + Sync) -> u64 {
    each_of(1, cases, work)
}

/// Does every case, so many at once on each processor: of those that wait most of the time.
fn each_of<C: Send>(at_once: usize, cases: impl IntoIterator<Item = C>, work: impl Fn(u64, C) + Sync) -> u64 {
    let cases: Mutex<VecDeque<(u64, C)>> = Mutex::new((0..).zip(cases).collect());
    let count = cases.lock().unwrap().len() as u64;
    let threads = at_once * std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((number, case)) = { cases.lock().unwrap().pop_front() } {
                    work(number, case);
                }
            });
        }
    });
    count
}
