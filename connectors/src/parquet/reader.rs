//! One row group, or a run of them, read from front to back.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use dualgauge_engine::cut::{BATCH_BYTES, rows_within};
use dualgauge_engine::{Error, EventTime, Next, Offset, PartitionReader, Result, Scan, SourceBatch};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use super::columns::Projection;
use super::file::ParquetFile;
use super::guard::guarded;
use super::int96;
use super::pages::Pages;
use super::runs;
use super::time_column::TimeColumn;

/// Reads a row group or a run; its offsets count the rows of the partition.
pub(super) struct GroupReader {
    file: Arc<ParquetFile>,
    groups: Range<usize>,
    /// `None` once the rows are exhausted, or decoding them failed.
    batches: Option<ParquetRecordBatchReader>,
    /// What has been decoded but not yet given, because it was too large for one batch.
    rest: Option<RecordBatch>,
    /// The rows that have been passed.
    position: u64,
    bounds: Bounds,
}

/// How the reader knows what is still to come.
enum Bounds {
    /// By the page index, or by the groups of a run.
    Pages(Pages),
    /// The group is sorted by event time: by the last time read.
    Sorted { column: TimeColumn, reached: EventTime },
    /// By the group's minimum alone.
    Group(EventTime),
}

impl GroupReader {
    /// Opens row group `group` after `offset`.
    pub(super) fn open(
        file: Arc<ParquetFile>,
        group: usize,
        column: Option<TimeColumn>,
        by_mark: bool,
        range: (EventTime, EventTime),
        offset: Option<&Offset>,
        scan: &Scan,
    ) -> Result<GroupReader> {
        let projection = file.project(scan);
        let plain = file.groups(group..group + 1, &projection)?;
        int96::check(&file, group, &plain, &projection)?;
        let rows = rows_of(&plain);
        let start = offset.map_or(0, |offset| offset.position);
        // The index gives the bound between pages; and with it, pages before the first wanted row are not even
        // decompressed.
        let with_bounds = column.as_ref().filter(|column| column.is_known());
        let indexed = with_bounds.map(drop).or((start > 0).then_some(()));
        let indexed = indexed.and_then(|()| file.with_index(&plain, &projection));
        let pages = indexed.as_ref().zip(with_bounds);
        let pages = pages.and_then(|(indexed, column)| Pages::of(indexed, &projection, column, range));
        let wanted = behind(offset, pages.as_ref().map_or(0..rows, |pages| pages.wanted(scan)));
        let by = if wanted == (0..rows) { &plain } else { indexed.as_ref().unwrap_or(&plain) };
        let column = column.filter(|column| by_mark && sorted_by(plain.metadata().row_group(0), &projection, column));
        let bounds = match pages {
            Some(pages) => Bounds::Pages(pages),
            None => match column {
                Some(column) => Bounds::Sorted { column, reached: range.0 },
                None => Bounds::Group(range.0),
            },
        };
        GroupReader::of(file, group..group + 1, by, wanted, bounds, scan)
    }

    /// Opens a run after `offset`; the event times of each of its groups lie in one of `ranges`.
    pub(super) fn open_run(
        file: Arc<ParquetFile>,
        groups: Range<usize>,
        ranges: &[(EventTime, EventTime)],
        offset: Option<&Offset>,
        scan: &Scan,
    ) -> Result<GroupReader> {
        let projection = file.project(scan);
        let plain = file.groups(groups.clone(), &projection)?;
        let rows = plain.metadata().row_groups().iter().map(|group| group.num_rows() as u64);
        let claimed = plain.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns);
        let claimed = claimed.map(|column| column.compressed_size().max(0)).fold(0, i64::saturating_add);
        if claimed > runs::CLAIMED_MAX {
            let (file, groups) = (&file.name, runs::Told(&groups));
            let text = "their columns claim more bytes than the groups. Was the file damaged?";
            return Err(Error::data(format!("file {file}: {groups}: {text}")));
        }
        let parts = Pages::of_run(rows.zip(ranges.iter().copied()));
        let wanted = behind(offset, parts.wanted(scan));
        GroupReader::of(file, groups, &plain, wanted, Bounds::Pages(parts), scan)
    }

    /// Reads the wanted rows of row groups, which are the only ones in `metadata`.
    fn of(
        file: Arc<ParquetFile>,
        groups: Range<usize>,
        metadata: &ArrowReaderMetadata,
        wanted: Range<u64>,
        bounds: Bounds,
        scan: &Scan,
    ) -> Result<GroupReader> {
        let batches = match wanted.is_empty() {
            true => None,
            false => Some(batches(&file, &groups, metadata, &wanted, scan)?),
        };
        Ok(GroupReader { file, groups, batches, rest: None, position: wanted.start, bounds })
    }
}

