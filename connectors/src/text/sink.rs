//! A sink of text: files that appear whole, or standard output.

use dualgauge_engine::sink::Writing;
use std::fs;
use std::path::{Path, PathBuf};

use arrow_schema::SchemaRef;
use dualgauge_engine::{Duration, Durations, Error, Result, Sink, SinkWriter};

use super::Format;
use super::layout::Layout;
use super::spans::SpanWriter;
use super::stdout::StdoutWriter;

/// Text output: what [`csv::write`](crate::csv::write) and [`json::write`](crate::json::write) make.
///
/// - **A directory** gets a file for each span of event time and each bucket, `20260101T000000Z-b0.csv`, when the span
///   is over. Rows that come for a span that is already published go to a file of their own, `20260101T000000Z-b0-1.csv`.
/// - **A path with an extension** becomes one file, at the end of the run; one that ends in `/` is a directory.
/// - **`-`** is standard output, written at each commit. What is printed cannot be taken back: after a crash the rows of
///   the last commit may be printed again (at least once).
///
/// Files are written aside, in a directory `.staging` beside them, and linked to their names when they are whole: a
/// reader never sees half a file. Their rows are sorted by event time and then by their text, so the same rows are the
/// same bytes. To finish a file, its text is held in memory once.
///
/// Times are written as RFC 3339 in UTC.
#[derive(Clone, Debug)]
pub struct TextSink<F> {
    pub(crate) format: F,
    path: PathBuf,
    buckets: usize,
    span: Duration,
    overwrite: bool,
}

/// Where output goes, as the path says.
enum Target {
    Stdout,
    File,
    Directory,
}

impl<F: Format> TextSink<F> {
    pub(crate) fn new(format: F, path: impl Into<PathBuf>) -> TextSink<F> {
        TextSink { format, path: path.into(), buckets: 1, span: 1.hours(), overwrite: false }
    }

    /// Into how many files each span is dealt, by the hash of the rows; 1 by default. For directories only.
    pub fn buckets(mut self, buckets: usize) -> TextSink<F> {
        self.buckets = buckets;
        self
    }

    /// How much event time a file covers; one hour by default. For directories only.
    pub fn span(mut self, span: Duration) -> TextSink<F> {
        self.span = span;
        self
    }

    /// Removes the earlier output that is found there, instead of refusing to write. Off by default.
    ///
    /// Of a directory, only files that are named as this sink names them are removed.
    pub fn overwrite(mut self, overwrite: bool) -> TextSink<F> {
        self.overwrite = overwrite;
        self
    }

    fn target(&self) -> Target {
        match self.path.extension() {
            _ if self.path == Path::new("-") => Target::Stdout,
            Some(_) if !self.path.is_dir() && !self.path.to_string_lossy().ends_with('/') => Target::File,
            _ => Target::Directory,
        }
    }

    fn layout(&self) -> Layout {
        match self.target() {
            Target::Stdout => unreachable!("standard output has no files"),
            Target::File => Layout::one_file(&self.path),
            Target::Directory => Layout::per_span(&self.path, self.span, self.format.extensions()[0]),
        }
    }
}

impl<F: Format> Sink for TextSink<F> {
    fn describe(&self) -> String {
        format!("{}:{}", self.format.scheme(), self.path.display())
    }

    fn check(&self, schema: &SchemaRef, _: &Writing) -> Result<()> {
        self.format.check(schema)?;
        let refuse = |why: &str| Err(Error::usage(format!("sink {}: {why}", self.describe())));
        if self.buckets == 0 || !self.span.is_positive() {
            return refuse("there must be at least one bucket, and a span longer than nothing");
        }
        match self.target() {
            Target::Stdout | Target::File if self.buckets > 1 => {
                return refuse(
                    "one output has one bucket; likely mistake: a directory was meant, without an extension",
                );
            }
            Target::Stdout => return Ok(()),
            Target::Directory if self.path.is_file() => {
                return refuse("a directory is wanted here, and there is a file");
            }
            Target::File | Target::Directory => {}
        }
        let layout = self.layout();
        if !self.overwrite {
            return match layout.found()?.first() {
                Some(found) => refuse(&format!(
                    "there is output already ({}); likely mistake: an earlier run wrote here (remove it, or set overwrite)",
                    found.display()
                )),
                None => Ok(()),
            };
        }
        for found in layout.found()?.iter().filter(|found| layout.wrote(found)) {
            fs::remove_file(found).map_err(|cause| Error::io(format!("cannot remove {}", found.display()), cause))?;
        }
        Ok(())
    }

    fn buckets(&self) -> usize {
        self.buckets
    }

    fn open(&self, bucket: usize, schema: &SchemaRef, _: &Writing) -> Result<Box<dyn SinkWriter>> {
        Ok(match self.target() {
            Target::Stdout => Box::new(StdoutWriter::new(self.format.clone(), std::io::stdout(), schema.clone())),
            _ => Box::new(SpanWriter::new(self.format.clone(), self.layout(), bucket, schema.clone())?),
        })
    }

    fn finish(&self) -> Result<()> {
        match self.target() {
            Target::Stdout => Ok(()),
            _ => self.layout().clean(),
        }
    }
}
