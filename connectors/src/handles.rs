//! Open files, no more at once than the machine allows.
//!
//! Any number of files is read through one pool of handles. When it is full, a file that has not been read lately is
//! closed, and opened again when more of it is read.
//!
//! **What is opened again is the same file.** Its path must lead to the very file that was opened before: the same
//! device, inode and time of birth, and for files that nobody may write to, the same length and time of change.
//! Otherwise reading ends with an error; it never continues in another file. Files whose content proves which they are,
//! as a log's does, are [`Lent`] a place in the pool and checked by whoever opens them.

use std::any::Any;
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::SystemTime;

use rustix::process::{Resource, getrlimit};

/// Which part of the files that a process may open belongs to the pool: the others are for sinks, checkpoints and the
/// net.
const SHARE: u64 = 4;

/// The least and the most handles: more save nothing.
const HANDLES: std::ops::RangeInclusive<u64> = 4..=1024;

/// What distinguishes a file from every other, even from one that later got its inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    born: Option<SystemTime>,
}

impl Identity {
    pub(crate) fn of(metadata: &Metadata) -> Identity {
        Identity { device: metadata.dev(), inode: metadata.ino(), born: metadata.created().ok() }
    }
}

/// What changes when a file is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    identity: Identity,
    length: u64,
    modified: (i64, i64),
}

impl Version {
    pub(crate) fn of(metadata: &Metadata) -> Version {
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Version { identity: Identity::of(metadata), length: metadata.len(), modified }
    }

    /// Which file it is a version of.
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// How long it is, in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Whether the file was written to since it was in this state, and has not become longer or shorter.
    pub(crate) fn is_written_over(&self, now: &Version) -> bool {
        self.identity == now.identity && self.length == now.length && self.modified != now.modified
    }

    /// What has happened to the file since it was in this state, if it has done more than grow.
    pub(crate) fn lost(&self, now: &Version) -> Option<String> {
        let (before, length) = (self.length, now.length);
        if self.identity != now.identity {
            return Some("another file has come into its place".to_string());
        }
        match length < before {
            true => Some(format!("it had {before} bytes then and has {length} now")),
            false => self.is_written_over(now).then(|| "it was written over".to_string()),
        }
    }
}

/// What must hold of a file when it is opened again.
#[derive(Clone, Copy, Debug)]
enum Same {
    /// It may grow.
    File(Identity),
    /// It may not have been written to.
    Version(Version),
}

/// A file that is read, whether or not it is open at the moment.
#[derive(Debug)]
pub(crate) struct Handle {
    lent: Lent,
    path: PathBuf,
    same: Same,
    /// An open file that cannot be opened twice, such as a pipe.
    kept: Option<Arc<File>>,
}

impl Handle {
    /// Opens a file that may grow, and says what it is.
    pub(crate) fn open(path: &Path) -> io::Result<(Handle, Metadata)> {
        let file = Arc::new(open(path)?);
        let metadata = file.metadata()?;
        let (lent, same) = (Lent::new(), Same::File(Identity::of(&metadata)));
        let kept = if metadata.is_file() { None } else { Some(Arc::clone(&file)) };
        if kept.is_none() {
            lent.put(file);
        }
        Ok((Handle { lent, path: path.to_path_buf(), same, kept }, metadata))
    }

    /// A file that is opened when it is read, and must still be this version then.
    pub(crate) fn unchanged(path: &Path, version: Version) -> Handle {
        Handle { lent: Lent::new(), path: path.to_path_buf(), same: Same::Version(version), kept: None }
    }

