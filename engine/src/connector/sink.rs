//! Where results go: write, prepare, commit, recover.
//!
//! The engine hands a sink rows that are settled (no row with a smaller event time follows, but for stragglers) and
//! sorted by event time and then by the record's own order. It deals rows to a fixed number of *buckets* by their hash,
//! so that what a bucket receives does not depend on the number of workers.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use serde::{Deserialize, Serialize};

use super::Firings;
pub use super::fenced::{Fence, FenceOwner, Fenced, FencedStore};
pub use super::stopping::Stopping;
use crate::{Basis, Change, Epoch, Error, EventTime, Place, Result, Retry};

/// By whom and how a sink is written in one run.
///
/// The engine makes it. A test makes that of a job without checkpoints by `default`, and others by [`Writing::of`]:
///
/// ```
/// use dualgauge_engine::sink::{After, Writing};
/// use dualgauge_engine::{Epoch, Retry};
///
/// let first = Writing::of("counts", 1);
/// let after = After { epoch: Epoch(7), generation: 1 };
/// let second = Writing::of("counts", 2).resuming(after).retrying(Retry::times(3));
/// assert!(second.resumes && !first.resumes);
/// assert_eq!((second.job, second.after), (first.job, Some(after)));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Writing {
    /// The job whose output it is, the same after every restart; `None` without a checkpoint.
    pub job: Option<String>,
    /// The name of the sink in the graph; `None` without a checkpoint.
    pub sink: Option<String>,
    /// Which start of the job this is, counted from 1; names of staged files carry it.
    pub generation: u64,
    /// Whether the job goes on from a checkpoint: then what is there already is its own.
    pub resumes: bool,
    /// The commit from which the job resumes; `None` where it starts anew.
    pub after: Option<After>,
    /// Whether the input had ended with that commit: then no row comes any more.
    pub ended: bool,
    /// On what the sink stood when the checkpoint was taken from which the job resumes; `None` where it did not have it.
    pub before: Option<Basis>,
    /// Where the job's checkpoints are, for messages; `None` without a checkpoint.
    pub checkpoints: Option<String>,
    /// Whether the input may never end.
    pub endless: bool,
    /// The columns of the rows with what their record says of each; `None` where a connector is used by itself.
    pub said: Option<SchemaRef>,
    /// How often what was refused is tried again. What a sink returns as an error ends the job; so a call that may pass is
    /// [run](Retry::run) by this, and a sink of files puts it [on](Retry::on) its file system.
    pub retry: Retry,
    /// Whether the job is to stop, for a call that waits for somebody.
    pub stopping: Stopping,
}

impl Writing {
    /// A start of a job with checkpoints, as of the beginning.
    pub fn of(job: impl Into<String>, generation: u64) -> Writing {
        Writing { job: Some(job.into()), generation, ..Writing::default() }
    }

    /// The same, resuming from a commit.
    pub fn resuming(self, after: After) -> Writing {
        Writing { resumes: true, after: Some(after), ..self }
    }

    /// The same, where the input had ended with that commit.
    pub fn ended(self) -> Writing {
        Writing { ended: true, ..self }
    }

    /// The same, on what the sink stood at that commit.
    pub fn standing_on(self, before: Basis) -> Writing {
        Writing { before: Some(before), ..self }
    }

    /// The same, with the place of the job's checkpoints.
    pub fn with_checkpoints(self, place: impl Into<String>) -> Writing {
        Writing { checkpoints: Some(place.into()), ..self }
    }

    /// The same, of an input that may never end.
    pub fn endless(self) -> Writing {
        Writing { endless: true, ..self }
    }

    /// The same, with what the record says of the columns.
    pub fn saying(self, said: SchemaRef) -> Writing {
        Writing { said: Some(said), ..self }
    }

    /// The same, with what is tried again.
    pub fn retrying(self, retry: Retry) -> Writing {
        Writing { retry, ..self }
    }

    /// The same, of a job that may be asked to stop.
    pub fn stopping_by(self, stopping: Stopping) -> Writing {
        Writing { stopping, ..self }
    }
}

/// The commit from which a job resumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    /// The epoch at whose end it was taken.
    pub epoch: Epoch,
    /// The start of the job that has written it.
    pub generation: u64,
}

/// What a sink has published since the commit from which its job resumes.
///
/// There is something only where the job goes back: to an older commit, or to checkpoints that were brought back from a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// The sink cannot know it.
    Unknown,
    /// Nothing.
    Nothing,
    /// So much, and all of it can be taken back.
    Published {
        /// The newest epoch that was published.
        upto: Epoch,
        /// How much it is, for a person: `12 files`.
        what: String,
    },
}

/// What one bucket of a sink prepared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketCut {
    /// The bucket.
    pub bucket: u32,
    /// What was prepared and may not be published yet, oldest first; the newest is always among them.
    pub prepared: Vec<Prepared>,
}

/// What a checkpoint has stored of one bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// The epoch at whose end it was prepared.
    pub epoch: Epoch,
    /// What [`SinkWriter::prepare`] returned.
    pub bytes: Vec<u8>,
}

