//! One side of an interval join: what waits for the watermark, what is held after it, and how both are stored.

use dualgauge_engine::state::{Changes, Fingerprint, Kept, Layout, Place, check_group, read};
use dualgauge_engine::{Data, Duration, Error, Event, EventTime, KeyGroup, Result};

use super::held::{Held, Row};
use crate::join::waiting::{Status, Tag, Waiting};
use crate::key_fn::KeyFn;

/// The part that one side plays in the join.
#[derive(Clone, Copy, Debug)]
pub(super) struct Role {
    /// How long an event is held after its time for the other side's events; `None` when it need not be.
    pub(super) held_for: Option<Duration>,
    /// Whether its events look for the held events of the other side.
    pub(super) seeks: bool,
    /// Whether it matters whether an event meets a partner.
    pub(super) fate_matters: bool,
}

impl Role {
    /// Whether a checkpoint must know what has become of an event.
    fn is_told_fates(&self) -> bool {
        self.held_for.is_some() && (self.seeks || self.fate_matters)
    }
}

/// One side of the join.
pub(super) struct Side<D, F: KeyFn<D>> {
    pub(super) role: Role,
    pub(super) key: F,
    pub(super) waiting: Waiting<D>,
    pub(super) held: Held<F::Key, D>,
    pub(super) told: Told,
    loaded: Vec<(Event<D>, Tag)>,
}

/// What has been saved, and what must be saved again.
pub(super) struct Told {
    /// Events with a number below this.
    numbers: u64,
    /// Of the held ones, those before this place.
    places: u64,
    /// Places of saved events whose fate has changed since the last save.
    changed: Vec<u64>,
    /// Events with times below this are gone; `None` when no more are gone than at the last save.
    gone: Option<Gone>,
}

/// Which events are gone.
#[derive(Clone, Copy)]
pub(super) enum Gone {
    Below(EventTime),
    All,
}

impl Told {
    /// Notes that the fate of the event at `place` has changed.
    #[inline]
    pub(super) fn note_fate(&mut self, place: u64, tag: Tag) {
        if tag.number < self.numbers {
            self.changed.push(place);
        }
    }
}

impl<D: Data, F: KeyFn<D>> Side<D, F> {
    pub(super) fn new(key: F, role: Role) -> Side<D, F> {
        let told = Told { numbers: 0, places: 0, changed: Vec::new(), gone: None };
        Side { role, key, waiting: Waiting::new(), held: Held::new(), told, loaded: Vec::new() }
    }

    /// Drops the held events that have no partner to come, given that all before `end` have been handled.
    #[inline]
    pub(super) fn expire(&mut self, end: Option<EventTime>, each: impl FnMut(Row<D>)) {
        let Some(held_for) = self.role.held_for else { return };
        self.held.expire(|time| end.is_none_or(|end| time < end - held_for), &self.key, each);
    }

    /// Everything below `limit` has been handled.
    pub(super) fn pass(&mut self, limit: Option<EventTime>) {
        if self.role.fate_matters {
            self.held.find_first_alone();
        }
        let held_for = self.role.held_for.unwrap_or(Duration::ZERO);
        self.told.gone = Some(limit.map_or(Gone::All, |limit| Gone::Below(limit - held_for)));
    }

    /// The least event time of anything that may still come of it.
    pub(super) fn holds(&self) -> Option<EventTime> {
        let speaks = self.role.seeks || self.role.fate_matters;
        let waiting = self.waiting.first().filter(|_| speaks);
        let alone = self.held.first_alone().filter(|_| self.role.fate_matters);
        waiting.into_iter().chain(alone).min()
    }

    /// Every entry of a checkpoint has been loaded.
    pub(super) fn loaded(&mut self) {
        self.waiting.restore(std::mem::take(&mut self.loaded));
        self.told.numbers = self.waiting.next_number();
    }
}

/// An entry is an event, by its time and number, together with its fate where that matters.
impl<D: Data, F: KeyFn<D>> Kept for Side<D, F> {
    fn fingerprint(&self) -> Fingerprint {
        if self.role.is_told_fates() { Fingerprint::of::<(Status, D)>() } else { Fingerprint::of::<D>() }
    }

    fn layout(&self) -> Layout {
        Layout::Record
    }

    fn save(&mut self, changes: &mut Changes) {
        self.waiting.close();
        let Side { role, key, waiting, held, told, .. } = self;
        match told.gone.take().filter(|_| told.numbers > 0) {
            None => {}
            Some(Gone::Below(end)) => changes.remove_range(Vec::new(), end.bytes()),
            Some(Gone::All) => changes.remove_range(Vec::new(), vec![0xff; 64]),
        }
        let mut put = |time: EventTime, tag: Tag, data: &D| {
            let (group, time) = (key.group(data), time.bytes());
            match role.is_told_fates() {
                true => changes.put(group, &time, &tag.number, &(tag.status, data)),
                false => changes.put(group, &time, &tag.number, data),
            }
        };
        for (event, number) in waiting.since(told.numbers) {
            put(event.time, Tag { number, status: Status::Waiting }, &event.data);
        }
        let fresh = held.since(told.places).filter(|row| row.tag.number >= told.numbers);
        fresh.for_each(|row| put(row.time, row.tag, &row.data));
        told.changed.sort_unstable();
        told.changed.dedup();
        for row in told.changed.drain(..).filter_map(|place| held.get(place)) {
            put(row.time, row.tag, &row.data);
        }
        (told.numbers, told.places) = (waiting.next_number(), held.end());
    }

    fn load(&mut self, group: KeyGroup, mut key: &[u8], value: &[u8]) -> Result<()> {
        let time = EventTime::take(&mut key).ok_or_else(|| Error::data("an event of a join has no time"))?;
        let number = read(key)?;
        let (status, data) = if self.role.is_told_fates() { read(value)? } else { (Status::Waiting, read(value)?) };
        check_group(group, self.key.group(&data))?;
        self.loaded.push((Event::new(time, data), Tag { number, status }));
        Ok(())
    }
}
