//! The whole API on one page of text, `docs/llms.txt`, for people and machines that read text: made of the sources, and
//! compared with them.
//!
//! Would catch: a page that tells of what is gone, and an item that is public and says nothing. To make it anew:
//! `DUALGAUGE_WRITE=1 cargo test --test tidy api`.

use std::collections::BTreeSet;
use std::fs;

use super::{files, read, root};

const PAGE: &str = "docs/llms.txt";

/// Each crate, and where the program finds what is in it.
const CRATES: &[(&str, &str)] = &[
    ("engine/src/", "`dualgauge::…`, and the `prelude`"),
    ("operators/src/", "`dualgauge::operators::…`, and the `prelude`"),
    ("connectors/src/", "`dualgauge::connectors::…`; `memory` in the `prelude`, too"),
    ("src/", "`dualgauge::…`"),
];

/// The words that begin an item.
const ITEMS: [&str; 8] = ["fn ", "async fn ", "const fn ", "struct ", "enum ", "trait ", "type ", "const "];

/// What is between the words of an item and its name, or its end.
fn name_of(item: &str) -> &str {
    let name = ITEMS.iter().find_map(|word| item.strip_prefix(word)).unwrap_or(item);
    name.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or(name)
}

/// The item without the body that follows it.
fn signature(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        let line = line.split(" // ").next().unwrap_or(line).trim_end();
        text += line.trim();
        text.push(' ');
        let is_over = line.ends_with(['{', ';', '}', ',']);
        if is_over && text.matches('(').count() <= text.matches(')').count() {
            break;
        }
    }
    let text = text.trim().trim_start_matches("pub ");
    let text = text.strip_suffix(['{', ';']).unwrap_or(text).split(" {").next().unwrap_or(text);
    text.replace("( ", "(").replace(", )", ")").trim().to_string()
}

/// The names that are exported by name, and the modules that are public or exported whole.
fn exported(sources: &[(String, String)]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut names, mut modules) = (BTreeSet::new(), BTreeSet::new());
    for (_, text) in sources {
        for statement in text.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next()) {
            let words = statement.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '*'));
            let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
            if words.last() == Some(&"*") {
                modules.extend(words.iter().rev().nth(1).map(|word| word.to_string()));
            }
            names.extend(words.iter().map(|word| word.to_string()));
        }
        let public = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
        modules.extend(public.map(str::to_string));
    }
    (names, modules)
}

/// The first paragraph of a documentation, on one line.
fn first_words(doc: &[&str]) -> String {
    let lines = doc.iter().map(|line| line.trim_start_matches("///").trim());
    lines.take_while(|line| !line.is_empty() && !line.starts_with("```")).collect::<Vec<_>>().join(" ")
}

/// What one file has that is public, a line for each.
fn items(text: &str, is_public: &dyn Fn(&str) -> bool) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let (mut found, mut doc, mut is_hidden) = (Vec::new(), Vec::new(), false);
    // Whether what is within the braces here is to be told, and whether all of it is public, as in a trait.
    let mut within: Option<bool> = None;
    for (at, line) in lines.iter().enumerate() {
        let (depth, code) = (line.len() - line.trim_start().len(), line.trim());
        match code {
            _ if code.starts_with("///") => doc.push(code),
            _ if code.starts_with("#[") || code.starts_with("//") => is_hidden |= code.contains("doc(hidden)"),
            _ => {
                let (words, hidden) = (first_words(&std::mem::take(&mut doc)), std::mem::take(&mut is_hidden));
                let public = code.strip_prefix("pub ");
                let is_item = |code: &str| ITEMS.iter().any(|word| code.starts_with(word));
                if depth == 0 && code == "}" {
                    within = None;
                } else if depth == 0 && code.starts_with("impl") {
                    let of = signature(&lines[at..]);
                    let of = of.trim_start_matches("impl").trim_start();
                    let of = if of.starts_with('<') { of.split_once("> ").map_or(of, |(_, rest)| rest) } else { of };
                    within = (!of.contains(" for ") && is_public(name_of(of))).then_some(false);
                    if within.is_some() {
                        found.push(format!("\nimpl {of}"));
                    }
                } else if depth == 0 {
                    let item = public.filter(|item| is_item(item) && is_public(name_of(item)) && !hidden);
                    if let Some(item) = item {
                        found.push(format!("\n{}: {words}", signature(&lines[at..])));
                        let has_parts = ["trait ", "enum ", "struct "].iter().any(|word| item.starts_with(word));
                        let is_open = has_parts && !line.ends_with(';') && !line.ends_with('}');
                        within = is_open.then_some(!item.starts_with("struct "));
                    }
                } else if let (4, Some(all), false) = (depth, within, hidden) {
                    // A method, a field, a variant.
                    let begins = code.starts_with(char::is_alphabetic) && (public.is_some() || all);
                    if begins && !words.is_empty() {
                        found.push(format!("- {}: {words}", signature(&lines[at..]).trim_end_matches(',')));
                    }
                }
            }
        }
    }
    // A block of a type of which nothing is public says nothing.
    let is_empty =
        |at: usize| found[at].starts_with("\nimpl ") && found.get(at + 1).is_none_or(|next| next.starts_with('\n'));
    (0..found.len()).filter(|at| !is_empty(*at)).map(|at| found[at].clone()).collect()
}

fn page() -> String {
    let mut page = String::from(
        "# dualgauge\n\n> One dataflow graph over historical Parquet files and live event streams.\n\nThe whole public API, as its \
         sources have it: each item with the first words of its documentation. Begin with the guide (guide.md), which is \
         programs that run; semantics.md has each rule with an example; formats.md what lies on disk.\n",
    );
    for (dir, place) in CRATES {
        let sources =
            files(&[dir.trim_end_matches('/')], ".rs").into_iter().filter(|file| !file.starts_with("src/bin/"));
        let sources: Vec<(String, String)> = sources.map(|file| (file.clone(), read(&file))).collect();
        let (names, modules) = exported(&sources);
        page += &format!("\n## {}\n\nIn a program: {place}.\n", dir.trim_end_matches('/'));
        for (file, text) in &sources {
            let stem = file.trim_end_matches("/mod.rs").trim_end_matches(".rs");
            let is_open = modules.contains(stem.rsplit('/').next().unwrap_or(stem));
            let found = items(text, &|name| is_open || names.contains(name));
            if !found.is_empty() {
                let head = text.lines().next().unwrap_or_default().trim_start_matches("//!").trim();
                page += &format!("\n### {file}\n\n{head}\n{}\n", found.join("\n"));
            }
        }
    }
    page
}

#[test]
fn the_page_of_the_whole_api_is_what_the_sources_say() {
    let page = page();
    for part in [
        "fn tumbling(",
        "struct Job",
        "trait Source: Send + Sync: ",
        "- fn commit(",
        "fn bounded<D: Record>(capacity: usize)",
    ] {
        assert!(page.contains(part), "`{part}` is not found in the sources any more: does this test still read them?");
    }
    if std::env::var_os("DUALGAUGE_WRITE").is_some() {
        fs::write(root().join(PAGE), &page).unwrap();
    }
    let there = fs::read_to_string(root().join(PAGE)).unwrap_or_default();
    let differs = page.lines().zip(there.lines()).find(|(new, old)| new != old);
    assert!(
        there == page,
        "{PAGE} is old: `DUALGAUGE_WRITE=1 cargo test --test tidy api` makes it anew; first {differs:?}"
    );
}
