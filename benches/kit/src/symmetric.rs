//! The symmetric hash join, a strategy of its own in one file: the one to copy.
//!
//! Eager: each row is looked up among those of the other side that have come, and then kept for those that will. Pairs
//! come out early and the work is spread over the window, at the price of two tables instead of one and a lookup for
//! every row.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::records::Row;
use super::strategy::{Pairs, PaneJoin};

/// For each side, the rows that have come, by key.
#[derive(Default)]
pub(super) struct SymmetricHash {
    left: HashMap<u64, Vec<Row>, RandomState>,
    right: HashMap<u64, Vec<Row>, RandomState>,
}

impl PaneJoin for SymmetricHash {
    fn left(&mut self, row: Row, pairs: &mut Pairs<'_>) {
        self.right.get(&row.key).into_iter().flatten().for_each(|right| pairs.pair(&row, right));
        self.left.entry(row.key).or_default().push(row);
    }

    fn right(&mut self, row: Row, pairs: &mut Pairs<'_>) {
        self.left.get(&row.key).into_iter().flatten().for_each(|left| pairs.pair(left, &row));
        self.right.entry(row.key).or_default().push(row);
    }

    fn close(self, _: &mut Pairs<'_>) {}
}
