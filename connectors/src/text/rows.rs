//! Rows as text, each with its event time: what is sorted, staged and printed.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use dualgauge_engine::{Error, EventTime, Result};

use super::Format;
use super::lines::Splitter;
use super::{printable, zones};
use crate::written::said_of;

/// The text of each row, newline included, with its time; `said` is what the record says about its columns.
pub(super) fn encode(
    format: &impl Format,
    said: Option<&SchemaRef>,
    times: &[EventTime],
    rows: &RecordBatch,
) -> Result<Vec<(EventTime, Vec<u8>)>> {
    if rows.num_rows() == 0 {
        return Ok(Vec::new());
    }
    printable::check(times, rows)?;
    let text = zones::under(rows, zones::in_utc(&rows.schema())).and_then(|rows| match said {
        Some(said) => format.encode(&said_of(&rows, said)),
        None => format.encode(&rows),
    });
    let text = text.map_err(|cause| Error::data("cannot write rows as text").caused_by(cause))?;
    let (mut splitter, mut rest, mut lines) =
        (Splitter::new(format.quoted_after()), &text[..], Vec::with_capacity(times.len()));
    while let (_, Some(end)) = splitter.end(rest, 0, true) {
        lines.push(rest[..end.at].to_vec());
        rest = &rest[end.at..];
    }
    assert!(
        rest.is_empty() && lines.len() == times.len(),
        "the format wrote {} lines for {} rows",
        lines.len(),
        times.len()
    );
    Ok(times.iter().copied().zip(lines).collect())
}

/// The rows in the order in which they are written: by event time, then by their text.
pub(super) fn sorted(format: &impl Format, header: Option<&SchemaRef>, mut rows: Vec<(EventTime, Vec<u8>)>) -> Vec<u8> {
    rows.sort_unstable();
    let mut text = header.map(|schema| format.encode_header(schema)).unwrap_or_default();
    rows.iter().for_each(|(_, line)| text.extend_from_slice(line));
    text
}
