//! One event in, one event out.

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Event, Stream};

/// Adds [`Map::map`] to streams.
pub trait Map<'s, D: Data> {
    /// in: `D`; out: `each(D)`, at the same event time.
    ///
    /// Remembers nothing, and nothing is late for it.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::Map;
    ///
    /// check(
    ///     "a:1@5 b:2@7",
    ///     |items| items.map(|item| format!("{}{}", item.key, 10 * item.value)),
    ///     "5 a10
    ///      7 b20",
    /// );
    /// ```
    #[doc(alias = "mapValues")]
    #[doc(alias = "ParDo")]
    #[doc(alias = "select")]
    #[track_caller]
    fn map<R: Data>(self, each: impl Fn(D) -> R + 'static) -> Stream<'s, R>;
}

impl<'s, D: Data, L: 'static> Map<'s, D> for Stream<'s, D, L> {
    #[track_caller]
    fn map<R: Data>(self, each: impl Fn(D) -> R + 'static) -> Stream<'s, R> {
        self.transform(NodeSpec::stateless("map"), move |batch| {
            batch.transform(|event, out| out.push(Event::new(event.time, each(event.data))))
        })
    }
}
