//! A file system that retries what the machine refuses.
//!
//! A full disk is a matter of time: somebody frees space, and what waited continues. The waiting is done here, below
//! every writer, so that none need know how: an operation either works at last, or fails as it would have at once.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Fs, FsFile, FsLock, Kind, Resolved};
use crate::Retry;
use crate::error::limit;

/// Files that retry what may pass.
///
/// - **A failed try leaves nothing that counts.** What an append has half written is cut off before the next try.
/// - **A sync is tried once.** After a failed one nobody knows what the disk holds.
/// - **A lock is waited for.** Its holder may be about to let go, as an older generation does that is still publishing.
/// - **Only what may pass is retried.** A name that is taken or missing, a permission, and a limit of the process
///   (`ulimit`) do not change by waiting.
impl Retry {
    /// The same files, with each operation retried.
    ///
    /// ```
    /// use std::path::Path;
    /// use std::sync::Arc;
    ///
    /// use dualgauge_engine::Retry;
    /// use dualgauge_engine::fs::{FaultFs, Fs};
    ///
    /// let disk = FaultFs::new();
    /// disk.set_space(Some(3));
    /// let room = disk.clone();
    /// let retry = Retry::new(move |_, _| {
    ///     room.set_space(None); // somebody frees space meanwhile
    ///     true
    /// });
    /// let mut file = retry.on(Arc::new(disk.clone())).create(Path::new("/a")).unwrap();
    /// file.append(b"whole").unwrap();
    /// assert_eq!(disk.read(Path::new("/a")).unwrap(), b"whole");
    /// ```
    pub fn on(&self, fs: Arc<dyn Fs>) -> Arc<dyn Fs> {
        match self.is_some() {
            true => Arc::new(RetriedFs { fs, again: Tries(self.clone()) }),
            false => fs,
        }
    }
}

#[derive(Debug)]
struct RetriedFs {
    fs: Arc<dyn Fs>,
    again: Tries,
}

/// A file whose operations are retried.
#[derive(Debug)]
struct RetriedFile {
    file: Box<dyn FsFile>,
    path: PathBuf,
    again: Tries,
    /// How many bytes of the file count.
    length: u64,
    /// Whether bytes of an append that was refused half-way may follow them.
    torn: bool,
}

/// How operations are retried; the path of what was refused is reported.
#[derive(Clone, Debug)]
struct Tries(Retry);

impl Tries {
    fn again(&self, path: &Path, why: &io::Error, tries: u32) -> bool {
        self.0.again(&format_args!("{}: {why}", path.display()), tries)
    }

    fn of<T>(&self, path: &Path, mut work: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let mut tries = 1;
        loop {
            match work() {
                Err(error) if may_pass(&error) && self.again(path, &error, tries) => tries += 1,
                Err(error) if tries > 1 => {
                    return Err(io::Error::new(error.kind(), format!("after {tries} tries: {error}")));
                }
                done => return done,
            }
        }
    }
}

/// Whether waiting can mend it; what a name, a permission or a limit of the process forbids stays forbidden.
fn may_pass(error: &io::Error) -> bool {
    let is_forbidden = matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::PermissionDenied
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::DirectoryNotEmpty
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidData
            | ErrorKind::InvalidFilename
            | ErrorKind::CrossesDevices
            | ErrorKind::TooManyLinks
            | ErrorKind::Unsupported
    );
    !is_forbidden && limit(error).is_none()
}

impl RetriedFs {
    fn file(&self, path: &Path, open: impl FnMut() -> io::Result<Box<dyn FsFile>>) -> io::Result<Box<dyn FsFile>> {
        let file = self.again.of(path, open)?;
        let length = self.again.of(path, || file.length())?;
        Ok(Box::new(RetriedFile { file, path: path.to_path_buf(), again: self.again.clone(), length, torn: false }))
    }
}

