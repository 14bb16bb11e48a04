//! The order of rows in a file: by event time, then by the columns from the first to the last.
//!
//! It is a total order up to equal rows, and knows nothing of batches; so the same rows are always in the same order,
//! however they came.

use std::cmp::Ordering;

use arrow_array::{RecordBatch, UInt32Array};
use arrow_ord::ord::{DynComparator, make_comparator};
use arrow_schema::{ArrowError, SortOptions};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use dualgauge_engine::{Error, EventTime, Result};

/// Rows with their event times.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub(super) times: Vec<EventTime>,
    pub(super) batch: RecordBatch,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> Rows {
        Rows { times: self.times[start..end].to_vec(), batch: self.batch.slice(start, end - start) }
    }

    /// The same rows, copied so that they keep nothing else in memory.
    pub(super) fn alone(self) -> Result<Rows> {
        let all = UInt32Array::from_iter_values(0..self.len() as u32);
        let batch = take_record_batch(&self.batch, &all).map_err(failed)?;
        Ok(Rows { times: self.times.into_boxed_slice().into_vec(), batch })
    }

    /// The same rows in order; unchanged if they were in order already.
    pub(super) fn sorted(self) -> Result<Rows> {
        let columns = Columns::between(&self.batch, &self.batch)?;
        let order = |a: usize, b: usize| self.times[a].cmp(&self.times[b]).then_with(|| columns.compare(a, b));
        if (1..self.len()).all(|row| order(row - 1, row).is_le()) {
            return Ok(self);
        }
        let mut rows: Vec<u32> = (0..self.len() as u32).collect();
        rows.sort_by(|a, b| order(*a as usize, *b as usize));
        let times = rows.iter().map(|row| self.times[*row as usize]).collect();
        let batch = take_record_batch(&self.batch, &UInt32Array::from(rows)).map_err(failed)?;
        Ok(Rows { times, batch })
    }

    /// All these rows, sorted; at least one batch is given.
    pub(super) fn sorted_together(parts: &[Rows]) -> Result<Rows> {
        let batches: Vec<_> = parts.iter().map(|part| part.batch.clone()).collect();
        let batch = concat_batches(batches[0].schema_ref(), &batches).map_err(failed)?;
        Rows { times: parts.iter().flat_map(|part| part.times.iter().copied()).collect(), batch }.sorted()
    }

    /// How many of these sorted rows are below `row` of `other`, or with `with_equal`, not above it.
    pub(super) fn count_below(&self, other: &Rows, row: usize, with_equal: bool) -> Result<usize> {
        let columns = Columns::between(&self.batch, &other.batch)?;
        let below = |mine: usize| match self.times[mine].cmp(&other.times[row]).then_with(|| columns.compare(mine, row))
        {
            Ordering::Less => true,
            Ordering::Equal => with_equal,
            Ordering::Greater => false,
        };
        let (mut start, mut end) = (0, self.len());
        while start < end {
            let middle = start + (end - start) / 2;
            match below(middle) {
                true => start = middle + 1,
                false => end = middle,
            }
        }
        Ok(start)
    }
}

/// The order of two batches' rows by their columns.
struct Columns(Vec<DynComparator>);

impl Columns {
    fn between(left: &RecordBatch, right: &RecordBatch) -> Result<Columns> {
        // Nulls first: in the order of records, `None` is below `Some`.
        let options = SortOptions { descending: false, nulls_first: true };
        let pairs = left.columns().iter().zip(right.columns());
        let comparators = pairs.map(|(left, right)| make_comparator(left, right, options));
        Ok(Columns(comparators.collect::<Result<_, _>>().map_err(failed)?))
    }

    fn compare(&self, left: usize, right: usize) -> Ordering {
        self.0.iter().map(|column| column(left, right)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

pub(super) fn failed(cause: ArrowError) -> Error {
    Error::data("cannot put rows in order").caused_by(cause)
}

/// Rows that come sorted, a batch at a time.
pub(super) type Run = Box<dyn Iterator<Item = Result<Rows>>>;

/// Merges the rows of sorted runs into one order and passes them on.
pub(super) fn merge(runs: Vec<Run>, mut pass: impl FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
    let mut heads = Vec::new();
    for run in runs {
        heads.extend(Head { run, rows: None }.advanced()?);
    }
    while let Some(least) = least(&heads, None)? {
        let rows = heads[least].rows();
        // All rows that the next smallest head does not precede can go in one piece.
        let count = match self::least(&heads, Some(least))? {
            Some(next) => rows.count_below(heads[next].rows(), 0, true)?,
            None => rows.len(),
        };
        pass(&rows.batch.slice(0, count))?;
        let mut head = heads.swap_remove(least);
        head.rows = Some(head.rows().slice(count, head.rows().len()));
        heads.extend(head.advanced()?);
    }
    Ok(())
}

/// A run of which the first rows are at hand.
struct Head {
    run: Run,
    rows: Option<Rows>,
}

impl Head {
    fn rows(&self) -> &Rows {
        self.rows.as_ref().expect("a head without rows is not kept")
    }

    /// With rows at hand, or `None` at the run's end.
    fn advanced(mut self) -> Result<Option<Head>> {
        while self.rows.as_ref().is_none_or(|rows| rows.len() == 0) {
            match self.run.next() {
                Some(rows) => self.rows = Some(rows?),
                None => return Ok(None),
            }
        }
        Ok(Some(self))
    }
}

/// Which head's first row is the smallest, ignoring `except`.
fn least(heads: &[Head], except: Option<usize>) -> Result<Option<usize>> {
    let mut least: Option<usize> = None;
    for (at, head) in heads.iter().enumerate().filter(|(at, _)| Some(*at) != except) {
        let first = head.rows().slice(0, 1);
        let is_below = |best: usize| -> Result<bool> { Ok(first.count_below(heads[best].rows(), 0, false)? == 1) };
        if least.map_or(Ok(true), is_below)? {
            least = Some(at);
        }
    }
    Ok(least)
}
