//! What real data and hostile hands broke once: small inputs, and the right answer to each.
//!
//! Started with `DUALGAUGE_CASE`, this program is the command line of the graph of that name (`graphs.rs`), as a user
//! writes it; else it runs the cases, each in directories and processes of its own. A file here is a kind of fault, and a
//! case in it one line of the kind's table. `cargo test --test cases NAME` runs those whose name contains it.

mod back;
mod cluster;
mod depth;
mod empty;
mod follow;
mod graphs;
mod hands;
mod helps;
mod lacking;
mod listing;
mod looks;
mod modes;
mod news;
mod open_files;
mod overwrite;
mod owners;
mod patterns;
mod places;
mod runner;
mod seen;
mod starts;
mod support;
mod text;
mod values;
mod words;

use std::process::ExitCode;

/// A case by its name, which says what is right.
type Case = (&'static str, fn());

fn main() -> ExitCode {
    if let Ok(name) = std::env::var(support::GRAPH) {
        return dualgauge::main(move |flow: &dualgauge::Flow<'_>| graphs::build(&name, flow));
    }
    const CASES: &[&[Case]] = &[
        back::CASES,
        cluster::CASES,
        depth::CASES,
        empty::CASES,
        follow::CASES,
        hands::CASES,
        helps::CASES,
        lacking::CASES,
        listing::CASES,
        looks::CASES,
        modes::CASES,
        news::CASES,
        open_files::CASES,
        overwrite::CASES,
        owners::CASES,
        patterns::CASES,
        places::CASES,
        seen::CASES,
        starts::CASES,
        text::CASES,
        values::CASES,
        words::CASES,
    ];
    runner::run(&CASES.concat())
}
