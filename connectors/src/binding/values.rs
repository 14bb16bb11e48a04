//! The options of a binding that say how values are written: `format.ts=%d.%m.%Y`, `unit=ms`, `null=NA`.

use dualgauge_engine::{Error, Result};

use super::{Binding, TRUTH};
use crate::written::Written;

/// The options for how values are written: for columns with types of their own, and for text.
pub(super) const COLUMNS: &[&str] = &["unit", "format", "zone", "whole_floats"];
pub(super) const TEXT_COLUMNS: &[&str] = &["unit", "format", "zone", "null", "whole_floats"];

impl Binding {
    /// Takes out the options for how values are written, in all columns (`unit=ms`) or in one (`unit.ts=ms`).
    pub(super) fn written(&mut self, names: &[&'static str]) -> Result<Written> {
        let mut written = Written::default();
        for &name in names {
            self.known.push(name);
            let of =
                |given: &str| given.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            let given = std::mem::take(&mut self.options).into_iter();
            let (said, others): (Vec<_>, Vec<_>) = given.partition(|(given, _)| of(given));
            self.options = others;
            for (given, value) in said {
                let column = given.split_once('.').map(|(_, column)| column);
                let option = |error: Error| error.at(format!("option `{given}`"));
                written = match (name, column) {
                    ("unit", None) => written.unit(&value),
                    ("unit", Some(column)) => written.unit_of(column, &value),
                    ("format", None) => written.format(&value),
                    ("format", Some(column)) => written.format_of(column, &value),
                    ("zone", None) => written.zone(&value),
                    ("zone", Some(column)) => written.zone_of(column, &value),
                    ("null", None) => value.split(',').fold(written, Written::null),
                    ("whole_floats", None) => match value.parse() {
                        Ok(whole) => written.whole_floats(whole),
                        Err(_) => return Err(Error::usage(format!("option `{name}`: `{value}` is not {TRUTH}"))),
                    },
                    _ => {
                        return Err(Error::usage(format!(
                            "option `{given}`: `{name}` is said of all columns; write {name}={value}"
                        )));
                    }
                };
                written.check().map_err(option)?;
            }
        }
        Ok(written)
    }
}
