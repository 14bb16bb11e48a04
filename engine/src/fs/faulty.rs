//! A file system in memory that fails on demand and loses power, for tests.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::disk::{Dice, Disk, Inode, NameChange, Node, Write};
use super::{Fs, FsFile, FsLock, Kind, Resolved};

/// A file system in memory with a volatile and a durable half.
///
/// Everybody reads the volatile half. A sync carries what was written since into the durable one, and
/// [`FaultFs::crash`] throws the volatile half away, but for an arbitrary subset of what was not synced: a write may
/// survive whole, torn, or not at all, even if an earlier one did not (a hole of zeros is left), and so may a name.
///
/// Clones share the same disk.
///
/// ```
/// use std::path::Path;
/// use dualgauge_engine::fs::{FaultFs, Fs};
///
/// let (fs, path) = (FaultFs::new(), Path::new("/a"));
/// let mut file = fs.create(path).unwrap();
/// file.append(b"kept").unwrap();
/// file.sync().unwrap();
/// fs.sync_dir(Path::new("/")).unwrap();
/// file.append(b", lost").unwrap();
/// fs.crash(0);
/// assert_eq!(fs.read(path).unwrap(), b"kept");
/// ```
#[derive(Clone, Debug, Default)]
pub struct FaultFs {
    disk: Arc<Mutex<Disk>>,
}

/// What goes wrong in one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `ENOSPC`; an append stops half-way.
    NoSpace,
    /// `EIO`; nothing is done.
    Io,
    /// `EIO`; an append stops half-way.
    ShortWrite,
    /// `EIO`; a sync forgets what it should have made durable, which can still be read until the next crash.
    FailedSync,
    /// The operation may or may not reach the disk, and every later one fails until [`FaultFs::crash`].
    PowerLoss,
}

impl Fault {
    pub(super) fn error(self) -> io::Error {
        match self {
            Fault::NoSpace => io::Error::new(io::ErrorKind::StorageFull, "no space left on device"),
            Fault::Io | Fault::ShortWrite | Fault::FailedSync => io::Error::other("input/output error"),
            Fault::PowerLoss => io::Error::other("the power is gone"),
        }
    }
}

/// What a file system does not support, such as that of a memory card or a network mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lacks {
    /// A second name for a file.
    pub links: bool,
    /// A move that replaces nothing.
    pub moves: bool,
    /// A sync of a directory; without it, each change of a name is durable at once.
    pub syncs: bool,
}

impl FaultFs {
    /// An empty disk that works.
    pub fn new() -> FaultFs {
        FaultFs::default()
    }

    /// How many operations that change something (appends, syncs, truncations, names) have been asked for so far.
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// Makes the operation with this number (counted as [`FaultFs::operations`] does) go wrong.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.disk().fault = Some((operation, fault));
    }

    /// Limits the bytes of all files together; `None` lifts the limit.
    pub fn set_space(&self, bytes: Option<u64>) {
        self.disk().space = bytes;
    }

    /// The power goes and comes back: locks and open files are gone, and of what was not synced, the seed picks a
    /// subset to keep. Seed 0 keeps none of it.
    pub fn crash(&self, seed: u64) {
        self.disk().crash(Dice(seed));
    }

    /// An independent disk, as this one would be after [`FaultFs::crash`] with this seed. This one is left as it is, so
    /// that many fates of one moment can be looked at.
    pub fn after_crash(&self, seed: u64) -> FaultFs {
        let mut disk = self.disk().clone();
        disk.crash(Dice(seed));
        disk.operations = 0;
        FaultFs { disk: Arc::new(Mutex::new(disk)) }
    }

    /// Whether syncs claim success and make nothing durable, as a cache without a battery does.
    pub fn set_lying(&self, lies: bool) {
        self.disk().lies = lies;
    }

    /// Sets what the file system does not support from now on, and refuses.
    pub fn set_lacks(&self, lacks: Lacks) {
        self.disk().lacks = lacks;
    }

    /// Changes one byte of a file, in both halves: bits that rot.
    ///
    /// # Panics
    /// When the file or the position does not exist.
    pub fn flip(&self, path: &Path, position: usize, mask: u8) {
        let mut disk = self.disk();
        let number = disk.file(path).expect("a file to flip a byte in");
        let inode = disk.inodes.get_mut(&number).expect("the content of a named file");
        inode.volatile[position] ^= mask;
        if let Some(byte) = inode.durable.get_mut(position) {
            *byte ^= mask;
        }
    }

    /// An independent disk with the same content, as it was seen last and all of it durable.
    pub fn fork(&self) -> FaultFs {
        let disk = self.disk();
        let (names, durable_names) = (disk.names.clone(), disk.names.clone());
        let mut fork = Disk { names, durable_names, lacks: disk.lacks, ..Disk::default() };
        for (&number, inode) in &disk.inodes {
            let (volatile, durable) = (inode.volatile.clone(), inode.volatile.clone());
            fork.inodes.insert(number, Inode { volatile, durable, pending: Vec::new() });
        }
        FaultFs { disk: Arc::new(Mutex::new(fork)) }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().expect("no test panics while it holds the disk")
    }

    fn handle(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        let disk = self.disk();
        disk.powered()?;
        Ok(Box::new(Handle { fs: self.clone(), inode: disk.file(path)?, boot: disk.boot }))
    }

    fn change_names(&self, dir: &Path, plan: impl FnOnce(&Disk) -> io::Result<Vec<NameChange>>) -> io::Result<()> {
        let mut disk = self.disk();
        let fault = disk.step()?;
        let changes = plan(&disk)?;
        match fault {
            None | Some(Fault::PowerLoss) => {
                for change in &changes {
                    change.apply(&mut disk.names);
                }
                disk.pending.push((dir.to_path_buf(), changes));
                if disk.lacks.syncs {
                    disk.settle_names();
                }
                fault.map_or(Ok(()), |fault| Err(fault.error()))
            }
            Some(fault) => Err(fault.error()),
        }
    }
}

