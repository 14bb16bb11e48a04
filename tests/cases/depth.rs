//! Input that is deep, wide or long without end: bounded before anything descends into it.

use crate::Case;
use crate::support::Dir;

pub const CASES: &[Case] = &[("a_deep_json_value_is_a_bad_record_wherever_it_stands", deep_json)];

/// As deep as each of these, in a column that is wanted, in one that is not, in the place of the record, open and closed.
fn deep_json() {
    let good = "{\"key\":\"a\",\"value\":1,\"ts\":\"2024-01-01T00:00:00Z\"}";
    for depth in [200, 5_000, 100_000] {
        let (opens, closes) = ("[".repeat(depth), "]".repeat(depth));
        let objects = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        let lines = [
            format!("{{\"key\":{opens}{closes},\"value\":1,\"ts\":\"2024-01-01T00:00:00Z\"}}"),
            format!("{{\"key\":\"a\",\"value\":1,\"ts\":\"2024-01-01T00:00:00Z\",\"more\":{opens}{closes}}}"),
            format!("{{\"key\":\"a\",\"value\":{objects},\"ts\":\"2024-01-01T00:00:00Z\"}}"),
            objects.clone(),
            format!("{opens}{closes}"),
            opens.clone(),
            format!("{{\"more\":{opens}"),
        ];
        let dir = Dir::new();
        let text: String = lines.iter().map(|line| format!("{line}\n{good}\n")).collect();
        dir.write("a.json", text);
        let words = [
            "run",
            "-q",
            "--source",
            "in=json:a.json?bad=quarantine",
            "--sink",
            "out=json:-",
            "--sink",
            "bad=json:bad.json",
        ];
        let ran = dir.run("ev_quarantine", &words);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "depth {depth}");
        assert_eq!(ran.out.lines().collect::<Vec<_>>(), vec![good; lines.len()], "depth {depth}");
        assert_eq!(dir.read("bad.json").lines().count(), lines.len(), "depth {depth}");
        let ran = dir.run("ev", &["run", "-q", "--source", "in=json:a.json?bad=drop", "--sink", "out=json:-"]);
        assert_eq!((ran.code, ran.out.lines().count()), (Some(0), lines.len()), "depth {depth}");
        let ran = dir.run("ev", &["run", "-q", "--source", "in=json:a.json", "--sink", "out=json:-"]);
        assert_eq!(ran.code, Some(1), "depth {depth}");
        assert!(ran.err.contains("line 1 (byte 0)") && ran.err.contains("more than 128 deep"), "{}", ran.err);
    }
}
