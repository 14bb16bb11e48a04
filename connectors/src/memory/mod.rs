//! Rows that a program has, and results that it wants back: the connector to read first.
//!
//! [`rows`] is history: a source of rows in memory that ends. [`channel`] is live: what one thread sends, a graph reads.
//! [`collect`] is a sink that gives its rows back.
//!
//! For a job that runs on within a program there are two that wait for each other and hold no more than they are told:
//! [`bounded`], a source whose senders wait while the job is behind, and [`hand_over`], a sink that gives the program what
//! was committed, and waits while that is behind.

mod bounded;
mod channel;
mod collect;
mod hand_over;
mod pipe;
mod rows;

use arrow_schema::SchemaRef;
use dualgauge_engine::{Error, Record, Result};

pub use bounded::{Bounded, BoundedSender, NotSent, bounded};
pub use channel::{Channel, Sender, channel};
pub use collect::{Collect, collect};
pub use hand_over::{HandOver, Handed, Receiver, hand_over};
pub use rows::{Rows, rows};

/// Whether a graph writes what a sink gives back as records; `does` says which sink it is and what it does with them.
fn has_fields_of<D: Record>(schema: &SchemaRef, does: &str) -> Result<()> {
    if D::schema().fields().iter().all(|field| schema.field_with_name(field.name()).is_ok()) {
        return Ok(());
    }
    let named = |schema: &SchemaRef| schema.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
    Err(Error::usage(format!(
        "sink {does} records of {:?}, and the graph writes {:?}",
        named(&D::schema()),
        named(schema)
    )))
}
