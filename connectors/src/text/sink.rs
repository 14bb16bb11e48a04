//! A sink of text: files that appear whole, or standard output.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_schema::SchemaRef;
use dualgauge_engine::Firings;
use dualgauge_engine::checkpoint::BucketCut;
use dualgauge_engine::fs::{Fs, Kind, RealFs};
use dualgauge_engine::sink::{Claim, Delivery, Since, Writing};
use dualgauge_engine::{Basis, Change, Duration, Durations, Error, Place, Result, Sink, SinkWriter};

use super::Format;
use super::layout::Naming;
use super::spans::TextSpans;
use super::stdout::{StdoutWriter, print};
use crate::staging::files::{self, create_dirs_durably, on};
use crate::staging::{
    BucketWriter, EmptyFile, Form, Found, OutputPlace, Owner, PLACE, columns, first_span, never_exchanged,
};

/// Text output: made by [`csv::write`](crate::csv::write) and [`json::write`](crate::json::write).
///
/// - **A directory** gets a file for each span of event time and each bucket, `20260101T000000Z-b0.csv`, when the span
///   is over. Rows that come for a span that is already published go to a file of their own, `20260101T000000Z-b0-1.csv`.
/// - **A path with an extension** becomes one file, at the end of the run; one that ends in `/` is a directory.
/// - **`-`** is standard output, written at each commit. What is printed cannot be taken back: after a crash the rows of
///   the last commit may be printed again (at least once).
///
/// Files are written aside, in a directory `.staging` beside them, and linked to their names when they are whole: a
/// reader never sees half a file. Their rows are sorted by event time and then by their text, so the same rows are the
/// same bytes, even if the job crashed and resumed from a checkpoint. A job with checkpoints keeps its name beside the
/// output, in the hidden file `.job`. To finish a file, its text is held in memory once.
///
/// A run that ends without a row leaves a file with only the header (`empty-b0.csv` in a directory).
///
/// Times are written as RFC 3339 in UTC.
#[derive(Clone, Debug)]
pub struct TextSink<F> {
    pub(crate) format: F,
    path: PathBuf,
    buckets: usize,
    span: Duration,
    overwrite: bool,
    order: Order,
    firings: Firings,
    fs: Arc<dyn Fs>,
    /// Whether anything was printed.
    printed: Arc<AtomicBool>,
}

/// In which order rows are written, and with it when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By event time, each row once the watermark has passed it.
    #[default]
    EventTime,
    /// In no order, each row as soon as it comes: to look at a live run.
    None,
}

/// Where output goes, as the path says.
enum Target {
    Stdout,
    File,
    Directory,
}

