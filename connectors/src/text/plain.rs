//! A file of plain text that is read from a position on.
//!
//! Its handle may be lent to another file between two reads. When it is opened again, and at each read of a followed
//! one, the last bytes that were read must still be there. A followed file may have a successor: then offsets continue
//! to count, and say in their proof how many bytes the files before had.

use std::cell::RefCell;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use dualgauge_engine::{Code, Error, Offset, Result};

use super::coded::Coded;
use super::follow::{Read as WasRead, Then, Watch};
use super::input::{Got, Input};
use super::prefix::{Prefix, base_of, behind, followed, is_proved, own_id, own_of};
use crate::handles::{Handle, Identity, Version};

/// How many of the last bytes are compared when a file is opened again.
const TAIL_BYTES: usize = 1024;

/// An open file and how far it has been read.
pub(super) struct Plain {
    handle: Arc<Handle>,
    name: String,
    /// How many bytes the files before it had, which were read under its name.
    base: u64,
    /// In this file.
    position: u64,
    /// How long the file was when it was opened, if it is read only up to there.
    length: Option<u64>,
    /// The path, if the file is awaited at its end.
    watch: Option<Watch>,
    /// What to read when it has ended.
    successor: Option<(Handle, Metadata)>,
    /// Which file it is, if it is followed.
    own: Option<u64>,
    prefix: Box<RefCell<Prefix>>,
    /// The last bytes before the position.
    tail: Vec<u8>,
}

impl Plain {
    /// A file after an offset, or the text that it holds if it is coded.
    pub(super) fn open(path: &Path, offset: &Offset, watch: Option<Watch>) -> Result<Input> {
        Plain::open_at(path, path, offset, watch)
    }

    /// The same for a file that has been renamed, and is still called by its old name.
    pub(super) fn open_at(path: &Path, at: &Path, offset: &Offset, watch: Option<Watch>) -> Result<Input> {
        let name = path.display().to_string();
        let failed = |cause| Error::io(format!("cannot open file {}", at.display()), cause);
        let (handle, metadata) = Handle::open(at).map_err(failed)?;
        let base = base_of(offset);
        let position = offset.position - base;
        if !metadata.is_file() && position > 0 {
            return Err(Error::usage(format!("file {name} is a pipe or the like: what was read of it is gone")));
        }
        Plain::of((handle, &metadata), &name, (base, position), watch)
    }

    /// The file of a handle, from a position on, after files with `base` bytes.
    fn of(
        (handle, metadata): (Handle, &Metadata),
        name: &str,
        (base, position): (u64, u64),
        watch: Option<Watch>,
    ) -> Result<Input> {
        let (handle, name, is_file) = (Arc::new(handle), name.to_string(), metadata.is_file());
        if is_file && let Some(coded) = Coded::open(&handle, &name, position, watch.is_some())? {
            return Ok(Input::Coded(Box::new(coded)));
        }
        let prefix = Box::new(RefCell::new(Prefix::new()));
        let own = (is_file && watch.is_some()).then(|| own_id(metadata));
        let length = (is_file && watch.is_none()).then_some(metadata.len());
        let (successor, tail) = (None, Vec::new());
        let mut plain = Plain { handle, name, base, position, length, watch, successor, own, prefix, tail };
        if is_file && position > 0 {
            if metadata.len() < position {
                return Err(Code::SourceGap.error(shorter(&plain.name, metadata.len(), position)));
            }
            let failed = |cause| Error::io(format!("cannot look at file {}", plain.name), cause);
            plain.tail = plain.before(&*plain.file()?, TAIL_BYTES).map_err(failed)?;
        }
        Ok(Input::Plain(Box::new(plain)))
    }

    /// How many bytes the files before it had.
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// The file that has taken the place of this one, when this one has ended.
    pub(super) fn successor(&mut self) -> Result<Option<Input>> {
        let Some((successor, metadata)) = self.successor.take() else { return Ok(None) };
        let file = self.file()?;
        let watch = self.watch.take().map(|watch| watch.behind(file, self.position));
        Plain::of((successor, &metadata), &self.name, (self.base + self.position, 0), watch).map(Some)
    }

    /// What an offset carries to recognise its file: a hash of all bytes before it.
    pub(super) fn proof(&self, offset: u64) -> Option<[u8; 32]> {
        let position = offset.checked_sub(self.base)?;
        let proof = self.prefix.borrow_mut().proof(position).or_else(|| {
            // An offset before the last one. If this cannot be read now, there is no proof: that is better than no row.
            Prefix::of(&*self.file().ok()?, position).ok()?.proof(position)
        })?;
        match self.own {
            Some(own) => Some(followed(proof, self.base, own)),
            None => self.behind(position, proof).ok(),
        }
    }

    /// A proof that also says how many bytes came before the file. Before its first byte, the proof is of the file
    /// itself.
    fn behind(&self, position: u64, proof: [u8; 32]) -> Result<[u8; 32]> {
        if self.base == 0 {
            return Ok(proof);
        }
        let failed = |cause| Error::io(format!("cannot look at file {}", self.name), cause);
        let own = match position {
            0 => Some(Identity::of(&self.file()?.metadata().map_err(failed)?)),
            _ => None,
        };
        Ok(behind(proof, self.base, own.as_ref()))
    }

