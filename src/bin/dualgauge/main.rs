//! `dualgauge`: what can be done without a graph of your own.

mod append;
mod checkpoint;
mod log;
mod new;
mod place;
mod print;
mod savepoint;
mod schema;
mod show;
mod state;
mod tail;

use std::process::ExitCode;

use crate::print::remark;
use clap::Command;
use dualgauge::cli::{Exit, is_enough, words_of};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            return print::told(&error).into();
        }
    };
    let done = match matches.subcommand() {
        Some(("checkpoint", matches)) => checkpoint::call(matches),
        Some(("log", matches)) => log::call(matches),
        Some(("new", matches)) => new::call(matches),
        Some(("state", matches)) => state::call(matches),
        _ => unreachable!("clap requires a subcommand that it knows"),
    };
    match done {
        Ok(()) => Exit::Done.into(),
        Err(error) if is_enough(&error) => Exit::Done.into(),
        Err(error) => {
            remark!("error: {}", words_of(&error));
            Exit::from(&error).into()
        }
    }
}

fn command() -> Command {
    Command::new("dualgauge")
        .about("Event logs, checkpoints and what is in them")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands([checkpoint::command(), log::command(), new::command(), state::command()])
}
