//! Rules about the text of this repository, as ordinary tests.
//!
//! Would catch: a floor that reaches for one above it, a clock that nobody can hold still, an invariant that is worded in
//! two ways, a page that names a file which is gone, and the leftovers of a day's work.

#[path = "tidy/aliases.rs"]
mod aliases;
#[path = "tidy/api.rs"]
mod api;
#[path = "tidy/codes.rs"]
mod codes;
#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/flags.rs"]
mod flags;
#[path = "tidy/floors.rs"]
mod floors;
#[path = "tidy/packages.rs"]
mod packages;
#[path = "tidy/prelude.rs"]
mod prelude;
#[path = "tidy/words.rs"]
mod words;

use std::fs;
use std::path::{Path, PathBuf};

/// Files longer than 500 lines, and why they may be.
const LONG_FILES: &[(&str, &str)] = &[
    ("connectors/tests/log.rs", "one play of faults and crashes, in which each test stands on the ones before it"),
    ("engine/src/state/trace.rs", "a serde deserializer: many small methods that only make sense together"),
    ("engine/tests/reading.rs", "sources that are told what to do, and the one driver that they are all tried on"),
    ("engine/tests/record.rs", "one record with every kind of field, and all that is asked of it"),
];

const LINES_MAX: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file of the repository below `dirs` whose name ends so, by its path from the root.
fn files(dirs: &[&str], ending: &str) -> Vec<String> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            let built = path.ends_with("target") || path.ends_with("docs/book");
            if path.is_dir() && !built {
                walk(&path, found);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    dirs.iter().for_each(|dir| walk(&root().join(dir), &mut found));
    let names = found.iter().map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_string());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(ending)).collect();
    names.sort();
    names
}

fn sources() -> Vec<String> {
    let found = files(&["engine", "operators", "connectors", "src", "examples", "benches", "tests"], ".rs");
    assert!(found.len() > 150, "the walk has found only {} files", found.len());
    found
}

fn pages() -> Vec<String> {
    let mut found = files(&["docs"], ".md");
    found.extend(["README.md", "CHANGELOG.md", "SECURITY.md"].map(str::to_string));
    found
}

