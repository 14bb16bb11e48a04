//! What travels between operators: a vector of events, and beside it what only a few of them need.

use std::panic::resume_unwind;

use serde::{Deserialize, Serialize};
use timely::bytes::arc::Bytes;
use timely::container::Accountable;
use timely::dataflow::channels::ContainerBytes;
use xxhash_rust::xxh3::xxh3_128;

use super::{Data, Event, KeyGroup, bounded};
use crate::{Error, EventTime, Stamp};

/// A vector of events that travel under one stamp.
///
/// An event is *on time* when its time is at or above the watermark its partition had just before it; then the stamp of
/// the message says all that is needed to judge it. The few that are behind keep that watermark in a column beside the
/// events, so that a batch need not be cut where one occurs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch<D> {
    /// The events.
    pub events: Vec<Event<D>>,
    /// Position and watermark of each event that is behind its partition's watermark, by ascending position.
    behind: Vec<(u32, EventTime)>,
    /// What an upsert stream carries with each event; `None` for a stream that only appends.
    pub versions: Option<Box<Versions>>,
}

/// The hidden column of an upsert stream: which result each event is a firing of.
///
/// A later firing of the same identity replaces an earlier one whole, with all its rows; a firing that ended without
/// rows (a filter dropped them) is among `retracted`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// Identity and firing of each event, in step with the events.
    pub rows: Vec<Version>,
    /// Firings that have no row (any more), with the event time their rows would have had.
    pub retracted: Vec<(EventTime, Version)>,
}

/// A firing of a result: which, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// The result, by the 128-bit hash of its step, key and window.
    pub identity: u128,
    /// The stamp under which it fired; the lexicographically greatest wins, and no two of one result are equal.
    pub firing: Stamp,
}

impl Version {
    /// The identity of what `parts` name together.
    ///
    /// # Panics
    /// When their `Serialize` fails.
    pub fn identity_of(parts: &impl Serialize) -> u128 {
        xxh3_128(&postcard::to_stdvec(parts).expect("an identity's Serialize must not fail"))
    }
}

impl<D> Default for Batch<D> {
    fn default() -> Batch<D> {
        Batch { events: Vec::new(), behind: Vec::new(), versions: None }
    }
}

impl<D> From<Vec<Event<D>>> for Batch<D> {
    fn from(events: Vec<Event<D>>) -> Batch<D> {
        Batch { events, behind: Vec::new(), versions: None }
    }
}

impl<D> Batch<D> {
    /// An empty batch, with room for this many events.
    pub fn with_capacity(events: usize) -> Batch<D> {
        Batch::from(Vec::with_capacity(events))
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is nothing in it at all.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.versions.as_ref().is_none_or(|versions| versions.retracted.is_empty())
    }

    /// Notes that the event at `position` is behind `watermark`; positions ascend.
    pub fn set_behind(&mut self, position: usize, watermark: EventTime) {
        debug_assert!(self.behind.last().is_none_or(|last| (last.0 as usize) < position));
        self.behind.push((position as u32, watermark));
    }

    /// Whether every event is on time.
    pub fn all_on_time(&self) -> bool {
        self.behind.is_empty()
    }

    /// Positions and watermarks of the events that are behind.
    pub fn behind(&self) -> &[(u32, EventTime)] {
        &self.behind
    }

    /// Calls `each` with every event and the watermark it is to be judged against, under a message of `watermark`.
    #[inline]
    pub fn drain_judged(&mut self, watermark: EventTime, mut each: impl FnMut(Event<D>, EventTime)) {
        if self.behind.is_empty() {
            return self.events.drain(..).for_each(|event| each(event, watermark));
        }
        let mut behind = self.behind.drain(..).peekable();
        for (position, event) in self.events.drain(..).enumerate() {
            let judged = behind.next_if(|next| next.0 as usize == position).map_or(watermark, |next| next.1);
            each(event, judged);
        }
    }

