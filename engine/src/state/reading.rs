//! Entries of a part read without the program that wrote them: which bytes are the place, the key and the value.
//!
//! A fingerprint says what the values are, and not how the entry's key is made. So each way in which parts are kept is
//! tried on every entry, and the first one that fits all of them is taken.

use super::shape::take_varint;
use super::{Fingerprint, Place, Shape, Value};
use crate::EventTime;

/// An entry of a part, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The times it stands under, a window's or an event's; none in a table.
    pub place: Vec<EventTime>,
    /// Its key; `None` for a waiting record, whose key is somewhere within.
    pub key: Option<Value>,
    /// What is kept of the key, or the record.
    pub value: Value,
}

/// How the entries of one part are to be read: made of its fingerprint, then shown every entry, and then used.
///
/// ```
/// use dualgauge_engine::state::{EntryReader, Fingerprint, Value};
///
/// let mut reader = EntryReader::new(&Fingerprint::of::<(u64, bool)>());
/// reader.learn(&[7], &[1]);
/// let entry = reader.read(&[7], &[1]);
/// assert_eq!((entry.key, entry.value), (Some(Value::Unsigned(7)), Value::Bool(true)));
/// ```
#[derive(Clone, Debug)]
pub struct EntryReader {
    /// The ways that fit all entries so far, the likeliest first.
    ways: Vec<Way>,
}

/// A way in which entries are kept.
#[derive(Clone, Debug)]
enum Way {
    /// Places, then the key; the value is what is kept of it.
    Keyed { places: usize, key: Shape, value: Shape },
    /// A place, then the key; without a value, as timers are.
    Bare { key: Shape },
    /// Places, then numbers that tell records apart; the value is the record.
    Record { places: usize, record: Shape },
}

impl EntryReader {
    /// All ways to read entries of this fingerprint.
    pub fn new(fingerprint: &Fingerprint) -> EntryReader {
        let Some(shape) = Shape::of(fingerprint) else { return EntryReader { ways: Vec::new() } };
        let mut ways = Vec::new();
        if let Some((key, value)) = shape.pair() {
            ways.extend((0..3).map(|places| Way::Keyed { places, key: key.clone(), value: value.clone() }));
        }
        ways.push(Way::Bare { key: shape.clone() });
        ways.extend([1, 2, 0].map(|places| Way::Record { places, record: shape.clone() }));
        EntryReader { ways }
    }

    /// Drops the ways that do not fit this entry.
    pub fn learn(&mut self, key: &[u8], value: &[u8]) {
        self.ways.retain(|way| way.read(key, value).is_some());
    }

    /// Reads an entry. What fits no way is shown as its bytes.
    pub fn read(&self, key: &[u8], value: &[u8]) -> Entry {
        let bytes =
            || Entry { place: Vec::new(), key: Some(Value::Bytes(key.to_vec())), value: Value::Bytes(value.to_vec()) };
        self.ways.first().and_then(|way| way.read(key, value)).unwrap_or_else(bytes)
    }
}

impl Way {
    fn read(&self, mut key: &[u8], value: &[u8]) -> Option<Entry> {
        match self {
            Way::Keyed { places, key: shape, value: of_value } => {
                let place = take_places(*places, &mut key)?;
                Some(Entry { place, key: Some(shape.read(key)?), value: of_value.read(value)? })
            }
            Way::Bare { key: shape } => {
                let place = take_places(1, &mut key)?;
                let key = Some(shape.read(key)?);
                value.is_empty().then_some(Entry { place, key, value: Value::None })
            }
            Way::Record { places, record } => {
                let place = take_places(*places, &mut key)?;
                while !key.is_empty() {
                    take_varint(&mut key)?;
                }
                Some(Entry { place, key: None, value: record.read(value)? })
            }
        }
    }
}

fn take_places(count: usize, key: &mut &[u8]) -> Option<Vec<EventTime>> {
    (0..count).map(|_| EventTime::take(key)).collect()
}

#[cfg(test)]
mod tests {
    use std::hash::Hash;

    use super::*;
    use crate::state::{Buffers, Changes, Kept, Queue, Table, Tables};
    use crate::{Epoch, Event, KeyGroup};

    /// What a part says of itself when it is saved, read without its type.
    fn entries(kept: &mut dyn Kept) -> Vec<Entry> {
        let mut changes = Changes::new(Epoch(3));
        kept.save(&mut changes);
        let mut reader = EntryReader::new(&kept.fingerprint());
        changes.iter().for_each(|change| reader.learn(change.key, change.value.unwrap()));
        let mut entries: Vec<_> = changes.iter().map(|change| reader.read(change.key, change.value.unwrap())).collect();
        entries.sort_by_key(|entry| format!("{entry:?}"));
        entries
    }

    fn at(second: i64) -> EventTime {
        EventTime::from_millis(1_767_225_600_000 + 1_000 * second)
    }

    fn keyed<K: crate::Key + Hash>(keys: &[K], place: i64) -> Vec<Vec<Entry>> {
        let (mut table, mut tables, mut spans) = (Table::new(), Tables::new(), Tables::new());
        for key in keys {
            table.change_ref(key, || 5_u64);
            tables.table(at(place)).change_ref(key, || 5_u64);
            spans.table((at(place), at(place + 9))).change_ref(key, || 5_u64);
        }
        vec![entries(&mut table), entries(&mut tables), entries(&mut spans)]
    }

    #[test]
    fn tables_are_told_apart_by_their_places_whatever_the_key() {
        for place in [0, 1_000, -2_000_000_000] {
            let numbers = keyed(&[0_u64, 7, 300], place);
            let words = keyed(&["".to_string(), "apple".to_string()], place);
            for (read, first) in [(numbers, Value::Unsigned(0)), (words, Value::Text(String::new()))] {
                let places = [vec![], vec![at(place)], vec![at(place), at(place + 9)]];
                for (entries, place) in read.iter().zip(places) {
                    let expected = Entry { place, key: Some(first.clone()), value: Value::Unsigned(5) };
                    assert!(entries.contains(&expected), "{entries:?}");
                }
            }
        }
    }

    #[test]
    fn records_that_wait_have_a_time_and_no_key() {
        let mut queue = Queue::new(|pair: &(u64, String)| KeyGroup::of(&pair.0));
        queue.push(Event::new(at(1), (7, "a".to_string())));
        let record = Value::List(vec![Value::Unsigned(7), Value::Text("a".to_string())]);
        assert_eq!(entries(&mut queue), [Entry { place: vec![at(1)], key: None, value: record }]);

        let mut buffers = Buffers::<EventTime, u64>::new(KeyGroup::of);
        buffers.push(at(0), Event::new(at(2), 7));
        let read = entries(&mut buffers);
        assert_eq!((&read[0].place[..], &read[0].key), (&[at(0)][..], &None));
        assert!(read[0].value.has(&|part| *part == Value::Unsigned(7)), "{read:?}");
    }

    #[test]
    fn what_fits_no_way_is_shown_as_its_bytes() {
        let mut reader = EntryReader::new(&Fingerprint::of::<(u64, u64)>());
        reader.learn(&[0xff], &[0xff]);
        assert_eq!(reader.read(&[1], &[2]).value, Value::Bytes(vec![2]));
    }
}
