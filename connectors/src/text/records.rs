//! Cuts bytes into records, wherever the blocks they come in are cut.
//!
//! Every record found is whole: one that is still without its line end waits, except at the end of an input that ends.
//! Memory holds one block and the one record that crosses its border, and no record beyond the allowed length.
//!
//! **A stray quote costs one line.** A record of several lines may result from a quote that was never closed. If its
//! quotes are not as they should be, the bad record ends before the first line that is a record by itself. If two stray
//! quotes look like the two ends of a field, a whole line between them that is a record gives them away.

use std::ops::Range;

use dualgauge_engine::Result;

use super::input::{Got, Input};
use super::lines::{End, Splitter, ends_line, has_byte_order_mark, inner_lines, line_ends, without_line_end};

/// What [`Records::read`] has found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Whole records; they are valid until the next call.
    Records(Vec<Record>),
    /// A record longer than allowed, which was skipped.
    TooLong {
        /// Where it begins, and where reading continues.
        bytes: Range<u64>,
        /// Line ends before it, since reading began.
        lines: u64,
        /// Its first bytes.
        start: Vec<u8>,
    },
    /// Nothing now.
    Nothing,
    /// Nothing ever again.
    End,
}

/// A record that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it is in the text.
    pub bytes: Range<usize>,
    /// Whether its quotes are as they should be.
    pub sound: bool,
}

/// Decides what can be a record.
pub(super) trait Judge {
    /// Whether a line is not a record at all.
    fn is_blank(&self, line: &[u8]) -> bool;

    /// Whether a line is a good record by itself; asked about lines within a record of several.
    fn is_record(&self, line: &[u8]) -> bool;

    /// Whether text is unlikely to be a good record by chance.
    fn is_choosy(&self) -> bool;
}

/// The bytes that were read and not yet handed on.
pub(super) struct Records {
    splitter: Splitter,
    block_bytes: usize,
    line_bytes_max: usize,
    buffer: Vec<u8>,
    /// Where the buffer begins in the input.
    position: u64,
    /// Where the input begins.
    front: u64,
    /// Whether the buffer's last byte is a newline that the input did not have.
    completed: bool,
    /// Line ends before the buffer, since reading began, and the byte before it.
    lines: u64,
    before: u8,
    /// How far lines were counted within the buffer, and how many they are.
    counted: (usize, u64),
    /// What the last call handed out: the next one forgets it.
    handed: usize,
    /// Where the record being looked at begins, and how far it has been looked at.
    start: usize,
    scanned: usize,
    /// The record that is too long and is being skipped.
    passing: Option<Passing>,
}

/// A record that is being skipped: where it begins, its line, and its first bytes.
struct Passing {
    position: u64,
    lines: u64,
    start: Vec<u8>,
}

/// How much is kept of a record that is too long.
const KEPT_BYTES: usize = 1024;

impl Records {
    /// Reads from `position` on; fields are separated by `delimiter`, if quotes have a meaning.
    pub(super) fn new(delimiter: Option<u8>, position: u64, block_bytes: usize, line_bytes_max: usize) -> Records {
        Records {
            splitter: Splitter::new(delimiter),
            block_bytes,
            line_bytes_max,
            buffer: Vec::new(),
            position,
            front: 0,
            completed: false,
            lines: 0,
            before: 0,
            counted: (0, 0),
            handed: 0,
            start: 0,
            scanned: 0,
            passing: None,
        }
    }

    /// Positions count from `front` on: the input begins there.
    pub(super) fn behind(self, front: u64) -> Records {
        Records { front, ..self }
    }

    /// From the next record on, this byte separates fields.
    pub(super) fn delimit(&mut self, delimiter: Option<u8>) {
        self.splitter = Splitter::new(delimiter);
        self.scanned = self.start;
    }

    /// The bytes of records that were found.
    pub(super) fn text(&self) -> &[u8] {
        &self.buffer
    }

    /// Where a place in the text is in the input.
    pub(super) fn position_of(&self, at: usize) -> u64 {
        self.position + at as u64 - u64::from(self.completed && at == self.buffer.len())
    }

    /// How many lines have ended before a place in the text; to be asked from front to back.
    pub(super) fn lines_before(&mut self, at: usize) -> u64 {
        let (counted, lines) = self.counted;
        assert!(counted <= at, "lines are counted from front to back");
        let before = counted.checked_sub(1).map_or(self.before, |at| self.buffer[at]);
        self.counted = (at, lines + line_ends(&self.buffer[counted..at], before));
        self.lines + self.counted.1
    }

