//! What every source promises, tried on one of them: whoever writes a source runs [`source_contract`] over it.

mod reading;
mod reopened;

use std::collections::BTreeSet;

use self::reading::{Reading, Said};
use crate::{Error, Partition, Record, Result, Scan, Source};

/// How many rows a batch is asked to have, one run for each: all at once, each by itself, and a few.
const BATCH_ROWS: [usize; 3] = [8192, 1, 3];

/// How often a partition may be asked in vain while rows are still to come, with a pause behind each: half a minute.
const VAIN_MAX: usize = 30_000;

/// The same where nothing is to come any more.
const IDLE_MAX: usize = 1_000;

/// What [`source_contract`] has tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upheld {
    /// How many partitions were read.
    pub partitions: usize,
    /// How many rows they have that a job gets, bad ones among them.
    pub rows: usize,
    /// At how many offsets a partition was opened again.
    pub offsets: usize,
}

/// Tries on a source what the engine relies on: `make` gives it anew each time, as a program does that starts again, and
/// always with the same data, of which a job gets so many `rows`, bad ones among them.
///
/// - **Listed alike.** The partitions are the same twice, from one source and from another one, and no two have one name.
/// - **Whole.** Every partition is read to its end: a bounded one says [`Next::End`](crate::Next::End), a followed one that, or
///   [`Next::Pending`](crate::Next::Pending) when all is read. All rows come that there are, with the columns of the record.
/// - **Offsets grow** with every batch that has rows, and are the same when they have been stored and read back.
/// - **Replayable everywhere.** Opened at *any* offset that it handed out, in the same source or in a new one, a partition gives the
///   rest: the same rows in the same order, the same offsets with the same proofs, the same watermarks. What it repeats, it
///   repeats by whole batches.
/// - **Commits change nothing.** A reader that is told of each offset as soon as it was handed out, and one that is opened at the last
///   of them and told of it, give the same as the others ([`PartitionReader::committed`](crate::PartitionReader::committed)).
/// - **Nobody is missed.** A reader that is dropped after one batch changes nothing for the next one.
/// - **It wakes its worker**, where it says so ([`PartitionReader::wake_by`](crate::PartitionReader::wake_by)): rows, or an end, that
///   come behind a [`Next::Pending`](crate::Next::Pending) are told by a wake.
/// - **Bounds are kept.** No row is below what [`Partition::bound`] or [`SourceBatch::bound_after`](crate::SourceBatch::bound_after)
///   said before it, none above [`Partition::upper`], and [`Partition::rows`] is how many there are.
///
/// It is done with batches of several sizes. The work grows with the square of the rows: a few dozen in each partition, with
/// whatever is hard for the source among them, find more than a million of a kind.
///
/// ```
/// use dualgauge_engine::testing::{Item, Script, source_contract};
///
/// // Two partitions, one of which has nothing to read for a moment.
/// let make = || Box::new(Script::from("a:1@10 b:2@11 | a:3@12\n c:9@5 _ c:8@6")) as _;
/// let upheld = source_contract::<Item>(5, make).unwrap();
/// assert_eq!((upheld.partitions, upheld.rows), (2, 5));
/// ```
///
/// # Errors
/// What the source does not keep: the partition, the offset at which it was opened, the row, what was found and what was
/// expected. So is an error of the source itself.
pub fn source_contract<D: Record>(rows: usize, make: impl Fn() -> Box<dyn Source>) -> Result<Upheld> {
    let place = make().describe();
    let tried = BATCH_ROWS.iter().try_fold(Upheld::default(), |upheld, batch_rows| {
        let tried = try_with::<D>(rows, &make, *batch_rows);
        let tried = tried.map_err(|error| error.at(format_args!("with batches of {batch_rows} rows")))?;
        Ok(Upheld { offsets: upheld.offsets + tried.offsets, ..tried })
    });
    tried.map_err(|error: Error| error.at(place))
}

