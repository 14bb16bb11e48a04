//! The connectors that every program has, as bindings name them. The memory connector is not among them: only a program
//! has rows in memory.

use dualgauge_engine::{Result, Sink, Source};

use super::delimiter::Delimiter;
use super::listed::listed;
use super::shown::{self, FIRINGS, IN_ORDER};
use super::values::{COLUMNS, TEXT_COLUMNS};
use super::{Binding, COUNT, Connector, Positive, SPAN, Span, TRUTH};
use crate::hybrid::Hybrid;
use crate::text::{Format, TextSink, TextSource};
use crate::{csv, json, log, parquet};

pub(super) struct Parquet;
pub(super) struct Log;
pub(super) struct Csv;
pub(super) struct Json;

impl Connector for Parquet {
    fn scheme(&self) -> &str {
        "parquet"
    }

    fn help(&self) -> (&str, &str) {
        ("parquet:data/bids/", "history: files, a directory or a pattern")
    }

    fn source(&self, binding: &mut Binding) -> Result<Box<dyn Source>> {
        Ok(Box::new(parquet_files(binding)?))
    }

    fn sink(&self, binding: &mut Binding) -> Result<Box<dyn Sink>> {
        binding.is_on_disk()?;
        binding.refuse_shown()?;
        let sink = parquet::write(&binding.path);
        let sink = binding.option(sink, "buckets", COUNT, |sink, Positive(count)| sink.buckets(count))?;
        let sink = binding.option(sink, "row_group_rows", COUNT, |sink, Positive(count)| sink.row_group_rows(count))?;
        let sink = binding.option(sink, "span", SPAN, |sink, Span(span)| sink.span(span))?;
        Ok(Box::new(binding.option(sink, "overwrite", TRUTH, parquet::ParquetSink::overwrite)?))
    }
}

impl Connector for Log {
    fn scheme(&self) -> &str {
        "log"
    }

    fn help(&self) -> (&str, &str) {
        ("log:data/live/bids", "live: an event log, followed until it is sealed")
    }

    fn source(&self, binding: &mut Binding) -> Result<Box<dyn Source>> {
        Ok(Box::new(opened_log(binding)?))
    }

    fn sink(&self, binding: &mut Binding) -> Result<Box<dyn Sink>> {
        binding.is_on_disk()?;
        binding.refuse("order", IN_ORDER)?;
        let partitions = binding.option(1, "partitions", COUNT, |_, Positive(count)| count)?;
        let sink = log::LogSink::new(&binding.path, u32::try_from(partitions).unwrap_or(u32::MAX));
        let sink = binding.choice(sink, "firings", FIRINGS, log::LogSink::firings)?;
        Ok(Box::new(binding.option(sink, "seal", TRUTH, log::LogSink::seal)?))
    }

    /// Parquet files that were archived from the log say themselves where they end in it.
    fn behind(&self, scheme: &str, history: &mut Binding, live: &mut Binding) -> Result<Option<Box<dyn Source>>> {
        if scheme != "parquet" {
            return Ok(None);
        }
        let (before, after) = (parquet_files(history)?, opened_log(live)?);
        match Source::bounded(&after) {
            true => Ok(None),
            false => Ok(Some(Box::new(Hybrid::archived_as(before, after)?))),
        }
    }
}

impl Connector for Csv {
    fn scheme(&self) -> &str {
        "csv"
    }

    fn help(&self) -> (&str, &str) {
        ("csv:bids.csv?disorder=5s", "text; `-` is standard input or output")
    }

    fn standard_input(&self) -> bool {
        true
    }

    fn source(&self, binding: &mut Binding) -> Result<Box<dyn Source>> {
        let source = text_source(binding, csv::read(&binding.path))?;
        let source = binding.option(source, "header", TRUTH, TextSource::<csv::Csv>::header)?;
        let delimited = |source: TextSource<csv::Csv>, Delimiter(byte)| source.delimiter(byte);
        Ok(Box::new(binding.option(source, "delimiter", Delimiter::EXPECTED, delimited)?))
    }

    fn sink(&self, binding: &mut Binding) -> Result<Box<dyn Sink>> {
        let sink = text_sink(binding, csv::write(&binding.path))?;
        let delimited = |sink: TextSink<csv::Csv>, Delimiter(byte)| sink.delimiter(byte);
        Ok(Box::new(binding.option(sink, "delimiter", Delimiter::EXPECTED, delimited)?))
    }
}

impl Connector for Json {
    fn scheme(&self) -> &str {
        "json"
    }

    fn help(&self) -> (&str, &str) {
        ("json:bids.jsonl?follow=true", "text, a JSON object a line; a followed file may grow")
    }

    fn standard_input(&self) -> bool {
        true
    }

    fn source(&self, binding: &mut Binding) -> Result<Box<dyn Source>> {
        Ok(Box::new(text_source(binding, json::read(&binding.path))?))
    }

    fn sink(&self, binding: &mut Binding) -> Result<Box<dyn Sink>> {
        Ok(Box::new(text_sink(binding, json::write(&binding.path))?))
    }
}

fn parquet_files(binding: &mut Binding) -> Result<parquet::ParquetSource> {
    binding.is_on_disk()?;
    let source = parquet::read(&binding.path).written(binding.written(COLUMNS)?);
    let source = binding.option(source, "sorted", TRUTH, parquet::ParquetSource::sorted)?;
    Ok(source.listed(listed(binding)?))
}

fn opened_log(binding: &mut Binding) -> Result<log::LogSource> {
    binding.is_on_disk()?;
    let follow = binding.option(true, "follow", TRUTH, |_, follow| follow)?;
    let written = binding.written(COLUMNS)?;
    Ok(log::LogSource::open(&binding.path)?.bounded(!follow).written(written))
}

fn text_source<F: Format>(binding: &mut Binding, source: TextSource<F>) -> Result<TextSource<F>> {
    binding.refuse_of_stdin()?;
    let source = binding.option(source, "follow", TRUTH, TextSource::follow)?;
    let source = binding.option(source, "block_bytes", COUNT, |source, Positive(bytes)| source.block_bytes(bytes))?;
    let source =
        binding.option(source, "line_bytes_max", COUNT, |source, Positive(bytes)| source.line_bytes_max(bytes))?;
    let written = binding.written(TEXT_COLUMNS)?;
    Ok(source.written(written).listed(listed(binding)?))
}

fn text_sink<F: Format>(binding: &mut Binding, sink: TextSink<F>) -> Result<TextSink<F>> {
    binding.refuse_of_stdout()?;
    let sink = binding.option(sink, "buckets", COUNT, |sink, Positive(count)| sink.buckets(count))?;
    let sink = binding.option(sink, "span", SPAN, |sink, Span(span)| sink.span(span))?;
    let sink = shown::of_text(binding, sink)?;
    binding.option(sink, "overwrite", TRUTH, TextSink::overwrite)
}
