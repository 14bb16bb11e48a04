//! State and timers per key, as the program likes.
//!
//! in: `D` by key; out: whatever [`Process`] emits, at the event time of what it was emitted for. It remembers the
//! state of each key until the program forgets it, its timers until they fire, and events until the watermark passes
//! them: each key sees its events in event-time order, ties broken by comparing the records, whatever the order of
//! arrival. A record is late when its time, plus the allowed lateness, is below the watermark it came under.

use dualgauge_engine::flow::{Emitter, NodeSpec, Outputs, Step};
use dualgauge_engine::state::{Parts, Queue, Table};
use dualgauge_engine::{Batch, Data, Duration, Event, EventTime, Key, Stream};

use super::timers::Timers;
use crate::key_by::KeyedStream;
use crate::key_fn::KeyFn;

/// What can be remembered of a key. Expands to `Data + Default`; every such type has it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the state of a key",
    label = "state is stored, and of a key that was never seen it is the default",
    note = "give it `#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]`; there is no `Rc` and no reference in it"
)]
pub trait KeyState: Data + Default {}

impl<T: Data + Default> KeyState for T {}

/// What is done with the events of a key.
///
/// - **Pure.** What is emitted depends on the key, the state, the event or timer, and nothing else.
/// - **In order.** `on_event` is called by ascending event time, and before `on_timer` of the same time.
pub trait Process<K, D>: 'static {
    /// What is remembered per key; a key that was never seen has the default. It must be a [`KeyState`], as
    /// [`ProcessWith::process`] requires.
    type State;
    /// What is emitted.
    type Out: Data;

    /// An event of `key`.
    fn on_event(&mut self, key: &K, data: D, state: &mut Self::State, context: &mut ProcessContext<'_, K, Self::Out>);

    /// A timer that was set for `key` fires.
    fn on_timer(&mut self, _key: &K, _state: &mut Self::State, _context: &mut ProcessContext<'_, K, Self::Out>) {}
}

/// What a [`Process`] may do besides changing the state it was handed.
pub struct ProcessContext<'a, K, O> {
    time: EventTime,
    key: &'a K,
    out: &'a mut Emitter<O>,
    timers: &'a mut Timers<K>,
    forget: bool,
}

impl<K: Key, O: Data> ProcessContext<'_, K, O> {
    /// The event time of the event or timer.
    pub fn time(&self) -> EventTime {
        self.time
    }

    /// Emits a result at [`ProcessContext::time`].
    pub fn emit(&mut self, data: O) {
        self.out.give(self.time, data);
    }

    /// Sets a timer for this key. It fires when the watermark passes `time`; one in the past fires next, at the current
    /// event time, and one beyond the end of time at the last instant there is. Setting it twice sets it once.
    #[doc(alias = "registerEventTimeTimer")]
    #[doc(alias = "punctuate")]
    pub fn set_timer(&mut self, time: EventTime) {
        self.timers.set(time.max(self.time).min(EventTime::LAST), self.key.clone());
    }

    /// Cancels the timer for `time`, if one was set.
    pub fn cancel_timer(&mut self, time: EventTime) {
        self.timers.cancel(time.min(EventTime::LAST), self.key.clone());
    }

    /// Forgets the state of this key when the call returns. Its timers stay.
    pub fn forget(&mut self) {
        self.forget = true;
    }
}

/// Adds [`ProcessWith::process`] to keyed streams.
pub trait ProcessWith<'s, K, D: Data> {
    /// in: `D` by key; out: what `process` emits, at the event time of what it was emitted for.
    ///
    /// Runs `process` over the events of each key in event-time order, under the step's durable name. Remembers the state
    /// of each key until it is forgotten, its timers until they fire, and events until the watermark passes them. A record
    /// is late when its time, plus the allowed lateness, is below the watermark it came under; it leaves by `late()`.
    ///
    /// At the end of input every timer fires, including those that are set then: one that always sets another would
    /// never let a bounded job end, so a panic stops it.
    ///
    /// ```
    /// use dualgauge_engine::testing::{Item, check};
    /// use dualgauge_engine::Durations;
    /// use dualgauge_operators::keyed::{ProcessContext, Process, ProcessWith};
    /// use dualgauge_operators::KeyBy;
    ///
    /// /// Says when a key has been silent for ten seconds.
    /// struct Silent;
    ///
    /// impl Process<String, Item> for Silent {
    ///     type State = u64;
    ///     type Out = String;
    ///
    ///     fn on_event(&mut self, _: &String, _: Item, events: &mut u64, context: &mut ProcessContext<'_, String, String>) {
    ///         *events += 1;
    ///         context.set_timer(context.time() + 10.seconds());
    ///     }
    ///
    ///     fn on_timer(&mut self, key: &String, events: &mut u64, context: &mut ProcessContext<'_, String, String>) {
    ///         *events -= 1;
    ///         if *events == 0 {
    ///             context.emit(format!("{key} is silent"));
    ///             context.forget();
    ///         }
    ///     }
    /// }
    ///
    /// check(
    ///     "a:1@5 b:1@6 a:1@12 a:1@30",
    ///     |items| items.key_by(|item| item.key.clone()).process("silent", Silent),
    ///     "16 b is silent
    ///      22 a is silent
    ///      40 a is silent",
    /// );
    /// ```
    #[doc(alias = "KeyedProcessFunction")]
    #[doc(alias = "Processor")]
    #[doc(alias = "stateful DoFn")]
    #[doc(alias = "stateful_flat_map")]
    #[track_caller]
    fn process<P: Process<K, D, State: KeyState>>(self, name: &str, process: P) -> Stream<'s, P::Out, D>
    where
        D: Ord;
}