    /// The open file, and whether it was opened just now.
    ///
    /// # Errors
    /// When it cannot be opened again, or another file has taken its place.
    pub(crate) fn file(&self) -> io::Result<(Arc<File>, bool)> {
        if let Some(kept) = &self.kept {
            return Ok((Arc::clone(kept), false));
        }
        let pooled = self.lent.get();
        let again = pooled.is_none();
        let file = pooled.map_or_else(|| open(&self.path).map(Arc::new), Ok)?;
        let same = match &self.same {
            Same::File(identity) => !again || *identity == Identity::of(&file.metadata()?),
            Same::Version(version) => *version == Version::of(&file.metadata()?),
        };
        if !same {
            let what = match self.same {
                Same::File(_) => "another file has come into its place",
                Same::Version(_) => "it changed while it was being read; is something still writing it?",
            };
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        if again {
            self.lent.put(Arc::clone(&file));
        }
        Ok((file, again))
    }

    /// Whether this is a pipe or the like, which is read from front to back and has no positions.
    pub(crate) fn is_kept(&self) -> bool {
        self.kept.is_some()
    }
}

/// A place in the pool, in which an open file stays until the pool needs it for another one.
#[derive(Debug)]
pub(crate) struct Lent(u64);

impl Lent {
    pub(crate) fn new() -> Lent {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Lent(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// What was last put there, if it is still there.
    pub(crate) fn get<F: Any + Send + Sync>(&self) -> Option<Arc<F>> {
        let file = pool().get(self.0)?;
        Some(file.downcast().expect("a place holds files of one type"))
    }

    /// Lends an open file to the pool.
    pub(crate) fn put<F: Any + Send + Sync>(&self, file: Arc<F>) {
        pool().put(self.0, file);
    }

    /// Closes the file, as the pool does when it is full.
    pub(crate) fn shut(&self) {
        pool().remove(self.0);
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.shut();
    }
}

fn open(path: &Path) -> io::Result<File> {
    with_room(|| File::open(path))
}

/// Opens a file; if no more may be open, the pool's files make room.
pub(crate) fn with_room<F>(open: impl Fn() -> io::Result<F>) -> io::Result<F> {
    match open() {
        Err(error) if [errno::MFILE, errno::NFILE].contains(&error.raw_os_error()) => {
            pool().clear();
            open()
        }
        opened => opened,
    }
}

/// What the system says when no more files may be open: in the process, or on the machine.
mod errno {
    use rustix::io::Errno;

    pub(super) const MFILE: Option<i32> = Some(Errno::MFILE.raw_os_error());
    pub(super) const NFILE: Option<i32> = Some(Errno::NFILE.raw_os_error());
}

fn pool() -> MutexGuard<'static, Pool> {
    static POOL: LazyLock<Mutex<Pool>> = LazyLock::new(|| {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Mutex::new(Pool::new((limit / SHARE).clamp(*HANDLES.start(), *HANDLES.end()) as usize))
    });
    POOL.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The files that are open, in a ring: the hand goes round and closes the first that was not used since it last came
/// by.
struct Pool {
    max: usize,
    ring: Vec<Slot>,
    /// Where in the ring a handle's file is.
    places: HashMap<u64, usize>,
    hand: usize,
}

/// An open file of any type; dropping the last one closes it.
type Open = Arc<dyn Any + Send + Sync>;

struct Slot {
    id: u64,
    file: Open,
    used: bool,
}

impl Pool {
    fn new(max: usize) -> Pool {
        Pool { max, ring: Vec::new(), places: HashMap::new(), hand: 0 }
    }

    fn get(&mut self, id: u64) -> Option<Open> {
        let slot = &mut self.ring[*self.places.get(&id)?];
        slot.used = true;
        Some(Arc::clone(&slot.file))
    }

    fn put(&mut self, id: u64, file: Open) {
        self.remove(id); // another thread may have opened it as well
        let slot = Slot { id, file, used: false };
        if self.ring.len() < self.max {
            self.places.insert(id, self.ring.len());
            self.ring.push(slot);
            return;
        }
        while std::mem::take(&mut self.ring[self.hand].used) {
            self.hand = (self.hand + 1) % self.ring.len();
        }
        self.places.remove(&self.ring[self.hand].id);
        self.places.insert(id, self.hand);
        self.ring[self.hand] = slot;
        self.hand = (self.hand + 1) % self.ring.len();
    }

    fn remove(&mut self, id: u64) {
        let Some(at) = self.places.remove(&id) else { return };
        self.ring.swap_remove(at);
        if let Some(moved) = self.ring.get(at) {
            self.places.insert(moved.id, at);
        }
        self.hand = if self.hand < self.ring.len() { self.hand } else { 0 };
    }

    fn clear(&mut self) {
        *self = Pool::new(self.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_files_are_open_than_may_be_and_the_used_ones_stay() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let mut pool = Pool::new(3);
        (0..3).for_each(|id| pool.put(id, file.clone()));
        assert!(pool.get(0).is_some());
        pool.put(3, file.clone());
        assert!(pool.get(0).is_some() && pool.get(1).is_none(), "the first that was not used goes");
        for id in 4..1000 {
            pool.put(id, file.clone());
            assert!(pool.get(id).is_some() && pool.ring.len() == 3 && pool.places.len() == 3);
            if id % 7 == 0 {
                pool.remove(id);
                assert!(pool.get(id).is_none());
            }
        }
        assert_eq!(Arc::strong_count(&file), 1 + pool.ring.len());
    }

    #[test]
    fn what_is_opened_again_is_the_same_file_or_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "one").unwrap();
        let (handle, metadata) = Handle::open(&path).unwrap();
        let exactly = Handle::unchanged(&path, Version::of(&metadata));
        assert!(!handle.file().unwrap().1 && exactly.file().unwrap().1);
        let close = || [&handle, &exactly].into_iter().for_each(|handle| handle.lent.shut());
        close();
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| io::Write::write_all(&mut file, b"more"))
            .unwrap();
        assert!(handle.file().unwrap().1, "it may grow");
        assert!(exactly.file().unwrap_err().to_string().contains("it changed while it was being read"));
        close();
        std::fs::write(dir.path().join("b"), "two").unwrap();
        std::fs::rename(dir.path().join("b"), &path).unwrap();
        assert!(handle.file().unwrap_err().to_string().contains("another file has come into its place"));
    }
}
