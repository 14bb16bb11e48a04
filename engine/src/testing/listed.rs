//! A source that knows how often it was listed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Script;
use crate::{Listing, Offset, Partition, PartitionReader, Result, Scan, Source};

/// A script as a bounded source, which may stand behind a table too, and counts how often it is listed. Clones share the count.
///
/// ```
/// use dualgauge_engine::testing::{Item, Listed, Script};
/// use dualgauge_engine::Job;
///
/// let items = Listed::of(Script::from("a:1@1").promised());
/// let job = Job::new(|flow| flow.source::<Item>("items").sink("copies"));
/// job.source("items", items.clone()).plan().unwrap();
/// assert_eq!(items.times(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct Listed {
    script: Script,
    times: Arc<AtomicUsize>,
}

impl Listed {
    /// A script that has not been listed yet.
    pub fn of(script: Script) -> Listed {
        Listed { script, times: Arc::default() }
    }

    /// How often it was listed.
    pub fn times(&self) -> usize {
        self.times.load(Ordering::SeqCst)
    }
}

impl Source for Listed {
    fn describe(&self) -> String {
        "listed".to_string()
    }

    fn bounded(&self) -> bool {
        true
    }

    fn partitions(&self, scan: &Scan) -> Result<Listing> {
        self.times.fetch_add(1, Ordering::SeqCst);
        self.script.partitions(scan)
    }

    fn open(&self, partition: &Partition, offset: Option<&Offset>, scan: &Scan) -> Result<Box<dyn PartitionReader>> {
        self.script.open(partition, offset, scan)
    }
}
