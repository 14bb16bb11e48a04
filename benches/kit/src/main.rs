//! `dualgauge-kit`: the bench of window joins, and data to try a graph on.
//!
//! ```text
//! cargo run --release -p dualgauge-kit -- window-join --quick
//! cargo run --release -p dualgauge-kit -- nexmark generate data --events 1000000
//! ```

mod generate;

use std::process::ExitCode;

use clap::Command;
use dualgauge_kit::{contestants, ended, told, window_join_call, window_join_command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(said) => return told(&said),
    };
    ended(match matches.subcommand() {
        Some(("window-join", matches)) => window_join_call(matches, &contestants()),
        Some(("nexmark", matches)) => generate::call(matches),
        _ => unreachable!("clap requires a subcommand that it knows"),
    })
}

fn command() -> Command {
    Command::new("dualgauge-kit")
        .about("Measure window joins, and make data to try a graph on")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands([generate::command(), window_join_command()])
}
