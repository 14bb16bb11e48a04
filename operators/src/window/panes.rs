//! What aligned windows remember: panes in the order in which they first matter, accumulators by key.

use dualgauge_engine::state::{Parts, Place, Table, Tables};
use dualgauge_engine::{Data, Key};

/// All panes, by the place `P` that a kind of window gives them.
///
/// The order of the keys of a pane never reaches an output: sinks sort.
#[derive(Debug)]
pub(super) struct Panes<P, K, A> {
    accs: Tables<P, K, A>,
    /// The keys of each pane that have changed since it last fired; kept only where a pane may fire more than once.
    /// They are marked in the accumulators' own tables.
    changed: Option<Tables<P, K, ()>>,
}

/// What is kept of one span of event time.
pub(super) struct OnePane<'a, K, A> {
    accs: &'a mut Table<K, A>,
    changed: Option<&'a mut Table<K, ()>>,
}

impl<P: Place, K: Key, A> Panes<P, K, A> {
    /// Starts with no panes. Set `track_changes` where they may fire more than once.
    pub(super) fn new(track_changes: bool) -> Panes<P, K, A> {
        Panes { accs: Tables::new(), changed: track_changes.then(Tables::new) }
    }

    /// The pane at `place`.
    #[inline]
    pub(super) fn pane(&mut self, place: P) -> OnePane<'_, K, A> {
        OnePane { accs: self.accs.table(place), changed: self.changed.as_mut().map(|changed| changed.table(place)) }
    }

    /// The accumulators at `place`, if there are any.
    pub(super) fn get(&self, place: P) -> Option<&Table<K, A>> {
        self.accs.get(place)
    }

    /// The earliest place.
    pub(super) fn first(&self) -> Option<P> {
        self.accs.first()
    }

    /// The places after `place`, in their order.
    pub(super) fn places_after(&self, place: P) -> impl Iterator<Item = P> {
        self.accs.places_after(place)
    }

    /// The panes in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (P, &Table<K, A>)> {
        self.accs.iter()
    }

    /// Drops the panes for which `keep` is false.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(P) -> bool) {
        self.accs.retain(&mut keep);
        if let Some(changed) = &mut self.changed {
            changed.retain(keep);
        }
    }

    /// Takes the earliest pane away and gives each of its keys to `each`.
    pub(super) fn drain_first(&mut self, each: impl FnMut(K, A)) {
        if let (Some(first), Some(changed)) = (self.first(), &mut self.changed) {
            changed.drain(first, |_, ()| {});
        }
        self.accs.drain_first(each);
    }

    /// Moves what the earliest pane holds to `to`; where a key is there already, `merge` combines the two. It does not
    /// count as a change.
    pub(super) fn carry_first(&mut self, to: P, merge: impl Fn(&mut A, &A)) {
        let mut carried = Vec::new();
        self.drain_first(|key, acc| carried.push((key, acc)));
        let there = self.accs.table(to);
        for (key, acc) in carried {
            let mut acc = Some(acc);
            let total = there.change_ref(&key, || acc.take().expect("it is asked for once"));
            if let Some(acc) = acc {
                merge(total, &acc);
            }
        }
    }

    /// The places of the panes in which something has changed since they last fired.
    pub(super) fn changed(&self) -> Vec<P> {
        let changed = self.changed.iter().flat_map(|changed| changed.iter());
        changed.filter(|(_, keys)| !keys.is_empty()).map(|(place, _)| place).collect()
    }

    /// Gives each key at `place` that has changed since the last call to `each`.
    pub(super) fn drain_changed(&mut self, place: P, mut each: impl FnMut(K, &A)) {
        let accs = self.accs.table(place);
        if let Some(changed) = &mut self.changed {
            changed.drain(place, |key, ()| {
                let acc = accs.unmark(&key).expect("a key that changed is kept until its pane closes");
                each(key, acc);
            });
        }
    }

    /// Moves the keys for which `to` names another place there; where it has the key already, `merge` combines the two.
    /// Keys that `to` has no place for are dropped.
    pub(super) fn move_keys(&mut self, to: impl Fn(&K, P) -> Option<P>, merge: impl Fn(&mut A, &A))
    where
        A: Clone,
    {
        let mut moves = Vec::new();
        for (place, table) in self.accs.iter() {
            let elsewhere = table.iter().map(|(key, _)| (key, to(key, place))).filter(|(_, to)| *to != Some(place));
            moves.extend(elsewhere.map(|(key, to)| (place, key.clone(), to)));
        }
        for (from, key, to) in moves {
            let acc = self.accs.table(from).remove(&key).expect("it was just seen");
            if let Some(to) = to {
                let mut is_new = false;
                let start = || {
                    is_new = true;
                    acc.clone()
                };
                let there = self.accs.table(to).change(key, start);
                if !is_new {
                    merge(there, &acc);
                }
            }
        }
        let empty: Vec<_> = self.accs.iter().filter(|(_, table)| table.is_empty()).map(|(place, _)| place).collect();
        empty.into_iter().for_each(|place| self.accs.drain(place, |_, _| {}));
    }

    /// What a checkpoint stores.
    pub(super) fn kept(&mut self) -> Parts<'_>
    where
        A: Data,
    {
        let mut parts: Parts<'_> = vec![("panes", &mut self.accs)];
        if let Some(changed) = &mut self.changed {
            parts.push(("changed", changed));
        }
        parts
    }

    /// Marks again what has changed, after all was loaded.
    pub(super) fn loaded(&mut self) {
        for (place, keys) in self.changed.iter().flat_map(|changed| changed.iter()) {
            let accs = self.accs.table(place);
            keys.iter().for_each(|(key, ())| accs.mark(key));
        }
    }
}

impl<K: Key, A> OnePane<'_, K, A> {
    /// The accumulator of `key`, which is about to change.
    #[inline]
    pub(super) fn change(&mut self, key: &K, start: impl FnOnce() -> A) -> &mut A {
        match &mut self.changed {
            None => self.accs.change_ref(key, start),
            Some(changed) => self.accs.change_and_mark(key, start, || {
                changed.change_ref(key, || ());
            }),
        }
    }
}
