//! The pages and the help of the command line say the same.
//!
//! Would catch: a command that nobody can find in the pages, an option on a page that is gone or was never there, and a page
//! whose example of a command misspells it.

use std::collections::{BTreeMap, BTreeSet};

use crate::Case;
use crate::support::Dir;

pub const CASES: &[Case] = &[("every_command_is_on_a_page_and_every_option_on_a_page_exists", compared)];

/// The pages that a user reads in order to run something.
const PAGES: [&str; 7] = [
    "README.md",
    "docs/first-pipeline.md",
    "docs/guide.md",
    "docs/semantics.md",
    "docs/formats.md",
    "docs/upgrading.md",
    "docs/reliability.md",
];

/// Options of cargo and of systemd, which are none of ours.
const OF_OTHERS: [&str; 12] = [
    "--release",
    "--example",
    "--workspace",
    "--bench",
    "--test",
    "--lib",
    "--features",
    "--git",
    "--help",
    "--version",
    "--precise",
    "--doc",
];

/// The options in a text: two dashes, and a word behind them.
fn options(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices("--").map(|(at, _)| at);
    let words = starts.filter(|at| !text[..*at].ends_with(|c: char| c == '-' || c.is_alphanumeric())).map(|at| {
        let end =
            text[at + 2..].find(|c: char| !(c.is_ascii_lowercase() || c == '-')).map_or(text.len(), |end| at + 2 + end);
        &text[at..end]
    });
    words.filter(|word| word.len() > 3 && !word.ends_with('-')).map(str::to_string).collect()
}

/// The commands in a help, and no arguments.
fn commands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| line.starts_with("  "));
    lines.filter_map(|line| line.split_whitespace().next().map(str::to_string)).collect()
}

/// Every command below `words`, each with the options that its help has.
fn helps(ask: &dyn Fn(&[&str]) -> String, words: &[&str], found: &mut BTreeMap<String, BTreeSet<String>>) {
    let help = ask(&[words, &["--help"]].concat());
    found.insert(words.join(" "), options(&help));
    for command in commands(&help) {
        helps(ask, &[words, &[&command]].concat(), found);
    }
}

fn compared() {
    let dir = Dir::new();
    let (mut tool, mut graph) = (BTreeMap::new(), BTreeMap::new());
    let said = |ran: crate::support::Ran| match ran.code {
        Some(0) => ran.out,
        _ => panic!("{ran:?}"),
    };
    helps(&|words| said(dir.dualgauge(words)), &[], &mut tool);
    helps(&|words| said(dir.run("ev", words)), &[], &mut graph);
    assert!(tool.contains_key("log append") && tool["log append"].contains("--event-time"), "{tool:?}");
    assert!(graph.contains_key("run") && graph["run"].contains("--replace-output"), "{graph:?}");

    let read = |page: &str| std::fs::read_to_string(format!("{}/{page}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let pages: Vec<(&str, String)> = PAGES.iter().map(|page| (*page, read(page))).collect();
    let all: BTreeSet<&String> = tool.values().chain(graph.values()).flatten().collect();
    for (page, text) in &pages {
        for option in options(text) {
            let known = all.contains(&option) || OF_OTHERS.contains(&&option[..]);
            assert!(known, "{page} says {option}, which no command has");
        }
    }
    let is_said = |words: &str| pages.iter().any(|(_, text)| text.contains(words));
    // What has commands below it is said with them.
    let is_whole =
        |words: &String| !words.is_empty() && !tool.keys().any(|other| other.starts_with(&format!("{words} ")));
    for words in tool.keys().filter(|words| is_whole(words)) {
        assert!(is_said(&format!("dualgauge {words}")), "no page says `dualgauge {words}`");
    }
    // Whole options: `--from-checkpoint` does not say `--from`.
    let said: BTreeSet<String> = pages.iter().flat_map(|(_, text)| options(text)).collect();
    let of_graphs: BTreeSet<&String> = graph.values().flatten().collect();
    let silent: Vec<_> = of_graphs
        .into_iter()
        .filter(|option| !said.contains(*option) && !OF_OTHERS.contains(&option.as_str()))
        .collect();
    assert!(silent.is_empty(), "no page says these options of a graph: {silent:?}");
    // A command on a page takes the options that stand behind it.
    for (page, text) in &pages {
        for line in text.replace("\\\n", " ").lines() {
            let line = line.split("  ").next().unwrap_or(line);
            let Some((_, words)) = line.split_once("dualgauge ") else { continue };
            let longest =
                tool.keys().filter(|command| !command.is_empty() && words.starts_with(&format!("{command} ")));
            let Some(command) = longest.max_by_key(|command| command.len()) else { continue };
            let words = words.split('`').next().unwrap_or(words);
            for option in options(words) {
                assert!(tool[command].contains(&option), "{page}: `dualgauge {command}` has no {option}: {line}");
            }
        }
    }
}
