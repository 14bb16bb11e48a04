//! The place of checkpoints that a command names, opened to be looked at.

use std::sync::Arc;

use clap::{Arg, ArgMatches, value_parser};
use dualgauge::checkpoint::{Commit, CommitKind, Entry, ManifestLog, Store, open_existing_store};
use dualgauge::{Epoch, Error, Result};

/// The option that picks a checkpoint of a place.
pub(crate) fn epoch() -> Arg {
    Arg::new("epoch")
        .long("epoch")
        .value_name("EPOCH")
        .value_parser(value_parser!(u64))
        .help("Which checkpoint, by its epoch [default: the newest]")
}

/// A place, and the entries of its log.
pub(crate) struct Place {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) entries: Vec<Result<Entry>>,
}

impl Place {
    pub(crate) fn open(place: &str) -> Result<Place> {
        let store = open_existing_store(place)?;
        let entries = ManifestLog::look(&*store)?;
        match entries.is_empty() {
            true => Err(Error::usage(format!("{}: there are no checkpoints here (no manifest)", store.describe()))),
            false => Ok(Place { store, entries }),
        }
    }

    /// The checkpoint that a call asks for, and its number in the log.
    pub(crate) fn commit(self, matches: &ArgMatches) -> Result<(Arc<dyn Store>, usize, Commit)> {
        let asked = matches.get_one::<u64>("epoch").copied().map(Epoch);
        let place = self.store.describe();
        let mut others = Vec::new();
        for (number, entry) in self.entries.into_iter().enumerate().rev() {
            match (entry, asked) {
                (Ok(Entry::Commit(commit)), None) => return Ok((self.store, number, *commit)),
                (Ok(Entry::Commit(commit)), Some(epoch)) if commit.epoch == epoch => {
                    return Ok((self.store, number, *commit));
                }
                (Ok(Entry::Commit(commit)), Some(_)) => others.push(commit.epoch.to_string()),
                (Err(error), None) => return Err(error.with_note("an older one can be looked at with --epoch")),
                (Ok(Entry::Fence(_)), _) | (Err(_), Some(_)) => {}
            }
        }
        others.reverse();
        Err(Error::usage(match asked {
            Some(epoch) if !others.is_empty() => {
                format!("{place}: there is no checkpoint of epoch {epoch}; there are: {}", others.join(", "))
            }
            _ => format!("{place}: a job was started here, and has not taken a checkpoint yet"),
        }))
    }
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
