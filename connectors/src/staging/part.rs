//! A part: the staged rows of a span that is not finished, as frames one after the other.
//!
//! ```text
//! length of the content  8 bytes, little-endian
//! xxh3_64 of the content 8 bytes, little-endian
//! content                of a form that the output format knows
//! ```
//!
//! What a manifest keeps of a part is how many bytes of it count, and a checksum over the heads of their frames; so a
//! part that was cut, exchanged or damaged is recognised before anything is made from it.
//!
//! No part is held open: there may be as many as there are spans, and for one span as many as the job had starts.

use std::path::Path;
use std::sync::Arc;

use dualgauge_engine::fs::Fs;
use dualgauge_engine::{Error, Result};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::files::{on, synced};
use super::{Aside, StagedName};

const HEAD_BYTES: u64 = 16;

/// A staged file, of which this many bytes count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) name: StagedName,
    length: u64,
    /// Over the heads of the frames, each with the checksum before it.
    checksum: u64,
    /// How many of the bytes are certain to be durable.
    #[serde(skip)]
    durable: u64,
}

impl Part {
    /// A part without a frame.
    pub(super) fn create(aside: &mut Aside, what: &str) -> Result<Part> {
        let name = aside.name(what, "part");
        aside.create(&name)?;
        Ok(Part { name, length: 0, checksum: 0, durable: 0 })
    }

    /// Adds a frame at the end. After an error the part is not used again.
    pub(super) fn append(&mut self, aside: &Aside, content: &[u8]) -> Result<()> {
        let path = aside.path(&self.name);
        let mut frame = Vec::with_capacity(HEAD_BYTES as usize + content.len());
        frame.extend_from_slice(&(content.len() as u64).to_le_bytes());
        frame.extend_from_slice(&xxh3_64(content).to_le_bytes());
        self.checksum = follow(self.checksum, &frame);
        frame.extend_from_slice(content);
        let mut file = on(&path, aside.fs.append(&path))?;
        on(&path, file.append(&frame))?;
        self.length += frame.len() as u64;
        Ok(())
    }

    /// Makes the content durable; for its name, [`Aside::sync`] is needed.
    pub(super) fn sync(&mut self, aside: &Aside) -> Result<()> {
        if self.durable < self.length {
            let path = aside.path(&self.name);
            synced(&path, aside.fs.append(&path).and_then(|mut file| file.sync()))?;
            self.durable = self.length;
        }
        Ok(())
    }

    /// The frames that count.
    ///
    /// # Errors
    /// A part that is gone, shorter than it was, or not the one that was prepared.
    pub(crate) fn frames(&self, aside: &Aside) -> Result<Vec<Frame>> {
        let path = aside.path(&self.name);
        let gone = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::environment(format!(
                "{} was prepared, is needed to go on, and is gone; did somebody clean up there, or is this an old copy of the \
                 checkpoints?",
                path.display()
            )),
            _ => Error::io(path.display(), error),
        };
        let file = aside.fs.open(&path).map_err(gone)?;
        let (fs, shared): (_, Arc<Path>) = (&aside.fs, path.as_path().into());
        let (mut frames, mut position, mut checksum) = (Vec::new(), 0, 0);
        while position < self.length {
            let mut head = [0; HEAD_BYTES as usize];
            let read = on(&path, file.read_at(position, &mut head))?;
            let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("8 bytes"));
            let (length, content) = (number(0), number(8));
            let end = (position + HEAD_BYTES).checked_add(length).filter(|end| *end <= self.length);
            let Some(end) = end.filter(|_| read == head.len()) else { return Err(damaged(&path, position)) };
            checksum = follow(checksum, &head);
            let place = format!("{}: the frame at byte {position}", path.display());
            frames.push(Frame {
                fs: fs.clone(),
                path: shared.clone(),
                place,
                from: position + HEAD_BYTES,
                length,
                checksum: content,
            });
            position = end;
        }
        if checksum != self.checksum || on(&path, file.length())? < self.length {
            return Err(damaged(&path, position));
        }
        Ok(frames)
    }
}

/// One piece of a part.
#[derive(Debug)]
pub(crate) struct Frame {
    fs: Arc<dyn Fs>,
    path: Arc<Path>,
    pub(crate) place: String,
    from: u64,
    length: u64,
    checksum: u64,
}

impl Frame {
    /// The content of the frame.
    ///
    /// # Errors
    /// Content that is not what was staged.
    pub(crate) fn read(&self) -> Result<Vec<u8>> {
        let mut content = self.front(self.length)?;
        content.shrink_to_fit();
        match xxh3_64(&content) == self.checksum {
            true => Ok(content),
            false => Err(Error::data(format!("{} is damaged (bad checksum)", self.place))),
        }
    }

    /// The first bytes of the content, unchecked; fewer if it is shorter.
    pub(crate) fn front(&self, bytes: u64) -> Result<Vec<u8>> {
        let mut content = vec![0; bytes.min(self.length) as usize];
        let file = self.fs.open(&self.path);
        let read = file.and_then(|file| file.read_at(self.from, &mut content));
        let read = read.map_err(|error| Error::io(&self.place, error))?;
        content.truncate(read);
        Ok(content)
    }
}

/// The checksum after one more frame with this head.
fn follow(checksum: u64, head: &[u8]) -> u64 {
    xxh3_64(&[&checksum.to_le_bytes(), head].concat())
}

fn damaged(path: &Path, position: u64) -> Error {
    Error::data(format!("{} is not what was prepared: it is damaged at byte {position} or before", path.display()))
}

#[cfg(test)]
mod tests {
    use dualgauge_engine::fs::{FaultFs, Fs};
    use dualgauge_engine::sink::Writing;

    use super::*;

    #[test]
    fn a_part_is_taken_at_its_length_and_every_damaged_byte_of_it_is_found() {
        let fs = FaultFs::new();
        let shared: Arc<dyn Fs> = Arc::new(fs.clone());
        let mut aside = Aside::open(shared, Path::new("/out/.staging"), 0, &Writing::default()).unwrap();
        let mut part = Part::create(&mut aside, "x").unwrap();
        part.append(&aside, b"one").unwrap();
        part.append(&aside, b"").unwrap();
        let prepared = part.clone();
        part.append(&aside, b"three").unwrap();
        let read = |part: &Part| part.frames(&aside)?.iter().map(Frame::read).collect::<Result<Vec<_>>>();
        assert_eq!(read(&prepared).unwrap(), [&b"one"[..], b""]);
        assert_eq!(read(&part).unwrap(), [&b"one"[..], b"", b"three"]);
        let path = aside.path(&part.name);
        for position in 0..prepared.length as usize {
            fs.flip(&path, position, 0x10);
            assert!(read(&prepared).is_err(), "byte {position}");
            fs.flip(&path, position, 0x10);
        }
        fs.append(&path).unwrap().truncate(prepared.length - 1).unwrap();
        assert!(read(&prepared).is_err());
        fs.remove(&path).unwrap();
        assert!(read(&prepared).unwrap_err().to_string().contains("is gone"));
    }
}
