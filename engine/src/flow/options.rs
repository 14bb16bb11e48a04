//! What a graph says about how a source is to be read; a binding may override it.

use crate::{Duration, IntoDuration};

/// How a source is read: its name, and what the engine should assume of its order and its clock.
///
/// `disorder` and `idle_after` are ignored where the source knows its own bounds (Parquet does: nothing is late there).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceOptions {
    pub(crate) name: String,
    pub(crate) disorder: Option<Duration>,
    pub(crate) idle_after: Option<Duration>,
    pub(crate) max_ahead: Option<Duration>,
    pub(crate) bad_records: Option<BadRecords>,
    pub(crate) quarantine: Option<String>,
    pub(crate) new_files: Option<NewFiles>,
    pub(crate) all_idle: Option<AllIdle>,
}

/// What the watermark of a source does when all its partitions are idle and no other source holds it back.
///
/// Whichever is chosen, it passes what partitions that have *ended* have reached. The other two close windows that
/// would stay open, and make what comes later late: the answer then depends on when the source was silent, which a
/// replay does not repeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AllIdle {
    /// It stays where the partition that fell idle last held it.
    #[default]
    Stay,
    /// It advances to the greatest watermark that any partition of the source has reached.
    Greatest,
    /// It advances with the wall clock: what is older than the present moment is late.
    Clock,
}

/// What becomes of files that were not there when a job started, where it resumes from a checkpoint and they may hold
/// events that its source had already passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewFiles {
    /// They are read, and what is behind the watermark that the source had is late.
    #[default]
    Late,
    /// The job does not start.
    Fail,
}

/// What becomes of a record that cannot be decoded, or whose event time is absurd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadRecords {
    /// The job ends with an error that names the record.
    #[default]
    Fail,
    /// The record is left out and counted.
    Drop,
    /// The record is left out, counted, and written to the sink that [`SourceOptions::quarantine`] names.
    Quarantine,
}

/// The source called `name`, ready for options: `source("bids").disorder(5.seconds())`.
pub fn source(name: impl Into<String>) -> SourceOptions {
    SourceOptions { name: name.into(), ..SourceOptions::default() }
}

impl From<&str> for SourceOptions {
    fn from(name: &str) -> SourceOptions {
        source(name)
    }
}

impl SourceOptions {
    /// Events of a partition may be this far behind the latest one before them: after an event at `t` the watermark is
    /// `t - disorder`, and an event exactly `disorder` behind is on time. Zero by default for followed sources.
    ///
    /// # Panics
    /// When it is negative: the watermark would be ahead of the events.
    pub fn disorder(mut self, disorder: impl IntoDuration) -> SourceOptions {
        let disorder = disorder.into_duration();

        assert!(disorder >= Duration::ZERO, "source {}: a disorder of {disorder} is less than none", self.name);
        self.disorder = Some(disorder);
        self
    }

    /// A partition that has been silent for this long no longer holds the watermark. Never by default.
    pub fn idle_after(mut self, idle_after: impl IntoDuration) -> SourceOptions {
        let idle_after = idle_after.into_duration();

        self.idle_after = Some(idle_after);
        self
    }

    /// An event this far ahead of the wall clock is a bad record. One day by default for followed sources, off for
    /// bounded ones.
    pub fn max_ahead(mut self, max_ahead: impl IntoDuration) -> SourceOptions {
        let max_ahead = max_ahead.into_duration();

        self.max_ahead = Some(max_ahead);
        self
    }

    /// What becomes of bad records. [`SourceOptions::quarantine`] sets it too.
    pub fn on_bad_records(mut self, policy: BadRecords) -> SourceOptions {
        self.bad_records = Some(policy);
        self
    }

    /// Bad records go to a sink of the graph called `sink`, as rows of [`BadRecord`](super::read::BadRecord): exactly
    /// once, like any other output. A binding may still choose to end the job on them, or to drop them.
    ///
    /// ```
    /// use dualgauge_engine::flow::source;
    /// use dualgauge_engine::testing::Item;
    /// use dualgauge_engine::Job;
    ///
    /// let job = Job::new(|flow| flow.source::<Item>(source("items").quarantine("bad_items")).sink("copies"));
    /// let (sources, sinks) = job.names().unwrap();
    /// assert_eq!((sources, sinks), (vec!["items".to_string()], vec!["bad_items".to_string(), "copies".to_string()]));
    /// ```
    pub fn quarantine(mut self, sink: impl Into<String>) -> SourceOptions {
        self.quarantine = Some(sink.into());
        self.on_bad_records(BadRecords::Quarantine)
    }

    /// What becomes of files that have come since the checkpoint from which a job resumes; by default old events are
    /// late.
    pub fn new_files(mut self, policy: NewFiles) -> SourceOptions {
        self.new_files = Some(policy);
        self
    }

    /// What the watermark does when all partitions are idle; by default it stays. Without [`SourceOptions::idle_after`]
    /// no partition is ever idle.
    pub fn all_idle(mut self, policy: AllIdle) -> SourceOptions {
        self.all_idle = Some(policy);
        self
    }

    /// The name in the graph.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// These options where they are set, else `defaults`; the name stays.
    pub(crate) fn or(self, defaults: SourceOptions) -> SourceOptions {
        SourceOptions {
            name: self.name,
            disorder: self.disorder.or(defaults.disorder),
            idle_after: self.idle_after.or(defaults.idle_after),
            max_ahead: self.max_ahead.or(defaults.max_ahead),
            bad_records: self.bad_records.or(defaults.bad_records),
            quarantine: self.quarantine.or(defaults.quarantine),
            new_files: self.new_files.or(defaults.new_files),
            all_idle: self.all_idle.or(defaults.all_idle),
        }
    }
}
