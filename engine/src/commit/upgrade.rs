//! From the state of an older graph to that of the present: what is decided for each part, and the state rewritten.
//!
//! - **Before anything is loaded.** The chains of the commit are rewritten, with up-casts and without the steps that
//!   were dropped, and the job resumes from those. So a chain never holds a part in two shapes, nor what a step of an
//!   older graph left behind where a new step has its name.
//! - **Nothing is taken away.** Existing layers stay as they are, for whoever goes back to their commit.
//! - **Whole or not at all.** The new layers belong to this generation, and no commit names them before its own first.
//!   If it ends before that, the next one writes its own, and collects these.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::keeping::Keeping;
use super::storing::again;
use crate::checkpoint::{self, Becomes, Chain, Commit, CompactError, Store, layer_name};
use crate::connector::Basis;
use crate::run::{Shared, message_of};
use crate::state::{Fingerprint, NoUpcast, Upcast};
use crate::{Code, Error, ErrorKind, Remedy, Result};

/// What must be done to the state of a commit before a graph can resume from it.
#[derive(Debug, Default)]
pub(crate) struct Upgrade {
    /// By step and part.
    upcasts: BTreeMap<(String, String), Upcast>,
    dropped: BTreeSet<String>,
}

impl Upgrade {
    /// Decides what becomes of each part of a commit in the present graph, from which steps of the names `dropped` may
    /// be missing.
    ///
    /// # Errors
    /// Where something would be lost, or read as another type.
    pub(crate) fn of(
        commit: &Commit,
        keeping: &Keeping,
        bases: &BTreeMap<String, Basis>,
        dropped: &[String],
    ) -> Result<Upgrade> {
        let mut upgrade = Upgrade::default();
        for stored in &commit.steps {
            let name = &stored.name;
            let Some(now) = keeping.steps.iter().find(|step| step.name == *name) else {
                if !dropped.contains(name) {
                    return Err(gone(commit, name));
                }
                upgrade.dropped.insert(name.clone());
                continue;
            };
            if let Some(changes) = changes_of(commit, bases, name) {
                if !dropped.contains(name) {
                    return Err(of_other_detail(commit, name, &changes));
                }
                upgrade.dropped.insert(name.clone());
                continue;
            }
            for (part, old) in &stored.parts {
                let Some((_, new)) = now.parts.iter().find(|(name, _)| name == part) else {
                    return Err(of_another_kind(commit, name, part));
                };
                if old != new {
                    let upcast = keeping.upcasts.plan(keeping.layout(name, part), old, new);
                    let upcast = upcast.map_err(|why| of_another_type(commit, (name, part), (old, new), why))?;
                    upgrade.upcasts.insert((name.clone(), part.clone()), upcast);
                }
            }
        }
        Ok(upgrade)
    }

    /// Rewrites the chains of a commit as layers of `generation`; `None` where they can stay what they are.
    ///
    /// # Errors
    /// When the store does not answer, a layer is damaged, or an up-cast panics.
    pub(crate) fn chains(
        &self,
        store: &Arc<dyn Store>,
        commit: &Commit,
        generation: u64,
        shared: &Arc<Shared>,
    ) -> Result<Option<Vec<Chain>>> {
        if self.upcasts.is_empty() && self.dropped.is_empty() {
            return Ok(None);
        }
        let present = RefCell::new((String::new(), String::new()));
        let becomes = |step: &str, part: &str| {
            *present.borrow_mut() = (step.to_string(), part.to_string());
            match self.upcasts.get(&*present.borrow()) {
                _ if self.dropped.contains(step) => Becomes::Nothing,
                Some(upcast) => Becomes::Upcast(upcast),
                None => Becomes::Same,
            }
        };
        let anew = |(at, chain): (usize, &Chain)| {
            if chain.layers.is_empty() {
                return Ok(chain.clone());
            }
            let name = layer_name(generation, commit.epoch, &format!("u{at:03}"));
            let layer =
                again(shared, || match checkpoint::rewrite(store, &chain.layers, chain.groups, &name, &becomes) {
                    Ok(layer) => Ok(Ok(layer)),
                    Err(CompactError::Read(error)) => Ok(Err(error)),
                    Err(CompactError::Store(error)) => Err(error),
                })??;
            Ok(Chain { groups: chain.groups, layers: vec![layer] })
        };
        let written = catch_unwind(AssertUnwindSafe(|| commit.chains.iter().enumerate().map(anew).collect()));
        let written: Result<_> = written.unwrap_or_else(|panic| {
            let (step, part) = &*present.borrow();
            let message = message_of(&*panic);
            let how = format!("step {step}: part {part}: an up-cast of its state panicked: {message}");
            Err(Error::new(ErrorKind::Panic, how))
        });
        written.map(Some)
    }

