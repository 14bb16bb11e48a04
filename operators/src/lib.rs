//! The operators of dualgauge: one operator, one file, each a method that a trait hangs on a stream.

#![forbid(unsafe_code)]

pub mod aggregate;
mod deduplicate;
mod filter;
mod filter_map;
mod flat_map;
mod inspect;
pub mod join;
mod key_by;
mod key_fn;
pub mod keyed;
mod keyless;
mod lookup;
mod map;
mod split;
mod union;
pub mod window;

pub use deduplicate::{Deduplicate, FirstWithin, LastWithin, first_within, last_within};
pub use filter::Filter;
pub use filter_map::FilterMap;
pub use flat_map::FlatMap;
pub use inspect::Inspect;
pub use key_by::{KeyBy, KeyedStream};
pub use key_fn::{ByRef, KeyFn};
pub use keyless::{HasKey, Keyless};
pub use lookup::{LookedUp, Lookup};
pub use map::Map;
pub use split::{Either, Split};
pub use union::Union;