    /// Turns each event into any number of others at the same time, keeping what stands beside it.
    ///
    /// `each` is given an event and pushes what becomes of it. An event of an upsert stream that becomes nothing leaves
    /// a retraction.
    #[inline]
    pub fn transform<R>(self, mut each: impl FnMut(Event<D>, &mut Vec<Event<R>>)) -> Batch<R> {
        let mut out = Vec::with_capacity(self.events.len());
        if self.behind.is_empty() && self.versions.is_none() {
            self.events.into_iter().for_each(|event| each(event, &mut out));
            return Batch::from(out);
        }
        let mut behind = Vec::new();
        let mut was_behind = self.behind.into_iter().peekable();
        let mut versions =
            self.versions.as_ref().map(|old| Box::new(Versions { rows: Vec::new(), retracted: old.retracted.clone() }));
        for (position, event) in self.events.into_iter().enumerate() {
            let (time, start) = (event.time, out.len());
            each(event, &mut out);
            if let Some((_, watermark)) = was_behind.next_if(|next| next.0 as usize == position) {
                behind.extend((start..out.len()).map(|at| (at as u32, watermark)));
            }
            if let (Some(old), Some(new)) = (&self.versions, &mut versions) {
                let version = old.rows[position];
                match out.len() - start {
                    0 => new.retracted.push((time, version)),
                    rows => new.rows.extend(std::iter::repeat_n(version, rows)),
                }
            }
        }
        Batch { events: out, behind, versions }
    }

    /// Splits the events into two batches, keeping what stands beside them. On an upsert stream, a row that went to one
    /// side leaves a retraction on the other, since an earlier firing of it may have gone there.
    pub fn unzip<A, B>(mut self, mut side: impl FnMut(D) -> Result<A, B>) -> (Batch<A>, Batch<B>) {
        let (mut left, mut right) = (Batch::<A>::default(), Batch::<B>::default());
        let versions = self.versions.take();
        if let Some(versions) = &versions {
            let kept = || Some(Box::new(Versions { rows: Vec::new(), retracted: versions.retracted.clone() }));
            (left.versions, right.versions) = (kept(), kept());
        }
        let mut behind = self.behind.drain(..).peekable();
        for (position, event) in self.events.drain(..).enumerate() {
            let watermark = behind.next_if(|next| next.0 as usize == position).map(|next| next.1);
            let version = versions.as_ref().map(|versions| (event.time, versions.rows[position]));
            match side(event.data) {
                Ok(data) => place(&mut left, &mut right, Event::new(event.time, data), watermark, version),
                Err(data) => place(&mut right, &mut left, Event::new(event.time, data), watermark, version),
            }
        }
        (left, right)
    }

    /// Deals the events into `targets` by `owner`, keeping what stands beside them.
    #[inline]
    pub(crate) fn deal(&mut self, mut owner: impl FnMut(&D) -> usize, targets: &mut [Batch<D>]) {
        assert!(self.versions.is_none(), "an upsert stream is dealt by its identities only");
        // Room for a fair share and some more: growing from nothing cost more than the rest of the deal.
        let share = self.events.len() / targets.len();
        targets
            .iter_mut()
            .filter(|target| target.events.capacity() == 0)
            .for_each(|target| target.events.reserve(share + share / 8));
        if self.behind.is_empty() {
            for event in self.events.drain(..) {
                targets[owner(&event.data)].events.push(event);
            }
            return;
        }
        let mut behind = self.behind.drain(..).peekable();
        for (position, event) in self.events.drain(..).enumerate() {
            let target = &mut targets[owner(&event.data)];
            if let Some((_, watermark)) = behind.next_if(|next| next.0 as usize == position) {
                target.behind.push((target.events.len() as u32, watermark));
            }
            target.events.push(event);
        }
    }

    /// Adds the events to each of `targets`, with what stands beside them.
    pub(crate) fn copy_to(&mut self, targets: &mut [Batch<D>])
    where
        D: Clone,
    {
        assert!(self.versions.is_none(), "an upsert stream is dealt by its identities only");
        for target in targets {
            let start = target.events.len() as u32;
            target.behind.extend(self.behind.iter().map(|(position, watermark)| (start + position, *watermark)));
            target.events.extend_from_slice(&self.events);
        }
        self.events.clear();
        self.behind.clear();
    }

    /// Deals the rows and retractions of an upsert stream into `targets` by their identity.
    pub(crate) fn deal_by_identity(&mut self, targets: &mut [Batch<D>]) {
        let versions = self.versions.take().expect("an upsert stream has versions in every batch");
        let owner = |version: &Version| KeyGroup::of(&version.identity).owner(targets.len());
        let owners: Vec<_> = versions.rows.iter().map(owner).collect();
        let retracted_owners: Vec<_> = versions.retracted.iter().map(|(_, version)| owner(version)).collect();
        for ((event, version), owner) in self.events.drain(..).zip(versions.rows).zip(owners) {
            targets[owner].versions.get_or_insert_default().rows.push(version);
            targets[owner].events.push(event);
        }
        for (retracted, owner) in versions.retracted.into_iter().zip(retracted_owners) {
            targets[owner].versions.get_or_insert_default().retracted.push(retracted);
        }
    }
}

