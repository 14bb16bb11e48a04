//! The contract of a sink as a test: [`sink_contract`] runs a sink through every verb, crash, repeat and fenced elder.

mod breach;
mod generation;
mod play;
mod rows;

pub use breach::{Breach, Rule};

use self::generation::Way;
use self::play::{Play, Stop};
use self::rows::{FULL, NONE};
use crate::testing::Item;
use crate::{Result, Since, Sink};

/// A place that a sink under test writes to. Each play of [`sink_contract`] has a new one.
pub trait SinkPlace {
    /// A sink that writes here, as another start of the program would make it.
    fn sink(&self) -> Box<dyn Sink>;

    /// The rows that a reader finds here now, as lists that are each in event-time order: of a file, a partition, a bucket.
    ///
    /// # Errors
    /// There is no output that could be read; a run that has ended must leave one.
    fn seen(&self) -> Result<Vec<Vec<Item>>>;

    /// The machine crashes: what was not made durable may be gone. A place without such a notion does nothing.
    fn crash(&self) {}
}

/// Runs a sink through its contract: the verbs in order, a crash before each of them and the recovery after it, commits that are
/// repeated, generations that stand still and wake, epochs without rows, and a run without any.
///
/// The rows are [`Item`]s of four epochs, a minute of event time each; a sink that cuts by time is best tried with a span below
/// that and one above. `new` makes an empty place.
///
/// - A sink of [`Delivery::AtLeastOnce`](crate::sink::Delivery) may show a row again, and is held to everything else.
/// - A sink that wants no order, or writes at once, is not asked for the order of rows.
/// - A sink that cannot say what it has published ([`Since::Unknown`]) is not asked to take it back.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::{Arc, Mutex};
///
/// use dualgauge_engine::arrow::{RecordBatch, SchemaRef};
/// use dualgauge_engine::testing::{Item, SinkPlace, sink_contract};
/// use dualgauge_engine::{Epoch, Event, EventTime, Prepared, Record, Result, Sink, SinkWriter, Writing};
///
/// /// What is seen, by its epoch: so publishing twice is publishing once.
/// #[derive(Clone, Default)]
/// struct Shelf(Arc<Mutex<BTreeMap<Epoch, Vec<Item>>>>);
///
/// struct Bucket {
///     shelf: Shelf,
///     written: Vec<Event<Item>>,
/// }
///
/// impl Sink for Shelf {
///     fn describe(&self) -> String {
///         "shelf".to_string()
///     }
///
///     fn check(&self, _: &SchemaRef, _: &Writing) -> Result<()> {
///         Ok(())
///     }
///
///     fn open(&self, _: usize, _: &SchemaRef, _: &Writing) -> Result<Box<dyn SinkWriter>> {
///         Ok(Box::new(Bucket { shelf: self.clone(), written: Vec::new() }))
///     }
/// }
///
/// impl SinkWriter for Bucket {
///     fn write(&mut self, _: &[EventTime], rows: &RecordBatch) -> Result<()> {
///         Item::decode(rows, &mut self.written).expect("the rows of the contract");
///         Ok(())
///     }
///
///     fn prepare(&mut self, _: Epoch, _: EventTime) -> Result<Vec<u8>> {
///         let rows: Vec<Item> = self.written.drain(..).map(|event| event.data).collect();
///         Ok(if rows.is_empty() { Vec::new() } else { postcard::to_stdvec(&rows).expect("rows have bytes") })
///     }
///
///     fn commit(&mut self, epoch: Epoch, prepared: &[u8]) -> Result<()> {
///         let rows = postcard::from_bytes(prepared).expect("what `prepare` has made");
///         self.shelf.0.lock().unwrap().insert(epoch, rows);
///         Ok(())
///     }
///
///     fn recover(&mut self, prepared: &[Prepared]) -> Result<()> {
///         let mut some = prepared.iter().filter(|one| !one.bytes.is_empty());
///         some.try_for_each(|one| self.commit(one.epoch, &one.bytes))
///     }
/// }
///
/// impl SinkPlace for Shelf {
///     fn sink(&self) -> Box<dyn Sink> {
///         Box::new(self.clone())
///     }
///
///     fn seen(&self) -> Result<Vec<Vec<Item>>> {
///         Ok(vec![self.0.lock().unwrap().values().flatten().cloned().collect()])
///     }
/// }
///
/// sink_contract(Shelf::default).unwrap();
/// ```
///
/// # Errors
/// The first rule that is broken, the verb at which it broke, and what was done before.
pub fn sink_contract<P: SinkPlace>(new: impl Fn() -> P) -> Result<(), Breach> {
    let plain = Way { counts: FULL, durable: true, overlaps: false, twice: false };
    for counts in [FULL, NONE] {
        for durable in [false, true] {
            straight(&new(), Way { counts, durable, ..plain })?;
        }
    }
    straight(&new(), Way { overlaps: true, ..plain })?;
    straight(&new(), Way { twice: true, ..plain })?;
    let overlapping = Way { overlaps: true, ..plain };
    for (way, again) in [(plain, false), (plain, true), (overlapping, false)] {
        every(|at, watch| crashed(&new(), way, at, again, watch))?;
    }
    every(|at, watch| woken(&new(), plain, at, watch))?;
    back(&new(), plain)
}

