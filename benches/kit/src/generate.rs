//! `dualgauge-kit nexmark generate`: an auction house to try a graph on.

use std::io::{Write, stdout};
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use dualgauge::{Duration, Error, Result};
use dualgauge_nexmark::{Options, Table};

pub(crate) fn command() -> Command {
    let count = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("COUNT").value_parser(value_parser!(u64)).help(help)
    };
    let generate = Command::new("generate")
        .about("Write history: each table a directory of Parquet files, the same bytes for the same options")
        .arg(Arg::new("out").value_name("DIR").required(true).value_parser(value_parser!(PathBuf)).help("Where to"))
        .arg(count("events", "Events of all tables together [default: 1000000]"))
        .arg(count("rate", "Events a second of event time [default: 10000]"))
        .arg(count("seed", "Another seed is another auction house [default: 42]"))
        .arg(
            Arg::new("disorder")
                .long("disorder")
                .value_name("TIME")
                .value_parser(value_parser!(Duration))
                .help("How far an event may lie behind one that happened later [default: 0s]"),
        )
        .arg(
            Arg::new("table")
                .long("table")
                .value_name("TABLE")
                .action(ArgAction::Append)
                .value_parser(PossibleValuesParser::new(Table::ALL.map(Table::name)))
                .help("Only this table; may be given again [default: all]"),
        );
    Command::new("nexmark")
        .about("Make an auction house's persons, auctions and bids")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(generate)
}

pub(crate) fn call(matches: &ArgMatches) -> Result<()> {
    let (_, matches) = matches.subcommand().expect("clap requires one");
    let defaults = Options::new(matches.get_one::<PathBuf>("out").expect("clap requires it"));
    let count = |name: &str, default: u64| matches.get_one(name).copied().unwrap_or(default);
    let named: Vec<&String> = matches.get_many("table").into_iter().flatten().collect();
    let tables =
        Table::ALL.into_iter().filter(|table| named.is_empty() || named.iter().any(|name| *name == table.name()));
    let options = Options {
        events: count("events", defaults.events),
        rate: count("rate", defaults.rate),
        seed: count("seed", defaults.seed),
        disorder: matches.get_one("disorder").copied().unwrap_or(defaults.disorder),
        tables: tables.collect(),
        ..defaults
    };
    let made = dualgauge_nexmark::generate(&options)?;
    write!(stdout(), "{made}").map_err(|cause| Error::environment("cannot write to standard output").caused_by(cause))
}