/// Code and prose as one line, without the marks of comments, so that a sentence is found however it is wrapped.
fn flowed(text: &str) -> String {
    let without_mark = |line: &str| {
        let line = line.trim();
        ["//!", "///", "//"].iter().find_map(|mark| line.strip_prefix(mark)).unwrap_or(line).trim().to_string()
    };
    text.lines().map(without_mark).collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands between backquotes in a text, outside of blocks of code.
fn quoted(text: &str) -> Vec<&str> {
    let outside: Vec<&str> = text.split("```").step_by(2).collect();
    outside.into_iter().flat_map(|part| part.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_source_file_begins_by_saying_what_it_is() {
    for name in sources() {
        assert!(read(&name).starts_with("//!"), "{name} does not begin with `//!`");
    }
}

#[test]
fn files_are_read_at_one_sitting() {
    for name in sources() {
        let lines = read(&name).lines().count();
        let excused = LONG_FILES.iter().any(|(long, _)| *long == name);
        assert!(excused || lines <= LINES_MAX, "{name} has {lines} lines, more than {LINES_MAX}: open a second file");
        assert!(!excused || lines > LINES_MAX, "{name} has {lines} lines and needs no excuse any more");
    }
    for (long, _) in LONG_FILES {
        assert!(root().join(long).exists(), "{long} is excused and does not exist");
    }
}

#[test]
fn nothing_is_left_undone_or_left_lying_about() {
    // Put together here, or this file would be found.
    let words =
        [["todo", "!("], ["unimplemented", "!("], ["dbg", "!("], ["#[", "ignore"], ["/", "work/"], ["/home", "/"]];
    for name in sources().into_iter().chain(pages()).chain([".ci/run".to_string()]) {
        let text = read(&name);
        for word in words.map(|parts| parts.concat()) {
            assert!(!text.contains(&word), "{name} contains `{word}`");
        }
    }
}

#[test]
fn each_floor_uses_only_what_is_below_it() {
    // The engine knows no operator and no connector.
    let above = |manifest: &str, names: &[&str]| {
        let text = read(manifest);
        for name in names {
            assert!(!text.contains(&format!("dualgauge-{name}")), "{manifest} names dualgauge-{name}");
        }
    };
    above("engine/Cargo.toml", &["operators", "connectors"]);
    above("operators/Cargo.toml", &["connectors"]);
    above("connectors/Cargo.toml", &["operators"]);
    for (floor, names) in [
        ("engine", ["dualgauge_operators", "dualgauge_connectors"]),
        ("operators", ["dualgauge_connectors", "timely::"]),
        ("connectors", ["dualgauge_operators", "timely::"]),
    ] {
        for file in files(&[floor], ".rs") {
            for name in names {
                assert!(!read(&file).contains(name), "{file} uses {name}");
            }
        }
    }
}

#[test]
fn nobody_touches_what_is_no_part_of_the_interface() {
    for name in files(&["src", "examples", "benches"], ".rs") {
        assert!(!read(&name).contains("__private"), "{name} uses what may change with every version");
    }
}

#[test]
fn nothing_reaches_for_the_time_of_day() {
    // Only the clock asks what time it is.
    for name in files(&["engine/src", "operators/src", "connectors/src", "src"], ".rs") {
        let asks = ["Instant::now", "SystemTime::now", "Timestamp::now"].iter().any(|call| read(&name).contains(call));
        assert_eq!(asks, name == "engine/src/time/clock.rs", "{name}: whoever needs the time is handed a `Clock`");
    }
}

#[test]
fn what_is_said_to_a_person_passes_through_outside() {
    // It makes control characters of names and data visible; these print past it.
    for name in files(&["src/cli", "src/bin"], ".rs").into_iter().chain(["benches/kit/src/command.rs".to_string()]) {
        let text = read(&name);
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        for past in [["print", "ln!("], ["print", "!("], [".print", "()"]].map(|parts| parts.concat()) {
            assert!(!code.contains(&past), "{name} prints by `{past}`, and not through `Outside`");
        }
    }
}

/// The numbered invariants of the architecture page: the sentence, and the files named in its item.
fn invariants() -> Vec<(String, Vec<String>)> {
    let page = read("docs/architecture.md");
    let (_, list) = page.split_once("## Invariants").expect("the page has invariants");
    let mut found = Vec::new();
    for (number, item) in list.split("\n").collect::<Vec<_>>().join("\n").split(". **").skip(1).enumerate() {
        let (sentence, rest) = item.split_once("**").expect("the sentence is bold");
        let files = quoted(rest).into_iter().filter(|word| word.ends_with(".rs")).map(str::to_string).collect();
        assert!(list.contains(&format!("\n{}. **{sentence}**", number + 1)), "invariant {} is numbered so", number + 1);
        found.push((sentence.trim_end_matches('.').to_string(), files));
    }
    found
}

#[test]
fn an_invariant_has_the_same_words_wherever_it_stands() {
    let invariants = invariants();
    assert_eq!(invariants.len(), 12);
    for (sentence, files) in invariants {
        assert!(files.len() >= 2, "`{sentence}` names the file that keeps it and the test that attacks it");
        for file in files {
            assert!(flowed(&read(&file)).contains(&sentence), "{file} does not say `{sentence}`");
        }
    }
}

#[test]
fn the_words_of_the_invariants_are_in_the_glossary() {
    let glossary = read("docs/glossary.md");
    let sentences = invariants().into_iter().map(|(sentence, _)| sentence.to_lowercase()).collect::<String>();
    for word in
        ["epoch", "event time", "hold", "key", "late", "pane", "partition", "source", "sink", "step", "watermark"]
    {
        assert!(glossary.contains(&format!("**{word}**")), "the glossary has no `{word}`");
    }
    for word in ["epoch", "event time", "hold", "late", "pane", "partition", "source"] {
        assert!(sentences.contains(word), "no invariant says `{word}` any more");
    }
}

#[test]
fn glossary_words_are_in_order_and_once() {
    let glossary = read("docs/glossary.md");
    let words: Vec<_> = glossary.lines().filter_map(|line| line.strip_prefix("| **")?.split("**").next()).collect();
    let mut sorted = words.clone();
    sorted.sort();
    sorted.dedup();
    assert!(words.len() > 30);
    assert_eq!(words, sorted);
}

#[test]
fn paths_and_links_in_the_pages_lead_somewhere() {
    let tops = ["engine/", "operators/", "connectors/", "src/", "examples/", "benches/", "tests/", "docs/", ".ci/"];
    let mut seen = 0;
    for page in pages() {
        let text = read(&page);
        for word in quoted(&text) {
            if tops.iter().any(|top| word.starts_with(top)) && !word.contains([' ', '*', '{']) {
                assert!(root().join(word).exists(), "{page} names {word}, which does not exist");
                seen += 1;
            }
        }
        let dir = Path::new(&page).parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            if link.starts_with("http") {
                continue;
            }
            let target = if path.is_empty() { PathBuf::from(&page) } else { dir.join(path) };
            assert!(root().join(&target).exists(), "{page} links to {link}, which does not exist");
            if !anchor.is_empty() {
                let heads = read(target.to_str().unwrap());
                let mut heads = heads.lines().filter(|line| line.starts_with('#')).map(slug);
                assert!(heads.any(|head| head == anchor), "{page} links to {link}, and there is no such heading");
            }
        }
    }
    assert!(seen > 30, "only {seen} paths were found in the pages");
}

/// The anchor of a heading, as mdBook makes it.
fn slug(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_rule_of_the_semantics_has_an_example_that_runs() {
    let page = read("docs/semantics.md");
    let rows: Vec<_> =
        page.lines().filter_map(|line| line.strip_prefix("| [")?.split("](#").nth(1)?.split(')').next()).collect();
    assert!(rows.len() > 20, "only {} rules were found", rows.len());
    for section in page.split("\n## ").skip(1) {
        let anchor = slug(section.lines().next().unwrap());
        assert!(rows.contains(&anchor.as_str()), "`{anchor}` has a section and no row");
        let examples = section.split("```rust\n").count() - 1;
        assert!(examples > 0, "`{anchor}` has no example");
        let asserts = ["assert", "check(", "check_two(", "check_when"].iter().any(|word| section.contains(word));
        assert!(asserts, "the examples of `{anchor}` assert nothing");
    }
    assert_eq!(rows.len(), page.split("\n## ").count() - 1, "each row has its section");
}

#[test]
fn every_page_is_in_the_book_and_its_programs_are_tests() {
    // The page on the bench is run by its crate.
    let (summary, docs) = (read("docs/SUMMARY.md"), read("src/docs.rs") + &read("benches/kit/src/lib.rs"));
    for page in files(&["docs"], ".md") {
        let name = page.strip_prefix("docs/").unwrap();
        assert!(name == "SUMMARY.md" || summary.contains(&format!("({name})")), "{page} is not in docs/SUMMARY.md");
        if read(&page).contains("```rust") {
            assert!(docs.contains(&format!("../{page}")), "{page} has programs, and nothing runs them");
        }
    }
    assert!(docs.contains("../README.md"));
}

#[test]
fn the_commands_of_the_readme_are_those_that_ci_runs() {
    let (readme, ci) = (read("README.md"), read(".ci/run"));
    let commands: Vec<_> = readme.split("```sh\n").skip(1).filter_map(|block| block.split("\n```").next()).collect();
    assert_eq!(commands, ["cargo run --release --example hot_items", "cargo test --workspace"]);
    assert!(ci.contains("step \"tests\" cargo test --workspace\n"), ".ci/run runs the README's test command");
    assert!(root().join("examples/hot_items.rs").exists() && ci.contains("cargo run --release --example \"$name\""));
}
