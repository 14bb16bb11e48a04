//! Looks through directories for files of a format, and at what is left out.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use dualgauge_engine::{Error, Result};

use super::left_out::{LeftOut, Why};
use super::{DataFile, Kind, Pattern, perhaps_absent};
use crate::handles::{Identity, Version};

/// How deep directories may be nested.
const DEPTH_MAX: usize = 64;

/// The directory by which a Delta table lists its files.
const DELTA: &str = "_delta_log";

/// What writers customarily put beside data: it holds no rows, and nobody misses it.
const MARKS: [&str; 5] = ["_SUCCESS", "_metadata", "_common_metadata", "_started_", "_committed_"];

/// What was found so far.
pub(super) struct Walk {
    root: PathBuf,
    kind: Kind,
    taken: Vec<Taken>,
    left_out: LeftOut,
    /// The directories between the root and the present place, by what distinguishes each from all others.
    above: Vec<Identity>,
    /// How many of them are links.
    links: usize,
}

/// A file that is read, unless it turns out to be one that was also found without a link.
struct Taken {
    by_link: bool,
    file: DataFile,
}

/// An entry of a directory that may be data.
struct Entry {
    own_name: String,
    /// From the root, with `/` between the parts.
    name: String,
    path: PathBuf,
    metadata: fs::Metadata,
    is_link: bool,
}

impl Walk {
    pub(super) fn new(root: &Path, kind: Kind) -> Walk {
        let (taken, above) = (Vec::new(), Vec::new());
        Walk { root: root.to_path_buf(), kind, taken, left_out: LeftOut::default(), above, links: 0 }
    }

    /// What was found, by ascending name, and what was left out. A file to which a link leads is read once, by its own
    /// name if that was found too (`latest` beside the days); otherwise its rows would be there twice.
    pub(super) fn done(self) -> (Vec<DataFile>, LeftOut) {
        let Walk { mut taken, mut left_out, .. } = self;
        taken.sort_by(|a, b| (a.by_link, &a.file).cmp(&(b.by_link, &b.file)));
        let mut known = HashSet::new();
        let mut files = Vec::with_capacity(taken.len());
        for Taken { by_link, file } in taken {
            match known.insert(file.version.identity()) || !by_link {
                true => files.push(file),
                false => left_out.add(Why::Again, file.name),
            }
        }
        files.sort();
        (files, left_out)
    }

    /// Takes all files of the format in a directory and below it.
    pub(super) fn all_below(&mut self, dir: &Path) -> Result<()> {
        self.refuse_a_part_of_a_table(dir)?;
        self.directory(dir, &look_at(dir)?, "")
    }

