//! The events that pass, as they are.

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Stream};

/// Adds [`Filter::filter`] to streams.
pub trait Filter<'s, D: Data> {
    /// in: `D`; out: those for which `passes` is true.
    ///
    /// Remembers nothing, and nothing is late for it. On a stream whose results may still be corrected, a result that no
    /// longer passes is retracted.
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::{Filter, Map};
    ///
    /// check(
    ///     "a:1@5 b:-2@6 c:3@7",
    ///     |items| items.filter(|item| item.value > 0).map(|item| item.key),
    ///     "5 a
    ///      7 c",
    /// );
    /// ```
    #[doc(alias = "where")]
    #[track_caller]
    fn filter(self, passes: impl Fn(&D) -> bool + 'static) -> Stream<'s, D>;
}

impl<'s, D: Data, L: 'static> Filter<'s, D> for Stream<'s, D, L> {
    #[track_caller]
    fn filter(self, passes: impl Fn(&D) -> bool + 'static) -> Stream<'s, D> {
        self.transform(NodeSpec::stateless("filter").passes_rows(), move |batch| {
            batch.transform(|event, out| {
                if passes(&event.data) {
                    out.push(event);
                }
            })
        })
    }
}
