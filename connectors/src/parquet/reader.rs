//! One row group, read from front to back.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use dualgauge_engine::{EventTime, Next, Offset, PartitionReader, Result, Scan, SourceBatch};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};

use super::file::ParquetFile;
use super::guard::guarded;
use super::pages::Pages;
use super::time_column::TimeColumn;

/// Reads a row group; its offsets count the rows of the group.
pub(super) struct GroupReader {
    file: Arc<ParquetFile>,
    /// Kept for the next group of the file, which is opened before this one is let go.
    _indexed: Option<Arc<ArrowReaderMetadata>>,
    group: usize,
    /// `None` once the rows are exhausted, or decoding them failed.
    batches: Option<ParquetRecordBatchReader>,
    /// The rows of the group that have been passed.
    position: u64,
    bounds: Bounds,
}

/// How the reader knows what is still to come.
enum Bounds {
    /// By the page index.
    Pages(Pages),
    /// The group is sorted by event time: by the last time read.
    Sorted { column: TimeColumn, reached: EventTime },
    /// By the group's minimum alone.
    Group(EventTime),
}

impl GroupReader {
    /// Opens row group `group` behind `offset`.
    pub(super) fn open(
        file: Arc<ParquetFile>,
        group: usize,
        column: Option<TimeColumn>,
        range: (EventTime, EventTime),
        offset: Option<&Offset>,
        scan: &Scan,
    ) -> Result<GroupReader> {
        let rows = file.metadata().metadata().row_group(group).num_rows() as u64;
        let indexed = file.indexed();
        let pages = column.as_ref().and_then(|column| Pages::of(&file, group, column, range));
        let mut wanted = pages.as_ref().map_or(0..rows, |pages| pages.wanted(scan));
        wanted.start = wanted.start.max(offset.map_or(0, |offset| offset.position)).min(wanted.end);

        let batches = match wanted.is_empty() {
            true => None,
            false => Some(batches(&file, group, &wanted, rows, scan)?),
        };
        let bounds = match pages {
            Some(pages) => Bounds::Pages(pages),
            None => match column.filter(|column| sorted_by(&file, group, column)) {
                Some(column) => Bounds::Sorted { column, reached: range.0 },
                None => Bounds::Group(range.0),
            },
        };
        Ok(GroupReader { _indexed: indexed, file, group, batches, position: wanted.start, bounds })
    }
}

impl PartitionReader for GroupReader {
    fn next(&mut self) -> Result<Next> {
        let Some(mut batches) = self.batches.take() else { return Ok(Next::End) };
        let next = guarded(
            format_args!("file {}: row group {}: behind row {}", self.file.name, self.group, self.position),
            || Ok(batches.next().transpose()?),
        )?;
        let Some(rows) = next else { return Ok(Next::End) };
        self.batches = Some(batches);
        self.position += rows.num_rows() as u64;
        let bound_after = Some(self.bounds.after(&rows, self.position));
        Ok(Next::Batch(SourceBatch { rows, offset_after: self.file.offset(self.position), bound_after }))
    }
}

impl Bounds {
    /// The bound after `rows`, of which the last is the one before `position`.
    fn after(&mut self, rows: &RecordBatch, position: u64) -> EventTime {
        match self {
            Bounds::Pages(pages) => pages.bound_from(position),
            Bounds::Sorted { column, reached } => {
                if let Some(times) = rows.column_by_name(column.name()) {
                    let last = (0..times.len()).rev().find_map(|row| column.time(times, row));
                    *reached = last.unwrap_or(*reached).max(*reached);
                }
                *reached
            }
            Bounds::Group(bound) => *bound,
        }
    }
}

fn batches(
    file: &ParquetFile,
    group: usize,
    wanted: &Range<u64>,
    rows: u64,
    scan: &Scan,
) -> Result<ParquetRecordBatchReader> {
    let mask = file.projection(scan.schema.fields().iter().map(|field| field.name()));
    let chunks = file.chunks(group, &mask)?;
    guarded(format_args!("file {}: row group {group}", file.name), || {
        let whole = *wanted == (0..rows);
        // With the page index, pages before the first wanted row are not even decompressed.
        let indexed = if whole { None } else { file.indexed() };
        let metadata = indexed.as_deref().unwrap_or(file.metadata());
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, metadata.clone())
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(scan.batch_rows.max(1));
        if !whole {
            let selected = std::iter::once(wanted.start as usize..wanted.end as usize);
            builder = builder.with_row_selection(RowSelection::from_consecutive_ranges(selected, rows as usize));
        }
        builder.build()
    })
}

/// Whether the file says that the group is sorted by event time first of all.
fn sorted_by(file: &ParquetFile, group: usize, column: &TimeColumn) -> bool {
    let first = file.metadata().metadata().row_group(group).sorting_columns().and_then(|columns| columns.first());
    let schema = file.metadata().parquet_schema();
    // The library takes the index as the file has it, and panics where there is no such column.
    let leaf = |index: i32| usize::try_from(index).ok().filter(|leaf| *leaf < schema.num_columns());
    let root = |index| leaf(index).map(|leaf| schema.get_column_root_idx(leaf));
    first.is_some_and(|first| !first.descending && root(first.column_idx) == Some(column.root))
}
