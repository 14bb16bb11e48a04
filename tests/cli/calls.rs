//! Calls that are wrong: each exits with 2, reads nothing, and says what was expected.

use dualgauge::cli::Exit;

use crate::support::{Data, call};

#[test]
fn every_wrong_call_is_a_usage_error_that_says_what_was_expected() {
    let data = Data::of_seconds(30);
    let (bids, out) = (data.bind("bids", "csv", "bids.csv"), data.bind("hot_items", "csv", "out.csv"));
    let (bids, out) = (bids.as_str(), out.as_str());
    let bound = ["run", "--source", bids, "--sink", out];
    let with = |more: &[&'static str]| [bound.to_vec(), more.to_vec()].concat();
    let cases: Vec<(Vec<&str>, &[&str])> = vec![
        (vec![], &["Usage", "run", "plan", "graph"]),
        (vec!["rum"], &["unrecognized subcommand 'rum'", "'run'"]),
        (vec!["run", "--sauce", "a=b"], &["unexpected argument '--sauce'", "'--source'"]),
        (vec!["run", "--source"], &["a value is required", "NAME=BINDING"]),
        (vec!["run", "--source", "bids"], &["'bids'", "expected NAME=BINDING, such as bids=parquet:data/bids/"]),
        (vec!["run", "--sink", out], &["nothing is bound to source bids", "the graph has the sources: bids"]),
        (vec!["run", "--source", bids], &["nothing is bound to sink hot_items", "the graph has the sinks: hot_items"]),
        (vec!["run", "--source", "bits=csv:a"], &["unknown source bits", "the graph has the sources: bids"]),
        (vec!["run", "--sink", "cold=csv:a"], &["unknown sink cold", "the graph has the sinks: hot_items"]),
        (vec!["run", "--source", bids, "--source", bids, "--sink", out], &["source bids is bound twice"]),
        (vec!["run", "--source", "bids=bids.csv"], &["source bids: `bids.csv`", "expected one of", "csv:PATH"]),
        (vec!["run", "--source", "bids=jsn:a"], &["unknown connector `jsn`", "did you mean `json`", "parquet:PATH"]),
        (vec!["run", "--source", "bids=csv:a?disorder=5"], &["`5` is not a length of time"]),
        (
            vec!["run", "--source", "bids=csv:a?dissorder=5s"],
            &["unknown option `dissorder`", "did you mean `disorder`"],
        ),
        (vec!["run", "--source", "bids=csv:a,csv:b,csv:c"], &["is 3 sources", "expected one, or history and live"]),
        (vec!["run", "--sink", "hot_items=csv:a,csv:b"], &["sink hot_items", "a sink is bound to one place"]),
        (with(&["--from", "noon"]), &["'noon' for '--from <TIME>'", "2026-01-01T12:00:00Z"]),
        (with(&["--to", "noon"]), &["'noon' for '--to <TIME>'"]),
        (with(&["--until", "noon"]), &["'noon' for '--until <TIME>'"]),
        (with(&["--seam", "noon"]), &["'noon' for '--seam <TIME>'"]),
        (with(&["--seam", "2026-01-01"]), &["a seam is for a source of history and live"]),
        (vec!["run", "--source", "bids=csv:a,csv:b"], &["`csv:a,csv:b`", "say the seam"]),
        (with(&["--from", "2026-01-02", "--to", "2026-01-01"]), &["`to` is after `from`"]),
        (with(&["--workers", "two"]), &["'two' for '--workers <COUNT>'"]),
        (with(&["--workers", "0"]), &["a job has 1 to 256"]),
        (with(&["--job", "/no/such/job.toml"]), &["cannot read the job file /no/such/job.toml"]),
        (with(&["--every", "10s"]), &["--every is for a run with checkpoints; add --checkpoint"]),
        (with(&["--fresh"]), &["--fresh is for a run with checkpoints"]),
        (with(&["--from-checkpoint", "3"]), &["--from-checkpoint is for a run with checkpoints"]),
        (with(&["--drop-state", "a"]), &["--drop-state is for a run with checkpoints"]),
        (with(&["--restart", "3"]), &["--restart is for a run with checkpoints"]),
        (with(&["--state-max", "1GiB"]), &["--state-max is for a run with checkpoints"]),
        (with(&["--checkpoint", "a", "--state-max", "much"]), &["'much' for '--state-max <BYTES>'", "such as 512MiB"]),
        (with(&["--checkpoint", ""]), &["the place for checkpoints is empty"]),
        (with(&["--checkpoint", "file://here"]), &["a file URL has an absolute path"]),
        (with(&["--checkpoint", "a", "--every", "soon"]), &["'soon' for '--every <TIME>'", "10s"]),
        (with(&["--checkpoint", "a", "--every", "0s"]), &["--every 0s", "more than nothing"]),
        (with(&["--checkpoint", "a", "--restart", "ever"]), &["'ever' for '--restart <COUNT>'"]),
        (with(&["--checkpoint", "a", "--from-checkpoint", "last"]), &["'last' for '--from-checkpoint <EPOCH>'"]),
        (with(&["--checkpoint", "a", "--fresh", "--from-checkpoint", "3"]), &["leave one of them out"]),
        (vec!["graph", "--format", "png"], &["'png'", "text, dot, svg"]),
        (vec!["plan"], &["nothing is bound to source bids"]),
    ];
    for (words, parts) in cases {
        let answer = call(&words);
        assert_eq!(answer.exit, Exit::Usage, "{words:?}: {}", answer.err);
        assert_eq!(answer.out, "", "{words:?} printed to standard output");
        for part in parts {
            assert!(answer.err.contains(part), "{words:?}: `{part}` is not in\n{}", answer.err);
        }
        assert!(!data.path("out.csv").exists(), "{words:?} wrote something");
    }
}

#[test]
fn help_is_no_error_and_goes_to_standard_output() {
    for (words, part) in
        [(&["--help"][..], "parquet:data/bids/,log:data/live/bids"), (&["run", "--help"], "--source <NAME=BINDING>")]
    {
        let answer = call(words);
        assert_eq!((answer.exit, answer.err.as_str()), (Exit::Done, ""));
        assert!(answer.out.contains(part), "{}", answer.out);
    }
}

#[test]
fn a_missing_file_is_an_error_and_not_a_wrong_call() {
    let answer = call(&["run", "--source", "bids=csv:/no/such/file.csv", "--sink", "hot_items=csv:-"]);
    assert_eq!(answer.exit, Exit::Failed, "{}", answer.err);
    assert!(
        answer.err.starts_with("error: source bids:") && answer.err.contains("/no/such/file.csv"),
        "{}",
        answer.err
    );
}
