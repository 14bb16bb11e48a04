//! Aggregates: many records into one answer, for windows and running totals alike.
//!
//! An [`Aggregate`] is four small functions around an accumulator. What groups records (a window, the whole history of a
//! key) keeps one accumulator per key and group.
//!
//! | constructor | answers |
//! |---|---|
//! | [`count`], [`sum`], [`mean`] | how many, how much, how much each; never rounded on the way |
//! | [`min`], [`max`] | the least and the greatest value |
//! | [`min_by_key`], [`max_by_key`] | the records that have them |
//! | [`first`], [`last`] | the earliest and the latest record |
//! | [`top_k`] | the records with the largest values |
//! | [`collect`], [`collect_values`] | everything, in the order of event time |
//! | [`distinct_count`], [`distinct_count_approx`] | how many different values: exactly, or to within a percent |
//! | [`quantile`], [`quantiles`] | the median and its like, to within half a percent |
//! | [`then`], [`filtered`] | another aggregate's answer in another form, or over some of the records |
//!
//! A tuple of aggregates is an aggregate, and its answer is the tuple of their answers.

mod collect;
mod count;
mod decimal;
mod distinct_count;
mod distinct_count_approx;
mod exact;
mod extreme;
mod filtered;
mod first;
mod last;
mod max;
mod mean;
mod min;
mod of;
mod order;
mod places;
mod quantile;
mod sum;
mod then;
mod top_k;
mod tuple;

use dualgauge_engine::{Data, EventTime};

pub use collect::{Collect, CollectValues, collect, collect_values};
pub use count::{Count, count};
pub use distinct_count::{Distinct, DistinctCount, distinct_count};
pub use distinct_count_approx::{DistinctCountApprox, Registers, distinct_count_approx};
pub use exact::ExactSum;
pub use extreme::{AtEnd, Extreme, ExtremeByKey, Greatest, Least, Side};
pub use filtered::{Filtered, filtered};
pub use first::first;
pub use last::last;
pub use max::{max, max_by_key};
pub use mean::{Averageable, Mean, mean};
pub use min::{min, min_by_key};
pub use of::Of;
pub use order::{ByOrd, ByTotalOrder, Orderable};
pub(crate) use places::Ties;
pub use places::{Places, places};
pub use quantile::{Quantile, Quantiles, quantile, quantiles};
pub use sum::{Sum, Summable, sum};
pub use then::{Then, then};
pub(crate) use top_k::top_places;
pub use top_k::{TopK, top_k};

/// Many records into one answer.
///
/// - **Order-free.** [`add`](Aggregate::add) and [`merge`](Aggregate::merge) in any order and any grouping give the
///   same [`finish`](Aggregate::finish): windows aggregate before the exchange, sliding windows share slices, and
///   history and live are laid out differently. An aggregate that picks one of several records decides by event time
///   and then by the records themselves, never by which came first.
/// - **Nothing is neutral.** Merging [`start`](Aggregate::start) into an accumulator changes no answer.
/// - **Pure.** What is added depends on the event time and the record alone: no clock, no randomness, no counter of its
///   own. Each worker has a clone, and after a restart each record since the checkpoint is added again.
/// - **Finish may be called often.** A window that waits for late records answers, keeps adding and answers again; so
///   `finish` leaves the accumulator as it is.
/// - **The accumulator is stored.** Serde carries it into checkpoints and between workers, and it continues from there
///   as if it had never left. A change of its type is a change of the stored format.
///
/// Nothing checks the first three at run time; an aggregate that breaks them gives answers that differ between a replay
/// and the live run. A test over permutations and merges, like the ones of the built-in aggregates, finds it.
///
/// # An aggregate of one's own
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, Aggregate};
/// use serde::{Deserialize, Serialize};
///
/// /// How far apart in time the first and last record are, in microseconds.
/// #[derive(Clone)]
/// struct Span;
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Ends {
///     first: EventTime,
///     last: EventTime,
/// }
///
/// impl<D> Aggregate<D> for Span {
///     type Acc = Ends;
///     type Out = i64;
///
///     fn start(&self) -> Ends {
///         Ends { first: EventTime::MAX, last: EventTime::MIN }
///     }
///     fn add(&self, acc: &mut Ends, time: EventTime, _: &D) {
///         acc.first = acc.first.min(time);
///         acc.last = acc.last.max(time);
///     }
///     fn merge(&self, acc: &mut Ends, other: &Ends) {
///         acc.first = acc.first.min(other.first);
///         acc.last = acc.last.max(other.last);
///     }
///     fn finish(&self, acc: &Ends) -> i64 {
///         if acc.first > acc.last { 0 } else { (acc.last - acc.first).as_micros() }
///     }
/// }
///
/// let at = EventTime::from_micros;
/// assert_eq!(aggregate::of(&Span, [(at(30), "c"), (at(10), "a"), (at(20), "b")]), 20);
/// ```
pub trait Aggregate<D>: Clone + 'static {
    /// What is kept per key and window.
    type Acc: Data;
    /// The answer.
    type Out: Data;

    /// What an accumulator depends on besides what was added, for the listing: `top 3`. A job does not resume from what
    /// was accumulated under a different text.
    fn detail(&self) -> String {
        String::new()
    }

    /// Its name: `max`. A job does not resume from what another aggregate has accumulated, even if the type is the
    /// same. The default is the name of the type; a renamed aggregate still resumes if this returns the older name.
    fn name(&self) -> String {
        let path = std::any::type_name::<Self>();
        let path = path.split('<').next().unwrap_or(path);
        path.rsplit("::").next().unwrap_or(path).to_string()
    }

    /// The accumulator of nothing.
    fn start(&self) -> Self::Acc;

    /// Adds one record, which happened at `time`.
    fn add(&self, acc: &mut Self::Acc, time: EventTime, data: &D);

    /// Adds what `other` holds, as if its records had been added one by one.
    fn merge(&self, acc: &mut Self::Acc, other: &Self::Acc);

    /// The answer over everything that was added.
    fn finish(&self, acc: &Self::Acc) -> Self::Out;
}

/// The answer of `aggregate` over these records: for tests, and for trying an aggregate out.
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, sum};
///
/// let at = EventTime::from_micros;
/// assert_eq!(aggregate::of(&sum(|n: &u64| *n), [(at(0), 2), (at(1), 3)]), 5);
/// ```
pub fn of<D, A: Aggregate<D>>(aggregate: &A, records: impl IntoIterator<Item = (EventTime, D)>) -> A::Out {
    let mut acc = aggregate.start();
    for (time, data) in records {
        aggregate.add(&mut acc, time, &data);
    }
    aggregate.finish(&acc)
}
