//! Runs of small row groups that are one partition.
//!
//! A writer that is flushed often leaves thousands of row groups with a few rows each. As partitions of their own, each
//! would be opened, waited for in turn and listed in every checkpoint. So in a file with many of them, neighbours that
//! also follow each other in time are one partition, as many as make a batch; in it, a row group plays the part of a
//! page in a large row group.
//!
//! Which groups make up a run depends only on the file and its event-time column, not on what else is wanted of it: a
//! job that resumes finds the same runs.

use std::fmt::{self, Display};
use std::ops::Range;

use super::statistics::GroupLook;

/// A file with fewer row groups has no runs.
pub(super) const GROUPS_MIN: usize = 128;

/// The most rows of a run.
const ROWS_MAX: u64 = 8_192;

/// The most bytes of a run, by what its groups say their columns have before compression: they may all be in memory
/// while it is read.
const BYTES_MAX: u64 = 4 << 20;

/// The most bytes that the columns of a run may claim in the file, where pages can be larger than what they hold.
pub(super) const CLAIMED_MAX: i64 = 4 * BYTES_MAX as i64;

/// The most bytes that a run has in the footer: they are decoded together.
const FOOTER_MAX: u64 = 1 << 20;

/// The partitions of a file: its row groups, or runs of them; those without rows are left out.
pub(super) fn runs(looks: &[GroupLook]) -> Vec<Range<usize>> {
    let (mut runs, mut size) = (Vec::<Range<usize>>::new(), Size::default());
    for (group, look) in looks.iter().enumerate().filter(|(_, look)| look.rows > 0) {
        let with = size.and(look);
        let before = runs.last_mut().filter(|run| run.end == group && looks.len() >= GROUPS_MIN && with.fits());
        match before.filter(|_| follows(&looks[group - 1], look)) {
            Some(run) => (run.end, size) = (group + 1, with),
            None => {
                runs.push(group..group + 1);
                size = Size::default().and(look);
            }
        }
    }
    runs
}

/// How large a run is.
#[derive(Clone, Copy, Default)]
struct Size {
    rows: u64,
    bytes: u64,
    footer: u64,
}

impl Size {
    fn and(self, look: &GroupLook) -> Size {
        let GroupLook { rows, whole_bytes, footer_bytes, .. } = *look;
        Size {
            rows: self.rows.saturating_add(rows),
            bytes: self.bytes.saturating_add(whole_bytes.unwrap_or(u64::MAX)),
            footer: self.footer.saturating_add(footer_bytes),
        }
    }

    fn fits(self) -> bool {
        self.rows <= ROWS_MAX && self.bytes <= BYTES_MAX && self.footer <= FOOTER_MAX
    }
}

/// Whether a row group may be read together with the one before it, and comes after it.
fn follows(before: &GroupLook, group: &GroupLook) -> bool {
    before.joins && group.joins && before.range.1 <= group.range.0
}

/// Row groups in the name of a partition: `3`, or `3-9` from the first to the last.
pub(super) fn parse(text: &str) -> Option<Range<usize>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
    (first <= last).then(|| first..last.saturating_add(1))
}

/// Row groups as in the name of a partition.
pub(super) struct Name<'a>(pub(super) &'a Range<usize>);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.0.start, self.0.end - 1);
        if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
    }
}

/// Row groups as in a message: `row group 3`, or `row groups 3-9`.
pub(super) struct Told<'a>(pub(super) &'a Range<usize>);

impl Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "row group{many} {}", Name(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dualgauge_engine::EventTime;

    fn look(from: i64, to: i64, rows: u64) -> GroupLook {
        let range = (EventTime::from_micros(from), EventTime::from_micros(to));
        let whole_bytes = Some(10 * rows);
        GroupLook { range, rows, bytes: 10 * rows, whole_bytes, footer_bytes: 40, scanned: false, joins: true }
    }

    /// This many groups of ten rows, one after the other in time.
    fn many(groups: usize) -> Vec<GroupLook> {
        (0..groups as i64).map(|group| look(group, group + 1, 10)).collect()
    }

    #[test]
    fn every_group_with_rows_is_in_one_run_which_ascends_and_is_bounded() {
        let mut looks = many(3_000);
        looks[10].rows = 0;
        looks[20].range = (EventTime::from_micros(3), EventTime::from_micros(4));
        looks[30].joins = false;
        looks[40].rows = ROWS_MAX + 1;
        looks[50].whole_bytes = Some(BYTES_MAX + 1);
        looks[60].whole_bytes = None;
        looks[70].footer_bytes = FOOTER_MAX + 1;
        let runs = runs(&looks);
        let first = [0..10, 11..20, 20..30, 30..31, 31..40, 40..41, 41..50, 50..51, 51..60, 60..61, 61..70, 70..71];
        assert_eq!(runs[..12], first);
        let read: Vec<usize> = runs.iter().cloned().flatten().collect();
        assert!(read.iter().copied().eq((0..3_000).filter(|group| *group != 10)));
        for run in runs.iter().filter(|run| run.len() > 1) {
            assert!(looks[run.clone()].iter().map(|look| look.rows).sum::<u64>() <= ROWS_MAX, "{run:?}");
        }
        assert!(runs.len() < 20, "{runs:?}");
    }

    #[test]
    fn a_file_of_few_groups_has_a_partition_for_each() {
        assert_eq!(runs(&many(GROUPS_MIN - 1)).len(), GROUPS_MIN - 1);
        assert_eq!(runs(&many(GROUPS_MIN)).len(), 1);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for (groups, text) in [(3..4, "3"), (0..1, "0"), (3..10, "3-9")] {
            assert_eq!(Name(&groups).to_string(), text);
            assert_eq!(parse(text), Some(groups));
        }
        for text in ["", "-", "3-", "-3", "9-3", "3-9-10", "x", "18446744073709551616"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
