//! Nexmark: the field's usual queries over an auction house, on history and on the live log with the same graphs.
//!
//! ```text
//! cargo run --release --example nexmark -- q7 --events 10000000 --workers 2     over Parquet files, made at first
//! cargo run --release --example nexmark -- q7 --events 1000000 --live           over a log that is appended to meanwhile
//! cargo run --release --example nexmark -- q5 q11 --history DIR --out OUT       over files that are there; keeps the answer
//! cargo run --release --example nexmark -- all                                  every query, as a table
//! cargo run --release --example nexmark                                         every query both ways: are they equal?
//! ```
//!
//! `DIR` has the tables in the usual shape: `bids.parquet`, `auctions.parquet`, `persons.parquet`, or a directory of
//! files for each (`bids/`). Only the columns that a query needs are read. Without `DIR`, the data are made once, in
//! `nexmark/` under the build's directory, and kept there.
//!
//! Each run says how many rows it has read and written, how long it took, the most memory that its process ever had, and
//! the digest of the answer, which is the same for the same rows in any order. The graphs are in `queries/`.

mod answer;
mod args;
mod compare;
mod data;
mod queries;
mod report;
mod run;

use std::process::{Command, ExitCode};

use dualgauge::{Error, Result};

use answer::Answer;
use args::{Args, Input};
use queries::{QUERIES, Query};
use report::Report;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let done = match args::parse() {
        None => compare::history_and_live(),
        Some(args) => run_all(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nexmark: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the queries one after the other. If there are several, each has its own process, and so its own peak of memory.
fn run_all(args: &Args) -> Result<()> {
    if !args.bare {
        println!("{}", Report::HEADER);
    }
    if let [query] = args.queries.as_slice() {
        println!("{}", run_one(query, args)?);
        return Ok(());
    }
    if let Input::History(None) = args.input {
        data::history(args.size)?; // not as part of the first query's run
    }
    for query in &args.queries {
        let this = std::env::current_exe().map_err(|cause| Error::io("this program", cause))?;
        let status = Command::new(this).args(args.of_one(query)).status();
        let status = status.map_err(|cause| Error::io("cannot start this program again", cause))?;
        if !status.success() {
            return Err(Error::usage(format!("{} failed", query.name)));
        }
    }
    Ok(())
}

/// Runs `query` as the arguments say.
fn run_one(query: &Query, args: &Args) -> Result<Report> {
    let answer = Answer::new(query, args.digest, args.out.as_deref());
    let outcome = match &args.input {
        Input::History(Some(dir)) => run::over_history(query, dir, args.workers, &answer),
        Input::History(None) => run::over_history(query, &data::history(args.size)?, args.workers, &answer),
        Input::Live => run::over_logs(query, args.size, args.workers, &answer),
    }?;
    Ok(Report::of(query, &outcome, answer.total(), args.digest))
}

/// The queries called by these names, or all.
fn named(names: &[String]) -> std::result::Result<Vec<Query>, String> {
    if names.iter().any(|name| name == "all") {
        return Ok(QUERIES.to_vec());
    }
    let known = || QUERIES.map(|query| query.name).join(", ");
    let find =
        |name: &String| Query::named(name).ok_or_else(|| format!("no query is called {name}; there are {}", known()));
    names.iter().map(find).collect()
}
