//! Any number of files, under a limit of 64 that a process may have open.

use crate::Case;
use crate::support::{Dir, GRAPH, Ran, ran};

pub const CASES: &[Case] = &[
    ("thousands_of_files_are_read_under_a_limit_of_sixty_four", read_many),
    ("thousands_of_spans_and_buckets_are_written_under_a_limit_of_sixty_four", write_many),
    #[cfg(unix)]
    ("many_followed_files_are_read_under_a_limit_of_sixty_four", follow_many),
    #[cfg(unix)]
    ("three_hundred_partitions_of_a_log_are_followed_under_a_limit_of_sixty_four", follow_partitions),
    #[cfg(unix)]
    ("a_limit_of_open_files_that_is_too_low_is_named_at_once", too_few),
];

const ROW: &str = "key,value,ts\na,1,2024-01-01T00:00:00Z\n";
const JSON: &str = "{\"key\":\"a\",\"value\":1,\"ts\":\"2024-01-01T00:00:00Z\"}\n";

/// Runs the graph `hours` with no more than 64 open files.
fn limited(dir: &Dir, words: &str) -> Ran {
    limited_graph(dir, "hours", words)
}

fn limited_graph(dir: &Dir, graph: &str, words: &str) -> Ran {
    let program = std::env::current_exe().unwrap();
    let mut command = dir.shell(&format!("ulimit -n 64; exec '{}' run -q {words}", program.display()));
    command.env(GRAPH, graph);
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

/// How many spans and buckets are written, and five times as many as partitions; `DUALGAUGE_SPANS` says another number.
const SPANS: usize = 1_500;

/// All rows come in one epoch, so all spans are open at once.
fn write_many() {
    let count = std::env::var("DUALGAUGE_SPANS").map_or(SPANS, |count| count.parse().unwrap());
    let mut rows = String::from("key,value,ts\n");
    for at in 0..2 * count {
        let (second, half) = (at / 2, if at % 2 == 0 { "" } else { ".500" });
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        rows.push_str(&format!("k{at},{at},2024-01-01T{hour:02}:{minute:02}:{second:02}{half}Z\n"));
    }
    let sinks = [
        ("parquet", "?span=1s&buckets=1"),
        ("csv", "/?span=1s"),
        ("json", "/?span=1s"),
        ("parquet", "?buckets=COUNT"),
        ("csv", "/?buckets=COUNT"),
        ("json", "/?buckets=COUNT"),
        ("log", "?partitions=PARTITIONS"),
    ];
    for (scheme, options) in sinks {
        for checkpoints in ["", "--checkpoint ck"] {
            let dir = Dir::new();
            dir.write("in.csv", &rows);
            let options = options.replace("COUNT", &count.to_string()).replace("PARTITIONS", &(count / 5).to_string());
            let words = format!("{checkpoints} --source in=csv:in.csv --sink 'out={scheme}:out{options}'");
            let ran = limited_graph(&dir, "ev", &words);
            assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{words}");
            if options.contains("1s") {
                let names = dir.list("out").into_iter().filter(|name| !name.starts_with('.'));
                assert_eq!(names.count(), count, "{words}");
            }
            let from = if scheme == "log" { "log:out?follow=false".to_string() } else { format!("{scheme}:out") };
            let ran = limited_graph(&dir, "ev", &format!("--source 'in={from}' --sink out=csv:back.csv"));
            assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{words}");
            assert!(dir.read("back.csv") == rows, "{scheme}:out{options} {checkpoints}");
        }
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

/// The run ends by the clock of its events: the log is not sealed, and none of its partitions has an end.
#[cfg(unix)]
fn follow_partitions() {
    let dir = Dir::new();
    let row = |at: usize| format!("k{at},{at},2024-01-01T00:{:02}:{:02}Z\n", at / 60, at % 60);
    let rows = |range: std::ops::Range<usize>| range.map(row).collect::<String>();
    dir.write("a.csv", format!("key,value,ts\n{}", rows(0..1_000)));
    let write = ["run", "-q", "--source", "in=csv:a.csv", "--sink", "out=log:lg?partitions=300"];
    assert_eq!(dir.run("ev", &write).code, Some(0));
    let words = "--until 2024-01-01T00:10:00Z --source 'in=log:lg?follow=true' --sink out=csv:o.csv";
    let ran = limited_graph(&dir, "ev", words);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(dir.read("o.csv"), format!("key,value,ts\n{}", rows(0..600)));
}

/// Whatever it is that cannot be opened: a run ends well, or says which limit is in its way.
#[cfg(unix)]
fn too_few() {
    let (mut ended, mut refused) = (0, 0);
    let program = std::env::current_exe().unwrap();
    for limit in 6..=24 {
        for sink in ["csv:o", "parquet:o", "log:o"] {
            let dir = Dir::new();
            dir.write("in.csv", ROW);
            let words = format!("--source in=csv:in.csv --sink out={sink} --checkpoint ck");
            let mut command = dir.shell(&format!("ulimit -n {limit}; exec '{}' run {words}", program.display()));
            command.env(GRAPH, "ev");
            let ran = ran(command);
            let is_named = ran.err.contains("ulimit -n");
            assert!(ran.code == Some(0) || is_named, "{limit}, {sink}: {ran:?}");
            assert!(!ran.err.contains("tries") && !ran.err.contains("panicked"), "{limit}, {sink}: {ran:?}");
            *(if is_named { &mut refused } else { &mut ended }) += 1;
        }
    }
    assert!(ended > 0 && refused > 0, "{ended} have ended, {refused} were refused");
}
