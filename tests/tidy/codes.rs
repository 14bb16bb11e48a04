//! Error codes: each is in the table of docs/reliability.md, and the code of the crates has them as data.
//!
//! Would catch: a code that nobody can look up, and one that is made, or looked for, in the text of a message.

use std::collections::BTreeSet;

use dualgauge::Code;

use super::floors::code;
use super::{files, read};

#[test]
fn every_code_is_explained_and_no_other() {
    let page = read("docs/reliability.md");
    let (_, table) = page.split_once("| code | what it says | what to do |").expect("the page has a table of codes");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let explained: BTreeSet<_> = rows.map(|row| row.split('`').nth(1).expect("a code").to_string()).collect();
    let codes: BTreeSet<_> = Code::ALL.iter().map(Code::to_string).collect();
    assert_eq!(explained, codes);
}

#[test]
fn no_message_is_given_or_searched_for_a_code() {
    for file in files(&["engine/src", "operators/src", "connectors/src", "src"], ".rs") {
        let text = code(&read(&file));
        let makes = file == "engine/src/error/code.rs";
        let has_code = |line: &str| Code::ALL.iter().any(|code| line.contains(&code.to_string()));
        let lines = text.lines().filter(|line| !makes && has_code(line));
        assert_eq!(lines.collect::<Vec<_>>(), Vec::<&str>::new(), "{file}");
    }
}
