//! One bucket of an output directory: rows are staged by span, and a span that is over becomes a file.
//!
//! ```text
//! out/20260101T000000Z-b0.csv            published: linked here when it was whole, never touched again
//! out/.staging/20260101T010000Z-b0.0.part   an open span: rows as they came (time, length, text)
//! out/.staging/20260101T000000Z-b0.csv.0    a finished file before its link
//! ```
//!
//! A file in an output directory is whole. What `prepare` returns names every part with the length that is durable, so a later generation takes open spans up
//! where the commit left them, whatever was appended after it.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use dualgauge_engine::{Epoch, Error, EventTime, Result, SinkWriter};
use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::{Format, rows};

/// How many open spans have their file open; far below what a process may have.
const FILES_OPEN_MAX: usize = 64;

/// The writer of one bucket.
pub(super) struct SpanWriter<F> {
    format: F,
    layout: Layout,
    bucket: usize,
    schema: SchemaRef,
    /// By the start of the span.
    open: BTreeMap<EventTime, OpenSpan>,
    /// The names that this writer has given away and that may not be in the directory yet.
    named: HashSet<String>,
}

/// A span that may still get rows.
#[derive(Default)]
struct OpenSpan {
    /// What is staged and closed, by this generation or an earlier one.
    parts: Vec<Part>,
    /// What is being staged.
    own: Option<(Part, BufWriter<File>)>,
}

/// A staged file of which so many bytes count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    name: String,
    length: u64,
}

/// What a manifest says about the bucket.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Prepared {
    /// The parts of the spans that were open, by their start in microseconds.
    open: Vec<(i64, Vec<Part>)>,
    /// The files to be linked.
    publish: Vec<Publish>,
}

/// A finished file that waits for its commit.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Publish {
    staged: String,
    name: String,
    /// What it was made from, and is no longer needed once it is published.
    parts: Vec<Part>,
}

impl<F: Format> SpanWriter<F> {
    pub(super) fn new(format: F, layout: Layout, bucket: usize, schema: SchemaRef) -> Result<SpanWriter<F>> {
        fs::create_dir_all(&layout.staging).map_err(|cause| cannot("create", &layout.staging, cause))?;
        sync_directory(&layout.directory)?;
        Ok(SpanWriter { format, layout, bucket, schema, open: BTreeMap::new(), named: HashSet::new() })
    }

    /// Merges what is staged of a span into its file.
    fn close(&mut self, start: EventTime, span: OpenSpan) -> Result<Publish> {
        let mut parts = span.parts;
        if let Some((part, mut file)) = span.own {
            file.flush().map_err(|cause| cannot("write", &self.layout.staging.join(&part.name), cause))?;
            parts.push(part);
        }
        let mut staged_rows = Vec::new();
        for part in &parts {
            read_part(&self.layout.staging.join(&part.name), part.length, &mut staged_rows)?;
        }
        let name = self.free_name(start);
        let text = rows::sorted(&self.format, Some(&self.schema), staged_rows);
        let (staged, path, mut file) = self.create(&name, "")?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(|cause| cannot("write", &path, cause))?;
        Ok(Publish { staged, name, parts })
    }

    /// Closes the staged file of the earliest span, which is the least likely to get more rows.
    fn set_aside(&mut self) -> Result<()> {
        let Some(span) = self.open.values_mut().find(|span| span.own.is_some()) else { return Ok(()) };
        let Some((part, mut file)) = span.own.take() else { return Ok(()) };
        let durable = file.flush().and_then(|()| file.get_ref().sync_all());
        durable.map_err(|cause| cannot("write", &self.layout.staging.join(&part.name), cause))?;
        span.parts.push(part);
        Ok(())
    }

    /// The span's name, or that of a supplement where it is taken.
    fn free_name(&mut self, start: EventTime) -> String {
        let names = (0..).map(|supplement| self.layout.name(start, self.bucket, supplement));
        let free = |name: &String| !self.named.contains(name) && !self.layout.directory.join(name).exists();
        let name = names.into_iter().find(free).expect("numbers do not end");
        self.named.insert(name.clone());
        name
    }

    /// A staged file that no generation has made before.
    fn create(&self, stem: &str, ending: &str) -> Result<(String, PathBuf, File)> {
        for number in 0_u64.. {
            let name = format!("{stem}.{number}{ending}");
            let path = self.layout.staging.join(&name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((name, path, file)),
                Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(cannot("create", &path, cause)),
            }
        }
        unreachable!("numbers do not end")
    }

    fn publish(&self, publish: &Publish) -> Result<()> {
        let (staged, name) = (self.layout.staging.join(&publish.staged), self.layout.directory.join(&publish.name));
        match fs::hard_link(&staged, &name) {
            Ok(()) => {}
            // Published before, by this generation or another.
            Err(cause) if cause.kind() == ErrorKind::NotFound && name.exists() => {}
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {
                let read = |path: &Path| fs::read(path).map_err(|cause| cannot("read", path, cause));
                if read(&staged)? != read(&name)? {
                    return Err(Error::environment(format!(
                        "file {} is there already with other content; likely mistake: another job writes into this \
                         directory",
                        name.display()
                    )));
                }
            }
            Err(cause) => return Err(cannot("link", &name, cause)),
        }
        sync_directory(&self.layout.directory)?;
        for done in publish.parts.iter().map(|part| &part.name).chain([&publish.staged]) {
            let path = self.layout.staging.join(done);
            match fs::remove_file(&path) {
                Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(cannot("remove", &path, cause)),
                _ => {}
            }
        }
        Ok(())
    }
}

