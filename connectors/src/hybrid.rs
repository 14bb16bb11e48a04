//! History, then the present: one source made of two, without a gap or a repeat.
//!
//! The place where the two meet is the *seam*. Parquet files that were archived from a log say in their footers which
//! of its offsets they hold; then the seam is an offset in each partition, and a hole or an overlap is found before the
//! run starts. Anything else is cut at an event time that the user gives: history before it, the log from it on.
//!
//! While history drains, the watermark never passes the log's own at the seam: a partition of the log starts with the
//! largest event time that history has for it, and holds the source's watermark from the first moment.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dualgauge_engine::{
    Basis, Change, Error, EventTime, Listing, Offset, Partition, PartitionId, PartitionReader, Place, Remedy, Result,
    Scan, Source,
};

use crate::log::LogSource;
use crate::parquet::{self, Covered, ParquetSource};

/// History first and live after, as one source.
pub struct Hybrid {
    history: Arc<dyn Source>,
    live: Arc<dyn Source>,
    seam: Seam,
}

/// Where history ends and the present begins.
enum Seam {
    /// At an offset of each partition of the log, which the history's files prove.
    Offsets(Vec<Covered>),
    /// At an event time.
    Time(EventTime),
}

/// What the name of a live partition starts with, to distinguish it from those of the history.
const LIVE: &str = "live ";

impl Hybrid {
    /// Parquet files that were archived from a log, and that log.
    ///
    /// # Errors
    /// Files that do not say what they hold of this log, offsets that are held twice or not at all, a log that ends
    /// before its history does.
    pub fn archived(history: impl Into<PathBuf>, log: impl AsRef<Path>) -> Result<Hybrid> {
        Hybrid::archived_as(parquet::read(history), LogSource::open(log)?)
    }

    /// The same for sources that have options of their own.
    ///
    /// # Errors
    /// As for [`archived`](Hybrid::archived).
    pub fn archived_as(history: ParquetSource, live: LogSource) -> Result<Hybrid> {
        let log = live.log();
        let covered = parquet::covered(history.path())?;
        // If there may be nothing to read, and there is nothing, the log is read from its front.
        let nothing = history.is_empty()?;
        let seams = if nothing {
            (0..log.partitions()).map(|number| front(&log.id(), number)).collect()
        } else {
            let place = format!("the seam between {} and {}", history.describe(), live.describe());
            seams(&covered, &log.id(), log.partitions()).map_err(|error| error.at(&place))?
        };
        Ok(Hybrid { history: Arc::new(history), live: Arc::new(live), seam: Seam::Offsets(seams) })
    }

    /// Any history before `seam`, and any live source from `seam` on.
    pub fn cut_at(seam: EventTime, history: impl Source + 'static, live: impl Source + 'static) -> Hybrid {
        Hybrid::of(Arc::new(history), Arc::new(live), seam)
    }

    /// The same for sources that are shared.
    pub fn of(history: Arc<dyn Source>, live: Arc<dyn Source>, seam: EventTime) -> Hybrid {
        Hybrid { history, live, seam: Seam::Time(seam) }
    }
}

impl Source for Hybrid {
    fn describe(&self) -> String {
        format!("{},{}", self.history.describe(), self.live.describe())
    }

    fn places(&self) -> Vec<Place> {
        [self.history.places(), self.live.places()].concat()
    }

    fn noun(&self) -> &'static str {
        self.history.noun()
    }

    fn bounded(&self) -> bool {
        self.live.bounded()
    }

    fn partitions(&self, scan: &Scan) -> Result<Listing> {
        let mut listing = match &self.seam {
            Seam::Offsets(_) => self.history.partitions(scan)?,
            Seam::Time(seam) => {
                // A part of the history that lies after the seam need not be opened.
                let before = Scan { to: Some(scan.to.map_or(*seam, |to| to.min(*seam))), ..scan.clone() };
                let mut listing = self.history.partitions(&before)?;
                listing.partitions.iter_mut().for_each(|partition| partition.to = Some(*seam));
                listing
            }
        };
        let live = self.live.partitions(scan)?;
        listing.notes.extend(live.notes);
        for (number, partition) in live.partitions.into_iter().enumerate() {
            let id = PartitionId(format!("{LIVE}{}", partition.id));
            listing.partitions.push(match &self.seam {
                Seam::Time(seam) => Partition { id, bound: Some(*seam), from: Some(*seam), ..partition },
                Seam::Offsets(seams) => {
                    let (start, largest) = (Offset::at(seams[number].to), seams[number].watermark_max_time);
                    listing.notes.push(format!("{id} goes on at offset {start}, which the history's files prove"));
                    Partition { id, start: Some(start), largest_before: Some(largest), ..partition }
                }
            });
        }
        Ok(listing)
    }

    fn appeared(&self, known: &dyn Fn(&PartitionId) -> bool) -> Result<Vec<PartitionId>> {
        let named = |id: &PartitionId| PartitionId(format!("{LIVE}{id}"));
        let found = self.live.appeared(&|id| known(&named(id)))?;
        Ok(found.iter().map(named).collect())
    }

    /// A different seam would leave a hole, or read again what was read on the other side.
    fn basis(&self) -> Basis {
        let seam = match &self.seam {
            Seam::Time(seam) => seam.to_string(),
            Seam::Offsets(seams) => {
                let at = seams.iter().map(|seam| format!("partition {} at {}", seam.partition, seam.to));
                at.collect::<Vec<_>>().join(", ")
            }
        };
        Basis::new().and("history ", self.history.basis()).and("live ", self.live.basis()).with("seam", seam)
    }

    fn takes(&self, change: &Change) -> bool {
        let of = |prefix, source: &dyn Source| {
            let option = change.option.strip_prefix(prefix)?.to_string();
            Some(source.takes(&Change { option, ..change.clone() }))
        };
        of("history ", &*self.history).or_else(|| of("live ", &*self.live)).unwrap_or(false)
    }

    fn open(&self, partition: &Partition, offset: Option<&Offset>, scan: &Scan) -> Result<Box<dyn PartitionReader>> {
        match partition.id.0.strip_prefix(LIVE) {
            None => self.history.open(partition, offset, scan),
            Some(id) => {
                let live = Partition { id: PartitionId(id.to_string()), ..partition.clone() };
                self.live.open(&live, offset, scan)
            }
        }
    }
}