    /// Refuses a file that is not the one that was read up to this offset: all of that is read once more.
    pub(super) fn check_proof(&self, offset: &Offset) -> Result<()> {
        let name = &self.name;
        let failed = |cause| Error::io(format!("cannot read file {name} again up to byte {offset}"), cause);
        let file = self.file()?;
        let position = offset.position - self.base;
        let mut read = Prefix::of(&file, position).map_err(failed)?;
        let proved = |proof: &[u8; 32]| match (own_of(proof), self.base, read.proof(position)) {
            (Some(own), base, plain) => {
                let is_own = || file.metadata().map(|metadata| own_id(&metadata) == own).map_err(failed);
                let proved = plain.is_some_and(|plain| followed(plain, base, own) == *proof);
                Ok(proved && (position > 0 || base == 0 || is_own()?))
            }
            (None, 1.., Some(plain)) => Ok(self.behind(position, plain)? == *proof),
            _ => is_proved(&file, &mut read, position, proof).map_err(failed),
        };
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
        loop {
            let before = buffer.len();
            let file = self.read_once(buffer, block_bytes)?;
            if buffer.len() > before {
                return Ok(Got::Bytes);
            }
            if self.length.is_some_and(|length| self.position < length) {
                return Err(self.cut_off());
            }
            let Some(watch) = self.watch.as_mut().filter(|_| self.successor.is_none()) else { return Ok(Got::End) };
            let prefix = self.prefix.borrow();
            let read = WasRead { name: &self.name, file: &file, position: self.position, prefix: &prefix };
            match watch.look(&read)? {
                Then::Wait => return Ok(Got::Nothing),
                Then::Same(handle, metadata) => {
                    self.handle = Arc::new(handle);
                    self.own = Some(own_id(&metadata));
                }
                // What has been written to the old one until now is read first.
                Then::Successor(handle, metadata) => self.successor = Some((handle, metadata)),
            }
        }
    }

    fn read_once(&mut self, buffer: &mut Vec<u8>, block_bytes: usize) -> Result<Arc<File>> {
        let Plain { name, position, .. } = &*self;
        let failed = |cause| Error::io(format!("cannot read file {name} at byte {position}"), cause);
        let (file, before) = (self.file()?, buffer.len());
        let version = || file.metadata().map(|metadata| Version::of(&metadata)).map_err(failed);
        let version = self.watch.is_some().then(version).transpose()?;
        if self.handle.is_kept() {
            (&*file).take(block_bytes as u64).read_to_end(buffer).map_err(failed)?;
        } else {
            From { file: &*file, position: *position }.take(block_bytes as u64).read_to_end(buffer).map_err(failed)?;
            let now = file.metadata().map_err(failed)?.len();
            if now < *position {
                return Err(Error::environment(shorter(name, now, *position)).coded(Code::SourceGap));
            }
            // Checked after the read, so that cutting the file off and rewriting it in between is noticed.
            let grown = buffer.len() > before && self.watch.is_some();
            if grown && self.before(&file, self.tail.len()).map_err(failed)? != self.tail {
                buffer.truncate(before);
                return Err(self.written_anew());
            }
        }
        if let (Some(watch), Some(version)) = (self.watch.as_mut().filter(|_| buffer.len() > before), version) {
            watch.note(version);
        }
        self.took(&buffer[before..]);
        Ok(file)
    }

    fn written_anew(&self) -> Error {
        Code::SourceGap.error(format!(
            "file {}: what stands before byte {} is not what was read there; it was cut off or written anew while it \
             was read. Append to the file, or rename it and write a new one in its place",
            self.name, self.position
        ))
    }

    /// Some of what was there when it was opened is gone: if it was cut at the end of a line, nothing else would show
    /// that.
    fn cut_off(&self) -> Error {
        Code::SourceGap.error(format!(
            "file {} ends at byte {}, and had {} when it was opened: it was cut off while it was read; likely \
             mistake: it was still being written, or written anew in its place",
            self.name,
            self.position,
            self.length.unwrap_or_default()
        ))
    }

    /// Notes the next bytes that were read.
    fn took(&mut self, bytes: &[u8]) {
        self.prefix.get_mut().take(bytes);
        self.position += bytes.len() as u64;
        let last = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        self.tail.drain(..(self.tail.len() + last.len()).saturating_sub(TAIL_BYTES).min(self.tail.len()));
        self.tail.extend_from_slice(last);
    }

    /// The open file. If it had to be opened again, the last bytes that were read are still there.
    fn file(&self) -> Result<Arc<File>> {
        let failed = |cause| Error::io(format!("cannot read file {} on from byte {}", self.name, self.position), cause);
        let (file, again) = self.handle.file().map_err(failed)?;
        match again && self.before(&file, self.tail.len()).map_err(failed)? != self.tail {
            true => Err(self.written_anew()),
            false => Ok(file),
        }
    }

    /// At most this many bytes before the position, or fewer if the file has become shorter.
    fn before(&self, file: &File, count: usize) -> io::Result<Vec<u8>> {
        let from = self.position.saturating_sub(count as u64);
        bytes_of(From { file, position: from }, self.position - from)
    }
}

/// At most this many bytes from a reader.
pub(super) fn bytes_of(from: impl Read, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file from a position on, read without moving a position that others share.
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
fn shorter(name: &str, length: u64, position: u64) -> String {
    format!(
        "file {name} has {length} bytes, but was read to byte {position} before; likely mistake: it was replaced \
         or cut off while a job follows it (write on at its end, or write a new file)"
    )
}
