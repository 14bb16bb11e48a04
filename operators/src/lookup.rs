//! A stream joined to rows without a time: a table that is read when the job starts, or a list that the program has.
//!
//! The rows are bounded and have no time: every event meets all of them, whenever it happened. So nothing waits,
//! nothing is remembered, no event moves to another worker, and none is late. That holds because the rows are the same
//! in every process and after a restart: the engine ensures it for a table, and a list is part of the program.

use std::sync::Arc;

use dualgauge_engine::flow::{NodeSpec, Table};
use dualgauge_engine::{Batch, Data, Event, Key, Stream};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::join::has_null;

/// Adds [`Lookup::lookup`] to streams.
pub trait Lookup<'s, D: Data, L> {
    /// in: `D`; out, after [`inner`](LookedUp::inner) or [`left`](LookedUp::left): what is made of each event and the
    /// rows with the same key, at the event's time.
    ///
    /// If several rows share a key, an event meets each of them. A key with a null in it matches nothing. Each worker
    /// holds an index of the rows; it remembers nothing of the events, and nothing is late for it.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::Lookup;
    ///
    /// check(
    ///     "a:1@5 b:2@6 c:3@7",
    ///     |items| {
    ///         let names = vec![("a", "apple"), ("b", "banana"), ("b", "blueberry")];
    ///         let named = items.lookup(names, |item| item.key.clone(), |(key, _)| key.to_string());
    ///         named.inner(|item, (_, name)| format!("{} {name}", item.value))
    ///     },
    ///     "5 1 apple
    ///      6 2 banana
    ///      6 2 blueberry",
    /// );
    /// ```
    #[doc(alias = "enrich")]
    #[doc(alias = "GlobalKTable")]
    #[doc(alias = "side input")]
    #[doc(alias = "lookup join")]
    fn lookup<R: 'static, K, F, G>(
        self,
        rows: impl Into<Table<R>>,
        key: F,     // of an event
        row_key: G, // of a row
    ) -> LookedUp<'s, D, L, R, F, G>
    where
        K: Key,
        F: Fn(&D) -> K + 'static,
        G: Fn(&R) -> K + 'static;
}

/// A stream and the rows to join its events with: `inner` or `left` follows.
pub struct LookedUp<'s, D: Data, L, R, F, G> {
    stream: Stream<'s, D, L>,
    table: Table<R>,
    key: F,
    row_key: G,
}

impl<'s, D: Data, L: 'static> Lookup<'s, D, L> for Stream<'s, D, L> {
    fn lookup<R: 'static, K, F, G>(self, rows: impl Into<Table<R>>, key: F, row_key: G) -> LookedUp<'s, D, L, R, F, G>
    where
        K: Key,
        F: Fn(&D) -> K + 'static,
        G: Fn(&R) -> K + 'static,
    {
        LookedUp { stream: self, table: rows.into(), key, row_key }
    }
}

impl<'s, D: Data, L: 'static, R: 'static, K: Key, F, G> LookedUp<'s, D, L, R, F, G>
where
    F: Fn(&D) -> K + 'static,
    G: Fn(&R) -> K + 'static,
{
    /// Emits what `each` makes of every event with every row of its key; an event without a row is dropped.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::Lookup;
    ///
    /// check(
    ///     "a:1@5 b:2@6",
    ///     |items| {
    ///         let rates = items.lookup([("b", 10)], |item| item.key.clone(), |(key, _)| key.to_string());
    ///         rates.inner(|item, (_, rate)| format!("{}", item.value * rate))
    ///     },
    ///     "6 20",
    /// );
    /// ```
    #[track_caller]
    pub fn inner<O: Data>(self, each: impl Fn(&D, &R) -> O + 'static) -> Stream<'s, O> {
        self.meet("inner", move |event, rows, found, out| {
            out.extend(found.iter().map(|at| Event::new(event.time, each(&event.data, &rows[*at]))));
        })
    }

    /// Emits what `each` makes of every event with every row of its key, or with `None` where there is no such row.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::Lookup;
    ///
    /// check(
    ///     "a:1@5 b:2@6",
    ///     |items| {
    ///         let rates = items.lookup([("b", 10)], |item| item.key.clone(), |(key, _)| key.to_string());
    ///         rates.left(|item, rate| format!("{} at {:?}", item.value, rate.map(|(_, rate)| rate)))
    ///     },
    ///     "5 1 at None
    ///      6 2 at Some(10)",
    /// );
    /// ```
    #[track_caller]
    pub fn left<O: Data>(self, each: impl Fn(&D, Option<&R>) -> O + 'static) -> Stream<'s, O> {
        self.meet("left", move |event, rows, found, out| match found {
            [] => out.push(Event::new(event.time, each(&event.data, None))),
            found => out.extend(found.iter().map(|at| Event::new(event.time, each(&event.data, Some(&rows[*at]))))),
        })
    }

    /// Hands `each` the events, with the indices of the rows that have their keys.
    #[track_caller]
    fn meet<O: Data>(
        self,
        join: &'static str,
        each: impl Fn(Event<D>, &[R], &[usize], &mut Vec<Event<O>>) + 'static,
    ) -> Stream<'s, O> {
        let LookedUp { stream, table, key, row_key } = self;
        let spec = NodeSpec::stateless("lookup").detail(format!("{join}, {table}"));
        let rows = Arc::clone(table.rows());
        let mut index = None; // made when the first events come: not for a graph that is only listed
        stream.transform(spec, move |batch: Batch<D>| {
            let index = index.get_or_insert_with(|| index_of(&rows, &row_key));
            batch.transform(|event, out| {
                let found = index.get(&key(&event.data)).map_or(&[][..], Vec::as_slice);
                each(event, &rows, found, out);
            })
        })
    }
}

/// The indices of the rows of each key. A key that never matches is left out, so that no event finds it.
fn index_of<R, K: Key>(rows: &[R], row_key: impl Fn(&R) -> K) -> HashMap<K, Vec<usize>, FixedState> {
    let mut index = HashMap::<K, Vec<usize>, FixedState>::default();
    for (at, row) in rows.iter().enumerate() {
        let key = row_key(row);
        if !has_null(&key) {
            index.entry(key).or_default().push(at);
        }
    }
    index
}
