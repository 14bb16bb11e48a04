//! The directory in which one bucket stages: names that are given once, and what happens to orphans.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dualgauge_engine::fs::{Fs, FsFile};
use dualgauge_engine::sink::Writing;
use dualgauge_engine::{Error, Result};

use super::StagedName;
use super::files::{self, create_own_dir, synced};

/// The staging directory of one bucket in one generation.
///
/// A staged name is given once ([`StagedName`]).
#[derive(Debug)]
pub(crate) struct Aside {
    pub(crate) fs: Arc<dyn Fs>,
    dir: PathBuf,
    bucket: usize,
    generation: u64,
    given: u64,
    /// Whether a name was created that may not be durable.
    unsynced: bool,
}

impl Aside {
    /// Opens the directory of the job below `root`, which lies in the output directory; both are created if missing.
    pub(crate) fn open(fs: Arc<dyn Fs>, root: &Path, bucket: usize, writing: &Writing) -> Result<Aside> {
        let dir = dir_of(root, writing.job.as_deref());
        create_own_dir(&*fs, root)?;
        create_own_dir(&*fs, &dir)?;
        // They may be there but not durable, if the process that made them was killed.
        for above in root.ancestors().take(3) {
            let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
            match fs.sync_names(above) {
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
                done => synced(above, done)?,
            }
        }
        Ok(Aside { fs, dir, bucket, generation: writing.generation, given: 0, unsynced: false })
    }

    /// A name that nobody has.
    pub(crate) fn name(&mut self, what: &str, ending: &str) -> StagedName {
        self.given += 1;
        StagedName::new(self.bucket, self.generation, self.given, what, ending)
    }

    pub(crate) fn path(&self, name: &StagedName) -> PathBuf {
        name.plain().within(&self.dir)
    }

    pub(crate) fn create(&mut self, name: &StagedName) -> Result<Box<dyn FsFile>> {
        let path = self.path(name);
        self.unsynced = true;
        self.fs.create(&path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Error::environment(format!(
                "{} is there already. Does another job write to this directory?",
                path.display()
            )),
            _ => Error::io(format!("cannot create {}", path.display()), error),
        })
    }

    /// Makes the staged names durable.
    pub(crate) fn sync(&mut self) -> Result<()> {
        if self.unsynced {
            synced(&self.dir, self.fs.sync_names(&self.dir))?;
            self.unsynced = false;
        }
        Ok(())
    }

    pub(crate) fn remove(&self, name: &StagedName) -> Result<()> {
        files::remove(&*self.fs, &self.path(name))
    }

    /// Removes what this bucket has staged in earlier generations, and what bears this generation's number but is not
    /// its own, except the names that are `kept`. What a younger generation has staged stays.
    pub(crate) fn remove_orphans(&self, kept: &BTreeSet<StagedName>) -> Result<()> {
        let names = files::list(&*self.fs, &self.dir)?;
        let orphan = |name: &StagedName| {
            name.bucket() == self.bucket && name.generation() <= self.generation && !kept.contains(name)
        };
        names.iter().filter_map(|name| StagedName::of(name)).filter(orphan).try_for_each(|name| self.remove(&name))
    }
}

/// The directory of a job below the root of all staging; the root itself for a job without checkpoints.
pub(super) fn dir_of(root: &Path, job: Option<&str>) -> PathBuf {
    job.map_or_else(|| root.to_path_buf(), |job| root.join(format!("job-{}", plain(job))))
}

/// The name of a job as a part of a file name: characters that a file name must not have become `=` and digits.
pub(super) fn plain(job: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    job.chars().map(|c| if plain(c) { c.to_string() } else { format!("={:x}=", c as u32) }).collect()
}

#[cfg(test)]
mod tests {
    use dualgauge_engine::Epoch;
    use dualgauge_engine::fs::FaultFs;
    use dualgauge_engine::sink::After;

    use super::*;

    #[test]
    fn orphans_of_the_bucket_go_and_what_is_kept_or_younger_or_of_another_bucket_stays() {
        let fs: Arc<dyn Fs> = Arc::new(FaultFs::new());
        let writing = |generation| Writing::of("a/b", generation).resuming(After { epoch: Epoch(0), generation: 1 });
        let aside = |bucket, generation| {
            Aside::open(fs.clone(), Path::new("/out/.staging"), bucket, &writing(generation)).unwrap()
        };
        let mut names = Vec::new();
        for (bucket, generation) in [(0, 1), (0, 2), (0, 3), (1, 1)] {
            let mut aside = aside(bucket, generation);
            for _ in 0..2 {
                names.push(aside.name("x", "part"));
                aside.create(&names[names.len() - 1]).unwrap();
            }
        }
        aside(0, 2).remove_orphans(&BTreeSet::from([names[0].clone()])).unwrap();
        let left = fs.list(Path::new("/out/.staging/job-a=2f=b")).unwrap();
        assert_eq!(left, ["b0.g1.1.x.part", "b0.g3.1.x.part", "b0.g3.2.x.part", "b1.g1.1.x.part", "b1.g1.2.x.part"]);
    }

    #[test]
    fn a_name_that_is_taken_is_refused() {
        let fs: Arc<dyn Fs> = Arc::new(FaultFs::new());
        let open = || Aside::open(fs.clone(), Path::new("/out/.staging"), 0, &Writing::default()).unwrap();
        let name = StagedName::of("b0.g0.1.x").unwrap();
        open().create(&name).unwrap();
        assert!(open().create(&name).unwrap_err().to_string().contains("another job"));
    }
}
