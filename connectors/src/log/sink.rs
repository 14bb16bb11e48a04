//! The log as a sink: a partition per bucket, each epoch appended once.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use dualgauge_engine::Firings;
use dualgauge_engine::checkpoint::BucketCut;
use dualgauge_engine::cut::{BATCH_BYTES, bytes_of};
use dualgauge_engine::fs::{Fs, RealFs};
use dualgauge_engine::sink::{Claim, Since, Writing};
use dualgauge_engine::{Basis, Change, Code, Epoch, Error, EventTime, Offset, Place, Result, Sink, SinkWriter};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::back;
use super::claim;
use super::directory::{Log, random_u64};
use super::files::{create_own_dir, on, remove, segments, synced};
use super::identity::{self, Layout};
use super::index::End;
use super::staged::StagedRows;
use super::writer::LogWriter;
use crate::staging::files::{NO_PIPE, refuse_pipe};

/// The log as a sink.
///
/// Bucket `n` is partition `n`. The rows of an epoch are staged beside the segments (`p0000/stage/`) when the epoch is
/// prepared, and appended as one batch when it is committed, or as several if the rows are large. The batch's index
/// entry carries a tag of its job and epoch, so that a repeated commit is recognised, even by another process, and a
/// job can go back. The log is created if it is missing.
#[derive(Clone, Debug)]
pub struct LogSink {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    layout: Layout,
    seal: bool,
    firings: Firings,
}

impl LogSink {
    /// The log in `dir`, or a new one of this layout (a number of partitions, or a [`Layout`]).
    ///
    /// # Panics
    /// When the layout has no partition.
    pub fn new(dir: impl AsRef<Path>, layout: impl Into<Layout>) -> LogSink {
        LogSink::new_on(Arc::new(RealFs), dir, layout)
    }

    /// As [`LogSink::new`], on a file system of the caller's.
    pub fn new_on(fs: Arc<dyn Fs>, dir: impl AsRef<Path>, layout: impl Into<Layout>) -> LogSink {
        let layout = layout.into();
        assert!(layout.partition_count() > 0, "rows must go somewhere: the log has 0 partitions");
        LogSink { fs, dir: dir.as_ref().to_path_buf(), layout, seal: true, firings: Firings::default() }
    }

    /// Whether the log is sealed when the job's input has ended, so that a follower of the log ends too; it is by
    /// default.
    pub fn seal(mut self, seal: bool) -> LogSink {
        self.seal = seal;
        self
    }

    /// Which firings of a window are appended, if it fires more than once; the last one by default. With
    /// [`Firings::All`] each row has its `firing`, from 1, and whether it is the `last`, as two more columns of the
    /// log; a firing is appended at the commit after it, and the last one once more when it is known to be the last.
    pub fn firings(mut self, firings: Firings) -> LogSink {
        self.firings = firings;
        self
    }

    fn log(&self) -> Result<Log> {
        Log::open_on(self.fs.clone(), &self.dir)
    }
}

impl Sink for LogSink {
    fn describe(&self) -> String {
        format!("log:{}", self.dir.display())
    }

    fn places(&self) -> Vec<Place> {
        vec![Place::tree(&*self.fs, &self.dir)]
    }

    fn check(&self, schema: &SchemaRef, writing: &Writing) -> Result<()> {
        refuse_pipe(&*self.fs, &self.dir, NO_PIPE)
            .map_err(|error| error.at(format_args!("sink log:{}", self.dir.display())))?;
        claim::look(self.fs.clone(), &self.dir, writing)?;
        if !identity::exists(&*self.fs, &self.dir) {
            return identity::check(schema, &self.layout).map(drop);
        }
        let log = self.log()?;
        if log.partitions() as usize != self.buckets() {
            let message = format!("it has {} partitions, and {} were asked for", log.partitions(), self.buckets());
            return Err(Error::usage(message).at(self.dir.display()));
        }
        super::message::conform(log.schema(), &RecordBatch::new_empty(schema.clone()))
            .map(|_| ())
            .map_err(|error| error.at(self.dir.display()))
    }

    /// Creates the log too, so that a log that cannot be made durable ends the run before the first row. Of several
    /// starts of a job at the same moment, one creates it.
    fn claim(&self, schema: &SchemaRef, writing: &Writing) -> Result<Claim> {
        let fs = writing.retry.on(self.fs.clone());
        let claim = claim::claim(fs.clone(), &self.dir, writing)?;
        if !identity::exists(&*fs, &self.dir) {
            match Log::create_on(fs.clone(), &self.dir, schema, self.layout.clone()) {
                Err(error)
                    if error.kind() == dualgauge_engine::ErrorKind::Usage && identity::exists(&*fs, &self.dir) => {}
                created => drop(created?),
            }
        }
        back::take_seal_off(&Log::open_on(fs, &self.dir)?, writing)?;
        Ok(claim)
    }

