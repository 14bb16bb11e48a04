//! Timely's stream of bytes in sealed pieces: no part of a piece is handed on before all of it is here and proven.
//!
//! ```text
//! piece: length, 4 bytes; so many bytes of the stream; seal     numbers little-endian
//! ```
//!
//! A length that was changed makes a piece that does not open, or one that never comes, which the links notice
//! (`engine/src/cluster/arrivals.rs`).

use std::io::{self, Read};
use std::ops::Range;

use super::way::Way;

/// The most bytes of the stream in one piece; as many as timely hands over at once.
pub(super) const PIECE_MAX: usize = 1 << 16;

const LENGTH: usize = 4;

/// Makes pieces.
pub(super) struct Outgoing {
    way: Way,
    piece: Vec<u8>,
}

impl Outgoing {
    pub(super) fn new(way: Way) -> Outgoing {
        Outgoing { way, piece: Vec::new() }
    }

    /// The piece that begins with `bytes`, and how many of them are in it.
    pub(super) fn next(&mut self, bytes: &[u8]) -> (&[u8], usize) {
        let taken = bytes.len().min(PIECE_MAX);
        self.piece.clear();
        self.piece.extend((taken as u32).to_le_bytes());
        self.piece.extend(&bytes[..taken]);
        self.way.close(&mut self.piece, LENGTH);
        (&self.piece, taken)
    }
}

/// Takes pieces apart.
pub(super) struct Incoming {
    way: Way,
    buffer: Box<[u8]>,
    /// What has come and has not been looked at.
    raw: Range<usize>,
    /// What is proven and has not been handed on; it lies before `raw`.
    opened: Range<usize>,
}

/// Why there is no more of the stream.
#[derive(Debug)]
pub(super) enum Gone {
    /// The connection has ended, with nothing or a part of a piece.
    Ended,
    Broke(io::Error),
    /// What has come is not what was sent.
    Forged(String),
}

/// What one read has brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Came {
    /// From the connection.
    pub(super) raw: usize,
    /// In pieces that are whole, including all their overhead.
    pub(super) opened: usize,
}

impl Incoming {
    pub(super) fn new(way: Way) -> Incoming {
        // The longest piece, and as much of the next ones as came with it.
        let longest = LENGTH + PIECE_MAX + way.seal_bytes();
        Incoming { way, buffer: vec![0; 2 * longest].into_boxed_slice(), raw: 0..0, opened: 0..0 }
    }

    /// What is proven and has not been handed on.
    pub(super) fn opened(&self) -> &[u8] {
        &self.buffer[self.opened.clone()]
    }

    /// This much of it was handed on.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.opened.start += bytes;
    }

    /// Opens the next piece if it is here, else reads once from `source`; called once all that was opened is handed on.
    pub(super) fn advance(&mut self, source: &mut impl Read) -> Result<Came, Gone> {
        let mut came = Came::default();
        let wanted = match self.open()? {
            Ok(opened) => return Ok(Came { opened, ..came }),
            Err(wanted) => wanted,
        };
        if self.raw.start + wanted > self.buffer.len() || self.raw.is_empty() {
            self.buffer.copy_within(self.raw.clone(), 0);
            self.raw = 0..self.raw.len();
            self.opened = 0..0;
        }
        came.raw = source.read(&mut self.buffer[self.raw.end..]).map_err(Gone::Broke)?;
        if came.raw == 0 {
            return Err(Gone::Ended);
        }
        self.raw.end += came.raw;
        Ok(came)
    }

    /// Opens the next piece, and returns how long it was; or how long it will be, as far as is known.
    fn open(&mut self) -> Result<Result<usize, usize>, Gone> {
        let raw = &mut self.buffer[self.raw.clone()];
        let Some((length, _)) = raw.split_first_chunk::<LENGTH>() else { return Ok(Err(LENGTH)) };
        let length = u32::from_le_bytes(*length) as usize;
        if length == 0 || length > PIECE_MAX {
            return Err(Gone::Forged(format!(
                "it seems to have sent {length} bytes at once, and 1 to {PIECE_MAX} are what can be; something between the \
                 processes changes what they send"
            )));
        }
        let whole = LENGTH + length + self.way.seal_bytes();
        let Some(piece) = raw.get_mut(LENGTH..whole) else { return Ok(Err(whole)) };
        if self.way.open(piece).is_none() {
            return Err(Gone::Forged(super::WRONG_SEAL.to_string()));
        }
        let start = self.raw.start + LENGTH;
        (self.opened, self.raw.start) = (start..start + length, self.raw.start + whole);
        Ok(Ok(whole))
    }
}

#[cfg(test)]
mod tests {
    use super::super::secret::Secret;
    use super::*;

    fn way(encrypted: bool) -> Way {
        Way::new(&Secret::new("the secret of both").unwrap(), 1, encrypted)
    }

    /// Gives at most this many bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(into.len());
            self.0.read(&mut into[..most])
        }
    }

    fn sent(stream: &[u8], encrypted: bool) -> Vec<u8> {
        let (mut outgoing, mut sent, mut rest) = (Outgoing::new(way(encrypted)), Vec::new(), stream);
        while !rest.is_empty() {
            let (piece, taken) = outgoing.next(rest);
            sent.extend(piece);
            rest = &rest[taken..];
        }
        sent
    }

    fn read(sent: &[u8], at_once: usize, encrypted: bool) -> (Vec<u8>, Came, Gone) {
        let (mut incoming, mut source) = (Incoming::new(way(encrypted)), Slow(sent, at_once));
        let (mut read, mut all) = (Vec::new(), Came::default());
        loop {
            read.extend(incoming.opened());
            incoming.consume(incoming.opened().len());
            match incoming.advance(&mut source) {
                Ok(came) => all = Came { raw: all.raw + came.raw, opened: all.opened + came.opened },
                Err(gone) => return (read, all, gone),
            }
        }
    }

    #[test]
    fn a_stream_comes_as_it_was_sent_however_it_is_cut() {
        let stream: Vec<u8> = (0..3 * PIECE_MAX as u32 + 1000).map(|at| (at * 7 % 251) as u8).collect();
        for encrypted in [false, true] {
            let sent = sent(&stream, encrypted);
            for at_once in [1, 1000, PIECE_MAX, 10 * PIECE_MAX] {
                let (read, came, gone) = read(&sent, at_once, encrypted);
                assert!(matches!(gone, Gone::Ended), "{gone:?}");
                assert!(read == stream, "{at_once} at once");
                assert_eq!(came, Came { raw: sent.len(), opened: sent.len() });
            }
        }
    }

    #[test]
    fn nothing_of_a_piece_that_was_touched_is_handed_on() {
        for encrypted in [false, true] {
            let sent = sent(b"a short one", encrypted);
            for bit in 0..sent.len() * 8 {
                let mut changed = sent.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let (read, came, gone) = read(&changed, 100, encrypted);
                assert_eq!((&read[..], came.opened), (&b""[..], 0), "bit {bit}");
                // A longer one is waited for, and the links know that nothing is on its way.
                assert!(matches!(gone, Gone::Forged(_)) || bit < 8 * LENGTH, "bit {bit}: {gone:?}");
            }
            let twice = [&sent[..], &sent].concat();
            let (read, _, gone) = read(&twice, 100, encrypted);
            assert_eq!(read, b"a short one");
            assert!(matches!(gone, Gone::Forged(_)), "{gone:?}");
        }
    }
}
