//! The machine's own file system.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::Path;

use super::{Fs, FsFile, FsLock, Kind, Resolved, whereabouts};

/// The machine's own file system.
///
/// ```
/// use dualgauge_engine::fs::{Fs, RealFs};
///
/// let path = std::env::temp_dir().join(format!("dualgauge-real-fs-{}", std::process::id()));
/// let mut file = RealFs.create(&path).unwrap();
/// file.append(b"hello").unwrap();
/// file.sync().unwrap();
/// assert_eq!(RealFs.read(&path).unwrap(), b"hello");
/// assert!(RealFs.create(&path).is_err(), "the name is taken");
/// # RealFs.remove(&path).unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFs;

impl Fs for RealFs {
    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        Ok(Box::new(RealFile(OpenOptions::new().read(true).append(true).create_new(true).open(path)?)))
    }

    fn create_private(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        let file = private(OpenOptions::new().read(true).append(true).create_new(true)).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        Ok(Box::new(RealFile(
            no_link(OpenOptions::new().read(true).append(true)).open(path).map_err(by_name).and_then(no_pipe)?,
        )))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        Ok(Box::new(RealFile(no_wait(OpenOptions::new().read(true)).open(path).and_then(no_pipe)?)))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::hard_link(from, to)
    }

    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    fn move_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn create_dirs(&self, dir: &Path) -> io::Result<()> {
        std::fs::create_dir_all(dir)
    }

    #[cfg(unix)]
    fn create_private_dirs(&self, dir: &Path) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        std::fs::remove_dir(dir)
    }

    #[cfg(unix)]
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    /// Windows has no handle on a directory's content to sync; NTFS journals names by itself.
    #[cfg(not(unix))]
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = std::fs::read_dir(dir)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<FsLock>> {
        loop {
            let file = no_link(OpenOptions::new().write(true).create(true).truncate(false)).open(path);
            let file = file.map_err(by_name).and_then(no_pipe)?;
            match file.try_lock() {
                // Whoever held it before may have removed it, and a third may have locked the one that lies there
                // instead.
                Ok(()) if !is_at(&file, path)? => {}
                Ok(()) => return Ok(Some(FsLock::new(file))),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        let found = match std::fs::symlink_metadata(path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            found => found?.file_type(),
        };
        Ok(Some(match found {
            found if found.is_symlink() => Kind::Link,
            found if found.is_dir() => Kind::Dir,
            found if found.is_file() => Kind::File,
            _ => Kind::Other,
        }))
    }

    fn resolve(&self, path: &Path) -> Resolved {
        whereabouts::resolve(path)
    }
}

/// Creates what only its owner may read and write.
#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Opens no symbolic link for writing: what it leads to is not what was named.
#[cfg(unix)]
fn no_link(options: &mut OpenOptions) -> &mut OpenOptions {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32)
}

#[cfg(not(unix))]
fn no_link(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Reports a link as what it is, and as something that no retry can mend.
#[cfg(unix)]
fn by_name(error: io::Error) -> io::Error {
    let why = "it is a symbolic link, and what it leads to is not written to";
    match error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        true => io::Error::new(io::ErrorKind::InvalidInput, why),
        false => error,
    }
}

#[cfg(not(unix))]
fn by_name(error: io::Error) -> io::Error {
    error
}

/// Does not wait for anyone at the other end of a pipe, which is then refused; a file is opened as usual.
#[cfg(unix)]
fn no_wait(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
}

#[cfg(not(unix))]
fn no_wait(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Refuses what has no beginning to read from and no end to append to.
fn no_pipe(file: File) -> io::Result<File> {
    let found = file.metadata()?;
    match found.is_file() || found.is_dir() {
        true => Ok(file),
        false => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe or a device, and a file is wanted here"))
        }
    }
}

/// Whether the open file still has this name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let open = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        there => there.map(|there| (there.dev(), there.ino()) == (open.dev(), open.ino())),
    }
}

/// An open file cannot be removed there.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[derive(Debug)]
struct RealFile(File);

impl FsFile for RealFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    #[cfg(unix)]
    fn read_at(&self, mut position: u64, mut buffer: &mut [u8]) -> io::Result<usize> {
        use std::os::unix::fs::FileExt;
        let wanted = buffer.len();
        while !buffer.is_empty() {
            match self.0.read_at(buffer, position) {
                Ok(0) => break,
                Ok(read) => (position, buffer) = (position + read as u64, &mut buffer[read..]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(wanted - buffer.len())
    }

    #[cfg(not(unix))]
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = self.0.try_clone()?;
        file.seek(SeekFrom::Start(position))?;
        let mut read = 0;
        while read < buffer.len() {
            match file.read(&mut buffer[read..])? {
                0 => break,
                more => read += more,
            }
        }
        Ok(read)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        is_at(&self.0, path)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for() {
        let path = std::env::temp_dir().join(format!("dualgauge-pipe-{}", std::process::id()));
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        for refused in [
            RealFs.open(&path).map(drop),
            RealFs.append(&path).map(drop),
            RealFs.read(&path).map(drop),
            RealFs.lock(&path).map(drop),
        ] {
            assert!(refused.is_err());
        }
        assert!(RealFs.open(&path).unwrap_err().to_string().contains("is a pipe"));
        std::fs::remove_file(&path).unwrap();
        assert!(RealFs.open(&std::env::temp_dir()).is_ok(), "a directory is refused where it is read");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_place_of_a_file_that_is_written_is_called_by_its_name() {
        let path = std::env::temp_dir().join(format!("dualgauge-link-{}", std::process::id()));
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        for refused in [RealFs.append(&path).map(drop), RealFs.lock(&path).map(drop)] {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "which nobody tries again");
            assert!(error.to_string().contains("is a symbolic link"), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_lock_is_held_once_and_given_back() {
        let path = std::env::temp_dir().join(format!("dualgauge-lock-{}", std::process::id()));
        let held = RealFs.lock(&path).unwrap();
        assert!(held.is_some());
        assert!(RealFs.lock(&path).unwrap().is_none());
        drop(held);
        assert!(RealFs.lock(&path).unwrap().is_some());
        RealFs.remove(&path).unwrap();
    }
}