/// What is left of the wanted rows after an offset.
fn behind(offset: Option<&Offset>, wanted: Range<u64>) -> Range<u64> {
    let start = offset.map_or(0, |offset| offset.position);
    wanted.start.max(start).min(wanted.end)..wanted.end
}

impl PartitionReader for GroupReader {
    fn next(&mut self) -> Result<Next> {
        let Some(mut batches) = self.batches.take() else { return Ok(Next::End) };
        let next = match self.rest.take() {
            Some(rest) => Some(rest),
            None => guarded(
                format_args!("file {}: {}: behind row {}", self.file.name, runs::Told(&self.groups), self.position),
                || Ok(batches.next().transpose()?),
            )?,
        };
        let Some(all) = next else { return Ok(Next::End) };
        self.batches = Some(batches);
        // Values that a page stores once for many rows are no longer shared when they become records.
        let rows = all.slice(0, rows_within(&all, BATCH_BYTES));
        self.rest =
            Some(all.slice(rows.num_rows(), all.num_rows() - rows.num_rows())).filter(|rest| rest.num_rows() > 0);
        self.position += rows.num_rows() as u64;
        let bound_after = Some(self.bounds.after(&rows, self.position).map_err(|(row, time, reached, column)| {
            let (file, groups) = (&self.file.name, runs::Told(&self.groups));
            let row = self.position - (rows.num_rows() - row) as u64;
            Error::data(format!(
                "file {file}: {groups}: row {row} has event time {time} and comes after {reached}, although the \
                 file's `sorting_columns` say that it is sorted by `{column}`. Was the mark kept when the rows were put \
                 into another order? `?sorted=false` reads the file without believing it"
            ))
        })?);
        Ok(Next::Batch(SourceBatch { rows, offset_after: self.file.offset(self.position), bound_after }))
    }
}

impl Bounds {
    /// The bound after `rows`, the last of which is the row before `position`.
    ///
    /// # Errors
    /// A row that breaks the order that the file claims: the error names the row, its time, that of one before it, and
    /// the column.
    fn after(&mut self, rows: &RecordBatch, position: u64) -> Result<EventTime, (usize, EventTime, EventTime, String)> {
        Ok(match self {
            Bounds::Pages(pages) => pages.bound_from(position),
            Bounds::Sorted { column, reached } => {
                if let Some(times) = rows.column_by_name(column.name()) {
                    let ascends = column.ascend(times, reached);
                    ascends.map_err(|(row, time)| (row, time, *reached, column.name().to_owned()))?;
                }
                *reached
            }
            Bounds::Group(bound) => *bound,
        })
    }
}

/// How many rows the row groups in the metadata have.
fn rows_of(metadata: &ArrowReaderMetadata) -> u64 {
    metadata.metadata().row_groups().iter().map(|group| group.num_rows() as u64).sum()
}

/// The wanted rows of row groups, which are the only ones in `metadata`.
fn batches(
    file: &ParquetFile,
    groups: &Range<usize>,
    metadata: &ArrowReaderMetadata,
    wanted: &Range<u64>,
    scan: &Scan,
) -> Result<ParquetRecordBatchReader> {
    let (rows, row_groups) = (rows_of(metadata), metadata.metadata().row_groups());
    let at_once = row_groups.iter().map(|group| rows_at_once(group, scan.batch_rows)).min().unwrap_or(1);
    guarded(format_args!("file {}: {}", file.name, runs::Told(groups)), || {
        let chunks = file.chunks(row_groups);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, metadata.clone());
        let mut builder = builder.with_batch_size(at_once);
        if *wanted != (0..rows) {
            let selected = std::iter::once(wanted.start as usize..wanted.end as usize);
            builder = builder.with_row_selection(RowSelection::from_consecutive_ranges(selected, rows as usize));
        }
        builder.build()
    })
}

/// How many rows are decoded at once: few if they are large.
pub(super) fn rows_at_once(group: &RowGroupMetaData, wanted: usize) -> usize {
    // The least that a value takes, and what it takes in a page, which a dictionary makes smaller but not larger.
    let of = |column: &ColumnChunkMetaData| column.uncompressed_size().max(column.num_values().saturating_mul(8));
    let bytes = group.columns().iter().map(of).fold(0, i64::saturating_add);
    let row = bytes / group.num_rows().max(1);
    wanted.min(BATCH_BYTES / usize::try_from(row).unwrap_or(0).max(1)).max(1)
}

/// Whether the file says that the group is sorted by event time first.
fn sorted_by(group: &RowGroupMetaData, wanted: &Projection, column: &TimeColumn) -> bool {
    let first = group.sorting_columns().and_then(|columns| columns.first());
    let root = |index: i32| usize::try_from(index).ok().and_then(|leaf| wanted.root_of(leaf));
    first.is_some_and(|first| !first.descending && root(first.column_idx) == Some(column.root))
}
