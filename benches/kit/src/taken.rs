//! The sink of the bench: takes pairs like any other, sorted and encoded, counts them, and notes when they came.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_schema::SchemaRef;

use dualgauge::sink::{Prepared, Sink, SinkWriter, Writing};
use dualgauge::{Clock, Duration, Epoch, EventTime, Result};

/// A sink and, by its clones, the handle to what it took.
#[derive(Clone)]
pub(super) struct Taken {
    all: Arc<Mutex<Totals>>,
    /// Shows when rows come; without it, that is not noted.
    clock: Option<Arc<dyn Clock>>,
}

/// What was taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Totals {
    /// How many pairs.
    pub(super) rows: u64,
    /// The wrapping sum of both numbers of each pair, the left one three times: two different answers of the same
    /// length seldom have the same sum.
    pub(super) checksum: u64,
    /// When the last row with each event time came, by the clock, if that is noted.
    pub(super) last_came: BTreeMap<EventTime, Duration>,
}

impl Taken {
    pub(super) fn new(clock: Option<Arc<dyn Clock>>) -> Taken {
        Taken { all: Arc::default(), clock }
    }

    pub(super) fn totals(&self) -> Totals {
        self.all.lock().expect("no panic holds it").clone()
    }
}

impl Sink for Taken {
    fn describe(&self) -> String {
        "taken".to_string()
    }
    fn check(&self, _: &SchemaRef, _: &Writing) -> Result<()> {
        Ok(())
    }
    fn buckets(&self) -> usize {
        4
    }
    fn open(&self, _: usize, _: &SchemaRef, _: &Writing) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(self.clone()))
    }
}

impl SinkWriter for Taken {
    fn write(&mut self, times: &[EventTime], rows: &RecordBatch) -> Result<()> {
        let sum = |name: &str| {
            let column = rows.column_by_name(name).expect("the pairs of the bench have it");
            column.as_primitive::<UInt64Type>().values().iter().fold(0_u64, |sum, number| sum.wrapping_add(*number))
        };
        let checksum = sum("left").wrapping_mul(3).wrapping_add(sum("right"));
        let now = self.clock.as_ref().map(|clock| clock.elapsed());
        let mut all = self.all.lock().expect("no panic holds it");
        all.rows += times.len() as u64;
        all.checksum = all.checksum.wrapping_add(checksum);
        if let Some(now) = now {
            let changes = times.chunk_by(|a, b| a == b).map(|run| run[0]);
            all.last_came.extend(changes.map(|time| (time, now)));
        }
        Ok(())
    }
    fn prepare(&mut self, _: Epoch, _: EventTime) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
    fn commit(&mut self, _: Epoch, _: &[u8]) -> Result<()> {
        Ok(())
    }
    fn recover(&mut self, _: &[Prepared]) -> Result<()> {
        Ok(())
    }
}