/// Puts an event with what stands beside it into `target`, and the news of its absence into `other`.
fn place<A, B>(
    target: &mut Batch<A>,
    other: &mut Batch<B>,
    event: Event<A>,
    watermark: Option<EventTime>,
    version: Option<(EventTime, Version)>,
) {
    if let Some(watermark) = watermark {
        target.set_behind(target.len(), watermark);
    }
    if let (Some(version), Some(here), Some(there)) = (version, &mut target.versions, &mut other.versions) {
        here.rows.push(version.1);
        there.retracted.push(version);
    }
    target.events.push(event);
}

impl<D> Accountable for Batch<D> {
    /// Counts retractions too: a message that holds nothing else must not be lost as empty.
    fn record_count(&self) -> i64 {
        let retracted = self.versions.as_ref().map_or(0, |versions| versions.retracted.len());
        (self.events.len() + retracted) as i64
    }
}

impl<D: Data> Batch<D> {
    /// Reads what another process has written: whole, and with what stands beside its events in step with them.
    fn read(bytes: &[u8]) -> Result<Batch<D>, String> {
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or("it has no length")?;
        let payload = usize::try_from(u64::from_le_bytes(*length)).ok().and_then(|length| rest.get(..length));
        let payload = payload.ok_or("it is not as long as it says")?;
        let (batch, left): (Batch<D>, _) = bounded::take_from_bytes(payload).map_err(|error| error.to_string())?;
        let (events, behind) = (batch.events.len(), &batch.behind);
        let in_step = behind.is_sorted_by(|one, next| one.0 < next.0)
            && behind.last().is_none_or(|last| (last.0 as usize) < events)
            && batch.versions.as_ref().is_none_or(|versions| versions.rows.len() == events);
        match (left, in_step) {
            ([], true) => Ok(batch),
            ([], false) => Err("what stands beside its events is not in step with them".to_string()),
            (left, _) => Err(format!("{} bytes are left over", left.len())),
        }
    }
}

/// Between processes a batch is its length in eight little-endian bytes, then postcard, then zeros up to a multiple of eight.
impl<D: Data> ContainerBytes for Batch<D> {
    fn from_bytes(bytes: Bytes) -> Batch<D> {
        Batch::read(&bytes).unwrap_or_else(|how| {
            // Timely knows no other way: the worker takes it for the error that it is (`engine/src/job/worker.rs`).
            resume_unwind(Box::new(Error::environment(format!(
                "a batch that came from another process cannot be read: {how}; do all processes run the same program?"
            ))))
        })
    }

    fn length_in_bytes(&self) -> usize {
        let length = postcard::experimental::serialized_size(self).expect("data whose Serialize does not fail");
        8 + length.next_multiple_of(8)
    }

