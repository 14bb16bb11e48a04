//! CSV and JSON lines as people and programs write them.

use crate::Case;
use crate::support::Dir;

pub const CASES: &[Case] =
    &[("plain_csv_is_read_as_it_stands", plain_csv), ("plain_csv_is_written_as_it_was_read", csv_to_csv)];

fn plain_csv() {
    let dir = Dir::new();
    dir.write("a.csv", "key,value,ts\na,1,2024-01-01T00:00:00Z\n");
    let ran = dir.run("ev", &["run", "-q", "--source", "in=csv:a.csv", "--sink", "out=json:-"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(ran.out, "{\"key\":\"a\",\"value\":1,\"ts\":\"2024-01-01T00:00:00Z\"}\n");
}

fn csv_to_csv() {
    let dir = Dir::new();
    let text = "key,value,ts\na,1,2024-01-01T00:00:00Z\n";
    dir.write("a.csv", text);
    let ran = dir.run("ev", &["run", "-q", "--source", "in=csv:a.csv", "--sink", "out=csv:out.csv"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!((dir.read("out.csv").as_str(), dir.list("out.csv.staging").len()), (text, 0));
    let ran = dir.dualgauge(&["log", "inspect", "out.csv"]);
    assert_ne!(ran.code, Some(0), "a file is no log: {}", ran.err);
}
