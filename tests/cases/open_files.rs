//! Any number of files, under a limit of 64 that a process may have open.

use crate::Case;
use crate::support::{Dir, GRAPH, Ran, ran};

pub const CASES: &[Case] = &[
    ("thousands_of_files_are_read_under_a_limit_of_sixty_four", read_many),
    #[cfg(unix)]
    ("many_followed_files_are_read_under_a_limit_of_sixty_four", follow_many),
];

const ROW: &str = "key,value,ts\na,1,2024-01-01T00:00:00Z\n";
const JSON: &str = "{\"key\":\"a\",\"value\":1,\"ts\":\"2024-01-01T00:00:00Z\"}\n";

/// Runs the graph `hours` with no more than 64 open files.
fn limited(dir: &Dir, words: &str) -> Ran {
    let program = std::env::current_exe().unwrap();
    let mut command = dir.shell(&format!("ulimit -n 64; exec '{}' run -q {words}", program.display()));
    command.env(GRAPH, "hours");
    ran(command)
}

fn read_many() {
    for (scheme, count) in [("csv", 10_000), ("json", 10_000), ("parquet", 3_000)] {
        let dir = Dir::new();
        let content = match scheme {
            "csv" => ROW.as_bytes().to_vec(),
            "json" => JSON.as_bytes().to_vec(),
            _ => {
                dir.write("a.csv", ROW);
                let words = ["run", "-q", "--source", "in=csv:a.csv", "--sink", "out=parquet:made?buckets=1"];
                assert_eq!(dir.run("ev", &words).code, Some(0));
                let name = dir.list("made").into_iter().find(|name| name.ends_with(".parquet")).unwrap();
                std::fs::read(dir.path(&format!("made/{name}"))).unwrap()
            }
        };
        (0..count).for_each(|at| dir.write(&format!("d/{at}.{scheme}"), &content));
        let words = format!("--source in={scheme}:d --sink out=csv:o.csv --sink late=csv:late.csv");
        let ran = limited(&dir, &words);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{scheme}");
        let answer = format!(
            "key,start,end,n,total,time\na,2024-01-01T00:00:00Z,2024-01-01T01:00:00Z,{count},{count},2024-01-01T00:59:59.999999Z\n"
        );
        assert_eq!(dir.read("o.csv"), answer, "{scheme}");
    }
}

#[cfg(unix)]
fn follow_many() {
    for (scheme, row) in [("csv", ROW), ("json", JSON)] {
        let dir = Dir::new();
        (0..200).for_each(|at| dir.write(&format!("d/{at}.{scheme}"), row));
        let words = format!(
            "--until 2024-01-01T00:00:00Z --source 'in={scheme}:d?follow=true' --sink out=csv:o.csv --sink late=csv:late.csv"
        );
        let ran = limited(&dir, &words);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{scheme}");
    }
}
