//! A file that has changed between being listed and being opened: its rows would be lost silently.

use dualgauge_engine::{Code, Error};

/// Says what has become of a file between the two.
pub(crate) fn changed_since_listed(name: &str, why: &str) -> Error {
    Code::SourceGap.error(format!(
        "file {name}: {why}: it changed after it was listed and before it was read; likely mistake: something \
         replaces or rewrites what is read. Start again when that is done, and put new rows into new files, or behind the old \
         ones"
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, RecordBatch};
    use dualgauge_engine::{Next, Offset, Result, Scan, Source};

    use crate::binding;
    use crate::parquet::{FileOptions, write_file};

    /// What happens to a file.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Change {
        Nothing,
        /// Another one is renamed into its place, with more rows.
        Replaced,
        /// It is cut; a text, at the end of a line.
        Cut,
        /// Other bytes are written over its own.
        WrittenOver,
        /// Bytes are added to it; to a text, a whole line.
        Grown,
    }
    use Change::*;

    fn rows(count: i64) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
        RecordBatch::try_from_iter([("n", column)]).unwrap()
    }

    /// A file of the format with this many rows.
    fn write(path: &Path, scheme: &str, count: i64) {
        let lines =
            |before: &str, after: &str| -> String { (0..count).map(|row| format!("{before}{row}{after}\n")).collect() };
        match scheme {
            "parquet" => write_file(path, &rows(0).schema(), [rows(count)], &FileOptions::default()).unwrap(),
            "csv" => fs::write(path, format!("n\n{}", lines("", ""))).unwrap(),
            _ => fs::write(path, lines("{\"n\":", "}")).unwrap(),
        }
    }

    fn make(change: Change, path: &Path, scheme: &str) {
        let bytes = fs::read(path).unwrap();
        match change {
            Nothing => {}
            Replaced => {
                write(&path.with_file_name("new"), scheme, 11);
                fs::rename(path.with_file_name("new"), path).unwrap();
            }
            Cut if scheme == "parquet" => fs::write(path, &bytes[..bytes.len() - 1]).unwrap(),
            Cut => write(path, scheme, 8),
            WrittenOver => {
                // Whatever the resolution of the clock of the file system.
                let written = fs::File::options().write(true).open(path).unwrap();
                written.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
            }
            Grown if scheme == "parquet" => fs::write(path, [&bytes[..], b"x"].concat()).unwrap(),
            Grown => write(path, scheme, 10),
        }
    }

    fn read(
        source: &dyn Source,
        scan: &Scan,
        listed: &dualgauge_engine::Partition,
        offset: Option<&Offset>,
    ) -> Result<usize> {
        let (mut reader, mut count) = (source.open(listed, offset, scan)?, 0);
        loop {
            match reader.next()? {
                Next::Batch(batch) => count += batch.rows.num_rows(),
                Next::Pending if !source.bounded() => return Ok(count),
                Next::Pending => {}
                Next::Mixed(_, bad) => panic!("{}", bad[0].reason()),
                Next::End => return Ok(count),
            }
        }
    }

    #[test]
    fn a_file_that_lacks_what_was_listed_is_a_gap_for_every_connector_and_one_that_has_grown_is_read() {
        for scheme in ["csv", "json", "parquet"] {
            for path in ["d", "d/*", "d/a.EXT"] {
                for (change, follow) in [Nothing, Replaced, Cut, WrittenOver, Grown]
                    .map(|change| [(change, false), (change, true)])
                    .concat()
                {
                    if follow && scheme == "parquet" {
                        continue;
                    }
                    let dir = tempfile::tempdir().unwrap();
                    let file = dir.path().join(format!("d/a.{scheme}"));
                    fs::create_dir(dir.path().join("d")).unwrap();
                    write(&file, scheme, 9);
                    let path = path.replace("EXT", scheme);
                    let options = if follow { "?follow=true" } else { "" };
                    let source =
                        binding::source(&format!("{scheme}:{}/{path}{options}", dir.path().display())).unwrap();
                    let scan = Scan {
                        schema: rows(0).schema(),
                        event_time: String::new(),
                        from: None,
                        to: None,
                        batch_rows: 4,
                    };
                    let listing = source.partitions(&scan).unwrap();
                    assert_eq!(listing.partitions.len(), 1);
                    make(change, &file, scheme);
                    let read = read(&*source, &scan, &listing.partitions[0], None);
                    let case = format!("{scheme} {path} {change:?} {follow}");
                    match (change, scheme) {
                        (Nothing, _) => assert_eq!(read.unwrap(), 9, "{case}"),
                        // If the file is open, what was listed is read, whatever has its name now.
                        (Replaced, "parquet") if read.is_ok() => assert_eq!(read.unwrap(), 9, "{case}"),
                        (Grown, "csv" | "json") => assert_eq!(read.unwrap(), 10, "{case}"),
                        _ => {
                            let error = read.expect_err(&case).to_string();
                            assert!(
                                error.contains("E-SOURCE-GAP: file ") && error.contains(&format!("a.{scheme}: ")),
                                "{case}: {error}"
                            );
                        }
                    }
                }
            }
        }
    }
}
