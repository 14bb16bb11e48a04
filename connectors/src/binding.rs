//! Bindings as text: `csv:data/bids/?follow=true` becomes a source, `json:out/?buckets=4` a sink.
//!
//! A binding is a scheme, a colon, a path, and options after a question mark, `key=value` with `&` between. `-` as a
//! path is standard input or output. An unknown scheme or option is refused with a list of the known ones. Behind a
//! scheme stands a [`Connector`], and a [`Registry`] holds them all. The options of a source that the engine follows,
//! whatever the connector (`disorder=5s`, `idle_after=1m`, `all_idle=clock`, `max_ahead=1h`, `bad=drop`,
//! `new_files=fail`), are [`source_options`].

mod built_in;
mod delimiter;
mod hybrid;
mod registry;
mod shown;
mod standard;
mod values;

use std::fmt::Display;
use std::str::FromStr;

use dualgauge_engine::flow::{AllIdle, BadRecords, NewFiles, SourceOptions};
use dualgauge_engine::{Duration, Error, EventTime, Result, Sink, Source};

use self::values::TEXT_COLUMNS;
use crate::suggest::did_you_mean;

pub use registry::{Connector, Registry};

/// The source that a binding names.
///
/// # Errors
/// Of kind `Usage`: an unknown scheme or option, or a value that is not what the option takes.
///
/// ```
/// use dualgauge_connectors::binding;
///
/// let bids = binding::source("csv:data/bids/?follow=true&delimiter=;").unwrap();
/// assert_eq!(bids.describe(), "csv:data/bids/");
/// assert!(!bids.bounded());
/// ```
pub fn source(text: &str) -> Result<Box<dyn Source>> {
    Registry::built_in().source(text)
}

/// The options in a binding of a source that override what the graph says of it.
///
/// # Errors
/// As for [`source`].
///
/// ```
/// use dualgauge_connectors::binding;
/// use dualgauge_engine::Durations;
/// use dualgauge_engine::flow::SourceOptions;
///
/// let options = binding::source_options("csv:data/bids/?follow=true&disorder=5s").unwrap();
/// assert_eq!(options, SourceOptions::default().disorder(5.seconds()));
/// ```
pub fn source_options(text: &str) -> Result<SourceOptions> {
    Registry::built_in().source_options(text)
}

/// The bindings in a list with commas between them: `parquet:data/bids/,log:data/live/bids` is two.
///
/// A comma separates where a known scheme and a colon follow it; any other belongs to a path or an option.
///
/// ```
/// use dualgauge_connectors::binding;
///
/// assert_eq!(binding::parts("parquet:a,b/,log:live"), ["parquet:a,b/", "log:live"]);
/// ```
pub fn parts(text: &str) -> Vec<&str> {
    Registry::built_in().parts(text)
}

/// The sink that a binding names.
///
/// # Errors
/// As for [`source`].
///
/// ```
/// use dualgauge_connectors::binding;
///
/// assert_eq!(binding::sink("json:out/?buckets=4&span=10m").unwrap().buckets(), 4);
/// ```
pub fn sink(text: &str) -> Result<Box<dyn Sink>> {
    Registry::built_in().sink(text)
}

/// History, then live: the second binding continues where the first one ends.
///
/// Without a seam, the files must be those that were archived from the log: they say themselves where they end. Any two
/// sources can be cut at an event time. Each side takes the options of its own connector, and the engine's options for
/// a source ([`hybrid_options`]) may stand at either.
///
/// # Errors
/// As for [`source`]; two sources that need a seam and have none; files that do not fit the log.
pub fn hybrid(history: &str, live: &str, seam: Option<EventTime>) -> Result<Box<dyn Source>> {
    Registry::built_in().hybrid(history, live, seam)
}

