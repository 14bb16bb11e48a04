//! One direction of a connection: what proves that its frames come from the process that sends them, in the order sent.
//!
//! - **A frame is whole and in its place, or it is none.** Its seal covers the number of the frame in its direction, by
//!   a key that only this direction of this connection has: a frame that was changed, cut, repeated, left out, moved or
//!   turned round does not open, and neither does anything after it.
//! - **Encrypted where that is asked for.** Then the seal is the cipher's own.
//! - **No number twice.** There is no way to seal two frames with one number: whoever sends has the only one.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, Tag};

use super::secret::Secret;

/// One direction, at one of its ends.
pub(super) struct Way {
    kind: Kind,
    /// How many frames have passed.
    number: u64,
}

enum Kind {
    Sealed([u8; 32]),
    Encrypted(ChaCha20Poly1305),
}

impl Way {
    /// What process `from` sends in the connection of this session.
    pub(super) fn new(session: &Secret, from: u16, encrypted: bool) -> Way {
        let of = if encrypted { "encrypted frames from" } else { "sealed frames from" };
        let key = session.key(&[of.as_bytes(), &from.to_le_bytes()].concat());
        let kind = match encrypted {
            true => Kind::Encrypted(ChaCha20Poly1305::new(&key.into())),
            false => Kind::Sealed(key),
        };
        Way { kind, number: 0 }
    }

    /// How long a seal is.
    pub(super) fn seal_bytes(&self) -> usize {
        match self.kind {
            Kind::Sealed(_) => blake3::OUT_LEN,
            Kind::Encrypted(_) => size_of::<Tag>(),
        }
    }

    /// Makes the next frame of what `frame` holds from `at` on: encrypts it where that is asked for, and puts the seal
    /// at the end.
    pub(super) fn close(&mut self, frame: &mut Vec<u8>, at: usize) {
        let number = self.next();
        match &self.kind {
            Kind::Sealed(key) => frame.extend(seal(key, number, &frame[at..]).as_bytes()),
            Kind::Encrypted(cipher) => {
                let sealed = cipher.encrypt_inout_detached(&nonce(number), &[], (&mut frame[at..]).into());
                frame.extend(sealed.expect("a frame is far shorter than what the cipher takes"));
            }
        }
    }

    /// What the next frame says, decrypted in place; `None` where it is not that frame.
    pub(super) fn open<'a>(&mut self, frame: &'a mut [u8]) -> Option<&'a mut [u8]> {
        let number = self.next();
        let (said, claimed) = frame.split_at_mut(frame.len().checked_sub(self.seal_bytes())?);
        let is_it = match &self.kind {
            // Compared in constant time.
            Kind::Sealed(key) => seal(key, number, said) == blake3::Hash::from_slice(claimed).ok()?,
            Kind::Encrypted(cipher) => {
                let claimed = Tag::try_from(&*claimed).ok()?;
                cipher.decrypt_inout_detached(&nonce(number), &[], (&mut *said).into(), &claimed).is_ok()
            }
        };
        is_it.then_some(said)
    }

    fn next(&mut self) -> u64 {
        let number = self.number;
        self.number = number.checked_add(1).expect("so many frames take centuries");
        number
    }
}

fn seal(key: &[u8; 32], number: u64, said: &[u8]) -> blake3::Hash {
    blake3::Hasher::new_keyed(key).update(&number.to_le_bytes()).update(said).finalize()
}

fn nonce(number: u64) -> Nonce {
    let mut nonce = Nonce::default();
    nonce[4..].copy_from_slice(&number.to_le_bytes());
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(session: &str, from: u16, encrypted: bool) -> Way {
        Way::new(&Secret::new(session).unwrap(), from, encrypted)
    }

    fn closed(way: &mut Way, said: &str) -> Vec<u8> {
        let mut frame = said.as_bytes().to_vec();
        way.close(&mut frame, 0);
        frame
    }

    const SESSION: &str = "the secret of this session";

    #[test]
    fn frames_open_in_their_order_and_only_once() {
        for encrypted in [false, true] {
            let (mut out, mut into) = (way(SESSION, 1, encrypted), way(SESSION, 1, encrypted));
            let frames = ["", "one", "one"].map(|said| closed(&mut out, said));
            assert_ne!(frames[1], frames[2], "the same words are another frame");
            assert_eq!(frames[1].starts_with(b"one"), !encrypted);
            for (frame, said) in frames.iter().zip(["", "one", "one"]) {
                assert_eq!(into.open(&mut frame.clone()).unwrap(), said.as_bytes());
            }
            assert!(into.open(&mut frames[2].clone()).is_none(), "repeated");
            let mut into = way(SESSION, 1, encrypted);
            assert!(into.open(&mut frames[1].clone()).is_none(), "one was left out");
        }
    }

    #[test]
    fn a_frame_of_another_direction_session_or_kind_does_not_open() {
        for encrypted in [false, true] {
            let frame = closed(&mut way(SESSION, 1, encrypted), "said");
            for mut other in [
                way(SESSION, 0, encrypted),
                way("the secret of another session", 1, encrypted),
                way(SESSION, 1, !encrypted),
            ] {
                assert!(other.open(&mut frame.clone()).is_none());
            }
        }
    }

    #[test]
    fn no_bit_and_no_byte_of_a_frame_may_differ() {
        for encrypted in [false, true] {
            let frame = closed(&mut way(SESSION, 1, encrypted), "said");
            let opens = |mut frame: Vec<u8>| way(SESSION, 1, encrypted).open(&mut frame).is_some();
            assert!(opens(frame.clone()));
            for bit in 0..frame.len() * 8 {
                let mut changed = frame.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(!opens(changed), "bit {bit}");
            }
            for length in 0..frame.len() {
                assert!(!opens(frame[..length].to_vec()), "cut to {length}");
            }
            assert!(!opens([&frame[..], &[0]].concat()), "longer");
        }
    }
}
