//! `--job job.toml`: the same run from a file, and errors that name the line.

use dualgauge::cli::Exit;

use crate::support::{Data, call};

#[test]
fn a_job_file_says_everything_that_a_call_can() {
    let data = Data::of_seconds(60);
    let place = |name: &str| data.path(name).display().to_string();
    let job = format!(
        "workers = 2\nfrom = 1970-01-01T00:00:10Z\nto = \"1970-01-01T00:00:30Z\"\n\
         [sources]\nbids = {{ binding = \"csv:{}\", disorder = \"5s\", header = true, bad = \"drop\" }}\n\
         [sinks]\nhot_items = \"csv:{}\"\n",
        place("bids.csv"),
        place("out.csv")
    );
    let job = data.write("job.toml", &job);
    let answer = call(&["run", "--job", &job]);
    assert_eq!(answer.exit, Exit::Done, "{}", answer.err);
    assert_eq!(data.lines("out.csv").len(), 4, "two auctions in two windows");

    let (to, elsewhere) = ("1970-01-01T00:00:20Z", data.bind("hot_items", "csv", "elsewhere.csv"));
    let answer = call(&["run", "--job", &job, "--to", to, "--sink", &elsewhere]);
    assert_eq!(answer.exit, Exit::Done, "{}", answer.err);
    assert_eq!(data.lines("elsewhere.csv").len(), 2, "what the command line says goes before the file");
}

#[test]
fn what_a_job_file_gets_wrong_is_told_with_file_line_and_alternatives() {
    let data = Data::of_seconds(1);
    for (text, parts) in [
        (
            "workers = 2\nworker = 3\n",
            &["line 2", "unknown field `worker`", "expected one of `sources`, `sinks`, `workers`"][..],
        ),
        ("from = \"noon\"\n", &["line 1", "`noon` is not a time"]),
        ("from = 12\n", &["line 1", "expected a time", "integer"]),
        ("workers = \"two\"\n", &["line 1", "two"]),
        ("[sources]\nbids = 5\n", &["line 2", "expected a binding such as"]),
        ("[sources]\nbids = { disorder = \"5s\" }\n", &["line 2", "the table has no `binding`"]),
        ("[sources]\nbids = { binding = \"csv:a\", disorder = [1] }\n", &["line 2", "`disorder`", "array"]),
        ("every = \"soon\"\n", &["line 1", "`soon` is not a length of time"]),
        ("every = 10\n", &["line 1", "integer"]),
        ("restart = \"often\"\n", &["line 1", "often"]),
        ("checkpoints = \"a\"\n", &["line 1", "unknown field `checkpoints`", "`checkpoint`"]),
        ("[sources\n", &["line 1"]),
        ("[sources]\nbids = { binding = \"csv:a\", folow = true }\n", &["unknown option `folow`", "`follow`"]),
        ("[sources]\nbits = \"csv:a\"\n", &["unknown source bits", "the graph has the sources: bids"]),
        (
            "[sources]\nbids = { binding = \"csv:a\", delimiter = \"&\" }\n",
            &["option `delimiter`", "separates options"],
        ),
    ] {
        let job = data.write("job.toml", text);
        let answer = call(&["run", "--job", &job]);
        assert_eq!(answer.exit, Exit::Usage, "{text}: {}", answer.err);
        for part in parts {
            assert!(answer.err.contains(part), "{text}: `{part}` is not in\n{}", answer.err);
        }
        assert!(answer.err.contains("job.toml") || text.contains("bits"), "{}", answer.err);
    }
}
