//! A source of text: one partition a file.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dualgauge_engine::{
    Basis, Change, Error, Listing, Offset, Partition, PartitionId, PartitionReader, Place, Result, Scan, Source,
};

use super::Format;
use super::follow::Watch;
use super::input::Input;
use super::place::{STDIN, list, look};
use super::reader::{Began, Header, TextPlace, TextReader, read_header};
use super::rotated::{READ_TWICE, renamed};
use crate::files::{self, Hive, changed_since_listed, file_of, may_have_wanted};
use crate::handles::Version;
use crate::places::read_from;
use crate::written::Written;

/// How many bytes are read at once.
const BLOCK_BYTES: usize = 1 << 20;

/// How long a record may be.
const LINE_BYTES_MAX: usize = 16 << 20;

/// Files of text records, or standard input: made by [`csv::read`](crate::csv::read) and
/// [`json::read`](crate::json::read).
///
/// A source is read to its end, unless it is followed. The columns and their types come from the record that the graph
/// reads. Nothing is known of the event times in a file before it is read, so a graph that reads text that is not in
/// the order of its times sets `disorder`.
#[derive(Clone, Debug)]
pub struct TextSource<F> {
    pub(crate) format: F,
    path: PathBuf,
    files: files::Options,
    follow: bool,
    block_bytes: usize,
    line_bytes_max: usize,
    written: Written,
    /// Standard input can be read once; clones of a source share this.
    stdin_taken: Arc<AtomicBool>,
    /// What the files were when they were last listed, by the names of their partitions.
    listed: Arc<Mutex<HashMap<String, Version>>>,
}

impl<F: Format> TextSource<F> {
    pub(crate) fn new(format: F, path: impl Into<PathBuf>) -> TextSource<F> {
        let (follow, stdin_taken) = (false, Arc::new(AtomicBool::new(false)));
        let (path, files) = (path.into(), files::Options::default());
        TextSource {
            format,
            path,
            files,
            follow,
            block_bytes: BLOCK_BYTES,
            line_bytes_max: LINE_BYTES_MAX,
            written: Written::default(),
            stdin_taken,
            listed: Arc::default(),
        }
    }

    /// Waits at the end of each file for more lines, as `tail -F` does. Only whole lines are read. Off by default.
    ///
    /// Lines are added at the end. A file may be renamed and a new one written in its place: the old one is read to its
    /// end, and then the new one. A file that is removed, becomes shorter, is written over or is replaced by an edited
    /// copy is an error that names it. A followed standard input is a live source that ends when its writer closes it.
    pub fn follow(mut self, follow: bool) -> TextSource<F> {
        self.follow = follow;
        self
    }

    /// How many bytes are read at once, 1 MiB by default; a batch holds about as much text.
    pub fn block_bytes(mut self, bytes: usize) -> TextSource<F> {
        self.block_bytes = bytes.max(1);
        self
    }

    /// How many bytes a record may have, 16 MiB by default. A longer one is a bad record, and is never held in memory.
    pub fn line_bytes_max(mut self, bytes: usize) -> TextSource<F> {
        self.line_bytes_max = bytes;
        self
    }

    /// Whether directories called `name=value` are columns, for a record that has a column of that name. Off by
    /// default; their files are read in any case.
    pub fn hive(mut self, hive: bool) -> TextSource<F> {
        self.files.hive = hive;
        self
    }

    /// Whether there may be nothing to read. Off by default: a path that is not there, a directory without a file of the
    /// format, and a pattern without a match are errors.
    pub fn allow_empty(mut self, allow_empty: bool) -> TextSource<F> {
        self.files.allow_empty = allow_empty;
        self
    }

    /// All options of a listing at once.
    pub(crate) fn listed(mut self, options: files::Options) -> TextSource<F> {
        self.files = options;
        self
    }

    /// How values are written, where that differs from what the record says.
    pub fn written(mut self, written: Written) -> TextSource<F> {
        self.written = written;
        self
    }

    /// The scan, with what is set for its columns.
    fn said(&self, scan: &Scan) -> Result<Scan> {
        let schema = self.written.on(&scan.schema).map_err(|error| error.at(self.describe()))?;
        Ok(Scan { schema, ..scan.clone() })
    }

    fn is_stdin(&self) -> bool {
        self.path == Path::new(STDIN)
    }

