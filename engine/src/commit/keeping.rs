//! What the steps and sinks of a graph keep, and how it may have been kept by an older one.

use std::collections::BTreeMap;

use crate::checkpoint::StepShape;
use crate::state::{Kept, Layout, Upcasts};

/// What the steps and sinks of a graph keep, by name, as the present graph has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keeping {
    pub(crate) steps: Vec<StepShape>,
    /// By step and part. Not stored: the parts of one name are always laid out alike.
    layouts: BTreeMap<(String, String), Layout>,
    pub(crate) upcasts: Upcasts,
}

impl Keeping {
    /// Notes parts of what `name` keeps.
    pub(crate) fn note(&mut self, name: &str, parts: &[(&'static str, &mut dyn Kept)]) {
        let layouts = parts.iter().map(|(part, kept)| ((name.to_string(), part.to_string()), kept.layout()));
        self.layouts.extend(layouts);
        let shapes = parts.iter().map(|(part, kept)| (part.to_string(), kept.fingerprint()));
        match self.steps.iter_mut().find(|step| step.name == name) {
            // A sink that settles upserts keeps something in two places.
            Some(step) => step.parts.extend(shapes),
            None if parts.is_empty() => {}
            None => self.steps.push(StepShape { name: name.to_string(), parts: shapes.collect() }),
        }
    }

    /// Removes a part that is not kept after all.
    pub(crate) fn leave_out(&mut self, step: &str, part: &str) {
        let steps = self.steps.iter_mut().filter(|of| of.name == step);
        steps.for_each(|step| step.parts.retain(|(name, _)| name != part));
    }

    /// Where in its entries the type of a part lies.
    pub(crate) fn layout(&self, step: &str, part: &str) -> Layout {
        self.layouts[&(step.to_string(), part.to_string())]
    }
}
