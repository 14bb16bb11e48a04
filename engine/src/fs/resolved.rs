//! Where a path leads, so that two of them can be compared by what they are and not by how they are written.
//!
//! What is there is known by identities: those of the directories above it, from the root on, and its own. What is not there
//! yet is known by its names below the last that is. So links, `.`, `..`, hard links and mounts make no difference, and
//! case makes one only where the file system says so.

/// Where a path leads on a file system.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Which file system was asked: paths of different ones have nothing in common.
    pub(super) system: u64,
    /// The identities of what is there, from the root on.
    pub(super) there: Vec<(u64, u64)>,
    /// The names of what is not there yet.
    pub(super) rest: Vec<String>,
    /// Whether the last directory that is there takes names that differ only by case for the same.
    pub(super) folds: bool,
}

impl Resolved {
    /// Whether the path `other` leads to the same, or to something below.
    pub fn holds(&self, other: &Resolved) -> bool {
        if self.system != other.system {
            return false;
        }
        if self.rest.is_empty() {
            return self.there.last().is_none_or(|own| other.there.contains(own));
        }
        let same = |(a, b): (&String, &String)| a == b || self.folds && a.to_lowercase() == b.to_lowercase();
        self.there.last() == other.there.last()
            && self.rest.len() <= other.rest.len()
            && self.rest.iter().zip(&other.rest).all(same)
    }

    /// Whether the path `other` leads to the same.
    pub fn is_same(&self, other: &Resolved) -> bool {
        self.holds(other) && other.holds(self)
    }

    /// Whether `other` lies directly in it.
    pub(crate) fn is_parent_of(&self, other: &Resolved) -> bool {
        let depth = |resolved: &Resolved| resolved.there.len() + resolved.rest.len();
        self.holds(other) && depth(other) == depth(self) + 1
    }
}
