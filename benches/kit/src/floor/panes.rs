//! The rows of open windows, and the join of a window when it closes.
//!
//! Windows that overlap share their rows: each row is kept once, in the slice of event time that it lies in, and a
//! window is a row of slices. A hash table is built over the smaller side of a closing window, and each row of the
//! other is looked up in it.

use std::collections::BTreeMap;

use crate::records::{Joined, Row};
use crate::windows::Windows;
use crate::workload::Side;
use dualgauge::timely::dataflow::operators::Capability;
use dualgauge::{Duration, Event, EventTime};

/// What a worker keeps.
pub(super) struct Panes {
    windows: Windows,
    /// How long a slice is: the longest of which both size and slide are multiples.
    slice: Duration,
    /// The rows of each side, by the start of their slice.
    slices: BTreeMap<EventTime, [Vec<Row>; 2]>,
    /// The windows that have rows, by their start, each with the right to emit at its last instant.
    open: BTreeMap<EventTime, Capability<i64>>,
    /// Windows that end here or before are closed.
    closed: EventTime,
    table: Table,
}

impl Panes {
    pub(super) fn new(windows: Windows) -> Panes {
        let slice = Duration::from_micros(common_divisor(windows.size.as_micros(), windows.slide.as_micros()));
        let (slices, open) = (BTreeMap::new(), BTreeMap::new());
        Panes { windows, slice, slices, open, closed: EventTime::MIN, table: Table::default() }
    }

    /// Keeps rows; `capability` gives the right to emit at a time.
    pub(super) fn add(&mut self, side: Side, rows: &mut Vec<Event<Row>>, capability: impl Fn(i64) -> Capability<i64>) {
        let mut rows = rows.drain(..).peekable();
        // Neighbours mostly share a slice, so it is looked up once per run and not once per row.
        while let Some(first) = rows.peek() {
            let start = first.time.floor_to(self.slice, Duration::ZERO);
            let end = start + self.slice;
            for window in self.windows.starts(start).filter(|window| *window + self.windows.size > self.closed) {
                self.open.entry(window).or_insert_with(|| capability(self.windows.last(window).as_micros()));
            }
            let slice = &mut self.slices.entry(start).or_default()[side as usize];
            while let Some(row) = rows.next_if(|row| start <= row.time && row.time < end) {
                slice.push(row.data);
            }
        }
    }

    /// Joins the windows that end at or before `watermark`.
    pub(super) fn close(
        &mut self,
        watermark: EventTime,
        mut emit: impl FnMut(&Capability<i64>, &mut dyn Iterator<Item = Joined>),
    ) {
        self.closed = watermark;
        while let Some(first) = self.open.first_entry() {
            let start = *first.key();
            if start + self.windows.size > watermark {
                return;
            }
            let capability = first.remove();
            let slices: Vec<_> = self.slices.range(start..start + self.windows.size).map(|(_, sides)| sides).collect();
            let rows = |side: Side| slices.iter().flat_map(move |sides| &sides[side as usize]);
            let count = |side: Side| slices.iter().map(|sides| sides[side as usize].len()).sum::<usize>();
            let (last, table) = (self.windows.last(start), &mut self.table);
            if count(Side::Left) <= count(Side::Right) {
                let built = table.build(rows(Side::Left), count(Side::Left));
                let pairs = rows(Side::Right).flat_map(|r| built.find(r.key).map(move |l| (l, r)));
                emit(&capability, &mut pairs.map(|(l, r)| Joined::of(start, last, l, r)));
            } else {
                let built = table.build(rows(Side::Right), count(Side::Right));
                let pairs = rows(Side::Left).flat_map(|l| built.find(l.key).map(move |r| (l, r)));
                emit(&capability, &mut pairs.map(|(l, r)| Joined::of(start, last, l, r)));
            }
            // The next window begins a slide later.
            self.slices = self.slices.split_off(&(start + self.windows.slide));
        }
    }
}

fn common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// The memory of a hash table with chains, kept from one window to the next.
#[derive(Default)]
struct Table {
    /// For each bucket, one more than the place of its first row; zero if it has none.
    heads: Vec<u32>,
    /// For each row, its key, and one more than the place of the next row in its bucket.
    chain: Vec<(u64, u32)>,
}

/// A table over some rows.
struct Built<'t, 'r> {
    table: &'t Table,
    rows: Vec<&'r Row>,
}

impl Table {
    fn build<'t, 'r>(&'t mut self, rows: impl Iterator<Item = &'r Row>, count: usize) -> Built<'t, 'r> {
        self.heads.clear();
        self.heads.resize((2 * count).next_power_of_two(), 0);
        self.chain.clear();
        let mut list = Vec::with_capacity(count);
        for row in rows {
            let bucket = self.bucket(row.key);
            list.push(row);
            self.chain.push((row.key, self.heads[bucket]));
            self.heads[bucket] = list.len() as u32;
        }
        Built { table: self, rows: list }
    }

    /// By the high bits, since all keys of a worker agree in the low ones.
    fn bucket(&self, key: u64) -> usize {
        let bits = self.heads.len().trailing_zeros();
        if bits == 0 { 0 } else { (key >> (64 - bits)) as usize }
    }
}

impl<'r> Built<'_, 'r> {
    /// The rows with this key.
    fn find(&self, key: u64) -> impl Iterator<Item = &'r Row> + '_ {
        let mut next = self.table.heads[self.table.bucket(key)];
        std::iter::from_fn(move || {
            while next > 0 {
                let at = next as usize - 1;
                let (found, after) = self.table.chain[at];
                next = after;
                if found == key {
                    return Some(self.rows[at]);
                }
            }
            None
        })
    }
}
