//! Parquet as a shape of files: the rows of a span that is not finished, and how they become its file.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use dualgauge_engine::cut::{BATCH_BYTES, bytes_of};
use dualgauge_engine::{Duration, EventTime, Result};

use super::direct::Direct;
use super::order::{Rows, merge};
use super::staged;
use super::writer::{FileOptions, FileWriter};
use crate::staging::{Making, Part, Shape, StagedFile, Whole, is_span_start};

/// How many rows of a span memory holds before they are staged.
const HELD_ROWS_MAX: usize = 1 << 16;

/// How many bytes of texts, bytes and lists it holds.
const HELD_BYTES_MAX: usize = 2 * BATCH_BYTES;

/// The files of one Parquet output.
pub(super) struct ParquetSpans {
    pub(super) span: Duration,
    pub(super) schema: SchemaRef,
    pub(super) options: FileOptions,
}

/// The rows of a span that are not in a part.
///
/// Without checkpoints, rows that come in order stream directly into the final file, for as many spans at once as
/// memory has room for. Otherwise they wait in memory until they are moved to a part, at the next checkpoint at the
/// latest. Stragglers are kept aside, and merged in at the end with the same settings; so either way gives the same
/// bytes.
#[derive(Default)]
pub(super) struct Held {
    direct: Option<Direct>,
    /// In order.
    rows: Vec<Rows>,
    /// The last row that came in order, so far.
    last: Option<Rows>,
    stragglers: Vec<Rows>,
    /// Of the rows and the stragglers.
    weight: Weight,
    /// How many runs of stragglers were staged.
    runs: u64,
}

/// How much the rows that wait in memory weigh.
#[derive(Clone, Copy, Default)]
struct Weight {
    rows: usize,
    /// Of texts, bytes and lists.
    texts: usize,
    memory: usize,
}

impl Weight {
    fn add(&mut self, rows: &Rows) {
        self.rows += rows.len();
        self.texts += bytes_of(&rows.batch);
        self.memory += size_of_val(&rows.times[..]) + rows.batch.get_array_memory_size();
    }
}

/// Rows of one span, and whether they are only a small part of the batch they came in, all of which they would keep in
/// memory.
pub(super) struct Dealt {
    rows: Rows,
    small: bool,
}

impl ParquetSpans {
    fn span_of(&self, time: EventTime) -> EventTime {
        time.floor_to(self.span, Duration::ZERO)
    }
}

impl Shape for ParquetSpans {
    type Rows = Dealt;
    type Held = Held;
    const LEDGER: bool = false;

    fn is_over(&self, start: EventTime, watermark: EventTime) -> bool {
        start + self.span <= watermark
    }

    fn name(&self, start: EventTime, bucket: usize, supplement: usize) -> String {
        let stem = format!("{}-b{bucket}", file_time(start));
        if supplement == 0 { format!("{stem}.parquet") } else { format!("{stem}.s{supplement}.parquet") }
    }

    fn gives(&self, name: &str) -> bool {
        named_by_a_sink(name)
    }

    fn deal(&self, times: &[EventTime], rows: &RecordBatch) -> Result<Vec<(EventTime, Dealt)>> {
        let rows = Rows { times: times.to_vec(), batch: rows.clone() }.sorted()?;
        let (mut dealt, mut from) = (Vec::new(), 0);
        while from < rows.len() {
            let start = self.span_of(rows.times[from]);
            let count = rows.times[from..].partition_point(|time| self.span_of(*time) == start);
            dealt.push((start, Dealt { rows: rows.slice(from, from + count), small: 2 * count < rows.len() }));
            from += count;
        }
        Ok(dealt)
    }

