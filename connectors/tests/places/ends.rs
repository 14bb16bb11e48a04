//! What says that an output has ended (a file without rows, the seal of a log), and a job that goes on after all.
//!
//! Would catch: an empty file that stays beside the rows that come, or takes their name; a log that can never be written again.

use std::fs;
use std::path::PathBuf;

use dualgauge_engine::sink::Since;
use dualgauge_engine::{Epoch, EventTime};

use crate::{SINKS, all, from, job, put, rows_of_log, schema, sink};

/// What an earlier end has left goes when its job goes on; the output is that of a run that had never ended there.
#[test]
fn a_job_that_ended_without_rows_and_goes_on_leaves_the_output_of_one_that_had_them() {
    for binding in SINKS {
        let run = |ended_before: bool| {
            let dir = tempfile::tempdir().unwrap();
            let (sink, out) = (sink(binding, dir.path()), dir.path().join("out"));
            let writings = [job(1), from(1, 1, 2), from(2, 2, 3).ended()];
            for writing in writings.iter().filter(|_| ended_before) {
                sink.check(&schema(), writing).unwrap();
                drop(sink.claim(&schema(), writing).unwrap());
                sink.open(0, &schema(), writing).unwrap().recover(&[]).unwrap();
                sink.finish(&schema(), writing, &[]).unwrap();
                let there = all(&out).into_keys().filter(|path| path.parent() == Some(&out)).collect::<Vec<_>>();
                assert!(!there.is_empty(), "{binding}");
            }
            // To the beginning, by checkpoints that were brought back.
            let writing = if ended_before { from(1, 1, 4) } else { job(1) };
            sink.check(&schema(), &writing).unwrap();
            assert_eq!(sink.published_since(&writing, &[]).unwrap(), Since::Nothing, "{binding}");
            drop(sink.claim(&schema(), &writing).unwrap());
            let mut writer = sink.open(0, &schema(), &writing).unwrap();
            writer.recover(&[]).unwrap();
            put(&mut *writer, &[1, 20_001]);
            let prepared = writer.prepare(Epoch(2), EventTime::MAX).unwrap();
            writer.commit(Epoch(2), &prepared).unwrap();
            drop(writer);
            sink.finish(&schema(), &writing, &[]).unwrap();
            if binding.starts_with("log:") {
                return vec![(format!("{:?}", rows_of_log(&out)), Vec::new())];
            }
            let seen = all(&out).into_iter().filter(|(path, _)| path.parent() == Some(&out));
            let seen = seen.map(|(path, bytes)| (path.file_name().unwrap().display().to_string(), bytes));
            seen.filter(|(name, _)| !name.starts_with('.')).collect::<Vec<_>>()
        };
        assert_eq!(run(true), run(false), "{binding}");
    }
}

#[test]
fn a_file_without_rows_that_somebody_has_changed_stays_and_another_job_takes_none_away() {
    for binding in SINKS.iter().filter(|binding| !binding.starts_with("log:")) {
        let dir = tempfile::tempdir().unwrap();
        let (sink, out) = (sink(binding, dir.path()), dir.path().join("out"));
        drop(sink.claim(&schema(), &job(1)).unwrap());
        sink.finish(&schema(), &job(1), &[]).unwrap();
        let visible = |path: &PathBuf| {
            path.parent() == Some(&out) && !path.file_name().unwrap().display().to_string().starts_with('.')
        };
        let file = || all(&out).into_keys().find(visible).unwrap();
        fs::write(file(), "mine").unwrap();
        drop(sink.claim(&schema(), &from(1, 1, 2)).unwrap());
        assert_eq!(fs::read(file()).unwrap(), b"mine", "{binding}");
    }
}
