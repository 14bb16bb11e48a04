//! Progress for programs: one JSON object a line.
//!
//! A line is a [`Snapshot`] as serde writes it, so that a program reads it back as one; or `{"said": …}`, which is what a
//! person would have been told in words. Times are microseconds since 1970.

use std::fmt::Write;

use crate::cli::outside::is_hidden;
use crate::job::Snapshot;

/// What the job has counted, as a line.
pub(super) fn counted(snapshot: &Snapshot) -> String {
    line(snapshot)
}

/// Words for a person, as a line.
pub(super) fn said(words: &str) -> String {
    line(&serde_json::json!({ "said": words }))
}

/// The line of one process of several, with its number in it; what is no object stays as it is.
pub(crate) fn of_process(number: usize, line: &str) -> Option<String> {
    let fields = line.strip_prefix('{')?;
    Some(format!("{{\"process\":{number},{fields}"))
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
        let line = counted(&snapshot);
        assert!(!line.contains(is_hidden) && !line.contains('\n'), "{line}");
        assert_eq!(serde_json::from_str::<Snapshot>(&line).unwrap(), snapshot);
    }

    #[test]
    fn the_line_of_a_process_has_its_number() {
        let line = of_process(2, &said("note: a \"b\"")).unwrap();
        assert_eq!(line, "{\"process\":2,\"said\":\"note: a \\\"b\\\"\"}");
        assert!(of_process(2, "error: no").is_none());
    }
}
