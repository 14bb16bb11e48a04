//! Names for whole files, even if a file system has no hard links, or cannot sync a directory.
//!
//! A whole file is given a name that must be free: so one of several writers that want it gets it, and nobody sees half
//! a file. There are three ways; the first that the file system supports is taken:
//!
//! | way | where | who is kept apart |
//! |---|---|---|
//! | [`Naming::Link`] | most file systems | everybody |
//! | [`Naming::Move`] | FAT, exFAT, SMB, some network mounts | everybody |
//! | [`Naming::Locked`] | what has no such move either | the processes of one machine |
//!
//! The last looks and moves under a lock of the operating system, which ends with its process.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::Fs;

/// How often to try for a lock that another process holds for a moment, and how long to wait in between.
const TRIES: u32 = 500;
const WAIT: std::time::Duration = std::time::Duration::from_millis(10);

/// How a file gets a name that must be free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// By a second name.
    Link,
    /// By a move that replaces nothing.
    Move,
    /// By a look and a move, under a lock.
    Locked,
}

/// What a file system supports, as it was found at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// How names are given.
    pub naming: Naming,
    /// Whether the names in a directory are made durable on request.
    pub syncs: bool,
}

/// See [`Fs::give_name`].
pub(super) fn give_name<F: Fs + ?Sized>(fs: &F, from: &Path, to: &Path) -> io::Result<Naming> {
    match fs.link(from, to) {
        Err(error) if is_not_known(&error) => {}
        linked => return linked.map(|()| Naming::Link),
    }
    match fs.move_new(from, to) {
        Err(error) if is_not_known(&error) => {}
        moved => return moved.map(|()| Naming::Move),
    }
    let lock_path = from.with_file_name(".naming.lock");
    for _ in 0..TRIES {
        let Some(_lock) = fs.lock(&lock_path)? else {
            std::thread::sleep(WAIT);
            continue;
        };
        if fs.kind(to)?.is_some() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        fs.rename(from, to)?;
        let _ = fs.remove(&lock_path); // it is of use again, and in nobody's way
        return Ok(Naming::Locked);
    }
    Err(io::Error::new(
        ErrorKind::WouldBlock,
        format!("{} is held by another process; does one stand still that was stopped?", lock_path.display()),
    ))
}

/// See [`Fs::sync_names`].
pub(super) fn sync_names<F: Fs + ?Sized>(fs: &F, dir: &Path) -> io::Result<bool> {
    match fs.sync_dir(dir) {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(false),
        synced => synced.map(|()| true),
    }
}

/// Whether a file system does not support a request. A missing permission looks the same; the next way then reports it.
fn is_not_known(error: &io::Error) -> bool {
    use ErrorKind::{InvalidInput, PermissionDenied, TooManyLinks, Unsupported};
    matches!(error.kind(), InvalidInput | PermissionDenied | TooManyLinks | Unsupported)
}

impl Ways {
    /// Tries out in a directory what its file system supports; `mark` tells its names from those of others who try.
    pub fn probe(fs: &dyn Fs, dir: &Path, mark: &str) -> io::Result<Ways> {
        let (from, to) = (dir.join(format!(".ways.{mark}.1")), dir.join(format!(".ways.{mark}.2")));
        fs.create(&from)?;
        let naming = fs.give_name(&from, &to);
        // The first is gone if it was moved.
        for path in [&from, &to] {
            match fs.remove(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(Ways { naming: naming?, syncs: fs.sync_names(dir)? })
    }

    /// What a person should know of a place on this file system.
    pub fn note(&self, place: &str) -> Option<String> {
        let naming = match self.naming {
            Naming::Link => "",
            Naming::Move => "knows no hard links: names are given by a move that replaces nothing",
            Naming::Locked => {
                "knows neither hard links nor a move that replaces nothing: names are given under a lock, which keeps apart \
                 the processes of this machine alone, so see that no other machine starts the same job"
            }
        };
        let syncs =
            if self.syncs { "" } else { "takes no sync of a directory: when the power goes, the newest names may go" };
        let words: Vec<_> = [naming, syncs].into_iter().filter(|words| !words.is_empty()).collect();
        (!words.is_empty()).then(|| format!("the file system of {place} {}", words.join("; it ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{FaultFs, Lacks};

    #[test]
    fn a_name_is_given_once_whatever_the_file_system_knows_and_it_is_said_how() {
        for (lacks, naming) in [
            (Lacks::default(), Naming::Link),
            (Lacks { links: true, ..Lacks::default() }, Naming::Move),
            (Lacks { links: true, moves: true, syncs: true }, Naming::Locked),
        ] {
            let fs = FaultFs::new();
            fs.set_lacks(lacks);
            for (name, content) in [("/a", b"a"), ("/b", b"b")] {
                fs.create(Path::new(name)).unwrap().append(content).unwrap();
            }
            let ways = Ways::probe(&fs, Path::new("/"), "7").unwrap();
            assert_eq!(ways, Ways { naming, syncs: !lacks.syncs });
            assert_eq!(ways.note("x").is_some(), lacks != Lacks::default());
            assert_eq!(fs.give_name(Path::new("/a"), Path::new("/c")).unwrap(), naming);
            assert_eq!(
                fs.give_name(Path::new("/b"), Path::new("/c")).unwrap_err().kind(),
                ErrorKind::AlreadyExists,
                "{lacks:?}"
            );
            assert_eq!(fs.read(Path::new("/c")).unwrap(), b"a", "{lacks:?}");
            let missing = fs.give_name(Path::new("/none"), Path::new("/d")).unwrap_err();
            assert_eq!(missing.kind(), ErrorKind::NotFound, "{lacks:?}");
            let left = fs.list(Path::new("/")).unwrap();
            assert!(left.iter().all(|name| !name.starts_with('.')), "{lacks:?}: {left:?}");
        }
    }
}
