//! The command line.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::data::Size;
use crate::queries::{QUERIES, Query};

/// What was asked for.
pub struct Args {
    pub queries: Vec<Query>,
    /// How much data to make, if it is made.
    pub size: Size,
    pub workers: usize,
    pub input: Input,
    /// Where the answers go, each to a directory by its query's name.
    pub out: Option<PathBuf>,
    /// Whether rows are hashed; see [`crate::answer`].
    pub digest: bool,
    /// Only the line of the run, without the table's head.
    pub bare: bool,
}

/// Where the tables are.
pub enum Input {
    /// In a log that is appended to while the query runs.
    Live,
    /// In files: in this directory, or made if none is given.
    History(Option<PathBuf>),
}

/// The process's arguments; `None` if there are none.
pub fn parse() -> Option<Args> {
    (std::env::args_os().len() > 1).then(|| Args::of(&command().get_matches()))
}

fn command() -> Command {
    let list: String = QUERIES.iter().map(|query| format!("  {:<13} {}\n", query.name, query.about)).collect();
    let path = |name: &'static str| Arg::new(name).long(name).value_name("DIR").value_parser(value_parser!(PathBuf));
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let count = |name: &'static str, default: &'static str| {
        Arg::new(name).long(name).value_name("COUNT").default_value(default).value_parser(value_parser!(u64))
    };
    Command::new("nexmark")
        .about("Nexmark's queries over Parquet history or a live log")
        .after_help(format!("Queries:\n{list}"))
        .arg(Arg::new("queries").value_name("QUERY").required(true).num_args(1..).help("One or several, or `all`"))
        .arg(count("events", "1000000").help("Events of all tables together, where they are made"))
        .arg(count("rate", "10000").help("Events a second of event time, where they are made"))
        .arg(count("workers", "1").help("Threads"))
        .arg(flag("live").conflicts_with("history").help("Follow a log that is appended to meanwhile"))
        .arg(path("history").help("Parquet files that are there: bids.parquet or bids/, and so on"))
        .arg(path("out").help("Write each answer as Parquet files, into a directory by the query's name"))
        .arg(flag("no-digest").help("Do not hash the answer, which costs some 100 ns a row"))
        .arg(flag("bare").hide(true))
}

impl Args {
    fn of(matches: &ArgMatches) -> Args {
        let count = |name: &str| *matches.get_one::<u64>(name).expect("it has a default");
        let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
        let names: Vec<String> = matches.get_many("queries").expect("clap requires one").cloned().collect();
        let refused = |why| command().error(clap::error::ErrorKind::InvalidValue, why).exit();
        Args {
            queries: crate::named(&names).unwrap_or_else(refused),
            size: Size { events: count("events"), rate: count("rate") },
            workers: count("workers") as usize,
            input: if matches.get_flag("live") { Input::Live } else { Input::History(path("history")) },
            out: path("out"),
            digest: !matches.get_flag("no-digest"),
            bare: matches.get_flag("bare"),
        }
    }

    /// The arguments of a process that runs only this query.
    pub fn of_one(&self, query: &Query) -> Vec<std::ffi::OsString> {
        let mut args = vec![query.name.into(), "--bare".into()];
        args.extend(["--events".into(), self.size.events.to_string().into()]);
        args.extend(["--rate".into(), self.size.rate.to_string().into()]);
        args.extend(["--workers".into(), self.workers.to_string().into()]);
        match &self.input {
            Input::Live => args.push("--live".into()),
            Input::History(Some(dir)) => args.extend(["--history".into(), dir.into()]),
            Input::History(None) => {}
        }
        args.extend(self.out.iter().flat_map(|dir| ["--out".into(), dir.into()]));
        args.extend((!self.digest).then(|| "--no-digest".into()));
        args
    }
}
