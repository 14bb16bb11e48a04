//! One staged file that is being written, and its hash.
//!
//! Any number of them may be unfinished at once, so none is held open: a file is opened for each piece that is added to it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use dualgauge_engine::Result;
use dualgauge_engine::fs::Fs;

use super::files::{on, synced};
use super::{Aside, StagedName};

/// How many bytes are gathered before they are appended; larger pieces are appended as they come.
const PIECE_BYTES: usize = 1 << 18;

/// A staged file, written once from its front to its end.
#[derive(Debug)]
pub(crate) struct StagedFile {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    buffer: Vec<u8>,
    hasher: blake3::Hasher,
}

impl StagedFile {
    /// Creates the file of this name.
    pub(crate) fn create(aside: &mut Aside, name: &StagedName) -> Result<StagedFile> {
        drop(aside.create(name)?);
        let (fs, path) = (aside.fs.clone(), aside.path(name));
        Ok(StagedFile { fs, path, buffer: Vec::new(), hasher: blake3::Hasher::new() })
    }

    /// Gives the file system what it does not have yet.
    fn pass_on(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.hasher.update(&self.buffer);
            self.fs.append(&self.path)?.append(&self.buffer)?;
            self.buffer = Vec::new();
        }
        Ok(())
    }

    /// Makes the file durable, and returns its hash.
    pub(crate) fn finish(mut self) -> Result<String> {
        let passed_on = self.pass_on();
        on(&self.path, passed_on)?;
        synced(&self.path, self.fs.append(&self.path).and_then(|mut file| file.sync()))?;
        Ok(self.hasher.finalize().to_hex().to_string())
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() > PIECE_BYTES {
            self.pass_on()?;
        }
        if bytes.len() < PIECE_BYTES {
            self.buffer.extend_from_slice(bytes);
        } else {
            self.hasher.update(bytes);
            self.fs.append(&self.path)?.append(bytes)?;
        }
        Ok(())
    }
}

impl Write for StagedFile {
    /// Names the file in an error, since the error passes through writers that do not know it.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.take(bytes);
        taken.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.path.display())))?;
        Ok(bytes.len())
    }

    /// Does nothing: many small appends are what the buffer is there to avoid.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
