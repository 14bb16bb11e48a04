//! Parquet files as a sink: a file for each span of event time and bucket, which appears whole or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::arrow::ArrowSchemaConverter;
use ::parquet::file::metadata::ParquetMetaDataReader;
use arrow_schema::SchemaRef;
use dualgauge_engine::checkpoint::BucketCut;
use dualgauge_engine::fs::{Fs, RealFs};
use dualgauge_engine::sink::{Claim, Since, Writing};
use dualgauge_engine::{Basis, Change, Duration, Durations, Error, Place, Result, Sink, SinkWriter};

use super::direct::Positioned;
use super::guard::guarded;
use super::spans::{ParquetSpans, named_by_a_sink};
use super::writer::{CREATED_BY, FileOptions, FileWriter};
use crate::staging::files::{NO_PIPE, create_dirs_durably, refuse_pipe};
use crate::staging::{
    BucketWriter, EmptyFile, Form, Found, NO_SPAN, OutputPlace, Owner, PLACE, columns, first_span, never_exchanged,
};

/// Writes results as Parquet files into `dir`, which must be empty, or missing, or hold what this job wrote before it
/// resumed from a checkpoint (the hidden file `.job` says so).
///
/// A file holds the rows of one span of event time and one bucket, sorted by event time and then by their columns, and
/// is named by both: `20260101T120000Z-b0.parquet`. It is written under `.staging/` and appears, whole, once no row of
/// its span can come any more. The same rows give the same bytes. Rows that come for a span that was already published
/// go to a supplementary file, `20260101T120000Z-b0.s1.parquet`. With checkpoints, the rows of unfinished spans are
/// staged at each of them, so a job that crashed and resumed leaves the same files as one that did not. A run that ends
/// without a row leaves a file with only the columns, `empty-b0.parquet`.
///
/// ```
/// use dualgauge_connectors::parquet;
/// use dualgauge_engine::{Durations, Sink};
///
/// let sink = parquet::write("out/").span(15.minutes()).buckets(2);
/// assert_eq!(sink.describe(), "parquet:out/");
/// assert_eq!(Sink::buckets(&sink), 2);
/// ```
pub fn write(dir: impl Into<PathBuf>) -> ParquetSink {
    let options = FileOptions::default();
    let (dir, fs) = (dir.into(), Arc::new(RealFs));
    ParquetSink { dir, span: 1.hours(), buckets: 4, options, overwrite: false, fs }
}

/// Parquet files as a sink; made by [`write`](write()).
#[derive(Clone, Debug)]
pub struct ParquetSink {
    dir: PathBuf,
    span: Duration,
    buckets: usize,
    options: FileOptions,
    overwrite: bool,
    fs: Arc<dyn Fs>,
}

impl ParquetSink {
    /// How much event time a file covers; one hour by default.
    ///
    /// # Panics
    /// When `span` is not positive.
    #[track_caller]
    pub fn span(mut self, span: Duration) -> ParquetSink {
        assert!(span.is_positive(), "a file must cover some time: the span is {span}");
        self.span = span;
        self
    }

    /// Into how many files a span is divided, by the hash of the rows; 4 by default. More buckets than workers gain
    /// nothing.
    ///
    /// # Panics
    /// When `buckets` is 0.
    #[track_caller]
    pub fn buckets(mut self, buckets: usize) -> ParquetSink {
        assert!(buckets > 0, "rows must go somewhere: there are 0 buckets");
        self.buckets = buckets;
        self
    }

    /// The most rows that a row group holds; 131072 by default.
    ///
    /// # Panics
    /// When `rows` is 0.
    #[track_caller]
    pub fn row_group_rows(mut self, rows: usize) -> ParquetSink {
        assert!(rows > 0, "a row group must hold some rows");
        self.options.row_group_rows = rows;
        self
    }

    /// Whether the output replaces an earlier one. The earlier one stays until the new one is whole, at the end of the
    /// run, and is exchanged then. Only files that a sink has made are replaced (their name and their footer say so);
    /// if there is anything else, the run is refused.
    pub fn overwrite(mut self, overwrite: bool) -> ParquetSink {
        self.overwrite = overwrite;
        self
    }

    /// The file system that files are written to; the machine's by default.
    pub fn on(mut self, fs: Arc<dyn Fs>) -> ParquetSink {
        self.fs = fs;
        self
    }

