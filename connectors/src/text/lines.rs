//! What ends a record and a field: decided here, for everyone who reads or writes text.
//!
//! - **A record** ends at a newline, at a carriage return, or at both together, which count as one.
//! - **A field** ends at the delimiter, or with its record.
//! - **A quote** opens a quoted field at the field's start only: `5" disk` is plain. Within, a doubled quote is one,
//!   and delimiters and line ends are text. After the quote that closes it comes a delimiter or the record's end; if
//!   something else comes there, or nothing closes it, the record is not *sound*.

use memchr::{memchr, memchr2, memchr2_iter, memchr3};

/// What some programs put in front of a file.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Finds where a record ends; remembers, from one block to the next, whether it is between quotes.
#[derive(Clone, Debug)]
pub(super) struct Splitter {
    delimiter: Option<u8>,
    within: Within,
    /// Whether the record has a quoted field.
    quoted: bool,
}

/// Where in a record the splitter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Plain,
    Quoted,
    /// After a quote inside quotes, which either closes the field or is the first half of a doubled one.
    QuotedQuote,
    /// After something that may not follow a closing quote.
    Broken,
}

/// The end of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The position after its line end.
    pub(super) at: usize,
    /// Whether its quotes are as they should be.
    pub(super) sound: bool,
    /// Whether it has a quoted field, and so may have several lines.
    pub(super) quoted: bool,
}

impl Splitter {
    /// For fields separated by `delimiter`, or for records in which quotes have no meaning here.
    pub(super) fn new(delimiter: Option<u8>) -> Splitter {
        Splitter { delimiter, within: Within::Plain, quoted: false }
    }

    /// Looks for the end of the record that `text` begins with, from `scanned` on, where the last call stopped.
    ///
    /// Returns how far it has looked, and what it has found. `last` says that nothing follows the text.
    pub(super) fn end(&mut self, text: &[u8], scanned: usize, last: bool) -> (usize, Option<End>) {
        let mut at = scanned;
        loop {
            match self.within {
                Within::Plain => match self.special(&text[at..]) {
                    Some(next) if text[at + next] == b'"' => {
                        at += next + 1;
                        if self.opens(&text[..at - 1]) {
                            (self.within, self.quoted) = (Within::Quoted, true);
                        }
                    }
                    Some(next) => return self.line_end(text, at + next, last, true),
                    None => return (text.len(), None),
                },
                Within::Quoted => match memchr(b'"', &text[at..]) {
                    Some(next) => (at, self.within) = (at + next + 1, Within::QuotedQuote),
                    None if last => return self.found(text.len(), false),
                    None => return (text.len(), None),
                },
                Within::QuotedQuote => match text.get(at) {
                    None => return (at, None),
                    Some(b'"') => (at, self.within) = (at + 1, Within::Quoted),
                    Some(&byte) if is_line_end(byte) || Some(byte) == self.delimiter => self.within = Within::Plain,
                    Some(_) => self.within = Within::Broken,
                },
                Within::Broken => match memchr2(b'\n', b'\r', &text[at..]) {
                    Some(next) => return self.line_end(text, at + next, last, false),
                    None => return (text.len(), None),
                },
            }
        }
    }

    /// Forgets the record that was looked at: another one begins.
    pub(super) fn reset(&mut self) {
        (self.within, self.quoted) = (Within::Plain, false);
    }

    fn special(&self, text: &[u8]) -> Option<usize> {
        match self.delimiter {
            Some(_) => memchr3(b'"', b'\n', b'\r', text),
            None => memchr2(b'\n', b'\r', text),
        }
    }

    /// Whether a quote after this much of a record opens a field.
    fn opens(&self, before: &[u8]) -> bool {
        before.is_empty() || before.last().copied() == self.delimiter || before == BYTE_ORDER_MARK
    }

    /// The record ends with the line end at `at`, unless that may be the first half of one.
    fn line_end(&mut self, text: &[u8], at: usize, last: bool, sound: bool) -> (usize, Option<End>) {
        match text[at..] {
            [b'\r'] if !last => (at, None),
            [b'\r', b'\n', ..] => self.found(at + 2, sound),
            _ => self.found(at + 1, sound),
        }
    }

    fn found(&mut self, at: usize, sound: bool) -> (usize, Option<End>) {
        let quoted = self.quoted;
        self.reset();
        (at, Some(End { at, sound, quoted }))
    }
}

/// A field of a record: its content, whether it is quoted, and whether quotes in it are doubled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) quoted: bool,
    pub(crate) doubled: bool,
}

/// Gives each field of a sound record without its line end, in order.
pub(crate) fn fields(record: &[u8], delimiter: u8, mut each: impl FnMut(Field)) {
    let mut start = 0;
    loop {
        let (mut field, next) = match record.get(start) {
            Some(b'"') => quoted(record, start + 1),
            _ => (Field { start, end: record.len(), quoted: false, doubled: false }, start),
        };
        let end = memchr(delimiter, &record[next..]).map(|length| next + length);
        if next == start {
            field.end = end.unwrap_or(record.len());
        }
        each(field);
        let Some(end) = end else { return };
        start = end + 1;
    }
}

