//! Events by place, in the order in which they came: windows that only collect until they close.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Changes, Fingerprint, Kept, Layout, Place, kept};
use crate::{Data, Error, Event, KeyGroup, Result};

/// Events by place; they are appended, and a whole place goes at once.
///
/// A save records what was appended since the last one, and which places are gone; what comes and goes between two
/// saves is never recorded. The order within a place is lost when a job restarts, so no answer may depend on it.
///
/// ```
/// use dualgauge_engine::state::Buffers;
/// use dualgauge_engine::{Event, EventTime, KeyGroup};
///
/// let at = EventTime::from_millis;
/// let mut windows = Buffers::<EventTime, u64>::new(KeyGroup::of);
/// windows.push(at(10), Event::new(at(12), 7));
/// windows.append(at(10), &mut vec![Event::new(at(11), 8)]);
/// assert_eq!(windows.first(), Some(at(10)));
///
/// let events = windows.take(at(10));
/// assert_eq!(events, [Event::new(at(12), 7), Event::new(at(11), 8)]);
/// assert_eq!(windows.first(), None);
/// windows.reuse(events); // its room goes to the next place
/// ```
pub struct Buffers<P, D> {
    by_place: BTreeMap<P, Buffer<D>>,
    /// The room of places that are gone.
    spare: Vec<Vec<Event<D>>>,
    /// Places that are gone, and that an earlier save recorded.
    gone: Vec<P>,
    group: Box<dyn Fn(&D) -> KeyGroup>,
}

struct Buffer<D> {
    events: Vec<Event<D>>,
    /// How many of them have been saved.
    saved: usize,
}

/// Tells the events of a place apart in a checkpoint: the epoch they were saved in, and their number within it.
#[derive(Serialize, Deserialize)]
struct Number(u64, u64);

impl<P: Copy + Ord, D> Buffers<P, D> {
    /// No events; `group` says which worker each belongs to.
    pub fn new(group: impl Fn(&D) -> KeyGroup + 'static) -> Buffers<P, D> {
        Buffers { by_place: BTreeMap::new(), spare: Vec::new(), gone: Vec::new(), group: Box::new(group) }
    }

    /// Adds an event to a place.
    #[inline]
    pub fn push(&mut self, place: P, event: Event<D>) {
        self.buffer(place).push(event);
    }

    /// Adds events to a place.
    pub fn extend(&mut self, place: P, events: impl Iterator<Item = Event<D>>) {
        self.buffer(place).extend(events);
    }

    /// Adds events to a place, and leaves `events` empty.
    pub fn append(&mut self, place: P, events: &mut Vec<Event<D>>) {
        self.buffer(place).append(events);
    }

    #[inline]
    fn buffer(&mut self, place: P) -> &mut Vec<Event<D>> {
        let spare = &mut self.spare;
        let open = || Buffer { events: spare.pop().unwrap_or_default(), saved: 0 };
        &mut self.by_place.entry(place).or_insert_with(open).events
    }

    /// The events at a place.
    pub fn get(&self, place: P) -> &[Event<D>] {
        self.by_place.get(&place).map_or(&[], |buffer| &buffer.events)
    }

    /// The first place that has events.
    #[inline]
    pub fn first(&self) -> Option<P> {
        self.by_place.first_key_value().map(|(place, _)| *place)
    }

    /// The places and their events, in the order of the places.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (P, &[Event<D>])> {
        self.by_place.iter().map(|(place, buffer)| (*place, buffer.events.as_slice()))
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.by_place.is_empty()
    }

    /// Removes a place and hands out its events; none where there is no such place.
    pub fn take(&mut self, place: P) -> Vec<Event<D>> {
        let Some(Buffer { events, saved }) = self.by_place.remove(&place) else { return Vec::new() };
        if saved > 0 {
            self.gone.push(place);
        }
        events
    }

    /// Takes back a vector whose events are no longer needed, to reuse its room.
    pub fn reuse(&mut self, mut events: Vec<Event<D>>) {
        events.clear();
        if events.capacity() > 0 {
            self.spare.push(events);
        }
    }

    /// Removes the places that are not to be kept.
    pub fn retain(&mut self, mut keep: impl FnMut(P) -> bool) {
        let closed: Vec<_> = self.by_place.keys().copied().filter(|place| !keep(*place)).collect();
        for place in closed {
            let events = self.take(place);
            self.reuse(events);
        }
    }
}

impl<P: Place, D: Data> Kept for Buffers<P, D> {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of::<Event<D>>()
    }

    fn layout(&self) -> Layout {
        Layout::Record
    }

    fn save(&mut self, changes: &mut Changes) {
        for place in self.gone.drain(..) {
            changes.remove_prefix(&place.bytes());
        }
        let (epoch, mut number) = (changes.epoch().0, 0);
        for (place, buffer) in &mut self.by_place {
            let place = place.bytes();
            for event in &buffer.events[buffer.saved..] {
                changes.put((self.group)(&event.data), &place, &Number(epoch, number), event);
                number += 1;
            }
            buffer.saved = buffer.events.len();
        }
    }

    fn load(&mut self, group: KeyGroup, mut key: &[u8], value: &[u8]) -> Result<()> {
        let place = P::take(&mut key).ok_or_else(|| Error::data("an entry of the state is too short for its place"))?;
        let event: Event<D> = kept::read(value)?;
        kept::check_group(group, (self.group)(&event.data))?;
        let buffer = self.by_place.entry(place).or_insert_with(|| Buffer { events: Vec::new(), saved: 0 });
        buffer.events.push(event);
        buffer.saved = buffer.events.len();
        Ok(())
    }
}

