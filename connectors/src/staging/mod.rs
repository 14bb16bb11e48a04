//! Staged, durable, linked: how output becomes visible whole, once, and at its commit.
//!
//! ```text
//! out/20260101T120000Z-b0.parquet                               visible: linked at its commit, never touched again
//! out/.job                                                      whose output this is
//! out/.published/b0                                             what was published, by whom and for which epoch
//! out/.staging/JOB/b0.g3.17.20260101T130000Z-b0.parquet.part    rows of an unfinished span: frames, added at the end
//! out/.staging/JOB/b0.g3.18.20260101T120000Z-b0.parquet.ready   a finished file before its commit
//! ```
//!
//! - **A file in an output directory is whole.** It is written and made durable under a staged name, and gets its visible
//!   one by a link, which never replaces another file.
//! - **A staged name is given once.** It carries the bucket, the generation (`g3`) and a number; so a generation never
//!   writes to a file of another one, and an older one that wakes up harms nobody.
//! - **Only a durable length counts.** What `prepare` returns names every part with a length and a checksum. The next
//!   generation takes it up at that length, whatever was added after it.
//! - **An output that has ended is there.** Where not a row came, a file without rows says which columns they would have had.
//! - **Removed is what nobody needs.** Parts go after the commit of the file that was made of them, once no commit is kept
//!   that has them open; orphans go when the next generation recovers, which never touches what a younger one has staged.

use arrow_schema::SchemaRef;
use dualgauge_engine::Duration;

mod aside;
mod back;
mod beside;
mod bucket;
pub(crate) mod claim;
mod empty;
mod file;
pub(crate) mod files;
mod held;
pub(crate) mod ledger;
mod manifest;
mod name;
mod owner;
mod part;
pub(crate) mod record;
mod span_name;

pub(crate) use aside::Aside;
pub(crate) use back::of_this_history;
pub(crate) use bucket::{BucketWriter, Making, Shape};
pub(crate) use claim::Owner;
pub(crate) use empty::{EmptyFile, ended_by};
pub(crate) use file::StagedFile;
pub(crate) use manifest::Whole;
pub(crate) use name::StagedName;
pub(crate) use owner::{Form, Found, OutputPlace, never_exchanged};
pub(crate) use part::{Frame, Part};
pub(crate) use span_name::{NO_SPAN, is_span_start};

/// The option of a basis that says where the output is.
pub(crate) const PLACE: &str = "place";

/// The columns of staged rows, in words: what was staged of some is not finished as others.
pub(crate) fn columns(schema: &SchemaRef) -> String {
    let columns = schema.fields().iter().map(|field| {
        let null = if field.is_nullable() { " or null" } else { "" };
        format!("{}: {}{null}", field.name(), field.data_type())
    });
    columns.collect::<Vec<_>>().join(", ")
}

/// When the first file of spans is seen, in words.
pub(crate) fn first_span(span: Duration) -> String {
    format!("a file is seen when the watermark has passed the end of its span of {span} of event time (`span`)")
}