    /// Checks whether the directory can be written. Returns whether the output is to be made beside an older one.
    fn look(&self, writing: &Writing, owner: &Owner) -> Result<bool> {
        let (place, dir) = (self.place(), self.dir.display());
        let found = place.output()?;
        match place.look(writing, owner, &found, self.overwrite, &FORM).map_err(|error| error.at(self.describe()))? {
            Found::Own => return Ok(matches!(owner, Owner::Own(record) if record.beside)),
            Found::Begins if found.is_empty() => return Ok(false),
            Found::Begins => {}
        }
        let ours = if self.overwrite { place.ours(&found, &FORM)? } else { Vec::new() };
        if let Some(name) = found.iter().find(|name| !ours.contains(name)) {
            let advice = match self.overwrite {
                true => "that is not a file that a sink has made, and is not overwritten. Is it the right directory?",
                false => "choose another directory, or overwrite the output of an earlier run",
            };
            let count = found.len();
            return Err(Error::usage(format!("{dir} is not empty: it has {count} entries, such as {name}; {advice}")));
        }
        match writing.endless {
            true => Err(never_exchanged(&self.describe())),
            false => Ok(true),
        }
    }

    fn place(&self) -> OutputPlace {
        OutputPlace::directory(self.fs.clone(), &self.dir)
    }
}

/// How a file of this sink is recognised.
const FORM: Form<'static> = Form { gives: &named_by_a_sink, marked: &made_by_a_sink };

/// Whether the footer of a file says that dualgauge made it.
fn made_by_a_sink(fs: &dyn Fs, path: &Path) -> bool {
    let Ok(file) = fs.open(path) else { return false };
    let metadata = guarded(path.display(), || ParquetMetaDataReader::new().parse_and_finish(&Positioned(file.into())));
    metadata.is_ok_and(|metadata| metadata.file_metadata().created_by() == Some(CREATED_BY))
}

impl Sink for ParquetSink {
    fn describe(&self) -> String {
        format!("parquet:{}", self.dir.display())
    }

    fn places(&self) -> Vec<Place> {
        vec![Place::tree(&*self.fs, &self.dir)]
    }

    fn check(&self, schema: &SchemaRef, writing: &Writing) -> Result<()> {
        let refused = refuse_pipe(&*self.fs, &self.dir, NO_PIPE);
        refused.map_err(|error| error.at(format_args!("sink {}", self.describe())))?;
        ArrowSchemaConverter::new().convert(schema).map_err(|e| {
            Error::usage(format!("{}: these rows cannot be written as Parquet", self.describe())).caused_by(e)
        })?;
        self.look(writing, &self.place().owner_for(writing)?).map(drop)
    }

    fn claim(&self, _: &SchemaRef, writing: &Writing) -> Result<Claim> {
        let place = OutputPlace { fs: writing.retry.on(self.fs.clone()), ..self.place() };
        create_dirs_durably(&*place.fs, &self.dir)?;
        place.claim(writing, &FORM, |owner| self.look(writing, owner)).map_err(|error| error.at(self.describe()))
    }

    fn buckets(&self) -> usize {
        self.buckets
    }

    /// The size of row groups is not part of it: later files simply have row groups of the new size.
    fn basis(&self, schema: &SchemaRef) -> Basis {
        let basis =
            Basis::new().with("format", "parquet").with(PLACE, self.dir.display()).with("columns", columns(schema));
        basis.with("buckets", self.buckets).with("span", self.span)
    }

    /// Rows are staged by the span and the bucket that they had.
    fn takes(&self, change: &Change, staged: bool) -> bool {
        match change.option.as_str() {
            PLACE => true,      // its marker says whether it is the same place
            "buckets" => false, // rows may wait at the sink for the bucket that they were dealt to
            _ => !staged,
        }
    }

    fn open(&self, bucket: usize, schema: &SchemaRef, writing: &Writing) -> Result<Box<dyn SinkWriter>> {
        let shape = ParquetSpans { span: self.span, schema: schema.clone(), options: self.options.clone() };
        Ok(Box::new(BucketWriter::open(shape, self.place(), bucket, writing)?))
    }

    fn published_since(&self, writing: &Writing, prepared: &[BucketCut]) -> Result<Since> {
        self.place().published_since(writing, prepared, &FORM)
    }

    fn take_back(&self, writing: &Writing) -> Result<()> {
        OutputPlace { fs: writing.retry.on(self.fs.clone()), ..self.place() }.take_back(writing, &FORM)
    }

    fn first_seen(&self) -> Option<String> {
        Some(first_span(self.span))
    }

    fn finish(&self, schema: &SchemaRef, writing: &Writing, kept: &[BucketCut]) -> Result<()> {
        let bytes = FileWriter::new(Vec::new(), schema, &self.options)?.finish()?;
        let empty = EmptyFile { name: format!("{NO_SPAN}-b0.parquet"), bytes, ledger: false };
        self.place().finish(writing, &FORM, kept, empty)
    }
}
