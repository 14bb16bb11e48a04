//! Layers: the entries that changed, sorted, each section under a checksum; and chains of them.

mod format;
mod merge;
mod read;
mod write;

pub use read::ChainReader;
pub use write::{LayerPart, write_layer};
