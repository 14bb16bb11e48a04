//! The first few records of each key and window by an order that the user gives, one row per place.
//!
//! in: `D`; out: a [`Ranked`] for each place that is taken, when the window fires. It is the aggregate
//! [`top_k`](crate::aggregate::top_k) and nothing more: what it remembers, what is late, how it fires again and how it
//! is combined before the exchange are those of `aggregate`.

use std::cmp::Ordering;

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Event, EventTime, Key, Stream};
use serde::{Deserialize, Serialize};

use super::kind::Window;
use super::windowed::{AggregateAs, Windowed};
use crate::aggregate::{Orderable, Places, Ties, top_places};

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
    /// The greatest has rank 1; among equals, the greater record is first, and a record that came twice has two places.
    /// Where a window has fewer than `n` records, all of them come out. For the least instead of the greatest, order by
    /// [`Reverse`](std::cmp::Reverse). [`places`](crate::aggregate::places) instead of the number lets equals share a
    /// place, `places(3).rank()` or `.dense_rank()`, and leaves out the first ones, `places(3).from(2)`.
    ///
    /// It remembers `n` records per key and open window, and with shared places also all that share the last one.
    /// Records are late as for `aggregate`; they leave by `late()`.
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
    #[doc(alias = "row_number")]
    #[doc(alias = "Top.perKey")]
    #[track_caller]
    pub fn top_n<V, By>(
        self,
        name: &str,
        n: impl Into<Places>,
        by: impl Fn(&D) -> V + Clone + 'static,
    ) -> Stream<'s, Ranked<K, D>, D>
    where
        V: Orderable<By>,
        By: 'static,
    {
        let places: Places = n.into();
        let tops = self.aggregate_as("top_n", name, top_places(places, by.clone()));
        let spec = NodeSpec::stateless("ranks");
        let spec = if places.from == 1 { spec } else { spec.detail(format!("from {}", places.from)) };
        tops.transform_results(spec, move |batch| {
            batch.transform(|event, out| {
                let (pane, mut before) = (event.data, (0, None));
                for (number, value) in (1..).zip(pane.value) {
                    let rank = rank_of(places.ties, number, &mut before, || by(&value));
                    if rank >= places.from as u64 {
                        let row = Ranked { key: pane.key.clone(), window: pane.window, rank, value };
                        out.push(Event::new(event.time, row));
                    }
                }
            })
        })
    }
}

/// The rank of the `number`th record, after the one whose rank and value are `before`, which it then replaces.
fn rank_of<V: Orderable<By>, By>(
    ties: Ties,
    number: u64,
    before: &mut (u64, Option<V>),
    value: impl FnOnce() -> V,
) -> u64 {
    if ties == Ties::Apart {
        return number;
    }
    let value = value();
    let tied = before.1.as_ref().is_some_and(|before| before.order(&value) == Ordering::Equal);
    *before = (ties.place(number, before.0, tied), Some(value));
    before.0
}
