//! Files that are text only when they are decoded: gzip, zstd, and UTF-16.
//!
//! They are known by their first bytes, whatever they are called, and read as the UTF-8 text that they hold. An offset
//! counts the bytes of that text, so reading resumes there by decoding again from the front. Memory holds what the
//! decoder needs and no more of the text than is asked for. A followed source cannot decode a file that still grows,
//! and refuses it.

use std::cell::RefCell;
use std::io::{self, BufReader, Chain, Cursor, ErrorKind, Read};
use std::sync::Arc;

use dualgauge_engine::{Error, Offset, Result};
use flate2::bufread::MultiGzDecoder;

use super::input::Got;
use super::plain::From;
use crate::handles::Handle;

/// What a file is, as its first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Plain,
    Gzip,
    Zstd,
    Utf16 {
        big_endian: bool,
    },
    /// Not text, and not read.
    Other(&'static str),
}

/// How many bytes tell what a file is.
const FIRST_BYTES: usize = 6;

/// A reader whose first bytes have been looked at.
type Looked<R> = Chain<Cursor<Vec<u8>>, R>;

/// A file that is decoded while it is read.
pub(super) struct Coded {
    reader: Box<dyn Read + Send>,
    name: String,
    what: &'static str,
    /// How much text was read.
    position: u64,
    proof: RefCell<Proof>,
}

/// The hash of all text up to an offset, and the text after it that may lie before the next offset.
struct Proof {
    hasher: blake3::Hasher,
    hashed: u64,
    rest: Vec<u8>,
}

impl Coded {
    /// The text of a file from `position` on; nothing when the file is plain text.
    ///
    /// # Errors
    /// A file that is not text, or that is `followed`; damage before `position`.
    pub(super) fn open(handle: &Arc<Handle>, name: &str, position: u64, followed: bool) -> Result<Option<Coded>> {
        let failed = |cause| Error::io(format!("cannot read file {name}"), cause);
        let file = From { file: Arc::clone(handle), position: 0 };
        let (what, reader) = match decoded(BufReader::new(file)).map_err(failed)? {
            Decoded::Plain(_) => return Ok(None),
            Decoded::No(what) => return Err(not_text(&format!("file {name}"), what)),
            Decoded::Text(what, reader) => (what, reader),
        };
        if followed {
            return Err(Error::usage(format!(
                "file {name} is {what}, which cannot be followed while it grows; follow a file of plain text"
            )));
        }
        let proof = Proof { hasher: blake3::Hasher::new(), hashed: 0, rest: Vec::new() };
        let mut coded = Coded { reader, name: name.to_string(), what, position: 0, proof: RefCell::new(proof) };
        let mut skipped = Vec::new();
        while coded.position < position {
            let length = (position - coded.position).min(1 << 20) as usize;
            if coded.read(&mut skipped, length)? == Got::End {
                return Err(Error::data(format!(
                    "file {name} holds {} bytes of text, but was read to byte {position} before; was it replaced?",
                    coded.position
                )));
            }
            skipped.clear();
            coded.proof(coded.position);
        }
        Ok(Some(coded))
    }

    /// Appends at most `block_bytes` of text.
    pub(super) fn read(&mut self, buffer: &mut Vec<u8>, block_bytes: usize) -> Result<Got> {
        let before = buffer.len();
        let read = (&mut self.reader).take(block_bytes as u64).read_to_end(buffer);
        let length = read.map_err(|cause| self.failed(cause))?;
        self.position += length as u64;
        self.proof.get_mut().rest.extend_from_slice(&buffer[before..]);
        Ok(if length > 0 { Got::Bytes } else { Got::End })
    }

    /// What an offset carries to recognise the text before it: a hash of all of it.
    pub(super) fn proof(&self, position: u64) -> Option<[u8; 32]> {
        let mut proof = self.proof.borrow_mut();
        let Proof { hasher, hashed, rest } = &mut *proof;
        let length = usize::try_from(position.checked_sub(*hashed)?).ok().filter(|length| *length <= rest.len())?;
        hasher.update(&rest[..length]);
        rest.drain(..length);
        *hashed = position;
        Some(*hasher.finalize().as_bytes())
    }