    fn into_bytes<W: std::io::Write>(&self, writer: &mut W) {
        let bytes = postcard::to_stdvec(self).expect("data whose Serialize does not fail");
        let padding = bytes.len().next_multiple_of(8) - bytes.len();
        let mut put = |bytes: &[u8]| writer.write_all(bytes).expect("a buffer of the announced length");
        put(&(bytes.len() as u64).to_le_bytes());
        put(&bytes);
        put(&[0; 8][..padding]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    fn batch(times: &[i64]) -> Batch<i64> {
        Batch::from(times.iter().map(|&time| Event::new(EventTime::from_micros(time), time)).collect::<Vec<_>>())
    }

    fn written<D: Data>(batch: &Batch<D>) -> Vec<u8> {
        let mut bytes = Vec::new();
        batch.into_bytes(&mut bytes);
        assert_eq!(bytes.len(), batch.length_in_bytes());
        bytes
    }

    #[test]
    fn what_another_process_has_written_is_read_whole_or_refused() {
        let mut batch = batch(&[5, 1, 6]);
        batch.set_behind(1, EventTime::from_micros(4));
        batch.versions = Some(Box::new(Versions {
            rows: vec![Version { identity: 1, firing: Stamp::default() }; 3],
            retracted: vec![],
        }));
        let bytes = written(&batch);
        assert_eq!(Batch::read(&bytes), Ok(batch.clone()));
        for end in 0..8 {
            assert!(Batch::<i64>::read(&bytes[..end]).unwrap_err().contains("no length"));
        }
        let refused = |change: fn(&mut Batch<i64>)| {
            let mut changed = batch.clone();
            change(&mut changed);
            Batch::<i64>::read(&written(&changed)).unwrap_err()
        };
        for change in [
            |batch: &mut Batch<i64>| batch.behind.push((3, EventTime::default())),
            |batch: &mut Batch<i64>| batch.behind.push((0, EventTime::default())),
            |batch: &mut Batch<i64>| batch.versions.as_mut().unwrap().rows.truncate(2),
            |batch: &mut Batch<i64>| batch.events.truncate(2),
        ] {
            assert!(refused(change).contains("not in step"));
        }
        for seed in 0..2000 {
            let (mut random, mut changed) = (Random(seed), bytes.clone());
            for _ in 0..=random.below(3) {
                let at = random.below(changed.len() as u64) as usize;
                changed[at] = [0xff, 0x7f, 0, random.below(256) as u8][random.below(4) as usize];
            }
            let _ = Batch::<i64>::read(&changed); // no panic, and no allocation on the word of a length
        }
    }

    #[test]
    fn values_that_are_nested_too_deep_are_refused() {
        #[derive(Clone, Debug, Serialize, Deserialize)]
        struct Link(Option<Box<Link>>);
        // One event at time 0, its links, and nothing beside it.
        let sent = |links: usize| {
            let payload = [&[1, 0][..], &vec![1; links], &[0, 0, 0]].concat();
            [&(payload.len() as u64).to_le_bytes()[..], &payload].concat()
        };
        assert_eq!(Batch::<Link>::read(&sent(50)).unwrap().len(), 1);
        assert!(Batch::<Link>::read(&sent(1_000_000)).unwrap_err().contains("nested deeper"));
    }

    #[test]
    fn events_behind_are_judged_by_their_own_watermark() {
        let mut batch = batch(&[5, 1, 6]);
        batch.set_behind(1, EventTime::from_micros(4));
        let mut seen = Vec::new();
        batch
            .drain_judged(EventTime::from_micros(2), |event, watermark| seen.push((event.data, watermark.as_micros())));
        assert_eq!(seen, [(5, 2), (1, 4), (6, 2)]);
    }

    #[test]
    fn what_stands_beside_an_event_is_beside_each_copy_of_it() {
        let mut targets = vec![Batch::default(), batch(&[9])];
        let mut copied = batch(&[5, 1]);
        copied.set_behind(1, EventTime::from_micros(4));
        copied.copy_to(&mut targets);
        assert!(copied.is_empty() && copied.all_on_time());
        assert_eq!(targets[0].behind(), [(1, EventTime::from_micros(4))]);
        assert_eq!(targets[1].behind(), [(2, EventTime::from_micros(4))]);
        assert_eq!((targets[0].len(), targets[1].len()), (2, 3));
    }

    #[test]
    fn what_stands_beside_an_event_follows_it_through_a_transform() {
        let mut batch = batch(&[5, 1, 6]);
        batch.set_behind(1, EventTime::from_micros(4));
        let doubled = batch.transform(|event, out| out.extend([event, event]));
        assert_eq!(doubled.behind(), [(2, EventTime::from_micros(4)), (3, EventTime::from_micros(4))]);
        let dropped = doubled.transform(|event: Event<i64>, out: &mut Vec<Event<i64>>| {
            if event.data != 5 {
                out.push(event)
            }
        });
        assert_eq!(dropped.behind(), [(0, EventTime::from_micros(4)), (1, EventTime::from_micros(4))]);
    }

    #[test]
    fn a_row_of_an_upsert_stream_that_becomes_nothing_leaves_a_retraction() {
        let version = |identity| Version { identity, firing: Stamp::default() };
        let mut batch = batch(&[5, 1]);
        batch.versions = Some(Box::new(Versions { rows: vec![version(50), version(10)], retracted: Vec::new() }));
        let kept = batch.transform(|event, out| {
            if event.data == 5 {
                out.push(event)
            }
        });
        let versions = kept.versions.as_deref().unwrap();
        assert_eq!(versions.rows, [version(50)]);
        assert_eq!(versions.retracted, [(EventTime::from_micros(1), version(10))]);
        assert_eq!(kept.record_count(), 2);
    }

    #[test]
    fn bytes_are_padded_and_read_back() {
        let mut batch = batch(&[5, 1, 6]);
        batch.set_behind(1, EventTime::from_micros(4));
        let mut bytes = Vec::new();
        batch.into_bytes(&mut bytes);
        assert_eq!(bytes.len(), batch.length_in_bytes());
        assert_eq!(bytes.len() % 8, 0);
        let mut owned = timely::bytes::arc::BytesMut::from(bytes);
        let length = owned.len();
        assert_eq!(Batch::from_bytes(owned.extract_to(length)), batch);
    }
}
