//! What stands behind the names of a graph, as its drivers get it: looked at, listed, and with every option set.

use std::sync::Arc;

use super::options::SourceOptions;
use crate::{EventTime, Listing, Scan, Sink, Source};

/// A source with everything its drivers need.
#[derive(Clone)]
pub(crate) struct BoundSource {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) options: SourceOptions,
    pub(crate) scan: Scan,
    /// Where its followed partitions end.
    pub(crate) until: Option<EventTime>,
    pub(crate) listing: Arc<Listing>,
}

/// A table with everything that is needed to read it.
pub(crate) struct BoundTable {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) scan: Scan,
    pub(crate) listing: Listing,
}

/// A sink that has been checked and can be written.
#[derive(Clone)]
pub(crate) struct BoundSink {
    pub(crate) sink: Arc<dyn Sink>,
}