impl Fs for FaultFs {
    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        let number = {
            let mut disk = self.disk();
            let number = disk.inodes.len() as u64;
            disk.inodes.insert(number, Inode::default());
            number
        };
        self.change_names(parent(path), |disk| {
            disk.is_dir(parent(path))?;
            disk.is_free(path)?;
            Ok(vec![NameChange::Add(path.to_path_buf(), Node::File(number))])
        })?;
        self.handle(path)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.handle(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.handle(path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.disk().lacks.links {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.change_names(parent(to), |disk| {
            disk.is_dir(parent(to))?;
            disk.is_free(to)?;
            Ok(vec![NameChange::Add(to.to_path_buf(), Node::File(disk.file(from)?))])
        })
    }

    fn move_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.disk().lacks.moves {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.change_names(parent(to), |disk| {
            disk.is_dir(parent(to))?;
            let node = Node::File(disk.file(from)?);
            disk.is_free(to)?;
            Ok(vec![NameChange::Remove(from.to_path_buf()), NameChange::Add(to.to_path_buf(), node)])
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change_names(parent(to), |disk| {
            disk.is_dir(parent(to))?;
            let node = Node::File(disk.file(from)?);
            Ok(vec![NameChange::Remove(from.to_path_buf()), NameChange::Add(to.to_path_buf(), node)])
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change_names(parent(path), |disk| {
            disk.file(path)?;
            Ok(vec![NameChange::Remove(path.to_path_buf())])
        })
    }

    fn create_dirs(&self, dir: &Path) -> io::Result<()> {
        let mut missing: Vec<_> = dir.ancestors().filter(|dir| self.disk().is_dir(dir).is_err()).collect();
        missing.reverse();
        for dir in missing {
            self.change_names(parent(dir), |disk| {
                if disk.is_dir(dir).is_ok() {
                    return Ok(Vec::new()); // another thread was faster
                }
                disk.is_free(dir)?;
                Ok(vec![NameChange::Add(dir.to_path_buf(), Node::Dir)])
            })?;
        }
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.change_names(parent(dir), |disk| {
            disk.is_dir(dir)?;
            match disk.names.keys().any(|path| path.parent() == Some(dir)) {
                true => Err(io::ErrorKind::DirectoryNotEmpty.into()),
                false => Ok(vec![NameChange::Remove(dir.to_path_buf())]),
            }
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        if disk.lacks.syncs {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let fault = disk.step()?;
        disk.is_dir(dir)?;
        if fault == Some(Fault::PowerLoss) {
            return Err(Fault::PowerLoss.error());
        }
        if disk.lies {
            return Ok(());
        }
        let (synced, pending) = std::mem::take(&mut disk.pending).into_iter().partition(|(at, _)| at == dir);
        disk.pending = pending;
        if let Some(fault) = fault {
            return Err(fault.error());
        }
        let synced: Vec<(PathBuf, Vec<NameChange>)> = synced;
        for change in synced.iter().flat_map(|(_, changes)| changes) {
            change.apply(&mut disk.durable_names);
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let disk = self.disk();
        disk.powered()?;
        disk.is_dir(dir)?;
        let inside = disk.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        let disk = self.disk();
        disk.powered()?;
        Ok(match disk.names.get(path) {
            _ if path.parent().is_none() => Some(Kind::Dir),
            Some(Node::Dir) => Some(Kind::Dir),
            Some(Node::File(_)) => Some(Kind::File),
            None => None,
        })
    }

    /// Disks are told apart by where their content is in memory; paths on one disk, by how they are written.
    fn resolve(&self, path: &Path) -> Resolved {
        let system = Arc::as_ptr(&self.disk) as u64;
        let names = path.components().map(|name| name.as_os_str().to_string_lossy().into_owned());
        Resolved { system, there: Vec::new(), rest: names.filter(|name| name != "/").collect(), folds: false }
    }

    fn lock(&self, path: &Path) -> io::Result<Option<FsLock>> {
        let mut disk = self.disk();
        disk.powered()?;
        disk.is_dir(parent(path))?;
        let free = disk.locks.insert(path.to_path_buf());
        let guard = || LockGuard { fs: self.clone(), path: path.to_path_buf(), boot: disk.boot };
        Ok(free.then(|| FsLock::new(guard())))
    }
}

#[derive(Debug)]
struct Handle {
    fs: FaultFs,
    inode: u64,
    boot: u64,
}

impl Handle {
    fn disk(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let disk = self.fs.disk();
        disk.powered()?;
        if disk.boot == self.boot { Ok(disk) } else { Err(io::Error::other("the file was open before the crash")) }
    }
}

impl FsFile for Handle {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk()?;
        let mut fault = disk.step()?;
        let room = disk.space.map_or(u64::MAX, |space| space.saturating_sub(disk.used()));
        if fault.is_none() && room < bytes.len() as u64 {
            fault = Some(Fault::NoSpace);
        }
        let written = match fault {
            None | Some(Fault::PowerLoss) => bytes.len(),
            Some(Fault::NoSpace | Fault::ShortWrite) => (bytes.len() as u64 / 2).min(room) as usize,
            Some(Fault::Io | Fault::FailedSync) => 0,
        };
        let inode = disk.inodes.get_mut(&self.inode).expect("the content of an open file");
        let write = Write::At(inode.volatile.len(), bytes[..written].to_vec());
        write.apply(&mut inode.volatile);
        inode.pending.push(write);
        fault.map_or(Ok(()), |fault| Err(fault.error()))
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let disk = self.disk()?;
        let content = &disk.inodes[&self.inode].volatile;
        let rest = content.get(position as usize..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.disk()?.inodes[&self.inode].volatile.len() as u64)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut disk = self.disk()?;
        let fault = disk.step()?;
        if matches!(fault, None | Some(Fault::PowerLoss)) {
            let inode = disk.inodes.get_mut(&self.inode).expect("the content of an open file");
            let write = Write::Truncate(length as usize);
            write.apply(&mut inode.volatile);
            inode.pending.push(write);
        }
        fault.map_or(Ok(()), |fault| Err(fault.error()))
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut disk = self.disk()?;
        let fault = disk.step()?;
        if disk.lies && fault.is_none() {
            return Ok(());
        }
        let inode = disk.inodes.get_mut(&self.inode).expect("the content of an open file");
        match fault {
            Some(Fault::PowerLoss) => return Err(Fault::PowerLoss.error()),
            // As Linux does: the pages count as clean from now on, so the next sync succeeds without them.
            Some(fault) => {
                inode.pending.clear();
                return Err(fault.error());
            }
            None => {}
        }
        for write in std::mem::take(&mut inode.pending) {
            write.apply(&mut inode.durable);
        }
        Ok(())
    }
}

struct LockGuard {
    fs: FaultFs,
    path: PathBuf,
    boot: u64,
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        let mut disk = self.fs.disk();
        if disk.boot == self.boot {
            disk.locks.remove(&self.path);
        }
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests;