impl<F: Format> TextSink<F> {
    pub(crate) fn new(format: F, path: impl Into<PathBuf>) -> TextSink<F> {
        let (path, fs, printed) = (path.into(), Arc::new(RealFs), Arc::default());
        let (order, firings) = (Order::default(), Firings::default());
        let (buckets, span, overwrite) = (1, 1.hours(), false);
        TextSink { format, path, buckets, span, overwrite, order, firings, fs, printed }
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

    /// Lets the output take the place of an earlier one, instead of refusing to write. Off by default.
    ///
    /// The earlier one stays until the new one is whole, at the end of the run, and is exchanged then. Only files that a sink
    /// has made are replaced, as the ledger beside them says.
    pub fn overwrite(mut self, overwrite: bool) -> TextSink<F> {
        self.overwrite = overwrite;
        self
    }

    /// In which order rows are written; by event time unless set otherwise. [`Order::None`] is for standard output
    /// only: files are always ordered, since the same rows are to be the same bytes.
    pub fn order(mut self, order: Order) -> TextSink<F> {
        self.order = order;
        self
    }

    /// Which firings of a window are written, if it fires more than once; the last one by default. With
    /// [`Firings::All`] each row has its `firing`, from 1, and whether it is the `last`; a firing is printed when it
    /// has fired, and the last one once more when it is known to be the last.
    pub fn firings(mut self, firings: Firings) -> TextSink<F> {
        self.firings = firings;
        self
    }

    /// The file system that files are written to; the machine's by default.
    pub fn on(mut self, fs: Arc<dyn Fs>) -> TextSink<F> {
        self.fs = fs;
        self
    }

    fn target(&self) -> Target {
        let is_dir = || self.fs.list(&self.path).is_ok();
        match self.path.extension() {
            _ if self.path == Path::new("-") => Target::Stdout,
            Some(_) if !is_dir() && !self.path.to_string_lossy().ends_with('/') => Target::File,
            _ => Target::Directory,
        }
    }

    fn naming(&self) -> Naming {
        match self.target() {
            Target::Stdout => unreachable!("standard output has no files"),
            Target::File => Naming::One(self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()),
            Target::Directory => Naming::Spans(self.span, self.format.extensions()[0]),
        }
    }

    fn place(&self) -> OutputPlace {
        match self.naming() {
            Naming::One(name) => {
                OutputPlace::one_file(self.fs.clone(), files::parent(&self.path).unwrap_or(Path::new(".")), &name)
            }
            Naming::Spans(..) => OutputPlace::directory(self.fs.clone(), &self.path),
        }
    }

    /// Checks whether the place can be written. Returns whether the output is to be made beside an older one.
    fn look(&self, writing: &Writing, owner: &Owner) -> Result<bool> {
        let (place, naming) = (self.place(), self.naming());
        let gives = |name: &str| naming.is_ours(name);
        let (form, found) = (form(&gives), self.found(&place)?);
        match place.look(writing, owner, &found, self.overwrite, &form).map_err(|error| error.at(self.describe()))? {
            Found::Own => return Ok(matches!(owner, Owner::Own(record) if record.beside)),
            Found::Begins if found.is_empty() => return Ok(false),
            Found::Begins => {}
        }
        if !self.overwrite {
            return Err(Error::usage(format!(
                "sink {}: there is output already ({}); likely mistake: an earlier run wrote here (remove it, or set overwrite)",
                self.describe(),
                place.dir.join(&found[0]).display()
            )));
        }
        // Files with other names are in nobody's way.
        let named: Vec<String> = found.into_iter().filter(|name| gives(name)).collect();
        let ours = place.ours(&named, &form)?;
        match named.iter().find(|name| !ours.contains(name)) {
            Some(stranger) => Err(Error::usage(format!(
                "sink {}: {} is not a file that a sink has made and noted (or it was changed since), and is not overwritten; \
                 likely mistake: it is somebody's own. Move it away, or choose another place",
                self.describe(),
                place.dir.join(stranger).display()
            ))),
            None if !named.is_empty() && writing.endless => Err(never_exchanged(&self.describe())),
            None => Ok(!named.is_empty()),
        }
    }

    /// The names of visible files that are there already.
    fn found(&self, place: &OutputPlace) -> Result<Vec<String>> {
        match self.naming() {
            Naming::One(name) => match on(&self.path, self.fs.kind(&self.path))? {
                Some(Kind::Link) => Err(files::not_ours(&self.path, Kind::Link)),
                there => Ok(there.map(|_| name).into_iter().collect()),
            },
            Naming::Spans(..) => place.output(),
        }
    }
}

/// How a file of text is recognised: by its name and the ledger.
fn form<'a>(gives: &'a dyn Fn(&str) -> bool) -> Form<'a> {
    Form { gives, marked: &|_, _| false }
}

impl<F: Format> Sink for TextSink<F> {
    fn describe(&self) -> String {
        format!("{}:{}", self.format.scheme(), self.path.display())
    }

    fn places(&self) -> Vec<Place> {
        match self.target() {
            Target::Stdout => vec![Place::stdout()],
            Target::File => self.place().hidden().chain([Place::file(&*self.fs, &self.path)]).collect(),
            Target::Directory => vec![Place::tree(&*self.fs, &self.path)],
        }
    }

    fn check(&self, schema: &SchemaRef, writing: &Writing) -> Result<()> {
        self.format.check(schema)?;
        let refuse = |why: &str| Err(Error::usage(format!("sink {}: {why}", self.describe())));
        if self.buckets == 0 || !self.span.is_positive() {
            return refuse("there must be at least one bucket, and a span longer than nothing");
        }
        if !matches!(self.target(), Target::Stdout) {
            let otherwise = format!(
                "write to standard output and lead that there: `{}:-` and `> {}`",
                self.format.scheme(),
                self.path.display()
            );
            let refused = files::refuse_pipe(&*self.fs, &self.path, &otherwise);
            refused.map_err(|error| error.at(format_args!("sink {}", self.describe())))?;
        }
        match self.target() {
            Target::File | Target::Directory if self.order == Order::None => {
                return refuse(
                    "`order=none` is for standard output (`-`) and for rows within the program; files, logs and databases \
                     have their rows in the order of event time. Likely mistake: a row is missed that the watermark has not \
                     passed; it is written when a later one comes, or when the run ends",
                );
            }
            Target::Stdout | Target::File if self.buckets > 1 => {
                return refuse(
                    "one output has one bucket; likely mistake: a directory was meant, without an extension",
                );
            }
            Target::Stdout => return Ok(()),
            // One question and not two, since another start could make the directory in between.
            Target::Directory
                if self.fs.list(&self.path).is_err_and(|error| error.kind() == io::ErrorKind::NotADirectory) =>
            {
                return refuse(
                    "a directory is wanted here, and there is a file; for a file give the path an extension, for a pipe or a \
                     device write to standard output (`-`) and lead that there",
                );
            }
            Target::File | Target::Directory => {}
        }
        self.look(writing, &self.place().owner_for(writing)?).map(drop)
    }

