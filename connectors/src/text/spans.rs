//! Text as a shape of files: rows are staged with their event times, and sorted when their span is over.

use std::io::Write;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use dualgauge_engine::{Error, EventTime, Result};

use super::layout::Naming;
use super::{Format, rows};
use crate::staging::{Making, Part, Shape, StagedFile, Whole};

/// How many bytes of a span's text memory holds before they are staged.
const HELD_BYTES_MAX: usize = 1 << 18;

/// The files of one text output.
pub(super) struct TextSpans<F> {
    pub(super) format: F,
    pub(super) naming: Naming,
    pub(super) schema: SchemaRef,
    /// What the record says about its columns.
    pub(super) said: Option<SchemaRef>,
}

/// A row with its time: what is sorted, and staged.
type Row = (EventTime, Vec<u8>);

/// The rows of a span that are in memory.
#[derive(Default)]
pub(super) struct Held {
    rows: Vec<Row>,
    bytes: usize,
}

impl<F: Format> Shape for TextSpans<F> {
    type Rows = Vec<Row>;
    type Held = Held;
    const LEDGER: bool = true;

    fn is_over(&self, start: EventTime, watermark: EventTime) -> bool {
        self.naming.is_over(start, watermark)
    }

    fn name(&self, start: EventTime, bucket: usize, supplement: usize) -> String {
        self.naming.name(start, bucket, supplement)
    }

    fn gives(&self, name: &str) -> bool {
        self.naming.is_ours(name)
    }

    fn deal(&self, times: &[EventTime], rows: &RecordBatch) -> Result<Vec<(EventTime, Vec<Row>)>> {
        let mut dealt: Vec<(EventTime, Vec<Row>)> = Vec::new();
        for row in rows::encode(&self.format, self.said.as_ref(), times, rows)? {
            let start = self.naming.span_of(row.0);
            match dealt.last_mut().filter(|(last, _)| *last == start) {
                Some((_, rows)) => rows.push(row),
                None => dealt.push((start, vec![row])),
            }
        }
        Ok(dealt)
    }

    fn hold(&self, held: &mut Held, rows: Vec<Row>, _: &mut Making<'_>) -> Result<bool> {
        held.bytes += rows.iter().map(|(_, line)| ROW_BYTES + line.len()).sum::<usize>();
        held.rows.extend(rows);
        Ok(held.bytes >= HELD_BYTES_MAX)
    }

    fn bytes(&self, held: &Held) -> usize {
        held.bytes
    }

    fn stage(&self, held: &mut Held) -> Result<Vec<Vec<u8>>> {
        let Held { rows, bytes } = std::mem::take(held);
        let mut content = Vec::with_capacity(bytes);
        for (time, line) in &rows {
            content.extend_from_slice(&time.as_micros().to_le_bytes());
            content.extend_from_slice(&(line.len() as u64).to_le_bytes());
            content.extend_from_slice(line);
        }
        Ok(if rows.is_empty() { Vec::new() } else { vec![content] })
    }

    fn finish(&self, held: Held, parts: &[Part], making: &mut Making<'_>) -> Result<Whole> {
        let mut all = held.rows;
        for part in parts {
            for frame in part.frames(making.aside)? {
                let misshapen = || Error::data(format!("{} holds no rows of text", frame.place));
                read_rows(&frame.read()?, &mut all).ok_or_else(misshapen)?;
            }
        }
        let staged = making.aside.name(making.what, "ready");
        let mut file = StagedFile::create(making.aside, &staged)?;
        let written = file.write_all(&rows::sorted(&self.format, Some(&self.schema), all));
        written.map_err(|error| Error::io("cannot write", error))?;
        Ok(Whole { blake3: file.finish()?, staged, spent: Vec::new() })
    }
}

/// What a row takes in memory besides its text.
const ROW_BYTES: usize = size_of::<Row>();

/// Reads staged rows; before each, its time in microseconds and its length (8 bytes each, little-endian). `None` when the
/// content is anything else.
fn read_rows(mut content: &[u8], rows: &mut Vec<Row>) -> Option<()> {
    while !content.is_empty() {
        let (time, rest) = content.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (line, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        rows.push((EventTime::from_micros(i64::from_le_bytes(*time)), line.to_vec()));
        content = rest;
    }
    Some(())
}