impl Fs for RetriedFs {
    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.file(path, || self.fs.create(path))
    }

    fn create_private(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.file(path, || self.fs.create_private(path))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.file(path, || self.fs.append(path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.file(path, || self.fs.open(path))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.again.of(to, || self.fs.link(from, to))
    }

    fn move_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.again.of(to, || self.fs.move_new(from, to))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.again.of(to, || self.fs.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.again.of(path, || self.fs.remove(path))
    }

    fn create_dirs(&self, dir: &Path) -> io::Result<()> {
        self.again.of(dir, || self.fs.create_dirs(dir))
    }

    fn create_private_dirs(&self, dir: &Path) -> io::Result<()> {
        self.again.of(dir, || self.fs.create_private_dirs(dir))
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.again.of(dir, || self.fs.remove_dir(dir))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.fs.sync_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.again.of(dir, || self.fs.list(dir))
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        self.again.of(path, || self.fs.kind(path))
    }

    fn resolve(&self, path: &Path) -> Resolved {
        self.fs.resolve(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<FsLock>> {
        let held = || io::Error::new(ErrorKind::WouldBlock, "another one holds the lock");
        match self.again.of(path, || self.fs.lock(path)?.ok_or_else(held)) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            taken => taken.map(Some),
        }
    }

    fn lock_now(&self, path: &Path) -> io::Result<Option<FsLock>> {
        self.again.of(path, || self.fs.lock_now(path))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.again.of(path, || self.fs.read(path))
    }
}

impl FsFile for RetriedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let RetriedFile { file, path, again, length, torn } = self;
        again.of(path, || {
            if *torn {
                file.truncate(*length)?;
            }
            *torn = true;
            file.append(bytes)
        })?;
        (*length, *torn) = (*length + bytes.len() as u64, false);
        Ok(())
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.again.of(&self.path, || self.file.read_at(position, buffer))
    }

    fn length(&self) -> io::Result<u64> {
        self.again.of(&self.path, || self.file.length())
    }

    fn truncate(&mut self, to: u64) -> io::Result<()> {
        let RetriedFile { file, path, again, length, torn } = self;
        again.of(path, || file.truncate(to))?;
        (*length, *torn) = (to, false);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        self.again.of(&self.path, || self.file.is_at(path))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::{Fault, FaultFs};
    use super::*;

    /// A retry of this many tries, which counts the refusals.
    fn counting(tries: u32) -> (Retry, Arc<AtomicU32>) {
        let refused = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&refused);
        let again = move |_: &dyn std::fmt::Display, tried| {
            count.fetch_add(1, Ordering::Relaxed);
            tried < tries
        };
        (Retry::new(again), refused)
    }

    #[test]
    fn each_operation_that_fails_once_is_done_and_leaves_what_it_leaves_without_a_fault() {
        let all = |fs: &Arc<dyn Fs>| -> io::Result<()> {
            fs.create_dirs(Path::new("/d/e"))?;
            let mut file = fs.create(Path::new("/d/a"))?;
            file.append(b"one")?;
            file.append(b"two")?;
            file.truncate(5)?;
            file.append(b"three")?;
            fs.append(Path::new("/d/a"))?.append(b"four")?;
            fs.link(Path::new("/d/a"), Path::new("/d/b"))?;
            fs.rename(Path::new("/d/a"), Path::new("/d/c"))?;
            fs.remove_dir(Path::new("/d/e"))
        };
        let operations = {
            let fs = FaultFs::new();
            all(&(Arc::new(fs.clone()) as Arc<dyn Fs>)).unwrap();
            fs.operations()
        };
        for (operation, fault) in (0..operations)
            .flat_map(|number| [Fault::NoSpace, Fault::Io, Fault::ShortWrite].map(|fault| (number, fault)))
        {
            let (fs, (retry, refused)) = (FaultFs::new(), counting(2));
            fs.fail_at(operation, fault);
            all(&retry.on(Arc::new(fs.clone()))).unwrap();
            assert_eq!(refused.load(Ordering::Relaxed), 1, "{fault:?} at {operation}");
            assert_eq!(fs.list(Path::new("/d")).unwrap(), ["b", "c"], "{fault:?} at {operation}");
            assert_eq!(fs.read(Path::new("/d/c")).unwrap(), b"onetwthreefour", "{fault:?} at {operation}");
        }
    }

    #[test]
    fn a_failed_sync_is_never_tried_again() {
        let (fs, (retry, refused)) = (FaultFs::new(), counting(10));
        let files = retry.on(Arc::new(fs.clone()));
        let mut file = files.create(Path::new("/a")).unwrap();
        fs.fail_at(fs.operations(), Fault::FailedSync);
        assert!(file.sync().is_err());
        fs.fail_at(fs.operations(), Fault::FailedSync);
        assert!(files.sync_dir(Path::new("/")).is_err());
        assert_eq!(refused.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn trying_has_an_end_that_says_how_often_it_was_tried() {
        let (fs, (retry, refused)) = (FaultFs::new(), counting(10));
        let files = retry.on(Arc::new(fs.clone()));
        let mut file = files.create(Path::new("/a")).unwrap();
        file.append(b"before").unwrap();
        fs.set_space(Some(9));
        let error = file.append(b"too much").unwrap_err();
        assert_eq!((error.kind(), refused.load(Ordering::Relaxed)), (ErrorKind::StorageFull, 10));
        assert_eq!(error.to_string(), "after 10 tries: no space left on device");
        fs.set_space(None);
        file.append(b", after").unwrap();
        assert_eq!(fs.read(Path::new("/a")).unwrap(), b"before, after", "what was torn does not count");
    }

    #[test]
    fn a_lock_that_is_let_go_meanwhile_is_taken_and_one_that_is_not_stays_held() {
        let fs = FaultFs::new();
        let held = std::sync::Mutex::new(fs.lock(Path::new("/a")).unwrap());
        let retry = Retry::new(move |_, tries| {
            if tries == 3 {
                held.lock().unwrap().take();
            }
            true
        });
        let taken = retry.on(Arc::new(fs.clone())).lock(Path::new("/a")).unwrap();
        assert!(taken.is_some());
        let (retry, refused) = counting(10);
        assert!(retry.on(Arc::new(fs)).lock(Path::new("/a")).unwrap().is_none());
        assert_eq!(refused.load(Ordering::Relaxed), 10);
    }

    #[test]
    fn what_waiting_cannot_mend_is_told_at_once() {
        let (fs, (retry, refused)) = (FaultFs::new(), counting(10));
        let files = retry.on(Arc::new(fs));
        files.create(Path::new("/a")).unwrap();
        assert_eq!(files.create(Path::new("/a")).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(files.open(Path::new("/b")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(files.create(Path::new("/c/d")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(refused.load(Ordering::Relaxed), 0);
    }
}