    /// Refuses a file whose text up to this offset is not what was read.
    pub(super) fn check_proof(&self, offset: &Offset) -> Result<()> {
        if offset.proof.is_none() || offset.proof == self.proof(offset.position) {
            return Ok(());
        }
        Err(Error::data(format!(
            "file {}: the text before byte {offset} is not what was read there. Was the file replaced or written anew \
             since the checkpoint?",
            self.name
        )))
    }

    fn failed(&self, cause: io::Error) -> Error {
        let Coded { name, what, position, .. } = self;
        match cause.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::Other => {
                let message =
                    format!("file {name} is {what} that is damaged or cut off behind byte {position} of its text");
                Error::data(message).caused_by(cause)
            }
            _ => Error::io(format!("cannot read file {name}"), cause),
        }
    }
}

/// What a reader gives.
pub(super) enum Decoded<R> {
    /// Text as it is, its first bytes included.
    Plain(Looked<R>),
    /// Text that is decoded, and what it is decoded from.
    Text(&'static str, Box<dyn Read + Send>),
    /// No text.
    No(&'static str),
}

/// Looks at the first bytes of a reader and decodes what follows, including UTF-16 in compressed files.
pub(super) fn decoded<R: Read + Send + 'static>(mut reader: R) -> io::Result<Decoded<R>> {
    let first = first_bytes(&mut reader)?;
    let coding = Coding::of(&first);
    let reader = Cursor::new(first).chain(reader);
    Ok(match coding {
        Coding::Plain => Decoded::Plain(reader),
        Coding::Other(what) => Decoded::No(what),
        Coding::Utf16 { big_endian } => Decoded::Text("UTF-16", Box::new(Utf16::new(reader, big_endian))),
        Coding::Gzip => unpacked("gzip", MultiGzDecoder::new(BufReader::new(reader)))?,
        Coding::Zstd => unpacked("zstd", zstd::stream::read::Decoder::new(reader)?)?,
    })
}

fn unpacked<R: Read + Send + 'static, O>(what: &'static str, mut unpacked: R) -> io::Result<Decoded<O>> {
    let first = match first_bytes(&mut unpacked) {
        Ok(first) => first,
        // Whoever reads on reports the damage, with the place.
        Err(cause) => return Ok(Decoded::Text(what, Box::new(Damaged(cause.kind())))),
    };
    let coding = Coding::of(&first);
    let reader = Cursor::new(first).chain(unpacked);
    Ok(match coding {
        Coding::Plain => Decoded::Text(what, Box::new(reader)),
        Coding::Utf16 { big_endian } => Decoded::Text(what, Box::new(Utf16::new(reader, big_endian))),
        Coding::Gzip | Coding::Zstd => Decoded::No("compressed twice"),
        Coding::Other(what) => Decoded::No(what),
    })
}

/// The error of a place that should hold text and does not.
pub(super) fn not_text(place: &str, what: &str) -> Error {
    Error::data(format!(
        "{place} is {what}; text is read as UTF-8, as UTF-16 with a byte order mark, and of both what gzip or zstd has made"
    ))
}

