//! File systems that know no hard links, or take no sync of a directory (FAT, SMB, gcsfuse), to a whole process: a library
//! that is loaded before the system's own refuses these calls as such file systems do.
//!
//! It would catch a place that asks for a link without trying another way, and a start that does not say what it does
//! without.

use std::path::PathBuf;
use std::process::Command;

use dualgauge::connectors::log::Log;
use dualgauge::prelude::*;

use crate::Case;
use crate::back::{CHECKPOINTED, SINKS, output, undisturbed};
use crate::graphs::Ev;
use crate::starts::{ROWS, feed};
use crate::support::{Dir, Started};

pub const CASES: &[Case] = &[
    ("without_hard_links_a_killed_job_is_resumed_and_its_output_is_the_same", no_links),
    ("without_syncs_of_directories_a_killed_job_is_resumed_and_its_output_is_the_same", no_syncs),
];

const NO_LINKS: &str = "
#include <errno.h>
int link(const char *from, const char *to) { errno = EPERM; return -1; }
int linkat(int a, const char *from, int b, const char *to, int flags) { errno = EPERM; return -1; }
";

const NO_SYNCS: &str = "
#include <errno.h>
#include <sys/stat.h>
int fdatasync(int);
int fsync(int file) {
    struct stat found;
    if (fstat(file, &found) == 0 && S_ISDIR(found.st_mode)) { errno = EINVAL; return -1; }
    return fdatasync(file);
}
";

fn no_links() {
    resumed(NO_LINKS, "knows no hard links");
}

fn no_syncs() {
    resumed(NO_SYNCS, "takes no sync of a directory");
}

/// Builds the library; its path.
fn library(dir: &Dir, text: &str) -> PathBuf {
    dir.write("lacks.c", text);
    let path = dir.path("lacks.so");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&path).arg(dir.path("lacks.c")).output();
    let built = built.expect("a C compiler, which this project needs to be built");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    path
}

fn resumed(lacks: &str, noted: &str) {
    let built = Dir::new();
    let library = library(&built, lacks);
    for sink in SINKS {
        let dir = Dir::new();
        let mut writer = Log::create(dir.path("live"), &Ev::schema(), 1).unwrap().writer(0).unwrap();
        feed(&mut writer, 0);
        let bound = format!("out={sink}");
        let words = ["run", "--source", "in=log:live", "--sink", "late=json:late.jsonl", "--sink", &bound];
        let words = [&words[..], CHECKPOINTED].concat();
        let run = || {
            let mut command = dir.command("hours", &words);
            command.env("LD_PRELOAD", &library);
            Started::new(command)
        };
        let ran = run().has_read(&dir, "ck", ROWS as u64).killed();
        assert_eq!(ran.code, None, "{sink}: {ran:?}");
        feed(&mut writer, ROWS);
        writer.seal().unwrap();
        let ran = run().ended();
        assert_eq!(ran.code, Some(0), "{sink}: {ran:?}");
        assert!(ran.err.contains(noted), "{sink}: {ran:?}");
        assert!(output(&dir) == undisturbed(&dir, sink), "{sink}: {:?}", output(&dir));
    }
}
