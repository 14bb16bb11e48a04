//! Looking at one commit while a job may run in the same place: what it collects meanwhile does not count as damage.
//!
//! - **Kept now was kept then.** A commit that is no longer kept never comes back; so if a read fails and the commit is
//!   kept *after* the failure, it is damaged, and if it is not, it was collected.

use super::log::ManifestLog;
use super::look::{commit_of, kept};
use super::manifest::{Commit, Entry};
use super::named::{CommitName, named};
use super::store::Store;
use crate::{Epoch, Error, ErrorKind, Remedy, Result};

/// How many newer commits a look follows before it gives up.
const LOOKS_MAX: usize = 100;

/// Looks at the newest commit of a log, or at that of an epoch: `look` gets the number of its entry and reads what the
/// commit names.
///
/// If that is collected meanwhile, `look` is called again with the commit that is newest by then; so it must hand out
/// nothing before it has read everything.
///
/// # Errors
/// When there is no such commit, when its entry or a file that it names is damaged or missing while it is kept, and when a
/// job commits faster than `look` reads. What `look` refuses as [`ErrorKind::Usage`] is final.
///
/// ```
/// use std::sync::Arc;
/// use dualgauge_engine::checkpoint::{LocalStore, Wish, look_at, start};
/// use dualgauge_engine::fs::FaultFs;
///
/// let store = Arc::new(LocalStore::open(Arc::new(FaultFs::new()), "/job").unwrap());
/// start(store.clone(), Wish::default()).unwrap();
/// let none = look_at(&*store, None, |_, commit| Ok(commit.epoch)).unwrap_err();
/// assert!(none.to_string().contains("has not taken a checkpoint yet"));
/// ```
pub fn look_at<T>(store: &dyn Store, epoch: Option<Epoch>, look: impl FnMut(u64, &Commit) -> Result<T>) -> Result<T> {
    look_at_named(store, epoch.map(CommitName::from), look)
}

/// The same for a commit that may be named with its generation too, since others have its epoch.
///
/// # Errors
/// As for [`look_at`]; also when several commits have the name.
pub fn look_at_named<T>(
    store: &dyn Store,
    epoch: Option<CommitName>,
    mut look: impl FnMut(u64, &Commit) -> Result<T>,
) -> Result<T> {
    for _ in 0..LOOKS_MAX {
        let (number, commit) = pick(store, ManifestLog::look(store)?, epoch)?;
        let error = match look(number, &commit) {
            Err(error) if error.kind() != ErrorKind::Usage => error,
            done => return done,
        };
        let entries = ManifestLog::look(store)?;
        if kept(&entries).contains(&number) {
            return Err(error);
        }
        if let Some(epoch) = epoch {
            let collected = format!(
                "{}: the checkpoint of epoch {epoch} is no longer kept: newer ones took its place; kept are: {}",
                store.describe(),
                epochs(&entries)
            );
            return Err(Error::usage(collected)); // without the cause, which sounds like damage
        }
    }
    let busy = "the job collects each checkpoint before it is read; a savepoint would stay";
    Err(Error::environment(busy).at(store.describe()).with_remedy(Remedy::LookAtEpoch))
}

/// The commit that is looked at, and the number of its entry.
fn pick(store: &dyn Store, entries: Vec<(u64, Result<Entry>)>, epoch: Option<CommitName>) -> Result<(u64, Commit)> {
    let place = store.describe();
    if entries.is_empty() {
        return Err(Error::usage(format!("{place}: there are no checkpoints here (no manifest)")));
    }
    let others = epochs(&entries);
    let commits = entries.iter().filter_map(|(number, entry)| Some((*number, commit_of(entry.as_ref().ok()?)?)));
    let commits: Vec<_> = commits.collect();
    let meant = epoch.map(|epoch| named(epoch, &commits)).transpose();
    let meant = meant.map_err(|error| error.at(&place))?.flatten();
    for (number, entry) in entries.into_iter().rev() {
        match (entry, epoch) {
            (Ok(Entry::Commit(commit)), None) => return Ok((number, *commit)),
            (Ok(Entry::Commit(commit)), Some(_)) if meant == Some(number) => return Ok((number, *commit)),
            (Err(error), None) => return Err(error.with_remedy(Remedy::LookAtEpoch)),
            (Ok(_), _) | (Err(_), Some(_)) => {}
        }
    }
    Err(Error::usage(match epoch {
        Some(epoch) if !others.is_empty() => {
            format!("{place}: there is no checkpoint of epoch {epoch}; there are: {others}")
        }
        _ => format!("{place}: a job was started here, and has not taken a checkpoint yet"),
    }))
}

/// The epochs of the commits that are kept, in words.
fn epochs(entries: &[(u64, Result<Entry>)]) -> String {
    let kept = kept(entries);
    let commits = entries.iter().filter(|(number, _)| kept.contains(number));
    let epochs = commits.filter_map(|(_, entry)| Some(commit_of(entry.as_ref().ok()?)?.epoch.to_string()));
    epochs.collect::<Vec<_>>().join(", ")
}
