//! When rows are shown, as a binding of a sink says it: in which order, and which firings.

use std::str::FromStr;

use dualgauge_engine::flow::Firings;
use dualgauge_engine::{Error, Result};

use super::Binding;
use crate::text::{Format, Order, TextSink};

/// What a sink of text takes of this.
pub(super) fn of_text<F: Format>(binding: &mut Binding, sink: TextSink<F>) -> Result<TextSink<F>> {
    let sink = binding.option(sink, "order", Sorts::EXPECTED, |sink, Sorts(order)| sink.order(order))?;
    binding.option(sink, "firings", Fires::EXPECTED, |sink, Fires(firings)| sink.firings(firings))
}

impl Binding {
    /// Refuses what a Parquet file cannot do.
    pub(super) fn refuse_shown(&self) -> Result<()> {
        self.refuse("order", IN_ORDER)?;
        self.refuse("firings", NO_FIRINGS)
    }

    /// Refuses an option that others take, and says why.
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

/// In which order rows are written.
struct Sorts(Order);

impl Sorts {
    const EXPECTED: &str = "`event_time` or `none`";
}

impl FromStr for Sorts {
    type Err = ();

    fn from_str(text: &str) -> Result<Sorts, ()> {
        match text {
            "event_time" => Ok(Sorts(Order::EventTime)),
            "none" => Ok(Sorts(Order::None)),
            _ => Err(()),
        }
    }
}

/// Which firings are written.
pub(super) struct Fires(pub(super) Firings);

impl Fires {
    pub(super) const EXPECTED: &str = "`last` or `all`";
}

impl FromStr for Fires {
    type Err = ();

    fn from_str(text: &str) -> Result<Fires, ()> {
        match text {
            "last" => Ok(Fires(Firings::Last)),
            "all" => Ok(Fires(Firings::All)),
            _ => Err(()),
        }
    }
}
