//! Instants and lengths of time as people and programs write them.

use arrow_array::timezone::Tz;
use arrow_cast::parse::string_to_datetime;
use arrow_schema::{DataType, Field, TimeUnit};
use dualgauge_engine::columns::{Instants, Said, UNIT, counted, is_number, nanoseconds_of, unit_named};
use dualgauge_engine::{Duration, EventTime};
use jiff::SignedDuration;

/// How the times of a column are read, in the column's own measure.
pub(super) struct Times {
    /// The unit of the column's numbers.
    measure: TimeUnit,
    /// What a plain number counts, if that is set.
    unit: Option<TimeUnit>,
    /// How times are written; `None` if what is set is not a way to write times, which `describe_time` reports.
    written: Option<Instants>,
    /// Nothing is set about how times are written.
    is_plain: bool,
    utc: Tz,
}

impl Times {
    pub(super) fn of(field: &Field) -> Times {
        let (DataType::Timestamp(measure, _) | DataType::Duration(measure)) = field.data_type() else {
            panic!("{} is no time", field.data_type());
        };
        let said = Said::by(field);
        let is_plain = said.format.is_none() && said.zone.is_none();
        let (written, utc) = (Instants::of(said).ok(), "+00:00".parse().expect("an offset"));
        Times { measure: *measure, unit: said.unit, written, is_plain, utc }
    }

    /// An instant: a time of RFC 3339 or much like it, or a number where the column has a unit.
    pub(super) fn instant(&self, text: &str) -> Option<i64> {
        let text = text.trim_ascii();
        let written = self.written.as_ref()?;
        if self.is_plain {
            if is_number(text) {
                return self.counted(text);
            }
            // The shape that nearly all have, read faster; if it can be read at all, the result is the same as below,
            // except for leap seconds.
            if text.get(17..19) != Some("60")
                && let Ok(time) = string_to_datetime(&self.utc, text)
            {
                return match self.measure {
                    TimeUnit::Second => Some(time.timestamp()),
                    TimeUnit::Millisecond => Some(time.timestamp_millis()),
                    TimeUnit::Microsecond => Some(time.timestamp_micros()),
                    TimeUnit::Nanosecond => time.timestamp_nanos_opt(),
                };
            }
        }
        written.nanoseconds(text)?.div_euclid(i128::from(nanoseconds_of(self.measure))).try_into().ok()
    }

    /// A length of time: `PT1.5S`, `1h30m`, or a number where the column has a unit.
    pub(super) fn length(&self, text: &str) -> Option<i64> {
        let text = text.trim_ascii();
        if is_number(text) {
            return self.counted(text);
        }
        let ours = text.parse::<Duration>().ok().map(|length| i128::from(length.as_micros()) * 1_000);
        let length = ours.or_else(|| text.parse::<SignedDuration>().ok().map(|length| length.as_nanos()))?;
        length.div_euclid(i128::from(nanoseconds_of(self.measure))).try_into().ok()
    }

    /// A number of the column's unit; what is finer than the column's own measure is floored.
    fn counted(&self, text: &str) -> Option<i64> {
        let unit = self.unit?;
        match text.parse::<i64>() {
            Ok(number) if unit == self.measure => Some(number),
            _ => counted(text, unit)?.div_euclid(i128::from(nanoseconds_of(self.measure))).try_into().ok(),
        }
    }
}

/// What was expected of a column of times, and what probably went wrong.
pub(super) fn describe_time(field: &Field, found: &str) -> (String, &'static str) {
    let instants = matches!(field.data_type(), DataType::Timestamp(..));
    let said = Said::by(field);
    if instants && let Err(error) = Instants::of(said) {
        return (format!("a time by what is said of the column: {error}"), "the format or the zone is misspelt");
    }
    if instants && let Some(format) = said.format {
        return (format!("a time as the format {format} has it"), "the time is written in another way, or never was");
    }
    if instants && let Some(zone) = said.zone.filter(|_| !is_number(found.trim_ascii())) {
        return (
            format!("a time such as 2026-01-01T12:00:00 that there is in the zone {zone}"),
            "the time is written in another way, or was left out when the clocks were put forward",
        );
    }
    match (is_number(found.trim_ascii()), unit_of(field)) {
        (true, None) => {
            let units = [("s", TimeUnit::Second), ("ms", TimeUnit::Millisecond), ("us", TimeUnit::Microsecond)];
            let readings = units.iter().filter_map(|(name, unit)| {
                let micros = counted(found.trim_ascii(), *unit)?.div_euclid(1_000).try_into().ok()?;
                let (time, length) = (EventTime::from_micros(micros), Duration::from_micros(micros));
                Some(format!("{} as `{name}`", if instants { time.to_string() } else { length.to_string() }))
            });
            let readings = readings.collect::<Vec<_>>().join(", ");
            let expected = format!("a number whose unit is said ({readings})");
            (expected, "the unit is missing: #[column(unit = \"ms\")] says it")
        }
        (true, Some(_)) => ("a number that is a time in the column's unit".to_string(), "the unit is another one"),
        (false, Some(_)) if found.trim_ascii().parse::<f64>().is_ok_and(f64::is_finite) => (
            "a number in plain digits".to_string(),
            "it was written as a float, which may have lost digits: write times as whole numbers",
        ),
        (false, _) if instants => (
            "an RFC 3339 time such as 2026-01-01T12:00:00Z".to_string(),
            "the time is written in another way, or the columns are in another order",
        ),
        (false, _) => ("a length of time such as PT1.5S or 1h30m".to_string(), "the length is written in another way"),
    }
}

fn unit_of(field: &Field) -> Option<TimeUnit> {
    field.metadata().get(UNIT).and_then(|unit| unit_named(unit))
}
