//! A run as a file: `hot_items run --job job.toml`.
//!
//! ```toml
//! workers = 2
//! from = 2026-01-01T00:00:00Z
//!
//! checkpoint = "checkpoints/hot_items"
//! every = "10s"
//! restart = 5
//!
//! [sources]
//! bids = "parquet:data/bids/"
//! auctions = { binding = "csv:auctions.csv", disorder = "5s" }
//!
//! [sinks]
//! hot_items = "csv:out/"
//! ```
//!
//! The keys are those of the command line's options. A binding is text, or a table whose other keys are its options.
//! Paths are relative to where the program runs, as on the command line.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::checkpoints::CheckpointSettings;
use super::figures::parse_bytes;
use super::settings::{Binding, Settings};
use crate::checkpoint::CommitName;
use crate::{Duration, Error, EventTime, Result};

/// The longest job file.
const BYTES_MAX: u64 = 1 << 20;

/// How much of it is shown when something is wrong.
const SHOWN_MAX: usize = 2000;

/// The file's keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JobFile {
    #[serde(default)]
    sources: BTreeMap<String, Binding>,
    #[serde(default)]
    sinks: BTreeMap<String, Binding>,
    workers: Option<usize>,
    #[serde(default, deserialize_with = "time")]
    from: Option<EventTime>,
    #[serde(default, deserialize_with = "time")]
    to: Option<EventTime>,
    #[serde(default, deserialize_with = "time")]
    until: Option<EventTime>,
    #[serde(default, deserialize_with = "time")]
    seam: Option<EventTime>,
    checkpoint: Option<String>,
    #[serde(default, deserialize_with = "length")]
    every: Option<Duration>,
    fresh: Option<bool>,
    #[serde(default, deserialize_with = "checkpoint")]
    from_checkpoint: Option<CommitName>,
    replace_output: Option<bool>,
    #[serde(default)]
    drop_state: Vec<String>,
    restart: Option<u32>,
    #[serde(default, deserialize_with = "bytes")]
    state_max: Option<u64>,
}

/// Reads the settings that a file holds.
///
/// # Errors
/// A file that is not there, or one that cannot be read as a job: the error names the line and what was expected there.
pub(super) fn read(path: &Path) -> Result<Settings> {
    let unread = |cause| Error::usage(format!("cannot read the job file {}", path.display())).caused_by(cause);
    let mut text = String::new();
    // Something without an end, such as a device, is not a job file either.
    let file = std::fs::File::open(path).map_err(unread)?;
    file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(unread)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(Error::usage(format!("job file {}: it has more than {BYTES_MAX} bytes", path.display())));
    }
    let file: JobFile = toml::from_str(&text)
        .map_err(|error| Error::usage(format!("job file {}: {}", path.display(), shown(&error, &text))))?;
    let JobFile { sources, sinks, workers, from, to, until, seam, .. } = file;
    let checkpoints = CheckpointSettings {
        checkpoint: file.checkpoint,
        every: file.every,
        fresh: file.fresh.unwrap_or(false),
        from_checkpoint: file.from_checkpoint,
        replace_output: file.replace_output.unwrap_or(false),
        drop_state: file.drop_state,
        restart: file.restart,
        state_max: file.state_max,
    };
    let from_here = |(name, binding)| (name, Binding { file: Some(path.to_path_buf()), ..binding });
    let (sources, sinks) = (sources.into_iter().map(from_here).collect(), sinks.into_iter().map(from_here).collect());
    Ok(Settings { sources, sinks, workers, from, to, until, seam, checkpoints })
}

/// What is wrong, with the line that it is in if a person can read that.
fn shown(error: &toml::de::Error, text: &str) -> String {
    let (whole, at) = (error.to_string(), error.span().map_or(0, |span| span.start));
    match whole.len() <= SHOWN_MAX {
        true => whole,
        false => {
            let line = text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1;
            let message: String = error.message().chars().take(SHOWN_MAX).collect();
            format!("line {line}: {message}")
        }
    }
}

/// A length of time as text.
fn length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

/// A value written as text or as a whole number, as text; otherwise its type.
fn text_or_number(value: toml::Value) -> Result<String, &'static str> {
    match value {
        toml::Value::String(text) => Ok(text),
        toml::Value::Integer(number) => Ok(number.to_string()),
        other => Err(other.type_str()),
    }
}

/// A number of bytes as text or as a number.
fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = text_or_number(toml::Value::deserialize(deserializer)?);
    let text = text.map_err(|of| D::Error::custom(format!("expected bytes such as \"512MiB\", and this is {of}")))?;
    parse_bytes(&text).map(Some).map_err(D::Error::custom)
}

/// What a checkpoint is called, as text or as the number of its epoch.
fn checkpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<CommitName>, D::Error> {
    let text = text_or_number(toml::Value::deserialize(deserializer)?).map_err(|of| {
        D::Error::custom(format!("expected an epoch such as 310 or \"310@2\", and this is of type {of}"))
    })?;
    text.parse().map(Some).map_err(D::Error::custom)
}

/// An event time as text or as TOML's own.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<EventTime>, D::Error> {
    let text = match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => text,
        toml::Value::Datetime(time) => time.to_string(),
        other => return Err(D::Error::custom(format!("expected a time, and this is of type {}", other.type_str()))),
    };
    text.parse().map(Some).map_err(D::Error::custom)
}

impl<'de> Deserialize<'de> for Binding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Binding, D::Error> {
        deserializer.deserialize_any(BindingVisitor)
    }
}

struct BindingVisitor;

impl<'de> Visitor<'de> for BindingVisitor {
    type Value = Binding;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a binding such as \"parquet:data/bids/\", or a table with `binding` and its options")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Binding, E> {
        Ok(Binding::from_text(text.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Binding, A::Error> {
        let (mut text, mut options) = (None, Vec::new());
        while let Some(key) = map.next_key::<String>()? {
            let value = match map.next_value::<toml::Value>()? {
                toml::Value::String(value) => value,
                value @ (toml::Value::Integer(_) | toml::Value::Boolean(_)) => value.to_string(),
                other => {
                    let kind = other.type_str();
                    return Err(A::Error::custom(format!(
                        "`{key}` is of type {kind}; expected text, a whole number, true or false"
                    )));
                }
            };
            match key.as_str() {
                "binding" => text = Some(value),
                _ => options.push((key, value)),
            }
        }
        let text = text.ok_or_else(|| A::Error::custom("the table has no `binding`"))?;
        Ok(Binding { text, options, file: None })
    }
}
