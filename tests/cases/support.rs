//! A directory of a case, and the processes that are started in it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use dualgauge::checkpoint::{Entry, ManifestLog, open_existing_store};

/// The variable that names the graph whose command line this program is.
pub const GRAPH: &str = "DUALGAUGE_CASE";

/// A directory that is gone when the case is over.
pub struct Dir(tempfile::TempDir);

/// How a process ended, and what it printed.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Dir {
    pub fn new() -> Dir {
        Dir(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and the directories above it.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// What lies in a directory of it, sorted; nothing where it is not there.
    pub fn list(&self, name: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(name)).into_iter().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// All files below it with what is in them, by their paths; a link is told by what it leads to.
    pub fn all(&self) -> BTreeMap<String, Vec<u8>> {
        let (mut found, mut dirs) = (BTreeMap::new(), vec![self.path("")]);
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let content = match std::fs::symlink_metadata(&path).unwrap().file_type() {
                    kind if kind.is_symlink() => {
                        std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
                    }
                    kind if kind.is_dir() => {
                        dirs.push(path);
                        continue;
                    }
                    _ => std::fs::read(&path).unwrap(),
                };
                found.insert(path.strip_prefix(self.0.path()).unwrap().display().to_string(), content);
            }
        }
        found
    }

    /// The command line of a graph with these words, in this directory; nothing is on its standard input.
    pub fn command(&self, graph: &str, words: &[&str]) -> Command {
        program(self.0.path(), std::env::current_exe().unwrap(), Some(graph), words)
    }

    /// Runs the command line of a graph to its end.
    pub fn run(&self, graph: &str, words: &[&str]) -> Ran {
        ran(self.command(graph, words))
    }

    /// Runs `dualgauge` to its end.
    pub fn dualgauge(&self, words: &[&str]) -> Ran {
        ran(self.dualgauge_command(words))
    }

    /// `dualgauge` with these words, in this directory.
    pub fn dualgauge_command(&self, words: &[&str]) -> Command {
        program(self.0.path(), env!("CARGO_BIN_EXE_dualgauge").into(), None, words)
    }

    /// A script of the shell, in this directory.
    pub fn shell(&self, script: &str) -> Command {
        program(self.0.path(), "sh".into(), None, &["-c", script])
    }
}

/// How many rows the last checkpoint in a place has read; none where there is no checkpoint.
pub fn read_so_far(dir: &Dir, place: &str) -> u64 {
    let store = open_existing_store(dir.path(place).to_str().unwrap());
    // A look while the log is written may find it half made.
    let entries = store.and_then(|store| ManifestLog::read(&*store)).unwrap_or_default().into_iter();
    let commit = entries.rev().find_map(|(_, entry)| match entry {
        Entry::Commit(commit) => Some(commit),
        Entry::Fence(_) => None,
    });
    let sources = commit.iter().flat_map(|commit| commit.sources.values());
    sources.flat_map(|cut| cut.partitions.values()).map(|cut| cut.rows).sum()
}

/// A process that was started.
pub struct Started(Child);

impl Started {
    pub fn new(mut command: Command) -> Started {
        Started(command.spawn().unwrap())
    }

    /// One that was started already.
    pub fn of(child: Child) -> Started {
        Started(child)
    }

    /// Waits until a checkpoint has read so many rows.
    pub fn has_read(mut self, dir: &Dir, place: &str, rows: u64) -> Started {
        while read_so_far(dir, place) < rows {
            self.must_run();
            thread::yield_now();
        }
        self
    }

    /// Waits until there is a file.
    pub fn has_made(mut self, dir: &Dir, name: &str) -> Started {
        while !dir.path(name).exists() {
            self.must_run();
            thread::yield_now();
        }
        self
    }

    fn must_run(&mut self) {
        if let Some(status) = self.0.try_wait().unwrap() {
            let mut told = String::new();
            self.0.stderr.take().unwrap().read_to_string(&mut told).unwrap();
            panic!("it has ended meanwhile, with {status}: {told}");
        }
    }

    /// Asks it to stop in order, and waits for the end.
    pub fn stopped(self) -> Ran {
        self.signalled("-INT")
    }

    /// Kills it.
    pub fn killed(self) -> Ran {
        self.signalled("-KILL")
    }

    fn signalled(self, signal: &str) -> Ran {
        assert!(Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap().success());
        self.ended()
    }

    /// Waits for the end.
    pub fn ended(self) -> Ran {
        of(self.0.wait_with_output().unwrap())
    }
}

/// Runs a command to its end.
pub fn ran(mut command: Command) -> Ran {
    of(command.output().unwrap())
}

fn of(output: Output) -> Ran {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

fn program(dir: &Path, program: PathBuf, graph: Option<&str>, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.env_remove("RUST_BACKTRACE").env_remove(GRAPH).envs(graph.map(|graph| (GRAPH, graph)));
    command.current_dir(dir).args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
