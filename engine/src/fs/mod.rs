//! Local files with explicit durability: what checkpoints, the event log and the file sinks stand on.
//!
//! Nothing here is durable until it is synced: the bytes of a file by [`FsFile::sync`], its name by [`Fs::sync_dir`] of
//! the directory that holds it. That is the operating system's contract, spelled out, so that [`FaultFs`] can hold a
//! caller to it: a test pulls the plug at every operation and looks at what is left.

mod disk;
mod faulty;
mod name;
mod real;
mod resolved;
mod retried;
mod whereabouts;
mod whole;

use std::fmt;
use std::io;
use std::path::Path;

pub use faulty::{Fault, FaultFs, Lacks};
pub use name::PlainName;
pub use real::RealFs;
pub use resolved::Resolved;
pub use whole::{Naming, Ways};

/// A file system: the machine's ([`RealFs`]), or one that fails on demand ([`FaultFs`]).
///
/// - **Names are durable late.** A created, linked, renamed or removed name survives a power loss only after
///   [`Fs::sync_dir`] of its directory.
/// - **Nothing is overwritten by accident.** [`Fs::create`] and [`Fs::link`] refuse a name that exists with
///   [`io::ErrorKind::AlreadyExists`]; only [`Fs::rename`] replaces.
/// - **What is written is no link's target.** [`Fs::create`], [`Fs::append`], [`Fs::lock`], [`Fs::rename`] and
///   [`Fs::remove`] never follow a symbolic link in the last component; [`Fs::kind`] recognises one there.
/// - **A failed sync is final.** What it was to make durable may be lost although it can still be read, and a second
///   try may claim success: the caller gives the file up.
pub trait Fs: Send + Sync + fmt::Debug {
    /// Creates a file that is not there yet, for appending and reading.
    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>>;

    /// As [`Fs::create`], and nobody but the owner may read or write the file, whatever the umask.
    fn create_private(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.create(path)
    }

    /// Opens a file that is there, for appending and reading.
    fn append(&self, path: &Path) -> io::Result<Box<dyn FsFile>>;

    /// Opens a file that is there, for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn FsFile>>;

    /// Gives a file a second name, unless that name is taken: create-if-absent of content that is already whole.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Moves a file to a name within the same file system, unless that name is taken; for file systems without links.
    fn move_new(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Gives a whole file a name that must be free, in the way that the file system supports; its old name may then be
    /// gone. Whoever publishes what must not replace anything calls this, not [`Fs::link`].
    fn give_name(&self, from: &Path, to: &Path) -> io::Result<Naming> {
        whole::give_name(self, from, to)
    }

    /// Makes the names in a directory durable, where the file system supports that; returns whether it does. Callers
    /// use this, not [`Fs::sync_dir`].
    fn sync_names(&self, dir: &Path) -> io::Result<bool> {
        whole::sync_names(self, dir)
    }

    /// Moves a file to a name within the same file system, replacing what has that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file's name.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Creates a directory and those above it, where they are missing.
    fn create_dirs(&self, dir: &Path) -> io::Result<()>;

    /// As [`Fs::create_dirs`], and nobody but the owner may look into those that are created, whatever the umask.
    fn create_private_dirs(&self, dir: &Path) -> io::Result<()> {
        self.create_dirs(dir)
    }

    /// Removes a directory that is empty.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// The names in a directory, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// What lies at a path, without following a link there; `None` where nothing does.
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>>;

    /// Where a path leads, links followed; nothing need be there.
    fn resolve(&self, path: &Path) -> Resolved;

    /// Takes an exclusive lock on a file, which is created if missing and stays; `None` when another holds it, in this
    /// process or in any other. The lock ends with the guard, or with its process.
    fn lock(&self, path: &Path) -> io::Result<Option<FsLock>>;

    /// The same without waiting for the holder, on files that are retried ([`Retry::on`](crate::Retry::on)).
    fn lock_now(&self, path: &Path) -> io::Result<Option<FsLock>> {
        self.lock(path)
    }

    /// The whole content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path)?;
        let mut bytes = vec![0; file.length()? as usize];
        let read = file.read_at(0, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }
}

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link, whatever it leads to.
    Link,
    /// Something else: a pipe, a socket, a device.
    Other,
}

/// An open file, written only at its end.
pub trait FsFile: Send + Sync + fmt::Debug {
    /// Adds bytes at the end. After an error any prefix of them may have been added.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Reads from `position` until the buffer is full or the file ends; how many bytes were read.
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// How many bytes the file has.
    fn length(&self) -> io::Result<u64>;

    /// Whether `path` still leads to this file: not if it was removed, or moved away, with or without another in its
    /// place.
    fn is_at(&self, _path: &Path) -> io::Result<bool> {
        Ok(true)
    }

    /// Cuts the file off at `length`.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Makes the content durable. After an error the file must not be relied on.
    fn sync(&mut self) -> io::Result<()>;
}

/// An exclusive lock, held until it is dropped.
pub struct FsLock(#[expect(dead_code, reason = "held for its Drop")] Box<dyn Send + Sync>);

impl FsLock {
    /// A lock that `guard`'s drop releases.
    pub fn new(guard: impl Send + Sync + 'static) -> FsLock {
        FsLock(Box::new(guard))
    }
}

impl fmt::Debug for FsLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FsLock")
    }
}
