//! The envelope of a stored value: what it is, in which version, and a checksum over all of it.
//!
//! ```text
//! magic 8 │ version u16 │ length u64 │ payload (postcard) │ xxh3-128 of all before
//! ```
//! Numbers are little-endian.

use std::fmt;

use serde::Serialize;
#[cfg(test)]
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_128;

const HEAD: usize = 8 + 2 + 8;
const CHECKSUM: usize = 16;

/// What an envelope holds, and the newest version of it that this program knows.
pub(super) struct Envelope {
    pub magic: [u8; 8],
    pub version: u16,
}

/// Why bytes are not what was sealed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unsealed {
    /// The bytes are damaged, or are something else altogether.
    Damaged(&'static str),
    /// The bytes are whole, and of a version that this program does not know.
    Newer {
        /// Their version.
        version: u16,
        /// The newest one known here.
        known: u16,
    },
}

impl Envelope {
    /// The value as bytes to be stored.
    pub fn seal(&self, value: &impl Serialize) -> Vec<u8> {
        let payload = postcard::to_stdvec(value).expect("a stored value's Serialize must not fail");
        let mut bytes = Vec::with_capacity(HEAD + payload.len() + CHECKSUM);
        bytes.extend(self.magic);
        bytes.extend(self.version.to_le_bytes());
        bytes.extend((payload.len() as u64).to_le_bytes());
        bytes.extend(payload);
        bytes.extend(xxh3_128(&bytes).to_le_bytes());
        bytes
    }

    /// The value that was sealed, of any version.
    #[cfg(test)]
    pub fn open<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, Unsealed> {
        self.open_with(bytes, |_, payload| match postcard::take_from_bytes(payload) {
            Ok((value, [])) => Some(value),
            _ => None,
        })
    }

    /// The value that was sealed, read from its payload according to its version.
    pub fn open_with<T>(&self, bytes: &[u8], read: impl FnOnce(u16, &[u8]) -> Option<T>) -> Result<T, Unsealed> {
        let (rest, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(Unsealed::Damaged("it is cut off"))?;
        let (head, payload) = rest.split_first_chunk::<HEAD>().ok_or(Unsealed::Damaged("it is cut off"))?;
        if head[..8] != self.magic {
            return Err(Unsealed::Damaged("it does not begin as it should"));
        }
        if xxh3_128(rest) != u128::from_le_bytes(*checksum) {
            return Err(Unsealed::Damaged("its checksum is wrong"));
        }
        let version = u16::from_le_bytes([head[8], head[9]]);
        if version > self.version {
            return Err(Unsealed::Newer { version, known: self.version });
        }
        let length = u64::from_le_bytes(head[10..].try_into().expect("eight bytes"));
        if length != payload.len() as u64 {
            return Err(Unsealed::Damaged("its length is wrong"));
        }
        read(version, payload).ok_or(Unsealed::Damaged("its checksum is right, but its content cannot be read"))
    }
}

impl fmt::Display for Unsealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unsealed::Damaged(how) => f.write_str(how),
            Unsealed::Newer { version, known } => {
                write!(f, "it has format version {version}, and this dualgauge knows {known} at most: use a newer one")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: Envelope = Envelope { magic: *b"a test\r\n", version: 2 };

    #[test]
    fn what_was_sealed_is_what_is_opened() {
        assert_eq!(NOTE.open(&NOTE.seal(&("a", 7_u64))), Ok(("a".to_string(), 7_u64)));
    }

    #[test]
    fn every_flipped_byte_and_every_truncation_is_found() {
        let sealed = NOTE.seal(&"some words");
        for at in 0..sealed.len() {
            assert!(matches!(NOTE.open::<String>(&sealed[..at]), Err(Unsealed::Damaged(_))));
            for mask in 1..=255 {
                let mut flipped = sealed.clone();
                flipped[at] ^= mask;
                assert!(matches!(NOTE.open::<String>(&flipped), Err(Unsealed::Damaged(_))), "byte {at}, mask {mask}");
            }
        }
        assert!(NOTE.open::<String>(&[sealed, vec![0]].concat()).is_err());
    }

    #[test]
    fn a_newer_version_is_refused_by_its_number_and_an_older_one_is_read() {
        let sealed = |version| Envelope { version, ..NOTE }.seal(&7_u8);
        assert_eq!(NOTE.open(&sealed(1)), Ok(7_u8));
        assert_eq!(NOTE.open::<u8>(&sealed(3)), Err(Unsealed::Newer { version: 3, known: 2 }));
    }
}
