//! What a job reads and what it writes lie apart, and no two of its outputs meet.
//!
//! Places are compared by what they are, not by how they are written, and before anything is read or touched.

use super::bind::Bindings;
use crate::checkpoint::Store;
use crate::{Error, Place, Result};

/// What a binding does at its place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Reads,
    Writes,
}

/// A binding with its places.
struct Placed {
    role: Role,
    /// For a person: `sink sums (csv:out/)`.
    shown: String,
    places: Vec<Place>,
}

/// Refuses bindings that get in each other's way.
pub(super) fn check(bindings: &Bindings, checkpoints: Option<&dyn Store>) -> Result<()> {
    let (mut all, reads, writes) = (Vec::new(), Role::Reads, Role::Writes);
    for (name, source, _) in &bindings.sources {
        let shown = format!("source {name} ({})", source.describe());
        all.push(Placed { role: reads, shown, places: source.places() });
    }
    for (name, sink) in &bindings.sinks {
        all.push(Placed { role: writes, shown: format!("sink {name} ({})", sink.describe()), places: sink.places() });
    }
    if let Some(store) = checkpoints {
        let shown = format!("the checkpoints ({})", store.describe());
        all.push(Placed { role: writes, shown, places: store.places() });
    }
    for (at, one) in all.iter().enumerate() {
        all[..at].iter().try_for_each(|other| apart(other, one))?;
    }
    Ok(())
}

fn apart(one: &Placed, other: &Placed) -> Result<()> {
    let reading = one.role == Role::Reads && other.role == Role::Reads;
    let meets = |a: &Place| other.places.iter().any(|b| a.meets(b) && (!reading || a.is_read_once()));
    if !one.places.iter().any(meets) {
        return Ok(());
    }
    let (one_shown, other_shown) = (&one.shown, &other.shown);
    Err(Error::usage(match (one.role, other.role) {
        (Role::Reads, Role::Reads) => {
            format!(
                "{one_shown} and {other_shown} read the same: what one has read, the other would miss; bind one of them elsewhere"
            )
        }
        (Role::Writes, Role::Writes) => {
            format!(
                "{one_shown} and {other_shown} write to the same place, or one inside the other; give each a place of its own"
            )
        }
        _ => format!(
            "{other_shown} writes where {one_shown} reads: the job would read, or replace, what it writes itself; give it a \
             place apart from what is read"
        ),
    }))
}