/// What holds a place of output while a run lasts; dropped when nothing is written any more.
#[derive(Default)]
pub struct Claim {
    guard: Option<Box<dyn Send + Sync>>,
    note: Option<String>,
}

impl Claim {
    /// A claim that is given up when `guard` is dropped. A sink whose claim is a record that stays, or that has no place,
    /// gives [`Claim::default`].
    pub fn held(guard: impl Send + Sync + 'static) -> Claim {
        Claim { guard: Some(Box::new(guard)), note: None }
    }

    /// The same with what a person should know of the place.
    pub fn noting(mut self, note: Option<String>) -> Claim {
        self.note = note;
        self
    }

    /// What a person should know of the place.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.guard.is_some() { "Claim(held)" } else { "Claim" })
    }
}

/// When rows are seen, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Once, when the epoch commits: the output of a crashed and resumed job is that of one that ran through.
    Committed,
    /// At least once: what was seen after the last checkpoint is seen again after a crash.
    AtLeastOnce,
}

/// A place that results can be written to.
pub trait Sink: Send + Sync {
    /// What stands behind the name, as the user wrote it: `parquet:out/`.
    fn describe(&self) -> String;

    /// Looks before the run whether writing can succeed: an output directory that is someone else's is refused here.
    /// Called once, before any bucket is opened; of several processes it is called in the first. Nothing is changed.
    fn check(&self, schema: &SchemaRef, writing: &Writing) -> Result<()>;

    /// Takes the place for this run, before any bucket is opened and after every sink of the job was looked at; of several
    /// processes it is called in the first. The claim is kept until the run has ended and the sink is finished.
    ///
    /// A place has one owner, from here on until nothing of the run is unfinished: of two runs that claim it at the same
    /// moment, one is refused.
    fn claim(&self, _: &SchemaRef, _: &Writing) -> Result<Claim> {
        Ok(Claim::default())
    }

    /// What it writes, with all that it keeps beside it. Two sinks of a job, or a sink and a source, whose places meet are
    /// refused at the start. A sink that writes to no place that another could name has none.
    fn places(&self) -> Vec<Place> {
        Vec::new()
    }

    /// When rows are seen, and how often.
    fn delivery(&self) -> Delivery {
        Delivery::Committed
    }

    /// When the first rows are seen, in words for a person who waits for them in a live run: "a file is seen when …"; `None` where
    /// they are seen at their commit.
    fn first_seen(&self) -> Option<String> {
        None
    }

    /// Into how many buckets rows are dealt; a part of the output's shape, not of the run's.
    fn buckets(&self) -> usize {
        1
    }

    /// Whether rows are to come in order, each in the bucket of its hash, once the watermark has passed them.
    ///
    /// A sink that finds rows by what is in them (a count, a digest, a table by key) says no: each worker then writes its
    /// rows at once, as they come, into a bucket of its own, which spares dealing and sorting them. What the sink makes
    /// of them may then not depend on their order. A sink with fewer buckets than there are workers is not asked.
    fn wants_order(&self) -> bool {
        true
    }

    /// Whether rows are written as soon as they come, in whatever order, and not when the watermark has passed them.
    ///
    /// They are dealt to buckets as ever, and sorted within each call of [`SinkWriter::write`] only. A sink that somebody
    /// looks at says yes where he asks for it; one whose bytes are compared with those of another run cannot. Over a stream whose
    /// watermark stands still, such a sink has at each commit what came in its epochs, also where it [keeps rows](Sink::keeps_rows).
    fn writes_at_once(&self) -> bool {
        false
    }

    /// Whether the engine keeps the rows in the checkpoint until their epoch is committed, so that [`SinkWriter::prepare`] makes
    /// nothing durable; for stores without a rename, see [`Fenced`]. Rows are kept in the layers, and never in the manifest.
    ///
    /// They are held in memory until then, too. Another start gives them back by [`SinkWriter::restore`]. Such a sink takes the last firing only, keeps its number of
    /// [buckets](Sink::buckets), and has rows in the order in which they were written.
    fn keeps_rows(&self) -> bool {
        false
    }

    /// Which firings of a result are written, where a window fires more than once. With [`Firings::All`] the rows have two
    /// more columns, and are written at once.
    fn firings(&self) -> Firings {
        Firings::Last
    }

    /// Whether a job may go on with rows of other columns than it has written here before its checkpoint.
    ///
    /// A sink says yes whose output may hold both beside each other, also in what is prepared and not finished.
    fn takes_other_columns(&self) -> bool {
        false
    }

    /// What the bytes depend on that it stages for rows of `schema`, asked after [`Sink::check`]: options under whose
    /// other values what is staged would be finished as something that is neither the old nor the new.
    fn basis(&self, _schema: &SchemaRef) -> Basis {
        Basis::new()
    }

    /// Whether writing may go on where an option of the basis has another value than when a commit was taken; `staged`
    /// says whether that commit has something staged, whose bytes depend on the old one.
    fn takes(&self, _change: &Change, staged: bool) -> bool {
        !staged
    }

