//! Checkpoints at rest: a log of commits, and the layers of state that they name.
//!
//! ```text
//! manifest/00000000000000000120    a fence or a commit; the numbers are dense from the floor on
//! floors/00000000000000000120      the floor: entries below are of the log no more (`scan.rs`)
//! kept/00000000000000000064        a commit below the floor that is kept
//! layers/<name>                    what changed in the state, as one worker saved it, or several such merged
//! savepoint-wanted                 somebody waits for a savepoint
//! ```
//!
//! - **One entry per number.** An entry is created if absent. That is the commit, and it is also what stops an older
//!   generation that wakes up: it finds its next number taken, or below the floor.
//! - **Nothing half.** Every byte of every file is under a checksum that is verified before the byte is used.
//! - **Layers first.** A commit names only layers that were durable before it was appended.

mod collect;
mod envelope;
mod follow;
mod layer;
mod log;
mod look;
mod manifest;
mod named;
pub mod protocol;
mod request;
mod scan;
mod shorten;
mod start;
mod store;

pub use crate::connector::BucketCut;
pub(crate) use collect::is_kept;
pub use collect::{KEPT, collect};
pub use follow::{look_at, look_at_named};
pub use layer::{
    Becomes, ChainReader, CompactError, EachEntry, LayerPart, compact, compaction_due, rewrite, write_layer,
};
pub(crate) use layer::{StepBytes, measure, write_measured};
pub use log::{Appended, ManifestLog, layer_name};
pub(crate) use log::{fenced, is_fenced};
pub use look::{Found, StateReader, Verified, verify_all};
pub use manifest::{Chain, Commit, CommitKind, Entry, Fence, GroupRange, LayerRef, PartitionCut, SourceCut, StepShape};
pub use named::CommitName;
pub use request::SavepointRequest;
pub(crate) use request::{is_wanted, met};
pub use start::{KeptOutput, Left, Retained, Started, Wish, start};
#[cfg(feature = "object-store")]
pub use store::RemoteStore;
pub use store::{Created, LocalStore, Store, StoreError, open_existing_store, open_store, probe};
