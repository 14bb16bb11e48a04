//! A file of a log that is read, whether or not it is open at the moment.
//!
//! Any number of partitions is read through the pool of handles that all file sources share. Whoever reopens a file
//! proves by its content that it is the same: an index by its chain hash, a segment by the checksums in its index.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dualgauge_engine::fs::{Fs, FsFile};

use crate::handles::{Lent, with_room};

/// A file that is open, for as long as it is used.
pub(super) type OpenFile = Arc<Box<dyn FsFile>>;

/// A file by its path, which is opened when it is read.
#[derive(Debug)]
pub(super) struct Pooled {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    lent: Lent,
}

impl Pooled {
    pub(super) fn new(fs: &Arc<dyn Fs>, path: &Path) -> Pooled {
        Pooled { fs: Arc::clone(fs), path: path.to_path_buf(), lent: Lent::new() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The open file, and whether it was opened just now.
    pub(super) fn file(&self) -> io::Result<(OpenFile, bool)> {
        if let Some(file) = self.lent.get() {
            return Ok((file, false));
        }
        let file = Arc::new(with_room(|| self.fs.open(&self.path))?);
        self.lent.put(Arc::clone(&file));
        Ok((file, true))
    }

    /// Closes it, so that the next one to read opens it again.
    pub(super) fn shut(&self) {
        self.lent.shut();
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int64Array, RecordBatch};
    use arrow_schema::{DataType, Field, Schema};
    use dualgauge_engine::{Next, PartitionReader, Result};

    use crate::log::format::{HEADER_LENGTH, index_name};
    use crate::log::{Log, LogReader, ReadOptions};

    use super::*;

    fn create(dir: &Path) -> Log {
        Log::create(dir, &rows(&[]).schema(), 1).unwrap()
    }

    fn rows(values: &[i64]) -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, false)]));
        RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(values.to_vec()))]).unwrap()
    }

    /// Each row is a batch, and all are committed at once.
    fn append(log: &Log, values: &[i64]) {
        let mut writer = log.writer(0).unwrap();
        values.iter().for_each(|value| writer.append(&rows(&[*value])).map(drop).unwrap());
        writer.commit().unwrap();
    }

    fn read(reader: &mut LogReader) -> Result<Option<i64>> {
        let Next::Batch(batch) = reader.next()? else { return Ok(None) };
        Ok(Some(batch.rows.column(0).as_any().downcast_ref::<Int64Array>().unwrap().value(0)))
    }

    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
            let to = to.join(entry.file_name());
            match entry.file_type().unwrap().is_dir() {
                true => copy(&entry.path(), &to),
                false => std::fs::copy(entry.path(), to).map(drop).unwrap(),
            }
        }
    }

    /// Reads `before` rows of `1, 2, 3`, does something to the log while its files are shut, and reads on.
    fn read_around(before: usize, meanwhile: impl Fn(&Path)) -> Result<Vec<i64>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let log = create(&path);
        append(&log, &[0]);
        // Nothing in the segment is committed, as where a writer died.
        let index = log.partition_dir(0).unwrap().join(index_name(0));
        std::fs::OpenOptions::new().write(true).open(index).and_then(|index| index.set_len(HEADER_LENGTH)).unwrap();
        let mut reader = log.reader(0, None, ReadOptions::default().batch_rows(1)).unwrap();
        assert_eq!(read(&mut reader).unwrap(), None);
        if before > 0 {
            append(&log, &[1, 2, 3]);
        }
        let mut found: Vec<i64> = (0..before).filter_map(|_| read(&mut reader).unwrap()).collect();
        reader.shut();
        meanwhile(&path);
        while let Some(value) = read(&mut reader)? {
            found.push(value);
            reader.shut();
        }
        Ok(found)
    }

    #[test]
    fn what_was_shut_goes_on_where_the_same_history_lies_and_nowhere_else() {
        for before in 0..=3 {
            let rest: &[i64] = if before == 0 { &[1, 2, 3, 4] } else { &[4] };
            let same = read_around(before, |path| append(&Log::open(path).unwrap(), rest));
            assert_eq!(same.unwrap(), [1, 2, 3, 4], "{before}");
            let copied = read_around(before, |path| {
                let aside = path.with_extension("aside");
                std::fs::rename(path, &aside).unwrap();
                copy(&aside, path);
                append(&Log::open(path).unwrap(), rest);
            });
            assert_eq!(copied.unwrap(), [1, 2, 3, 4], "{before}");
            let other = read_around(before, |path| {
                std::fs::remove_dir_all(path).unwrap();
                append(&create(path), &[7, 8, 9, 10]);
            });
            let other = other.unwrap_err().to_string();
            assert!(other.contains(told_by(before)), "{before}: {other}");
            let gone = read_around(before, |path| std::fs::remove_dir_all(path).unwrap());
            let gone = gone.unwrap_err().to_string();
            assert!(gone.contains("E-SOURCE-GAP"), "{before}: {gone}");
        }
    }

    /// What gives away a different log: its index if that is read next, and the checksum if batches that were found are
    /// still waiting.
    fn told_by(before: usize) -> &'static str {
        if [1, 2].contains(&before) { "checksum" } else { "E-SOURCE-GAP" }
    }
}
