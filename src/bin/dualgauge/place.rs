//! The place of checkpoints that a command names, opened to be looked at.

use std::sync::Arc;

use clap::{Arg, ArgMatches, value_parser};
use dualgauge::checkpoint::{
    Commit, CommitKind, CommitName, Entry, ManifestLog, Store, look_at_named, open_existing_store,
};
use dualgauge::{Error, Result};

/// The option that picks a checkpoint of a place.
pub(crate) fn epoch() -> Arg {
    Arg::new("epoch")
        .long("epoch")
        .value_name("EPOCH")
        .value_parser(value_parser!(CommitName))
        .help("Which checkpoint, by its epoch, or 310@2 for the one that generation 2 took [default: the newest]")
}

/// The entries of a place's log.
pub(crate) struct Place {
    pub(crate) entries: Vec<(u64, Result<Entry>)>,
}

impl Place {
    pub(crate) fn open(place: &str) -> Result<Place> {
        let store = open_existing_store(place)?;
        let entries = ManifestLog::look(&*store)?;
        match entries.is_empty() {
            true => Err(Error::usage(format!("{}: there are no checkpoints here (no manifest)", store.describe()))),
            false => Ok(Place { entries }),
        }
    }
}

/// Hands the checkpoint that a call asks for to `look`, with the number of its entry; it may be called again, with a
/// newer one, if a running job has collected that one meanwhile.
pub(crate) fn look<T>(
    place: &str,
    matches: &ArgMatches,
    mut look: impl FnMut(&Arc<dyn Store>, u64, &Commit) -> Result<T>,
) -> Result<T> {
    let store = open_existing_store(place)?;
    let epoch = matches.get_one::<CommitName>("epoch").copied();
    look_at_named(&*store, epoch, |number, commit| look(&store, number, commit))
}

/// The kind of a checkpoint, in a word.
pub(crate) fn word(kind: CommitKind) -> &'static str {
    match kind {
        CommitKind::Checkpoint => "checkpoint",
        CommitKind::Savepoint => "savepoint",
        CommitKind::Ended => "ended",
    }
}

/// `1 byte`, `2 bytes`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    match (number, thing) {
        (1, _) => format!("1 {thing}"),
        (_, "entry") => format!("{number} entries"),
        (_, _) => format!("{number} {thing}s"),
    }
}
