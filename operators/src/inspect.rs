//! A look at the events as they pass.

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Event, Stream};

/// Adds [`Inspect::inspect`] to streams.
pub trait Inspect<'s, D: Data> {
    /// in: `D`; out: the same, after `look` has seen it.
    ///
    /// Remembers nothing, and nothing is late for it. What `look` does must not affect the answer: after a crash it may
    /// see an event again.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicI64, Ordering};
    ///
    /// use dualgauge_engine::testing::run;
    /// use dualgauge_operators::{Inspect, Map};
    ///
    /// static SUM: AtomicI64 = AtomicI64::new(0);
    /// let (workers, epoch_rows, schedule) = (1, 100, None);
    /// let lines = run(
    ///     "a:1@5 b:2@7",
    ///     |items| {
    ///         let seen = items.inspect(|event| _ = SUM.fetch_add(event.data.value, Ordering::Relaxed));
    ///         seen.map(|item| item.key)
    ///     },
    ///     workers,
    ///     epoch_rows,
    ///     schedule,
    /// );
    /// assert_eq!(lines, ["5 a", "7 b"]);
    /// assert_eq!(SUM.load(Ordering::Relaxed), 3);
    /// ```
    #[doc(alias = "peek")]
    #[track_caller]
    fn inspect(self, look: impl Fn(&Event<D>) + 'static) -> Stream<'s, D>;
}

impl<'s, D: Data, L: 'static> Inspect<'s, D> for Stream<'s, D, L> {
    #[track_caller]
    fn inspect(self, look: impl Fn(&Event<D>) + 'static) -> Stream<'s, D> {
        self.transform(NodeSpec::stateless("inspect").passes_rows(), move |batch| {
            batch.events.iter().for_each(&look);
            batch
        })
    }
}