    fn hold(&self, held: &mut Held, Dealt { rows, small }: Dealt, making: &mut Making<'_>) -> Result<bool> {
        let alone = |rows: Rows| if small { rows.alone() } else { Ok(rows) };
        let behind = match &held.last {
            Some(last) => rows.count_below(last, 0, false)?,
            None => 0,
        };
        if behind > 0 {
            let rows = alone(rows.slice(0, behind))?;
            held.weight.add(&rows);
            held.stragglers.push(rows);
        }
        if behind < rows.len() {
            let rows = rows.slice(behind, rows.len());
            if !making.durable && held.last.is_none() {
                held.direct = Direct::create(making, &self.schema, &self.options)?;
            }
            held.last = Some(rows.slice(rows.len() - 1, rows.len()).alone()?);
            match &mut held.direct {
                Some(direct) => direct.write(&rows)?,
                None => {
                    let rows = alone(rows)?;
                    held.weight.add(&rows);
                    held.rows.push(rows);
                }
            }
        }
        Ok(held.weight.rows >= HELD_ROWS_MAX || held.weight.texts >= HELD_BYTES_MAX)
    }

    fn bytes(&self, held: &Held) -> usize {
        held.weight.memory
    }

    fn stage(&self, held: &mut Held) -> Result<Vec<Vec<u8>>> {
        let mut contents = Vec::new();
        held.weight = Weight::default();
        if !held.rows.is_empty() {
            contents.push(staged::encode(0, &Rows::sorted_together(&std::mem::take(&mut held.rows))?)?);
        }
        if !held.stragglers.is_empty() {
            held.runs += 1;
            contents.push(staged::encode(held.runs, &Rows::sorted_together(&std::mem::take(&mut held.stragglers))?)?);
        }
        Ok(contents)
    }

    fn finish(&self, held: Held, parts: &[Part], making: &mut Making<'_>) -> Result<Whole> {
        let (mut runs, mut spent) = (Vec::new(), Vec::new());
        if let Some(direct) = held.direct {
            if held.stragglers.is_empty() && parts.is_empty() {
                return direct.finish();
            }
            runs.push(direct.read(making.aside, &mut spent)?);
        }
        for part in parts {
            runs.extend(staged::runs(part.frames(making.aside)?)?);
        }
        for rows in [held.rows, held.stragglers].iter().filter(|rows| !rows.is_empty()) {
            let rows = Rows::sorted_together(rows)?;
            runs.push(Box::new(std::iter::once(Ok(rows))));
        }
        let staged = making.aside.name(making.what, "ready");
        let mut writer = FileWriter::new(StagedFile::create(making.aside, &staged)?, &self.schema, &self.options)?;
        merge(runs, |batch| writer.write(batch)).map_err(|error| error.at(making.aside.path(&staged).display()))?;
        Ok(Whole { blake3: writer.finish()?.finish()?, staged, spent })
    }
}

/// Whether a name is one that a sink gives: `<time>-b<number>.parquet`, or `….s<number>.parquet`.
pub(super) fn named_by_a_sink(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((start, rest)) = name.strip_suffix(".parquet").and_then(|stem| stem.rsplit_once("-b")) else {
        return false;
    };
    let (bucket, supplement) = rest.split_once(".s").unwrap_or((rest, "1"));
    is_span_start(start, 'n') && number(bucket) && number(supplement)
}

/// A time as part of a file name: `20260101T120000Z`.
fn file_time(time: EventTime) -> String {
    let text = time.to_string();
    let sign = if text.starts_with('-') { "n" } else { "" };
    format!("{sign}{}", text.replace(['-', ':'], ""))
}

#[cfg(test)]
mod tests {
    use super::named_by_a_sink;

    #[test]
    fn only_names_of_our_own_form_are_ours() {
        for name in ["20260101T000000Z-b0.parquet", "20260101T000000.5Z-b12.s3.parquet", "n000001us-b0.parquet"] {
            assert!(named_by_a_sink(name), "{name}");
        }
        for name in [
            "bids.parquet",
            "a-b0.parquet",
            "status-b1.parquet",
            "campus-b2.parquet",
            "20260101T000000Z-b.parquet",
            "20260101T000000Z-b0.csv",
            "x/Z-b0",
        ] {
            assert!(!named_by_a_sink(name), "{name}");
        }
    }
}
