//! A look at metadata before it is decoded: no list in it may claim more elements than there are bytes.
//!
//! The Parquet library reserves memory for a list by its claimed length, some hundred bytes an element. A damaged length
//! would have it ask for more memory than any machine has, and that ends the process: it is neither an error nor a
//! panic that could be caught.

use dualgauge_engine::{Error, Result};

/// How deep metadata may be nested; the format itself needs less than ten levels.
const DEPTH_MAX: usize = 32;

/// Walks one struct in Thrift's compact encoding; how many bytes it has.
pub(super) fn check_struct(bytes: &[u8]) -> Result<usize> {
    let mut walk = Walk { bytes, at: 0 };
    match walk.skip_struct(0) {
        Some(()) => Ok(walk.at),
        None => Err(Error::data(format!("the metadata is damaged at its byte {}", walk.at))),
    }
}

/// `None` from any method means that what is there cannot be.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    fn skip_struct(&mut self, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        loop {
            let header = self.byte()?;
            if header == 0 {
                return Some(());
            }
            if header >> 4 == 0 {
                self.varint()?; // the field's number, where it is not given as a step from the last one's
            }
            // The two kinds of boolean fields have their value in the header.
            if !matches!(header & 0x0f, 1 | 2) {
                self.skip_value(header & 0x0f, depth)?;
            }
        }
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
        let header = self.byte()?;
        let len = match header >> 4 {
            15 => self.varint()?,
            short => u64::from(short),
        };
        // Every element has at least a byte, so a length that is too large ends where the bytes end.
        (0..len).try_for_each(|_| self.skip_value(header & 0x0f, depth + 1))
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
