//! One bucket of the sink: its open spans, and how a finished one becomes visible.
//!
//! A file in an output directory is whole. It is written and made durable under a staged name, and gets its visible one by
//! a link, which never replaces another file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use dualgauge_engine::{Duration, Epoch, Error, EventTime, Result, SinkWriter};
use serde::{Deserialize, Serialize};

use super::disk;
use super::order::Rows;
use super::span::{OpenSpan, Staging};
use super::writer::FileOptions;

/// The first byte of what [`SinkWriter::prepare`] returns; a JSON list of [`Prepared`] follows.
const FORMAT: u8 = 1;

/// Writes the files of one bucket.
#[derive(Debug)]
pub(super) struct BucketWriter {
    dir: PathBuf,
    staging: PathBuf,
    bucket: usize,
    schema: SchemaRef,
    span: Duration,
    options: FileOptions,
    /// By the start of the span.
    open: BTreeMap<EventTime, OpenSpan>,
    /// The names that this writer gave.
    taken: BTreeSet<String>,
}

/// A file that is whole and durable and not yet visible.
#[derive(Debug, Serialize, Deserialize)]
struct Prepared {
    /// Its name under the staging directory.
    staged: String,
    /// The name it is to have.
    name: String,
    /// The hash of its content, by which a second commit recognises what the first one published.
    blake3: String,
}

impl BucketWriter {
    pub(super) fn new(
        dir: &Path,
        staging: PathBuf,
        bucket: usize,
        schema: SchemaRef,
        span: Duration,
        options: FileOptions,
    ) -> BucketWriter {
        let (open, taken) = (BTreeMap::new(), BTreeSet::new());
        BucketWriter { dir: dir.to_owned(), staging, bucket, schema, span, options, open, taken }
    }

    fn span_start(&self, time: EventTime) -> EventTime {
        time.floor_to(self.span, Duration::ZERO)
    }

    fn write_span(&mut self, start: EventTime, rows: Rows) -> Result<()> {
        /// Tells the staged files of one process apart; other processes have other numbers.
        static STAGED: AtomicU64 = AtomicU64::new(0);
        let (staging, bucket) = (&self.staging, self.bucket);
        let span = self.open.entry(start).or_insert_with(|| {
            let number = STAGED.fetch_add(1, Ordering::Relaxed);
            let stem = staging.join(format!("{}-b{bucket}.{}.{number}", file_time(start), std::process::id()));
            OpenSpan::new(Staging { stem, schema: SchemaRef::clone(&self.schema), options: self.options.clone() })
        });
        span.write(rows)
    }

    /// A name for the span that nobody has: the plain one, or that of the next supplement.
    fn name(&mut self, start: EventTime) -> String {
        let stem = format!("{}-b{}", file_time(start), self.bucket);
        let supplements = (1_u64..).map(|number| format!("{stem}.s{number}.parquet"));
        let mut names = std::iter::once(format!("{stem}.parquet")).chain(supplements);
        let free = |name: &String| !self.taken.contains(name) && !self.dir.join(name).exists();
        let name = names.find(free).expect("numbers do not end");
        self.taken.insert(name.clone());
        name
    }

    /// Makes one file visible, unless it is already.
    fn publish(&self, file: &Prepared) -> Result<()> {
        let (staged, visible) = (self.staging.join(&file.staged), self.dir.join(&file.name));
        let linked = staged.exists() && disk::link(&staged, &visible)?;
        if linked {
            return disk::remove(&staged);
        }
        let is_ours = visible.exists() && hash(&visible)? == file.blake3;
        match (is_ours, visible.exists()) {
            (true, _) => disk::remove(&staged),
            (false, true) => Err(Error::environment(format!(
                "{} is another file than the one to be published. Does another job write to this directory?",
                visible.display()
            ))),
            (false, false) => Err(Error::environment(format!(
                "{} was prepared and is gone. Was the directory cleaned while the job was down?",
                staged.display()
            ))),
        }
    }
}

impl SinkWriter for BucketWriter {
    fn write(&mut self, times: &[EventTime], rows: &RecordBatch) -> Result<()> {
        assert_eq!(times.len(), rows.num_rows(), "every row has an event time");
        let rows = Rows { times: times.to_vec(), batch: rows.clone() }.sorted()?;
        let mut from = 0;
        while from < rows.len() {
            let start = self.span_start(rows.times[from]);
            let count = rows.times[from..].partition_point(|time| self.span_start(*time) == start);
            self.write_span(start, rows.slice(from, from + count))?;
            from += count;
        }
        Ok(())
    }

    fn prepare(&mut self, _: Epoch, watermark: EventTime) -> Result<Vec<u8>> {
        let mut prepared = Vec::new();
        while let Some(first) = self.open.first_entry().filter(|first| *first.key() + self.span <= watermark) {
            let (start, span) = first.remove_entry();
            let staged = span.finish()?;
            let blake3 = hash(&staged)?;
            let staged = staged.file_name().expect("a staged file has a name").to_string_lossy().into_owned();
            prepared.push(Prepared { staged, name: self.name(start), blake3 });
        }
        if prepared.is_empty() {
            return Ok(Vec::new());
        }
        disk::sync_dir(&self.staging)?;
        let mut bytes = vec![FORMAT];
        bytes.extend(serde_json::to_vec(&prepared).expect("names are text"));
        Ok(bytes)
    }

    fn commit(&mut self, epoch: Epoch, prepared: &[u8]) -> Result<()> {
        let files: Vec<Prepared> = match prepared.split_first() {
            None => return Ok(()),
            Some((&FORMAT, json)) => serde_json::from_slice(json).map_err(|e| {
                Error::data(format!("what epoch {epoch} prepared for {} cannot be read", self.dir.display()))
                    .caused_by(e)
            })?,
            Some((format, _)) => {
                return Err(Error::data(format!(
                    "what epoch {epoch} prepared for {} has format {format}, and this build knows {FORMAT}. \
                     Was it written by a newer version?",
                    self.dir.display()
                )));
            }
        };
        for file in &files {
            self.publish(file)?;
        }
        disk::sync_dir(&self.dir)
    }

    fn recover(&mut self, prepared: &[dualgauge_engine::Prepared]) -> Result<()> {
        prepared.iter().try_for_each(|one| self.commit(one.epoch, &one.bytes))
    }
}

/// A time as part of a file name: `20260101T120000Z`.
fn file_time(time: EventTime) -> String {
    let text = time.to_string();
    let sign = if text.starts_with('-') { "n" } else { "" };
    format!("{sign}{}", text.replace(['-', ':'], ""))
}

fn hash(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let read = std::io::copy(&mut disk::open(path)?, &mut hasher);
    read.map_err(|e| Error::io(format!("cannot read {}", path.display()), e))?;
    Ok(hasher.finalize().to_hex().to_string())
}
