//! The bytes of a log: what lies where, and how damage is recognised.
//!
//! ```text
//! DIR/log.json                          identity: format, log id, partitions, event-time column, schema, checksum
//! DIR/p0000/writer.lock                 held by the one writer of the partition
//! DIR/p0000/00000000000000000000.arrows a segment, named by its first offset: an Arrow IPC stream
//! DIR/p0000/00000000000000000000.index  the segment's index
//! DIR/p0000/stage/…                     what a sink has prepared and not yet committed
//! ```
//!
//! A *segment* is a plain Arrow IPC stream (schema message, record batch messages, no end marker) that any Arrow tool
//! reads; messages start at multiples of 64 bytes. Its *index* is a header and entries of a fixed size, all numbers
//! little-endian, times in microseconds since the Unix epoch, UTC:
//!
//! ```text
//! header, 96 bytes                                    entry, 112 bytes
//!  0  8  magic "DGLOGIDX"                               0  8  kind: 1 batch, 2 commit, 3 seal, 4 roll
//!  8  4  version, 1                                     8  8  offset of its first row (else: of the next row)
//! 12  4  flags: bit 0 unverified (rebuilt by repair)   16  8  rows
//! 16  8  first offset of the segment                   24  8  position of its message in the segment
//! 24  4  partition                                     32  8  length of its message
//! 28  4  zero                                          40  8  xxh3_64 of its message
//! 32 16  log id                                        48 32  chain hash after it
//! 48 32  chain hash before the segment                 80  8  when it was appended
//! 80  8  largest event time before the segment         88  8  largest event time of the partition so far
//! 88  8  xxh3_64 of bytes 0 to 88                      96  8  tag of a sink's commit, or 0
//!                                                     104  8  xxh3_64 of bytes 0 to 104
//! ```
//!
//! - **Chain.** `blake3(chain before ‖ message)`; before the first batch of a partition it is
//!   `blake3("dualgauge log" ‖ log id ‖ partition)`. An offset with its chain hash names a history, not only a place.
//! - **Commit entries.** Messages and batch entries are made durable first; then a commit entry is appended. Readers
//!   take what a commit entry covers and nothing else. Nothing a reader of a log has seen can be lost. The commit entry
//!   itself may be lost with the power: the next writer finds whole entries whose messages have the right checksum, and
//!   commits them again. What is not whole at the end is a torn tail, which nobody has seen; it is cut off.
//! - **Damage.** An entry with a bad checksum is a torn tail if no good commit entry follows, and damage otherwise.

use arrow_ipc::writer::StreamEncoder;
use arrow_schema::SchemaRef;
use dualgauge_engine::{Error, EventTime, Result};
use xxhash_rust::xxh3::xxh3_64;

/// Bytes of an index's header.
pub(super) const HEADER_LENGTH: u64 = 96;
/// Bytes of an index's entry.
pub(super) const ENTRY_LENGTH: u64 = 112;

const MAGIC: &[u8; 8] = b"DGLOGIDX";
const VERSION: u32 = 1;

/// A chain hash.
pub(super) type Chain = [u8; 32];

/// The head of an index.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Header {
    pub unverified: bool,
    pub first: u64,
    pub partition: u32,
    pub log: [u8; 16],
    pub chain: Chain,
    pub max_time: EventTime,
}

/// One entry of an index.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub kind: Kind,
    pub first: u64,
    pub rows: u64,
    pub position: u64,
    pub length: u64,
    pub checksum: u64,
    pub chain: Chain,
    pub appended: EventTime,
    pub max_time: EventTime,
    pub tag: u64,
}

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A batch lies in the segment.
    Batch = 1,
    /// Everything before is durable.
    Commit = 2,
    /// The partition has ended.
    Seal = 3,
    /// The partition goes on in the segment named by the next offset.
    Roll = 4,
}

impl Header {
    pub fn encode(&self) -> [u8; HEADER_LENGTH as usize] {
        let mut bytes = [0; HEADER_LENGTH as usize];
        bytes[0..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&u32::from(self.unverified).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.partition.to_le_bytes());
        bytes[32..48].copy_from_slice(&self.log);
        bytes[48..80].copy_from_slice(&self.chain);
        bytes[80..88].copy_from_slice(&self.max_time.as_micros().to_le_bytes());
        let checksum = xxh3_64(&bytes[..88]);
        bytes[88..96].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads a header, or says what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Header> {
        let Some(bytes) = bytes.get(..HEADER_LENGTH as usize) else {
            return Err(Error::data(format!("its header is cut off after {} of {HEADER_LENGTH} bytes", bytes.len())));
        };
        if &bytes[0..8] != MAGIC {
            return Err(Error::data("it is not the index of a log segment (its first bytes are not DGLOGIDX)"));
        }
        let version = u32::from_le_bytes(array(&bytes[8..12]));
        if version != VERSION {
            return Err(Error::data(format!("its format version is {version}, and this program reads {VERSION}")));
        }
        if xxh3_64(&bytes[..88]).to_le_bytes() != bytes[88..96] {
            return Err(Error::data("its header is damaged (bad checksum)"));
        }
        Ok(Header {
            unverified: u32::from_le_bytes(array(&bytes[12..16])) & 1 == 1,
            first: number(bytes, 16),
            partition: u32::from_le_bytes(array(&bytes[24..28])),
            log: array(&bytes[32..48]),
            chain: array(&bytes[48..80]),
            max_time: time(bytes, 80),
        })
    }
}

impl Entry {
    /// The offset after the entry's rows.
    pub fn end(&self) -> u64 {
        self.first + self.rows
    }

