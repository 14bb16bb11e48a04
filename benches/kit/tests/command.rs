//! The commands of `dualgauge-kit`, as whole processes.
//!
//! Would catch: data that is not where it was asked for, a bench whose page, plots or table lack a contestant, and a
//! wrong call that is not reported by name.

use std::path::Path;
use std::process::{Command, Output};

#[test]
fn an_auction_house_is_generated() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dualgauge-kit"));
    let words = ["nexmark", "generate", "data", "--events", "1000", "--table", "bids", "--disorder", "1s"];
    let output = command.current_dir(dir.path()).args(words).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).starts_with("bids") && text(&output.stdout).contains("920 rows"),
        "{}",
        text(&output.stdout)
    );
    assert_eq!(walk(&dir.path().join("data")), [dir.path().join("data/bids")]);
}

#[test]
fn window_joins_are_measured() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dualgauge-kit"));
    let words = ["window-join", "--quick", "--only", "workers", "--only", "live-window", "--out", "out"];
    let Output { status, stdout, stderr } = command.current_dir(dir.path()).args(words).output().unwrap();
    assert_eq!(status.code(), Some(0), "{}", text(&stderr));
    assert!(text(&stdout).contains("answers at small sizes are those of a nested loop"), "{}", text(&stdout));
    let out = dir.path().join("out");
    let mut files: Vec<_> =
        walk(&out).iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    files.sort();
    let plots = ["live-window-latency", "live-window-memory", "workers-memory", "workers-throughput"];
    let mut expected: Vec<_> = plots.iter().map(|name| format!("{name}.svg")).collect();
    expected.extend(["index.html", "window_join.csv"].map(str::to_string));
    expected.sort();
    assert_eq!(files, expected, "and no data is left");

    let csv = std::fs::read_to_string(out.join("window_join.csv")).unwrap();
    let (header, lines) = csv.split_once('\n').unwrap();
    assert_eq!(header, dualgauge_kit::CSV_HEADER);
    let contestants = dualgauge_kit::contestants();
    for contestant in &contestants {
        let of = |dimension: &str| {
            let name = format!(",{},", contestant.name());
            lines.lines().filter(|line| line.starts_with(dimension) && line.contains(&name)).collect::<Vec<_>>()
        };
        assert!(of("workers,").len() >= 2 && of("live-window,").len() == 3, "{}: {csv}", contestant.name());
        let columns = header.split(',').count();
        let live = of("live-window,10ms,")[0].split(',').collect::<Vec<_>>();
        assert_eq!(live.len(), columns, "{live:?}");
        assert!(live[columns - 5].parse::<u64>().unwrap() > 0, "some windows were closed: {live:?}");
    }
    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    assert_eq!(page.matches("<svg ").count(), plots.len());
    assert!(contestants.iter().all(|contestant| page.contains(&format!("<dt>{}</dt>", contestant.name()))));
}

#[test]
fn an_unknown_contestant_is_refused_with_those_there_are() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dualgauge-kit"));
    let output = command.args(["window-join", "--quick", "--contestant", "nobody"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    assert!(
        told.starts_with("error: there is no contestant `nobody`; there are: ") && told.contains("by hand"),
        "{told}"
    );
}

/// Calls, the code that each ends with, and words that it says on standard error; `DIR` holds a file named `file`.
const CALLS: &[(&str, i32, &[&str])] = &[
    ("nexmark generate", 2, &["required arguments", "<DIR>"]),
    ("nexmark generate DIR/n --events many", 2, &["'many' for '--events <COUNT>'"]),
    ("nexmark generate DIR/n --rate 0", 2, &["the rate of events", "above zero"]),
    ("nexmark generate DIR/n --table bets", 2, &["'bets' for '--table <TABLE>'", "persons, auctions, bids"]),
    ("nexmark generate DIR/n --disorder wild", 2, &["'wild' for '--disorder <TIME>'"]),
    ("nexmark generate DIR/file", 1, &["cannot write to ", "/file/persons: Not a directory"]),
    ("window-joins", 2, &["unrecognized subcommand 'window-joins'", "'window-join'"]),
];

#[test]
fn a_wrong_call_is_told_by_name() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    for (call, code, words) in CALLS {
        let call = call.replace("DIR", dir.path().to_str().unwrap());
        let output = Command::new(env!("CARGO_BIN_EXE_dualgauge-kit")).args(call.split(' ')).output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{call}: {told}");
        assert!(words.iter().all(|word| told.contains(word)), "{call}: {told}");
    }
}

#[test]
fn control_characters_of_a_call_are_made_visible() {
    for words in [&["window-join", "\u{1b}[31m"][..], &["\u{1b}[31m"], &["window-join", "--contestant", "\u{1b}[31m"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_dualgauge-kit")).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(!text(&output.stdout).contains('\u{1b}') && !text(&output.stderr).contains('\u{1b}'), "{words:?}");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn walk(dir: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}
