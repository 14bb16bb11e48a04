//! A file of plain text that is read from a position on.
//!
//! Its handle may be lent to another file between two reads. Then, where it is opened again, the last bytes that were read
//! must still stand there.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use dualgauge_engine::{Error, Offset, Result};

use super::coded::Coded;
use super::input::{Got, Input};
use super::prefix::{Prefix, is_proved};
use crate::handles::Handle;

/// How many of the last bytes are compared where a file is opened again.
const TAIL_BYTES: usize = 1024;

/// An open file and how far it has been read.
pub(super) struct Plain {
    handle: Arc<Handle>,
    name: String,
    position: u64,
    /// Whether it is awaited at its end.
    followed: bool,
    prefix: Box<RefCell<Prefix>>,
    /// The last bytes before the position.
    tail: Vec<u8>,
}

impl Plain {
    /// A file from `position` on, or the text that it holds where it is coded.
    pub(super) fn open(path: &Path, position: u64, followed: bool) -> Result<Input> {
        let name = path.display().to_string();
        let failed = |cause| Error::io(format!("cannot open file {name}"), cause);
        let (handle, metadata) = Handle::open(path).map_err(failed)?;
        let handle = Arc::new(handle);
        if metadata.is_file()
            && let Some(coded) = Coded::open(&handle, &name, position, followed)?
        {
            return Ok(Input::Coded(Box::new(coded)));
        }
        if !metadata.is_file() && position > 0 {
            return Err(Error::usage(format!("file {name} is a pipe or the like: what was read of it is gone")));
        }
        if metadata.is_file() && metadata.len() < position {
            return Err(Error::data(shorter(&name, metadata.len(), position).to_string()));
        }
        let prefix = Box::new(RefCell::new(Prefix::new()));
        let mut plain = Plain { handle, name, position, followed, prefix, tail: Vec::new() };
        if position > 0 {
            let file = plain.file()?;
            plain.tail = plain.before(&file, TAIL_BYTES).map_err(failed)?;
        }
        Ok(Input::Plain(plain))
    }

    /// What an offset carries to recognise its file again: a hash of all bytes before it.
    pub(super) fn proof(&self, position: u64) -> Option<[u8; 32]> {
        if let Some(proof) = self.prefix.borrow_mut().proof(position) {
            return Some(proof);
        }
        // An offset before the last one. What cannot be read now is missed when it is read: no proof is better than no row.
        Prefix::of(&*self.file().ok()?, position).ok()?.proof(position)
    }

    /// Refuses a file that is not the one which was read up to this offset: all of it is read once more.
    pub(super) fn check_proof(&self, offset: &Offset) -> Result<()> {
        let name = &self.name;
        let failed = |cause| Error::io(format!("cannot read file {name} again up to byte {offset}"), cause);
        let file = self.file()?;
        let mut read = Prefix::of(&file, offset.position).map_err(failed)?;
        let proved = |proof| is_proved(&file, &mut read, offset.position, proof).map_err(failed);
        if offset.proof.as_ref().map_or(Ok(true), proved)? {
            *self.prefix.borrow_mut() = read;
            return Ok(());
        }
        Err(Error::data(format!(
            "file {name}: what stands before byte {offset} is not what was read there. Was the file edited, replaced or \
             written anew since the checkpoint? Put back what was read; or start from the beginning, with a new place for \
             checkpoints and for the output"
        )))
    }

    /// Appends at most `block_bytes` to `buffer`.
    pub(super) fn read(&mut self, buffer: &mut Vec<u8>, block_bytes: usize) -> Result<Got> {
        let Plain { name, position, .. } = &*self;
        let failed = |cause| Error::io(format!("cannot read file {name} at byte {position}"), cause);
        let (file, before) = (self.file()?, buffer.len());
        let length = match self.handle.is_kept() {
            true => (&*file).take(block_bytes as u64).read_to_end(buffer),
            false => From { file: &file, position: *position }.take(block_bytes as u64).read_to_end(buffer),
        };
        let length = length.map_err(failed)?;
        let now = file.metadata().map_err(|cause| Error::io(format!("cannot look at file {name}"), cause))?;
        if now.is_file() && now.len() < *position {
            return Err(shorter(name, now.len(), *position));
        }
        self.took(&buffer[before..]);
        Ok(match (length, self.followed) {
            (1.., _) => Got::Bytes,
            (0, true) => Got::Nothing,
            (0, false) => Got::End,
        })
    }

    /// Notes the next bytes that were read.
    fn took(&mut self, bytes: &[u8]) {
        self.prefix.get_mut().take(bytes);
        self.position += bytes.len() as u64;
        let last = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        self.tail.drain(..(self.tail.len() + last.len()).saturating_sub(TAIL_BYTES).min(self.tail.len()));
        self.tail.extend_from_slice(last);
    }

    /// The open file. Where it had to be opened again, the last bytes that were read still stand there.
    fn file(&self) -> Result<Arc<File>> {
        let failed = |cause| Error::io(format!("cannot read file {} on from byte {}", self.name, self.position), cause);
        let (file, again) = self.handle.file().map_err(failed)?;
        if again && self.before(&file, self.tail.len()).map_err(failed)? != self.tail {
            return Err(Error::data(format!(
                "file {}: what stands before byte {} is not what was read there; was the file written anew while it was read?",
                self.name, self.position
            )));
        }
        Ok(file)
    }

    /// At most so many bytes before the position, or fewer where the file has become shorter.
    fn before(&self, file: &File, count: usize) -> io::Result<Vec<u8>> {
        let from = self.position.saturating_sub(count as u64);
        let mut bytes = Vec::new();
        From { file, position: from }.take(self.position - from).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A file from a position on, without moving what others share.
pub(super) struct From<F> {
    pub(super) file: F,
    pub(super) position: u64,
}

impl Read for From<&File> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Read for From<Arc<Handle>> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.file()?.0.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

/// The world has taken back what was already read.
fn shorter(name: &str, length: u64, position: u64) -> Error {
    Error::environment(format!(
        "file {name} has {length} bytes, but was read to byte {position} before; likely mistake: it was replaced or \
         cut off while a job follows it (write on at its end, or write a new file)"
    ))
}