/// The options in two bindings of one source that override what the graph says of it. They apply to the source as a
/// whole, whichever side gives them.
///
/// # Errors
/// As for [`source`]; an option to which the sides give different values.
///
/// ```
/// use dualgauge_connectors::binding;
///
/// let options = binding::hybrid_options("csv:old/?disorder=5s", "csv:new/?follow=true&bad=drop").unwrap();
/// assert_eq!(options, binding::source_options("csv:both/?disorder=5s&bad=drop").unwrap());
/// assert!(binding::hybrid_options("csv:old/?disorder=5s", "csv:new/?disorder=1s").is_err());
/// ```
pub fn hybrid_options(history: &str, live: &str) -> Result<SourceOptions> {
    Registry::built_in().hybrid_options(history, live)
}

/// What a binding says to its connector: a path, and options that are taken out one by one.
pub struct Binding {
    path: String,
    options: Vec<(String, String)>,
    /// The names that the connector asked for: these are all the options it has.
    known: Vec<&'static str>,
}

impl Binding {
    fn parse(rest: &str) -> Result<Binding> {
        // The question mark of a pattern such as `bids-?.parquet` or `a?/day=1/` is a part of the path; `?format.ts=` is none.
        let is_path = |rest: &str| {
            let (name, value) = rest.split_once('=').map_or((rest, None), |(name, value)| (name, Some(value)));
            let of_column = name.split_once('.').filter(|(key, _)| value.is_some() && TEXT_COLUMNS.contains(key));
            of_column.is_none() && name.contains(['.', '/', '*', '[', '{'])
        };
        let (path, options) = rest.rsplit_once('?').filter(|(_, rest)| !is_path(rest)).unwrap_or((rest, ""));
        if path.is_empty() {
            return Err(Error::usage("the path is missing"));
        }
        let mut parsed: Vec<(String, String)> = Vec::new();
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let missing = || Error::usage(format!("option `{option}` has no value; write {option}=VALUE"));
            let (name, value) = option.split_once('=').ok_or_else(missing)?;
            if parsed.iter().any(|(other, _)| other == name) {
                return Err(Error::usage(format!("option `{name}` is given twice")));
            }
            parsed.push((name.to_string(), value.to_string()));
        }
        Ok(Binding { path: path.to_string(), options: parsed, known: Vec::new() })
    }

    /// What stands between the colon and the question mark. Never empty.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Takes out an option, if it is given; `expected` says what its value should be: `a whole number above zero`.
    ///
    /// # Errors
    /// Of kind `Usage`: a value that is something else.
    pub fn take<V: FromStr>(&mut self, name: &'static str, expected: &str) -> Result<Option<V>> {
        self.option(None, name, expected, |_, value| Some(value))
    }

    /// Applies an option, if it is given, to what is being built.
    fn option<B, V: FromStr>(
        &mut self,
        built: B,
        name: &'static str,
        expected: &str,
        apply: impl FnOnce(B, V) -> B,
    ) -> Result<B> {
        self.read(built, name, &expected, |value| value.parse().ok(), apply)
    }

    /// The same for an option that is one of these words, each with its meaning.
    fn choice<B, V: Copy>(
        &mut self,
        built: B,
        name: &'static str,
        words: &[(&str, V)],
        apply: impl FnOnce(B, V) -> B,
    ) -> Result<B> {
        let meant = |value: &str| words.iter().find(|(word, _)| *word == value).map(|(_, meant)| *meant);
        let shown: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        let (last, others) = shown.split_last().expect("there are words to choose from");
        self.read(built, name, &format_args!("{} or {last}", others.join(", ")), meant, apply)
    }

    fn read<B, V>(
        &mut self,
        built: B,
        name: &'static str,
        expected: &dyn Display,
        meant: impl FnOnce(&str) -> Option<V>,
        apply: impl FnOnce(B, V) -> B,
    ) -> Result<B> {
        self.known.push(name);
        let Some(at) = self.options.iter().position(|(given, _)| given == name) else { return Ok(built) };
        let (_, value) = self.options.remove(at);
        match meant(&value) {
            Some(meant) => Ok(apply(built, meant)),
            None => Err(Error::usage(format!("option `{name}`: `{value}` is not {expected}"))),
        }
    }

    /// Refuses standard input and output where a place on the disk is needed.
    fn is_on_disk(&self) -> Result<()> {
        match self.path.as_str() {
            "-" => Err(Error::usage("`-` is standard input or output, which is for csv and json; name a path")),
            _ => Ok(()),
        }
    }

    /// Refuses the options that nobody asked for.
    fn finish(&self) -> Result<()> {
        let Some((name, _)) = self.options.first() else { return Ok(()) };
        let hint = did_you_mean(name, self.known.iter().copied());
        Err(Error::usage(format!("unknown option `{name}`{hint}; expected one of {}", self.known.join(", "))))
    }
}

