//! Reading frames from a socket piece by piece, never holding more than is allowed.

use std::io::{self, ErrorKind, Read};

/// How a frame gives its length.
pub(super) trait Length {
    /// The bytes of the length.
    const BYTES: usize;
    /// The longest body that is accepted.
    const MAX: usize;

    fn read(bytes: &[u8]) -> u64;
}

/// A frame of the handshake: two bytes of length.
pub(super) struct Short;

impl Length for Short {
    const BYTES: usize = 2;
    const MAX: usize = super::handshake::BODY_MAX;

    fn read(bytes: &[u8]) -> u64 {
        u16::from_le_bytes(bytes.try_into().expect("two bytes")).into()
    }
}

/// A frame between processes that know each other: eight bytes of length.
pub(super) struct Long;

impl Length for Long {
    const BYTES: usize = 8;
    /// The longest is the one that says where the job resumes: some bytes for each layer and each open span.
    const MAX: usize = 64 << 20;

    fn read(bytes: &[u8]) -> u64 {
        u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
    }
}

/// What has come in so far of frames with lengths of form `L`.
pub(super) struct Frames<L> {
    buffer: Vec<u8>,
    length: std::marker::PhantomData<L>,
}

impl<L: Length> Frames<L> {
    pub(super) fn new() -> Frames<L> {
        Frames { buffer: Vec::new(), length: std::marker::PhantomData }
    }

    /// The next body, or `None` when `source` has no more for now: it would block, or its time-out has passed.
    ///
    /// # Errors
    /// Any error of reading; `UnexpectedEof` at the end; `InvalidData` for a length beyond the limit, before anything
    /// of that length is held.
    pub(super) fn next(&mut self, source: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
        loop {
            let wanted = match self.buffer.split_at_checked(L::BYTES) {
                None => L::BYTES - self.buffer.len(),
                Some((length, body)) => {
                    let length = L::read(length);
                    if length > L::MAX as u64 {
                        let message = format!("a frame of {length} bytes; {} are the most", L::MAX);
                        return Err(io::Error::new(ErrorKind::InvalidData, message));
                    }
                    if body.len() as u64 == length {
                        self.buffer.drain(..L::BYTES);
                        return Ok(Some(std::mem::take(&mut self.buffer)));
                    }
                    length as usize - body.len()
                }
            };
            // What is held grows with what has come, not with what was announced.
            let mut piece = [0; 4096];
            let most = wanted.min(piece.len());
            match source.read(&mut piece[..most]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.buffer.extend(&piece[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, and nothing for now after each.
    struct Trickle<'a>(&'a [u8], bool);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            match self.1 {
                true => Err(ErrorKind::WouldBlock.into()),
                false => self.0.read(&mut into[..1]),
            }
        }
    }

    #[test]
    fn frames_are_put_together_of_pieces() {
        let bytes = [&[3, 0][..], b"abc", &[0, 0], &[1, 0], b"d"].concat();
        let (mut source, mut frames) = (Trickle(&bytes, false), Frames::<Short>::new());
        let mut read = Vec::new();
        let end = loop {
            match frames.next(&mut source) {
                Ok(Some(body)) => read.push(body),
                Ok(None) => {}
                Err(error) => break error.kind(),
            }
        };
        assert_eq!((read, end), (vec![b"abc".to_vec(), Vec::new(), b"d".to_vec()], ErrorKind::UnexpectedEof));
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_its_bytes_come() {
        let refused = |bytes: &[u8]| Frames::<Short>::new().next(&mut &bytes[..]).unwrap_err().kind();
        assert_eq!(refused(&[255, 0]), ErrorKind::InvalidData);
        assert_eq!(refused(&[254, 0]), ErrorKind::UnexpectedEof, "this one is allowed");
        let long = |length: u64| Frames::<Long>::new().next(&mut &length.to_le_bytes()[..]).unwrap_err().kind();
        assert_eq!(long(1 << 63), ErrorKind::InvalidData);
        assert_eq!(long(u64::MAX), ErrorKind::InvalidData);
        assert_eq!(long(64 << 20), ErrorKind::UnexpectedEof);
    }
}