    /// What the job has published here since the commit from which it resumes ([`Writing::after`]), which has `prepared` that.
    /// Asked after [`Sink::check`]; nothing is changed.
    ///
    /// # Errors
    /// Where it could not be taken back without touching what is not its own, where the output is not that of the commit's
    /// history, and where what the commit has open is gone, so that what is taken back could not be made again.
    fn published_since(&self, _: &Writing, _prepared: &[BucketCut]) -> Result<Since> {
        Ok(Since::Unknown)
    }

    /// Takes back what was published since the commit from which the job resumes, and nothing else. Called where a job goes
    /// back, after every place was claimed and before any bucket is opened; called again after a crash in the midst of it.
    fn take_back(&self, _: &Writing) -> Result<()> {
        Ok(())
    }

    /// Opens one bucket. Called once per bucket, on the worker that owns it.
    fn open(&self, bucket: usize, schema: &SchemaRef, writing: &Writing) -> Result<Box<dyn SinkWriter>>;

    /// Ends the output: it is there now, and can be read, also where not a row came.
    ///
    /// Called when every bucket's last commit is done, of several processes in the first; not called when the run failed or
    /// was stopped. Called again where the machine refused, and in a run that finds that the one before had ended.
    ///
    /// `kept` is what savepoints have prepared: what they name stays, so that a job can go back to them. Where it does, the
    /// output goes on: what says that it has ended (a file without rows, the seal of a log) goes at the next
    /// [`Sink::claim`] of the job.
    fn finish(&self, _: &SchemaRef, _: &Writing, _kept: &[BucketCut]) -> Result<()> {
        Ok(())
    }
}

/// Opens a bucket, and refuses a writer that needs rows which its sink does not keep: a crash would lose them.
pub(crate) fn open_bucket(
    sink: &dyn Sink,
    bucket: usize,
    schema: &SchemaRef,
    writing: &Writing,
) -> Result<Box<dyn SinkWriter>> {
    let writer = sink.open(bucket, schema, writing)?;
    if writer.needs_rows() && !sink.keeps_rows() {
        return Err(Error::usage(
            "its writer publishes rows that the checkpoint keeps, and the sink has none kept: a crash would lose them; likely \
             mistake: `Fenced` without `Sink::keeps_rows`, which must say yes",
        ));
    }
    Ok(writer)
}

/// One bucket of a sink.
///
/// - **Two steps to be seen.** What is written is invisible until it was prepared and committed.
/// - **Prepared is durable.** After [`SinkWriter::prepare`] the bytes it returned are enough to publish, in another process.
/// - **Commit is idempotent.** It may be called twice, by two generations.
pub trait SinkWriter {
    /// Takes rows of the sink's schema with their event times, sorted by event time within the call.
    ///
    /// Later calls carry later times, except for rows that arrived behind the watermark (stragglers).
    fn write(&mut self, times: &[EventTime], rows: &RecordBatch) -> Result<()>;

    /// Ends `epoch`: makes durable, and still invisible, what was written so far, of which nothing with an event time
    /// below `watermark` can change any more.
    ///
    /// The bytes go into the manifest; empty when there is nothing to publish and nothing to keep. In a job with
    /// checkpoints they are enough to publish what is finished and to go on with what is not, in another process; in one
    /// without ([`Writing::job`] is `None`) nobody will go on, and what is not finished may be left as it is.
    fn prepare(&mut self, epoch: Epoch, watermark: EventTime) -> Result<Vec<u8>>;

    /// Makes visible what `prepare` of this epoch made durable.
    fn commit(&mut self, epoch: Epoch, prepared: &[u8]) -> Result<()>;

    /// Says what commits have prepared to which the job may go back: what they leave open is not removed, though it was
    /// published meanwhile. Called before [`SinkWriter::recover`], and before each commit; only the last call counts.
    fn keep(&mut self, _kept: &[&Prepared]) -> Result<()> {
        Ok(())
    }

    /// Whether it publishes from the rows that the engine keeps: a sink that does not [keep rows](Sink::keeps_rows) is refused
    /// with such a writer when it opens a bucket. A writer around another one answers as that does.
    fn needs_rows(&self) -> bool {
        false
    }

    /// Takes back rows of an epoch that was prepared, in the order in which they were written. Called before
    /// [`SinkWriter::recover`], and only where the sink [keeps rows](Sink::keeps_rows).
    fn restore(&mut self, _: Epoch, _rows: RecordBatch) -> Result<()> {
        Err(Error::usage(
            "this writer takes no rows back; likely mistake: `Sink::keeps_rows` without `SinkWriter::restore`",
        ))
    }

    /// Takes up what earlier generations prepared, the oldest first; called once, before anything is written.
    ///
    /// All of it is published, whether or not it was before; the last is where the job goes on. What is staged and in
    /// none of it is an orphan and is removed. A job that starts anew has nothing prepared.
    fn recover(&mut self, prepared: &[Prepared]) -> Result<()>;
}
