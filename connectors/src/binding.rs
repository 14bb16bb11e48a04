//! Bindings as text: `csv:data/bids/?follow=true` becomes a source, `json:out/?buckets=4` a sink.
//!
//! A binding is a scheme, a colon, a path, and options after a question mark, `key=value` with `&` between. `-` as a
//! path is standard input or output. What is not known is refused with a list of what is; so a connector is a line in
//! the table and two functions that read its options.

use std::fmt::Display;
use std::str::FromStr;

use dualgauge_engine::{Error, Result, Sink, Source};

use crate::suggest::did_you_mean;
use crate::text::{Format, TextSink, TextSource};
use crate::{csv, json};

/// A connector that can be bound by text. The memory connector is missing: only a program has rows.
struct Connector {
    scheme: &'static str,
    source: fn(&mut Binding) -> Result<Box<dyn Source>>,
    sink: fn(&mut Binding) -> Result<Box<dyn Sink>>,
}

const CONNECTORS: &[Connector] = &[
    Connector { scheme: "csv", source: csv_source, sink: csv_sink },
    Connector { scheme: "json", source: json_source, sink: json_sink },
];

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
    bind(text, |connector| connector.source)
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
    bind(text, |connector| connector.sink)
}

fn bind<T>(text: &str, make: impl Fn(&Connector) -> fn(&mut Binding) -> Result<T>) -> Result<T> {
    let schemes = || CONNECTORS.iter().map(|connector| connector.scheme);
    let expected = || schemes().map(|scheme| format!("{scheme}:PATH")).collect::<Vec<_>>().join(", ");
    let Some((scheme, rest)) = text.split_once(':') else {
        return Err(Error::usage(format!("`{text}` names no connector; expected one of {}", expected())));
    };
    let Some(connector) = CONNECTORS.iter().find(|connector| connector.scheme == scheme) else {
        let hint = did_you_mean(scheme, schemes());
        let message = format!("`{text}`: unknown connector `{scheme}`{hint}; expected one of {}", expected());
        return Err(Error::usage(message));
    };
    let mut binding = Binding::parse(rest).map_err(|error| error.at(format!("`{text}`")))?;
    let bound = make(connector)(&mut binding).and_then(|made| binding.finish().map(|()| made));
    bound.map_err(|error| error.at(format!("`{text}`")))
}

/// The path and the options, as they are taken out one by one.
struct Binding {
    path: String,
    options: Vec<(String, String)>,
    /// The names that were asked for: all that there are.
    known: Vec<&'static str>,
}

impl Binding {
    fn parse(rest: &str) -> Result<Binding> {
        let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
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

    /// Applies an option, if it is given, to what is being built.
    fn option<B, V: FromStr>(
        &mut self,
        built: B,
        name: &'static str,
        expected: &str,
        apply: impl FnOnce(B, V) -> B,
    ) -> Result<B> {
        self.known.push(name);
        let Some(at) = self.options.iter().position(|(given, _)| given == name) else { return Ok(built) };
        let (_, value) = self.options.remove(at);
        let not = |what: &dyn Display| Error::usage(format!("option `{name}`: `{value}` is not {what}"));
        value.parse().map(|value| apply(built, value)).map_err(|_| not(&expected))
    }

    /// Refuses what nobody asked for.
    fn finish(&self) -> Result<()> {
        let Some((name, _)) = self.options.first() else { return Ok(()) };
        let hint = did_you_mean(name, self.known.iter().copied());
        Err(Error::usage(format!("unknown option `{name}`{hint}; expected one of {}", self.known.join(", "))))
    }
}

const TRUTH: &str = "true or false";
const COUNT: &str = "a whole number";

fn csv_source(binding: &mut Binding) -> Result<Box<dyn Source>> {
    let source = text_source(binding, csv::read(&binding.path))?;
    let source = binding.option(source, "header", TRUTH, TextSource::<csv::Csv>::header)?;
    let delimited = |source: TextSource<csv::Csv>, Delimiter(byte)| source.delimiter(byte);
    Ok(Box::new(binding.option(source, "delimiter", Delimiter::EXPECTED, delimited)?))
}

fn csv_sink(binding: &mut Binding) -> Result<Box<dyn Sink>> {
    let sink = text_sink(binding, csv::write(&binding.path))?;
    let delimited = |sink: TextSink<csv::Csv>, Delimiter(byte)| sink.delimiter(byte);
    Ok(Box::new(binding.option(sink, "delimiter", Delimiter::EXPECTED, delimited)?))
}

fn json_source(binding: &mut Binding) -> Result<Box<dyn Source>> {
    Ok(Box::new(text_source(binding, json::read(&binding.path))?))
}

fn json_sink(binding: &mut Binding) -> Result<Box<dyn Sink>> {
    Ok(Box::new(text_sink(binding, json::write(&binding.path))?))
}

fn text_source<F: Format>(binding: &mut Binding, source: TextSource<F>) -> Result<TextSource<F>> {
    let source = binding.option(source, "follow", TRUTH, TextSource::follow)?;
    let source = binding.option(source, "block_bytes", COUNT, TextSource::block_bytes)?;
    binding.option(source, "line_bytes_max", COUNT, TextSource::line_bytes_max)
}

fn text_sink<F: Format>(binding: &mut Binding, sink: TextSink<F>) -> Result<TextSink<F>> {
    let sink = binding.option(sink, "buckets", COUNT, TextSink::buckets)?;
    let sink = binding.option(sink, "span", "a length of time such as 10s or 1h30m", TextSink::span)?;
    binding.option(sink, "overwrite", TRUTH, TextSink::overwrite)
}

/// One byte between fields; a tab, which is hard to type, has a name.
struct Delimiter(u8);

impl Delimiter {
    const EXPECTED: &str = "one ASCII character other than a quote or a newline, or `tab`";
}

impl FromStr for Delimiter {
    type Err = ();

    fn from_str(text: &str) -> Result<Delimiter, ()> {
        match text.as_bytes() {
            b"tab" => Ok(Delimiter(b'\t')),
            [byte] if !matches!(byte, b'"' | b'\n' | b'\r') => Ok(Delimiter(*byte)),
            _ => Err(()),
        }
    }
}

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
            ("bids.csv", "`bids.csv` names no connector; expected one of csv:PATH, json:PATH"),
            ("jsn:a", "`jsn:a`: unknown connector `jsn` (did you mean `json`?); expected one of csv:PATH, json:PATH"),
            ("csv:", "`csv:`: the path is missing"),
            (
                "csv:a?folow=true",
                "`csv:a?folow=true`: unknown option `folow` (did you mean `follow`?); expected one of follow, \
                 block_bytes, line_bytes_max, header, delimiter",
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
