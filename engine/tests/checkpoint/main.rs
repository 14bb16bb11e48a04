//! Checkpoints at rest. Would catch: an entry of the state that is lost, comes back after it was removed, or is handed
//! out of a damaged file; a commit that a power loss takes back; a zombie that commits.

mod chains;
mod common;
mod damage;
mod faults;
mod lengths;
mod looking;
mod model;
#[cfg(feature = "object-store")]
mod remote;
mod starts;
