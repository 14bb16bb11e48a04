//! Progress for programs: one JSON object a line.
//!
//! A line is a [`Snapshot`] as serde writes it and the worker that stands, so that a program reads it back as one; or `{"said": …}`, which is what a
//! person would have been told in words. Times are microseconds since 1970.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::de::IgnoredAny;

use crate::cli::outside::is_hidden;
use crate::job::Snapshot;

/// What the job has counted, and which worker is in a call that has not returned.
#[derive(serde::Serialize)]
struct Counted<'a> {
    #[serde(flatten)]
    snapshot: &'a Snapshot,
    worker_stands: Option<usize>,
}

/// What the job has counted, as a line.
pub(super) fn counted(snapshot: &Snapshot, worker_stands: Option<usize>) -> String {
    line(&Counted { snapshot, worker_stands })
}

/// Words for a person, as a line.
pub(super) fn said(words: &str) -> String {
    line(&serde_json::json!({ "said": words }))
}

/// The line of one process of several, with its number in it; what is no object, or says a number itself, are its words.
pub(crate) fn of_process(number: usize, said: &str) -> String {
    // The text stays as it was: only what is an object for sure gets a field more.
    let object = serde_json::from_str::<BTreeMap<String, IgnoredAny>>(said).ok();
    let fields = object.filter(|fields| !fields.contains_key("process")).map(|fields| fields.is_empty());
    match (fields, said.trim_start().strip_prefix('{')) {
        (Some(true), _) => line(&serde_json::json!({ "process": number })),
        (Some(false), Some(rest)) => format!("{{\"process\":{number},{rest}"),
        _ => line(&serde_json::json!({ "process": number, "said": said })),
    }
}

fn line(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(value).expect("plain data is always JSON");
    // What a terminal would act on is written as JSON writes it, before it is made visible in another way.
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match is_hidden(c) {
            true => write!(line, "\\u{:04x}", c as u32).expect("a string takes all"),
            false => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Metrics;

    #[test]
    fn a_line_is_a_snapshot_and_reads_back_as_one() {
        let mut snapshot = Metrics::default().snapshot();
        snapshot.notes.push("a file called \u{1b}[2J\u{202e}\u{7f}\n".to_string());
        let line = counted(&snapshot, None);
        assert!(!line.contains(is_hidden) && !line.contains('\n'), "{line}");
        assert_eq!(serde_json::from_str::<Snapshot>(&line).unwrap(), snapshot);
    }

    #[test]
    fn a_line_says_which_worker_stands() {
        let snapshot = Metrics::default().snapshot();
        for stands in [None, Some(3)] {
            let line: serde_json::Value = serde_json::from_str(&counted(&snapshot, stands)).unwrap();
            assert_eq!(line["worker_stands"], serde_json::json!(stands), "{line}");
        }
    }

    #[test]
    fn the_line_of_a_process_has_its_number() {
        let line = of_process(2, &said("note: a \"b\""));
        assert_eq!(line, "{\"process\":2,\"said\":\"note: a \\\"b\\\"\"}");
        assert_eq!(of_process(2, "{}"), "{\"process\":2}");
    }

    #[test]
    fn what_a_process_says_otherwise_is_wrapped() {
        for words in ["error: no", "{not json", "{\"a\":1} and more", "[1]", "17", "", "{\"process\":7}", "a \u{1b}[2J"]
        {
            let line = of_process(2, words);
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(read, serde_json::json!({ "process": 2, "said": words }), "{line}");
            assert!(!line.contains(is_hidden), "{line}");
        }
    }
}
