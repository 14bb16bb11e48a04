//! Reading a file's bytes by position, a large piece at a time.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// How much is read ahead within a column chunk: few system calls, and memory that does not grow with the row group.
const WINDOW_BYTES: u64 = 1 << 20;

/// A file as the Parquet library reads it.
///
/// Pages of one column chunk are asked for one after the other, in turn with those of other columns; so each chunk has a
/// window of its own. Nothing here moves a file position, which threads would share.
#[derive(Debug)]
pub(super) struct Chunks {
    file: Arc<File>,
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
        Chunks { file: Arc::new(file), len, windows }
    }

    /// The bytes from `start` on, at least `least` of them, and more where reading ahead pays.
    fn at(&self, start: u64, least: u64) -> Result<Bytes> {
        let end = start.checked_add(least).filter(|end| *end <= self.len).ok_or_else(|| {
            ParquetError::EOF(format!("{least} bytes at {start} are beyond the file's end at {}", self.len))
        })?;
        let Some((chunk, window)) = self.windows.iter().find(|(chunk, _)| chunk.contains(&start)) else {
            return self.read(start..end);
        };
        let mut window = window.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let window_end = window.start + window.bytes.len() as u64;
        if start < window.start || window_end < end || window_end == start {
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
    type T = io::Chain<bytes::buf::Reader<Bytes>, Tail>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        // A page header is a few dozen bytes; one that holds long statistics goes on beyond the window.
        let bytes = self.at(start, self.len.saturating_sub(start).min(64))?;
        let tail = Tail { file: Arc::clone(&self.file), position: start + bytes.len() as u64 };
        Ok(bytes.reader().chain(tail))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        Ok(self.at(start, length as u64)?.slice(..length))
    }
}

/// What follows a window.
#[derive(Debug)]
pub(super) struct Tail {
    file: Arc<File>,
    position: u64,
}

impl Read for Tail {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}