    /// Whether something that `step` keeps is of another type.
    pub(crate) fn changes(&self, step: &str) -> bool {
        self.upcasts.keys().any(|(name, _)| name == step)
    }

    /// What a person should know of it.
    pub(crate) fn notes(&self, commit: &Commit) -> Vec<String> {
        let steps: BTreeSet<_> = self.upcasts.keys().map(|(step, _)| step).collect();
        let upcast = steps.iter().map(|step| format!("step {step}: its state of epoch {} was up-cast", commit.epoch));
        let dropped = self.dropped.iter().map(|step| format!("step {step}: what it kept is forgotten"));
        upcast.chain(dropped).collect()
    }
}

fn gone(commit: &Commit, step: &str) -> Error {
    let what = match step.strip_prefix("sink ") {
        Some(sink) => format!("the rows that wait at the sink `{sink}`"),
        None => format!("the state of the step `{step}`"),
    };
    let error = Error::usage(format!(
        "the checkpoint of epoch {} holds {what}, which is not in the graph: give it its name back if it was renamed",
        commit.epoch
    ));
    error.with_remedy(Remedy::DropState(step.to_string()))
}

/// What a step is said to do differently from when the commit was taken.
fn changes_of(commit: &Commit, bases: &BTreeMap<String, Basis>, step: &str) -> Option<String> {
    let step = format!("step {step}");
    // An older program did not know every option.
    let changes = commit.bases.get(&step)?.changes(bases.get(&step)?).into_iter().filter(|one| one.before.is_some());
    let changes: Vec<_> = changes.map(|change| change.to_string()).collect();
    (!changes.is_empty()).then(|| changes.join(", "))
}

fn of_other_detail(commit: &Commit, step: &str, changes: &str) -> Error {
    let error = Code::OtherWords.error(format!(
        "the step `{step}` is not what it was at its checkpoint of epoch {}: {changes}; what it keeps was made \
         by the old words and would be read by the new ones. Put the old ones back, or start it empty",
        commit.epoch
    ));
    error.with_remedy(Remedy::DropState(step.to_string()))
}

fn of_another_kind(commit: &Commit, step: &str, part: &str) -> Error {
    let error = Error::usage(format!(
        "the step `{step}` is of another kind than the one of its checkpoint of epoch {}, which kept `{part}`; give it \
         another name to start it empty, and forget the old one",
        commit.epoch
    ));
    error.with_remedy(Remedy::DropState(step.to_string()))
}

fn of_another_type(
    commit: &Commit,
    (step, part): (&str, &str),
    (old, new): (&Fingerprint, &Fingerprint),
    why: NoUpcast,
) -> Error {
    let error = Error::usage(format!(
        "the step `{step}` keeps another type of state than its checkpoint of epoch {} holds ({part}): it was {old} and is \
         {new}; {why}. Or keep the type; or give the step another name to start it empty, and forget the old one",
        commit.epoch
    ));
    error.with_remedy(Remedy::DropState(step.to_string()))
}
