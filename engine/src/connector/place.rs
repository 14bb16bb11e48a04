//! What a connector reads or writes, so that a job can see whether two of its bindings get in each other's way.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::fs::{Fs, Resolved};

/// Something that is read or written: a file, a directory, standard input or output.
///
/// ```
/// use dualgauge_engine::Place;
/// use dualgauge_engine::fs::RealFs;
///
/// let (all, one) = (Place::tree(&RealFs, "data"), Place::file(&RealFs, "./data/../data/bids.csv"));
/// assert!(all.meets(&one) && one.meets(&all));
/// assert!(!one.meets(&Place::file(&RealFs, "data/sums.csv")));
/// ```
#[derive(Clone)]
pub struct Place(At);

#[derive(Clone)]
enum At {
    File { at: Resolved, name: String },
    Tree(Resolved),
    Named { dir: Resolved, wanted: Arc<dyn Fn(&str) -> bool + Send + Sync> },
    Stdin,
    Stdout,
}

impl Place {
    /// One file, which need not be there.
    pub fn file(fs: &dyn Fs, path: impl AsRef<Path>) -> Place {
        let path = path.as_ref();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Place(At::File { at: fs.resolve(path), name })
    }

    /// A directory with all below it, which need not be there.
    pub fn tree(fs: &dyn Fs, path: impl AsRef<Path>) -> Place {
        Place(At::Tree(fs.resolve(path.as_ref())))
    }

    /// The files in a directory whose names are `wanted`.
    pub fn named(fs: &dyn Fs, dir: impl AsRef<Path>, wanted: impl Fn(&str) -> bool + Send + Sync + 'static) -> Place {
        Place(At::Named { dir: fs.resolve(dir.as_ref()), wanted: Arc::new(wanted) })
    }

    /// Standard input.
    pub fn stdin() -> Place {
        Place(At::Stdin)
    }

    /// Standard output.
    pub fn stdout() -> Place {
        Place(At::Stdout)
    }

    /// Whether only one reader can read it, since what was read is gone.
    pub(crate) fn is_read_once(&self) -> bool {
        matches!(self.0, At::Stdin)
    }

    /// Whether something belongs to both: they are the same, or one lies in the other.
    pub fn meets(&self, other: &Place) -> bool {
        match (&self.0, &other.0) {
            (At::Stdin, At::Stdin) | (At::Stdout, At::Stdout) => true,
            (At::File { at: one, .. }, At::File { at: other, .. }) => one.is_same(other),
            (At::Tree(tree), At::File { at: other, .. } | At::Named { dir: other, .. })
            | (At::File { at: other, .. } | At::Named { dir: other, .. }, At::Tree(tree)) => tree.holds(other),
            (At::Tree(one), At::Tree(other)) => one.holds(other) || other.holds(one),
            (At::Named { dir, wanted }, At::File { at, name }) | (At::File { at, name }, At::Named { dir, wanted }) => {
                dir.is_parent_of(at) && wanted(name)
            }
            (At::Named { dir: one, .. }, At::Named { dir: other, .. }) => one.is_same(other),
            (At::Stdin | At::Stdout, _) | (_, At::Stdin | At::Stdout) => false,
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            At::File { name, .. } => write!(f, "Place(file {name})"),
            At::Tree(at) => write!(f, "Place(tree {at:?})"),
            At::Named { dir, .. } => write!(f, "Place(files of {dir:?})"),
            At::Stdin => f.write_str("Place(standard input)"),
            At::Stdout => f.write_str("Place(standard output)"),
        }
    }
}
