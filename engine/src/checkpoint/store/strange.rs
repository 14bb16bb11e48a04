//! A directory that is somebody else's is no place for checkpoints: a log, the output of a job, and what lies within them.
//!
//! Only a place without checkpoints is examined. One that has them is used, whatever was put beside them.

use std::path::Path;

use crate::fs::{Fs, Kind};
use crate::{Error, Result};

/// What a log has, and no other directory.
const LOG: &str = "log.json";

/// The first partition of a log.
const PARTITION: &str = "p0000";

/// What a sink has made below one of its directories.
const MADE: [&str; 2] = ["lock", "b0"];

/// What a sink puts into the directory that it writes to.
const OF_SINKS: [&str; 3] = [".job", ".staging", ".published"];

/// The file extensions of data: a finished output has them, and may no longer have a mark of its sink.
const DATA: [&str; 5] = ["parquet", "csv", "json", "jsonl", "ndjson"];

/// Refuses a directory that is not meant for checkpoints.
///
/// # Errors
/// A file; a log, or the directory of a sink, or one inside of them; a directory with files of data. What cannot be
/// looked at is reported by whoever writes there.
pub(super) fn refuse(fs: &dyn Fs, place: &str) -> Result<()> {
    let path = Path::new(place);
    let kind = |path: &Path| fs.kind(path).ok().flatten();
    if kind(&path.join("manifest")).is_some() {
        return Ok(());
    }
    if kind(path) == Some(Kind::File) {
        return Err(refused(place, "it is a file, and checkpoints are kept in a directory of their own"));
    }
    // The path as written: if it has a link, the link's target is examined too, since names below the link are looked
    // up there.
    let all = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    // Further up a name alone says little: `log.json` may be anything, and so may `.staging`.
    let is_log = |dir: &Path, own: bool| {
        kind(&dir.join(LOG)) == Some(Kind::File) && (own || kind(&dir.join(PARTITION)) == Some(Kind::Dir))
    };
    let is_of_sink = |dir: &Path, own: bool, mark: &str| match kind(&dir.join(mark)) {
        Some(Kind::File) => mark == ".job",
        Some(_) => own || MADE.iter().any(|made| kind(&dir.join(mark).join(made)).is_some()),
        None => false,
    };
    for (depth, dir) in all.ancestors().enumerate() {
        let own = depth == 0;
        let (is, shown) = if own { ("it is", String::new()) } else { ("it lies in", format!(" {}", dir.display())) };
        if is_log(dir, own) {
            return Err(refused(place, &format!("{is} a log{shown} (`{LOG}` is there)")));
        }
        if let Some(mark) = OF_SINKS.iter().find(|mark| is_of_sink(dir, own, mark)) {
            return Err(refused(place, &format!("{is} the output of a job{shown} (`{mark}` is there)")));
        }
    }
    let is_data = |name: &String| {
        let ending = Path::new(name).extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        ending.is_some_and(|ending| DATA.contains(&&*ending)) && kind(&path.join(name)) == Some(Kind::File)
    };
    match fs.list(path).ok().and_then(|names| names.into_iter().find(is_data)) {
        Some(name) => Err(refused(place, &format!("it holds data and no checkpoints (`{name}` is there)"))),
        None => Ok(()),
    }
}

fn refused(dir: &str, why: &str) -> Error {
    Error::usage(format!(
        "checkpoints {dir}: {why}; likely mistake: the place of an input or of an output was named. Choose a directory that \
         is empty or not there yet"
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::checkpoint::LocalStore;
    use crate::fs::FaultFs;

    /// A disk with these files, and the directories above them.
    fn disk(files: &[&str]) -> FaultFs {
        let fs = FaultFs::new();
        for file in files {
            fs.create_dirs(Path::new(file).parent().unwrap()).unwrap();
            fs.create(Path::new(file)).unwrap();
        }
        fs
    }

    #[test]
    fn what_is_somebody_elses_is_refused_by_its_name() {
        for (files, dir, words) in [
            (&["/lg/log.json", "/lg/p0000/1"][..], "/lg", "it is a log (`log.json` is there)"),
            (&["/lg/log.json", "/lg/p0000/1"], "/lg/a/ck", "it lies in a log /lg (`log.json` is there)"),
            (&["/out/.job"], "/out", "it is the output of a job (`.job` is there)"),
            (&["/out/.staging/lock"], "/out/ck", "it lies in the output of a job /out (`.staging` is there)"),
            (&["/out/.published/b0"], "/out/", "it is the output of a job (`.published` is there)"),
            (&["/out/a.parquet"], "/out", "it holds data and no checkpoints (`a.parquet` is there)"),
            (&["/out/A.CSV"], "/out", "it holds data and no checkpoints (`A.CSV` is there)"),
            (&["/out.jsonl"], "/out.jsonl", "it is a file"),
        ] {
            let error = refuse(&disk(files), dir).unwrap_err().to_string();
            assert!(error.starts_with(&format!("checkpoints {dir}: {words}")), "{error}");
        }
    }

    #[test]
    fn what_is_empty_or_new_or_has_checkpoints_is_taken() {
        for (files, dir) in [
            (&["/a"][..], "/ck"),
            (&["/ck/.gitkeep", "/ck/lost+found/x", "/ck/notes.txt"], "/ck"),
            (&["/data/a.csv", "/data/.a.csv.job"], "/data/ck"),
            (&["/data/log.json"], "/data/jobs/ck"),
            (&["/user/.staging/notes", "/user/.job/x"], "/user/a/ck"),
        ] {
            refuse(&disk(files), dir).unwrap();
        }
        let fs = disk(&["/ck/x"]);
        LocalStore::open(Arc::new(fs.clone()), "/ck").unwrap();
        fs.create(Path::new("/ck/told.json")).unwrap();
        refuse(&fs, "/ck").unwrap();
    }
}
