//! Going back: what was published since the commit from which a job resumes, and what becomes of it.
//!
//! A job goes back where it is told to, or where its checkpoints were brought back from an older copy. What it has published
//! since would be published once more, so it is taken back, or the start is refused.
//!
//! - **Nothing is taken back unasked.** The refusal says how much there is, and how to ask.
//! - **First the commit, then the output.** The commit is appended once more before anything is taken back; from then on each
//!   start resumes from it. What a crash has left of the taking back, the next start completes.

use std::collections::BTreeMap;

use super::generation::Checkpointing;
use super::storing::append;
use crate::checkpoint::{self, Commit, CommitKind, Entry, KeptOutput, Left};
use crate::connector::Basis;
use crate::run::Shared;
use crate::{Code, Delivery, Prepared, Remedy, Result, Since, Sink, Writing};

/// Under what a commit that was appended once more says so, among its bases.
const GONE_BACK: &str = "gone back";

/// What a start knows of going back.
#[derive(Debug, Default)]
pub(crate) struct Back {
    /// Whether output may be replaced.
    replaces: bool,
    left: Option<Left>,
    /// What is taken back, for a person.
    notes: Vec<String>,
}

impl Back {
    pub(crate) fn new(replaces: bool, left: Option<Left>, resume: Option<&Commit>) -> Back {
        let begun = resume.is_some_and(|commit| commit.bases.contains_key(GONE_BACK));
        Back { replaces: replaces || begun, left, notes: Vec::new() }
    }

    pub(crate) fn notes(&self) -> impl Iterator<Item = String> {
        self.notes.iter().cloned()
    }
}

impl Checkpointing {
    /// Refuses a sink that has published what the commit does not know from which the job resumes, unless it is to be
    /// replaced.
    pub(crate) fn look_back(&mut self, name: &str, sink: &dyn Sink, writing: &Writing) -> Result<()> {
        let Some(commit) = &self.resume else { return Ok(()) };
        let (epoch, place) = (commit.epoch, self.store.describe());
        let prepared = commit.sinks.get(name).map(Vec::as_slice).unwrap_or_default();
        let may_have = |left: &Left| left.published.contains(name);
        let (told, note) = match sink.published_since(writing, prepared)? {
            Since::Nothing => return Ok(()),
            Since::Unknown if sink.delivery() == Delivery::AtLeastOnce => return Ok(()),
            Since::Unknown if !self.back.left.as_ref().is_some_and(may_have) => return Ok(()),
            Since::Unknown => (
                "it may have published rows since, which this sink cannot take back".to_string(),
                format!(
                    "sink {name}: what it has published since epoch {epoch} was not taken back, and comes once more"
                ),
            ),
            Since::Published { upto, what } => (
                format!("{what} were published since, up to epoch {upto}"),
                format!(
                    "sink {name}: {what} were taken back, which were published after epoch {epoch} and up to {upto}"
                ),
            ),
        };
        if !self.back.replaces {
            let likely = match &self.back.left {
                Some(left) => format!("its newest checkpoint is of epoch {}", left.newest),
                None => "likely mistake: the checkpoints were brought back from an older copy".to_string(),
            };
            let error = Code::OutputAhead.error(format!(
                "the job would go on after epoch {epoch} in {place}, and {told}: these rows would be published once more; \
                 {likely}"
            ));
            return Err(error.with_remedy(Remedy::ReplaceOutput));
        }
        self.back.notes.push(note);
        Ok(())
    }

    /// Whether something is to be taken back, or newer commits are left.
    pub(crate) fn goes_back(&self) -> bool {
        let begun = self.resume.as_ref().is_some_and(|commit| commit.bases.contains_key(GONE_BACK));
        self.back.left.is_some() || !self.back.notes.is_empty() || begun
    }

    /// Makes the commit to which the job goes back the newest, so that each start from now on resumes from it.
    pub(crate) fn settle_back(&mut self, shared: &Shared) -> Result<()> {
        let Some(commit) = &self.resume else { return Ok(()) };
        let kind = if commit.kind == CommitKind::Ended { CommitKind::Ended } else { CommitKind::Checkpoint };
        let mark = (GONE_BACK.to_string(), Basis::new().with("start", self.generation));
        let bases: BTreeMap<_, _> = commit.bases.clone().into_iter().chain([mark]).collect();
        let commit = Commit { generation: self.generation, kind, bases, ..commit.clone() };
        let entry = Entry::Commit(Box::new(commit.clone()));
        let mut log = self.log.lock().expect("no panic holds it");
        let log = log.as_mut().expect("who has started the generation has the log");
        append(shared, log, &entry)?;
        self.kept.push(KeptOutput::of(&commit));
        self.resume = Some(commit);
        Ok(())
    }

    /// What commits to which the job may go back have prepared of a bucket, and whether each is kept for ever.
    pub(crate) fn kept(&self, sink: &str, bucket: usize) -> Vec<(bool, Prepared)> {
        let kept = self.kept.iter().filter_map(|kept| Some((kept.savepoint, kept.prepared(sink, bucket)?.clone())));
        kept.collect()
    }

    /// Notes a savepoint that was taken, for the end of the job.
    pub(crate) fn note_savepoint(&self, savepoint: KeptOutput) {
        self.savepoints.lock().expect("no panic holds it").push(savepoint);
    }

    /// What savepoints have prepared of a sink.
    pub(crate) fn saved_of(&self, sink: &str) -> Vec<checkpoint::BucketCut> {
        let taken = self.savepoints.lock().expect("no panic holds it");
        let all = self.kept.iter().filter(|kept| kept.savepoint).chain(&*taken);
        all.filter_map(|kept| kept.sinks.get(sink)).flatten().cloned().collect()
    }
}
