//! The English of comments and pages: turns of phrase that no native writer uses, and words of a private dialect where the
//! field has its own, do not come back.
//!
//! Would catch: a comment or a page that says it in one of these ways; what stands beside each is how to say it.

use super::{files, read};

/// A phrase in small letters, and what to write in its place.
const PHRASES: &[(&str, &str)] = &[
    ("how-manieth", "which start it is, counted from 1"),
    ("how manieth", "which start it is, counted from 1"),
    ("looked whether", "checks whether"),
    ("looked at whether", "checks whether"),
    ("a wish to", "a request to"),
    ("gone through", "processed, walked"),
    ("before the deal", "before the exchange"),
    ("after the deal", "after the exchange"),
    ("behind the deal", "after the exchange"),
    ("went on from", "resumed from"),
    ("going on from", "resuming from"),
    ("found anew", "computed again"),
    ("so do also", "so do"),
];

#[test]
fn phrases_that_are_not_english_stay_away() {
    let sources = files(&["engine", "operators", "connectors", "src", "examples", "benches"], ".rs");
    let pages = files(&["docs"], ".md").into_iter().chain(["README.md".to_string()]);
    let is_comment = |line: &&str| line.trim_start().starts_with("//");
    let mut found = Vec::new();
    for file in sources.into_iter().filter(|file| !file.contains("/tests")) {
        let text = read(&file);
        let comments: Vec<&str> = text.lines().filter(is_comment).map(|line| line.trim_start()).collect();
        look(&file, &comments, &mut found);
    }
    for page in pages {
        look(&page, &read(&page).lines().collect::<Vec<_>>(), &mut found);
    }
    assert!(found.is_empty(), "say it otherwise:\n{}", found.join("\n"));
}

fn look(file: &str, lines: &[&str], found: &mut Vec<String>) {
    for line in lines {
        let small = line.to_lowercase();
        for (phrase, instead) in PHRASES.iter().filter(|(phrase, _)| small.contains(phrase)) {
            found.push(format!("{file}: `{phrase}` ({instead}): {line}"));
        }
    }
}