    fn claim(&self, _: &SchemaRef, writing: &Writing) -> Result<Claim> {
        if let Target::Stdout = self.target() {
            return Ok(Claim::default());
        }
        let (place, naming) = (self.place(), self.naming());
        let place = OutputPlace { fs: writing.retry.on(place.fs.clone()), ..place };
        create_dirs_durably(&*place.fs, &place.dir)?;
        let claimed = place.claim(writing, &form(&|name| naming.is_ours(name)), |owner| self.look(writing, owner));
        claimed.map_err(|error| error.at(self.describe()))
    }

    fn delivery(&self) -> Delivery {
        match self.target() {
            Target::Stdout => Delivery::AtLeastOnce,
            Target::File | Target::Directory => Delivery::Committed,
        }
    }

    fn buckets(&self) -> usize {
        self.buckets
    }

    fn writes_at_once(&self) -> bool {
        self.order == Order::None
    }

    fn firings(&self) -> Firings {
        self.firings
    }

    /// If lines name their columns themselves.
    fn takes_other_columns(&self) -> bool {
        !self.format.header()
    }

    fn basis(&self, schema: &SchemaRef) -> Basis {
        let (Target::File | Target::Directory) = self.target() else { return Basis::new() };
        let basis = self
            .format
            .basis()
            .with(PLACE, self.path.display())
            .with("columns", columns(schema))
            .with("buckets", self.buckets);
        match self.naming() {
            Naming::One(_) => basis.with("files", "one"),
            Naming::Spans(span, _) => basis.with("files", "spans").with("span", span),
        }
    }

    /// Lines are staged as they will stand in their file, by the span and the bucket that they had.
    fn takes(&self, change: &Change, staged: bool) -> bool {
        match change.option.as_str() {
            PLACE => true,      // its marker says whether it is the same place
            "buckets" => false, // rows may wait at the sink for the bucket that they were dealt to
            "columns" if !self.format.header() => true,
            _ => !staged,
        }
    }

    fn open(&self, bucket: usize, schema: &SchemaRef, writing: &Writing) -> Result<Box<dyn SinkWriter>> {
        if let Target::Stdout = self.target() {
            let writer = StdoutWriter::new(self.format.clone(), std::io::stdout(), schema.clone(), &self.printed);
            return Ok(Box::new(writer.said(writing.said.clone())));
        }
        let shape = TextSpans {
            format: self.format.clone(),
            naming: self.naming(),
            schema: schema.clone(),
            said: writing.said.clone(),
        };
        Ok(Box::new(BucketWriter::open(shape, self.place(), bucket, writing)?))
    }

    fn published_since(&self, writing: &Writing, prepared: &[BucketCut]) -> Result<Since> {
        match self.target() {
            Target::Stdout => Ok(Since::Unknown),
            _ => self.place().published_since(writing, prepared, &form(&|name| self.naming().is_ours(name))),
        }
    }

    fn take_back(&self, writing: &Writing) -> Result<()> {
        match self.target() {
            Target::Stdout => Ok(()),
            _ => {
                let place = OutputPlace { fs: writing.retry.on(self.fs.clone()), ..self.place() };
                place.take_back(writing, &form(&|name| self.naming().is_ours(name)))
            }
        }
    }

    fn first_seen(&self) -> Option<String> {
        match self.target() {
            Target::Stdout => None,
            Target::File => Some("its file is seen when the run has ended".to_string()),
            Target::Directory => Some(first_span(self.span)),
        }
    }

    fn finish(&self, schema: &SchemaRef, writing: &Writing, kept: &[BucketCut]) -> Result<()> {
        let bytes = self.format.encode_header(schema);
        if let Target::Stdout = self.target() {
            // Without a row, nothing has printed the columns yet.
            let bare = !self.printed.swap(true, Ordering::SeqCst) && !bytes.is_empty();
            return if bare { print(&mut io::stdout(), &[&bytes]) } else { Ok(()) };
        }
        let naming = self.naming();
        let empty = EmptyFile { name: naming.empty(), bytes, ledger: true };
        self.place().finish(writing, &form(&|name| naming.is_ours(name)), kept, empty)
    }
}
