//! Data: what flows, at the edges as Arrow and inside as plain Rust.

mod batch;
pub(crate) mod column;
pub(crate) mod cut;
mod digest;
mod event;
mod key;
mod record;
mod text;

pub use batch::{Batch, Version, Versions};
pub use digest::Digest;
pub use event::{Data, Event};
pub use key::{KEY_GROUPS, Key, KeyGroup};
pub use record::{DecodeError, Record, record};
pub use text::Text;
