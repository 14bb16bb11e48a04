//! The bench as a command, and as a program.

use std::ffi::OsString;
use std::io::{Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::contestant::Contestant;
use super::measure::do_task;
use super::run::{Request, dimension_names, run};
use super::sweep::Size;
use dualgauge::cli::{Exit, Outside};
use dualgauge::{Error, Result};

/// The bench of window joins as a program: give it [`contestants`](super::contestants), and your own among them.
///
/// It takes the options of `dualgauge-kit window-join`. Each measurement is taken by another process of the same
/// program, called with the same arguments, so `main` must get here again when it is called with those arguments.
pub fn window_join(contestants: &[Contestant]) -> ExitCode {
    // Cargo passes every bench an option that says it is one.
    let options = std::env::args_os().skip(1).filter(|argument| argument != "--bench");
    window_join_with(options, contestants)
}

/// The same with these options instead of the program's.
pub fn window_join_with(options: impl IntoIterator<Item = OsString>, contestants: &[Contestant]) -> ExitCode {
    match window_join_command().no_binary_name(true).try_get_matches_from(options) {
        Ok(matches) => ended(window_join_call(&matches, contestants)),
        Err(said) => told(&said),
    }
}

/// Prints what clap has to say about a call: the help that was asked for, or what is wrong.
#[doc(hidden)]
pub fn told(said: &clap::Error) -> ExitCode {
    // If the other end is closed, nobody wants to read this.
    let (_, exit) = if said.use_stderr() {
        (write!(Outside(stderr()), "{}", said.render()), Exit::Usage)
    } else {
        (write!(Outside(stdout()), "{}", said.render()), Exit::Done)
    };
    exit.into()
}

/// Prints why a command failed, and returns the code that it ends with.
#[doc(hidden)]
pub fn ended(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => Exit::Done.into(),
        Err(error) => {
            let _ = writeln!(Outside(stderr()), "error: {error}");
            Exit::from(&error).into()
        }
    }
}

/// The command with its options.
#[doc(hidden)]
pub fn window_join_command() -> Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let some = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).action(ArgAction::Append).help(help)
    };
    Command::new("window-join")
        .about(
            "Measure window joins: throughput, latency and memory, by what is varied, as CSV and as a page with plots",
        )
        .arg(flag("quick", "Some seconds, to see that all works; no figures to quote").conflicts_with("full"))
        .arg(flag("full", "Ten million events a history and twenty seconds a live run, instead of a million and four"))
        .arg(
            some("only", "DIMENSION", "Vary only this; may be given again [default: all]")
                .value_parser(PossibleValuesParser::new(dimension_names())),
        )
        .arg(some("contestant", "NAME", "Measure only this one; may be given again [default: all]"))
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("NUMBER")
                .value_parser(value_parser!(u64))
                .default_value("42")
                .help("Another seed is other keys"),
        )
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .default_value("target/window_join")
                .help("Where index.html, window_join.csv and the plots go; data in between, too"),
        )
}

/// Runs the command.
///
/// # Errors
/// An option that names nothing, a contestant that is wrong or fails, or a disk that refuses.
#[doc(hidden)]
pub fn window_join_call(matches: &ArgMatches, contestants: &[Contestant]) -> Result<()> {
    if do_task(contestants)? {
        return Ok(());
    }
    let names = |name: &str| matches.get_many::<String>(name).into_iter().flatten().cloned().collect::<Vec<_>>();
    let wanted = names("contestant");
    let known = || contestants.iter().map(Contestant::name);
    if let Some(unknown) = wanted.iter().find(|name| known().all(|known| known != *name)) {
        let known = known().collect::<Vec<_>>().join(", ");
        return Err(Error::usage(format!("there is no contestant `{unknown}`; there are: {known}")));
    }
    let is_wanted = |one: &&Contestant| wanted.is_empty() || wanted.iter().any(|name| name == one.name());
    let request = Request {
        contestants: contestants.iter().filter(is_wanted).cloned().collect(),
        size: match (matches.get_flag("quick"), matches.get_flag("full")) {
            (true, _) => Size::Quick,
            (_, true) => Size::Full,
            _ => Size::Standard,
        },
        seed: *matches.get_one("seed").expect("it has a default"),
        only: names("only"),
        out: matches.get_one::<PathBuf>("out").expect("it has a default"),
    };
    run(&request)
}
