//! Reads one file or pipe: blocks in, batches out, and each record that is bad by itself.
//!
//! **A bad record comes at its place.** The good rows before it come first, as a batch that ends there; then the bad
//! record, with its own bytes and the offset behind it; then what follows. So nobody who resumes meets one a second time.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::PathBuf;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use dualgauge_engine::{Error, Next, Offset, PartitionReader, Result, SourceBatch, Unreadable};

use super::bad::explain;
use super::input::Input;
use super::records::{Found, Records, newlines};
use super::{BadRecord, Decode, Format};

/// An open partition of text.
pub(super) struct TextReader<F> {
    pub(super) format: F,
    /// What errors call it: `file data/bids.csv`.
    pub(super) place: String,
    pub(super) input: Input,
    pub(super) records: Records<F>,
    pub(super) wanted: SchemaRef,
    pub(super) batch_rows: usize,
    /// Known once the header has been read.
    pub(super) decoder: Option<Box<dyn Decode>>,
    /// The part of a file that an earlier run has read, whose lines are counted when an error wants to name one.
    pub(super) skipped: Option<(PathBuf, u64)>,
    /// Newlines in that part, once counted.
    pub(super) lines_skipped: u64,
    /// What the last records became and was not yet handed on.
    pub(super) ready: VecDeque<Result<Next>>,
}

impl<F: Format> PartitionReader for TextReader<F> {
    fn next(&mut self) -> Result<Next> {
        loop {
            if let Some(outcome) = self.ready.pop_front() {
                return outcome;
            }
            if self.decoder.is_none() {
                self.decoder = match read_header(&self.format, &self.place, &mut self.records, &mut self.input)? {
                    Header::Found(header) => Some(self.decoder_of(header.as_deref())?),
                    Header::Pending => return Ok(Next::Pending),
                    Header::End => return Ok(Next::End),
                };
            }
            match self.records.read(&mut self.input, self.batch_rows.max(1))? {
                Found::Records(records) => self.decode(&records),
                Found::TooLong { bytes, lines, start } => self.refuse(too_long(), lines, bytes, start),
                Found::Nothing => return Ok(Next::Pending),
                Found::End => return Ok(Next::End),
            }
        }
    }
}

impl<F: Format> TextReader<F> {
    pub(super) fn decoder_of(&self, header: Option<&[u8]>) -> Result<Box<dyn Decode>> {
        self.format.decoder(header, &self.wanted).map_err(|error| error.at(&self.place))
    }

    /// Decodes all records at once; only where that fails, one by one.
    fn decode(&mut self, records: &[Range<usize>]) {
        if let Some(rows) = self.rows_of(records) {
            return self.hand(rows, self.records.position_of(records[records.len() - 1].end));
        }
        let mut good = 0;
        for (at, record) in records.iter().enumerate() {
            if self.rows_of(&records[at..=at]).is_some() {
                continue;
            }
            self.hand_run(&records[good..at]);
            good = at + 1;
            let decoder = self.decoder.as_deref().expect("the header has been read");
            let text = self.records.text(record.clone());
            let (bad, text) = (explain(decoder, text, &self.wanted), without_newline(text).to_vec());
            let lines = self.records.lines_before(record.start);
            let bytes = self.records.position_of(record.start)..self.records.position_of(record.end);
            self.refuse(bad, lines, bytes, text);
        }
        self.hand_run(&records[good..]);
    }

    /// Hands on records that are each good; several that are not so together are handed on one by one.
    fn hand_run(&mut self, run: &[Range<usize>]) {
        let Some(last) = run.last() else { return };
        match self.rows_of(run) {
            Some(rows) => self.hand(rows, self.records.position_of(last.end)),
            None => run.iter().for_each(|record| {
                let rows = self.rows_of(std::slice::from_ref(record)).expect("it was good a moment ago");
                self.hand(rows, self.records.position_of(record.end));
            }),
        }
    }

    fn rows_of(&self, records: &[Range<usize>]) -> Option<RecordBatch> {
        let text = self.records.text(records[0].start..records[records.len() - 1].end);
        let columns: Vec<_> = (0..self.wanted.fields().len()).collect();
        let decoder = self.decoder.as_deref().expect("the header has been read");
        decoder.decode(text, records.len(), &columns).ok()
    }

    fn hand(&mut self, rows: RecordBatch, offset: u64) {
        let offset_after = self.offset(offset);
        self.ready.push_back(Ok(Next::Batch(SourceBatch { rows, offset_after, bound_after: None })));
    }

    /// Hands on a bad record of these `bytes` of the input, behind so many `lines` since reading began.
    fn refuse(&mut self, bad: BadRecord, lines: u64, bytes: Range<u64>, text: Vec<u8>) {
        let outcome = self.lines_skipped().map(|skipped| {
            Next::Bad(Unreadable {
                bytes: text,
                position: bytes.start,
                reason: bad.at(&self.place, skipped + lines + 1, bytes.start),
                offset_after: self.offset(bytes.end),
            })
        });
        self.ready.push_back(outcome);
    }

    fn offset(&self, position: u64) -> Offset {
        Offset { position, proof: self.input.proof(position) }
    }

    /// Newlines before where this run began to read, counted when first asked for.
    fn lines_skipped(&mut self) -> Result<u64> {
        if let Some((file, length)) = self.skipped.take() {
            self.lines_skipped = lines_in(file, length)?;
        }
        Ok(self.lines_skipped)
    }
}

fn without_newline(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

/// The first record of a file, where that names the columns.
pub(super) enum Header {
    Found(Option<Vec<u8>>),
    Pending,
    End,
}

pub(super) fn read_header<F: Format>(
    format: &F,
    place: &str,
    records: &mut Records<F>,
    input: &mut Input,
) -> Result<Header> {
    if !format.header() {
        return Ok(Header::Found(None));
    }
    match records.read(input, 1)? {
        Found::Records(header) => Ok(Header::Found(Some(records.text(header[0].clone()).to_vec()))),
        Found::TooLong { .. } => Err(Error::usage(format!("{place}: the header is longer than a line may be"))),
        Found::Nothing => Ok(Header::Pending),
        Found::End => Ok(Header::End),
    }
}

fn too_long() -> BadRecord {
    BadRecord {
        column: None,
        found: "a record that is longer than a line may be".to_string(),
        expected: "a newline before".to_string(),
        mistake: "a quote that is never closed, or a file of another format",
    }
}

/// How many newlines the first `length` bytes of a file hold.
fn lines_in(path: PathBuf, length: u64) -> Result<u64> {
    let failed = |cause| Error::io(format!("cannot read file {}", path.display()), cause);
    let mut file = File::open(&path).map_err(failed)?.take(length);
    let (mut block, mut lines) = (vec![0; 64 << 10], 0);
    loop {
        match file.read(&mut block).map_err(failed)? {
            0 => return Ok(lines),
            read => lines += newlines(&block[..read]),
        }
    }
}