impl<P: std::fmt::Debug, D> std::fmt::Debug for Buffers<P, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = self.by_place.iter().map(|(place, buffer)| (place, buffer.events.len()));
        f.debug_map().entries(counts).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Epoch, EventTime};

    type Windows = Buffers<EventTime, u64>;

    fn at(micros: i64) -> EventTime {
        EventTime::from_micros(micros)
    }

    fn saved(buffers: &mut Windows, epoch: u64) -> Changes {
        let mut changes = Changes::new(Epoch(epoch));
        buffers.save(&mut changes);
        changes
    }

    /// What a checkpoint holds after these saves, applied as a store applies them.
    fn stored(saves: &[Changes]) -> BTreeMap<Vec<u8>, (KeyGroup, Vec<u8>)> {
        let mut entries = BTreeMap::new();
        for changes in saves {
            let gone = |key: &[u8]| changes.ranges().iter().any(|(from, to)| &from[..] <= key && key < &to[..]);
            entries.retain(|key: &Vec<u8>, _| !gone(key));
            for change in changes.iter() {
                let value = change.value.expect("nothing is removed alone").to_vec();
                let before = entries.insert(change.key.to_vec(), (change.group, value));
                assert_eq!(before, None, "two events under one key");
            }
        }
        entries
    }

    fn loaded(saves: &[Changes]) -> Windows {
        let mut buffers = Windows::new(KeyGroup::of);
        stored(saves).iter().for_each(|(key, (group, value))| buffers.load(*group, key, value).unwrap());
        buffers
    }

    fn contents(buffers: &Windows) -> Vec<(EventTime, u64)> {
        let mut all: Vec<_> =
            buffers.iter().flat_map(|(place, events)| events.iter().map(move |event| (place, event.data))).collect();
        all.sort();
        all
    }

    #[test]
    fn a_save_tells_what_was_appended_since_the_last() {
        let mut buffers = Windows::new(KeyGroup::of);
        buffers.push(at(0), Event::new(at(1), 1));
        buffers.push(at(5), Event::new(at(6), 1)); // equal events are two
        buffers.push(at(5), Event::new(at(6), 1));
        let mut saves = vec![saved(&mut buffers, 3)];
        assert_eq!(saves[0].len(), 3);
        buffers.extend(at(5), [Event::new(at(7), 2)].into_iter());
        saves.push(saved(&mut buffers, 4));
        assert_eq!((saves[1].len(), saves[1].ranges().len()), (1, 0));
        assert!(saved(&mut buffers, 5).is_empty());
        assert_eq!(contents(&loaded(&saves)), contents(&buffers));
        assert_eq!(contents(&buffers), [(at(0), 1), (at(5), 1), (at(5), 1), (at(5), 2)]);
    }

    #[test]
    fn a_place_that_was_told_and_is_gone_is_removed() {
        let mut buffers = Windows::new(KeyGroup::of);
        buffers.push(at(0), Event::new(at(1), 1));
        buffers.push(at(5), Event::new(at(6), 2));
        let mut saves = vec![saved(&mut buffers, 0)];
        // One is gone, one is gone and comes again, one comes and goes and is never recorded.
        buffers.retain(|_| false);
        buffers.push(at(5), Event::new(at(7), 3));
        buffers.push(at(9), Event::new(at(9), 4));
        let events = buffers.take(at(9));
        buffers.reuse(events);
        saves.push(saved(&mut buffers, 1));
        assert_eq!((saves[1].len(), saves[1].ranges().len()), (1, 2));
        assert_eq!(contents(&loaded(&saves)), [(at(5), 3)]);
    }

    #[test]
    fn what_was_loaded_counts_as_saved() {
        let mut buffers = Windows::new(KeyGroup::of);
        buffers.push(at(0), Event::new(at(1), 1));
        let mut saves = vec![saved(&mut buffers, 0)];
        let mut buffers = loaded(&saves);
        assert!(saved(&mut buffers, 1).is_empty());
        buffers.push(at(0), Event::new(at(1), 2));
        saves.push(saved(&mut buffers, 2));
        let mut buffers = loaded(&saves);
        assert_eq!(contents(&buffers), [(at(0), 1), (at(0), 2)]);
        buffers.take(at(0));
        saves.push(saved(&mut buffers, 3));
        assert!(stored(&saves).is_empty());
    }

    #[test]
    fn an_event_whose_key_is_made_otherwise_is_not_taken_back() {
        let mut buffers = Windows::new(KeyGroup::of);
        buffers.push(at(0), Event::new(at(1), 1));
        let saves = [saved(&mut buffers, 0)];
        let mut other = Windows::new(|number| KeyGroup::of(&(number + 1)));
        let loads = stored(&saves).into_iter().map(|(key, (group, value))| other.load(group, &key, &value));
        let error = loads.collect::<Result<()>>().unwrap_err().to_string();
        assert!(error.contains("was the key of the step changed"), "{error}");
    }
}
