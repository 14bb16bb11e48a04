//! How a sink's binding says when rows are shown: in which order, and which firings.

use dualgauge_engine::Firings;
use dualgauge_engine::{Error, Result};

use super::Binding;
use crate::text::{Format, Order, TextSink};

/// Which of these options a sink of text takes.
pub(super) fn of_text<F: Format>(binding: &mut Binding, sink: TextSink<F>) -> Result<TextSink<F>> {
    let sink = binding.choice(sink, "order", ORDERS, TextSink::order)?;
    binding.choice(sink, "firings", FIRINGS, TextSink::firings)
}

impl Binding {
    /// Refuses what a Parquet file cannot do.
    pub(super) fn refuse_shown(&self) -> Result<()> {
        self.refuse("order", IN_ORDER)?;
        self.refuse("firings", NO_FIRINGS)
    }

    /// Refuses an option that other sinks take, and says why.
    pub(super) fn refuse(&self, name: &str, why: &str) -> Result<()> {
        match self.options.iter().any(|(given, _)| given == name) {
            true => Err(Error::usage(format!("option `{name}`: {why}"))),
            false => Ok(()),
        }
    }
}

/// Why a sink that is a place on the disk takes no `order`.
pub(super) const IN_ORDER: &str =
    "rows are written in the order of event time; `order=none` is for standard output (`csv:-`, `json:-`)";

/// Why a Parquet file takes no `firings`.
const NO_FIRINGS: &str = "a Parquet file has the last firing of each result; take csv, json or a log for all of them";

/// Which firings are written.
pub(super) const FIRINGS: &[(&str, Firings)] = &[("last", Firings::Last), ("all", Firings::All)];

/// In which order rows are written.
const ORDERS: &[(&str, Order)] = &[("event_time", Order::EventTime), ("none", Order::None)];
