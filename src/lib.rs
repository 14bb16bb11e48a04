//! dualgauge: one dataflow graph over historical Parquet files and live event streams.

#![forbid(unsafe_code)]

// So that `#[record]` finds this crate by the same name here as in the programs that use it.
extern crate self as dualgauge;

pub mod cli;

pub use cli::{main, main_of};
pub use dualgauge_connectors as connectors;
pub use dualgauge_engine::*;
pub use dualgauge_operators as operators;

/// Everything a program needs: `use dualgauge::prelude::*`.
///
/// By one rule: names that other people's crates have too are left out, so that `use anyhow::Context`, `log::info!`,
/// `csv::Reader`, `std::cmp::min` and your own functions mean what they did. Of the rest there are
///
/// - the nouns of a graph: `Flow`, `Stream`, `Record` and their like; a name that is imported explicitly takes
///   precedence;
/// - methods, whose traits are imported without their names;
/// - the windows, and the other settings of a step, as functions;
/// - `agg`, the [aggregates](crate::operators::aggregate): `agg::count()`, or `|of| of.count()` in `aggregate_of`;
/// - `memory`, for tests. The other connectors are in [`connectors`].
///
/// ```
/// use dualgauge::connectors::csv;
/// use dualgauge::prelude::*;
///
/// #[record]
/// struct Word {
///     text: String,
///     #[event_time]
///     at: EventTime,
/// }
///
/// #[record]
/// struct Count {
///     text: String,
///     words: u64,
///     #[event_time]
///     at: EventTime,
/// }
///
/// fn counts(flow: &Flow) {
///     let days = flow.source::<Word>("words").key_by(|word| word.text.clone()).window(tumbling(1.days()));
///     days.aggregate("words_of_days", agg::count())
///         .map(|Pane { key, value, time, .. }| Count { text: key, words: value, at: time })
///         .sink("counts");
/// }
///
/// let job = Job::new(counts).source("words", csv::read("words.csv")).sink("counts", memory::collect::<Count>());
/// assert_eq!(job.names().unwrap().0, ["words"]);
/// ```
pub mod prelude {
    pub use dualgauge_connectors::memory;
    pub use dualgauge_engine::flow::{AllIdle, BadRecords};
    pub use dualgauge_engine::{Decimal, Duration, EventTime, Flow, Job, Record, Stream, Text, record};
    pub use dualgauge_operators::Either;
    pub use dualgauge_operators::aggregate::{self as agg, Aggregate, places};
    pub use dualgauge_operators::join::{JoinStrategy, between};
    pub use dualgauge_operators::keyed::{Process, ProcessContext, rows_before, time_before};
    pub use dualgauge_operators::window::{
        Pane, Ranked, Window, counted, cumulate, days_in, months_in, session, sliding, tumbling, weeks_in, whole,
    };
    pub use dualgauge_operators::{first_within, last_within};

    // Methods.
    pub use dualgauge_engine::Durations as _;
    pub use dualgauge_operators::join::{AsOf as _, Broadcast as _, JoinInterval as _};
    pub use dualgauge_operators::keyed::{Fold as _, Neighbours as _, ProcessWith as _, Reduce as _};
    pub use dualgauge_operators::window::{InWindow as _, Rows as _, WindowAll as _};
    pub use dualgauge_operators::{
        Deduplicate as _, Filter as _, FilterMap as _, FlatMap as _, Inspect as _, KeyBy as _, Keyless as _,
        Lookup as _, Map as _, Split as _, Union as _,
    };
}

/// The pages and the README: their programs are tests.
#[cfg(doctest)]
mod docs;
