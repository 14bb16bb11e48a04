//! All bytes that were read from a file, as a hash that grows with them, by which the file is recognised.
//!
//! ```text
//! xxh3_128 of the bytes before the offset, 16 bytes, little-endian │ "all that was rea", 16 bytes
//! xxh3_64 of them, 8 bytes │ bytes of the files before it, 8 bytes │ "behind another f", 16 bytes
//! xxh3_128 of them, 16 bytes │ xxh3_64 of what tells the file from others, 8 bytes │ "followed", 8 bytes
//! xxh3_64 of them, 8 bytes │ bytes of the files before it, 8 bytes │ what tells it from others, 8 bytes │ "f-behind", 8 bytes
//! ```
//!
//! The last two are for followed files: they help to find one that was renamed. The fourth is for a file that has taken
//! the place of others while it was followed; for those, the second was written earlier. If nothing was read of it yet,
//! the file itself is proved, and not its bytes.
//!
//! **What was read, not what is there.** The hash is made of the bytes that went to the reader. If somebody rewrites a
//! file while it is read, the next start finds that the file is not what was read.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::UNIX_EPOCH;

use dualgauge_engine::Offset;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::handles::Identity;

/// What ends a proof of this kind; a proof without it is the blake3 of the last bytes before its offset.
const KIND: [u8; 16] = *b"all that was rea";

/// What ends a proof of a file that has taken the place of others.
const KIND_BEHIND: [u8; 16] = *b"behind another f";

/// What ends a proof of a file that is followed.
const KIND_FOLLOWED: [u8; 8] = *b"followed";

/// What ends a proof of a followed file that has taken the place of others.
const KIND_FOLLOWED_BEHIND: [u8; 8] = *b"f-behind";

/// How many bytes wait for an offset before the older half of them is assumed to lie before it.
const WAITING_MAX: usize = 32 << 20;

/// How many bytes before an offset a proof of the older kind covers.
const LAST_BYTES: u64 = 4096;

/// How much of a file is hashed at once.
const BLOCK_BYTES: usize = 1 << 20;

/// The bytes read so far: those up to an offset as a hash, and those after it as they are.
pub(super) struct Prefix {
    hash: Xxh3,
    /// How many bytes are in the hash.
    hashed: u64,
    waiting: Vec<u8>,
}

impl Prefix {
    /// Nothing.
    pub(super) fn new() -> Prefix {
        Prefix { hash: Xxh3::new(), hashed: 0, waiting: Vec::new() }
    }

