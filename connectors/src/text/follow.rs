//! What has happened to a followed file: a look at its path, when there is nothing more to read in it.
//!
//! | the path leads to | and the file that was read | then |
//! |---|---|---|
//! | the same file | has grown | it is read on |
//! | the same file | is shorter, or what was read of it is another text | the run ends, by name |
//! | another file that begins with all that was read | | reading goes on in that one |
//! | another file with a record | has another name now | it is read to its end, and then that one from its front; unless the source reads that name by itself: then the run ends, by name |
//! | nothing | has another name now | its successor is awaited, but not for ever |
//! | anything else | | the run ends, by name |
//!
//! A successor is a file of later rows. One whose first record is that of the file before it is an edited copy, which
//! could not be read without reading rows twice.

use std::fs::{self, File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use dualgauge_engine::{Code, Error, Result};

use super::plain::{From, bytes_of};
use super::prefix::Prefix;
use super::rotated::READ_TWICE;
use crate::handles::{Handle, Identity, Version};

/// How often to look at a path that leads nowhere before giving up its file; about ten seconds for a job that waits.
const LOOKS_MAX: u32 = 20_000;

/// How much of a file is read to find its first record.
const FIRST_BYTES: u64 = 64 << 10;

/// How much of what was read is read again if a file was written to and has not grown.
const AGAIN_BYTES_MAX: u64 = 64 << 20;

/// A path that is looked at.
pub(super) struct Watch {
    path: PathBuf,
    /// Whether the first record of each file names its columns, and so is the same in each.
    header: bool,
    /// What was there when it was last read or looked at.
    version: Option<Version>,
    /// How often it led nowhere.
    looks: u32,
    /// The file that was read before this one, and how far.
    before: Option<(Arc<File>, u64)>,
    /// The files that the source reads.
    listed: Rc<dyn Fn() -> Result<Vec<PathBuf>>>,
}

/// What was read so far.
pub(super) struct Read<'a> {
    pub(super) name: &'a str,
    pub(super) file: &'a File,
    pub(super) position: u64,
    pub(super) prefix: &'a Prefix,
}

/// What to do next.
pub(super) enum Then {
    /// Nothing; ask again.
    Wait,
    /// Read on in this file, at the same place.
    Same(Handle, Metadata),
    /// Read to the end, and then this file from its front.
    Successor(Handle, Metadata),
}

impl Watch {
    /// Watches a path of a source that reads the files that are `listed` now.
    pub(super) fn new(path: PathBuf, header: bool, listed: impl Fn() -> Result<Vec<PathBuf>> + 'static) -> Watch {
        Watch { path, header, version: None, looks: 0, before: None, listed: Rc::new(listed) }
    }

    /// The same path, after a file that was read to its end.
    pub(super) fn behind(self, file: Arc<File>, length: u64) -> Watch {
        Watch { version: None, looks: 0, before: Some((file, length)), ..self }
    }

    /// Notes the state of the file when bytes were read from it.
    pub(super) fn note(&mut self, version: Version) {
        self.version = Some(version);
    }

    /// Looks at the path when all that is there was read.
    pub(super) fn look(&mut self, read: &Read<'_>) -> Result<Then> {
        let failed = |cause| Error::io(format!("cannot look at file {}", read.name), cause);
        self.check_before(read)?;
        let own = read.file.metadata().map_err(failed)?;
        let there = match fs::metadata(&self.path) {
            Ok(there) => there,
            Err(error) if error.kind() == ErrorKind::NotFound => return self.gone(read, &own),
            Err(cause) => return Err(failed(cause)),
        };
        self.looks = 0;
        if Identity::of(&there) == Identity::of(&own) {
            self.check_same(read, &there)?;
            return Ok(Then::Wait);
        }
        if !there.is_file() {
            return Err(ended(read, "it was replaced by something that is no file"));
        }
        self.other(read, &own)
    }

