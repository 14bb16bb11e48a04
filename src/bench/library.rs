//! The library's window join, with each of its strategies.

use super::contestant::Contestant;

/// A contestant per strategy.
pub(super) fn contestants() -> impl Iterator<Item = Contestant> {
    std::iter::empty()
}
