//! A look at the events as they pass.

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Event, Stream};

/// Adds [`Inspect::inspect`] to streams.
pub trait Inspect<'s, D: Data> {
    /// in: `D`; out: the same, after `look` has seen it.
    ///
    /// Remembers nothing. What `look` does must not matter to the answer: after a crash it may see an event again.
    #[track_caller]
    fn inspect(self, look: impl Fn(&Event<D>) + 'static) -> Stream<'s, D>;
}

impl<'s, D: Data, L: 'static> Inspect<'s, D> for Stream<'s, D, L> {
    #[track_caller]
    fn inspect(self, look: impl Fn(&Event<D>) + 'static) -> Stream<'s, D> {
        self.transform(NodeSpec::stateless("inspect"), move |batch| {
            batch.events.iter().for_each(&look);
            batch
        })
    }
}