/// The field between the quote before `start` and the one that closes it, and the position after that one.
fn quoted(record: &[u8], start: usize) -> (Field, usize) {
    let (mut at, mut doubled) = (start, false);
    while let Some(next) = memchr(b'"', &record[at..]) {
        at += next;
        if record.get(at + 1) != Some(&b'"') {
            return (Field { start, end: at, quoted: true, doubled }, at + 1);
        }
        (at, doubled) = (at + 2, true);
    }
    (Field { start, end: record.len(), quoted: true, doubled }, record.len())
}

/// A record without its line end and without a byte order mark before it.
pub(crate) fn content(record: &[u8]) -> &[u8] {
    let record = record.strip_prefix(BYTE_ORDER_MARK).unwrap_or(record);
    without_line_end(record)
}

pub(crate) fn without_line_end(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

pub(super) fn has_byte_order_mark(text: &[u8]) -> bool {
    text.starts_with(BYTE_ORDER_MARK)
}

/// The positions at which lines begin within a record of several lines, except the first.
pub(super) fn inner_lines(record: &[u8]) -> impl Iterator<Item = usize> {
    let within = without_line_end(record);
    memchr2_iter(b'\n', b'\r', within)
        .map(|at| at + 1)
        .filter(|&at| record[at - 1] == b'\n' || record.get(at) != Some(&b'\n'))
}

/// How many lines end in `bytes`, of which `before` is the byte in front.
pub(super) fn line_ends(bytes: &[u8], before: u8) -> u64 {
    if before != b'\r' && memchr(b'\r', bytes).is_none() {
        return bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
    }
    let before = std::iter::once(before).chain(bytes.iter().copied());
    let ends = |(before, byte): (u8, &u8)| *byte == b'\r' || *byte == b'\n' && before != b'\r';
    before.zip(bytes).filter(|&pair| ends(pair)).count() as u64
}

pub(super) fn ends_line(text: &[u8]) -> bool {
    text.last().is_some_and(|&byte| is_line_end(byte))
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The records of a text, each with whether it is sound, scanned in pieces of this size.
    fn split(text: &str, piece: usize) -> Vec<(String, bool)> {
        let (mut splitter, mut records) = (Splitter::new(Some(b',')), Vec::new());
        let (mut start, mut scanned, mut seen) = (0, 0, 0);
        while start < text.len() {
            seen = (seen + piece).min(text.len());
            let last = seen == text.len();
            while start < seen {
                let (looked, end) = splitter.end(&text.as_bytes()[start..seen], scanned - start, last);
                scanned = start + looked;
                let Some(End { at, sound, .. }) = end else { break };
                records.push((text[start..start + at].to_string(), sound));
                (start, scanned) = (start + at, start + at);
            }
            if last && start < seen {
                records.push((text[start..].to_string(), true));
                break;
            }
        }
        records
    }

    #[test]
    fn records_end_at_each_kind_of_line_end_and_quotes_count_at_the_start_of_a_field() {
        for (text, expected) in [
            ("a,b\nc\n", vec![("a,b\n", true), ("c\n", true)]),
            ("a\rb\r\nc\n\rd", vec![("a\r", true), ("b\r\n", true), ("c\n", true), ("\r", true), ("d", true)]),
            ("\"a\r\nb\",5\"\nc\n", vec![("\"a\r\nb\",5\"\n", true), ("c\n", true)]),
            ("\"a\"\"\n\"\nc\r", vec![("\"a\"\"\n\"\n", true), ("c\r", true)]),
            ("\"a\"b,\"c\nd\"\n", vec![("\"a\"b,\"c\n", false), ("d\"\n", true)]),
            ("\u{feff}\"a\nb\",c\nd\n", vec![("\u{feff}\"a\nb\",c\n", true), ("d\n", true)]),
            ("a,\"b\nc\n", vec![("a,\"b\nc\n", false)]),
        ] {
            for piece in 1..=text.len() {
                let found = split(text, piece);
                let found: Vec<_> = found.iter().map(|(record, sound)| (record.as_str(), *sound)).collect();
                assert_eq!(found, expected, "{text:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn fields_end_at_the_delimiter_outside_of_quotes() {
        for (record, expected) in [
            ("a,b", vec!["a", "b"]),
            ("", vec![""]),
            (",\"\",", vec!["", "", ""]),
            ("\"a,b\",\"c\"\"d\"", vec!["a,b", "c\"\"d"]),
            ("5\" disk,\"x\ny\"", vec!["5\" disk", "x\ny"]),
        ] {
            let mut found = Vec::new();
            fields(record.as_bytes(), b',', |field| found.push(&record[field.start..field.end]));
            assert_eq!(found, expected, "{record:?}");
        }
    }

    #[test]
    fn lines_are_counted_however_they_end_and_wherever_they_are_cut() {
        let text = b"a\nb\rc\r\nd\n\r\n\re";
        for cut in 0..text.len() {
            let before = cut.checked_sub(1).map_or(0, |at| text[at]);
            assert_eq!(line_ends(&text[..cut], 0) + line_ends(&text[cut..], before), 6, "cut at {cut}");
        }
        assert_eq!(inner_lines(b"a\nb\r\nc\rd\n").collect::<Vec<_>>(), [2, 5, 7]);
    }
}