/// The contract with batches of one size.
fn try_with<D: Record>(rows: usize, make: &impl Fn() -> Box<dyn Source>, batch_rows: usize) -> Result<Upheld> {
    let Some(event_time) = D::event_time_column() else {
        return Err(Error::usage("the record has no `#[event_time]`: no source gives rows of it"));
    };
    let (schema, event_time) = (D::wanted(), event_time.to_string());
    let scan = Scan { schema, event_time, from: None, to: None, batch_rows };
    let source = make();
    let partitions = listed(&*source, &*make(), &scan)?;
    let wholes = read_all::<D>(&*source, &partitions, &scan, rows)?;
    let mut offsets = 0;
    for whole in &wholes {
        let reopened = whole.check_rows().and_then(|()| reopened::check(whole, &*source, &make, &scan));
        offsets += reopened.map_err(|error| error.at(&whole.partition.id))?;
    }
    // Last, since what a source has been told of it need not give again.
    for whole in &wholes {
        let told = reopened::check_committed(whole, &*source, &*make(), &scan);
        told.map_err(|error| error.at(&whole.partition.id))?;
    }
    Ok(Upheld { partitions: partitions.len(), rows, offsets })
}

/// The partitions, which are the same whenever and of whomever they are asked.
fn listed(source: &dyn Source, other: &dyn Source, scan: &Scan) -> Result<Vec<Partition>> {
    let first = source.partitions(scan)?.partitions;
    for (again, who) in [(source, "the same source"), (other, "a source that was made anew")] {
        let again = again.partitions(scan)?.partitions;
        if let Some(at) = (0..first.len().max(again.len())).find(|at| first.get(*at) != again.get(*at)) {
            return Err(Error::usage(format!(
                "listed again by {who}, partition {at} of the listing is {:?}, expected {:?} as the first time; likely mistake: \
                 a listing in the order of a hash map or of a directory",
                again.get(at),
                first.get(at)
            )));
        }
    }
    let mut names = BTreeSet::new();
    for partition in &first {
        if !names.insert(&partition.id) {
            return Err(Error::usage(format!(
                "two partitions are called `{}`, expected one name for each",
                partition.id
            )));
        }
        if source.bounded() && partition.followed {
            return Err(Error::usage("it is followed, and its source says that it is bounded").at(&partition.id));
        }
    }
    Ok(first)
}

/// Reads all partitions side by side until each has said that there is nothing more, and all rows have come.
fn read_all<D: Record>(
    source: &dyn Source,
    partitions: &[Partition],
    scan: &Scan,
    rows: usize,
) -> Result<Vec<Reading<D>>> {
    let open = |partition: &Partition| {
        Reading::<D>::open(source, partition, None, scan).map_err(|error| error.at(&partition.id))
    };
    let mut readings: Vec<_> = partitions.iter().map(open).collect::<Result<_>>()?;
    let mut vain = 0;
    loop {
        let mut given = false;
        for reading in &mut readings {
            given |= reading.ask().map_err(|error| error.at(&reading.partition.id))? == Said::Rows;
        }
        let came: usize = readings.iter().map(Reading::wanted).sum();
        let over = readings.iter().all(|reading| reading.said == Said::End);
        let caught_up = came >= rows && readings.iter().all(Reading::is_read);
        vain = if given { 0 } else { vain + 1 };
        if over || !given && caught_up {
            if came == rows {
                return Ok(readings);
            }
            return Err(Error::usage(format!("its partitions give {came} rows together, expected {rows}")));
        }
        if vain > if came < rows { VAIN_MAX } else { IDLE_MAX } {
            let waiting = readings.iter().find(|reading| !reading.is_read());
            return Err(match waiting.filter(|_| came >= rows) {
                Some(reading) => reading.never_ends().at(&reading.partition.id),
                None => Error::usage(format!("its partitions have given {came} rows and are pending, expected {rows}")),
            });
        }
        pause(vain);
    }
}

/// Lets others go on where nothing came: those who read for a source on a thread of their own.
fn pause(vain: usize) {
    match vain {
        0 => {}
        1..=IDLE_MAX => std::thread::yield_now(),
        _ => std::thread::park_timeout(std::time::Duration::from_millis(1)),
    }
}
