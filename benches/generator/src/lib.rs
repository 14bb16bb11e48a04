//! Nexmark: an auction house made of numbers, the field's usual data for stream processors.
//!
//! Of every 50 events one is a new person, three are new auctions and 46 are bids; half of the bids go to an auction
//! that is hot just then. [`Generator`] makes each event from a seed and the event's number alone, so that any part of
//! the data can be made anywhere, and always comes out the same. [`generate`] writes history as Parquet files,
//! [`LiveFeed`] the present as an event log, and [`LiveFeed::archive`] the history that belongs to a log, with the
//! proof of where it ends.
//!
//! The fields and proportions are those of Apache Beam's and Flink's Nexmark. The differences: prices are drawn by
//! integer arithmetic, and time starts at [`START`] and counts whole milliseconds, so that the data is the same on
//! every machine.

mod files;
mod generator;
mod live;
mod order;
#[doc(hidden)] // the bench of window joins draws from it too
pub mod random;
mod records;
mod words;

pub use files::{Options, Summary, TableSummary, generate};
pub use generator::{Generator, START, Table};
pub use live::{FeedOptions, LiveFeed};
pub use order::Arrivals;
pub use records::{Auction, Bid, Person};
