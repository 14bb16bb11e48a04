//! Reading a file's bytes by position, a large piece at a time.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;

use bytes::{Buf, Bytes};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::thrift::check_struct;

/// How much is read ahead within a column chunk: few system calls, and memory that does not grow with the row group.
const WINDOW_BYTES: u64 = 1 << 20;

/// Page headers are a few dozen bytes, or some thousand with long statistics.
const HEADER_BYTES_MAX: u64 = 1 << 16;

/// A file as the Parquet library reads it.
///
/// Pages of one column chunk are asked for one after the other, in turn with those of other columns; so each chunk has a
/// window of its own. Nothing here moves a file position, which threads would share.
#[derive(Debug)]
pub(super) struct Chunks {
    file: File,
    len: u64,
    windows: Vec<(Range<u64>, Mutex<Window>)>,
}

/// Bytes of the file from `start` on.
#[derive(Clone, Debug, Default)]
struct Window {
    start: u64,
    bytes: Bytes,
}

impl Chunks {
    /// Reads `file`, of `len` bytes, ahead within the given column chunks and exactly elsewhere.
    pub(super) fn new(file: File, len: u64, chunks: impl IntoIterator<Item = Range<u64>>) -> Chunks {
        let windows = chunks.into_iter().map(|chunk| (chunk, Mutex::default())).collect();
        Chunks { file, len, windows }
    }

    /// The bytes from `start` on, at least `least` of them, and more where reading ahead pays; `afresh` with as many as
    /// are ever read at once.
    fn at(&self, start: u64, least: u64, afresh: bool) -> Result<Bytes> {
        let end = start.checked_add(least).filter(|end| *end <= self.len).ok_or_else(|| {
            ParquetError::EOF(format!("{least} bytes at {start} are beyond the file's end at {}", self.len))
        })?;
        let Some((chunk, window)) = self.windows.iter().find(|(chunk, _)| chunk.contains(&start)) else {
            return self.read(start..end);
        };
        let mut window = window.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let window_end = window.start + window.bytes.len() as u64;
        if afresh || start < window.start || window_end < end || window_end <= start {
            let ahead = (start + WINDOW_BYTES).min(chunk.end).min(self.len);
            *window = Window { start, bytes: self.read(start..ahead.max(end))? };
        }
        Ok(window.bytes.slice((start - window.start) as usize..))
    }

    fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.file.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes.into())
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Chunks {
    type T = PageHeader;

    fn get_read(&self, start: u64) -> Result<PageHeader> {
        let mut bytes = self.at(start, 1, false)?;
        let mut whole = check_struct(&bytes).is_ok();
        if !whole && (bytes.len() as u64) < HEADER_BYTES_MAX {
            // It may only be cut by the end of the window.
            bytes = self.at(start, 1, true)?;
            whole = check_struct(&bytes).is_ok();
        }
        Ok(PageHeader { start, bytes: bytes.reader(), whole })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        Ok(self.at(start, length as u64, false)?.slice(..length))
    }
}

/// The bytes from a page's header on; reading them fails where there is no header that can be decoded.
///
/// The library sometimes asks for a reader at a place where no header is, and then does not read from it.
#[derive(Debug)]
pub(super) struct PageHeader {
    start: u64,
    bytes: bytes::buf::Reader<Bytes>,
    whole: bool,
}

impl Read for PageHeader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.whole {
            true => self.bytes.read(into),
            false => {
                let damaged = format!("the page header at byte {} is damaged", self.start);
                Err(io::Error::new(io::ErrorKind::InvalidData, damaged))
            }
        }
    }
}