    fn buckets(&self) -> usize {
        self.layout.partition_count() as usize
    }

    fn firings(&self) -> Firings {
        self.firings
    }

    /// Whether the rows have the columns of the log is checked by `check`.
    fn takes_other_columns(&self) -> bool {
        true
    }

    /// The log itself: what is staged lies in it.
    fn basis(&self, _: &SchemaRef) -> Basis {
        let basis = Basis::new().with("format", "log").with("partitions", self.buckets());
        match self.log() {
            Ok(log) => basis.with("log", log.id()),
            Err(_) => basis, // it is created when it is claimed
        }
    }

    /// A log that was missing is there once it has been claimed; any other change means a different log.
    fn takes(&self, change: &Change, _: bool) -> bool {
        change.option == "log" && change.before.is_none()
    }

    fn open(&self, bucket: usize, _: &SchemaRef, writing: &Writing) -> Result<Box<dyn SinkWriter>> {
        let log = Log::open_on(writing.retry.on(self.fs.clone()), &self.dir)?;
        let partition = bucket as u32;
        let stage = log.own_partition_dir(partition)?.join("stage");
        create_own_dir(&*log.fs, &stage)?;
        claim::check_owner(&log.fs, &self.dir, writing.job.as_deref())?;
        let (generation, job) = (writing.generation, writing.job.clone());
        Ok(Box::new(LogSinkWriter { log, job, partition, stage, generation, rows: Vec::new(), tags: Tags::default() }))
    }

    /// What the commit has prepared is in the log, or staged.
    fn published_since(&self, writing: &Writing, _: &[BucketCut]) -> Result<Since> {
        match identity::exists(&*self.fs, &self.dir) {
            true => back::published_since(&self.log()?, writing),
            false => Ok(Since::Nothing),
        }
    }

    fn take_back(&self, writing: &Writing) -> Result<()> {
        let patient = LogSink { fs: writing.retry.on(self.fs.clone()), ..self.clone() };
        match identity::exists(&*self.fs, &self.dir) {
            true => back::take_back(&patient.log()?, writing),
            false => Ok(()),
        }
    }

    /// What savepoints have prepared is in the log already.
    fn finish(&self, _: &SchemaRef, writing: &Writing, _: &[BucketCut]) -> Result<()> {
        if self.seal {
            let log = self.log()?;
            back::note_seal(&log, writing)?;
            for partition in 0..log.partitions() {
                log.writer(partition)?.seal()?;
            }
        }
        claim::end(&self.fs, &self.dir, writing)
    }
}

/// One partition as a sink's bucket. The partition's lock is held only while an epoch is published, so that an older
/// process that has stalled does not block it.
struct LogSinkWriter {
    log: Log,
    job: Option<String>,
    partition: u32,
    stage: PathBuf,
    /// The start of the job that writes; the names of what it stages begin with it.
    generation: u64,
    rows: Vec<RecordBatch>,
    tags: Tags,
}

/// The tags that the partition has up to an offset.
#[derive(Default)]
struct Tags {
    known: HashSet<u64>,
    upto: Option<Offset>,
}

/// What the manifest keeps of a prepared epoch.
#[derive(Serialize, Deserialize)]
struct Prepared {
    /// The name of the staged file.
    file: StagedRows,
    /// What the index entry of the batch will carry.
    tag: u64,
    /// xxh3_64 of the staged file.
    checksum: u64,
}

impl SinkWriter for LogSinkWriter {
    fn write(&mut self, _: &[EventTime], rows: &RecordBatch) -> Result<()> {
        if self.rows.is_empty() {
            self.refuse_sealed()?;
        }
        if rows.num_rows() > 0 {
            self.rows.push(rows.clone());
        }
        Ok(())
    }

    fn prepare(&mut self, epoch: Epoch, _: EventTime) -> Result<Vec<u8>> {
        let Some(first) = self.rows.first() else { return Ok(Vec::new()) };
        let bytes = StreamWriter::try_new(Vec::new(), &first.schema()).and_then(|mut stream| {
            for rows in together(&self.rows) {
                stream.write(&concat_batches(&rows[0].schema(), rows)?)?;
            }
            stream.into_inner()
        });
        let bytes = bytes.map_err(|error| Error::data("the rows cannot be staged").caused_by(error))?;
        let tag = match &self.job {
            Some(job) => back::tag_of(job, epoch),
            None => random_u64().max(1),
        };
        let file = StagedRows::new(self.generation, epoch, tag);
        let path = file.within(&self.stage);
        if let Err(error) = self.stage_file(&path, &bytes) {
            let _ = self.log.fs.remove(&path);
            return Err(error);
        }
        self.rows.clear();
        let prepared = Prepared { file, tag, checksum: xxh3_64(&bytes) };
        Ok(serde_json::to_vec(&prepared).expect("strings and numbers become JSON"))
    }

