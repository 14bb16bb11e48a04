//! `dualgauge state get`: what a step keeps for a key, as JSON lines.

use std::collections::BTreeSet;

use clap::{Arg, ArgMatches, Command};
use dualgauge::checkpoint::{Commit, StateReader, StepShape};
use dualgauge::state::{Entry, EntryReader, Fingerprint, Value};
use dualgauge::{Error, Result};

use crate::place::{self, count};
use crate::print::{answer, remark};

/// How many keys are listed.
const LISTED_MAX: usize = 100;

pub(crate) fn command() -> Command {
    let get = Command::new("get")
        .about("Print what a checkpoint keeps of a key, one line of JSON for each part and time; or the keys there are")
        .arg(Arg::new("step").value_name("STEP").required(true).help("The step, by its name in the graph"))
        .arg(Arg::new("key").value_name("KEY").allow_negative_numbers(true).help(
            "The key as JSON: 7, '\"7\"', '[1,\"a\"]'; a bare word is text. Without it the first hundred keys are listed",
        ))
        .arg(Arg::new("checkpoint").long("checkpoint").value_name("PLACE").required(true).help("A directory, or a URL"))
        .arg(place::epoch())
        .arg(Arg::new("part").long("part").value_name("PART").help("Only this part of what the step keeps"));
    Command::new("state")
        .about("Look at the state in a checkpoint")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(get)
}

pub(crate) fn call(matches: &ArgMatches) -> Result<()> {
    let (_, matches) = matches.subcommand().expect("clap requires one");
    let place = matches.get_one::<String>("checkpoint").expect("clap requires it");
    let name = matches.get_one::<String>("step").expect("clap requires it");
    let (out, notes) = place::look(place, matches, |store, _, commit| {
        let step = step(commit, name)?;
        let parts = parts(step, matches.get_one::<String>("part"))?;
        let reader = StateReader::open(store, commit)?;
        match matches.get_one::<String>("key") {
            Some(key) => get(&reader, name, &parts, key).map(|out| (out, String::new())),
            None => list(&reader, name, &parts),
        }
    })?;
    answer!("{out}");
    notes.lines().for_each(|note| remark!("{note}"));
    Ok(())
}

type Parts<'a> = Vec<(&'a str, &'a Fingerprint)>;

fn step<'a>(commit: &'a Commit, name: &str) -> Result<&'a StepShape> {
    commit.steps.iter().find(|step| step.name == name).ok_or_else(|| {
        let names: Vec<_> = commit.steps.iter().map(|step| step.name.as_str()).collect();
        let there = if names.is_empty() { "none".to_string() } else { names.join(", ") };
        Error::usage(format!(
            "no step `{name}` keeps anything in the checkpoint of epoch {}; there are: {there}",
            commit.epoch
        ))
    })
}

fn parts<'a>(step: &'a StepShape, only: Option<&String>) -> Result<Parts<'a>> {
    let parts = step.parts.iter().map(|(name, shape)| (name.as_str(), shape));
    let parts: Parts<'_> = parts.filter(|(name, _)| only.is_none_or(|only| only == name)).collect();
    if let (Some(only), true) = (only, parts.is_empty()) {
        let names: Vec<_> = step.parts.iter().map(|(name, _)| name.as_str()).collect();
        return Err(Error::usage(format!(
            "the step `{}` has no part `{only}`; there are: {}",
            step.name,
            names.join(", ")
        )));
    }
    Ok(parts)
}

/// Hands out each entry of a part, once it is known how to read them.
fn each_entry(
    reader: &StateReader,
    step: &str,
    (part, shape): (&str, &Fingerprint),
    each: &mut dyn FnMut(Entry),
) -> Result<()> {
    let mut entries = EntryReader::new(shape);
    reader.entries(step, part, &mut |_, key, value| {
        entries.learn(key, value);
        Ok(())
    })?;
    reader.entries(step, part, &mut |_, key, value| {
        each(entries.read(key, value));
        Ok(())
    })
}

/// A line for each entry that has the key.
fn get(reader: &StateReader, step: &str, parts: &Parts<'_>, key: &str) -> Result<String> {
    // A text key is asked for by a bare word, even if the word happens to be a number.
    let asked = serde_json::from_str(key).unwrap_or_else(|_| serde_json::Value::from(key));
    let word = serde_json::Value::from(key);
    let mut found = String::new();
    let is_asked = |value: &Value| {
        let value = json(value);
        value == asked || value == word
    };
    for &(part, shape) in parts {
        each_entry(reader, step, (part, shape), &mut |entry| {
            let here = match &entry.key {
                Some(key) => is_asked(key),
                None => entry.value.has(&is_asked),
            };
            if here {
                found += &line(part, &entry);
                found.push('\n');
            }
        })?;
    }
    match found.is_empty() {
        true => Err(Error::data(format!(
            "the step `{step}` keeps nothing of the key {asked}; leave it out to list the keys"
        ))),
        false => Ok(found),
    }
}

/// The keys, and notes on how many keys and waiting records there are.
fn list(reader: &StateReader, step: &str, parts: &Parts<'_>) -> Result<(String, String)> {
    let (mut keys, mut records) = (BTreeSet::new(), 0);
    for &part in parts {
        each_entry(reader, step, part, &mut |entry| match &entry.key {
            Some(key) => {
                keys.insert(sortable(key));
            }
            None => records += 1,
        })?;
    }
    let listed = keys.iter().take(LISTED_MAX).map(|(_, key)| format!("{key}\n")).collect();
    let more =
        if keys.len() > LISTED_MAX { format!(", of which these are the first {LISTED_MAX}") } else { String::new() };
    let mut notes = format!("{}{more}\n", count(keys.len() as u64, "key"));
    if records > 0 {
        let waiting = count(records, "record");
        notes += &format!("waiting besides: {waiting}; name a key to see those that have it in a field\n");
    }
    Ok((listed, notes))
}

/// A key as JSON, after a number that sorts numeric keys.
fn sortable(key: &Value) -> (i128, String) {
    let number = match key {
        Value::Unsigned(number) => i128::try_from(*number).unwrap_or(i128::MAX),
        Value::Signed(number) => *number,
        _ => 0,
    };
    (number, text(key))
}

/// `{"part":"panes","place":["1970-01-01T00:00:20Z"],"key":7,"value":3}`.
fn line(part: &str, entry: &Entry) -> String {
    let mut fields = vec![("part".to_string(), Value::Text(part.to_string()))];
    if !entry.place.is_empty() {
        fields.push(("place".to_string(), Value::List(entry.place.iter().copied().map(Value::Time).collect())));
    }
    fields.extend(entry.key.clone().map(|key| ("key".to_string(), key)));
    fields.push(("value".to_string(), entry.value.clone()));
    text(&Value::Struct(fields))
}

fn json(value: &Value) -> serde_json::Value {
    serde_json::to_value(value).expect("a value is always JSON")
}

fn text(value: &Value) -> String {
    serde_json::to_string(value).expect("a value is always JSON")
}
