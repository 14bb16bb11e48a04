//! Whole processes that are killed: at every step of commit and recovery, at drawn moments, and stopped and woken as
//! zombies. The output is compared byte for byte with that of a run that nobody has touched.
//!
//! It would catch a row that is lost or doubled by a crash, a file that is published half or twice, staged files that
//! nobody clears, and an old generation that writes after a new one has started. It is itself the program that it kills.
//! More by `DUALGAUGE_KILLS` and `DUALGAUGE_ZOMBIES`, the numbers of drawn kills and of drawn zombies.

mod child;
mod supervisor;

use std::collections::{BTreeMap, VecDeque};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use dualgauge::failpoint::Step;

use self::supervisor::{Ground, Output, Run, Way};

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
    let checks: [(&str, Check); 5] = [
        ("killed_at_every_step_of_a_commit_it_gives_the_same_output", killed_at_every_step_of_a_commit),
        ("killed_at_every_step_of_its_recovery_it_gives_the_same_output", killed_at_every_step_of_its_recovery),
        ("killed_at_drawn_moments_it_gives_the_same_output", killed_at_drawn_moments),
        ("stopped_at_every_step_and_woken_an_old_generation_changes_nothing", stopped_at_every_step_and_woken),
        ("stopped_at_drawn_moments_and_woken_an_old_generation_changes_nothing", stopped_at_drawn_moments_and_woken),
    ];
    for (name, check) in checks.iter().filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| name.contains(wanted))) {
        println!("test {name} ... ok: {}", check(&golden));
    }
    ExitCode::SUCCESS
}

/// Says what it has done, or panics.
type Check = fn(&Golden) -> String;

/// History and live, by one worker and by two.
const WAYS: [Way; 4] = [
    Way { from: "history", to: "log", workers: 1 },
    Way { from: "history", to: "log", workers: 2 },
    Way { from: "live", to: "log", workers: 1 },
    Way { from: "live", to: "log", workers: 2 },
];

/// What runs that nobody touches give, and how often they pass each point.
struct Golden {
    ground: Ground,
    output: Output,
    passages: Vec<BTreeMap<String, u64>>,
}

impl Golden {
    fn new() -> Golden {
        let ground = Ground::new();
        let runs = WAYS.map(|way| {
            let run = Run::new(&ground, "golden", way);
            let ended = run.start("trace").wait();
            assert!(ended.status.success(), "{way:?}: {}", ended.said);
            (run.output(), ended.passages())
        });
        let [(output, _), others @ ..] = &runs;
        assert!(output.len() >= 10, "{:?}", output.keys());
        others.iter().for_each(|(other, _)| assert!(other == output, "history and live, one worker and two, agree"));
        let output = output.clone();
        Golden { ground, output, passages: runs.map(|(_, passages)| passages).into() }
    }

    /// A passage of the point by a commit in the first half of a run, drawn by a seed.
    fn passage(&self, way: usize, point: &str, seed: u64) -> u64 {
        let passages = self.passages[way].get(point).copied().unwrap_or_default();
        // A start writes twice to probe the store, and its fence.
        let of_start =
            if ["write", "sync", "append", "sync-log"].iter().any(|step| point.ends_with(step)) { 3 } else { 0 };
        assert!(passages > of_start, "{:?} never passes {point}", WAYS[way]);
        1 + of_start + drawn(seed, (passages - of_start).div_ceil(2))
    }

    /// The output of `run` is that of one that nobody has touched.
    fn check(&self, run: &Run, what: &str) {
        let output = run.output();
        assert!(output.keys().eq(self.output.keys()), "{what}: {:?}, not {:?}", output.keys(), self.output.keys());
        let other: Vec<_> = output.iter().filter(|(name, bytes)| self.output[*name] != **bytes).collect();
        assert!(
            other.is_empty(),
            "{what}: other bytes in {:?}",
            other.iter().map(|(name, _)| name).collect::<Vec<_>>()
        );
    }
}

fn drawn(seed: u64, below: u64) -> u64 {
    let mixed = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33) % below
}

