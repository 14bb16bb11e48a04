//! The floor: each query as a program on timely, written by hand for it alone.
//!
//! Every program is one page that takes short cuts that no engine may take: it knows that an auction opens once, that
//! ten seconds are a multiple of two, that nothing is late. What is left out is what a job is for: epochs, checkpoints,
//! flow control, late records, output in order (`benches/kit/src/floor/mod.rs`).

mod interval_join;
mod panes;
mod q11;
mod q12;
mod q5;
mod q7;
mod q8;
mod window_join;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dualgauge::connectors::parquet;
use dualgauge::prelude::*;
use dualgauge::sink::Writing;
use dualgauge::timely::dataflow::StreamVec;
use dualgauge::{Event, Record, Result, Sink, Source};
use dualgauge_kit::floor::{self, Sources, write};
use dualgauge_nexmark::Table;

use crate::answer::Answer;
use crate::data;

/// How long the windows are, in microseconds; also how long an auction is joined with its bids.
const TEN_SECONDS: i64 = 10_000_000;

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

/// The queries that have a program.
#[allow(dead_code)] // a test goes through all of them
pub const PROGRAMS: [&str; 7] = ["q5", "q7", "q8", "q11", "q12", "window-join", "interval-join"];

/// Runs the program of a query.
///
/// # Panics
/// When there is none for it.
pub fn run(query: &str, history: &Path, workers: usize, answer: &Answer) -> Result<()> {
    let program = Program { history, workers, answer };
    match query {
        "q5" => program.run(q5::graph),
        "q7" => program.run(q7::graph),
        "q8" => program.run(q8::graph),
        "q11" => program.run(q11::graph),
        "q12" => program.run(q12::graph),
        "window-join" => program.run(window_join::graph),
        "interval-join" => program.run(interval_join::graph),
        _ => panic!("no program was written for {query}"),
    }
}

/// The tables of a worker.
struct Tables<'s> {
    history: PathBuf,
    sources: Sources<'s>,
}

impl<'s> Tables<'s> {
    fn read<R: Record>(&mut self, table: Table) -> Result<StreamVec<'s, i64, Event<R>>> {
        let source: Arc<dyn Source> = Arc::new(parquet::read(data::files(&self.history, table)?));
        self.sources.read(&source)
    }
}

struct Program<'a> {
    history: &'a Path,
    workers: usize,
    answer: &'a Answer,
}

impl Program<'_> {
    /// Runs the dataflow that `graph` makes on each worker.
    fn run<R: Record>(&self, graph: for<'s> fn(&mut Tables<'s>) -> Result<StreamVec<'s, i64, R>>) -> Result<()> {
        let (history, answer) = (self.history.to_path_buf(), self.answer.clone());
        floor::run(self.workers, move |worker, failure| {
            let writer = answer.open(worker.index(), &R::schema(), &Writing::default())?;
            worker.dataflow::<i64, _, _>(|scope| {
                let sources = Sources::new(scope, Duration::from_micros(TEN_SECONDS), failure);
                write(graph(&mut Tables { history: history.clone(), sources })?, writer, failure);
                Ok(())
            })
        })
    }
}
