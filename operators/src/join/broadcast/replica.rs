//! The broadcast state as one worker has it, and how it is restored on any number of workers.
//!
//! Every worker gets all changes, but applies each when its own watermark passes it. So at a checkpoint one copy may
//! already have a change that still waits at another, where earlier events wait too. Each worker therefore stores its
//! own copy, under the first of its key groups, and a worker that resumes loads the copies of all and takes the one
//! that is furthest behind:
//!
//! - **No event is before the copy.** What waits on any worker is no earlier than the last change of that worker's
//!   copy, and so no earlier than the last one of this copy.
//! - **No change is missing.** What this copy has not applied waits in it.
//! - **Copies that are equally far are equal.** A change is applied together with all others up to its time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use dualgauge_engine::state::{Changes, Fingerprint, Kept, Layout, Parts, Place, Queue, read};
use dualgauge_engine::{Data, Error, Event, EventTime, KeyGroup, Result};

/// A worker's copy of the broadcast state, and the changes that are still to be applied.
pub(super) struct Replica<S, R> {
    made: Made<S, R>,
    to_come: ToCome<S, R>,
}

/// The copies of all workers while they are loaded: the state of each, and then the changes it still had to apply.
type Copies<S, R> = Rc<RefCell<BTreeMap<KeyGroup, (Event<S>, Vec<Event<R>>)>>>;

/// The state so far.
struct Made<S, R> {
    /// Its time is that of the last change in it.
    state: Event<S>,
    /// Whether it differs from what was saved last.
    changed: bool,
    group: KeyGroup,
    copies: Copies<S, R>,
}

/// The changes that the watermark has not passed.
struct ToCome<S, R> {
    queue: Queue<R>,
    /// Whether what is stored for this worker's groups belongs to other copies.
    anew: bool,
    copies: Copies<S, R>,
}

impl<S: Data + Default, R: Data + Ord> Replica<S, R> {
    /// The default state, to be stored under `group`.
    pub(super) fn new(group: KeyGroup) -> Replica<S, R> {
        let state = Event::new(EventTime::MIN, S::default());
        let copies = Copies::default();
        let made = Made { state, changed: true, group, copies: Rc::clone(&copies) };
        let to_come = ToCome { queue: Queue::new(move |_| group), anew: false, copies };
        Replica { made, to_come }
    }

    /// Adds a change to be applied.
    pub(super) fn add(&mut self, change: Event<R>) {
        self.to_come.queue.push(change);
    }

    /// The time of the next change.
    #[inline]
    pub(super) fn next_change(&self) -> Option<EventTime> {
        self.to_come.queue.next_time()
    }

    /// Applies the changes for whose times `due` holds, in the order of time and record.
    pub(super) fn make(&mut self, due: impl Fn(EventTime) -> bool, apply: impl Fn(&mut S, R)) {
        while self.next_change().is_some_and(&due) {
            let change = self.to_come.queue.pop().expect("it was just seen");
            apply(&mut self.made.state.data, change.data);
            self.made.state.time = change.time;
            self.made.changed = true;
        }
    }

    /// The state after all changes applied so far.
    pub(super) fn state(&self) -> &S {
        &self.made.state.data
    }

    /// How many changes are still to be applied.
    #[cfg(test)]
    pub(super) fn to_come(&self) -> usize {
        self.to_come.queue.len()
    }

    /// The state goes first, since each change is added to the copy that it belongs to.
    pub(super) fn kept(&mut self) -> Parts<'_> {
        vec![("state", &mut self.made), ("changes", &mut self.to_come)]
    }

    /// The copies of all workers have been loaded.
    pub(super) fn loaded(&mut self) {
        let copies = self.made.copies.take();
        let Some((state, changes)) = copies.into_values().min_by_key(|(state, _)| state.time) else { return };
        self.made.state = state;
        changes.into_iter().for_each(|change| self.to_come.queue.push(change));
        // From here on it is this worker's own.
        self.made.changed = true;
        self.to_come.anew = true;
    }
}

/// The one entry of a group is the state of the worker that owned it.
impl<S: Data, R: Data> Kept for Made<S, R> {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of::<Event<S>>()
    }

    fn layout(&self) -> Layout {
        Layout::Record
    }

    fn save(&mut self, changes: &mut Changes) {
        if std::mem::take(&mut self.changed) {
            changes.remove_prefix(&[]); // also the copies of workers that no longer exist
            changes.put(self.group, &[], &(), &self.state);
        }
    }

    fn is_replicated(&self) -> bool {
        true
    }

    fn load(&mut self, group: KeyGroup, _: &[u8], value: &[u8]) -> Result<()> {
        self.copies.borrow_mut().insert(group, (read(value)?, Vec::new()));
        Ok(())
    }
}

/// The entries of a group are the changes its owner still had to apply, as a [`Queue`] stores them.
impl<S: Data, R: Data + Ord> Kept for ToCome<S, R> {
    fn fingerprint(&self) -> Fingerprint {
        self.queue.fingerprint()
    }

    fn layout(&self) -> Layout {
        self.queue.layout()
    }

    fn save(&mut self, changes: &mut Changes) {
        if std::mem::take(&mut self.anew) {
            changes.remove_prefix(&[]);
        }
        self.queue.save(changes);
    }

    fn is_replicated(&self) -> bool {
        true
    }

    fn load(&mut self, group: KeyGroup, mut key: &[u8], value: &[u8]) -> Result<()> {
        let time = EventTime::take(&mut key).ok_or_else(|| Error::data("a change of broadcast state has no time"))?;
        let change = Event::new(time, read(value)?);
        let mut copies = self.copies.borrow_mut();
        let Some((_, changes)) = copies.get_mut(&group) else {
            return Err(Error::data(format!(
                "key group {} has changes of a broadcast stream, and no state that they would change",
                group.0
            )));
        };
        changes.push(change);
        Ok(())
    }
}