    /// The path leads nowhere.
    fn gone(&mut self, read: &Read<'_>, own: &Metadata) -> Result<Then> {
        if own.nlink() == 0 {
            return Err(ended(read, "it was removed"));
        }
        self.looks += 1;
        match self.looks > LOOKS_MAX {
            true => Err(ended(
                read,
                "it was renamed or moved away, and no file has come into its place for about ten seconds. Start the job again \
                 when one is there: the renamed file is read to its end then, and after it the new one",
            )),
            false => Ok(Then::Wait),
        }
    }

    /// Another file is there.
    fn other(&mut self, read: &Read<'_>, own: &Metadata) -> Result<Then> {
        let failed = |cause| Error::io(format!("cannot read file {} in its place", read.name), cause);
        let (handle, there) = Handle::open(&self.path).map_err(failed)?;
        let file = handle.file().map_err(failed)?.0;
        if there.len() >= read.position {
            let begins = Prefix::of(&file, read.position).map_err(failed)?;
            if begins.now() == read.prefix.now() {
                return Ok(Then::Same(handle, there));
            }
        }
        if own.nlink() == 0 {
            return Err(ended(
                read,
                "it was replaced by another file, which does not begin with what was read, and is gone itself",
            ));
        }
        let first = |file: &File| -> std::io::Result<_> {
            Ok(first_record(&bytes_of(From { file, position: 0 }, FIRST_BYTES)?, self.header))
        };
        let (old, new) = (first(read.file).map_err(failed)?, first(&file).map_err(failed)?);
        match new {
            // The writer may still be writing to the old one until this one has a record.
            None if there.len() < FIRST_BYTES => Ok(Then::Wait),
            Some(_) if new == old => Err(ended(
                read,
                "it was renamed, and the file in its place begins with the same record: likely an edited copy, of which rows \
                 would be read twice",
            )),
            _ => {
                self.check_name(read, own)?;
                Ok(Then::Successor(handle, there))
            }
        }
    }

    /// What was read must not now have a name under which the source would read it again at its next start.
    fn check_name(&self, read: &Read<'_>, own: &Metadata) -> Result<()> {
        let is_own = |path: &&PathBuf| fs::metadata(path).is_ok_and(|there| Identity::of(&there) == Identity::of(own));
        match (self.listed)()?.iter().find(is_own) {
            None => Ok(()),
            Some(name) => Err(ended(read, &format!("it was renamed to {}, {READ_TWICE}", name.display()))),
        }
    }

    /// The same file: if it was written to and has not grown, what was read must still be there.
    fn check_same(&mut self, read: &Read<'_>, there: &Metadata) -> Result<()> {
        let now = Version::of(there);
        let written_over = self.version.replace(now).is_some_and(|before| before.is_written_over(&now));
        if !written_over || there.len() != read.position || read.position > AGAIN_BYTES_MAX {
            return Ok(());
        }
        let failed = |cause| Error::io(format!("cannot read file {} again", read.name), cause);
        match Prefix::of(read.file, read.position).map_err(failed)?.now() == read.prefix.now() {
            true => Ok(()),
            false => Err(ended(read, "what was read of it has been written over")),
        }
    }

    /// The file before this one must not grow any more.
    fn check_before(&self, read: &Read<'_>) -> Result<()> {
        let Some((file, length)) = &self.before else { return Ok(()) };
        let now = file.metadata().map_err(|cause| Error::io(format!("the file before {}", read.name), cause))?.len();
        match now == *length {
            true => Ok(()),
            false => Err(ended(
                read,
                &format!(
                    "the file that had its name before has {now} bytes and was read to byte {length}: it was written to after \
                     its successor had begun, and those rows are not read"
                ),
            )),
        }
    }
}

/// The first record after the header, if it is whole.
fn first_record(bytes: &[u8], header: bool) -> Option<Vec<u8>> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').skip(usize::from(header));
    lines.next().filter(|line| line.ends_with(b"\n")).map(<[u8]>::to_vec)
}

/// The error of a file that can be followed no further.
fn ended(read: &Read<'_>, what: &str) -> Error {
    Code::SourceGap.error(format!(
        "file {}: {what} while it was followed; it was read to byte {}. Append to the file, or rename it and \
         write a new one in its place",
        read.name, read.position
    ))
}
