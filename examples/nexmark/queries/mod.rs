//! Nexmark's queries, each a graph in a file of its own that reads from top to bottom.
//!
//! The numbers and the questions are those of Apache Flink's Nexmark; where an answer differs from what its SQL says,
//! the file's head says so. Throughout: windows are by event time and aligned to the Unix epoch, an answer has the
//! columns that the query is about (`extra`, which is padding, only if the query is a copy), prices are whole cents,
//! and ties are either all in the answer or broken by the order of the columns.
//!
//! A graph reads `bids`, `auctions` and `persons`, as far as [`Query::inputs`] names them, and writes `answer`.

mod interval_join;
mod leaders;
mod q0;
mod q1;
mod q10;
mod q11;
mod q12;
mod q13;
mod q14;
mod q18;
mod q19;
mod q2;
mod q21;
mod q22;
mod q5;
mod q7;
mod q8;
mod window_join;

use dualgauge::flow::SourceOptions;
use dualgauge::prelude::*;
use dualgauge::{Digest, Event, arrow::RecordBatch};
use dualgauge_nexmark::Table;

/// One query: what it is called, what it reads, and its graph.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// Its name: `q5`.
    pub name: &'static str,
    /// What it asks, in a few words.
    pub about: &'static str,
    /// The tables that its graph reads.
    pub inputs: &'static [Table],
    /// The graph.
    pub graph: fn(&Flow<'_>),
    digest: fn(&RecordBatch) -> Digest,
}

impl Query {
    /// A query whose answer is rows of `Row`.
    const fn of<Row: Record>(
        name: &'static str,
        about: &'static str,
        inputs: &'static [Table],
        graph: fn(&Flow<'_>),
    ) -> Query {
        Query { name, about, inputs, graph, digest: digest_of::<Row> }
    }

    /// The query called `name`.
    pub fn named(name: &str) -> Option<Query> {
        QUERIES.into_iter().find(|query| query.name == name)
    }

    /// The digest of rows of its answer.
    pub fn digest(&self, rows: &RecordBatch) -> Digest {
        (self.digest)(rows)
    }
}

fn digest_of<Row: Record>(rows: &RecordBatch) -> Digest {
    let mut events: Vec<Event<Row>> = Vec::new();
    Row::decode(rows, &mut events).expect("an answer holds the rows of its query");
    Digest::of(events.into_iter().map(|event| event.data))
}

/// All of them: in the order of their numbers, and then the two joins that have none.
pub const QUERIES: [Query; 17] = [
    q0::QUERY,
    q1::QUERY,
    q2::QUERY,
    q5::QUERY,
    q7::QUERY,
    q8::QUERY,
    q10::QUERY,
    q11::QUERY,
    q12::QUERY,
    q13::QUERY,
    q14::QUERY,
    q18::QUERY,
    q19::QUERY,
    q21::QUERY,
    q22::QUERY,
    window_join::QUERY,
    interval_join::QUERY,
];

const BIDS: &[Table] = &[Table::Bids];

/// How far events on a live log may be out of order. Files know their own times, and nothing in them is late.
pub const DISORDER: Duration = Duration::from_micros(1_000_000);

/// A table as a source.
fn table(table: Table) -> SourceOptions {
    dualgauge::flow::source(table.name()).disorder(DISORDER)
}

/// What the two joins need from a bid.
#[record]
struct Bid {
    auction: u64,
    bidder: u64,
    price: u64,
    #[event_time]
    date_time: EventTime,
}

/// What the two joins need from an auction.
#[record]
struct Auction {
    id: u64,
    seller: u64,
    #[event_time]
    date_time: EventTime,
}

/// A price in the euro of Nexmark, 0.908 to the dollar, in thousandths of a cent.
fn euro_thousandths(price: u64) -> u64 {
    price * 908
}
