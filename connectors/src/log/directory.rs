//! A log's directory: where writers and readers are opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::SchemaRef;
use dualgauge_engine::fs::{Fs, RealFs};
use dualgauge_engine::{Clock, Error, Offset, Result, SystemClock};

use super::files::{create_dirs_durably, is_own_dir};
use super::format::{partition_name, schema_message};
use super::identity::{self, Identity, Layout};
use super::index::{Index, Owner};
use super::reader::{LogReader, ReadOptions};
use super::writer::{LogWriter, WriteOptions};

/// An append-only, partitioned event log in a directory.
///
/// One writer per partition appends; any number of readers follow, in other processes too.
///
/// ```
/// use std::sync::Arc;
/// use arrow_array::{Int64Array, RecordBatch};
/// use arrow_schema::{DataType, Field, Schema};
/// use dualgauge_connectors::log::{Log, ReadOptions};
/// use dualgauge_engine::{Next, PartitionReader};
///
/// let schema = Arc::new(Schema::new(vec![Field::new("price", DataType::Int64, false)]));
/// let dir = tempfile::tempdir().unwrap();
/// let log = Log::create(dir.path().join("bids"), &schema, 1).unwrap();
///
/// let mut writer = log.writer(0).unwrap();
/// writer.append(&RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(vec![3, 5]))]).unwrap()).unwrap();
/// writer.commit().unwrap(); // durable, and visible, from here on
///
/// let mut reader = log.reader(0, None, ReadOptions::default()).unwrap();
/// let Next::Batch(batch) = reader.next().unwrap() else { panic!("two rows were committed") };
/// assert_eq!(batch.rows.num_rows(), 2);
/// assert_eq!(batch.offset_after.position, 2);
/// assert!(matches!(reader.next().unwrap(), Next::Pending));
/// ```
#[derive(Clone, Debug)]
pub struct Log {
    pub(super) fs: Arc<dyn Fs>,
    pub(super) dir: PathBuf,
    pub(super) identity: Arc<Identity>,
    /// The message that every segment starts with.
    pub(super) schema_message: Arc<[u8]>,
    pub(super) clock: SharedClock,
}

/// A clock that a `Debug` type can hold.
#[derive(Clone)]
pub(super) struct SharedClock(pub Arc<dyn Clock>);

impl std::fmt::Debug for SharedClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl Log {
    /// Creates a log of rows of this schema. The layout is a number of partitions, or a [`Layout`].
    ///
    /// # Errors
    /// A log that exists already, a schema that a log cannot store (dictionary-encoded columns), an event-time column
    /// that is not there, or a disk that refuses.
    pub fn create(dir: impl AsRef<Path>, schema: &SchemaRef, layout: impl Into<Layout>) -> Result<Log> {
        Log::create_on(Arc::new(RealFs), dir, schema, layout)
    }

    /// Opens the log in `dir`.
    ///
    /// # Errors
    /// No log there, or one whose identity is damaged or of a later version.
    pub fn open(dir: impl AsRef<Path>) -> Result<Log> {
        Log::open_on(Arc::new(RealFs), dir)
    }

    /// Creates a log on a file system of the caller's.
    ///
    /// # Errors
    /// As [`Log::create`].
    pub fn create_on(
        fs: Arc<dyn Fs>,
        dir: impl AsRef<Path>,
        schema: &SchemaRef,
        layout: impl Into<Layout>,
    ) -> Result<Log> {
        let dir = dir.as_ref();
        let layout = layout.into();
        identity::check(schema, &layout)?;
        create_dirs_durably(&*fs, dir)?;
        let identity = Identity::create(&*fs, dir, schema, &layout, random_id())?;
        Ok(Log::new(fs, dir, identity))
    }

    /// Opens a log on a file system of the caller's.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_on(fs: Arc<dyn Fs>, dir: impl AsRef<Path>) -> Result<Log> {
        let dir = dir.as_ref();
        let identity = Identity::load(&*fs, dir)?;
        Ok(Log::new(fs, dir, identity))
    }

    fn new(fs: Arc<dyn Fs>, dir: &Path, identity: Identity) -> Log {
        let schema_message = schema_message(&identity.schema).into();
        let clock = SharedClock(Arc::new(SystemClock::new()));
        Log { fs, dir: dir.to_path_buf(), identity: Arc::new(identity), schema_message, clock }
    }

    /// The same log with another clock for the times of append.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Log {
        self.clock = SharedClock(clock);
        self
    }

    /// The columns of the log.
    pub fn schema(&self) -> &SchemaRef {
        &self.identity.schema
    }

    /// How many partitions the log has.
    pub fn partitions(&self) -> u32 {
        self.identity.partitions
    }

    /// The column of the event time, if the log was given one.
    pub fn event_time(&self) -> Option<&str> {
        self.identity.event_time.map(|index| self.identity.schema.field(index).name().as_str())
    }

    /// The identity that the log was created with, in hexadecimal digits: what a file that covers a part of it names.
    pub fn id(&self) -> String {
        identity::hex(&self.identity.id)
    }

    /// The directory of the log.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Opens the partition for writing, and mends what the last writer left unfinished ([`LogWriter::recovery`]).
    ///
    /// # Errors
    /// A partition that has a writer already, in this process or another; damage that is not a torn tail; a disk that
    /// refuses.
    pub fn writer(&self, partition: u32) -> Result<LogWriter> {
        self.writer_with(partition, WriteOptions::default())
    }

    /// Opens the partition for writing, with options.
    ///
    /// # Errors
    /// As [`Log::writer`].
    pub fn writer_with(&self, partition: u32, options: WriteOptions) -> Result<LogWriter> {
        LogWriter::open(self, partition, options)
    }

    /// Opens the partition for reading after `from`, or from its present front.
    ///
    /// # Errors
    /// An offset that the log no longer has or does not have yet, or one whose proof does not match: the offset was
    /// taken from another log, or the log was replaced. A column that the log does not have.
    pub fn reader(&self, partition: u32, from: Option<&Offset>, options: ReadOptions) -> Result<LogReader> {
        LogReader::open(self, partition, from, options)
    }

    pub(super) fn partition_dir(&self, partition: u32) -> Result<PathBuf> {
        if partition >= self.partitions() {
            let message = format!(
                "{}: there is no partition {partition}; the log has {} (from 0)",
                self.dir.display(),
                self.partitions()
            );
            return Err(Error::usage(message));
        }
        Ok(self.dir.join(partition_name(partition)))
    }

    /// The directory of a partition that is to be written; it must be a directory and not a link to one.
    pub(super) fn own_partition_dir(&self, partition: u32) -> Result<PathBuf> {
        let dir = self.partition_dir(partition)?;
        match is_own_dir(&*self.fs, &dir)? {
            true => Ok(dir),
            false => Err(Error::data(format!("{}: the directory of partition {partition} is gone", dir.display()))),
        }
    }

    pub(super) fn owner(&self, partition: u32) -> Owner {
        Owner { log: self.identity.id, partition }
    }

    pub(super) fn schema_length(&self) -> u64 {
        self.schema_message.len() as u64
    }

    pub(super) fn index(&self, partition: u32, dir: &Path, first: u64) -> Result<Index> {
        Index::load(&*self.fs, dir, first, &self.owner(partition), self.schema_length())
    }
}

fn random_id() -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&random_u64().to_le_bytes());
    id[8..].copy_from_slice(&random_u64().to_le_bytes());
    id
}

/// A number that no other process draws, since the standard library seeds its hashers from the system.
pub(super) fn random_u64() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