/// What the history holds of each partition of the log, joined: from its first offset to the seam.
fn seams(covered: &[Covered], log: &str, partitions: u32) -> Result<Vec<Covered>> {
    if covered.is_empty() {
        let error = Error::usage("the history's files do not say which offsets of the log they hold");
        return Err(error.with_remedy(Remedy::Seam));
    }
    if let Some(other) = covered.iter().find(|part| part.log != log) {
        let message = format!("the history is of another log, {}, and this one is {log}", other.log);
        return Err(Error::data(message));
    }
    if let Some(other) = covered.iter().find(|part| part.partition >= partitions) {
        let message = format!("the history holds partition {}, and the log has {partitions}", other.partition);
        return Err(Error::data(message));
    }
    (0..partitions).map(|number| seam(covered.iter().filter(|part| part.partition == number), log, number)).collect()
}

/// An empty cover of a partition.
fn front(log: &str, number: u32) -> Covered {
    Covered { log: log.to_string(), partition: number, from: 0, to: 0, watermark_max_time: EventTime::MIN }
}

/// Joins the parts of one partition, which come in the order of their offsets.
fn seam<'a>(parts: impl Iterator<Item = &'a Covered>, log: &str, number: u32) -> Result<Covered> {
    parts.into_iter().try_fold(front(log, number), |joined, part| {
        let Covered { from, to, .. } = *part;
        let end = joined.to;
        match from.cmp(&end) {
            std::cmp::Ordering::Equal => Ok(Covered {
                to,
                watermark_max_time: joined.watermark_max_time.max(part.watermark_max_time),
                ..joined
            }),
            std::cmp::Ordering::Greater => Err(Error::data(format!(
                "the history has a hole: of partition {number} it holds offsets up to {end} and then from {from}; is a file missing?"
            ))),
            std::cmp::Ordering::Less => Err(Error::data(format!(
                "the history overlaps: of partition {number} it holds offsets up to {end} and again from {from} to {to}; is a file there twice?"
            ))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(partition: u32, from: u64, to: u64) -> Covered {
        Covered { log: "log".into(), partition, from, to, watermark_max_time: EventTime::from_micros(to as i64) }
    }

    #[test]
    fn parts_that_follow_each_other_are_one() {
        let joined = seams(&[part(0, 0, 3), part(0, 3, 9), part(1, 0, 4)], "log", 2).unwrap();
        assert_eq!(joined, [part(0, 0, 9), part(1, 0, 4)]);
    }

    #[test]
    fn a_partition_that_history_does_not_hold_is_read_from_its_start() {
        let joined = seams(&[part(0, 0, 3)], "log", 2).unwrap();
        assert_eq!((joined[1].to, joined[1].watermark_max_time), (0, EventTime::MIN));
    }

    #[test]
    fn a_hole_an_overlap_and_a_stranger_are_named() {
        let refused = |parts: &[Covered], log| seams(parts, log, 1).unwrap_err().to_string();
        let hole = refused(&[part(0, 0, 3), part(0, 4, 9)], "log");
        assert!(hole.contains("up to 3 and then from 4"), "{hole}");
        let overlap = refused(&[part(0, 0, 3), part(0, 2, 9)], "log");
        assert!(overlap.contains("up to 3 and again from 2 to 9"), "{overlap}");
        assert!(refused(&[part(0, 1, 3)], "log").contains("hole"));
        assert!(refused(&[part(0, 0, 3)], "other").contains("another log"));
        assert!(refused(&[part(7, 0, 3)], "log").contains("partition 7"));
        assert!(refused(&[], "log").contains("Hybrid::cut_at"));
    }
}
