//! What a connector's author reads: where rows come from, where they go, and how a job sees that two of them meet.

mod basis;
mod fenced;
mod firings;
mod place;
pub mod sink;
pub mod source;
mod stopping;
mod waker;

pub use basis::{Basis, Change};
pub use firings::Firings;
pub(crate) use firings::{FIRING, LAST, widened};
pub use place::Place;
pub use sink::{After, BucketCut, Claim, Delivery, Prepared, Since, Sink, SinkWriter, Writing};
pub use source::{
    Listing, Next, Offset, Partition, PartitionId, PartitionReader, Reason, Scan, Source, SourceBatch, Unreadable,
};
pub use waker::Waker;
