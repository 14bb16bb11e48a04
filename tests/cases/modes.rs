//! Who may read what a run leaves behind: checkpoints are their owner's alone, outputs are as the umask has it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::Case;
use crate::support::{Dir, GRAPH, ran};

pub const CASES: &[Case] = &[("checkpoints_are_their_owners_alone_whatever_the_umask", modes)];

/// The modes of a file, or of a directory and all below it, with their paths.
fn below(path: &Path, found: &mut Vec<(String, bool, u32)>) {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    found.push((path.display().to_string(), metadata.is_dir(), metadata.permissions().mode() & 0o777));
    if metadata.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| below(&entry.unwrap().path(), found));
    }
}

fn modes() {
    let lines: String = (0..2000).map(|at| format!("k{at},{at},2024-01-01T00:00:00Z\n")).collect();
    let (words, program) =
        ("run -q --source in=csv:a.csv --checkpoint deep/ck --every 1ms --sink", std::env::current_exe());
    for umask in ["000", "022", "077"] {
        for sink in ["out=csv:o/", "out=parquet:o/", "out=log:o", "out=json:o/x.json"] {
            let dir = Dir::new();
            dir.write("a.csv", format!("key,value,ts\n{lines}"));
            // In two starts: the second one reads, sweeps and writes what it finds.
            for _ in 0..2 {
                let mut command = dir.shell(&format!("umask {umask}; exec \"$PROGRAM\" {words} {sink}"));
                command.env(GRAPH, "ev").env("PROGRAM", program.as_ref().unwrap());
                let ran = ran(command);
                assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{umask} {sink}");
            }
            let mut found = Vec::new();
            below(&dir.path("deep"), &mut found);
            assert!(found.iter().filter(|(_, is_dir, _)| !is_dir).count() > 2, "{found:?}");
            for (path, is_dir, mode) in &found {
                assert_eq!(*mode, if *is_dir { 0o700 } else { 0o600 }, "umask {umask}, {sink}: {path} is {mode:o}");
            }
            let (mut found, masked) = (Vec::new(), u32::from_str_radix(umask, 8).unwrap());
            below(&dir.path("o"), &mut found);
            for (path, is_dir, mode) in &found {
                let expected = if *is_dir { 0o777 } else { 0o666 } & !masked;
                assert_eq!(*mode, expected, "umask {umask}, {sink}: {path} is {mode:o}");
            }
        }
    }
}
