//! Input that is deep, wide or long without end: bounded before anything descends into it.

use dualgauge::testing::Random;

use crate::Case;
use crate::support::{Dir, GRAPH, Ran, ran};

pub const CASES: &[Case] = &[
    ("a_deep_json_value_is_a_bad_record_wherever_it_stands", deep_json),
    ("a_job_file_that_is_deep_or_endless_is_refused_by_name", job_files),
    ("a_job_file_that_a_seed_has_damaged_ends_no_process", damaged_job_files),
];

/// As deep as each of these, in a column that is wanted, in one that is not, in the place of the record, open and closed.
fn deep_json() {
    let good = "{\"key\":\"a\",\"value\":1,\"ts\":\"2024-01-01T00:00:00Z\"}";
    for depth in [200, 5_000, 100_000] {
        let (opens, closes) = ("[".repeat(depth), "]".repeat(depth));
        let objects = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        let lines = [
            format!("{{\"key\":{opens}{closes},\"value\":1,\"ts\":\"2024-01-01T00:00:00Z\"}}"),
            format!("{{\"key\":\"a\",\"value\":1,\"ts\":\"2024-01-01T00:00:00Z\",\"more\":{opens}{closes}}}"),
            format!("{{\"key\":\"a\",\"value\":{objects},\"ts\":\"2024-01-01T00:00:00Z\"}}"),
            objects.clone(),
            format!("{opens}{closes}"),
            opens.clone(),
            format!("{{\"more\":{opens}"),
        ];
        let dir = Dir::new();
        let text: String = lines.iter().map(|line| format!("{line}\n{good}\n")).collect();
        dir.write("a.json", text);
        let words = [
            "run",
            "-q",
            "--source",
            "in=json:a.json?bad=quarantine",
            "--sink",
            "out=json:-",
            "--sink",
            "bad=json:bad.json",
        ];
        let ran = dir.run("ev_quarantine", &words);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "depth {depth}");
        assert_eq!(ran.out.lines().collect::<Vec<_>>(), vec![good; lines.len()], "depth {depth}");
        assert_eq!(dir.read("bad.json").lines().count(), lines.len(), "depth {depth}");
        let ran = dir.run("ev", &["run", "-q", "--source", "in=json:a.json?bad=drop", "--sink", "out=json:-"]);
        assert_eq!((ran.code, ran.out.lines().count()), (Some(0), lines.len()), "depth {depth}");
        let ran = dir.run("ev", &["run", "-q", "--source", "in=json:a.json", "--sink", "out=json:-"]);
        assert_eq!(ran.code, Some(1), "depth {depth}");
        assert!(ran.err.contains("line 1 (byte 0)") && ran.err.contains("more than 128 deep"), "{}", ran.err);
    }
}

/// What a plan by a job file comes to on a stack of a mebibyte, of which clap alone needs the half in a debug build.
fn planned(dir: &Dir, job: &str) -> Ran {
    let mut command = dir.shell(&format!("ulimit -s 1024; exec \"$PROGRAM\" plan --job {job}"));
    command.env(GRAPH, "ev").env("PROGRAM", std::env::current_exe().unwrap());
    ran(command)
}

fn job_files() {
    let dir = Dir::new();
    let deep = 100_000;
    for (name, text) in [
        ("lists.toml", format!("workers = {}{}\n", "[".repeat(deep), "]".repeat(deep))),
        ("open.toml", format!("workers = {}", "[".repeat(deep))),
        ("tables.toml", format!("[sources]\nin = {}1{}\n", "{ a = ".repeat(deep), " }".repeat(deep))),
        ("dots.toml", format!("sources{} = 1\n", ".a".repeat(deep))),
        ("header.toml", format!("[sources{}]\nx = 1\n", ".a".repeat(deep))),
        ("long.toml", format!("# {}\n", "x".repeat(1 << 20))),
        ("binary.toml", "\u{0}\u{1}[[[".to_string()),
    ] {
        dir.write(name, text);
        let ran = planned(&dir, name);
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.err);
        assert!(ran.err.contains(&format!("job file {name}")) && ran.err.len() < 10_000, "{name}: {}", ran.err);
    }
    let ran = planned(&dir, "/dev/zero");
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(ran.err.contains("job file /dev/zero: it has more than 1048576 bytes"), "{}", ran.err);
}

/// How many seeds are tried: many more where the environment asks for it.
fn seeds() -> u64 {
    std::env::var("DUALGAUGE_HOSTILE").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(20)
}

fn damaged_job_files() {
    let dir = Dir::new();
    dir.write("a.csv", "key,value,ts\na,1,2024-01-01T00:00:00Z\n");
    let whole =
        "workers = 1\nto = 2026-01-01T00:00:00Z\n[sources]\nin = { binding = \"csv:a.csv\", disorder = \"5s\" }\n";
    for seed in 0..seeds() {
        let mut random = Random(seed);
        let mut below = |end: usize| random.below(end as u64) as usize;
        let mut bytes = whole.as_bytes().to_vec();
        for _ in 0..=below(3) {
            let at = below(bytes.len() - 8);
            let piece = bytes[at..at + 1 + below(6)].repeat(1 << below(14));
            match below(3) {
                0 => bytes[at] ^= 1 << below(8),
                1 => drop(bytes.splice(at..at, piece)),
                _ => bytes.truncate(at + 8),
            }
        }
        dir.write("job.toml", &bytes);
        let ran = planned(&dir, "job.toml");
        assert!(matches!(ran.code, Some(0..=2)), "seed {seed}: {:?}: {}", ran.code, ran.err);
    }
}
