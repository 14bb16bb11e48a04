//! One event in, one or none out.

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Event, Stream};

/// Adds [`FilterMap::filter_map`] to streams.
pub trait FilterMap<'s, D: Data> {
    /// in: `D`; out: what `each(D)` makes of it, at the same event time, if anything.
    ///
    /// Remembers nothing, and nothing is late for it. On a stream whose results may still be corrected, a result that
    /// becomes nothing is retracted.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::FilterMap;
    ///
    /// check(
    ///     "a:1@5 b:300@6 c:3@7",
    ///     |items| items.filter_map(|item| u8::try_from(item.value).ok().map(|byte| format!("{byte:02x}"))),
    ///     "5 01
    ///      7 03",
    /// );
    /// ```
    #[track_caller]
    fn filter_map<R: Data>(self, each: impl Fn(D) -> Option<R> + 'static) -> Stream<'s, R>;
}

impl<'s, D: Data, L: 'static> FilterMap<'s, D> for Stream<'s, D, L> {
    #[track_caller]
    fn filter_map<R: Data>(self, each: impl Fn(D) -> Option<R> + 'static) -> Stream<'s, R> {
        self.transform(NodeSpec::stateless("filter_map"), move |batch| {
            batch.transform(|event, out| out.extend(each(event.data).map(|data| Event::new(event.time, data))))
        })
    }
}
