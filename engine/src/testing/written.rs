//! A sink that keeps what a job has committed to it, and outlives a crash of the job as files do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::checkpoint::BucketCut;
use crate::flow::row_texts;
use crate::{Epoch, Error, EventTime, Prepared, Result, Since, Sink, SinkWriter, Writing};

/// Rows and their event times.
type Rows = Vec<(RecordBatch, Vec<EventTime>)>;

/// What was committed; its clones share it.
#[derive(Clone, Default)]
pub(super) struct Written {
    all: Arc<Mutex<All>>,
}

#[derive(Default)]
struct All {
    /// What was prepared, by its number. It stays after the commit, since that may be repeated.
    prepared: Vec<Rows>,
    /// By bucket and epoch, so that committing twice is committing once.
    committed: BTreeMap<(usize, Epoch), Rows>,
}

impl Written {
    /// The batches that were committed.
    pub(super) fn batches(&self) -> Vec<RecordBatch> {
        self.all().committed.values().flatten().map(|(rows, _)| rows.clone()).collect()
    }

    /// Each row as a text after its event time, in order: two runs have written the same if these are equal.
    pub(super) fn texts(&self) -> Vec<String> {
        let all = self.all();
        let mut texts: Vec<(EventTime, String)> = Vec::new();
        for (rows, times) in all.committed.values().flatten() {
            let places: Vec<_> = (0..rows.num_rows()).collect();
            let lines = row_texts(rows, &places).into_iter().map(|line| String::from_utf8_lossy(&line).into_owned());
            texts.extend(times.iter().copied().zip(lines));
        }
        texts.sort();
        texts.into_iter().map(|(time, text)| format!("{time} {text}")).collect()
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().expect("no panic holds it")
    }
}

impl Sink for Written {
    fn describe(&self) -> String {
        "what is checked".to_string()
    }

    fn check(&self, _: &SchemaRef, _: &Writing) -> Result<()> {
        Ok(())
    }

    fn buckets(&self) -> usize {
        3
    }

    fn published_since(&self, writing: &Writing, _: &[BucketCut]) -> Result<Since> {
        let Some(after) = writing.after else { return Ok(Since::Unknown) };
        let all = self.all();
        let upto = all.committed.keys().map(|(_, epoch)| *epoch).filter(|epoch| *epoch > after.epoch).max();
        Ok(upto.map_or(Since::Nothing, |upto| Since::Published { upto, what: "rows of a check".to_string() }))
    }

    fn take_back(&self, writing: &Writing) -> Result<()> {
        let Some(after) = writing.after else { return Ok(()) };
        self.all().committed.retain(|(_, epoch), _| *epoch <= after.epoch);
        Ok(())
    }

    fn open(&self, bucket: usize, _: &SchemaRef, writing: &Writing) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Bucket { written: self.clone(), bucket, at_once: writing.job.is_none(), rows: Rows::new() }))
    }
}

struct Bucket {
    written: Written,
    bucket: usize,
    /// Nobody commits: the job has no checkpoints.
    at_once: bool,
    rows: Rows,
}

impl SinkWriter for Bucket {
    fn write(&mut self, times: &[EventTime], rows: &RecordBatch) -> Result<()> {
        let rows = (rows.clone(), times.to_vec());
        match self.at_once {
            true => self.written.all().committed.entry((self.bucket, Epoch(0))).or_default().push(rows),
            false => self.rows.push(rows),
        }
        Ok(())
    }

    fn prepare(&mut self, _: Epoch, _: EventTime) -> Result<Vec<u8>> {
        if self.rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut all = self.written.all();
        all.prepared.push(std::mem::take(&mut self.rows));
        Ok((all.prepared.len() as u64 - 1).to_le_bytes().to_vec())
    }

    fn commit(&mut self, epoch: Epoch, prepared: &[u8]) -> Result<()> {
        if prepared.is_empty() {
            return Ok(());
        }
        let mut all = self.written.all();
        let number = prepared.try_into().ok().map(u64::from_le_bytes);
        let rows = number.and_then(|number| all.prepared.get(number as usize)).cloned();
        let rows = rows.ok_or_else(|| Error::data("what a check has prepared is not what it was"))?;
        all.committed.insert((self.bucket, epoch), rows);
        Ok(())
    }

    fn recover(&mut self, prepared: &[Prepared]) -> Result<()> {
        prepared.iter().try_for_each(|prepared| self.commit(prepared.epoch, &prepared.bytes))
    }
}