const TRUTH: &str = "true or false";
const COUNT: &str = "a whole number above zero";
const LENGTH: &str = "a length of time such as 10s or 1h30m";
const SPAN: &str = "a length of time above zero such as 10s or 1h30m";

/// What every source understands.
fn shared(binding: &mut Binding) -> Result<SourceOptions> {
    let options = SourceOptions::default();
    let options = binding.option(options, "disorder", LENGTH, |options, Length(time)| options.disorder(time))?;
    let options = binding.option(options, "idle_after", LENGTH, |options, Length(time)| options.idle_after(time))?;
    let all_idle = &[("stay", AllIdle::Stay), ("greatest", AllIdle::Greatest), ("clock", AllIdle::Clock)];
    let options = binding.choice(options, "all_idle", all_idle, SourceOptions::all_idle)?;
    let options = binding.option(options, "max_ahead", LENGTH, |options, Length(time)| options.max_ahead(time))?;
    let bad = &[("fail", BadRecords::Fail), ("drop", BadRecords::Drop), ("quarantine", BadRecords::Quarantine)];
    let options = binding.choice(options, "bad", bad, SourceOptions::on_bad_records)?;
    let new_files = &[("late", NewFiles::Late), ("fail", NewFiles::Fail)];
    binding.choice(options, "new_files", new_files, SourceOptions::new_files)
}

/// A count that is at least one.
struct Positive(usize);

impl FromStr for Positive {
    type Err = ();

    fn from_str(text: &str) -> Result<Positive, ()> {
        text.parse().ok().filter(|&count| count > 0).map(Positive).ok_or(())
    }
}

/// A length of time, or none.
struct Length(Duration);

impl FromStr for Length {
    type Err = ();

    fn from_str(text: &str) -> Result<Length, ()> {
        text.parse().ok().filter(|length| *length >= Duration::ZERO).map(Length).ok_or(())
    }
}

/// A length of time that is not zero.
struct Span(Duration);

impl FromStr for Span {
    type Err = ();

    fn from_str(text: &str) -> Result<Span, ()> {
        text.parse().ok().filter(|span: &Duration| span.is_positive()).map(Span).ok_or(())
    }
}