    /// Takes what a pattern stands for. If its base is missing and that is `allowed`, nothing is found.
    pub(super) fn matching(&mut self, pattern: &Pattern, allowed: bool) -> Result<()> {
        if allowed && fs::metadata(&pattern.base).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Ok(());
        }
        self.refuse_a_part_of_a_table(&pattern.base)?;
        self.matching_in(&pattern.base, &look_at(&pattern.base)?, "", pattern)
    }

    fn directory(&mut self, dir: &Path, own: &fs::Metadata, prefix: &str) -> Result<()> {
        for entry in self.enter(dir, own, prefix, false)? {
            if entry.metadata.is_dir() {
                self.whole(&entry)?;
            } else if self.kind.has(&entry.own_name) {
                self.take(entry);
            } else {
                self.left_out.add(Why::OtherFormat, entry.name);
            }
        }
        self.above.pop();
        Ok(())
    }

    fn matching_in(&mut self, dir: &Path, own: &fs::Metadata, prefix: &str, pattern: &Pattern) -> Result<()> {
        // A part for each `/` before the names here.
        let depth = prefix.matches('/').count();
        for entry in self.enter(dir, own, prefix, pattern.means_underscore())? {
            let (is_dir, is_meant) = (entry.metadata.is_dir(), pattern.stands_for(&entry.name));
            if is_dir && is_meant {
                self.whole(&entry)?;
            } else if is_dir && pattern.goes_below(&entry.own_name, depth) {
                self.links += usize::from(entry.is_link);
                self.matching_in(&entry.path, &entry.metadata, &format!("{}/", entry.name), pattern)?;
                self.links -= usize::from(entry.is_link);
            } else if is_dir || !is_meant {
                // The pattern has left it out, and whoever wrote the pattern knows.
            } else if pattern.takes_every_name() && !self.kind.has(&entry.own_name) {
                self.left_out.add(Why::OtherFormat, entry.name);
            } else {
                self.take(entry);
            }
        }
        self.above.pop();
        Ok(())
    }

    /// Takes all files of the format below an entry.
    fn whole(&mut self, entry: &Entry) -> Result<()> {
        self.links += usize::from(entry.is_link);
        self.directory(&entry.path, &entry.metadata, &format!("{}/", entry.name))?;
        self.links -= usize::from(entry.is_link);
        Ok(())
    }

    fn take(&mut self, entry: Entry) {
        let by_link = entry.is_link || self.links > 0;
        let Entry { name, path, metadata, .. } = entry;
        self.taken.push(Taken { by_link, file: DataFile { name, path, version: Version::of(&metadata) } });
    }

    /// Enters a directory and lists its files and directories that may be data. The caller leaves it again once it has
    /// looked at them.
    fn enter(&mut self, dir: &Path, own: &fs::Metadata, prefix: &str, underscore: bool) -> Result<Vec<Entry>> {
        self.above.push(Identity::of(own));
        if self.above.len() > DEPTH_MAX {
            let place = dir.display();
            return Err(Error::data(format!(
                "{place} is more than {DEPTH_MAX} directories deep: does a mount lead back?"
            )));
        }
        let mut found = Vec::new();
        for entry in fs::read_dir(dir).map_err(cannot_list(dir))? {
            let entry = entry.map_err(cannot_list(dir))?;
            let own_name = match entry.file_name().into_string() {
                Ok(own_name) => own_name,
                Err(name) => {
                    self.left_out.add(Why::NotUtf8, format!("{prefix}{}", name.to_string_lossy()));
                    continue;
                }
            };
            if own_name == DELTA && entry.path().is_dir() {
                return Err(table(dir));
            }
            let (name, path) = (format!("{prefix}{own_name}"), entry.path());
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            let Some(metadata) = self.look(&entry, &name, is_link)? else { continue };
            match is_hidden(&own_name) && !(underscore && own_name.starts_with('_')) {
                true if self.is_missed(&own_name, &metadata) => self.left_out.add(Why::Hidden, name),
                true => {}
                false => found.push(Entry { own_name, name, path, metadata, is_link }),
            }
        }
        Ok(found)
    }

    /// What an entry is, or what its link leads to; `None` if it cannot be read, which has then been reported.
    fn look(&mut self, entry: &fs::DirEntry, name: &str, is_link: bool) -> Result<Option<fs::Metadata>> {
        let metadata = match fs::metadata(entry.path()) {
            Ok(metadata) => metadata,
            Err(_) if is_link => {
                self.left_out.add(Why::LeadsNowhere, name);
                return Ok(None);
            }
            // It disappeared while the directory was being listed.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(Error::io(format!("cannot look at {}", entry.path().display()), cause)),
        };
        if metadata.is_dir() && is_link && self.above.contains(&Identity::of(&metadata)) {
            self.left_out.add(Why::LeadsBack, name);
            return Ok(None);
        }
        if !metadata.is_dir() && !metadata.is_file() {
            self.left_out.add(Why::Special, name);
            return Ok(None);
        }
        Ok(Some(metadata))
    }

    /// Whether somebody may take a hidden entry for data, because it is named like data or like unfinished work.
    fn is_missed(&self, own_name: &str, metadata: &fs::Metadata) -> bool {
        let is_mark = MARKS.iter().any(|mark| own_name.starts_with(mark));
        let is_data = metadata.is_file() && self.kind.has(own_name);
        is_data || (own_name.starts_with('_') && !is_mark)
    }

    /// Refuses what lies in the partitions of a table.
    fn refuse_a_part_of_a_table(&self, dir: &Path) -> Result<()> {
        let mut dir = dir;
        while let (Some(name), Some(parent)) = (dir.file_name(), dir.parent())
            && name.to_string_lossy().contains('=')
        {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            if parent.join(DELTA).is_dir() {
                return Err(table(parent).at(self.root.display()));
            }
            dir = parent;
        }
        Ok(())
    }
}

/// Whether a name is, by the custom of the field, not data: writers stage and mark there. A Hive partition may have a
/// column whose name begins with `_`.
fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || (name.starts_with('_') && !name.contains('='))
}

fn look_at(dir: &Path) -> Result<fs::Metadata> {
    fs::metadata(dir).map_err(cannot_list(dir))
}

fn cannot_list(dir: &Path) -> impl Fn(std::io::Error) -> Error {
    move |cause| perhaps_absent(format!("cannot list {}", dir.display()), cause)
}

fn table(dir: &Path) -> Error {
    Error::usage(format!(
        "{} is a Delta table: its `{DELTA}` says which of the files are rows of it and which were deleted or replaced, and \
         that is not read yet. Write what it holds to plain files first, or name a file of it by its whole path",
        dir.display()
    ))
}