/// Plays with a stop before every verb. It does not look after each of them; but where something is wrong it plays once
/// more and does, to name the verb.
fn every(play: impl Fn(usize, bool) -> Result<Stop, Breach>) -> Result<(), Breach> {
    for at in 0.. {
        if play(at, false).or_else(|quick| play(at, true).and(Err(quick)))? == Stop::End {
            break;
        }
    }
    Ok(())
}

/// One generation from the first verb to the last.
fn straight<P: SinkPlace>(place: &P, way: Way<'_>) -> Result<(), Breach> {
    let mut play = Play::new(place, way, true);
    let mut only = play.start();
    play.run(&mut only, usize::MAX)?;
    play.ends()
}

/// A generation that crashes before a verb, one that crashes once it has recovered if `again` says so, and one that
/// ends.
fn crashed<P: SinkPlace>(place: &P, way: Way<'_>, at: usize, again: bool, watch: bool) -> Result<Stop, Breach> {
    let mut play = Play::new(place, way, watch);
    let mut first = play.start();
    let stop = play.run(&mut first, at)?;
    first.dies();
    place.crash();
    if again {
        let mut second = play.start();
        let recovered = second.recovered();
        play.run(&mut second, recovered)?;
        second.dies();
        place.crash();
    }
    let mut last = play.start();
    play.run(&mut last, usize::MAX)?;
    play.ends()?;
    Ok(stop)
}

/// A generation that stands still before a verb, and wakes again and again: when its successor has recovered, before that one
/// commits for the last time, before it finishes, and after.
fn woken<P: SinkPlace>(place: &P, way: Way<'_>, at: usize, watch: bool) -> Result<Stop, Breach> {
    let mut play = Play::new(place, way, watch);
    let mut elder = play.start();
    let stop = play.run(&mut elder, at)?;
    let mut heir = play.start();
    let recovered = heir.recovered();
    play.run(&mut heir, recovered)?;
    play.wake(&mut elder)?;
    for upto in heir.last_ones() {
        play.run(&mut heir, upto)?;
        play.wake(&mut elder)?;
    }
    drop(elder);
    play.ends()?;
    Ok(stop)
}

/// A job that goes back to its first commit, after three.
fn back<P: SinkPlace>(place: &P, way: Way<'_>) -> Result<(), Breach> {
    let mut play = Play::new(place, way, true);
    let mut first = play.start();
    let last_epoch = first.before_epoch(way.counts.len() - 1);
    play.run(&mut first, last_epoch)?;
    first.dies();
    play.goes_back_to(0);
    let mut second = play.start();
    match play.since(&mut second)? {
        Since::Unknown => return Ok(()),
        Since::Nothing | Since::Published { .. } => {}
    }
    play.run_back(&mut second)?;
    play.ends()
}