    pub fn encode(&self) -> [u8; ENTRY_LENGTH as usize] {
        let mut bytes = [0; ENTRY_LENGTH as usize];
        let numbers = [self.kind as u64, self.first, self.rows, self.position, self.length, self.checksum];
        for (slot, number) in bytes[..48].as_chunks_mut::<8>().0.iter_mut().zip(numbers) {
            *slot = number.to_le_bytes();
        }
        bytes[48..80].copy_from_slice(&self.chain);
        bytes[80..88].copy_from_slice(&self.appended.as_micros().to_le_bytes());
        bytes[88..96].copy_from_slice(&self.max_time.as_micros().to_le_bytes());
        bytes[96..104].copy_from_slice(&self.tag.to_le_bytes());
        let checksum = xxh3_64(&bytes[..104]);
        bytes[104..112].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads an entry; `None` when it is not whole.
    pub fn decode(bytes: &[u8; ENTRY_LENGTH as usize]) -> Option<Entry> {
        if xxh3_64(&bytes[..104]) != number(bytes, 104) {
            return None;
        }
        let kind = match number(bytes, 0) {
            1 => Kind::Batch,
            2 => Kind::Commit,
            3 => Kind::Seal,
            4 => Kind::Roll,
            _ => return None,
        };
        Some(Entry {
            kind,
            first: number(bytes, 8),
            rows: number(bytes, 16),
            position: number(bytes, 24),
            length: number(bytes, 32),
            checksum: number(bytes, 40),
            chain: array(&bytes[48..80]),
            appended: time(bytes, 80),
            max_time: time(bytes, 88),
            tag: number(bytes, 96),
        })
    }
}

/// The chain hash before the first batch of a partition.
pub(super) fn chain_start(log: &[u8; 16], partition: u32) -> Chain {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"dualgauge log").update(log).update(&partition.to_le_bytes());
    *hasher.finalize().as_bytes()
}

/// The chain hash after a batch's message.
pub(super) fn chain_after(before: &Chain, message: &[u8]) -> Chain {
    *blake3::Hasher::new().update(before).update(message).finalize().as_bytes()
}

/// The name of a partition's directory.
pub(super) fn partition_name(partition: u32) -> String {
    format!("p{partition:04}")
}

/// The name of a segment.
pub(super) fn segment_name(first: u64) -> String {
    format!("{first:020}.arrows")
}

/// The name of a segment's index.
pub(super) fn index_name(first: u64) -> String {
    format!("{first:020}.index")
}

/// The bytes a segment starts with: the schema's message.
///
/// # Panics
/// When the schema was not checked first ([`super::identity::check_schema`]).
pub(super) fn schema_message(schema: &SchemaRef) -> Vec<u8> {
    let encoder = StreamEncoder::try_new(schema).expect("a schema that was checked when the log was created");
    let stream = encoder.finish().expect("a schema that was checked when the log was created");
    let mut bytes: Vec<u8> = stream.iter().flat_map(|buffer| buffer.as_slice()).copied().collect();
    bytes.truncate(bytes.len() - 8); // the end marker of the otherwise empty stream
    bytes
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("a slice of the field's width")
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(&bytes[at..at + 8]))
}

fn time(bytes: &[u8], at: usize) -> EventTime {
    EventTime::from_micros(i64::from_le_bytes(array(&bytes[at..at + 8])))
}

#[cfg(test)]
mod tests {
    use super::super::identity::hex;
    use super::*;

    /// The bytes of version 1, which every later release reads.
    #[test]
    fn version_1_is_these_bytes() {
        let header = Header {
            unverified: true,
            first: 0x0102,
            partition: 3,
            log: [0xaa; 16],
            chain: [0xbb; 32],
            max_time: EventTime::from_micros(-1),
        };
        let expected = [
            "44474c4f47494458 01000000 01000000 0201000000000000 03000000 00000000",
            &"aa".repeat(16),
            &"bb".repeat(32),
            "ffffffffffffffff 7cdb318dc36f0550",
        ];
        assert_eq!(hex(&header.encode()), expected.concat().replace(' ', ""));
        assert_eq!(Header::decode(&header.encode()).unwrap(), header);

        let entry = Entry {
            kind: Kind::Batch,
            first: 1,
            rows: 2,
            position: 3,
            length: 4,
            checksum: 5,
            chain: [0xcc; 32],
            appended: EventTime::from_micros(6),
            max_time: EventTime::from_micros(7),
            tag: 8,
        };
        let expected = [
            "0100000000000000 0100000000000000 0200000000000000 0300000000000000 0400000000000000 0500000000000000",
            &"cc".repeat(32),
            "0600000000000000 0700000000000000 0800000000000000 7c1015b3e6fd7a97",
        ];
        assert_eq!(hex(&entry.encode()), expected.concat().replace(' ', ""));
        assert_eq!(Entry::decode(&entry.encode()), Some(entry));
    }

    #[test]
    fn another_version_and_a_damaged_header_are_refused_by_name() {
        let header = Header {
            unverified: false,
            first: 0,
            partition: 0,
            log: [0; 16],
            chain: [0; 32],
            max_time: EventTime::MIN,
        };
        let refused = |position: usize, byte: u8| {
            let mut bytes = header.encode();
            bytes[position] = byte;
            Header::decode(&bytes).unwrap_err().to_string()
        };
        assert!(refused(0, b'X').contains("not the index of a log segment"));
        assert!(refused(8, 2).contains("its format version is 2, and this program reads 1"));
        assert!(refused(50, 1).contains("damaged (bad checksum)"));
        assert!(Header::decode(&header.encode()[..40]).unwrap_err().to_string().contains("cut off after 40"));
    }
}
