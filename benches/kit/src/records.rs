//! What is joined, and what comes out.

use dualgauge::{EventTime, record};

/// A row of either side.
#[record]
pub struct Row {
    /// The key of the join.
    pub key: u64,
    /// The row's number on its side, from zero.
    pub number: u64,
    /// What a row carries besides its key.
    pub payload: Vec<u8>,
    /// When it happened.
    #[event_time]
    pub time: EventTime,
}

/// A left row and a right row with the same key in the same window.
#[record]
pub struct Joined {
    /// The window's last instant.
    #[event_time]
    pub time: EventTime,
    /// The window's start.
    pub window: EventTime,
    /// The key of both.
    pub key: u64,
    /// The number of the left row.
    pub left: u64,
    /// The number of the right row.
    pub right: u64,
    /// How many bytes the payloads of both have, so that nobody gets away with not keeping them.
    pub bytes: u64,
}

impl Joined {
    /// The result of a pair in the window from `start` whose last instant is `last`.
    #[inline]
    pub fn of(start: EventTime, last: EventTime, left: &Row, right: &Row) -> Joined {
        let bytes = (left.payload.len() + right.payload.len()) as u64;
        Joined { time: last, window: start, key: left.key, left: left.number, right: right.number, bytes }
    }
}