/// As many bytes as tell what follows; fewer where they cannot be the start of anything but text.
fn first_bytes(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut first = Vec::with_capacity(FIRST_BYTES);
    while first.len() < FIRST_BYTES && (first.is_empty() || Coding::may_be_coded(&first)) {
        let mut byte = [0];
        match reader.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => first.push(byte[0]),
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(first)
}

/// How files begin that are not plain text; a longer beginning comes before any prefix of it.
const BEGINNINGS: [(&[u8], Coding); 12] = [
    (b"\x1f\x8b", Coding::Gzip),
    (b"\x28\xb5\x2f\xfd", Coding::Zstd),
    (b"\xff\xfe\x00\x00", Coding::Other("UTF-32")),
    (b"\x00\x00\xfe\xff", Coding::Other("UTF-32")),
    (b"\xff\xfe", Coding::Utf16 { big_endian: false }),
    (b"\xfe\xff", Coding::Utf16 { big_endian: true }),
    (b"PK\x03\x04", Coding::Other("a zip archive")),
    (b"\xfd7zXZ\x00", Coding::Other("compressed with xz")),
    (b"BZh", Coding::Other("compressed with bzip2")),
    (b"\x04\x22\x4d\x18", Coding::Other("compressed with lz4")),
    (b"PAR1", Coding::Other("a Parquet file")),
    (b"ARROW1", Coding::Other("an Arrow file")),
];

impl Coding {
    fn of(first: &[u8]) -> Coding {
        if let [_, 0, _, 0, ..] | [0, _, 0, _, ..] = first {
            let bare = BEGINNINGS.iter().all(|(beginning, _)| !first.starts_with(beginning));
            if bare {
                return Coding::Other("UTF-16 without a byte order mark");
            }
        }
        let found = BEGINNINGS.iter().find(|(beginning, _)| first.starts_with(beginning));
        found.map_or(Coding::Plain, |(_, coding)| *coding)
    }

    /// Whether these may be the first bytes of something other than plain text.
    fn may_be_coded(first: &[u8]) -> bool {
        let begins = |beginning: &[u8]| beginning.starts_with(first) || first.starts_with(beginning);
        first.len() == 1 || first.contains(&0) || BEGINNINGS.iter().any(|(beginning, _)| begins(beginning))
    }
}

/// A file that cannot be decoded from its very first byte.
struct Damaged(ErrorKind);

impl Read for Damaged {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.0.into())
    }
}

/// UTF-16 as UTF-8, without its byte order mark. Half a pair of surrogates becomes a byte that no UTF-8 has, so that
/// its record is bad.
struct Utf16<R> {
    reader: R,
    big_endian: bool,
    /// Whether a unit was decoded.
    begun: bool,
    /// A unit of which one byte was read.
    half: Option<u8>,
    /// The first of two surrogates.
    high: Option<u16>,
    /// What was decoded and not yet given.
    text: Vec<u8>,
    given: usize,
}

impl<R: Read> Utf16<R> {
    fn new(reader: R, big_endian: bool) -> Utf16<R> {
        Utf16 { reader, big_endian, begun: false, half: None, high: None, text: Vec::new(), given: 0 }
    }

    fn unit(&mut self, unit: u16) {
        const NO_TEXT: u8 = 0xff;
        let units = self.high.take().into_iter().chain([unit]);
        for decoded in char::decode_utf16(units) {
            match decoded {
                Ok('\u{feff}') if !self.begun => {}
                Ok(character) => self.text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                Err(half)
                    if (0xd800..0xdc00).contains(&half.unpaired_surrogate()) && half.unpaired_surrogate() == unit =>
                {
                    self.high = Some(unit);
                }
                Err(_) => self.text.push(NO_TEXT),
            }
        }
        self.begun = true;
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() {
            self.text.clear();
            self.given = 0;
            let mut block = [0; 8192];
            let length = self.reader.read(&mut block)?;
            if length == 0 {
                // A unit that is cut off is not text either.
                if self.half.take().is_some() || self.high.take().is_some() {
                    self.text.push(0xff);
                    break;
                }
                return Ok(0);
            }
            for &byte in &block[..length] {
                match self.half.take() {
                    None => self.half = Some(byte),
                    Some(first) if self.big_endian => self.unit(u16::from_be_bytes([first, byte])),
                    Some(first) => self.unit(u16::from_le_bytes([first, byte])),
                }
            }
        }
        let length = out.len().min(self.text.len() - self.given);
        out[..length].copy_from_slice(&self.text[self.given..self.given + length]);
        self.given += length;
        Ok(length)
    }
}
