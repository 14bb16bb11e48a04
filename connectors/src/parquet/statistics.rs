//! Between which event times a row group lies: by its statistics, or by a scan of that one column.

use arrow_array::RecordBatchReader;
use dualgauge_engine::{EventTime, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::errors::ParquetError;

use super::file::ParquetFile;
use super::guard::guarded;
use super::time_column::TimeColumn;

/// How many rows a scan decodes at a time.
const SCAN_ROWS: usize = 64 * 1024;

/// The smallest and largest event time of each row group of a file.
#[derive(Debug)]
pub(super) struct GroupTimes {
    /// By row group. A group of which no row has an event time spans all time: there is nothing to leave it out by.
    pub(super) ranges: Vec<(EventTime, EventTime)>,
    /// The groups that had no statistics to rely on and were scanned.
    pub(super) scanned: Vec<usize>,
}

/// Finds out between which event times the row groups of `file` lie.
pub(super) fn group_times(file: &ParquetFile, column: Option<&TimeColumn>) -> Result<GroupTimes> {
    let metadata = file.metadata().metadata();
    let Some(column) = column.filter(|column| column.is_known()) else {
        let ranges = vec![(EventTime::MIN, EventTime::MAX); metadata.num_row_groups()];
        return Ok(GroupTimes { ranges, scanned: Vec::new() });
    };
    let known = guarded(format_args!("file {}: statistics", file.name), || by_statistics(file, column))?;
    let mut times = GroupTimes { ranges: Vec::with_capacity(known.len()), scanned: Vec::new() };
    for (group, range) in known.into_iter().enumerate() {
        let range = match range {
            Some(range) => Some(range),
            None if metadata.row_group(group).num_rows() == 0 => None,
            None => {
                times.scanned.push(group);
                by_scan(file, group, column)?
            }
        };
        times.ranges.push(range.unwrap_or((EventTime::MIN, EventTime::MAX)));
    }
    Ok(times)
}

/// What the statistics say, where they can be believed.
fn by_statistics(file: &ParquetFile, column: &TimeColumn) -> Result<Vec<Option<(EventTime, EventTime)>>, ParquetError> {
    let metadata = file.metadata().metadata();
    let groups = metadata.row_groups();
    let parquet_schema = file.metadata().parquet_schema();
    let converter = StatisticsConverter::try_new(column.name(), file.schema(), parquet_schema)?;
    let Some(leaf) = converter.parquet_column_index() else { return Ok(vec![None; groups.len()]) };
    let (mins, maxes) = (converter.row_group_mins(groups)?, converter.row_group_maxes(groups)?);
    let believed = |group: usize| {
        let statistics = groups[group].column(leaf).statistics()?;
        let exact = statistics.min_is_exact() && statistics.max_is_exact() && !statistics.is_min_max_deprecated();
        let (min, max) = (column.time(&mins, group)?, column.time(&maxes, group)?);
        (exact && min <= max).then_some((min, max))
    };
    Ok((0..groups.len()).map(believed).collect())
}

fn by_scan(file: &ParquetFile, group: usize, column: &TimeColumn) -> Result<Option<(EventTime, EventTime)>> {
    let mask = ProjectionMask::roots(file.metadata().parquet_schema(), [column.root]);
    let chunks = file.chunks(group, &mask)?;
    guarded(format_args!("file {}: row group {group}: column `{}`", file.name, column.name()), || {
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, file.metadata().clone())
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(SCAN_ROWS)
            .build()?;
        debug_assert_eq!(reader.schema().fields().len(), 1);
        let mut range = None;
        for batch in reader {
            let batch = batch?;
            range = match (range, column.range(batch.column(0))) {
                (Some((min, max)), Some((lower, upper))) => Some((lower.min(min), upper.max(max))),
                (range, None) => range,
                (None, found) => found,
            };
        }
        Ok(range)
    })
}
