//! One span of event time that still receives rows: a staged file that they stream into, and the stragglers beside it.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow_schema::SchemaRef;
use dualgauge_engine::{Error, EventTime, Result};

use super::disk;
use super::guard::guarded;
use super::order::{Rows, Run, failed, merge};
use super::writer::{FileOptions, FileWriter};

/// How many stragglers are kept in memory before they are staged as a run of their own.
const STRAGGLERS_MAX: usize = 1 << 16;

/// The rows of a span that is not finished.
///
/// Rows that come in order stream into the first run, which becomes the file as it is when nothing was out of order.
/// Stragglers are kept aside and merged at the end, through the same settings; so both ways give the same bytes.
#[derive(Debug)]
pub(super) struct OpenSpan {
    staging: Staging,
    first: Option<RunWriter>,
    /// The last row of the first run.
    last: Option<Rows>,
    stragglers: Vec<Rows>,
    /// Stragglers that were too many for memory.
    staged: Vec<RunFile>,
}

/// Where a span stages its files, and how they are written.
#[derive(Clone, Debug)]
pub(super) struct Staging {
    /// What the names of its files start with; nobody else's do.
    pub(super) stem: PathBuf,
    pub(super) schema: SchemaRef,
    pub(super) options: FileOptions,
}

impl Staging {
    fn path(&self, what: &str) -> PathBuf {
        let mut path = self.stem.clone().into_os_string();
        path.push(what);
        path.into()
    }
}

impl OpenSpan {
    pub(super) fn new(staging: Staging) -> OpenSpan {
        OpenSpan { staging, first: None, last: None, stragglers: Vec::new(), staged: Vec::new() }
    }

    /// Takes sorted rows.
    pub(super) fn write(&mut self, rows: Rows) -> Result<()> {
        let behind = match &self.last {
            Some(last) => rows.count_below(last, 0, false)?,
            None => 0,
        };
        if behind > 0 {
            self.stragglers.push(rows.slice(0, behind));
            if self.stragglers.iter().map(Rows::len).sum::<usize>() >= STRAGGLERS_MAX {
                self.stage_stragglers()?;
            }
        }
        if behind < rows.len() {
            let rows = rows.slice(behind, rows.len());
            let first = match &mut self.first {
                Some(first) => first,
                none => none.insert(RunWriter::new(&self.staging, ".0.part")?),
            };
            first.write(&rows)?;
            self.last = Some(rows.slice(rows.len() - 1, rows.len()));
        }
        Ok(())
    }

    fn stage_stragglers(&mut self) -> Result<()> {
        let rows = Rows::sorted_together(&std::mem::take(&mut self.stragglers))?;
        let mut run = RunWriter::new(&self.staging, &format!(".{}.part", self.staged.len() + 1))?;
        run.write(&rows)?;
        self.staged.push(run.finish()?.0);
        Ok(())
    }

    /// Writes what is left and makes the whole span durable in one staged file, of which the path is returned.
    pub(super) fn finish(mut self) -> Result<PathBuf> {
        let first = self.first.take().expect("a span is opened by its first row, which is no straggler");
        let (first, file) = first.finish()?;
        let ready = self.staging.path(".ready");
        if self.staged.is_empty() && self.stragglers.is_empty() {
            disk::sync(&file, &first.path)?;
            disk::link(&first.path, &ready)?;
        } else {
            let mut runs = vec![first.read()?];
            for run in &self.staged {
                runs.push(run.read()?);
            }
            if !self.stragglers.is_empty() {
                let rows = Rows::sorted_together(&self.stragglers)?;
                runs.push(Box::new(std::iter::once(Ok(rows))));
            }
            let mut writer = FileWriter::new(disk::create(&ready)?, &self.staging.schema, &self.staging.options)?;
            merge(runs, |batch| writer.write(batch))?;
            disk::sync(&writer.finish()?, &ready)?;
        }
        Ok(ready)
    }
}

/// A sorted run that is being staged: a Parquet file, and beside it the event times, which need not be a column.
#[derive(Debug)]
struct RunWriter {
    file: RunFile,
    writer: FileWriter<File>,
    times: BufWriter<File>,
}

impl RunWriter {
    fn new(staging: &Staging, what: &str) -> Result<RunWriter> {
        let file = RunFile { path: staging.path(what), times: staging.path(&format!("{what}.times")) };
        let writer = FileWriter::new(disk::create(&file.path)?, &staging.schema, &staging.options)?;
        let times = BufWriter::new(disk::create(&file.times)?);
        Ok(RunWriter { file, writer, times })
    }

    fn write(&mut self, rows: &Rows) -> Result<()> {
        self.writer.write(&rows.batch).map_err(|e| e.at(self.file.path.display()))?;
        for time in &rows.times {
            let bytes = time.as_micros().to_le_bytes();
            self.times.write_all(&bytes).map_err(|e| self.file.refused(e))?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(RunFile, File)> {
        self.times.flush().map_err(|e| self.file.refused(e))?;
        let file = self.writer.finish().map_err(|e| e.at(self.file.path.display()))?;
        Ok((self.file, file))
    }
}

/// A staged run; its files are gone when it is dropped.
#[derive(Debug)]
struct RunFile {
    path: PathBuf,
    times: PathBuf,
}

impl RunFile {
    fn refused(&self, cause: std::io::Error) -> Error {
        Error::io(format!("cannot stage {}", self.times.display()), cause)
    }

    fn read(&self) -> Result<Run> {
        let place = self.path.display().to_string();
        let file = disk::open(&self.path)?;
        let mut times = BufReader::new(disk::open(&self.times)?);
        let reader = guarded(&place, || ParquetRecordBatchReaderBuilder::try_new(file)?.build())?;
        let rows = reader.map(move |batch| {
            let batch = batch.map_err(|e| failed(e).at(&place))?;
            let mut time = || {
                let mut bytes = [0; 8];
                times.read_exact(&mut bytes).map_err(|e| Error::io(format!("{place}: its event times"), e))?;
                Ok(EventTime::from_micros(i64::from_le_bytes(bytes)))
            };
            Ok(Rows { times: (0..batch.num_rows()).map(|_| time()).collect::<Result<_>>()?, batch })
        });
        Ok(Box::new(rows))
    }
}

impl Drop for RunFile {
    fn drop(&mut self) {
        // What cannot be removed now is removed at the next start.
        let _ = disk::remove(Path::new(&self.path));
        let _ = disk::remove(Path::new(&self.times));
    }
}
