//! State: what a step remembers, how it is saved by its changes, and how it is recognised when it comes back.

mod buffers;
mod changes;
mod fingerprint;
mod form;
mod kept;
mod place;
mod queue;
mod reading;
mod shape;
mod table;
mod tables;
mod trace;
mod upcast;
mod value;

pub use buffers::Buffers;
pub use changes::{Change, Changes};
pub use fingerprint::Fingerprint;
pub use kept::{Kept, Layout, Parts, check_group, read};
pub use place::Place;
pub use queue::Queue;
pub use reading::{Entry, EntryReader};
pub use shape::Shape;
pub use table::Table;
pub use tables::Tables;
pub use upcast::{NoUpcast, Upcast, Upcasts};
pub use value::Value;
