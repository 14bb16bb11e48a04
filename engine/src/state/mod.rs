//! State: what a step remembers, and how it is recognised when it comes back.

mod fingerprint;
mod trace;

pub use fingerprint::Fingerprint;