fn points(steps: &[Step]) -> Vec<String> {
    steps.iter().flat_map(|step| ["before", "after"].map(|when| format!("{when}-{}", step.name()))).collect()
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |count| count.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Does every case, as many at once as there are processors.
fn each<C: Send>(cases: impl IntoIterator<Item = C>, work: impl Fn(u64, C) + Sync) -> u64 {
    let cases: Mutex<VecDeque<(u64, C)>> = Mutex::new((0..).zip(cases).collect());
    let count = cases.lock().unwrap().len() as u64;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
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

fn killed_at_every_step_of_a_commit(golden: &Golden) -> String {
    let cases = (0..WAYS.len()).flat_map(|way| points(&Step::COMMIT).into_iter().map(move |point| (way, point)));
    let count = each(cases, |number, (way, point)| {
        let run = Run::new(&golden.ground, &format!("commit-{number}"), WAYS[way]);
        let plan = format!("{point}:{}", golden.passage(way, &point, number));
        let ended = run.start(&plan).wait();
        assert!(!ended.status.success() && ended.reached(), "{:?}: {plan} is not reached: {}", WAYS[way], ended.said);
        run.finish(WAYS[way].workers);
        golden.check(&run, &format!("{:?} killed at {plan}", WAYS[way]));
    });
    format!("{count} kills")
}

fn killed_at_every_step_of_its_recovery(golden: &Golden) -> String {
    let cases = (0..WAYS.len()).flat_map(|way| points(&Step::RECOVERY).into_iter().map(move |point| (way, point)));
    let count = each(cases, |number, (way, point)| {
        let run = Run::new(&golden.ground, &format!("recovery-{number}"), WAYS[way]);
        let plan = format!("after-publish:{}", golden.passage(way, "after-publish", number));
        assert!(!run.start(&plan).wait().status.success());
        // There is no more than one fence in a start; of the others, the second.
        let again = format!("{point}:{}", if point.ends_with("fence") { 1 } else { 2 });
        let ended = run.start(&again).wait();
        assert!(ended.reached() && ended.while_recovering(), "{:?}: {again} is not reached: {}", WAYS[way], ended.said);
        run.finish(WAYS[way].workers);
        golden.check(&run, &format!("{:?} killed at {plan} and at {again}", WAYS[way]));
    });
    format!("{} kills, {count} of them during recovery", 2 * count)
}

/// Each run is killed four times from outside, twice of them soon after its start, and goes on by other numbers of
/// workers.
fn killed_at_drawn_moments(golden: &Golden) -> String {
    let kills = from_environment("DUALGAUGE_KILLS", 50);
    let (killed, recovering) = (AtomicU64::new(0), AtomicU64::new(0));
    each(0..kills.div_ceil(4), |number, seed| {
        let way = WAYS[drawn(seed, WAYS.len() as u64) as usize];
        let lines: u64 = golden.passages[0].values().sum();
        let run = Run::new(&golden.ground, &format!("drawn-{number}"), way);
        let mut told = Vec::new();
        for turn in 0..4 {
            let place = seed * 8 + turn;
            let moment = if turn % 2 == 1 { 1 + drawn(place, 24) } else { 1 + drawn(place, lines / 2) };
            let mut process = run.start_on(1 + drawn(place + 1_000_000, 3) as usize, "trace");
            process.lines(moment as usize);
            let ended = process.kill();
            if ended.status.success() {
                break; // it was done before
            }
            told.push(moment);
            killed.fetch_add(1, Ordering::Relaxed);
            recovering.fetch_add(u64::from(turn > 0 && ended.while_recovering()), Ordering::Relaxed);
        }
        run.finish(way.workers);
        golden.check(&run, &format!("seed {seed}, {way:?}, killed after lines {told:?}"));
    });
    let (killed, recovering) = (killed.into_inner(), recovering.into_inner());
    assert!(killed >= kills * 9 / 10 && recovering >= kills / 5, "{killed} kills, {recovering} during recovery");
    format!("{killed} kills, {recovering} of them during recovery")
}

/// A log that a stopped process is writing to at that moment is locked by it, so zombies have files alone.
const ZOMBIES: [Way; 2] =
    [Way { from: "history", to: "files", workers: 1 }, Way { from: "live", to: "files", workers: 2 }];

fn stopped_at_every_step_and_woken(golden: &Golden) -> String {
    let cases = ZOMBIES.into_iter().flat_map(|way| points(&Step::COMMIT).into_iter().map(move |point| (way, point)));
    let fenced = AtomicU64::new(0);
    let count = each(cases, |number, (way, point)| {
        let run = Run::new(&golden.ground, &format!("zombie-{number}"), way);
        let like = WAYS.iter().position(|known| (known.from, known.workers) == (way.from, way.workers)).unwrap();
        let plan = format!("{point}:{}:stop", golden.passage(like, &point, number));
        let mut old = run.start(&plan);
        old.wait_until_stopped();
        fenced.fetch_add(u64::from(wake(golden, &run, old, way, &plan)), Ordering::Relaxed);
    });
    let fenced = fenced.into_inner();
    assert!(fenced > count * 3 / 4, "{fenced} of {count} zombies were fenced");
    format!("{count} zombies, {fenced} fenced, the others had made their last commit")
}

fn stopped_at_drawn_moments_and_woken(golden: &Golden) -> String {
    let fenced = AtomicU64::new(0);
    let count = each(0..from_environment("DUALGAUGE_ZOMBIES", 10), |number, seed| {
        let way = ZOMBIES[seed as usize % 2];
        let run = Run::new(&golden.ground, &format!("drawn-zombie-{number}"), way);
        let lines: u64 = golden.passages[0].values().sum();
        let moment = 1 + drawn(seed, lines / 2);
        let mut old = run.start("trace");
        // One that has not fenced older ones off when it is stopped is the younger one when it is woken.
        while !old.seen.iter().any(|line| line.ends_with("after-fence")) && old.line().is_some() {}
        old.lines(moment as usize);
        old.signal("-STOP");
        fenced.fetch_add(u64::from(wake(golden, &run, old, way, &format!("line {moment}"))), Ordering::Relaxed);
    });
    let fenced = fenced.into_inner();
    assert!(fenced > count / 2, "{fenced} of {count} zombies were fenced");
    format!("{count} zombies, {fenced} fenced, the others had made their last commit")
}

/// A second generation runs to the end while the first one stands still; then the first one goes on. Whether it was
/// fenced: one that had committed the end of the input before it stood still has nothing left but to publish, as the second
/// has done.
fn wake(golden: &Golden, run: &Run, old: supervisor::Process<'_>, way: Way, stopped_at: &str) -> bool {
    let what = format!("{way:?}, stopped at {stopped_at}");
    let had_ended = run.has_ended();
    run.finish(way.workers);
    let output = run.output();
    let mut expected = golden.output.clone();
    expected.retain(|name, _| name != "dearest");
    assert!(output == expected, "{what}: other output, of {:?}", output.keys());
    old.signal("-CONT");
    let ended = old.wait();
    let is_fenced = !ended.status.success() && ended.said.contains("E-FENCED");
    assert!(is_fenced || had_ended && ended.status.success(), "{what}: {}: {}", ended.status, ended.said);
    // One that had only just started makes its hidden directory anew before it learns that it is over.
    assert!(run.visible() == output, "{what}: the old generation has changed the output");
    is_fenced
}
