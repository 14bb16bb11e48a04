//! What a source has read from further ahead than lockstep allows.
//!
//! A row group of a sparse stream may span hours, and the next one is another worker's: if it waited until the first
//! had come within the lockstep's event time, only one worker would read at a time. So each may also be ahead by a
//! number of rows, which bounds what a join has to hold just as well.

use std::collections::VecDeque;

use crate::EventTime;

/// The batches of one source on one worker that were further ahead than lockstep allows when they were read.
#[derive(Debug)]
pub(super) struct ReadAhead {
    /// In the order in which they were read: the event time at which each was due, and how many rows it has.
    batches: VecDeque<(EventTime, usize)>,
    rows: usize,
    rows_max: usize,
}

impl ReadAhead {
    /// Nothing yet; room for `rows_max` rows and the batch that reaches them.
    pub(super) fn new(rows_max: usize) -> ReadAhead {
        ReadAhead { batches: VecDeque::new(), rows: 0, rows_max }
    }

    /// Whether what is due at `due` may be read while the others are at most at `limit`.
    pub(super) fn admits(&mut self, due: EventTime, limit: EventTime) -> bool {
        while let Some((_, rows)) = self.batches.front().filter(|(read, _)| *read <= limit) {
            self.rows -= rows;
            self.batches.pop_front();
        }
        due <= limit || self.rows < self.rows_max
    }

    /// Notes that `rows` rows were read that were due at `due`, while the others were at most at `limit`.
    pub(super) fn note(&mut self, due: EventTime, limit: EventTime, rows: usize) {
        if due > limit {
            self.batches.push_back((due, rows));
            self.rows += rows;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_count_until_the_others_have_come_near() {
        let at = EventTime::from_millis;
        let mut ahead = ReadAhead::new(10);
        for due in [at(5), at(6), at(7)] {
            assert!(ahead.admits(due, at(4)));
            ahead.note(due, at(4), 4);
        }
        assert!(!ahead.admits(at(8), at(4)), "12 rows are ahead");
        assert!(ahead.admits(at(4), at(4)), "what is near may always be read");
        assert!(ahead.admits(at(8), at(5)), "8 rows are ahead");
        ahead.note(at(6), at(6), 100);
        assert!(ahead.admits(at(8), at(6)), "what is near does not count");
    }
}
