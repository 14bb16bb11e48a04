//! Options of a command line are known to the command line alone.
//!
//! Would catch: a message of the engine that tells a program to leave out `--fresh`, which it has never said.

use super::files;
use super::floors::code;
use super::read;

/// The texts between quotation marks in a piece of code.
fn literals(code: &str) -> Vec<String> {
    let (mut found, mut chars) = (Vec::new(), code.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            // `'"'` opens nothing, and neither does `'\"'`.
            '\'' if matches!(chars.peek(), Some('"' | '\\')) => {
                let is_escape = chars.next() == Some('\\');
                chars.by_ref().take(1 + usize::from(is_escape)).for_each(drop);
            }
            '"' => {
                let mut text = String::new();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    text.push(c);
                    if c == '\\' {
                        text.extend(chars.next());
                    }
                }
                found.push(text);
            }
            _ => {}
        }
    }
    found
}

/// Whether a text says an option: two dashes, and a letter right behind them.
fn has_option(text: &str) -> bool {
    let mut behind = text.split("--").skip(1);
    behind.any(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
}

#[test]
fn no_message_below_the_command_line_says_an_option() {
    let mut looked_at = 0;
    for file in files(&["engine/src", "operators/src", "connectors/src"], ".rs") {
        let literals = literals(&code(&read(&file)));
        looked_at += literals.len();
        let said: Vec<_> = literals.into_iter().filter(|text| has_option(text)).collect();
        assert_eq!(said, Vec::<String>::new(), "{file}: say a `Remedy`, which the command line renders");
    }
    assert!(looked_at > 1_000, "only {looked_at} texts were found");
}

#[test]
fn an_option_is_found_in_any_text() {
    let code =
        "let a = 'x'; f('\"', \"leave out \\\n --fresh\"); g(\"a -- b\", '\\'', \"--\"); h(\"say \\\"--to\\\"\")";
    let said: Vec<_> = literals(code).into_iter().map(|text| has_option(&text)).collect();
    assert_eq!(said, [true, false, false, true]);
}
