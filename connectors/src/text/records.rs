//! Cuts bytes into records, however the blocks they come in are cut.
//!
//! Every record found is whole: one that is still without its newline waits, except at the end of an input that ends.
//! Memory holds one block and the one record that crosses its border, and no record beyond the allowed length.

use std::ops::Range;

use dualgauge_engine::Result;

use super::Format;
use super::input::{Got, Input};

/// Finds where a record ends; remembers, from one block to the next, whether it is between quotes.
#[derive(Clone, Debug)]
pub(super) struct Splitter {
    quoted_after: Option<u8>,
    within: Within,
}

/// Where in a record the splitter is. A quote opens a quoted field at the field's start only: `5" disk` is plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    FieldStart,
    Plain,
    Quoted,
    /// After a quote inside quotes, which either closes the field or is the first half of a doubled one.
    QuotedQuote,
}

impl Splitter {
    pub(super) fn new(format: &impl Format) -> Splitter {
        Splitter { quoted_after: format.quoted_after(), within: Within::FieldStart }
    }

    /// The position after the newline that ends the record, if it is among these next bytes.
    pub(super) fn end_in(&mut self, bytes: &[u8]) -> Option<usize> {
        let Some(delimiter) = self.quoted_after else {
            return bytes.iter().position(|&byte| byte == b'\n').map(|at| at + 1);
        };
        for (at, &byte) in bytes.iter().enumerate() {
            self.within = match (self.within, byte) {
                (Within::Quoted, b'"') => Within::QuotedQuote,
                (Within::Quoted, _) => Within::Quoted,
                (_, b'\n') => {
                    self.within = Within::FieldStart;
                    return Some(at + 1);
                }
                (Within::FieldStart | Within::QuotedQuote, b'"') => Within::Quoted,
                (_, b'\r') => Within::FieldStart,
                (_, byte) if byte == delimiter => Within::FieldStart,
                _ => Within::Plain,
            };
        }
        None
    }
}

/// What [`Records::read`] has found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Whole records; they are valid until the next call.
    Records(Vec<Range<usize>>),
    /// A record longer than allowed, which was passed over.
    TooLong {
        /// Where it begins, and where reading goes on.
        bytes: Range<u64>,
        /// Newlines before it, since reading began.
        lines: u64,
        /// Its first bytes.
        start: Vec<u8>,
    },
    /// Nothing now.
    Nothing,
    /// Nothing ever again.
    End,
}

/// The bytes that were read and not yet handed on.
pub(super) struct Records<F> {
    format: F,
    splitter: Splitter,
    block_bytes: usize,
    line_bytes_max: usize,
    buffer: Vec<u8>,
    /// Where the buffer begins in the input.
    position: u64,
    /// Whether the buffer's last byte is a newline that the input did not have.
    completed: bool,
    /// Newlines before the buffer, since reading began.
    lines: u64,
    /// What the last call handed out: the next one forgets it.
    handed: usize,
    /// Where the record begins that is being looked at, and how far it has been looked at.
    start: usize,
    scanned: usize,
    /// The record that is too long and being passed over.
    passing: Option<Passing>,
}

/// A record that is being passed over: where it begins, its line, and its first bytes.
struct Passing {
    position: u64,
    lines: u64,
    start: Vec<u8>,
}

/// How much is kept of a record that is too long.
const KEPT_BYTES: usize = 1024;

impl<F: Format> Records<F> {
    pub(super) fn new(format: F, position: u64, block_bytes: usize, line_bytes_max: usize) -> Records<F> {
        let splitter = Splitter::new(&format);
        let (buffer, passing) = (Vec::new(), None);
        Records {
            format,
            splitter,
            block_bytes,
            line_bytes_max,
            buffer,
            position,
            completed: false,
            lines: 0,
            handed: 0,
            start: 0,
            scanned: 0,
            passing,
        }
    }