    fn commit(&mut self, epoch: Epoch, prepared: &[u8]) -> Result<()> {
        if prepared.is_empty() {
            return Ok(());
        }
        self.publish(prepared).map_err(|error| {
            error.at(format!("{}: partition {}: epoch {epoch}", self.log.dir.display(), self.partition))
        })
    }

    fn recover(&mut self, prepared: &[dualgauge_engine::Prepared]) -> Result<()> {
        prepared.iter().try_for_each(|one| self.commit(one.epoch, &one.bytes))?;
        self.remove_orphans()
    }
}

/// The batches in groups that become one batch each: one for all, unless they are large.
fn together(batches: &[RecordBatch]) -> impl Iterator<Item = &[RecordBatch]> {
    let mut bytes = 0;
    batches.chunk_by(move |batch, next| {
        bytes += bytes_of(batch);
        let fits = bytes + bytes_of(next) <= BATCH_BYTES;
        if !fits {
            bytes = 0;
        }
        fits
    })
}

impl LogSinkWriter {
    fn stage_file(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let mut file = on(path, self.log.fs.create(path))?;
        on(path, file.append(bytes))?;
        synced(path, file.sync())?;
        synced(&self.stage, self.log.fs.sync_names(&self.stage))
    }

    /// Appends what was staged, unless the log has it. The order makes it idempotent: the staged file is removed only
    /// after the batch with its tag is durable.
    fn publish(&mut self, prepared: &[u8]) -> Result<()> {
        let prepared: Prepared = serde_json::from_slice(prepared).map_err(|error| {
            Code::CheckpointCorrupt.error("what the manifest says of it cannot be read").caused_by(error)
        })?;
        let path = prepared.file.within(&self.stage);
        claim::check_owner(&self.log.fs, &self.log.dir, self.job.as_deref())?;
        let mut writer = self.log.writer(self.partition)?;
        self.learn_tags(&writer)?;
        if !self.tags.known.contains(&prepared.tag) {
            let bytes = match self.log.fs.read(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Err(Error::data(format!(
                        "{}: the prepared rows are gone, and the log does not have them; was the stage directory emptied, their segment deleted by retention, or an old copy of the checkpoints brought back?",
                        path.display()
                    )));
                }
                bytes => on(&path, bytes)?,
            };
            if xxh3_64(&bytes) != prepared.checksum {
                return Err(Error::data(format!("{}: the prepared rows are damaged (bad checksum)", path.display())));
            }
            let unreadable = |error| Error::data("it is not an Arrow stream").caused_by(error).at(path.display());
            let stream = StreamReader::try_new(&bytes[..], None).map_err(unreadable)?;
            for batch in stream {
                writer.append_tagged(&batch.map_err(unreadable)?, prepared.tag)?;
            }
            self.tags.upto = Some(writer.commit()?);
            self.tags.known.insert(prepared.tag);
        }
        remove(&*self.log.fs, &path)
    }

    /// Reads the tags in the log, unless nobody has written since they were read.
    fn learn_tags(&mut self, writer: &LogWriter) -> Result<()> {
        if self.tags.upto.as_ref() == Some(&writer.offset()) {
            return Ok(());
        }
        let dir = self.log.partition_dir(self.partition)?;
        for first in segments(&*self.log.fs, &dir)? {
            let index = self.log.index(self.partition, &dir, first)?;
            self.tags.known.extend(index.run.committed.iter().map(|entry| entry.tag));
        }
        self.tags.upto = Some(writer.offset());
        Ok(())
    }

    fn refuse_sealed(&self) -> Result<()> {
        let dir = self.log.partition_dir(self.partition)?;
        if let Some(&last) = segments(&*self.log.fs, &dir)?.last()
            && self.log.index(self.partition, &dir, last)?.run.end == Some(End::Sealed)
        {
            let place = format!("{}: partition {}", self.log.dir.display(), self.partition);
            return Err(Error::usage(format!("{place}: it is sealed; write to a new log, or do not seal the old one")));
        }
        Ok(())
    }

    /// Removes what earlier generations have staged and no manifest names; what a younger one has staged stays.
    fn remove_orphans(&self) -> Result<()> {
        let names = on(&self.stage, self.log.fs.list(&self.stage))?;
        let orphans = names.into_iter().filter_map(|name| StagedRows::of(&name));
        let orphans = orphans.filter(|orphan| orphan.generation() <= self.generation);
        orphans.into_iter().try_for_each(|orphan| remove(&*self.log.fs, &orphan.within(&self.stage)))
    }
}
