//! The file of an output without rows: so that whoever reads it finds a place that can be read, and its columns.
//!
//! It says that the output has ended. If its job resumes after all, from an older checkpoint, it is removed before the
//! first row: the output is then that of a run that never came to an end there.

use std::path::Path;

use dualgauge_engine::fs::{Kind, PlainName};
use dualgauge_engine::sink::Writing;
use dualgauge_engine::{Epoch, Result};

use super::files::{self, create_own_dir, on, synced};
use super::ledger::{self, By, Line, What};
use super::owner::{Form, OutputPlace};

/// A file without rows.
pub(crate) struct EmptyFile {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// Whether the ledger must say that a sink has made it, even without checkpoints.
    pub(crate) ledger: bool,
}

/// The name under which it is made.
pub(super) const ASIDE: &str = "empty.new";

/// Who is noted as having ended the output.
pub(crate) fn ended_by(writing: &Writing) -> Option<By> {
    let epoch = writing.after.map_or(Epoch(0), |after| after.epoch);
    let job = writing.job.as_deref().map(ledger::job_name);
    job.map(|job| By { job, generation: writing.generation, epoch })
}

/// Makes the file in `visible`, if nothing there has a name that the sink gives.
pub(super) fn fill(
    place: &OutputPlace,
    visible: &Path,
    writing: &Writing,
    form: &Form<'_>,
    EmptyFile { name, bytes, ledger }: EmptyFile,
) -> Result<()> {
    let (fs, by) = (&*place.fs, ended_by(writing));
    if files::list(fs, visible)?.iter().any(|name| (form.gives)(name)) {
        return Ok(());
    }
    let name = PlainName::parse(&name)?;
    create_own_dir(fs, &place.staging)?;
    let aside = place.staging.join(ASIDE);
    files::write_aside(fs, &aside, &bytes)?;
    if ledger || by.is_some() {
        let published = (bytes.len() as u64, blake3::hash(&bytes).to_hex().to_string());
        ledger::add(fs, &place.published, 0, &[Line { by, what: What::Empty(name.to_string(), published) }])?;
    }
    let path = name.within(visible);
    match on(&path, fs.kind(&path))? {
        None => on(&path, fs.rename(&aside, &path))?,
        Some(Kind::File) => files::remove(fs, &aside)?, // someone else was faster
        Some(kind) => return Err(files::not_ours(&path, kind)),
    }
    synced(visible, fs.sync_names(visible))
}

/// Removes the file of an earlier end, since the job has resumed. One that somebody has changed is theirs, and stays.
pub(super) fn take_away(place: &OutputPlace, writing: &Writing, form: &Form<'_>) -> Result<()> {
    let (Some(job), true) = (&writing.job, writing.resumes && !writing.ended) else { return Ok(()) };
    let (fs, job, lines) = (&*place.fs, ledger::job_name(job), place.lines()?);
    let mut ends = lines.iter().filter(|line| line.is_end_of(&job)).peekable();
    if ends.peek().is_none() {
        return Ok(());
    }
    let visible = place.where_visible(writing)?;
    for line in ends {
        let What::Empty(name, (_, hash)) = &line.what else { continue };
        if !(form.gives)(name) {
            continue;
        }
        let path = PlainName::parse(name)?.within(&visible);
        if on(&path, fs.kind(&path))? == Some(Kind::File) && files::hash(fs, &path)?.as_ref() == Some(hash) {
            files::remove(fs, &path)?;
        }
    }
    if files::is_own_dir(fs, &visible)? {
        synced(&visible, fs.sync_names(&visible))?;
    }
    ledger::rewrite(fs, &place.published, None, |line| !line.is_end_of(&job))
}
