//! Reading a file's bytes by position, a large piece at a time.

use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::{Buf, Bytes};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::page_header;
use crate::handles::Handle;

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
    file: Arc<Handle>,
    len: u64,
    /// By where the chunks begin.
    windows: Vec<(Wanted, Mutex<Window>)>,
}

/// A column chunk that is wanted.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) range: Range<u64>,
    /// The fewest bytes that a value has in a dictionary.
    pub(super) value_bytes_min: i64,
}

/// Bytes of the file from `start` on.
#[derive(Clone, Debug, Default)]
struct Window {
    start: u64,
    bytes: Bytes,
    /// Where the last two headers end that were handed out; two, since the library also asks for one where there is
    /// none.
    after_headers: [u64; 2],
}

impl Chunks {
    /// Reads `file`, of `len` bytes, ahead within the given column chunks and exactly elsewhere.
    pub(super) fn new(file: Arc<Handle>, len: u64, chunks: impl IntoIterator<Item = Wanted>) -> Chunks {
        let mut windows: Vec<_> = chunks.into_iter().map(|chunk| (chunk, Mutex::default())).collect();
        windows.sort_by_key(|(chunk, _): &(Wanted, _)| chunk.range.start);
        Chunks { file, len, windows }
    }

    /// The bytes from `start` on, at least `least` of them, and more where reading ahead pays; if `afresh`, as many as
    /// are ever read at once.
    fn at(&self, start: u64, least: u64, afresh: bool) -> Result<Bytes> {
        let end = start.checked_add(least).filter(|end| *end <= self.len).ok_or_else(|| {
            ParquetError::EOF(format!("{least} bytes at {start} are beyond the file's end at {}", self.len))
        })?;
        let Some((chunk, window)) = self.wanted(start) else { return self.read(start..end) };
        let mut window = locked(window);
        let window_end = window.start + window.bytes.len() as u64;
        if afresh || start < window.start || window_end < end || window_end <= start {
            let ahead = (start + WINDOW_BYTES).min(chunk.range.end).min(self.len);
            *window = Window { start, bytes: self.read(start..ahead.max(end))?, after_headers: window.after_headers };
        }
        Ok(window.bytes.slice((start - window.start) as usize..))
    }

    /// The column chunk that has this position.
    fn wanted(&self, position: u64) -> Option<&(Wanted, Mutex<Window>)> {
        let has = |(wanted, _): &&(Wanted, Mutex<Window>)| wanted.range.contains(&position);
        let behind = self.windows.partition_point(|(wanted, _)| wanted.range.start <= position);
        // Chunks of a damaged file may overlap; then any one that begins before the position will do.
        self.windows[..behind].iter().rev().find(has)
    }

    /// Checks the header that a page begins with. Returns its length.
    fn check_header(&self, start: u64, bytes: &[u8]) -> Result<usize, Option<String>> {
        let (wanted, _) = self.wanted(start).ok_or(None)?;
        page_header::check(bytes, wanted.value_bytes_min)
    }

    /// Notes that a header that ends here was handed out.
    fn note_header(&self, end: u64) {
        if let Some((_, window)) = self.wanted(end) {
            let mut window = locked(window);
            window.after_headers = [window.after_headers[1], end];
        }
    }

    /// Whether these bytes begin with a header that nobody has looked at.
    fn is_header(&self, start: u64) -> bool {
        self.wanted(start).is_some_and(|(_, window)| !locked(window).after_headers.contains(&start))
    }

    fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.file.file()?.0.read_exact_at(&mut bytes, range.start)?;
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
        let mut checked = self.check_header(start, &bytes);
        if checked == Err(None) && (bytes.len() as u64) < HEADER_BYTES_MAX {
            // It may merely be cut off by the end of the window.
            bytes = self.at(start, 1, true)?;
            checked = self.check_header(start, &bytes);
        }
        if let Ok(length) = checked {
            self.note_header(start + length as u64);
        }
        Ok(PageHeader { bytes: bytes.reader(), wrong: checked.err().map(|wrong| refused(start, wrong)) })
    }

    /// With a page index the library asks for pages with their headers, otherwise for what follows a header.
    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let bytes = self.at(start, length as u64, false)?.slice(..length);
        if self.is_header(start) {
            let checked = self.check_header(start, &bytes).map_err(|wrong| refused(start, wrong));
            checked.map_err(|wrong| io::Error::new(io::ErrorKind::InvalidData, wrong))?;
        }
        Ok(bytes)
    }
}

fn locked(window: &Mutex<Window>) -> MutexGuard<'_, Window> {
    window.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The error with which reading a header fails.
fn refused(start: u64, wrong: Option<String>) -> String {
    format!("the page header at byte {start}: {}", wrong.unwrap_or_else(|| "it is damaged".to_string()))
}

/// The bytes from a page's header on; reading them fails where there is no header that can be decoded.
///
/// The library sometimes asks for a reader at a place where no header is, and then does not read from it.
#[derive(Debug)]
pub(super) struct PageHeader {
    bytes: bytes::buf::Reader<Bytes>,
    /// What is wrong with the header.
    wrong: Option<String>,
}

impl Read for PageHeader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &self.wrong {
            None => self.bytes.read(into),
            Some(wrong) => Err(io::Error::new(io::ErrorKind::InvalidData, wrong.clone())),
        }
    }
}
