//! A file into which rows stream if they come in order, in a job without checkpoints.
//!
//! If nothing was out of order, it becomes the span's file as it is; otherwise it is read back and merged with the rows
//! that were. For that purpose its event times, which need not be a column, are written beside it.
//!
//! A file that is being written holds pages of all columns in memory, up to a row group. So a process has only so many
//! of them at once (`DIRECT_MAX`); the rows of other spans are staged as in a job with checkpoints.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{ChunkReader, Length};
use arrow_schema::SchemaRef;
use bytes::Bytes;
use dualgauge_engine::fs::FsFile;
use dualgauge_engine::{Error, EventTime, Result};

use super::guard::guarded;
use super::order::{Rows, Run, failed};
use super::reader::rows_at_once;
use super::writer::{FileOptions, FileWriter};
use crate::staging::{Aside, Making, StagedFile, StagedName, Whole, files::on};

/// A sorted run that is being written as a Parquet file, and its event times beside it.
pub(super) struct Direct {
    file: FileWriter<StagedFile>,
    times: StagedFile,
    name: StagedName,
    times_name: StagedName,
    times_path: PathBuf,
    _permit: Permit,
}

/// How many there may be at once.
const DIRECT_MAX: usize = 64;

static DIRECT: AtomicUsize = AtomicUsize::new(0);

/// The right to one of the `DIRECT_MAX` files.
struct Permit;

impl Permit {
    fn take() -> Option<Permit> {
        let one_more = |count: usize| (count < DIRECT_MAX).then_some(count + 1);
        DIRECT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        DIRECT.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Direct {
    /// A new one, unless there are too many.
    pub(super) fn create(making: &mut Making<'_>, schema: &SchemaRef, options: &FileOptions) -> Result<Option<Direct>> {
        let Some(permit) = Permit::take() else { return Ok(None) };
        let name = making.aside.name(making.what, "ready");
        let times_name = name.beside("times");
        let file = FileWriter::new(StagedFile::create(making.aside, &name)?, schema, options)?;
        let times = StagedFile::create(making.aside, &times_name)?;
        let times_path = making.aside.path(&times_name);
        Ok(Some(Direct { file, times, times_path, name, times_name, _permit: permit }))
    }

    /// Takes rows that follow those before.
    pub(super) fn write(&mut self, rows: &Rows) -> Result<()> {
        self.file.write(&rows.batch)?;
        let times: Vec<u8> = rows.times.iter().flat_map(|time| time.as_micros().to_le_bytes()).collect();
        on(&self.times_path, self.times.write_all(&times))
    }

    /// Makes it the file of the span.
    pub(super) fn finish(self) -> Result<Whole> {
        let blake3 = self.file.finish()?.finish()?;
        Ok(Whole { staged: self.name, blake3, spent: vec![self.times_name] })
    }

    /// Reads it back; `spent` gets the names of its files.
    pub(super) fn read(self, aside: &Aside, spent: &mut Vec<StagedName>) -> Result<Run> {
        self.file.finish()?.finish()?;
        self.times.finish()?;
        let path = aside.path(&self.name);
        spent.extend([self.name, self.times_name]);
        let place = path.display().to_string();
        let file = Positioned(on(&path, aside.fs.open(&path))?.into());
        let times = on(&self.times_path, aside.fs.open(&self.times_path))?;
        let reader = guarded(&place, || {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
            let groups = builder.metadata().row_groups();
            let rows = groups.iter().map(|group| rows_at_once(group, AT_ONCE_ROWS)).min().unwrap_or(1);
            builder.with_batch_size(rows).build()
        })?;
        let mut position = 0;
        let rows = reader.map(move |batch| {
            let batch = batch.map_err(|error| failed(error).at(&place))?;
            let mut bytes = vec![0; 8 * batch.num_rows()];
            let read = times.read_at(position, &mut bytes);
            let read = read.map_err(|error| Error::io(format!("{place}: its event times"), error))?;
            assert_eq!(read, bytes.len(), "every row has an event time");
            position += read as u64;
            let time = |bytes: &[u8]| EventTime::from_micros(i64::from_le_bytes(bytes.try_into().expect("8 bytes")));
            Ok(Rows { times: bytes.chunks_exact(8).map(time).collect(), batch })
        });
        Ok(Box::new(rows))
    }
}

/// How many rows are read back at once, or fewer where they are large.
const AT_ONCE_ROWS: usize = 1024;

/// A file as the Parquet library reads it.
pub(super) struct Positioned(pub(super) Arc<dyn FsFile>);

/// How much is read at once if the library does not say how much it wants.
const AHEAD_BYTES: usize = 1 << 16;

impl Length for Positioned {
    fn len(&self) -> u64 {
        self.0.length().unwrap_or(0)
    }
}

impl ChunkReader for Positioned {
    type T = io::BufReader<From>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(io::BufReader::with_capacity(AHEAD_BYTES, From { file: self.0.clone(), position: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut bytes = vec![0; length];
        match self.0.read_at(start, &mut bytes)? {
            read if read == length => Ok(bytes.into()),
            read => Err(ParquetError::EOF(format!("{read} of {length} bytes are there at {start}"))),
        }
    }
}

/// A file from a position on.
pub(super) struct From {
    file: Arc<dyn FsFile>,
    position: u64,
}

impl Read for From {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.position, buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}