    /// The first `length` bytes of a file, or as many as it has.
    pub(super) fn of(file: &File, length: u64) -> io::Result<Prefix> {
        let mut prefix = Prefix::new();
        let mut block = vec![0; BLOCK_BYTES.min(usize::try_from(length).unwrap_or(BLOCK_BYTES))];
        while prefix.hashed < length {
            let wanted = block.len().min(usize::try_from(length - prefix.hashed).unwrap_or(block.len()));
            match file.read_at(&mut block[..wanted], prefix.hashed) {
                Ok(0) => break,
                Ok(read) => prefix.hash(&block[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(prefix)
    }

    /// Takes the next bytes that were read.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        if self.waiting.len() + bytes.len() > WAITING_MAX {
            // Only a record that is skipped puts so many after the last offset.
            self.hash_waiting(self.waiting.len().min(WAITING_MAX / 2));
        }
        self.waiting.extend_from_slice(bytes);
    }

    /// The proof of an offset; `None` for one that is not between the last one and the end of what was read.
    pub(super) fn proof(&mut self, position: u64) -> Option<[u8; 32]> {
        let more = usize::try_from(position.checked_sub(self.hashed)?).ok()?;
        if more > self.waiting.len() {
            return None;
        }
        self.hash_waiting(more);
        let mut proof = [0; 32];
        proof[..16].copy_from_slice(&self.hash.digest128().to_le_bytes());
        proof[16..].copy_from_slice(&KIND);
        Some(proof)
    }

    /// The hash of all that was taken.
    pub(super) fn now(&self) -> u128 {
        let mut hash = self.hash.clone();
        hash.update(&self.waiting);
        hash.digest128()
    }

    fn hash_waiting(&mut self, count: usize) {
        self.hash.update(&self.waiting[..count]);
        self.hashed += count as u64;
        self.waiting.drain(..count);
    }

    fn hash(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.hashed += bytes.len() as u64;
    }
}

/// A proof of a file after others that had `base` bytes; `own` stands for a file of which nothing was read.
pub(super) fn behind(proof: [u8; 32], base: u64, own: Option<&Identity>) -> [u8; 32] {
    let mut behind = proof;
    if let Some(own) = own {
        behind[..8].copy_from_slice(&xxh3_64(format!("{own:?}").as_bytes()).to_le_bytes());
    }
    behind[8..16].copy_from_slice(&base.to_le_bytes());
    behind[16..].copy_from_slice(&KIND_BEHIND);
    behind
}

/// A proof of a file that is followed, which is `own`, after others that had `base` bytes.
pub(super) fn followed(proof: [u8; 32], base: u64, own: u64) -> [u8; 32] {
    let mut followed = proof;
    let kind = if base == 0 { KIND_FOLLOWED } else { KIND_FOLLOWED_BEHIND };
    if base > 0 {
        followed[8..16].copy_from_slice(&base.to_le_bytes());
    }
    followed[16..24].copy_from_slice(&own.to_le_bytes());
    followed[24..].copy_from_slice(&kind);
    followed
}

/// What distinguishes a file from others in its directory, as one number.
pub(super) fn own_id(metadata: &Metadata) -> u64 {
    // The number of a device may change when the machine restarts.
    let born = metadata.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
    let born = born.map_or(0, |born| born.as_nanos());
    xxh3_64(&[&metadata.ino().to_le_bytes()[..], &born.to_le_bytes()].concat())
}

/// Which file a proof is of, if it says so.
pub(super) fn own_of(proof: &[u8; 32]) -> Option<u64> {
    let says = proof[24..] == KIND_FOLLOWED || proof[24..] == KIND_FOLLOWED_BEHIND;
    says.then(|| u64::from_le_bytes(proof[16..24].try_into().expect("8 bytes")))
}

/// How many bytes were in the files read under this name before the file of an offset.
pub(super) fn base_of(offset: &Offset) -> u64 {
    let base = offset.proof.filter(|proof| proof[16..] == KIND_BEHIND || proof[24..] == KIND_FOLLOWED_BEHIND);
    let base = base.and_then(|proof| proof[8..16].try_into().ok()).map_or(0, u64::from_le_bytes);
    base.min(offset.position)
}

/// Whether the bytes of `file` before `position`, from which `prefix` was just made, are those of the proof.
pub(super) fn is_proved(file: &File, prefix: &mut Prefix, position: u64, proof: &[u8; 32]) -> io::Result<bool> {
    if proof[16..] == KIND {
        return Ok(prefix.proof(position).as_ref() == Some(proof));
    }
    let from = position.saturating_sub(LAST_BYTES);
    let mut last = vec![0; (position - from) as usize];
    match file.read_exact_at(&mut last, from) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| blake3::hash(&last).as_bytes() == proof),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn every_byte_that_was_read_is_proved_however_it_was_cut_into_blocks() {
        let text: Vec<u8> = (0..10_000_u32).flat_map(|number| number.to_le_bytes()).collect();
        for position in [0, 1, 17, 4096, 4097, 39_999, 40_000] {
            let mut read = Prefix::new();
            text.chunks(997).for_each(|block| read.take(block));
            read.proof(position / 2).unwrap();
            let proof = read.proof(position).unwrap();
            let holds = |bytes: &[u8]| {
                let file = file(bytes);
                is_proved(&file, &mut Prefix::of(&file, position).unwrap(), position, &proof).unwrap()
            };
            assert!(holds(&text));
            assert!(holds(&[&text[..], b"more"].concat()));
            for at in (0..position as usize).step_by(1009) {
                let mut other = text.clone();
                other[at] ^= 1;
                assert!(!holds(&other), "byte {at} before {position}");
            }
            if position > 0 {
                assert!(!holds(&text[..position as usize - 1]));
            }
        }
    }

    #[test]
    fn a_proof_of_the_last_bytes_alone_is_still_taken() {
        let text = vec![7; 10_000];
        let proof = *blake3::hash(&text[9000 - 4096..9000]).as_bytes();
        let holds = |bytes: &[u8]| {
            let file = file(bytes);
            is_proved(&file, &mut Prefix::of(&file, 9000).unwrap(), 9000, &proof).unwrap()
        };
        assert!(holds(&text));
        assert!(!holds(&[&text[..8999], b"x"].concat()));
        assert!(!holds(&text[..8999]));
    }

    #[test]
    fn what_is_passed_over_does_not_wait_in_memory() {
        let mut read = Prefix::new();
        let block = vec![1; 8 << 20];
        (0..20).for_each(|_| read.take(&block));
        assert!(read.waiting.len() <= WAITING_MAX);
        let (mut whole, length) = (Prefix::new(), 20 * (8 << 20));
        (0..20).for_each(|_| whole.hash(&block));
        assert_eq!(read.proof(length), whole.proof(length));
    }
}
