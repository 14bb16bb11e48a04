//! The floors inside the engine: no file imports from one above its own.
//!
//! Would catch: what all threads share, kept on the top floor because it was first needed there, and two folders that cannot
//! be understood one after the other. The order is that of the table in docs/architecture.md.

use std::collections::BTreeMap;

use super::{files, quoted, read};

/// The floors of the engine and their rank, from the ground.
fn floors() -> BTreeMap<String, usize> {
    let page = read("docs/architecture.md");
    let (_, table) = page.split_once("| floor | what it decides |").expect("the page has a table of floors");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut floors = BTreeMap::new();
    for (rank, row) in rows.enumerate() {
        let cell = row.split('|').nth(1).expect("a row has cells");
        for path in quoted(cell) {
            let name = path.trim_start_matches("engine/src/").trim_end_matches('/').trim_end_matches(".rs");
            floors.insert(name.to_string(), rank);
        }
    }
    floors
}

/// The code of a file, without comments and without what is compiled for tests alone.
pub fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The names that a text takes from the root of its crate: `crate::NAME…` and `crate::{NAME…, NAME…}`.
fn taken(code: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => found.push(name(rest)),
            Some(group) => {
                let (mut depth, mut item) = (0, String::new());
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => found.push(name(std::mem::take(&mut item).trim())),
                        c if depth == 0 => item.push(c),
                        _ => {}
                    }
                }
                found.push(name(item.trim()));
            }
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

/// On which floor each item lies that the root of the engine exports: not the root counts, but where the item is.
fn exported() -> BTreeMap<String, String> {
    let lib = code(&read("engine/src/lib.rs"));
    let mut found = BTreeMap::new();
    for statement in lib.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next()) {
        if let Some((floor, items)) = statement.split_once("::") {
            let items = items.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|item| !item.is_empty());
            found.extend(items.map(|item| (item.to_string(), floor.trim_start_matches("crate::").to_string())));
        }
    }
    found
}

#[test]
fn no_import_of_the_engine_runs_up() {
    let (floors, exported) = (floors(), exported());
    assert!(floors.len() > 12, "only the floors {:?} were found", floors.keys());
    let mut looked_at = 0;
    for file in files(&["engine/src"], ".rs") {
        let path = file.trim_start_matches("engine/src/");
        let floor = path.split(['/', '.']).next().expect("a path has a first part");
        if floor == "lib" || path.ends_with("tests.rs") {
            continue;
        }
        let own = *floors.get(floor).unwrap_or_else(|| panic!("{file} is on no floor of docs/architecture.md"));
        for name in taken(&code(&read(&file))) {
            let below = exported.get(&name).unwrap_or(&name);
            // What is on no floor is a macro or a façade of the root.
            if let Some(rank) = floors.get(below) {
                looked_at += 1;
                assert!(*rank <= own, "{file} imports `{name}` from {below}/, which is above {floor}/");
            }
        }
    }
    assert!(looked_at > 400, "only {looked_at} imports were found");
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::a::{self, B};\nuse crate::{c, d::{e, f}, G};\nlet x = crate::h::i();\n// crate::j\n\
        #[cfg(test)]\nmod tests {\n    use crate::k;\n}\n";
    assert_eq!(taken(&code(text)), ["a", "c", "d", "G", "h"]);
    assert_eq!(exported().get("Basis").map(String::as_str), Some("connector"));
}