    fn reader(&self, place: String, input: Input, position: u64, scan: &Scan) -> TextReader<F> {
        let (block_bytes, line_bytes_max, front) = (self.block_bytes, self.line_bytes_max, input.base());
        let began = Began { format: self.format.clone(), block_bytes, line_bytes_max };
        TextReader {
            format: self.format.clone(),
            place: Rc::new(TextPlace { name: place, front, read_before: None, lines_before: OnceCell::new() }),
            input,
            records: began.records(position, front),
            began,
            wanted: scan.schema.clone(),
            batch_rows: scan.batch_rows,
            decoder: None,
        }
    }

    fn open_stdin(&self, offset: Option<&Offset>, scan: &Scan) -> Result<TextReader<F>> {
        if offset.is_some_and(|offset| offset.position > 0) || self.stdin_taken.swap(true, Ordering::SeqCst) {
            return Err(Error::usage(
                "standard input cannot be read again: what was read of it is gone; run without checkpoints, or read \
                 from files or a log",
            ));
        }
        let input = Input::pipe(std::io::stdin(), self.block_bytes);
        Ok(self.reader("standard input".to_string(), input, 0, scan))
    }
}

impl<F: Format> Source for TextSource<F> {
    fn describe(&self) -> String {
        format!("{}:{}", self.format.scheme(), self.path.display())
    }

    fn places(&self) -> Vec<Place> {
        read_from(&self.path)
    }

    fn noun(&self) -> &'static str {
        "files"
    }

    fn bounded(&self) -> bool {
        !self.follow
    }

    fn partitions(&self, scan: &Scan) -> Result<Listing> {
        let scan = &self.said(scan)?;
        let (listing, versions) = look(&self.path, self.format.extensions(), self.follow, self.files.allow_empty)?;
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = versions;
        if self.files.hive && !self.follow && !self.is_stdin() { self.pruned(listing, scan) } else { Ok(listing) }
    }

    fn appeared(&self, known: &dyn Fn(&PartitionId) -> bool) -> Result<Vec<PartitionId>> {
        if !self.follow || self.is_stdin() {
            return Ok(Vec::new());
        }
        let listing = list(&self.path, self.format.extensions(), true, true)?;
        Ok(listing.partitions.into_iter().map(|partition| partition.id).filter(|id| !known(id)).collect())
    }

    fn basis(&self) -> Basis {
        let basis = self.written.basis(self.format.basis().with("follow", self.follow));
        if self.files.hive { basis.with("hive", true) } else { basis }
    }

    /// A source that is no longer followed is read to its end; one that had an end is not read beyond it.
    fn takes(&self, change: &Change) -> bool {
        change.option == "follow" && !self.follow
    }

    fn open(&self, partition: &Partition, offset: Option<&Offset>, scan: &Scan) -> Result<Box<dyn PartitionReader>> {
        let scan = &self.said(scan)?;
        if self.is_stdin() {
            return Ok(Box::new(self.open_stdin(offset, scan)?));
        }
        let file = file_of(&self.path, &partition.id.0);
        if !self.files.hive {
            let reader = self.open_file(file.clone(), offset, scan)?;
            self.check_listed(partition, &file, offset)?;
            return Ok(Box::new(reader));
        }
        let hive = Hive::of(&file, &scan.schema)?;
        let rest = self.open_file(file.clone(), offset, &hive.rest(scan))?;
        self.check_listed(partition, &file, offset)?;
        Ok(hive.reader(Box::new(rest)))
    }
}

impl<F: Format> TextSource<F> {
    /// The listing without the files whose directories give an event time beyond what is wanted.
    fn pruned(&self, mut listing: Listing, scan: &Scan) -> Result<Listing> {
        for partition in std::mem::take(&mut listing.partitions) {
            let hive = Hive::of(&file_of(&self.path, &partition.id.0), &scan.schema)?;
            match hive.event_time(&scan.event_time).is_none_or(|at| may_have_wanted(scan, at, at)) {
                true => listing.partitions.push(partition),
                false => listing.pruned.push(partition),
            }
        }
        Ok(listing)
    }

    fn watch(&self, file: &Path) -> Option<Watch> {
        let (path, extensions) = (self.path.clone(), self.format.extensions());
        let listed = move || files_now(&path, extensions);
        self.follow.then(|| Watch::new(file.to_path_buf(), self.format.header(), listed))
    }

