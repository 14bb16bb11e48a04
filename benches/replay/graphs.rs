//! The graph that is timed, and the sink that takes its rows without keeping them.

use dualgauge::sink::{Prepared, Writing};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dualgauge::arrow::{RecordBatch, SchemaRef};
use dualgauge::prelude::*;
use dualgauge::{Epoch, Result, Sink, SinkWriter};

#[record]
pub struct Bid {
    pub auction: u64,
    pub price: u64,
    #[event_time]
    pub date_time: EventTime,
}

#[record]
pub struct HotItem {
    pub auction: u64,
    #[event_time]
    pub time: EventTime,
    pub window_end: EventTime,
    pub bids: u64,
}

/// The README's program.
pub fn hot_items(flow: &Flow) {
    hot_items_every(flow, 10.seconds());
}

/// The same with windows of another size.
pub fn hot_items_every(flow: &Flow, size: Duration) {
    flow.source::<Bid>("bids")
        .key_by(|bid| bid.auction)
        .window(tumbling(size))
        .aggregate("bids_per_auction", agg::count())
        .map(|pane| HotItem { auction: pane.key, time: pane.time, window_end: pane.window.end, bids: pane.value })
        .sink("hot_items");
}

/// Takes rows, sorted and encoded like any others, and only counts them.
#[derive(Clone, Default)]
pub struct Counted(Arc<AtomicU64>);

impl Counted {
    pub fn rows(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Sink for Counted {
    fn describe(&self) -> String {
        "counted".to_string()
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

impl SinkWriter for Counted {
    fn write(&mut self, times: &[EventTime], _: &RecordBatch) -> Result<()> {
        self.0.fetch_add(times.len() as u64, Ordering::Relaxed);
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
