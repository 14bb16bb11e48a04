//! CSV and JSON lines as people and programs write them.

use crate::Case;
use crate::support::Dir;

pub const CASES: &[Case] = &[("plain_csv_is_read_as_it_stands", plain_csv)];

fn plain_csv() {
    let dir = Dir::new();
    dir.write("a.csv", "key,value,ts\na,1,2024-01-01T00:00:00Z\n");
    let ran = dir.run("ev", &["run", "-q", "--source", "in=csv:a.csv", "--sink", "out=json:-"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(ran.out, "{\"key\":\"a\",\"value\":1,\"ts\":\"2024-01-01T00:00:00Z\"}\n");
}
