//! A directory as a store.

use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Created, Store, StoreError, random};
use crate::Place;
use crate::failpoint::{Point, around};
use crate::fs::{Fs, FsFile, Kind, Ways};

/// How many bytes are buffered before they are written to the file.
const BUFFER: usize = 256 * 1024;

/// How often a file is written again because it was swept away before it had its name. Each start of the job sweeps
/// once, so more would mean that something else removes it.
const SWEPT_MAX: usize = 100;

/// A directory as a store: files are written aside under a name that begins with a dot, synced, and then linked or
/// renamed to where they are seen; then the directory is synced. State is as secret as the data that it is made of:
/// what is created here is its owner's alone, whatever the umask (directories 0700, files 0600).
///
/// ```
/// use std::sync::Arc;
/// use dualgauge_engine::checkpoint::{Created, LocalStore, Store};
/// use dualgauge_engine::fs::FaultFs;
///
/// let store = LocalStore::open(Arc::new(FaultFs::new()), "/job").unwrap();
/// assert_eq!(store.create("manifest/0", b"mine").unwrap(), Created::New);
/// assert_eq!(store.create("manifest/0", b"yours").unwrap(), Created::Taken);
/// assert_eq!(store.get("manifest/0").unwrap(), b"mine");
/// ```
#[derive(Debug)]
pub struct LocalStore {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    /// Random, so that no two stores ever write to the same temporary file, not even one that cleaned up after another.
    mark: u128,
    written: AtomicU64,
}

/// The folders of a store.
const FOLDERS: [&str; 5] = ["manifest", "layers", "probe", "floors", "kept"];

/// Those of them that places of older programs lack.
const LATER: [&str; 2] = ["floors", "kept"];

impl LocalStore {
    /// A store in a directory, which is created if missing.
    pub fn open(fs: Arc<dyn Fs>, dir: impl Into<PathBuf>) -> Result<LocalStore, StoreError> {
        let store = LocalStore { fs, dir: dir.into(), mark: random(), written: AtomicU64::new(0) };
        for folder in FOLDERS {
            if store.is_link(folder)? {
                return Err(store.transient(folder, no_link("the folder")));
            }
            match store.fs.create_private_dirs(&store.dir.join(folder)) {
                // Whoever only looks into a place of an older program need not be able to write there.
                Err(error) if LATER.contains(&folder) && cannot_be_synced(&error) => {}
                created => created.map_err(|cause| StoreError::Transient { place: store.place(folder), cause })?,
            }
        }
        // The names of the directories must last as long as what is put into them.
        for dir in store.dir.ancestors() {
            let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
            match store.fs.sync_names(dir) {
                // Above what can be synced, nothing can have been created.
                Err(error) if dir != store.dir && cannot_be_synced(&error) => break,
                synced => drop(synced.map_err(|cause| store.fatal("", cause))?),
            }
        }
        Ok(store)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn is_link(&self, name: &str) -> Result<bool, StoreError> {
        let kind = self.fs.kind(&self.path(name)).map_err(|cause| self.transient(name, cause))?;
        Ok(kind == Some(Kind::Link))
    }

    fn place(&self, name: &str) -> String {
        format!("checkpoints {}", self.path(name).display())
    }

    fn transient(&self, name: &str, cause: io::Error) -> StoreError {
        match cause.kind() {
            io::ErrorKind::NotFound => StoreError::NotFound { place: self.place(name) },
            _ => StoreError::Transient { place: self.place(name), cause },
        }
    }

    fn fatal(&self, name: &str, cause: io::Error) -> StoreError {
        StoreError::Fatal { place: self.place(name), cause }
    }

    /// Writes a file aside and makes its content durable.
    fn aside(&self, name: &str, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> Result<Aside, StoreError> {
        let path = self.path(name);
        let (dir, file_name) = (path.parent().expect("a name in a folder"), path.file_name().expect("a name"));
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let aside = dir.join(format!(".{}.{:032x}.{number}", file_name.to_string_lossy(), self.mark));
        // A failed write is transient even where it says "not found": nobody asked for something that is not there.
        let transient = |cause| StoreError::Transient { place: self.place(name), cause };
        let file = self.fs.create_private(&aside).map_err(transient)?;
        let aside = Aside { fs: self.fs.clone(), path: aside, moved: false };
        let mut out = Buffered { file, buffer: Vec::with_capacity(BUFFER.min(64 * 1024)) };
        around(Point::Write, || write(&mut out).and_then(|()| out.flush())).map_err(transient)?;
        around(Point::Sync, || out.file.sync()).map_err(|cause| self.fatal(name, cause))?;
        Ok(aside)
    }

    /// Makes durable the names in the folder that holds `name`.
    fn sync_folder(&self, name: &str) -> Result<(), StoreError> {
        let folder = self.path(name).parent().expect("a name in a folder").to_path_buf();
        self.fs.sync_names(&folder).map(drop).map_err(|cause| self.fatal(name, cause))
    }
}

impl Store for LocalStore {
    fn describe(&self) -> String {
        self.dir.display().to_string()
    }

    fn note(&self) -> Option<String> {
        let ways = Ways::probe(&*self.fs, &self.dir.join("probe"), &format!("{:032x}", self.mark)).ok()?;
        ways.note(&format!("the checkpoints in {}", self.describe()))
    }

    fn places(&self) -> Vec<Place> {
        vec![Place::tree(&*self.fs, &self.dir)]
    }

    fn put(&self, name: &str, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> Result<(), StoreError> {
        let mut swept = 0;
        loop {
            let mut aside = self.aside(name, write)?;
            match around(Point::Rename, || self.fs.rename(&aside.path, &self.path(name))) {
                Err(cause) if is_missing(&cause) && swept < SWEPT_MAX => swept += 1,
                Err(cause) => return Err(StoreError::Transient { place: self.place(name), cause }),
                Ok(()) => {
                    aside.moved = true;
                    return around(Point::SyncNames, || self.sync_folder(name));
                }
            }
        }
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        let mut swept = 0;
        loop {
            let aside = self.aside(name, &mut |out| out.write_all(bytes))?;
            if let Err(cause) = around(Point::Append, || self.fs.give_name(&aside.path, &self.path(name))) {
                // Taken, or a failure that may have come after the name was given. What stands there now is the truth,
                // unless that cannot be read either.
                match self.get(name) {
                    Ok(found) if found == bytes => {}
                    Ok(_) => return Ok(Created::Taken),
                    Err(StoreError::NotFound { .. }) if is_missing(&cause) && swept < SWEPT_MAX => {
                        swept += 1;
                        continue;
                    }
                    Err(_) => return Err(StoreError::Transient { place: self.place(name), cause }),
                }
            }
            around(Point::SyncLog, || self.sync_folder(name))?;
            return Ok(Created::New);
        }
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        self.fs.read(&self.path(name)).map_err(|cause| self.transient(name, cause))
    }

    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        let read = || {
            let file = self.fs.open(&self.path(name))?;
            let end = range.end.min(file.length()?);
            let mut bytes = vec![0; end.saturating_sub(range.start) as usize];
            let read = file.read_at(range.start, &mut bytes)?;
            bytes.truncate(read);
            Ok(bytes)
        };
        read().map_err(|cause| self.transient(name, cause))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let names = match self.fs.list(&self.path(folder)) {
            Err(error) if is_missing(&error) => Vec::new(),
            names => names.map_err(|cause| self.transient(folder, cause))?,
        };
        Ok(names.into_iter().filter(|name| !name.starts_with('.')).map(|name| format!("{folder}{name}")).collect())
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        if self.is_link(name)? {
            return Err(self.transient(name, no_link("what is to be removed")));
        }
        match self.fs.remove(&self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.transient(name, error)),
            _ => Ok(()), // a deleted name that comes back after a power loss is deleted again
        }
    }

    fn sweep(&self) -> Result<(), StoreError> {
        for folder in FOLDERS {
            let names = match self.fs.list(&self.path(folder)) {
                Err(error) if is_missing(&error) => continue,
                names => names.map_err(|cause| self.transient(folder, cause))?,
            };
            for name in names.iter().filter(|name| is_aside(name)) {
                self.delete(&format!("{folder}/{name}"))?;
            }
        }
        Ok(())
    }
}

/// Whether a name is one that [`LocalStore::aside`] gives: `.NAME.MARK.NUMBER`, with 32 digits of the mark.
fn is_aside(name: &str) -> bool {
    let mut parts = name.rsplitn(3, '.');
    let (number, mark, rest) = (parts.next(), parts.next(), parts.next());
    let digits = |text: &str, radix| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    number.is_some_and(|number| digits(number, 10))
        && mark.is_some_and(|mark| mark.len() == 32 && digits(mark, 16))
        && rest.is_some_and(|rest| rest.len() > 1 && rest.starts_with('.'))
}

fn no_link(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{what} is a symbolic link, and checkpoints are written to no link's target: put it out of the way"),
    )
}

