//! `dualgauge checkpoint`: what a place of checkpoints holds, whether it is whole, and one more that is kept.

use clap::{Arg, ArgMatches, Command};
use dualgauge::checkpoint::{Entry, Found, open_existing_store, verify_all};
use dualgauge::{Error, Result};

use crate::place::{self, Place, count, word};
use crate::print::{answer, answer_line, remark};
use crate::savepoint;
use crate::show::show;

pub(crate) fn command() -> Command {
    let place = || Arg::new("place").value_name("PLACE").required(true).help("A directory, or a URL");
    Command::new("checkpoint")
        .about("Look into checkpoints, also while a job runs; or ask it for one that is kept")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(Command::new("ls").about("List the starts and checkpoints of a place").arg(place()))
        .subcommand(
            Command::new("show")
                .about("Say what a checkpoint holds: sources, sinks, and the state of each step, which is read")
                .arg(place())
                .arg(place::epoch()),
        )
        .subcommand(Command::new("verify").about("Read all that is stored and check it").arg(place()))
        .subcommand(savepoint::command(place()))
}

pub(crate) fn call(matches: &ArgMatches) -> Result<()> {
    let (name, matches) = matches.subcommand().expect("clap requires one");
    let place = matches.get_one::<String>("place").expect("clap requires it");
    match name {
        "ls" => ls(place),
        "show" => {
            let mut told = String::new();
            let looked = place::look(place, matches, |store, number, commit| {
                told.clear();
                show(&mut told, store, number, commit)
            });
            answer!("{told}"); // sources and steps, even if the state cannot be read
            looked
        }
        "savepoint" => savepoint::call(place, matches),
        _ => verify(place),
    }
}

fn ls(place: &str) -> Result<()> {
    let header = ["entry", "what", "generation", "epoch", "taken", "steps", "layers", "bytes"];
    let mut rows = vec![header.map(str::to_string)];
    for (number, entry) in Place::open(place)?.entries {
        let number = number.to_string();
        rows.push(match entry {
            Ok(Entry::Fence(fence)) => {
                let mut row = [const { String::new() }; 8];
                (row[0], row[1], row[2]) = (number, "start".to_string(), fence.generation.to_string());
                row
            }
            Ok(Entry::Commit(commit)) => [
                number,
                word(commit.kind).to_string(),
                commit.generation.to_string(),
                commit.epoch.to_string(),
                commit.taken.to_string(),
                commit.steps.len().to_string(),
                commit.layers().count().to_string(),
                commit.layers().map(|layer| layer.size).sum::<u64>().to_string(),
            ],
            Err(error) => {
                remark!("note: {error}");
                let mut row = [const { String::new() }; 8];
                (row[0], row[1]) = (number, "damaged".to_string());
                row
            }
        });
    }
    print_table(&rows);
    Ok(())
}

fn print_table(rows: &[[String; 8]]) {
    let widths: Vec<_> = (0..8).map(|at| rows.iter().map(|row| row[at].len()).max().unwrap_or(0)).collect();
    for row in rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        answer_line!("{}", cells.join("  ").trim_end());
    }
}

fn verify(place: &str) -> Result<()> {
    let store = open_existing_store(place)?;
    let verified = verify_all(&*store)?;
    let mut damaged = 0;
    for commit in &verified {
        let what = match commit.commit {
            Some((epoch, kind)) => format!("{} of epoch {epoch}", word(kind)),
            None => "unreadable".to_string(),
        };
        let found = match &commit.found {
            Found::Whole => "whole".to_string(),
            Found::Collected => "collected: newer ones took its place".to_string(),
            Found::Damaged(how) => {
                damaged += 1;
                format!("damaged: {how}")
            }
        };
        answer_line!("entry {}, {what}: {found}", commit.number);
    }
    let all = count(verified.len() as u64, "checkpoint");
    if damaged > 0 {
        return Err(Error::data(format!("{}: {damaged} of {all} damaged", store.describe())));
    }
    if verified.is_empty() {
        Place::open(place)?; // refuses a place that does not hold checkpoints
    }
    answer_line!("{all}, none damaged");
    Ok(())
}
