//! Data: what flows, at the edges as Arrow and inside as plain Rust.

mod batch;
mod bounded;
pub(crate) mod column;
pub(crate) mod cut;
pub(crate) mod decimal;
mod digest;
mod event;
mod key;
mod record;
mod text;

pub use batch::{Batch, Version, Versions};
pub(crate) use bounded::take_from_bytes;
pub use decimal::{Decimal, decimal_units};
pub use digest::Digest;
pub use event::{Data, Event};
pub use key::{KEY_GROUPS, Key, KeyGroup};
pub use record::{DecodeError, Record, record};
pub use text::Text;
