//! Joins: two streams by key, and by when their events happened.
//!
//! Each kind of join has a file or a few of its own, and beside them is what they all share. Late records of either
//! side leave as [`Either`](crate::Either). A key with a null in it never matches.

mod admit;
mod broadcast;
mod hash;
mod interval;
mod joiner;
mod kind;
mod null;
mod same_key;
mod sort_merge;
mod stored;
mod strategy;
mod temporal;
mod waiting;
mod window;
mod with;

pub use broadcast::{Broadcast, BroadcastStream};
pub use interval::{Between, IntervalJoin, JoinInterval, between};
pub use kind::Emit;
pub(crate) use null::has_null;
pub use same_key::{Same, SameKey};
pub use strategy::JoinStrategy;
pub use temporal::{AsOf, TemporalJoin};
pub use window::WindowJoin;
