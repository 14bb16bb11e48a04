//! A look at metadata before it is decoded: no list in it may claim more elements than there are bytes.
//!
//! The Parquet library reserves memory for a list by its claimed length, some hundred bytes an element. A damaged
//! length would make it ask for more memory than any machine has, and that ends the process: it is neither an error nor
//! a panic that could be caught.

use std::ops::Range;

use dualgauge_engine::{Error, Result};

/// How deep metadata may be nested; the format itself needs less than ten levels.
const DEPTH_MAX: usize = 32;

/// The error for metadata that cannot be walked.
pub(super) fn damaged(walk: &Walk<'_>) -> Error {
    Error::data(format!("the metadata is damaged at its byte {}", walk.at))
}

/// Walks one struct in Thrift's compact encoding. Returns how many bytes it has.
pub(super) fn check_struct(bytes: &[u8]) -> Result<usize> {
    let mut walk = Walk::new(bytes);
    match walk.skip_struct(0) {
        Some(()) => Ok(walk.at),
        None => Err(damaged(&walk)),
    }
}

/// A walk through metadata. `None` from any method means that the bytes are impossible.
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    /// How many bytes were passed.
    pub(super) at: usize,
}

/// Kinds of fields.
pub(super) const I32: u8 = 5;
pub(super) const I64: u8 = 6;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

/// Writes the header of a list of structs.
pub(super) fn put_structs_header(bytes: &mut Vec<u8>, len: usize) {
    if len < 15 {
        return bytes.push((len as u8) << 4 | STRUCT);
    }
    bytes.push(0xf0 | STRUCT);
    put_varint(bytes, len as u64);
}

/// Writes an integer of variable length.
pub(super) fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Called for a field, with its number and kind; says whether its value was taken, or is to be skipped.
pub(super) type OnField<'f> = dyn FnMut(&mut Walk<'_>, i64, u8) -> Option<bool> + 'f;

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Walk<'a> {
        Walk { bytes, at: 0 }
    }

    /// Walks a struct to its end.
    pub(super) fn fields(&mut self, depth: usize, each: &mut OnField<'_>) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut number = 0_i64;
        loop {
            let header = self.byte()?;
            if header == 0 {
                return Some(());
            }
            // A field's number, if it is not given as a step from the last one's.
            number = match header >> 4 {
                0 => self.integer()?,
                step => number.checked_add(i64::from(step))?,
            };
            let kind = header & 0x0f;
            // The two kinds of boolean fields have their value in the header.
            if !matches!(kind, 1 | 2) && !each(self, number, kind)? {
                self.skip_value(kind, depth)?;
            }
        }
    }

    /// An integer of 16, 32 or 64 bits.
    pub(super) fn integer(&mut self) -> Option<i64> {
        let zigzag = self.varint()?;
        Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    /// Walks a list of structs to its end; `each` gets the range of bytes of each. Returns how many there were.
    pub(super) fn structs(&mut self, depth: usize, each: &mut dyn FnMut(Range<usize>)) -> Option<usize> {
        let (kind, len) = self.list_header()?;
        // Some writers give an empty list a different kind, or none.
        for _ in 0..len {
            let start = self.at;
            (kind == STRUCT).then_some(())?;
            self.skip_struct(depth + 1)?;
            each(start..self.at);
        }
        Some(len as usize)
    }

    fn skip_struct(&mut self, depth: usize) -> Option<()> {
        self.fields(depth, &mut |_, _, _| Some(false))
    }

    fn skip_value(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            1..=3 => self.skip(1),            // a boolean within a list, a byte
            4..=6 => self.varint().map(drop), // integers of 16, 32 and 64 bits
            7 => self.skip(8),                // a double
            8 => {
                let len = self.varint()?;
                self.skip(len)
            }
            9 | 10 => self.skip_list(depth),
            12 => self.skip_struct(depth + 1),
            _ => None, // a map, which the format does not use, or nothing that Thrift knows
        }
    }

    fn skip_list(&mut self, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        let (kind, len) = self.list_header()?;
        // Every element has at least a byte, so a length that is too large ends where the bytes end.
        (0..len).try_for_each(|_| self.skip_value(kind, depth + 1))
    }

    /// The kind of a list's elements, and how many it claims.
    fn list_header(&mut self) -> Option<(u8, u64)> {
        let header = self.byte()?;
        let len = match header >> 4 {
            15 => self.varint()?,
            short => u64::from(short),
        };
        Some((header & 0x0f, len))
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn skip(&mut self, count: u64) -> Option<()> {
        let rest = (self.bytes.len() - self.at) as u64;
        (count <= rest).then(|| self.at += count as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::check_struct;

    #[test]
    fn a_list_longer_than_what_follows_is_refused() {
        let four_structs = [0x19, 0x4c, 0, 0, 0, 0, 0];
        assert_eq!(check_struct(&four_structs).unwrap(), 7);
        let billions = [0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0, 0, 0];
        assert!(check_struct(&billions).is_err());
        let text_beyond_the_end = [0x18, 0x7f, b'a', 0];
        assert!(check_struct(&text_beyond_the_end).is_err());
        assert!(check_struct(&[0x1c; 1_000]).is_err(), "nested without end");
        assert!(check_struct(&[]).is_err());
    }
}
