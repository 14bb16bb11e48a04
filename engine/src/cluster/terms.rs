//! What must be the same in all processes of a cluster, and how a difference is named.

use xxhash_rust::xxh3::xxh3_128;

/// What must be the same in all processes for their parts to make one dataflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// How many workers each process has.
    pub(crate) workers: u16,
    /// Whether what they send each other is encrypted.
    pub(crate) encrypted: bool,
    /// Digests, in the order of [`Terms::SUBJECTS`].
    pub(crate) digests: [u128; Terms::SUBJECTS.len()],
}

impl Terms {
    /// What is compared by digest, and the likely difference where one differs.
    pub(crate) const SUBJECTS: [(&'static str, &'static str); 5] = [
        ("version of dualgauge", "the processes run different builds"),
        ("graph", "the processes run different programs"),
        ("binding of the sources and sinks", "something else is bound to a source or a sink in one of them"),
        ("options of the run", "one of them was started with other options"),
        ("list of what the sources hold", "the processes see different files, or files were added while they started"),
    ];

    /// The terms of `workers` in each process, without encryption, from the texts of all subjects.
    pub(crate) fn new(workers: usize, texts: [&str; Terms::SUBJECTS.len()]) -> Terms {
        Terms { workers: workers as u16, encrypted: false, digests: texts.map(|text| xxh3_128(text.as_bytes())) }
    }

    /// How the terms of process `there` differ from these, of process `here`, in words; `None` where they do not.
    pub(crate) fn difference(&self, here: u16, other: &Terms, there: u16) -> Option<String> {
        if self.workers != other.workers {
            return Some(format!(
                "process {there} has {} workers and process {here} has {}: give all the same number",
                other.workers, self.workers
            ));
        }
        if self.encrypted != other.encrypted {
            let (does, does_not) = if self.encrypted { (here, there) } else { (there, here) };
            return Some(format!(
                "process {does} encrypts what it sends and process {does_not} does not: let all of them encrypt, or none"
            ));
        }
        let at = (0..self.digests.len()).find(|&at| self.digests[at] != other.digests[at])?;
        let (subject, mistake) = Terms::SUBJECTS[at];
        Some(format!("the {subject} is another in process {there} than in process {here}; likely mistake: {mistake}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        let terms = Terms::new(2, ["0.1", "graph", "bids=csv:a", "to=1", "a"]);
        assert_eq!(terms.difference(0, &terms.clone(), 1), None);
        let workers = terms.difference(0, &Terms { workers: 3, ..terms.clone() }, 1).unwrap();
        assert!(workers.starts_with("process 1 has 3 workers and process 0 has 2"), "{workers}");
        let encrypted = Terms { encrypted: true, ..terms.clone() };
        for (difference, does, does_not) in
            [(terms.difference(0, &encrypted, 1), 1, 0), (encrypted.difference(0, &terms, 1), 0, 1)]
        {
            let expected = format!("process {does} encrypts what it sends and process {does_not} does not");
            assert!(difference.unwrap().starts_with(&expected));
        }
        let graph = terms.difference(0, &Terms::new(2, ["0.1", "graph!", "bids=csv:b", "to=1", "a"]), 1).unwrap();
        assert!(graph.starts_with("the graph is another in process 1 than in process 0"), "{graph}");
        let binding = terms.difference(2, &Terms::new(2, ["0.1", "graph", "bids=csv:b", "to=1", "a"]), 4).unwrap();
        assert!(binding.contains("process 4 than in process 2") && binding.contains("bound to a source"), "{binding}");
    }
}
