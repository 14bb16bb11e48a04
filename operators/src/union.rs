//! Two streams of the same type as one.

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Stream};

/// Adds [`Union::union`] to streams.
pub trait Union<'s, D: Data> {
    /// in: two streams of `D`; out: the events of both. Its watermark is the lesser of the two.
    ///
    /// Remembers nothing, and nothing is late for it.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::{Map, Union};
    ///
    /// check(
    ///     "a:1@5 b:2@7",
    ///     |items| {
    ///         let keys = items.clone().map(|item| item.key);
    ///         keys.union(items.map(|item| item.value.to_string()))
    ///     },
    ///     "5 1
    ///      5 a
    ///      7 2
    ///      7 b",
    /// );
    /// ```
    #[doc(alias = "merge")]
    #[doc(alias = "concatenate")]
    #[doc(alias = "Flatten")]
    #[track_caller]
    fn union<M: 'static>(self, other: Stream<'s, D, M>) -> Stream<'s, D>;
}

impl<'s, D: Data, L: 'static> Union<'s, D> for Stream<'s, D, L> {
    #[track_caller]
    fn union<M: 'static>(self, other: Stream<'s, D, M>) -> Stream<'s, D> {
        self.concat(NodeSpec::stateless("union").passes_rows(), other)
    }
}
