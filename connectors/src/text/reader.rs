//! Reads one file or pipe: blocks in, batches out, and with each batch its bad records.
//!
//! **A bad record comes at its place** among the rows of its batch, with its own bytes. The batch ends after it or
//! later, so a job that resumes does not meet it a second time. What is wrong with it is found out only when it is
//! asked for.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::rc::Rc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use dualgauge_engine::{Error, Next, Offset, PartitionReader, Reason, Result, SourceBatch, Unreadable, Waker};

use super::input::{Got, Input};
use super::lines::{Splitter, line_ends, without_line_end};
use super::records::{Found, Judge, Record, Records};
use super::{BadRecord, Decode, Decoded, Format};

/// An open partition of text.
pub(super) struct TextReader<F> {
    pub(super) format: F,
    /// How each file is read until it says otherwise.
    pub(super) began: Began<F>,
    pub(super) place: Rc<TextPlace>,
    pub(super) input: Input,
    pub(super) records: Records,
    pub(super) wanted: SchemaRef,
    pub(super) batch_rows: usize,
    /// Known once the header has been read.
    pub(super) decoder: Option<Rc<dyn Decode>>,
}

/// How a file is read from its front.
pub(super) struct Began<F> {
    pub(super) format: F,
    pub(super) block_bytes: usize,
    pub(super) line_bytes_max: usize,
}

impl<F: Format> Began<F> {
    /// The records after `position` of a file whose first byte is at `front`.
    pub(super) fn records(&self, position: u64, front: u64) -> Records {
        Records::new(self.format.quoted_after(), position, self.block_bytes, self.line_bytes_max).behind(front)
    }
}

/// Where the bytes of a partition are, for messages.
pub(super) struct TextPlace {
    /// What errors call it: `file data/bids.csv`.
    pub(super) name: String,
    /// The offset of its first byte: more than 0 if others had its name before.
    pub(super) front: u64,
    /// The file and the part of it that an earlier run has read.
    pub(super) read_before: Option<(PathBuf, u64)>,
    /// The lines of that part, counted when a line after it has to be named.
    pub(super) lines_before: OnceCell<u64>,
}

impl<F: Format> PartitionReader for TextReader<F> {
    fn next(&mut self) -> Result<Next> {
        if self.decoder.is_none() {
            match read_header(&mut self.format, &self.place.name, &mut self.records, &mut self.input)? {
                Header::Found(header) => self.decode_by(header.as_deref())?,
                Header::Pending => return Ok(Next::Pending),
                Header::End => return self.end(),
            }
        }
        let rules = Rules { format: &self.format, decoder: self.decoder.as_deref() };
        match self.records.read(&mut self.input, self.batch_rows.max(1), &rules)? {
            Found::Records(records) => self.decode(&records),
            Found::TooLong { bytes, lines, start } => {
                let (place, position) = (Rc::clone(&self.place), bytes.start);
                let reason = Reason::of(move |_| too_long().at(&place.name, place.line(lines), position - place.front));
                let bad = Unreadable { bytes: start, position, before: 0, reason };
                let none = self.batch(RecordBatch::new_empty(self.wanted.clone()), bytes.end);
                Ok(Next::Mixed(none, vec![bad]))
            }
            Found::Nothing => Ok(Next::Pending),
            Found::End => self.end(),
        }
    }

    fn wake_by(&mut self, waker: &Waker) -> bool {
        self.input.wake_by(waker)
    }
}

impl<F: Format> TextReader<F> {
    /// Continues in the file that has taken the place of this one, or ends with this one.
    fn end(&mut self) -> Result<Next> {
        let Some(input) = self.input.successor()? else { return Ok(Next::End) };
        let front = input.base();
        self.input = input;
        self.format = self.began.format.clone();
        self.records = self.began.records(front, front);
        self.decoder = None;
        let name = self.place.name.clone();
        self.place = Rc::new(TextPlace { name, front, read_before: None, lines_before: OnceCell::new() });
        // A job can resume from where it begins, whenever its first row comes.
        Ok(Next::Batch(self.batch(RecordBatch::new_empty(self.wanted.clone()), front)))
    }

    /// Records are read as the header says from now on.
    pub(super) fn decode_by(&mut self, header: Option<&[u8]>) -> Result<()> {
        let decoder = self.format.decoder(header, &self.wanted);
        self.decoder = Some(decoder.map_err(|error| error.at(&self.place.name))?);
        Ok(())
    }

