//! The sort-merge join: both sides sorted by key, and walked side by side.

use std::cmp::Ordering;

use super::strategy::{Keys, NONE, Numbers, Strategy};

/// The sorted keys of both sides, each with its row. Their memory is reused from window to window.
pub(super) struct SortMerge<K> {
    left: Vec<(K, u32)>,
    right: Vec<(K, u32)>,
}

impl<K> Default for SortMerge<K> {
    fn default() -> SortMerge<K> {
        SortMerge { left: Vec::new(), right: Vec::new() }
    }
}

impl<K: Ord + Clone> Strategy<K> for SortMerge<K> {
    /// Every key is numbered, requested or not: the sides are sorted anyway.
    fn number(&mut self, left: &impl Keys<K>, right: &impl Keys<K>, _every: bool, numbers: &mut Numbers) {
        sort(left, &mut self.left);
        sort(right, &mut self.right);
        numbers.left.resize(left.len(), NONE);
        numbers.right.resize(right.len(), NONE);
        let (mut lefts, mut rights) = (self.left.as_slice(), self.right.as_slice());
        while let Some(key) = least(lefts, rights) {
            let number = numbers.count;
            let (left, right) = (run_of(key, lefts), run_of(key, rights));
            lefts[..left].iter().for_each(|(_, row)| numbers.left[*row as usize] = number);
            rights[..right].iter().for_each(|(_, row)| numbers.right[*row as usize] = number);
            (lefts, rights) = (&lefts[left..], &rights[right..]);
            numbers.count += 1;
        }
        self.left.clear();
        self.right.clear();
    }
}

fn sort<K: Ord + Clone>(keys: &impl Keys<K>, sorted: &mut Vec<(K, u32)>) {
    sorted.reserve(keys.len());
    let mut row = 0;
    keys.each(|key| {
        sorted.extend(key.map(|key| (key.clone(), row)));
        row += 1;
    });
    sorted.sort_unstable();
}

/// The least key of both sides.
fn least<'a, K: Ord>(left: &'a [(K, u32)], right: &'a [(K, u32)]) -> Option<&'a K> {
    match (left.first(), right.first()) {
        (Some((left, _)), Some((right, _))) => Some(if left.cmp(right) == Ordering::Greater { right } else { left }),
        (one, other) => one.or(other).map(|(key, _)| key),
    }
}

/// How many rows at the front have this key.
fn run_of<K: Eq>(key: &K, sorted: &[(K, u32)]) -> usize {
    sorted.iter().take_while(|(other, _)| other == key).count()
}
