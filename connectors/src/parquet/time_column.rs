//! The column that holds the event time, and what its numbers mean.

use arrow_array::Array;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use dualgauge_engine::columns::{UNIT, ZONE, unit_named};
use dualgauge_engine::{Error, EventTime, Result};

use crate::suggest::did_you_mean;

/// The event-time column of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimeColumn {
    /// Its position among the root columns of the file.
    pub(super) root: usize,
    name: String,
    unit: Unit,
    /// What its values are.
    values: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Days,
    Seconds,
    Millis,
    Micros,
    Nanos,
    /// An integer whose unit nobody gave; only the decoder knows.
    Unknown,
}

impl TimeColumn {
    /// Finds the column `name` in a file's schema; `wanted` is the record's field of that name.
    pub(super) fn find(schema: &Schema, name: &str, wanted: Option<&Field>) -> Result<TimeColumn> {
        let Some((root, field)) = schema.column_with_name(name) else {
            let columns: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            let hint = did_you_mean(name, columns.iter().copied());
            return Err(Error::data(format!(
                "there is no column `{name}`{hint}, which holds the event time; the columns are {}",
                columns.join(", ")
            )));
        };
        let unit = match field.data_type() {
            // Local times of a zone are not ordered, since clocks are put back.
            DataType::Timestamp(_, None) if wanted.is_some_and(|field| field.metadata().contains_key(ZONE)) => {
                Unit::Unknown
            }
            DataType::Timestamp(unit, _) => Unit::from(*unit),
            DataType::Date32 => Unit::Days,
            DataType::Date64 => Unit::Millis,
            DataType::Utf8View => Unit::Unknown,
            DataType::Int64 | DataType::UInt64 | DataType::Int32 | DataType::UInt32 => Unit::named(wanted)?,
            other => {
                return Err(Error::data(format!(
                    "column `{name}` is {other} and cannot be the event time; a timestamp, a date, an integer or a text can"
                )));
            }
        };
        let values = match field.data_type() {
            DataType::Utf8View => "texts",
            DataType::Timestamp(..) => "clocks",
            _ => "integers",
        };
        Ok(TimeColumn { root, name: name.to_owned(), unit, values })
    }

    /// What the column is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What its values are, for messages.
    pub(super) fn numbers(&self) -> &'static str {
        self.values
    }

    /// Whether the meaning of the numbers is known.
    pub(super) fn is_known(&self) -> bool {
        self.unit != Unit::Unknown
    }

    /// The event time in a row of the column, or in a statistic of it; `None` where it is null.
    pub(super) fn time(&self, column: &dyn Array, row: usize) -> Option<EventTime> {
        if column.is_null(row) || !self.is_known() {
            return None;
        }
        with_raw(column, |raw| Some(self.unit.time(raw(row))))
    }

    /// Raises `reached` to the event times of a column that should ascend. Returns the first row that does not, and its
    /// time.
    pub(super) fn ascend(&self, column: &dyn Array, reached: &mut EventTime) -> Result<(), (usize, EventTime)> {
        with_raw(column, |raw| {
            for row in (0..column.len()).filter(|row| self.is_known() && !column.is_null(*row)) {
                let time = self.unit.time(raw(row));
                if time < *reached {
                    return Err((row, time));
                }
                *reached = time;
            }
            Ok(())
        })
    }

    /// The smallest and largest event time in the column; `None` where all are null.
    pub(super) fn range(&self, column: &dyn Array) -> Option<(EventTime, EventTime)> {
        let data = column.to_data();
        let valid = |row: &usize| !column.is_null(*row);
        let rows = (0..column.len()).filter(valid);
        match column.data_type() {
            DataType::Int32 | DataType::Date32 => self.extremes(rows.map(|row| data.buffer::<i32>(0)[row].into())),
            DataType::UInt32 => self.extremes(rows.map(|row| data.buffer::<u32>(0)[row].into())),
            DataType::UInt64 => {
                self.extremes(rows.map(|row| data.buffer::<u64>(0)[row].try_into().unwrap_or(i64::MAX)))
            }
            _ => self.extremes(rows.map(|row| data.buffer::<i64>(0)[row])),
        }
    }

    fn extremes(&self, raw: impl Iterator<Item = i64>) -> Option<(EventTime, EventTime)> {
        let range = raw.fold(None, |range, raw| match range {
            None => Some((raw, raw)),
            Some((min, max)) => Some((raw.min(min), raw.max(max))),
        });
        // The order of the raw numbers is that of the times: flooring and saturating keep it.
        range.map(|(min, max)| (self.unit.time(min), self.unit.time(max)))
    }
}

/// What `made` returns, given the column's raw values by their place.
fn with_raw<T>(column: &dyn Array, made: impl FnOnce(&dyn Fn(usize) -> i64) -> T) -> T {
    let data = column.to_data();
    made(&|row| match column.data_type() {
        DataType::Int32 | DataType::Date32 => data.buffer::<i32>(0)[row].into(),
        DataType::UInt32 => data.buffer::<u32>(0)[row].into(),
        DataType::UInt64 => data.buffer::<u64>(0)[row].try_into().unwrap_or(i64::MAX),
        _ => data.buffer::<i64>(0)[row],
    })
}

impl Unit {
    fn named(field: Option<&Field>) -> Result<Unit> {
        let Some(unit) = field.and_then(|field| field.metadata().get(UNIT)) else { return Ok(Unit::Unknown) };
        let named = unit_named(unit).map(Unit::from);
        named.ok_or_else(|| Error::usage(format!("`{unit}` is not a unit of time; write s, ms, us or ns")))
    }

    /// Microseconds, floored: the rule for every event time of a finer unit. Flooring keeps order, so the floored
    /// maximum is the largest event time; the ends of time saturate.
    fn time(self, raw: i64) -> EventTime {
        EventTime::from_micros(match self {
            Unit::Days => raw.saturating_mul(86_400_000_000),
            Unit::Seconds => raw.saturating_mul(1_000_000),
            Unit::Millis => raw.saturating_mul(1_000),
            Unit::Micros | Unit::Unknown => raw,
            Unit::Nanos => raw.div_euclid(1_000),
        })
    }
}

impl From<TimeUnit> for Unit {
    fn from(unit: TimeUnit) -> Unit {
        match unit {
            TimeUnit::Second => Unit::Seconds,
            TimeUnit::Millisecond => Unit::Millis,
            TimeUnit::Microsecond => Unit::Micros,
            TimeUnit::Nanosecond => Unit::Nanos,
        }
    }
}
