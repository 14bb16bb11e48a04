//! Reading the manifest log: what it holds now, and what was shortened away.
//!
//! ```text
//! floors/00000000000000000120      entries below 120 are of the log no more; the highest one counts
//! manifest/00000000000000000000    the first entry stays: the first fence, which names the job
//! manifest/00000000000000000120    from the floor on the numbers are dense
//! kept/00000000000000000064        a commit below the floor that is kept: a savepoint, or one of the last
//! ```
//!
//! - **A read is of one moment.** The floor is read before and after: what is gone although it was not raised is
//!   missing.
//! - **What lies below the floor counts for nothing**, whoever has put it there.

use super::envelope::Unsealed;
use super::manifest::Entry;
use super::store::{Store, StoreError};
use crate::{Code, Error, Result};

/// The folder of the log.
pub(super) const FOLDER: &str = "manifest/";
/// The folder of the marks.
pub(super) const FLOORS: &str = "floors/";
/// The folder of kept commits below the floor.
pub(super) const KEPT_BELOW: &str = "kept/";

/// How often a read starts over because the log was shortened meanwhile.
const READS_MAX: usize = 100;

/// What the log holds.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The first entry, the kept commits below the floor, and all from the floor on, by their numbers; or why one cannot be
    /// read.
    pub entries: Vec<(u64, Result<Entry, Unsealed>)>,
    /// Where the dense part begins.
    pub floor: u64,
    /// What lies below the floor and is waiting to be removed: names in the folder of the log, and lower marks.
    pub left_over: Vec<String>,
}

impl Scan {
    /// The number after the last entry.
    pub fn next(&self) -> u64 {
        self.entries.last().map_or(0, |(number, _)| number + 1)
    }

    /// The entries that can be read.
    pub fn known(&self) -> impl DoubleEndedIterator<Item = (u64, &Entry)> {
        self.entries.iter().filter_map(|(number, entry)| Some((*number, entry.as_ref().ok()?)))
    }
}

/// Reads every entry that the log holds.
///
/// # Errors
/// When a number is missing, or an entry is newer than this program.
pub(super) fn scan(store: &dyn Store) -> Result<Scan> {
    for _ in 0..READS_MAX {
        let floor = floor(store)?;
        let read = scan_from(store, floor);
        if self::floor(store)? == floor {
            return read;
        }
    }
    Err(Error::environment(format!("{}: the manifest log is shortened faster than it can be read", store.describe())))
}

fn scan_from(store: &dyn Store, floor: u64) -> Result<Scan> {
    let mut scan = Scan { floor, ..Scan::default() };
    let (mut below, mut dense) = (Vec::new(), Vec::new());
    for name in store.list(FOLDER)? {
        let place = store.describe();
        let number = number_of(FOLDER, &name).ok_or_else(|| {
            Error::data(format!("{place}/{name}: this is no entry of a manifest log: move it out of the way"))
        })?;
        match number {
            number if number >= floor => dense.push(number),
            0 => below.push((0, name)),
            _ => scan.left_over.push(name),
        }
    }
    let found = dense.iter().copied().chain([u64::MAX]);
    if let Some((missing, _)) = (floor..).zip(found).find(|(due, found)| due != found)
        && (missing != floor + dense.len() as u64 || (dense.is_empty() && floor > 0))
    {
        return Err(missing_entry(store, missing));
    }
    for name in store.list(KEPT_BELOW)? {
        if let Some(number) = number_of(KEPT_BELOW, &name).filter(|number| *number < floor) {
            below.push((number, name));
        }
    }
    let marks = store.list(FLOORS)?;
    scan.left_over.extend(marks.into_iter().filter(|name| number_of(FLOORS, name).is_some_and(|mark| mark < floor)));
    let dense = dense.into_iter().map(|number| (number, name_of(number)));
    for (number, name) in below.into_iter().chain(dense) {
        let bytes = store.get(&name).map_err(|error| match error {
            StoreError::NotFound { .. } => missing_entry(store, number),
            error => error.into(),
        })?;
        match Entry::decode(&bytes) {
            Err(why @ Unsealed::Newer { .. }) => return Err(unreadable(store, number, &why)),
            entry => scan.entries.push((number, entry)),
        }
    }
    Ok(scan)
}

/// The number from which on the entries of the log count.
pub(super) fn floor(store: &dyn Store) -> Result<u64, StoreError> {
    let marks = store.list(FLOORS)?;
    Ok(marks.iter().filter_map(|name| number_of(FLOORS, name)).max().unwrap_or(0))
}

fn missing_entry(store: &dyn Store, number: u64) -> Error {
    let place = store.describe();
    Code::CheckpointCorrupt.error(format!("{place}: entry {number} of the manifest log is missing: was it deleted?"))
}

pub(super) fn unreadable(store: &dyn Store, number: u64, why: &Unsealed) -> Error {
    let place = format!("{}/{}", store.describe(), name_of(number));
    match why {
        Unsealed::Damaged(_) => Code::CheckpointCorrupt.error(format!("{place}: {why}")),
        Unsealed::Newer { .. } => Error::usage(format!("{place}: {why}")),
    }
}

/// The name of an entry of the log.
pub(super) fn name_of(number: u64) -> String {
    numbered(FOLDER, number)
}

pub(super) fn numbered(folder: &str, number: u64) -> String {
    format!("{folder}{number:020}")
}

/// The number in a name of one of the folders.
pub(super) fn number_of(folder: &str, name: &str) -> Option<u64> {
    let digits = name.strip_prefix(folder)?;
    if digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit()) { digits.parse().ok() } else { None }
}