#[cfg(test)]
mod basis;
mod listed;
#[cfg(test)]
mod sides;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let outcomes = [source(text).err(), sink(text).err()];
        let error = outcomes.into_iter().flatten().next().unwrap_or_else(|| panic!("{text} was accepted"));
        assert_eq!(error.kind(), dualgauge_engine::ErrorKind::Usage);
        error.to_string()
    }

    #[test]
    fn what_is_not_known_is_refused_with_what_is() {
        for (text, message) in [
            (
                "bids.csv",
                "`bids.csv` names no connector; expected one of parquet:PATH, log:PATH, csv:PATH, \
             json:PATH",
            ),
            (
                "jsn:a",
                "`jsn:a`: unknown connector `jsn` (did you mean `json`?); expected one of parquet:PATH, log:PATH, csv:PATH, \
             json:PATH",
            ),
            ("csv:", "`csv:`: the path is missing"),
            (
                "csv:a?folow=true",
                "`csv:a?folow=true`: unknown option `folow` (did you mean `follow`?); expected one of follow, \
                 block_bytes, line_bytes_max, unit, format, zone, null, whole_floats, hive, allow_empty, header, delimiter, disorder, idle_after, all_idle, max_ahead, bad, new_files",
            ),
            ("json:a?follow", "`json:a?follow`: option `follow` has no value; write follow=VALUE"),
            ("json:a?follow=yes", "`json:a?follow=yes`: option `follow`: `yes` is not true or false"),
            ("json:a?follow=true&follow=true", "`json:a?follow=true&follow=true`: option `follow` is given twice"),
        ] {
            assert_eq!(refused(text), message);
        }
        assert!(refused("csv:a?delimiter=;;").contains("is not one ASCII character"));
        assert!(refused("csv:a?delimiter=\"").contains("is not one ASCII character"));
    }

    #[test]
    fn what_every_source_understands_no_sink_does() {
        let text = "csv:a?disorder=5s&idle_after=1m&all_idle=greatest&max_ahead=1h&bad=drop&follow=true";
        source(text).unwrap();
        let expected = SourceOptions::default().disorder(Duration::from_micros(5_000_000));
        let expected = expected.idle_after(Duration::from_micros(60_000_000)).all_idle(AllIdle::Greatest);
        let expected = expected.max_ahead(Duration::from_micros(3_600_000_000)).on_bad_records(BadRecords::Drop);
        assert_eq!(source_options(text).unwrap(), expected);
        assert!(sink("csv:a?disorder=5s").err().unwrap().to_string().contains("unknown option `disorder`"));
        for (text, message) in [
            ("csv:a?disorder=5", "`5` is not a length of time such as 10s"),
            ("csv:a?bad=ignore", "`ignore` is not `fail`, `drop` or `quarantine`"),
            (
                "parquet:a?follow=true",
                "unknown option `follow`; expected one of unit, format, zone, whole_floats, sorted, hive, allow_empty, disorder, idle_after, all_idle, max_ahead, bad, new_files",
            ),
            ("log:/no/log/here", "there is no log here"),
        ] {
            assert!(refused(text).contains(message), "{}", refused(text));
        }
        assert!(
            sink("parquet:out?buckets=0").err().unwrap().to_string().contains("`0` is not a whole number above zero")
        );
    }

    #[test]
    fn a_question_mark_may_be_a_part_of_a_pattern() {
        assert_eq!(source("parquet:bids-?.parquet").unwrap().describe(), "parquet:bids-?.parquet");
        assert_eq!(source("parquet:bids-?.parquet?disorder=5s").unwrap().describe(), "parquet:bids-?.parquet");
        for options in
            ["unit.ts=ms", "format.inner.at=%d/%m/%Y&zone=Europe/Berlin", "zone=Europe/Berlin&format.ts=%Y-%m-%d"]
        {
            assert_eq!(source(&format!("parquet:a-?.parquet?{options}")).unwrap().describe(), "parquet:a-?.parquet");
        }
    }

    #[test]
    fn a_comma_separates_bindings_only_before_a_scheme() {
        assert_eq!(parts("csv:a,b.csv?delimiter=,"), ["csv:a,b.csv?delimiter=,"]);
        assert_eq!(parts("csv:a?delimiter=,,json:b"), ["csv:a?delimiter=,", "json:b"]);
    }

    #[test]
    fn a_dash_is_standard_input_or_output() {
        assert_eq!(source("json:-?follow=true").unwrap().describe(), "json:-");
        assert_eq!(sink("csv:-?delimiter=tab").unwrap().describe(), "csv:-");
    }

    #[test]
    fn options_reach_what_is_bound() {
        assert!(!source("csv:a?header=false&follow=true").unwrap().bounded());
        assert_eq!(sink("json:out?buckets=3&span=1m&overwrite=false").unwrap().buckets(), 3);
    }
}
