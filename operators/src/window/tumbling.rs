//! Windows where each event belongs to exactly one: tumbling, the whole of time as the one that never ends, and those
//! of the [calendar](super::calendar).
//!
//! in: `D`; out: [`Pane`] of key, window and aggregate, when the watermark passes the window's end. It remembers an
//! accumulator per key and open window, until the watermark passes the end by the allowed lateness. A record is late when
//! its window was closed to it by the watermark it came under; it leaves by `late()` and is counted.

use dualgauge_engine::flow::Emitter;
use dualgauge_engine::{Data, EventTime, Key, Stream};

use super::aligned::{Assign, Fire, aligned};
use super::fire::Firing;
use super::kind::{Tumbling, Whole, Window};
use super::panes::Panes;
use super::windowed::{AggregateAs, Pane, Windowed};
use crate::aggregate::Aggregate;
use crate::key_fn::KeyFn;

impl<'s, K: Key, D: Data, L: 'static, F, W> AggregateAs<'s, K, D> for Windowed<'s, K, D, L, F, W>
where
    F: KeyFn<D, Key = K>,
    W: SingleWindow,
{
    /// Aggregates each key in each window, or over all of time, under the step's durable name; the whole of time fires
    /// when the input ends.
    ///
    /// A result's event time is its window's last instant. Windows without events have no result.
    ///
    /// ```
    /// use dualgauge_engine::testing::{Item, check};
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::aggregate::{count, sum};
    /// use dualgauge_operators::window::{InWindow, tumbling};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "a:1@5 a:2@9 b:4@7 | a:8@25",
    ///     |items| {
    ///         let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    ///         let panes = windows.aggregate("bids", (count(), sum(|item: &Item| item.value)));
    ///         panes.map(|pane| format!("{} {:?}", pane.key, pane.value))
    ///     },
    ///     "9.999999 a (2, 3)
    ///      9.999999 b (1, 4)
    ///      29.999999 a (1, 8)",
    /// );
    /// ```
    ///
    /// ```
    /// use dualgauge_engine::testing::{Item, check};
    /// use dualgauge_operators::aggregate::{first, last};
    /// use dualgauge_operators::window::{InWindow, whole};
    /// use dualgauge_operators::{KeyBy, Map};
    ///
    /// check(
    ///     "a:1@5 b:2@6 | a:3@4",
    ///     |items| {
    ///         let ends = items.key_by(|item| item.key.clone()).window(whole()).aggregate("ends", (first(), last()));
    ///         let value = |item: Option<Item>| item.unwrap().value;
    ///         ends.map(move |pane| format!("{} {} {}", pane.key, value(pane.value.0), value(pane.value.1)))
    ///     },
    ///     "9223372036854.775806 a 3 1
    ///      9223372036854.775806 b 2 2",
    /// );
    /// ```
    ///
    /// ```
    /// use dualgauge_engine::testing::check;
    /// use dualgauge_operators::aggregate::count;
    /// use dualgauge_operators::window::{InWindow, Rows, days_in};
    /// use dualgauge_operators::KeyBy;
    ///
    /// // The first of January 1970 began in Tokyo nine hours before it did in UTC.
    /// check(
    ///     "a:1@0 a:1@53999 a:1@54000",
    ///     |items| {
    ///         let days = items.key_by(|item| item.key.clone()).window(days_in("Asia/Tokyo"));
    ///         days.aggregate("count", count()).rows(|key, day, count| format!("{key} {} {count}", day.start))
    ///     },
    ///     "53999.999999 a 1969-12-31T15:00:00Z 2
    ///      140399.999999 a 1970-01-01T15:00:00Z 1",
    /// );
    /// ```
    #[track_caller]
    fn aggregate_as<A: Aggregate<D>>(
        self,
        operator: &'static str,
        name: &str,
        aggregate: A,
    ) -> Stream<'s, Pane<K, A::Out>, D> {
        let any = self.window.window_of(EventTime::default());
        let (size, spec) = (any.end - any.start, self.spec(operator, name, &aggregate));
        if let Some(fault) = self.window.fault() {
            self.keyed.stream.flow().refuse(&spec, &fault);
        }
        let spec = spec.windows(size + self.lateness, size);
        let firing = Firing::new(name, self.lateness, self.early);
        let single = Single { window: self.window.clone(), firing: firing.clone() };
        let finish = {
            let aggregate = aggregate.clone();
            move |acc: &A::Acc| aggregate.finish(acc)
        };
        aligned(self, spec, &firing, aggregate, single.clone(), FireSingle { single, finish })
    }
}

/// A kind of window where each event belongs to exactly one.
pub(crate) trait SingleWindow: Clone + std::fmt::Display + 'static {
    fn window_of(&self, time: EventTime) -> Window;

    /// Why such windows are impossible, if they are; the graph is refused with this.
    fn fault(&self) -> Option<String> {
        None
    }
}

impl SingleWindow for Tumbling {
    #[inline]
    fn window_of(&self, time: EventTime) -> Window {
        Tumbling::window_of(self, time)
    }
}

impl SingleWindow for Whole {
    #[inline]
    fn window_of(&self, _: EventTime) -> Window {
        Window { start: EventTime::MIN, end: EventTime::MAX }
    }
}

/// Where the records of single windows go.
#[derive(Clone)]
pub(crate) struct Single<W> {
    pub(crate) window: W,
    pub(crate) firing: Firing,
}

impl<W: SingleWindow> Assign for Single<W> {
    /// The start of the window.
    type Place = EventTime;

    #[inline]
    fn place(&self, time: EventTime, watermark: EventTime) -> Option<EventTime> {
        let window = self.window.window_of(time);
        (!self.firing.is_closed(window, watermark)).then_some(window.start)
    }

    #[inline]
    fn span(&self, time: EventTime) -> Window {
        self.window.window_of(time)
    }

    fn first_end(&self, start: EventTime) -> EventTime {
        self.window.window_of(start).end
    }
}

#[derive(Clone)]
struct FireSingle<W, F> {
    single: Single<W>,
    finish: F,
}

impl<K: Key, Acc: 'static, O: 'static, W, F> Fire<EventTime, K, Acc, O> for FireSingle<W, F>
where
    W: SingleWindow,
    F: Fn(&Acc) -> O + 'static,
{
    fn fire(
        &mut self,
        panes: &mut Panes<EventTime, K, Acc>,
        before: EventTime,
        now: EventTime,
        out: &mut Emitter<Pane<K, O>>,
    ) {
        let Single { window, firing } = &self.single;
        if firing.corrects() {
            for start in panes.changed() {
                let window = window.window_of(start);
                if firing.is_due(window, before, now) {
                    panes.drain_changed(start, |key, acc| firing.emit(out, key, window, (self.finish)(acc)));
                }
            }
        }
        while let Some(window) = panes.first().map(|start| window.window_of(start)) {
            if !firing.is_closed(window, now) {
                break;
            }
            panes.drain_first(|key, acc| {
                if !firing.corrects() {
                    firing.emit(out, key, window, (self.finish)(&acc));
                }
            });
        }
    }

    fn holds(&self, panes: &Panes<EventTime, K, Acc>) -> Option<EventTime> {
        panes.first().map(|start| self.single.window.window_of(start).last_instant())
    }
}
