//! How many bytes of state each step has: workers measure the layers that they store, and worker 0 adds them up.
//!
//! Each layer is reported once, when it is new to a worker. What is counted is what is stored, including what was
//! replaced and is not merged away yet, as [`Limits::state_bytes_max`](crate::run::Limits::state_bytes_max) counts it.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkpoint::{self, Chain, LayerRef, StepBytes, Store};

/// What one worker has measured.
#[derive(Default)]
pub(super) struct Measured {
    known: BTreeSet<String>,
    untold: Vec<(String, StepBytes)>,
}

impl Measured {
    /// Notes a layer that was just written.
    pub(super) fn note(&mut self, layer: &LayerRef, bytes: StepBytes) {
        self.known.insert(layer.name.clone());
        self.untold.push((layer.name.clone(), bytes));
    }

    /// Measures what else is in the chains, merged or of earlier generations; returns what to report of all of them.
    pub(super) fn take(&mut self, store: &dyn Store, chains: &[Chain]) -> Vec<(String, StepBytes)> {
        let layers = || chains.iter().flat_map(|chain| &chain.layers);
        for layer in layers() {
            // One that cannot be read now is measured with the next checkpoint: a count is no reason to fail.
            if !self.known.contains(&layer.name)
                && let Ok(bytes) = checkpoint::measure(store, layer)
            {
                self.note(layer, bytes);
            }
        }
        let kept: BTreeSet<&String> = layers().map(|layer| &layer.name).collect();
        self.known.retain(|name| kept.contains(name));
        std::mem::take(&mut self.untold)
    }
}

/// What has been reported to worker 0 of all layers.
#[derive(Default)]
pub(super) struct StateBytes {
    layers: BTreeMap<String, StepBytes>,
}

impl StateBytes {
    /// Takes what a worker reports.
    pub(super) fn hear(&mut self, told: Vec<(String, StepBytes)>) {
        self.layers.extend(told);
    }

    /// The bytes of each step in the layers of these chains; other layers are forgotten.
    pub(super) fn of(&mut self, chains: &[Chain]) -> StepBytes {
        // After a change of the number of workers a layer is in several chains, and counts once.
        let named: BTreeSet<&String> = chains.iter().flat_map(|chain| &chain.layers).map(|layer| &layer.name).collect();
        self.layers.retain(|name, _| named.contains(name));
        let mut steps = StepBytes::new();
        for (step, bytes) in self.layers.values().flatten() {
            *steps.entry(step.clone()).or_default() += bytes;
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::GroupRange;

    #[test]
    fn a_layer_that_two_chains_share_counts_once_and_one_that_is_gone_no_more() {
        let layer = |name: &str| LayerRef { name: name.to_string(), size: 0, checksum: 0, saves: 1 };
        let chain = |groups, names: &[&str]| Chain { groups, layers: names.iter().map(|name| layer(name)).collect() };
        let bytes = |steps: &[(&str, u64)]| steps.iter().map(|(step, bytes)| (step.to_string(), *bytes)).collect();
        let mut state = StateBytes::default();
        state.hear(vec![("old".to_string(), bytes(&[("a", 5), ("b", 7)])), ("new".to_string(), bytes(&[("a", 2)]))]);
        state.hear(vec![("old".to_string(), bytes(&[("a", 5), ("b", 7)]))]);
        let (low, high) = (GroupRange::new(0, 100), GroupRange::new(100, 256));
        assert_eq!(state.of(&[chain(low, &["old", "new"]), chain(high, &["old"])]), bytes(&[("a", 7), ("b", 7)]));
        assert_eq!(state.of(&[chain(low, &["new"])]), bytes(&[("a", 2)]));
        assert_eq!(state.of(&[chain(low, &["new", "old"])]), bytes(&[("a", 2)]), "it is forgotten");
    }
}
