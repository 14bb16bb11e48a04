//! `dualgauge bench`: what the library can do on this machine.

use clap::{ArgMatches, Command};
use dualgauge::Result;
use dualgauge::bench::{contestants, window_join_call, window_join_command};

pub(crate) fn command() -> Command {
    Command::new("bench")
        .about("Measure what the library can do on this machine")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(window_join_command())
}

pub(crate) fn call(matches: &ArgMatches) -> Result<()> {
    let (_, matches) = matches.subcommand().expect("clap requires one");
    window_join_call(matches, &contestants())
}
