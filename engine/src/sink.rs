//! Where results go: write, prepare, commit, recover.
//!
//! The engine hands a sink rows that are settled (no row with a smaller event time follows, but for stragglers) and
//! sorted by event time and then by the record's own order. It deals rows to a fixed number of *buckets* by their hash,
//! so that what a bucket receives does not depend on the number of workers.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::{Epoch, EventTime, Result};

/// A place that results can be written to.
pub trait Sink: Send + Sync {
    /// What stands behind the name, as the user wrote it: `parquet:out/`.
    fn describe(&self) -> String;

    /// Looks before the run whether writing can succeed: an output directory that is someone else's is refused here.
    fn check(&self, schema: &SchemaRef) -> Result<()>;

    /// Into how many buckets rows are dealt; a part of the output's shape, not of the run's.
    fn buckets(&self) -> usize {
        1
    }

    /// Opens one bucket. Called once per bucket, on the worker that owns it.
    fn open(&self, bucket: usize, schema: &SchemaRef) -> Result<Box<dyn SinkWriter>>;

    /// Called once when every bucket's last commit is done; not called when the run failed or was stopped.
    fn finish(&self) -> Result<()> {
        Ok(())
    }
}

/// One bucket of a sink.
///
/// - **Two steps to be seen.** What is written is invisible until it was prepared and committed.
/// - **Prepared is durable.** After [`SinkWriter::prepare`] the bytes it returned are enough to publish, in another process.
/// - **Commit is idempotent.** It may be called twice, by two generations.
pub trait SinkWriter {
    /// Takes rows of the sink's schema with their event times, sorted by event time within the call.
    ///
    /// Later calls carry later times, except for rows that arrived behind the watermark (stragglers).
    fn write(&mut self, times: &[EventTime], rows: &RecordBatch) -> Result<()>;

    /// Ends `epoch`: makes durable, and still invisible, whatever can no longer change now that no row with an event
    /// time below `watermark` will come. The bytes go into the manifest; empty when there is nothing to publish.
    fn prepare(&mut self, epoch: Epoch, watermark: EventTime) -> Result<Vec<u8>>;

    /// Makes visible what `prepare` of this epoch made durable.
    fn commit(&mut self, epoch: Epoch, prepared: &[u8]) -> Result<()>;

    /// Publishes what another generation prepared and may or may not have committed; called oldest first.
    fn recover(&mut self, epoch: Epoch, prepared: &[u8]) -> Result<()>;
}
