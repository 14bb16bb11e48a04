//! The first few records of each key and window by an order that the user gives, one row for each place.
//!
//! in: `D`; out: a [`Ranked`] for each place that is taken, when the window fires. It is the aggregate
//! [`top_k`](crate::aggregate::top_k) and nothing besides: what it remembers, what is late, how it fires again and how it
//! is combined before the exchange are those of `aggregate`.

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Event, EventTime, Key, Stream};
use serde::{Deserialize, Serialize};

use super::kind::Window;
use super::windowed::{AggregateAs, Windowed};
use crate::aggregate::{Orderable, top_k};

/// A record, and the place it has among those of its key and window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ranked<K, D> {
    /// The key.
    pub key: K,
    /// The window.
    pub window: Window,
    /// Its place, from 1.
    pub rank: u64,
    /// The record.
    pub value: D,
}

impl<K, D> Ranked<K, D> {
    /// The event time of the result: the window's last instant.
    pub fn time(&self) -> EventTime {
        self.window.last_instant()
    }
}

impl<'s, K: Key, D: Data + Ord, L, F, W> Windowed<'s, K, D, L, F, W>
where
    Self: AggregateAs<'s, K, D>,
{
    /// in: `D` by key and window; out: the `n` records with the greatest `by(&D)`, a [`Ranked`] for each.
    ///
    /// The greatest has rank 1; among equals, the greater record is first, and a record that was there twice has two
    /// places. Where a window has fewer than `n` records, all of them come out. For the least instead of the greatest,
    /// order by [`Reverse`](std::cmp::Reverse). It remembers `n` records per key and open window, and records are late as for
    /// `aggregate`; they leave by `late()`.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::window::{InWindow, tumbling};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "a:3@1 a:9@2 b:5@3 a:7@4 | a:1@12",
    ///     |items| {
    ///         let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    ///         let highest = windows.top_n("highest", 2, |item| item.value);
    ///         highest.map(|row| format!("{} #{}: {}", row.key, row.rank, row.value.value))
    ///     },
    ///     "9.999999 a #1: 9
    ///      9.999999 a #2: 7
    ///      9.999999 b #1: 5
    ///      19.999999 a #1: 1",
    /// );
    /// ```
    ///
    /// # Panics
    /// When `n` is zero.
    #[track_caller]
    pub fn top_n<V, By>(
        self,
        name: &str,
        n: usize,
        by: impl Fn(&D) -> V + Clone + 'static,
    ) -> Stream<'s, Ranked<K, D>, D>
    where
        V: Orderable<By>,
        By: 'static,
    {
        assert!(n > 0, "the first 0 records of each window are none; how many should it be?");
        let tops = self.aggregate_as("top_n", name, top_k(n, by));
        tops.transform_results(NodeSpec::stateless("ranks"), |batch| {
            batch.transform(|event, out| {
                let pane = event.data;
                let ranked = (1..).zip(pane.value).map(|(rank, value)| {
                    let row = Ranked { key: pane.key.clone(), window: pane.window, rank, value };
                    Event::new(event.time, row)
                });
                out.extend(ranked);
            })
        })
    }
}
