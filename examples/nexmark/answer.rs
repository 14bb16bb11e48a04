//! Where an answer goes: it is counted and hashed on the way, and written as Parquet if that was asked for.

use std::path::Path;
use std::sync::{Arc, Mutex};

use dualgauge::arrow::{RecordBatch, SchemaRef};
use dualgauge::checkpoint::BucketCut;
use dualgauge::connectors::parquet;
use dualgauge::prelude::*;
use dualgauge::sink::{Prepared, Writing};
use dualgauge::{Digest, Epoch, Result, Sink, SinkWriter};

use crate::queries::Query;

/// How many buckets an answer has, so that several workers write it.
const BUCKETS: usize = 4;

/// Counts and hashes rows, and hands them on.
#[derive(Clone)]
pub struct Answer {
    /// Whose answer it is, if the rows are to be hashed and not only counted.
    hashed: Option<Query>,
    files: Option<Arc<dyn Sink>>,
    total: Arc<Mutex<Digest>>,
}

impl Answer {
    pub fn new(query: &Query, hashed: bool, out: Option<&Path>) -> Answer {
        let files = out.map(|dir| Arc::new(parquet::write(dir.join(query.name)).buckets(BUCKETS)) as Arc<dyn Sink>);
        Answer { hashed: hashed.then_some(*query), files, total: Arc::default() }
    }

    /// The digest of all rows so far.
    pub fn total(&self) -> Digest {
        *self.total.lock().expect("no panic holds it")
    }
}

impl Sink for Answer {
    fn describe(&self) -> String {
        self.files.as_ref().map_or("counted".to_string(), |files| files.describe())
    }
    fn check(&self, schema: &SchemaRef, writing: &Writing) -> Result<()> {
        self.files.as_ref().map_or(Ok(()), |files| files.check(schema, writing))
    }
    fn buckets(&self) -> usize {
        BUCKETS
    }
    fn wants_order(&self) -> bool {
        self.files.as_ref().is_some_and(|files| files.wants_order())
    }
    fn open(&self, bucket: usize, schema: &SchemaRef, writing: &Writing) -> Result<Box<dyn SinkWriter>> {
        let files = self.files.as_ref().map(|files| files.open(bucket, schema, writing)).transpose()?;
        Ok(Box::new(Bucket { answer: self.clone(), files }))
    }
    fn finish(&self, schema: &SchemaRef, writing: &Writing, kept: &[BucketCut]) -> Result<()> {
        self.files.as_ref().map_or(Ok(()), |files| files.finish(schema, writing, kept))
    }
}

struct Bucket {
    answer: Answer,
    files: Option<Box<dyn SinkWriter>>,
}

impl SinkWriter for Bucket {
    fn write(&mut self, times: &[EventTime], rows: &RecordBatch) -> Result<()> {
        let digest = match &self.answer.hashed {
            Some(query) => query.digest(rows),
            None => Digest { rows: times.len() as u64, sum: 0 },
        };
        *self.answer.total.lock().expect("no panic holds it") += digest;
        self.files.as_mut().map_or(Ok(()), |files| files.write(times, rows))
    }
    fn prepare(&mut self, epoch: Epoch, watermark: EventTime) -> Result<Vec<u8>> {
        self.files.as_mut().map_or(Ok(Vec::new()), |files| files.prepare(epoch, watermark))
    }
    fn commit(&mut self, epoch: Epoch, prepared: &[u8]) -> Result<()> {
        self.files.as_mut().map_or(Ok(()), |files| files.commit(epoch, prepared))
    }
    fn recover(&mut self, prepared: &[Prepared]) -> Result<()> {
        self.files.as_mut().map_or(Ok(()), |files| files.recover(prepared))
    }
}
