//! The options of a source, set on the stream that it gives: `flow.source::<Bid>("bids").disorder(5.seconds())`.

use std::cell::OnceCell;
use std::panic::Location;
use std::rc::Rc;

use super::bad_record::BadRecord;
use super::made_time::{MadeTime, MakeTime};
use crate::flow::graph::NodeSpec;
use crate::flow::options::{AllIdle, BadRecords, NewFiles, SourceOptions};
use crate::flow::stream::{Inner, Stream};
use crate::{Error, IntoDuration, Record};

/// What may still be set on a source after its operator is there.
pub(in crate::flow) struct SourceEnds<'s, D> {
    /// Which of the flow's sources it is.
    pub(super) index: usize,
    pub(super) bad_records: Inner<'s, BadRecord>,
    /// How the event time of a record is made, where no field is one.
    pub(super) made_time: Rc<OnceCell<MakeTime<D>>>,
}

/// How a source is read. Each option is set on the stream that [`Flow::source`](crate::Flow::source) gives, before any
/// operator; a binding may override it. On any other stream it is refused when the graph is built.
///
/// ```
/// use dualgauge_engine::testing::Item;
/// use dualgauge_engine::{Durations, Job};
///
/// let job = Job::new(|flow| {
///     flow.source::<Item>("items").disorder(5.seconds()).idle_after(1.minutes()).quarantine("bad_items").sink("copies");
/// });
/// let (sources, sinks) = job.names().unwrap();
/// assert_eq!((sources, sinks), (vec!["items".to_string()], vec!["bad_items".to_string(), "copies".to_string()]));
/// ```
impl<'s, D: Record> Stream<'s, D> {
    /// Events of a partition may be this far behind the latest one before them, as [`SourceOptions::disorder`] says.
    ///
    /// # Panics
    /// When it is negative: the watermark would be ahead of the events.
    #[doc(alias = "forBoundedOutOfOrderness")]
    #[doc(alias = "WatermarkStrategy")]
    #[doc(alias = "assignTimestampsAndWatermarks")]
    #[doc(alias = "out of orderness")]
    #[track_caller]
    pub fn disorder(self, disorder: impl IntoDuration) -> Stream<'s, D> {
        let disorder = disorder.into_duration();

        self.with("disorder", |options| options.disorder(disorder))
    }

    /// A partition that has been silent for this long no longer holds the watermark. Never by default.
    #[doc(alias = "withIdleness")]
    #[track_caller]
    pub fn idle_after(self, idle_after: impl IntoDuration) -> Stream<'s, D> {
        let idle_after = idle_after.into_duration();

        self.with("idle_after", |options| options.idle_after(idle_after))
    }

    /// An event this far ahead of the wall clock is a bad record, as [`SourceOptions::max_ahead`] says.
    #[track_caller]
    pub fn max_ahead(self, max_ahead: impl IntoDuration) -> Stream<'s, D> {
        let max_ahead = max_ahead.into_duration();

        self.with("max_ahead", |options| options.max_ahead(max_ahead))
    }

    /// What becomes of bad records: by default, unless [`Stream::quarantine`] is called, the job fails on the first.
    #[track_caller]
    pub fn on_bad_records(self, policy: BadRecords) -> Stream<'s, D> {
        self.with("on_bad_records", |options| options.on_bad_records(policy))
    }

    /// What becomes of files that have come since the checkpoint from which a job resumes; by default old events are
    /// late.
    #[track_caller]
    pub fn new_files(self, policy: NewFiles) -> Stream<'s, D> {
        self.with("new_files", |options| options.new_files(policy))
    }

    /// What the watermark does when all partitions are idle; by default it stays.
    #[track_caller]
    pub fn all_idle(self, policy: AllIdle) -> Stream<'s, D> {
        self.with("all_idle", |options| options.all_idle(policy))
    }

    /// Bad records go to a sink of the graph called `sink`, as rows of [`BadRecord`], exactly once like any other output.
    #[doc(alias = "dead letter")]
    #[track_caller]
    pub fn quarantine(self, sink: &str) -> Stream<'s, D> {
        let said = self.options_of("quarantine", |options| options.quarantine.replace(sink.to_string()).is_some());
        match said {
            None => self,
            Some(false) => self.on_bad_records(BadRecords::Quarantine).quarantined(sink),
            Some(true) => {
                self.refuse_option("quarantine", "is said twice");
                self
            }
        }
    }

    /// The event time of a record is what `make` makes from its fields, as [`SourceOptions::event_time_by`] says.
    ///
    /// ```
    /// use dualgauge_engine::{Durations, EventTime, Job, record};
    ///
    /// #[record]
    /// struct Reading {
    ///     day: String,
    ///     second: i64,
    /// }
    ///
    /// let job = Job::new(|flow| {
    ///     let readings = flow.source::<Reading>("readings");
    ///     let readings = readings.event_time_by(|reading| {
    ///         reading.day.parse::<EventTime>().map(|day| day + reading.second.seconds())
    ///     });
    ///     readings.sink("out");
    /// });
    /// assert_eq!(job.names().unwrap().0, ["readings"]);
    /// ```
    #[doc(alias = "timestamp assigner")]
    #[doc(alias = "timestamp extractor")]
    #[track_caller]
    pub fn event_time_by<T: MadeTime>(self, make: impl Fn(&D) -> T + 'static) -> Stream<'s, D> {
        if self.source().is_none() {
            self.refuse_option("event_time_by", "is an option of a source, and this stream is what a step made");
            return self;
        }
        self.made_by(Rc::new(move |record| make(record).made()))
    }

    /// Takes the event times from `make`.
    #[track_caller]
    pub(super) fn made_by(self, make: MakeTime<D>) -> Stream<'s, D> {
        let ends = self.source().expect("the caller has a source");
        match ends.made_time.set(make) {
            // A time that is made stands in no column.
            Ok(()) => self.flow().context().sources.borrow_mut()[ends.index].event_time = Some(""),
            Err(_) => self.refuse_option("event_time_by", "is said twice"),
        }
        self
    }

    /// Adds the sink of bad records.
    #[track_caller]
    pub(super) fn quarantined(self, sink: &str) -> Stream<'s, D> {
        if let Some(ends) = self.source() {
            let node = self.flow().add(NodeSpec::stateless("bad"), vec![self.node()]);
            Stream::of(ends.bad_records.clone(), self.flow().clone(), node, false).sink(sink);
        }
        self
    }

    /// Changes the options of the source whose stream this is.
    #[track_caller]
    fn with(self, option: &str, change: impl FnOnce(SourceOptions) -> SourceOptions) -> Stream<'s, D> {
        self.options_of(option, |options| *options = change(std::mem::take(options)));
        self
    }

    /// Looks at the options of the source whose stream this is; on any other stream the option is refused.
    #[track_caller]
    fn options_of<R>(&self, option: &str, look: impl FnOnce(&mut SourceOptions) -> R) -> Option<R> {
        let Some(ends) = self.source() else {
            self.refuse_option(option, "is an option of a source, and this stream is what a step made");
            return None;
        };
        Some(look(&mut self.flow().context().sources.borrow_mut()[ends.index].options))
    }

    #[track_caller]
    fn refuse_option(&self, option: &str, why: &str) {
        let at = Location::caller();
        self.flow()
            .context()
            .refuse(Error::usage(format!("`{option}` at {at} {why}; say it once, right behind `flow.source(..)`")));
    }
}