    /// Refuses a file that lacks what was listed. It runs when the file is open, so that nothing can change unseen
    /// before. A file that is followed from where it was read to may have a successor, and is proved by what was read.
    fn check_listed(&self, partition: &Partition, file: &Path, offset: Option<&Offset>) -> Result<()> {
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner).get(&partition.id.0).copied();
        // A file that is gone by now is read on through its handle.
        let now = std::fs::metadata(file).ok().filter(|now| now.is_file());
        let (Some(listed), Some(now)) = (listed.filter(|_| !self.follow || offset.is_none()), now) else {
            return Ok(());
        };
        match listed.lost(&Version::of(&now)) {
            None => Ok(()),
            Some(why) => Err(changed_since_listed(&file.display().to_string(), &why)),
        }
    }

    /// The file of this name, which is the one that was read up to the offset.
    fn open_here(&self, file: &Path, offset: Option<&Offset>) -> Result<Input> {
        let input = Input::file(file, offset.unwrap_or(&Offset::default()), self.watch(file))?;
        offset.map_or(Ok(()), |offset| input.check_proof(offset))?;
        Ok(input)
    }

    /// The file that had this name when it was read up to the offset, and where it is now; otherwise the error that
    /// stands in the way.
    fn open_renamed(&self, file: &Path, offset: &Offset, error: Error) -> Result<(Input, PathBuf)> {
        let listed = files_now(&self.path, self.format.extensions())?;
        let (Some(watch), Some(at)) = (self.watch(file), renamed(file, offset, &listed)?) else { return Err(error) };
        if listed.contains(&at) {
            return Err(Error::data(format!(
                "file {}: it was renamed to {} while the job was down, {READ_TWICE}",
                file.display(),
                at.display()
            )));
        }
        let input = Input::renamed(file, &at, offset, watch)?;
        input.check_proof(offset)?;
        Ok((input, at))
    }

    fn open_file(&self, file: PathBuf, offset: Option<&Offset>, scan: &Scan) -> Result<TextReader<F>> {
        let (front, name) = (Offset::default(), file.display().to_string());
        let (input, file) = match (self.open_here(&file, offset), offset) {
            (Err(error), Some(offset)) if self.follow => self.open_renamed(&file, offset, error)?,
            (input, _) => (input?, file),
        };
        let (position, base) = (offset.map_or(0, |offset| offset.position), input.base());
        let mut reader = self.reader(format!("file {name}"), input, position, scan);
        if position > base {
            // The header is at the front, wherever reading resumes.
            let mut input = Input::file(&file, &front, None)?;
            let (mut records, name) = (reader.began.records(0, 0), reader.place.name.clone());
            if let Header::Found(header) = read_header(&mut reader.format, &name, &mut records, &mut input)? {
                reader.records.delimit(reader.format.quoted_after());
                reader.decode_by(header.as_deref())?;
            }
            let read_before = Some((file, position - base));
            reader.place = Rc::new(TextPlace { name, front: base, read_before, lines_before: OnceCell::new() });
        }
        Ok(reader)
    }
}

/// The files that a followed source reads, as they are called now.
fn files_now(path: &Path, extensions: &'static [&'static str]) -> Result<Vec<PathBuf>> {
    let listing = list(path, extensions, true, true)?;
    Ok(listing.partitions.iter().map(|partition| file_of(path, &partition.id.0)).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use arrow_schema::{DataType, Field, Schema};
    use dualgauge_engine::Next;

    use super::*;

    /// A pipe whose writer is a channel: a read from it blocks until the test sends.
    struct Pipe(std::sync::mpsc::Receiver<&'static [u8]>, &'static [u8]);

    impl Read for Pipe {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.1.is_empty() {
                self.1 = self.0.recv().unwrap_or_default();
            }
            self.1.read(buffer)
        }
    }

    fn scan() -> Scan {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, false)]));
        Scan { schema, event_time: "a".to_string(), from: None, to: None, batch_rows: 8 }
    }

    #[test]
    fn a_pipe_that_is_silent_is_pending_and_one_that_is_closed_has_ended() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let source = crate::json::read("-");
        let mut reader = source.reader("pipe".to_string(), Input::pipe(Pipe(receiver, &[]), 64), 0, &scan());
        assert!(matches!(reader.next().unwrap(), Next::Pending));
        sender.send(b"{\"a\":1}\n{\"a\"").unwrap();
        sender.send(b":2}").unwrap();
        drop(sender);
        let mut rows = 0;
        loop {
            match reader.next().unwrap() {
                Next::Batch(batch) => rows += batch.rows.num_rows(),
                Next::Mixed(_, bad) => panic!("{}", bad[0].reason()),
                Next::Pending => std::thread::yield_now(),
                Next::End => break,
            }
        }
        assert_eq!(rows, 2);
    }

    #[test]
    fn standard_input_is_not_read_from_an_offset() {
        let error = crate::json::read("-").open(&Partition::new("-"), Some(&Offset::at(5)), &scan()).err().unwrap();
        assert!(error.to_string().contains("cannot be read again"), "{error}");
    }
}
