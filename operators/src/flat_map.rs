//! One event in, any number out.

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Event, Stream};

/// Adds [`FlatMap::flat_map`] to streams.
pub trait FlatMap<'s, D: Data> {
    /// in: `D`; out: each item of `each(D)`, at the same event time.
    ///
    /// Remembers nothing, and nothing is late for it. On a stream whose results may still be corrected, a correction
    /// replaces everything made from the earlier result.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::FlatMap;
    ///
    /// check(
    ///     "a:2@5 b:0@6 c:1@7",
    ///     |items| items.flat_map(|item| (0..item.value).map(move |n| format!("{}{n}", item.key))),
    ///     "5 a0
    ///      5 a1
    ///      7 c0",
    /// );
    /// ```
    #[doc(alias = "flatMapValues")]
    #[doc(alias = "FlatMapElements")]
    #[track_caller]
    fn flat_map<I>(self, each: impl Fn(D) -> I + 'static) -> Stream<'s, I::Item>
    where
        I: IntoIterator<Item: Data>;
}

impl<'s, D: Data, L: 'static> FlatMap<'s, D> for Stream<'s, D, L> {
    #[track_caller]
    fn flat_map<I>(self, each: impl Fn(D) -> I + 'static) -> Stream<'s, I::Item>
    where
        I: IntoIterator<Item: Data>,
    {
        self.transform(NodeSpec::stateless("flat_map"), move |batch| {
            batch.transform(|event, out| {
                out.extend(each(event.data).into_iter().map(|data| Event::new(event.time, data)))
            })
        })
    }
}
