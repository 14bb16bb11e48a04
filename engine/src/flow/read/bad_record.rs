//! The row of a dead-letter sink.

use dualgauge_derive::record;

use crate::EventTime;

/// A bad record of a source, as it is written to the sink that [`SourceOptions::quarantine`] names.
///
/// All of it follows from what the partition holds, and nothing from when or by whom it was read, so that a job that
/// crashed and resumed writes the same rows.
///
/// ```
/// use dualgauge_engine::Record;
/// use dualgauge_engine::flow::BadRecord;
///
/// let schema = BadRecord::schema();
/// let columns: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
/// assert_eq!(columns, ["time", "source", "partition", "offset", "bytes", "reason"]);
/// ```
///
/// [`SourceOptions::quarantine`]: crate::flow::options::SourceOptions::quarantine
#[record]
pub struct BadRecord {
    /// The largest event time before it in its partition, since its own is unknown or cannot be believed; the Unix
    /// epoch where there is none.
    #[event_time]
    pub time: EventTime,
    /// The name of the source.
    pub source: String,
    /// The partition, by its name within the source.
    pub partition: String,
    /// Where it begins: in a text the byte offset; for a row of columns, the number of rows of its partition read
    /// before it.
    pub offset: u64,
    /// The record as it stands in a text. A row of columns is one line of JSON. Of a record that is longer than its
    /// source allows, the first 1024 bytes are kept.
    pub bytes: Vec<u8>,
    /// What is wrong with it: place, column, what was found, what was expected.
    pub reason: String,
}