/// Whether nothing is there; for a file that was written aside, that means a start of the job swept it away.
fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

fn cannot_be_synced(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, NotFound, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(error.kind(), InvalidInput | NotFound | PermissionDenied | ReadOnlyFilesystem | Unsupported)
}

/// A file that was written aside; removed unless it was moved to its place.
struct Aside {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    moved: bool,
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.moved {
            // A failure does no harm: the next generation sweeps away what is left over.
            let _ = self.fs.remove(Path::new(&self.path));
        }
    }
}

struct Buffered {
    file: Box<dyn FsFile>,
    buffer: Vec<u8>,
}

impl Write for Buffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        if bytes.len() >= BUFFER {
            self.file.append(bytes)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.file.append(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::fs::RealFs;

    #[test]
    fn neither_a_link_nor_what_it_leads_to_is_removed_or_written_and_only_its_own_files_are_swept() {
        let dir = std::env::temp_dir().join(format!("dualgauge-store-links-{:032x}", random()));
        let (home, place) = (dir.join("home"), dir.join("place"));
        std::fs::create_dir_all(&home).unwrap();
        std::fs::write(home.join("diary"), "precious").unwrap();
        let store = LocalStore::open(Arc::new(RealFs), &place).unwrap();
        let own = format!(".layer.{:032x}.7", 1);
        for name in [".gitkeep", ".notes.txt.1", &own] {
            std::fs::write(place.join("layers").join(name), "").unwrap();
        }
        std::os::unix::fs::symlink(home.join("diary"), place.join("layers/0000000001-a")).unwrap();
        store.sweep().unwrap();
        assert_eq!(RealFs.list(&place.join("layers")).unwrap(), [".gitkeep", ".notes.txt.1", "0000000001-a"]);
        assert!(store.delete("layers/0000000001-a").unwrap_err().to_string().contains("is a symbolic link"));
        assert!(place.join("layers/0000000001-a").is_symlink());

        std::fs::remove_dir_all(place.join("layers")).unwrap();
        std::os::unix::fs::symlink(&home, place.join("layers")).unwrap();
        let error = LocalStore::open(Arc::new(RealFs), &place).unwrap_err().to_string();
        assert!(error.contains("layers") && error.contains("is a symbolic link"), "{error}");
        assert_eq!(std::fs::read(home.join("diary")).unwrap(), b"precious");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
