//! Output that is made beside an older one, and finally takes its place.
//!
//! ```text
//! out/.staging/next/…      the new output, file by file as it is committed
//! out/.staging/exchange    the journal: which files go and which come; there while the exchange is not done
//! ```
//!
//! - **The old output stays until the new one is whole.** A run that fails, stops or is killed before leaves it as it was.
//! - **An exchange that has begun is completed**, by the next run that takes the place. A file that has the same name
//!   in both is replaced in one step; in a directory, a reader may see files of both for a moment, each whole.
//! - **Only what a sink has published goes.** What somebody else has put beside it stays.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dualgauge_engine::Result;
use dualgauge_engine::fs::{Kind, PlainName};

use super::claim::Claiming;
use super::files::{self, on, synced};
use super::owner::{Form, OutputPlace};
use super::record::Record;

/// The name under which a journal is made.
pub(super) const ASIDE: &str = "exchange.new";

/// The last line of a journal that is whole.
const END: &str = "end";

/// The new output of a place.
pub(super) struct Beside<'a> {
    place: &'a OutputPlace,
    dir: PathBuf,
    journal: PathBuf,
}

impl<'a> Beside<'a> {
    pub(super) fn of(place: &'a OutputPlace) -> Beside<'a> {
        Beside { place, dir: place.staging.join("next"), journal: place.staging.join("exchange") }
    }

    /// Where it is made.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The files that it has.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        match files::is_own_dir(&*self.place.fs, &self.dir)? {
            true => files::list(&*self.place.fs, &self.dir),
            false => Ok(Vec::new()),
        }
    }

    /// Removes it.
    pub(super) fn clear(&self) -> Result<()> {
        let fs = &*self.place.fs;
        self.names()?.iter().try_for_each(|name| files::remove(fs, &self.dir.join(name)))?;
        files::remove_empty_dir(fs, &self.dir)
    }

    /// Whether it has begun to take the place of the older output.
    pub(super) fn is_exchanging(&self) -> Result<bool> {
        Ok(on(&self.journal, self.place.fs.kind(&self.journal))?.is_some())
    }

    /// Puts it in the place of the older output.
    pub(super) fn exchange(&self, claiming: &Claiming, form: &Form<'_>) -> Result<()> {
        let fs = &*self.place.fs;
        if !self.is_exchanging()? {
            let new: BTreeSet<_> = self.names()?.into_iter().collect();
            let old = self.place.ours(&self.place.output()?, form)?;
            let mut text: String = new.iter().map(|name| format!("new {name}\n")).collect();
            text.extend(old.iter().filter(|name| !new.contains(*name)).map(|name| format!("old {name}\n")));
            let aside = self.place.staging.join(ASIDE);
            files::write_aside(fs, &aside, format!("{text}{END}\n").as_bytes())?;
            on(&self.journal, fs.rename(&aside, &self.journal))?;
            synced(&self.place.staging, fs.sync_names(&self.place.staging))?;
        }
        self.complete(claiming, form)
    }

    /// Completes an exchange that has begun, if one has.
    pub(super) fn complete(&self, claiming: &Claiming, form: &Form<'_>) -> Result<()> {
        let (fs, place) = (&*self.place.fs, self.place);
        match on(&self.journal, fs.kind(&self.journal))? {
            None => return Ok(()),
            Some(Kind::File) => {}
            Some(kind) => return Err(files::not_ours(&self.journal, kind)),
        }
        let text = String::from_utf8_lossy(&on(&self.journal, fs.read(&self.journal))?).into_owned();
        let names = |what: &str| -> Result<Vec<PlainName>> {
            let named = text.lines().filter_map(|line| line.strip_prefix(what)).filter(|name| (form.gives)(name));
            named.map(PlainName::parse).collect()
        };
        let old = place.ours(&names("old ")?.iter().map(ToString::to_string).collect::<Vec<_>>(), form)?;
        for name in names("new ")? {
            let (from, to) = (name.within(&self.dir), name.within(&place.dir));
            // One that is no longer there was moved before.
            if on(&from, fs.kind(&from))? == Some(Kind::File) {
                on(&to, fs.rename(&from, &to))?;
            }
        }
        synced(&place.dir, fs.sync_names(&place.dir))?;
        old.iter().try_for_each(|name| files::remove(fs, &place.dir.join(name)))?;
        synced(&place.dir, fs.sync_names(&place.dir))?;
        if let Some(record) = claiming.record.read()?.filter(|record| record.beside) {
            claiming.record.replace(&Record { beside: false, ..record })?;
        }
        // The journal goes last: while it is there, the next start comes through here again.
        self.clear()?;
        synced(&place.staging, fs.sync_names(&place.staging))?;
        files::remove(fs, &self.journal)
    }
}
