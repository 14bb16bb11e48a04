//! The order in which events arrive: that of their times, except for a bounded delay of each.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::generator::{Generator, Table};
use dualgauge_engine::{Duration, EventTime};

/// The numbers of a table's events in the order of their arrival. See [`Generator::arrivals`].
///
/// Each event arrives up to `disorder` after it happened. So whatever arrived before it happened at most `disorder`
/// later: `disorder(d)` with the same bound finds nothing late.
#[derive(Clone, Debug)]
pub struct Arrivals {
    generator: Generator,
    table: Table,
    rows: Range<u64>,
    disorder: Duration,
    /// Events that have happened and are on their way, by the time they arrive.
    coming: BinaryHeap<Reverse<(EventTime, u64)>>,
}

impl Arrivals {
    pub(crate) fn new(generator: Generator, table: Table, rows: Range<u64>, disorder: Duration) -> Arrivals {
        Arrivals { generator, table, rows, disorder, coming: BinaryHeap::new() }
    }
}

impl Iterator for Arrivals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if !self.disorder.is_positive() {
            return self.rows.next().map(|row| self.table.event(row));
        }
        while !self.rows.is_empty() {
            let number = self.table.event(self.rows.start);
            let happens = self.generator.time(number);
            // What has not happened yet cannot arrive before this; at the same instant the smaller number comes first.
            if self.coming.peek().is_some_and(|Reverse((arrives, _))| *arrives <= happens) {
                break;
            }
            self.coming.push(Reverse((happens + self.generator.delay(number, self.disorder), number)));
            self.rows.start += 1;
        }
        self.coming.pop().map(|Reverse((_, number))| number)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.rows.end - self.rows.start) as usize + self.coming.len();
        (left, Some(left))
    }
}

impl ExactSizeIterator for Arrivals {}
