//! The command line as data: what the words of a call ask for.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use dualgauge_connectors::binding::Registry;

use super::checkpoints::{self, CheckpointSettings};
use super::cluster::ClusterSettings;
use super::progress::Level;
use super::settings::Settings;
use crate::{Error, EventTime, Result};

/// The verbs that a graph has.
pub(super) const VERBS: &[&str] = &["run", "plan", "graph"];

/// What is asked for.
#[derive(Debug)]
pub(super) enum Call {
    /// Run the graph.
    Run { settings: Settings, cluster: ClusterSettings, level: Level },
    /// Say what a run would read.
    Plan { settings: Settings },
    /// Show the operators.
    Graph { format: String },
}

/// Why there is no [`Call`].
pub(super) enum NoCall {
    /// clap answers: help was asked for, or the call was wrong.
    Clap(clap::Error),
    /// The words are right, but what they name is not.
    Error(Error),
}

/// Reads the words of a call, the program's name first.
pub(super) fn parse(
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    registry: &Registry,
) -> Result<Call, NoCall> {
    called(&command(registry).try_get_matches_from(args).map_err(NoCall::Clap)?)
}

/// The same for a program with several graphs, where the first word names one: its place among the names, and the call.
pub(super) fn parse_of(
    graphs: &[&'static str],
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    registry: &Registry,
) -> Result<(usize, Call), NoCall> {
    let matches = command_of(graphs, registry).try_get_matches_from(args).map_err(NoCall::Clap)?;
    let (name, matches) = matches.subcommand().expect("clap requires one");
    let at = graphs.iter().position(|graph| *graph == name).expect("clap knows no other");
    Ok((at, called(matches)?))
}

fn called(matches: &ArgMatches) -> Result<Call, NoCall> {
    let (name, matches) = matches.subcommand().expect("clap requires one");
    match name {
        "graph" => Ok(Call::Graph { format: matches.get_one::<String>("format").expect("it has a default").clone() }),
        "plan" => Ok(Call::Plan { settings: settings(matches).map_err(NoCall::Error)? }),
        _ => {
            let settings = settings(matches).map_err(NoCall::Error)?;
            let cluster = ClusterSettings::called(matches);
            let level = match matches.get_flag("quiet") {
                true => Level::Quiet,
                false => Level::of(matches.get_one::<String>("progress").expect("it has a default")),
            };
            Ok(Call::Run { settings, cluster, level })
        }
    }
}

/// What `run --help` says.
#[cfg(test)]
pub(super) fn help_of_run() -> String {
    let mut command = command(&Registry::new());
    let run = command.find_subcommand_mut("run").expect("it is one of the commands");
    run.render_help().to_string()
}

fn command(registry: &Registry) -> Command {
    let progress = Arg::new("progress")
        .long("progress")
        .value_name("KIND")
        .value_parser(PossibleValuesParser::new(Level::WORDS))
        .default_value("auto")
        .conflicts_with("quiet")
        .help("How the run is told of: a bar or lines, lines, JSON lines, no progress, notes alone");
    let run = Command::new("run")
        .about("Run the graph to the end of its input")
        .long_about(
            "Run the graph to the end of its input.\n\nThe first Ctrl-C stops it in order (with --checkpoint, after a last \
             checkpoint), the second one at once. SIGUSR1 asks for a savepoint.",
        )
        .args(binding_args())
        .args(checkpoints::args())
        .args(super::cluster::args())
        .arg(progress)
        .arg(Arg::new("quiet").short('q').long("quiet").action(ArgAction::SetTrue).help("Say nothing but errors"));
    let plan = Command::new("plan")
        .about("Say what a run would read, without reading it")
        .long_about("Say what a run would read, without reading it. Takes what `run` takes; sinks may be left out.")
        .args(binding_args());
    let format = Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .value_parser(PossibleValuesParser::new(["text", "dot", "svg"]))
        .default_value("text")
        .help("How to show it");
    let graph = Command::new("graph").about("Show the operators of the graph").arg(format);
    Command::new("dualgauge graph")
        .about("Runs one dataflow graph over history, live events, or both")
        .after_help(bindings(registry))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands([run, plan, graph])
}

/// The words of a program with several graphs.
fn command_of(graphs: &[&'static str], registry: &Registry) -> Command {
    let of = |name: &&'static str| command(registry).name(*name).about("A graph of this program: run, plan or graph");
    Command::new("dualgauge graphs")
        .about("Runs the dataflow graphs of this program over history, live events, or both")
        .after_help(bindings(registry))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand_value_name("GRAPH")
        .subcommand_help_heading("Graphs")
        .subcommands(graphs.iter().map(of))
}

/// How a binding is written, with an example of each connector.
fn bindings(registry: &Registry) -> String {
    let examples: String = registry.help().map(|(example, what)| format!("  {example:<29}  {what}\n")).collect();
    format!("A BINDING is scheme:path?option=value&…, for example\n{examples}{BINDINGS}")
}

const BINDINGS: &str = "  parquet:data/bids/,log:data/live/bids    history, then live
Every source takes disorder=TIME, idle_after=TIME, all_idle=stay|greatest|clock, max_ahead=TIME,
bad=fail|drop|quarantine and new_files=late|fail.";

fn binding_args() -> Vec<Arg> {
    let binding = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("NAME=BINDING").action(ArgAction::Append).value_parser(named).help(help)
    };
    let time = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("TIME").value_parser(value_parser!(EventTime)).help(help)
    };
    vec![
        binding("source", "What stands behind a source of the graph; once for each"),
        binding("sink", "What stands behind a sink of the graph; once for each"),
        Arg::new("job")
            .long("job")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("A TOML file with bindings and options; what the command line says goes before it"),
        time("from", "Leave out events before this event time"),
        time("to", "Leave out events at or after this event time"),
        time("until", "End live sources when their watermark reaches this event time"),
        time("seam", "Where history ends and live begins, for files that do not say so themselves"),
        Arg::new("workers")
            .long("workers")
            .value_name("COUNT")
            .value_parser(value_parser!(usize))
            .help("Worker threads; the answer is the same for any number [default: 1]"),
    ]
}

/// `NAME=BINDING`, taken apart at the first `=`.
fn named(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((name, binding)) if !name.is_empty() && !binding.is_empty() => Ok((name.to_string(), binding.to_string())),
        _ => Err(Error::usage("expected NAME=BINDING, such as bids=parquet:data/bids/")),
    }
}

/// The settings of the call, which override those of its job file.
fn settings(matches: &ArgMatches) -> Result<Settings> {
    let bindings = |name: &str| {
        let given = matches.get_many::<(String, String)>(name).into_iter().flatten();
        given.cloned().map(|(name, binding)| (name, super::settings::Binding::from_text(binding))).collect()
    };
    let time = |name: &str| matches.get_one::<EventTime>(name).copied();
    let called = Settings {
        sources: bindings("source"),
        sinks: bindings("sink"),
        workers: matches.get_one("workers").copied(),
        from: time("from"),
        to: time("to"),
        until: time("until"),
        seam: time("seam"),
        checkpoints: CheckpointSettings::called(matches),
    };
    match matches.get_one::<PathBuf>("job") {
        Some(file) => Ok(called.over(super::job_file::read(file)?)),
        None => Ok(called),
    }
}