    fn decode(&mut self, records: &[Record]) -> Result<Next> {
        let decoder = self.decoder.as_ref().expect("the header has been read");
        let decoded = decoder.decode(self.records.text(), records).map_err(|error| error.at(&self.place.name));
        let Decoded { rows, bad } = decoded?;
        let end = self.records.position_of(records[records.len() - 1].bytes.end);
        let mut unreadable = Vec::with_capacity(bad.len());
        for (earlier, at) in bad.into_iter().enumerate() {
            let record = &records[at];
            let (position, lines) =
                (self.records.position_of(record.bytes.start), self.records.lines_before(record.bytes.start));
            let (place, decoder, sound) = (Rc::clone(&self.place), Rc::clone(decoder), record.sound);
            unreadable.push(Unreadable {
                bytes: without_line_end(&self.records.text()[record.bytes.clone()]).to_vec(),
                position,
                before: at - earlier,
                reason: Reason::of(move |bytes| {
                    let bad = if sound { decoder.explain(bytes) } else { unsound() };
                    bad.at(&place.name, place.line(lines), position - place.front)
                }),
            });
        }
        let batch = self.batch(rows, end);
        Ok(if unreadable.is_empty() { Next::Batch(batch) } else { Next::Mixed(batch, unreadable) })
    }

    fn batch(&self, rows: RecordBatch, end: u64) -> SourceBatch {
        let offset_after = Offset { position: end, proof: self.input.proof(end) };
        SourceBatch { rows, offset_after, bound_after: None }
    }
}

impl TextPlace {
    /// The number of the line that follows `lines` others since reading began. If the front of the file can no longer
    /// be read, it counts from where this run began, which is better than no message.
    fn line(&self, lines: u64) -> u64 {
        let before = self.lines_before.get_or_init(|| {
            let part = self.read_before.as_ref();
            part.map_or(0, |(file, length)| lines_in(file.clone(), *length).unwrap_or_default())
        });
        before + lines + 1
    }
}

/// What the format says about lines, once the header has been read.
struct Rules<'a, F> {
    format: &'a F,
    decoder: Option<&'a dyn Decode>,
}

impl<F: Format> Judge for Rules<'_, F> {
    fn is_blank(&self, line: &[u8]) -> bool {
        self.format.is_blank(line)
    }

    fn is_choosy(&self) -> bool {
        self.decoder.is_some_and(Decode::is_choosy)
    }

    fn is_record(&self, line: &[u8]) -> bool {
        let (_, end) = Splitter::new(self.format.quoted_after()).end(line, 0, true);
        let sound = end.is_some_and(|end| end.sound && end.at == line.len());
        let record = Record { bytes: 0..line.len(), sound };
        let decoded =
            |decoder: &dyn Decode| decoder.decode(line, &[record]).is_ok_and(|decoded| decoded.bad.is_empty());
        sound && !self.format.is_blank(line) && self.decoder.is_some_and(decoded)
    }
}

/// The first record of a file, if that names the columns.
pub(super) enum Header {
    Found(Option<Vec<u8>>),
    Pending,
    End,
}

/// Reads what stands before the records of a file, and what it says of the format.
pub(super) fn read_header<F: Format>(
    format: &mut F,
    place: &str,
    records: &mut Records,
    input: &mut Input,
) -> Result<Header> {
    if !format.header() {
        return Ok(Header::Found(None));
    }
    loop {
        match records.read(input, 1, &Rules { format, decoder: None })? {
            Found::Records(header) => {
                let header = without_line_end(&records.text()[header[0].bytes.clone()]).to_vec();
                let Some(told) = format.told_by(&header) else { return Ok(Header::Found(Some(header))) };
                records.delimit(told.quoted_after());
                *format = told;
            }
            Found::TooLong { .. } => {
                return Err(Error::data(format!(
                    "{place}: the first line is longer than a line may be; likely mistake: a file of another format"
                )));
            }
            Found::Nothing => return Ok(Header::Pending),
            Found::End => return Ok(Header::End),
        }
    }
}

fn too_long() -> BadRecord {
    BadRecord {
        column: None,
        found: "a record that is longer than a line may be".to_string(),
        expected: "its end before".to_string(),
        mistake: "a quote that is never closed, or a file of another format",
    }
}

fn unsound() -> BadRecord {
    BadRecord {
        column: None,
        found: "a quote that is not closed, or text behind the quote that closes a field".to_string(),
        expected: "quotes around a whole field, and doubled within it".to_string(),
        mistake: "a stray quote, a quote that should have been doubled, or a torn line",
    }
}

/// How many lines the first `length` bytes of a file hold.
fn lines_in(path: PathBuf, length: u64) -> Result<u64> {
    let mut file = Input::file(&path, &Offset::default(), None)?;
    let (mut block, mut before, mut read, mut lines) = (Vec::new(), 0, 0, 0);
    while read < length && file.read(&mut block, 64 << 10)? == Got::Bytes {
        block.truncate((length - read).min(block.len() as u64) as usize);
        lines += line_ends(&block, before);
        (before, read) = (block[block.len() - 1], read + block.len() as u64);
        block.clear();
    }
    Ok(lines)
}
