//! Removing layers that nobody will ask for.

use std::collections::BTreeSet;

use super::log::{ManifestLog, generation_of};
use super::store::Store;
use crate::Result;
use crate::failpoint::{Point, around};

/// How many commits a job keeps the layers of, besides savepoints.
pub const KEPT: usize = 3;

/// Whether a job may go back to the commit at `at`, of `count` that are there, oldest first.
pub(crate) fn is_kept(at: usize, count: usize, savepoint: bool) -> bool {
    savepoint || at + KEPT >= count
}

/// Deletes layers and returns how many: those that commits named but none of the last `keep` names any more, and those
/// that older generations left without a commit.
///
/// What a savepoint names stays, and so does what the commit that this generation resumed from names. A layer of this
/// generation that no commit has named yet may still be named. [`ManifestLog::shorten`] removes entries of the log.
pub fn collect(store: &dyn Store, log: &ManifestLog, keep: usize) -> Result<usize> {
    if log.is_taken()? {
        return Ok(0); // a newer generation decides what is kept
    }
    let kept: BTreeSet<&String> = log.kept(keep).collect();
    let named: BTreeSet<&String> = log.named().collect();
    let mut deleted = 0;
    for name in store.list("layers/")? {
        let outdated = named.contains(&name) || generation_of(&name).is_some_and(|of| of < log.generation());
        if outdated && !kept.contains(&name) {
            around(Point::Collect, || store.delete(&name))?;
            deleted += 1;
        }
    }
    Ok(deleted)
}
