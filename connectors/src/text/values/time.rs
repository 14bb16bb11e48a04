//! Instants and lengths of time as people and programs write them.

use arrow_array::timezone::Tz;
use arrow_cast::parse::string_to_datetime;
use arrow_schema::{DataType, Field, TimeUnit};
use dualgauge_engine::columns::{Instants, Said, UNIT, counted, nanoseconds_of, unit_named};
use dualgauge_engine::{Duration, EventTime};
use jiff::SignedDuration;

/// How the times of a column are read, in the column's own measure.
pub(super) struct Times {
    /// What one of the column counts.
    measure: TimeUnit,
    /// What a plain number counts, where that is said.
    unit: Option<TimeUnit>,
    /// How times are written, where that is said.
    written: Option<Option<Instants>>,
    utc: Tz,
}

impl Times {
    pub(super) fn of(field: &Field) -> Times {
        let (DataType::Timestamp(measure, _) | DataType::Duration(measure)) = field.data_type() else {
            panic!("{} is no time", field.data_type());
        };
        let said = Said::by(field);
        let is_said = said.format.is_some() || said.zone.is_some();
        // What is no format or zone reads nothing; `describe_time` says so.
        let written = is_said.then(|| Instants::of(said).ok());
        Times { measure: *measure, unit: said.unit, written, utc: "+00:00".parse().expect("an offset") }
    }

    /// An instant: a time of RFC 3339 or much like it, or a number where the column has a unit.
    pub(super) fn instant(&self, text: &str) -> Option<i64> {
        let text = text.trim_ascii();
        if let Some(written) = &self.written {
            return written
                .as_ref()?
                .nanoseconds(text)?
                .div_euclid(i128::from(nanoseconds_of(self.measure)))
                .try_into()
                .ok();
        }
        if is_number(text) {
            return self.counted(text);
        }
        let Ok(time) = string_to_datetime(&self.utc, text) else {
            // Offsets in other forms; and what is before or behind the calendar, as an `EventTime` is shown.
            let micros: i128 = text.parse::<EventTime>().ok()?.as_micros().into();
            return (micros * 1_000).div_euclid(i128::from(nanoseconds_of(self.measure))).try_into().ok();
        };
        match self.measure {
            TimeUnit::Second => Some(time.timestamp()),
            TimeUnit::Millisecond => Some(time.timestamp_millis()),
            TimeUnit::Microsecond => Some(time.timestamp_micros()),
            TimeUnit::Nanosecond => time.timestamp_nanos_opt(),
        }
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

/// What was expected of a column of times, and what has probably happened.
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
        (false, _) if instants => (
            "an RFC 3339 time such as 2026-01-01T12:00:00Z".to_string(),
            "the time is written in another way, or the columns are in another order",
        ),
        (false, _) => ("a length of time such as PT1.5S or 1h30m".to_string(), "the length is written in another way"),
    }
}

/// Whether the text is digits, with a fraction or without.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && all_digits(fraction)
}

fn unit_of(field: &Field) -> Option<TimeUnit> {
    field.metadata().get(UNIT).and_then(|unit| unit_named(unit))
}
