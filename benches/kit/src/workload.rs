//! The two streams that are joined, made from a seed and each event's number alone.
//!
//! Any part can be made anywhere, and always comes out the same; only Zipf's law is computed with floats, whose last
//! bit another machine may round differently.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::keys::{Keys, Ranks};
use super::records::Row;
use super::windows::Windows;
use dualgauge::EventTime;
use dualgauge_nexmark::random::Random;

/// What the two streams are like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// Another seed is other keys in another order.
    pub seed: u64,
    /// How many events, of both sides together.
    pub events: u64,
    /// Events a second of event time, of both sides together.
    pub rate: u64,
    /// How the events are shared out.
    pub ratio: Ratio,
    /// How many different keys each side has.
    pub keys: u64,
    /// How often each key comes on the left.
    pub left_keys: Keys,
    /// How often each key comes on the right.
    pub right_keys: Keys,
    /// The share of the left keys that occur on the right, evenly over all ranks; the most frequent key always does.
    pub selectivity: f64,
    /// How many bytes a row carries besides key, number and time.
    pub payload: usize,
}

/// Out of every `left + right` events, how many are on each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratio {
    /// Events of the left side.
    pub left: u64,
    /// Events of the right side.
    pub right: u64,
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.left, self.right)
    }
}

/// One of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one whose method is called.
    Left,
    /// The one that is handed in.
    Right,
}

impl Side {
    /// The name of its source in a graph.
    pub fn name(self) -> &'static str {
        match self {
            Side::Left => "left",
            Side::Right => "right",
        }
    }
}

impl Workload {
    /// One of the two streams.
    ///
    /// # Panics
    /// When there are no keys, no events a second, or no part for this side.
    pub fn side(&self, side: Side) -> Generator {
        let Ratio { left, right } = self.ratio;
        let (part, keys) = match side {
            Side::Left => (left, self.left_keys),
            Side::Right => (right, self.right_keys),
        };
        assert!(self.keys > 0 && self.rate > 0 && part > 0, "a side has keys, a rate and a part: {self:?}");
        Generator { workload: *self, side, ranks: Ranks::new(keys, self.keys), part, parts: left + right }
    }

    /// How many pairs to expect in all windows together.
    pub fn expected_pairs(&self, windows: Windows) -> f64 {
        let (left, right) = (self.side(Side::Left), self.side(Side::Right));
        let shared = (0..self.keys).filter(|&rank| self.is_shared(rank));
        let equal: f64 = shared.map(|rank| left.ranks.share(rank) * right.ranks.share(rank)).sum();
        let seconds = self.events as f64 / self.rate as f64;
        let (size, slide) = (windows.size.as_micros() as f64 / 1e6, windows.slide.as_micros() as f64 / 1e6);
        // For an input shorter than a window, there are as many full windows as slides, and each holds all of it.
        let in_window = |side: &Generator| side.len() as f64 * (size / seconds).min(1.0);
        (seconds.max(size) / slide) * in_window(&left) * in_window(&right) * equal
    }

    /// The same with fewer events, if there would be more than `pairs_max` pairs.
    pub fn bounded(self, windows: Windows, pairs_max: f64) -> Workload {
        let share = (pairs_max / self.expected_pairs(windows)).min(1.0);
        Workload { events: ((self.events as f64 * share) as u64).max(100).min(self.events), ..self }
    }

    /// Whether the right side has the left's key of this rank.
    fn is_shared(&self, rank: u64) -> bool {
        let before = |rank: u64| (rank as f64 * self.selectivity).ceil();
        before(rank) < before(rank + 1)
    }

    /// The key of a rank of a side. No two ranks have the same key, and the order of keys says nothing about ranks.
    fn key(&self, side: Side, rank: u64) -> u64 {
        let rank = if side == Side::Left || self.is_shared(rank) { rank } else { self.keys + rank };
        Random::new(self.seed, rank).next()
    }
}

/// One of the two streams: its rows by their numbers, in event-time order.
pub struct Generator {
    workload: Workload,
    side: Side,
    ranks: Ranks,
    /// Out of every `parts` events, how many are on this side.
    part: u64,
    parts: u64,
}

impl Generator {
    /// How many rows there are.
    pub fn len(&self) -> u64 {
        self.workload.events * self.part / self.parts
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When row `number` happens: rows follow each other evenly, from the Unix epoch on.
    pub fn time(&self, number: u64) -> EventTime {
        let micros = u128::from(number) * 1_000_000 * u128::from(self.parts);
        EventTime::from_micros((micros / (u128::from(self.workload.rate) * u128::from(self.part))) as i64)
    }

    /// The number of the first row at `time` or later.
    pub fn first_at(&self, time: EventTime) -> u64 {
        let rows = time.as_micros().max(0) as u128 * u128::from(self.workload.rate) * u128::from(self.part);
        rows.div_ceil(1_000_000 * u128::from(self.parts)).min(u128::from(self.len())) as u64
    }

    /// The rows of these numbers.
    pub fn rows(&self, numbers: Range<u64>) -> impl Iterator<Item = Row> + '_ {
        numbers.map(|number| self.row(number))
    }

    /// All rows.
    pub fn all(&self) -> Vec<Row> {
        self.rows(0..self.len()).collect()
    }

    fn row(&self, number: u64) -> Row {
        // Each side has its own random numbers, and neither uses those from which keys are made.
        let mut random = Random::new(self.workload.seed.wrapping_add(1 + self.side as u64), number);
        let key = self.workload.key(self.side, self.ranks.draw(number, &mut random));
        let mut payload = vec![0; self.workload.payload];
        let letters = random.next().to_le_bytes();
        payload.iter_mut().zip(letters.iter().cycle()).for_each(|(byte, letter)| *byte = *letter);
        Row { key, number, payload, time: self.time(number) }
    }
}
