//! `dualgauge log`: writing, following and looking after event logs.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use dualgauge::connectors::log;
use dualgauge::{Error, Result};

use crate::append::{self, Append};
use crate::print::answer_line;
use crate::tail::{self, Tail};

/// How rows look on standard input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Json,
}

pub(crate) fn command() -> Command {
    let dir = || Arg::new("dir").value_name("DIR").required(true).value_parser(value_parser!(PathBuf)).help("The log");
    let partition = || Arg::new("partition").long("partition").value_name("N").value_parser(value_parser!(u32));
    let format = || {
        let formats = PossibleValuesParser::new(["json", "csv"]);
        Arg::new("format").long("format").value_name("FORMAT").value_parser(formats).default_value("json")
    };
    let append = Command::new("append")
        .about("Append rows from standard input, durable when the command ends or input pauses")
        .arg(dir())
        .arg(partition().help("Which partition to append to [default: 0]"))
        .arg(format().help("JSON lines, or CSV with a header"))
        .arg(Arg::new("schema").long("schema").value_name("COLUMNS").help(
            "Create the log if it is missing, with columns such as 'auction:u64,price:u64,date_time:timestamp'; \
             types are u8 to u64, i8 to i64, f32, f64, bool, string and timestamp, with a ? where values may be missing",
        ))
        .arg(
            Arg::new("event-time")
                .long("event-time")
                .value_name("COLUMN")
                .requires("schema")
                .help("The column of the event time [default: the only timestamp]"),
        )
        .arg(
            Arg::new("partitions")
                .long("partitions")
                .value_name("COUNT")
                .requires("schema")
                .value_parser(value_parser!(u32))
                .help("How many partitions a new log has [default: 1]"),
        )
        .arg(Arg::new("seal").long("seal").action(ArgAction::SetTrue).help("End the partition: nothing will follow"));
    let tail = Command::new("tail")
        .about("Print rows")
        .arg(dir())
        .arg(partition().help("Which partition to print [default: all]"))
        .arg(format().help("JSON lines, or CSV with a header"))
        .arg(
            Arg::new("from")
                .long("from")
                .value_name("OFFSET")
                .value_parser(value_parser!(u64))
                .help("Start at this offset, and not at the first that is there"),
        )
        .arg(Arg::new("follow").short('f').long("follow").action(ArgAction::SetTrue).help("Wait for more rows"));
    Command::new("log")
        .about("Write, follow and look after event logs")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(append)
        .subcommand(tail)
        .subcommand(Command::new("inspect").about("Say what a log holds, by its indexes").arg(dir()))
        .subcommand(Command::new("verify").about("Read every batch and check it against its checksum").arg(dir()))
        .subcommand(Command::new("repair").about("Rebuild lost indexes; their segments become unverified").arg(dir()))
}

pub(crate) fn call(matches: &ArgMatches) -> Result<()> {
    let (name, matches) = matches.subcommand().expect("clap requires one");
    let dir = matches.get_one::<PathBuf>("dir").expect("clap requires it");
    match name {
        "append" => append::append(&Append {
            dir: dir.clone(),
            partition: matches.get_one("partition").copied().unwrap_or(0),
            format: format(matches),
            schema: matches.get_one("schema").cloned(),
            event_time: matches.get_one("event-time").cloned(),
            partitions: matches.get_one("partitions").copied().unwrap_or(1),
            seal: matches.get_flag("seal"),
        }),
        "tail" => tail::tail(&Tail {
            dir: dir.clone(),
            partition: matches.get_one("partition").copied(),
            format: format(matches),
            from: matches.get_one("from").copied(),
            follow: matches.get_flag("follow"),
        }),
        "inspect" => {
            answer_line!("{}", log::inspect(dir)?);
            Ok(())
        }
        "verify" => verify(dir),
        _ => {
            answer_line!("{}", log::repair(dir)?);
            Ok(())
        }
    }
}

fn verify(dir: &Path) -> Result<()> {
    let verification = log::verify(dir)?;
    answer_line!("{verification}");
    match verification.is_sound() {
        true => Ok(()),
        false => Err(Error::data(format!("{}: the log is damaged", dir.display()))),
    }
}

fn format(matches: &ArgMatches) -> Format {
    match matches.get_one::<String>("format").map(String::as_str) {
        Some("csv") => Format::Csv,
        _ => Format::Json,
    }
}
