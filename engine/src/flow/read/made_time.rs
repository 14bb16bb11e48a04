//! Event times that are made from a record's fields, where none of its fields is one.

use std::fmt::Display;
use std::rc::Rc;

use crate::EventTime;
use crate::flow::options::SourceOptions;

/// A source of records `D`: its options and, where set, how the event time of a record is made.
///
/// A name is one, and so are [`SourceOptions`].
pub struct SourceOf<D> {
    pub(crate) options: SourceOptions,
    pub(crate) time: Option<MakeTime<D>>,
}

/// Makes the event time of a record, or says why it has none.
pub(crate) type MakeTime<D> = Rc<dyn Fn(&D) -> Result<EventTime, String>>;

impl<D> From<&str> for SourceOf<D> {
    fn from(name: &str) -> SourceOf<D> {
        SourceOf::from(SourceOptions::from(name))
    }
}

impl<D> From<SourceOptions> for SourceOf<D> {
    fn from(options: SourceOptions) -> SourceOf<D> {
        SourceOf { options, time: None }
    }
}

/// What making an event time may return: a time, perhaps a time, or a time or why not.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no event time",
    label = "return an `EventTime`, an `Option` of one, or a `Result` of one"
)]
pub trait MadeTime {
    /// The time, or why there is none.
    fn made(self) -> Result<EventTime, String>;
}

impl MadeTime for EventTime {
    fn made(self) -> Result<EventTime, String> {
        Ok(self)
    }
}

impl MadeTime for Option<EventTime> {
    fn made(self) -> Result<EventTime, String> {
        self.ok_or_else(|| "none can be made of its fields".to_string())
    }
}

impl<E: Display> MadeTime for Result<EventTime, E> {
    fn made(self) -> Result<EventTime, String> {
        self.map_err(|error| error.to_string())
    }
}

impl SourceOptions {
    /// The event time of a record is what `make` makes from its fields: a date and a time of day, a start and a length.
    ///
    /// The record then needs no `#[event_time]`; where it has one, the time made counts, and a sink refuses the record
    /// itself unless both are equal. A record from which none can be made (`None`, an error) is a bad record. Which
    /// rows are late is judged as ever. `make` must give the same time for the same record. A source cannot know such
    /// times before it reads: no Parquet row group is left out by them, and windows close only when everything is read,
    /// unless the source is followed or `disorder` says how far behind an event may be.
    ///
    /// ```
    /// use dualgauge_engine::flow::source;
    /// use dualgauge_engine::{Durations, EventTime, Job, record};
    ///
    /// #[record]
    /// struct Reading {
    ///     day: String,
    ///     second: i64,
    /// }
    ///
    /// let job = Job::new(|flow| {
    ///     let at = |reading: &Reading| {
    ///         reading.day.parse::<EventTime>().map(|day| day + reading.second.seconds())
    ///     };
    ///     flow.source::<Reading>(source("readings").event_time_by(at)).sink("out");
    /// });
    /// assert_eq!(job.names().unwrap().0, ["readings"]);
    /// ```
    #[doc(alias = "timestamp assigner")]
    #[doc(alias = "timestamp extractor")]
    pub fn event_time_by<D, T: MadeTime>(self, make: impl Fn(&D) -> T + 'static) -> SourceOf<D> {
        SourceOf { options: self, time: Some(Rc::new(move |record| make(record).made())) }
    }
}
