//! One stream as two of different types.

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Event, Stream};
use serde::{Deserialize, Serialize};

/// Which of two streams an event goes to, or came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Either<A, B> {
    /// The first.
    Left(A),
    /// The second.
    Right(B),
}

/// Adds [`Split::split`] to streams.
pub trait Split<'s, D: Data> {
    /// in: `D`; out: two streams, each event on the one that `side` names, at the same event time.
    ///
    /// Remembers nothing, and nothing is late for it. For more than two, split again.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::{Either, Map, Split, Union};
    ///
    /// check(
    ///     "a:1@5 b:-2@6 c:3@7",
    ///     |items| {
    ///         let (gains, losses) = items.split(|item| match item.value {
    ///             0.. => Either::Left(item.key),
    ///             loss => Either::Right(-loss),
    ///         });
    ///         gains.map(|key| format!("{key} gains")).union(losses.map(|loss| format!("a loss of {loss}")))
    ///     },
    ///     "5 a gains
    ///      6 a loss of 2
    ///      7 c gains",
    /// );
    /// ```
    #[doc(alias = "branch")]
    #[doc(alias = "side output")]
    #[doc(alias = "ok_err")]
    #[track_caller]
    fn split<A: Data, B: Data>(self, side: impl Fn(D) -> Either<A, B> + 'static) -> (Stream<'s, A>, Stream<'s, B>);
}

impl<'s, D: Data, L: 'static> Split<'s, D> for Stream<'s, D, L> {
    #[track_caller]
    fn split<A: Data, B: Data>(self, side: impl Fn(D) -> Either<A, B> + 'static) -> (Stream<'s, A>, Stream<'s, B>) {
        self.transform_two(NodeSpec::stateless("split").passes_rows(), move |batch| {
            let sided = batch.transform(|event, out| out.push(Event::new(event.time, side(event.data))));
            sided.unzip(|either| match either {
                Either::Left(a) => Ok(a),
                Either::Right(b) => Err(b),
            })
        })
    }
}
