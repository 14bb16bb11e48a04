//! The range of event times of a row group: by its statistics, or by a scan of that one column.

use arrow_array::RecordBatchReader;
use dualgauge_engine::{Error, EventTime, Result};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;

use super::columns::Projection;
use super::file::ParquetFile;
use super::guard::guarded;
use super::int96;
use super::time_column::TimeColumn;

/// How many rows a scan decodes at a time.
const SCAN_ROWS: usize = 64 * 1024;

/// What is known of a row group before it is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupLook {
    /// The smallest and largest event time. A group in which no row has one spans all time: there is no reason to leave
    /// it out.
    pub(super) range: (EventTime, EventTime),
    pub(super) rows: u64,
    /// How many bytes the wanted columns have in the file.
    pub(super) bytes: u64,
    /// Whether it had no statistics to rely on and was scanned.
    pub(super) scanned: bool,
    /// How many bytes all its columns have before compression, by its own word; `None` if it does not say.
    pub(super) whole_bytes: Option<u64>,
    /// How many bytes it has in the footer.
    pub(super) footer_bytes: u64,
    /// Whether it may be read together with its neighbours. A group with times of INT96 may not, since it is searched
    /// first.
    pub(super) joins: bool,
}

/// Looks at the row groups of `file`: their ranges of event times, and the size of what is wanted of them.
pub(super) fn looks(file: &ParquetFile, wanted: &Projection, column: Option<&TimeColumn>) -> Result<Vec<GroupLook>> {
    let mut looks = Vec::with_capacity(file.group_count());
    let joins = !file.columns().have_int96();
    let column = column.filter(|column| column.is_known());
    file.each_group(wanted, |number, group| {
        // A codec that the build lacks is reported when the file is listed, by name.
        let unread = group.columns().iter().find(|column| matches!(column.compression(), Compression::LZO));
        if let Some(column) = unread {
            let (name, path) = (&file.name, column.column_path().string());
            return Err(Error::data(format!(
                "file {name}: row group {number}: column `{path}` is compressed by LZO, which this build cannot read; \
                 write the file with another codec, such as zstd"
            )));
        }
        let rows = group.num_rows() as u64;
        let bytes = group.columns().iter().map(|column| column.compressed_size() as u64).sum();
        let known = column.map(|column| {
            let place = format_args!("file {}: row group {number}: statistics", file.name);
            guarded(place, || by_statistics(group, wanted, column))
        });
        let (range, scanned) = match (known.transpose()?.flatten(), column) {
            (None, Some(column)) if rows > 0 => (by_scan(file, number, column)?, true),
            (known, _) => (known, false),
        };
        let range = range.unwrap_or((EventTime::MIN, EventTime::MAX));
        let whole_bytes = u64::try_from(group.total_byte_size()).ok().filter(|bytes| *bytes > 0);
        let footer_bytes = file.footer_bytes(number);
        looks.push(GroupLook { range, rows, bytes, whole_bytes, footer_bytes, scanned, joins });
        Ok(())
    })?;
    Ok(looks)
}

/// What the statistics say, if they can be believed.
fn by_statistics(
    group: &RowGroupMetaData,
    wanted: &Projection,
    column: &TimeColumn,
) -> Result<Option<(EventTime, EventTime)>, ParquetError> {
    let Some(leaf) = wanted.leaf_of(column.root) else { return Ok(None) };
    let Some(statistics) = group.column(leaf).statistics() else { return Ok(None) };
    let exact = statistics.min_is_exact() && statistics.max_is_exact() && !statistics.is_min_max_deprecated();
    if !exact {
        return Ok(None);
    }
    let schema = group.schema_descr();
    let converter = StatisticsConverter::try_new(column.name(), &wanted.arrow, schema)?;
    let (mins, maxes) = (converter.row_group_mins([group])?, converter.row_group_maxes([group])?);
    let range = column.time(&mins, 0).zip(column.time(&maxes, 0));
    Ok(range.filter(|(min, max)| min <= max))
}

fn by_scan(file: &ParquetFile, group: usize, column: &TimeColumn) -> Result<Option<(EventTime, EventTime)>> {
    let projection = file.columns().project(std::iter::once(column.name()));
    let metadata = file.groups(group..group + 1, &projection)?;
    int96::check(file, group, &metadata, &projection)?;
    let chunks = file.chunks(metadata.metadata().row_groups());
    guarded(format_args!("file {}: row group {group}: column `{}`", file.name, column.name()), || {
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, metadata);
        let reader = reader.with_batch_size(SCAN_ROWS).build()?;
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
