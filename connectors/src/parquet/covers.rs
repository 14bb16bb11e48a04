//! Which part of a live log a file holds: this proves the seam between history and the present.

use std::path::Path;

use dualgauge_engine::{Error, EventTime, Result};
use serde::{Deserialize, Serialize};

use super::file::{KnownColumns, ParquetFile};
use super::source::KIND;
use crate::files;

/// The key in a file's footer under which it says what it covers; the value is a JSON list of [`Covered`].
pub const COVERS: &str = "dualgauge.covers";

/// A range of offsets of one log partition whose events are all in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Covered {
    /// The log, by the identity it was created with.
    pub log: String,
    /// The partition of the log.
    pub partition: u32,
    /// The first offset that is covered.
    pub from: u64,
    /// The first offset that is not.
    pub to: u64,
    /// The largest event time at any offset before `to`.
    pub watermark_max_time: EventTime,
}

/// What the files that `path` names cover together, by log, partition and offset. Files that say nothing add nothing.
///
/// # Errors
/// A file that cannot be read, or whose footer says it in an unknown form.
///
/// ```
/// use std::sync::Arc;
///
/// use arrow_array::{ArrayRef, RecordBatch, UInt64Array};
/// use dualgauge_connectors::parquet::{COVERS, Covered, FileOptions, covered, write_file};
/// use dualgauge_engine::EventTime;
///
/// let part = Covered { log: "bids".into(), partition: 0, from: 0, to: 3, watermark_max_time: EventTime::from_micros(9) };
/// let text = serde_json::to_string(&[&part]).unwrap();
/// let options = FileOptions { key_values: vec![(COVERS.to_owned(), text)], ..FileOptions::default() };
/// let price: ArrayRef = Arc::new(UInt64Array::from(vec![1, 2, 3]));
/// let batch = RecordBatch::try_from_iter([("price", price)]).unwrap();
/// let dir = tempfile::tempdir().unwrap();
/// write_file(dir.path().join("a.parquet"), &batch.schema(), [batch], &options).unwrap();
///
/// assert_eq!(covered(dir.path()).unwrap(), [part]);
/// ```
pub fn covered(path: impl AsRef<Path>) -> Result<Vec<Covered>> {
    let (mut all, known) = (Vec::new(), KnownColumns::default());
    for named in files::list(path.as_ref(), KIND, true)?.files {
        let (_, key_values) = ParquetFile::open(&named, &known)?;
        let said = key_values.iter().filter(|pair| pair.key == COVERS);
        for text in said.filter_map(|pair| pair.value.as_deref()) {
            let bad =
                |e| Error::data(format!("file {}: the footer's `{COVERS}` cannot be read", named.name)).caused_by(e);
            all.extend(serde_json::from_str::<Vec<Covered>>(text).map_err(|e: serde_json::Error| bad(e))?);
        }
    }
    all.sort_by(|a, b| (&a.log, a.partition, a.from, a.to).cmp(&(&b.log, b.partition, b.from, b.to)));
    Ok(all)
}
