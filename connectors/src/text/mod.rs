//! What CSV and JSON lines share: files of records that end with a line.
//!
//! A [`Format`] knows how one record looks; everything else is here, once: which files there are, reading them block by
//! block, waiting at the end of a growing one, counting bytes and lines, continuing after a bad record, standard input,
//! and putting output in place only when it is whole.
//!
//! Offsets are bytes: [`Offset::position`] is where the next record begins, so a partition can be opened after any batch.
//!
//! [`Offset::position`]: dualgauge_engine::Offset

mod coded;
mod follow;
mod format;
mod input;
mod layout;
mod lines;
mod place;
mod plain;
mod prefix;
mod printable;
mod reader;
mod records;
mod rotated;
mod rows;
mod sink;
mod source;
mod spans;
mod stdout;
pub(crate) mod values;
pub(crate) mod zones;

pub use format::Format;
pub(crate) use format::{BadRecord, Decode, Decoded, Record};
pub(crate) use lines::{content, fields, without_line_end};
pub use sink::{Order, TextSink};
pub use source::TextSource;
