//! Which event times lie where in a partition: by the page index of the column, or by the row groups of a run.

use std::ops::Range;

use dualgauge_engine::{EventTime, Scan};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;

use super::columns::Projection;
use super::guard::guarded;
use super::time_column::TimeColumn;
use crate::files::may_have_wanted;

/// Which event times the pages of one row group hold, or the row groups of a run.
#[derive(Debug)]
pub(super) struct Pages {
    /// The first row of each page, ascending from 0.
    first_rows: Vec<u64>,
    /// The smallest and largest event time of each page; `None` where all are null.
    ranges: Vec<Option<(EventTime, EventTime)>>,
    /// The smallest event time in each page and all that follow it.
    still_to_come: Vec<EventTime>,
    rows: u64,
}

impl Pages {
    /// Those of a row group with its page index, whose event times lie in `group_range`; `None` where the file has none
    /// that agrees with the rest of its metadata.
    pub(super) fn of(
        group: &ArrowReaderMetadata,
        wanted: &Projection,
        column: &TimeColumn,
        group_range: (EventTime, EventTime),
    ) -> Option<Pages> {
        let metadata = group.metadata();
        let leaf = wanted.leaf_of(column.root)?;
        let plain = metadata.row_group(0);
        plain.column(leaf).column_index_offset().and(plain.column(leaf).offset_index_offset())?;
        let (index, offsets) = (metadata.column_index()?, metadata.offset_index()?);
        let pages = guarded("page index", || {
            let converter = StatisticsConverter::try_new(column.name(), group.schema(), group.parquet_schema())?;
            let mins = converter.data_page_mins(index, offsets, &[0])?;
            let maxes = converter.data_page_maxes(index, offsets, &[0])?;
            let locations = offsets[0][leaf].page_locations();
            let first_rows: Vec<_> = locations.iter().map(|page| page.first_row_index as u64).collect();
            let range = |page| Some((column.time(&mins, page)?, column.time(&maxes, page)?));
            let ranges: Vec<_> = (0..locations.len()).map(range).collect();
            // The index marks a page without values; a page that merely lacks statistics cannot be told apart from one.
            let all_null: Vec<_> = (0..locations.len()).map(|page| index[0][leaf].is_null_page(page)).collect();
            Ok((first_rows, ranges, all_null))
        });
        let (first_rows, ranges, all_null) = pages.ok()?;
        let rows = plain.num_rows() as u64;
        let ascending = first_rows.first() == Some(&0)
            && first_rows.windows(2).all(|pair| pair[0] < pair[1])
            && first_rows.last().is_some_and(|last| *last < rows);
        let (lower, upper) = group_range;
        let believable = ranges.iter().zip(&all_null).all(|(range, null)| match range {
            Some((min, max)) => lower <= *min && min <= max && *max <= upper,
            None => *null,
        });
        if !(ascending && believable && first_rows.len() == ranges.len()) {
            return None;
        }
        let mut still_to_come: Vec<_> =
            ranges.iter().map(|range| range.map_or(EventTime::MAX, |(min, _)| min)).collect();
        for page in (1..still_to_come.len()).rev() {
            still_to_come[page - 1] = still_to_come[page - 1].min(still_to_come[page]);
        }
        Some(Pages { first_rows, ranges, still_to_come, rows })
    }

    /// The row groups of one run in place of pages: how many rows each has, and its range of event times.
    pub(super) fn of_run(groups: impl Iterator<Item = (u64, (EventTime, EventTime))>) -> Pages {
        let (mut first_rows, mut ranges, mut still_to_come, mut rows) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for (of_group, range) in groups {
            first_rows.push(rows);
            ranges.push(Some(range));
            still_to_come.push(range.0); // a run ascends
            rows += of_group;
        }
        Pages { first_rows, ranges, still_to_come, rows }
    }

    /// No event time from `row` on is below this.
    pub(super) fn bound_from(&self, row: u64) -> EventTime {
        if row >= self.rows {
            return EventTime::MAX;
        }
        self.still_to_come[self.first_rows.partition_point(|first| *first <= row) - 1]
    }

    /// The rows from the first page that may hold what the scan wants to the last.
    ///
    /// One range and not several, so that offsets count rows of the group without gaps. A page of nulls is kept if it
    /// lies between others; its rows are bad records, to which the source's policy applies.
    pub(super) fn wanted(&self, scan: &Scan) -> Range<u64> {
        let wanted =
            |range: &Option<(EventTime, EventTime)>| range.is_none_or(|(min, max)| may_have_wanted(scan, min, max));
        let Some(first) = self.ranges.iter().position(wanted) else { return 0..0 };
        let last = self.ranges.iter().rposition(wanted).unwrap_or(first);
        self.first_rows[first]..self.first_rows.get(last + 1).copied().unwrap_or(self.rows)
    }
}