impl<'s, K: Key, D: Data, L: 'static, F: KeyFn<D, Key = K>> ProcessWith<'s, K, D> for KeyedStream<'s, D, L, F> {
    #[track_caller]
    fn process<P: Process<K, D, State: KeyState>>(self, name: &str, process: P) -> Stream<'s, P::Out, D>
    where
        D: Ord,
    {
        ordered(self, NodeSpec::stateful("process", name), process)
    }
}

/// Adds the step that runs `process` over a keyed stream.
pub(super) fn ordered<'s, K: Key, D: Data + Ord, L: 'static, F, P: Process<K, D, State: KeyState>>(
    keyed: KeyedStream<'s, D, L, F>,
    spec: NodeSpec,
    process: P,
) -> Stream<'s, P::Out, D>
where
    F: KeyFn<D, Key = K>,
{
    let lateness = keyed.lateness;
    let spec = if lateness.is_positive() { spec.detail(format!("lateness {lateness}")) } else { spec };
    ordered_step(keyed, spec, process)
}

/// Adds an ordered step whose spec states all its settings.
pub(crate) fn ordered_step<'s, K: Key, D: Data + Ord, L: 'static, F, P: Process<K, D, State: KeyState>>(
    keyed: KeyedStream<'s, D, L, F>,
    spec: NodeSpec,
    process: P,
) -> Stream<'s, P::Out, D>
where
    F: KeyFn<D, Key = K>,
{
    let KeyedStream { stream, key, lateness, as_arrives } = keyed;
    let spec = if as_arrives { spec.timing_dependent() } else { spec };
    let step = KeyedProcess::new(process, key.clone(), lateness, as_arrives);
    stream.step(spec, move |data| key.group(data), step)
}

/// How many timers may fire after the end of input, before it is clear that they never end.
const TIMERS_AFTER_END: u64 = 10_000_000;

pub(super) struct KeyedProcess<K, D, F, P: Process<K, D>> {
    process: P,
    key: F,
    lateness: Duration,
    as_arrives: bool,
    /// Events that the watermark has not passed.
    waiting: Queue<D>,
    states: Table<K, P::State>,
    timers: Timers<K>,
}

impl<K: Key, D: Data + Ord, F: KeyFn<D, Key = K>, P: Process<K, D, State: KeyState>> KeyedProcess<K, D, F, P> {
    pub(super) fn new(process: P, key: F, lateness: Duration, as_arrives: bool) -> Self {
        let group = key.clone();
        KeyedProcess {
            process,
            key,
            lateness,
            as_arrives,
            waiting: Queue::new(move |data| group.group(data)),
            states: Table::new(),
            timers: Timers::new(),
        }
    }

    fn on_event(&mut self, event: Event<D>, out: &mut Emitter<P::Out>) {
        let key = self.key.key(&event.data);
        let process = &mut self.process;
        let state = self.states.change_ref(&key, P::State::default);
        let mut context = ProcessContext { time: event.time, key: &key, out, timers: &mut self.timers, forget: false };
        process.on_event(&key, event.data, state, &mut context);
        if context.forget {
            self.states.remove(&key);
        }
    }

    fn on_timer(&mut self, time: EventTime, key: K, out: &mut Emitter<P::Out>) {
        let process = &mut self.process;
        let state = self.states.change_ref(&key, P::State::default);
        let mut context = ProcessContext { time, key: &key, out, timers: &mut self.timers, forget: false };
        process.on_timer(&key, state, &mut context);
        if context.forget {
            self.states.remove(&key);
        }
    }
}

impl<K: Key, D: Data + Ord, F: KeyFn<D, Key = K>, P: Process<K, D, State: KeyState>> Step for KeyedProcess<K, D, F, P> {
    type In = D;
    type Out = P::Out;
    type Late = D;

    fn apply(&mut self, mut batch: Batch<D>, watermark: EventTime, out: &mut Outputs<P::Out, D>) {
        batch.drain_judged(watermark, |event, watermark| {
            if event.time + self.lateness < watermark {
                out.late.give_behind(event.time, event.data, watermark);
            } else if self.as_arrives {
                self.on_event(event, &mut out.emit);
            } else {
                self.waiting.push(event);
            }
        });
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<P::Out, D>) {
        let at_end = watermark == EventTime::MAX;
        let limit = watermark - self.lateness;
        let passed = |time: EventTime| at_end || time < limit;
        // There may be as many timers by then as keys; events that waited may set more, and those are finite.
        let (mut fired, mut fired_max) = (0, TIMERS_AFTER_END + self.timers.len() as u64);
        loop {
            let event = self.waiting.next_time().filter(|time| passed(*time));
            let timer = self.timers.next().filter(|time| passed(*time));
            match (event, timer) {
                (None, None) => break,
                (Some(event), timer) if timer.is_none_or(|timer| event <= timer) => {
                    let event = self.waiting.pop().expect("it was just seen");
                    self.on_event(event, &mut out.emit);
                    fired_max = fired_max.max(fired + TIMERS_AFTER_END + self.timers.len() as u64);
                }
                _ => {
                    let (time, key) = self.timers.pop().expect("it was just seen");
                    fired += u64::from(at_end);
                    assert!(
                        fired <= fired_max,
                        "{fired} timers have fired since the input ended, the last at {time}; does `on_timer` always set another?"
                    );
                    self.on_timer(time, key, &mut out.emit);
                }
            }
        }
    }

    fn kept(&mut self) -> Parts<'_> {
        vec![("states", &mut self.states), ("waiting", &mut self.waiting), ("timers", &mut self.timers)]
    }

    fn holds(&self) -> Option<EventTime> {
        let event = self.waiting.next_time();
        event.into_iter().chain(self.timers.next()).min()
    }

    fn lag(&self) -> Duration {
        self.lateness
    }
}
