//! Layers: the entries that changed, sorted, each section under a checksum; and chains of them.

mod compact;
mod format;
mod merge;
mod policy;
mod read;
mod write;

pub use compact::{Becomes, CompactError, compact, rewrite};
pub use policy::compaction_due;
pub use read::{ChainReader, EachEntry};
pub use write::{LayerPart, write_layer};

pub(crate) use read::measure;
pub(super) use read::{Layer, LayerError, verify, verify_all};
pub(super) use write::by_step;
pub(crate) use write::{StepBytes, write_measured};