impl<F: Format> SinkWriter for SpanWriter<F> {
    fn write(&mut self, times: &[EventTime], batch: &RecordBatch) -> Result<()> {
        for (time, line) in rows::encode(&self.format, times, batch)? {
            let start = self.layout.span_of(time);
            if self.open.get(&start).is_none_or(|span| span.own.is_none()) {
                if self.open.values().filter(|span| span.own.is_some()).count() >= FILES_OPEN_MAX {
                    self.set_aside()?;
                }
                let stem = self.layout.name(start, self.bucket, 0);
                let (name, _, file) = self.create(&stem, ".part")?;
                let own = Some((Part { name, length: 0 }, BufWriter::new(file)));
                self.open.entry(start).or_default().own = own;
            }
            let (part, file) = self.open.get_mut(&start).and_then(|span| span.own.as_mut()).expect("made above");
            write_row(file, time, &line)
                .map_err(|cause| cannot("write", &self.layout.staging.join(&part.name), cause))?;
            part.length += (ROW_HEAD + line.len()) as u64;
        }
        Ok(())
    }

    fn prepare(&mut self, _: Epoch, watermark: EventTime) -> Result<Vec<u8>> {
        let mut prepared = Prepared::default();
        let over: Vec<_> = self.open.keys().copied().filter(|start| self.layout.is_over(*start, watermark)).collect();
        for start in over {
            let span = self.open.remove(&start).expect("a span that is open");
            prepared.publish.push(self.close(start, span)?);
        }
        for (start, span) in &mut self.open {
            let mut parts = span.parts.clone();
            if let Some((part, file)) = &mut span.own {
                let durable = file.flush().and_then(|()| file.get_ref().sync_all());
                durable.map_err(|cause| cannot("write", &self.layout.staging.join(&part.name), cause))?;
                parts.push(part.clone());
            }
            prepared.open.push((start.as_micros(), parts));
        }
        if prepared == Prepared::default() {
            return Ok(Vec::new());
        }
        sync_directory(&self.layout.staging)?;
        Ok(serde_json::to_vec(&prepared).expect("names and numbers"))
    }

    fn commit(&mut self, epoch: Epoch, prepared: &[u8]) -> Result<()> {
        parse(epoch, prepared)?.publish.iter().try_for_each(|publish| self.publish(publish))
    }

    fn recover(&mut self, prepared: &[dualgauge_engine::Prepared]) -> Result<()> {
        for dualgauge_engine::Prepared { epoch, bytes } in prepared {
            let prepared = parse(*epoch, bytes)?;
            prepared.publish.iter().try_for_each(|publish| self.publish(publish))?;
            // The newest commit comes last, and names all that is open.
            let spans = prepared.open.into_iter();
            let spans = spans.map(|(start, parts)| (EventTime::from_micros(start), OpenSpan { parts, own: None }));
            self.open = spans.collect();
        }
        Ok(())
    }
}

fn parse(epoch: Epoch, prepared: &[u8]) -> Result<Prepared> {
    if prepared.is_empty() {
        return Ok(Prepared::default());
    }
    let damaged =
        |cause| Error::data(format!("what epoch {epoch} prepared for a text sink is damaged")).caused_by(cause);
    serde_json::from_slice(prepared).map_err(|cause: serde_json::Error| damaged(cause))
}

/// A staged row: time in microseconds (8 bytes), length (8 bytes), text; little-endian.
const ROW_HEAD: usize = 16;

fn write_row(file: &mut impl Write, time: EventTime, line: &[u8]) -> std::io::Result<()> {
    file.write_all(&time.as_micros().to_le_bytes())?;
    file.write_all(&(line.len() as u64).to_le_bytes())?;
    file.write_all(line)
}

fn read_part(path: &Path, length: u64, rows: &mut Vec<(EventTime, Vec<u8>)>) -> Result<()> {
    let file = File::open(path).map_err(|cause| cannot("open", path, cause))?;
    let (mut file, mut rest) = (BufReader::new(file.take(length)), length);
    while rest > 0 {
        let mut number = [0; 8];
        let mut next = || file.read_exact(&mut number).map(|()| number).map_err(|cause| cannot("read", path, cause));
        let (time, bytes) = (EventTime::from_micros(i64::from_le_bytes(next()?)), u64::from_le_bytes(next()?));
        rest = rest.checked_sub(ROW_HEAD as u64).and_then(|rest| rest.checked_sub(bytes)).ok_or_else(|| {
            Error::data(format!("staged file {} is damaged; the job must start from an older commit", path.display()))
        })?;
        let mut line = vec![0; bytes as usize];
        file.read_exact(&mut line).map_err(|cause| cannot("read", path, cause))?;
        rows.push((time, line));
    }
    Ok(())
}

/// Makes the names in a directory durable.
fn sync_directory(path: &Path) -> Result<()> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(|cause| cannot("sync directory", path, cause))
}

fn cannot(what: &str, path: &Path, cause: std::io::Error) -> Error {
    Error::io(format!("cannot {what} {}", path.display()), cause)
}
