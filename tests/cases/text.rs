//! CSV and JSON lines as people and programs write them.

use crate::Case;
use crate::support::Dir;

pub const CASES: &[Case] = &[
    ("plain_csv_is_read_as_it_stands", plain_csv),
    ("plain_csv_is_written_as_it_was_read", csv_to_csv),
    ("csv_of_every_line_end_has_the_same_rows", line_ends),
    ("a_stray_quote_costs_a_line", stray_quote),
];

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

const ROWS: [&str; 4] =
    ["key,value,ts", "a,1,2024-01-01T00:00:00Z", "b,2,2024-01-01T00:00:01Z", "c,3,2024-01-01T00:00:02Z"];

fn line_ends() {
    let with = |ends: [&str; 4]| ROWS.iter().zip(ends).map(|(row, end)| format!("{row}{end}")).collect::<String>();
    for ends in [["\r"; 4], ["\r", "\n", "\n", "\n"], ["\n", "\r", "\n", "\n"], ["\r\n", "\n", "\r", ""]] {
        let dir = Dir::new();
        dir.write("a.csv", with(ends));
        let ran = dir.run("ev", &["run", "-q", "--source", "in=csv:a.csv", "--sink", "out=csv:-"]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ends:?}");
        assert_eq!(ran.out, with(["\n"; 4]), "{ends:?}");
    }
}

fn stray_quote() {
    let line = |at: usize, quote: &str| format!("{quote}k{at},{at},2024-01-01T00:00:00Z\n");
    let lines = (0..20_000).map(|at| line(at, if at == 5 || at == 12_000 { "\"" } else { "" }));
    let dir = Dir::new();
    dir.write("a.csv", format!("key,value,ts\n{}", lines.collect::<String>()));
    let words = [
        "run",
        "-q",
        "--source",
        "in=csv:a.csv?bad=quarantine",
        "--sink",
        "out=csv:out.csv",
        "--sink",
        "bad=json:bad.json",
    ];
    let ran = dir.run("ev_quarantine", &words);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(dir.read("out.csv").lines().count(), 1 + 19_998);
    assert_eq!(dir.read("bad.json").lines().count(), 2);
    let ran = dir.run("ev", &["run", "-q", "--source", "in=csv:a.csv", "--sink", "out=csv:-"]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("line 7 (byte ") && ran.err.contains("a quote that is not closed"), "{}", ran.err);
}