    /// The bytes of records that were found.
    pub(super) fn text(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// Where a place in the text is in the input.
    pub(super) fn position_of(&self, at: usize) -> u64 {
        self.position + at as u64 - u64::from(self.completed && at == self.buffer.len())
    }

    /// How many newlines were read before a place in the text.
    pub(super) fn lines_before(&self, at: usize) -> u64 {
        self.lines + newlines(&self.buffer[..at])
    }

    /// The next records: at most `records_max`, and about a block of them.
    pub(super) fn read(&mut self, input: &mut Input, records_max: usize) -> Result<Found> {
        self.forget(self.handed);
        self.handed = 0;
        let mut found = Vec::new();
        loop {
            if self.passing.is_some() {
                if let Some(passed) = self.pass_over() {
                    return Ok(passed);
                }
            } else {
                while found.len() < records_max && self.start < self.block_bytes.max(1) {
                    let Some(record) = self.next_record() else { break };
                    self.hand(record, &mut found);
                }
                if self.passing.is_some() && found.is_empty() {
                    continue;
                }
                let full = found.len() >= records_max || self.start >= self.block_bytes.max(1);
                if !found.is_empty() && (full || self.passing.is_some()) {
                    return Ok(Found::Records(found));
                }
                if full {
                    // Blank lines only; they hold memory and no record.
                    self.forget(self.start);
                    self.handed = 0;
                }
            }
            let got = match input.read(&mut self.buffer, self.block_bytes)? {
                Got::Bytes => continue,
                Got::End if self.start < self.buffer.len() || self.passing.is_some() => {
                    // The last line of an input that ends needs no newline of its own.
                    self.buffer.push(b'\n');
                    self.completed = true;
                    self.splitter.within = Within::FieldStart;
                    if self.passing.is_none() {
                        let record = self.start..self.buffer.len();
                        (self.start, self.scanned) = (record.end, record.end);
                        self.hand(record, &mut found);
                    } else if let Some(passed) = self.pass_over() {
                        return Ok(passed);
                    }
                    Got::End
                }
                got => got,
            };
            return Ok(match got {
                _ if !found.is_empty() => Found::Records(found),
                Got::Nothing => Found::Nothing,
                _ => Found::End,
            });
        }
    }

    /// Keeps a record that is not blank, without the byte order mark that some programs put in front of a file.
    fn hand(&mut self, mut record: Range<usize>, found: &mut Vec<Range<usize>>) {
        self.handed = record.end;
        if self.position_of(record.start) == 0 && self.buffer[record.clone()].starts_with("\u{feff}".as_bytes()) {
            record.start += 3;
        }
        if !self.format.is_blank(&self.buffer[record.clone()]) {
            found.push(record);
        }
    }

    /// The next whole record in the buffer; one that is too long starts to be passed over instead.
    fn next_record(&mut self) -> Option<Range<usize>> {
        let end = self.splitter.end_in(&self.buffer[self.scanned..]).map(|length| self.scanned + length);
        let length = end.map_or(self.buffer.len(), |end| end - 1) - self.start;
        if length > self.line_bytes_max {
            // It has more bytes than are allowed, so where blocks are cut does not decide how many are kept.
            let kept = self.line_bytes_max.min(KEPT_BYTES);
            self.passing = Some(Passing {
                position: self.position_of(self.start),
                lines: self.lines_before(self.start),
                start: self.buffer[self.start..self.start + kept].to_vec(),
            });
            // From here on only a newline matters, wherever blocks were cut and quotes opened.
            self.scanned = self.start + self.line_bytes_max;
            self.splitter.within = Within::FieldStart;
            return None;
        }
        self.scanned = end.unwrap_or(self.buffer.len());
        let record = self.start..end?;
        self.start = record.end;
        Some(record)
    }

    /// Forgets the rest of a record that is too long, up to the first newline beyond the allowed length.
    fn pass_over(&mut self) -> Option<Found> {
        let end = self.buffer[self.scanned..].iter().position(|&byte| byte == b'\n').map(|at| self.scanned + at + 1);
        let to = end.unwrap_or(self.buffer.len());
        self.forget(to);
        (self.start, self.scanned) = (0, 0);
        end?;
        let Passing { position, lines, start } = self.passing.take()?;
        Some(Found::TooLong { bytes: position..self.position, lines, start })
    }

    fn forget(&mut self, to: usize) {
        self.lines += newlines(&self.buffer[..to]);
        self.position = self.position_of(to);
        self.buffer.drain(..to);
        self.completed &= !self.buffer.is_empty();
        self.start = self.start.saturating_sub(to);
        self.scanned = self.scanned.saturating_sub(to);
    }
}

pub(super) fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}
