//! Looking into the checkpoints of a job that runs: nobody is told of damage where there is none.
//!
//! `DUALGAUGE_GLANCES` is how often each command looks.

use std::process::Stdio;

use dualgauge::Record;
use dualgauge::connectors::log::Log;

use crate::Case;
use crate::graphs::Ev;
use crate::starts::{ROWS, feed};
use crate::support::Dir;

pub const CASES: &[Case] = &[("looks_while_a_job_runs_find_no_damage", looks)];

fn looks() {
    let glances: i64 = std::env::var("DUALGAUGE_GLANCES").map_or(12, |glances| glances.parse().expect("a number"));
    let dir = Dir::new();
    let mut writer = Log::create(dir.path("live"), &Ev::schema(), 1).unwrap().writer(0).unwrap();
    feed(&mut writer, 0);
    let words = ["run", "-q", "--checkpoint", "ck", "--every", "5ms", "--source", "in=log:live"];
    let sinks = ["--sink", "out=parquet:out?span=1h", "--sink", "late=json:late.jsonl"];
    let mut job = dir.command("hours", &[&words[..], &sinks].concat());
    let mut job = job.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Until there is a checkpoint there is nothing to see.
    while dir.dualgauge(&["checkpoint", "show", "ck"]).code != Some(0) {
        assert!(job.try_wait().unwrap().is_none(), "the job has ended");
    }
    for glance in 1..=glances {
        feed(&mut writer, glance * ROWS);
        for command in [
            &["checkpoint", "verify", "ck"][..],
            &["checkpoint", "show", "ck"],
            &["checkpoint", "ls", "ck"],
            &["state", "get", "hours", "--checkpoint", "ck"],
        ] {
            let ran = dir.dualgauge(command);
            assert_eq!(ran.code, Some(0), "{command:?}: {ran:?}");
        }
    }
    writer.seal().unwrap();
    assert!(job.wait().unwrap().success());
    assert_eq!(dir.dualgauge(&["checkpoint", "verify", "ck"]).code, Some(0));
}