    /// The next records: at most `records_max`, and about a block of them.
    pub(super) fn read(&mut self, input: &mut Input, records_max: usize, judge: &dyn Judge) -> Result<Found> {
        self.forget(self.handed);
        self.handed = 0;
        let (mut found, mut last) = (Vec::new(), self.completed);
        loop {
            if self.passing.is_some() {
                if let Some(passed) = self.pass_over(last) {
                    return Ok(passed);
                }
            } else {
                while found.len() < records_max && self.start < self.block_bytes.max(1) {
                    let Some(record) = self.next_record(last, judge) else { break };
                    self.hand(record, &mut found, judge);
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
            match input.read(&mut self.buffer, self.block_bytes)? {
                Got::Bytes => {}
                Got::End if !last && (self.start < self.buffer.len() || self.passing.is_some()) => {
                    // The last line of an input that ends needs no line end of its own.
                    self.buffer.push(b'\n');
                    (self.completed, last) = (true, true);
                }
                _ if !found.is_empty() => return Ok(Found::Records(found)),
                Got::Nothing => return Ok(Found::Nothing),
                Got::End => return Ok(Found::End),
            }
        }
    }

    /// Keeps a record that is not blank, without the byte order mark that some programs put in front of a file.
    fn hand(&mut self, mut record: Record, found: &mut Vec<Record>, judge: &dyn Judge) {
        self.handed = record.bytes.end;
        if self.position_of(record.bytes.start) == self.front && has_byte_order_mark(&self.buffer[record.bytes.clone()])
        {
            record.bytes.start += 3;
        }
        if !judge.is_blank(&self.buffer[record.bytes.clone()]) {
            found.push(record);
        }
    }

    /// The next whole record in the buffer; one that is too long starts to be skipped instead.
    fn next_record(&mut self, last: bool, judge: &dyn Judge) -> Option<Record> {
        if self.start == self.buffer.len() {
            return None;
        }
        let text = &self.buffer[self.start..];
        let (looked, end) = self.splitter.end(text, self.scanned - self.start, last);
        self.scanned = self.start + looked;
        if end.map_or(looked, |end| without_line_end(&text[..end.at]).len()) > self.line_bytes_max {
            let allowed = self.start..self.start + self.line_bytes_max;
            if let Some(line) = self.line_within(allowed.clone(), false, judge) {
                return Some(self.cut(line));
            }
            // It has more bytes than are allowed, so where blocks are cut does not decide how many are kept.
            let kept = self.line_bytes_max.min(KEPT_BYTES);
            self.passing = Some(Passing {
                position: self.position_of(self.start),
                lines: self.lines_before(self.start),
                start: self.buffer[self.start..self.start + kept].to_vec(),
            });
            // From here on only a line end matters, wherever blocks were cut and quotes opened.
            self.scanned = allowed.end;
            return None;
        }
        let End { at, sound, quoted } = end?;
        let bytes = self.start..self.start + at;
        if quoted && let Some(line) = self.line_within(bytes.clone(), sound, judge) {
            return Some(self.cut(line));
        }
        self.start = bytes.end;
        Some(Record { bytes, sound })
    }

    /// Where a line that is a record by itself begins, within a record of several.
    fn line_within(&self, record: Range<usize>, sound: bool, judge: &dyn Judge) -> Option<usize> {
        if sound && !judge.is_choosy() {
            return None;
        }
        let text = &self.buffer[record.clone()];
        let mut lines = inner_lines(text).peekable();
        while let Some(line) = lines.next() {
            // The last line of a sound record has the end of a field, so it proves nothing.
            let last = Some(text.len()).filter(|_| !sound && ends_line(text));
            let Some(end) = lines.peek().copied().or(last) else { break };
            if judge.is_record(&text[line..end]) {
                return Some(record.start + line);
            }
        }
        None
    }

    /// The bad record that ends where a line begins.
    fn cut(&mut self, line: usize) -> Record {
        let bytes = self.start..line;
        self.splitter.reset();
        (self.start, self.scanned) = (line, line);
        Record { bytes, sound: false }
    }

    /// Forgets the rest of a record that is too long, up to the first line end beyond the allowed length.
    fn pass_over(&mut self, last: bool) -> Option<Found> {
        let mut plain = Splitter::new(None);
        let (looked, end) = plain.end(&self.buffer[self.scanned..], 0, last);
        self.forget(self.scanned + looked);
        (self.start, self.scanned) = (0, 0);
        end?;
        self.splitter.reset();
        let Passing { position, lines, start } = self.passing.take()?;
        Some(Found::TooLong { bytes: position..self.position, lines, start })
    }

    fn forget(&mut self, to: usize) {
        if to == 0 {
            return;
        }
        self.lines = self.lines_before(to);
        self.counted = (0, 0);
        self.before = self.buffer[to - 1];
        self.position = self.position_of(to);
        self.buffer.drain(..to);
        self.completed &= !self.buffer.is_empty();
        self.start = self.start.saturating_sub(to);
        self.scanned = self.scanned.saturating_sub(to);
    }
}
