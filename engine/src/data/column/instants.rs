//! Times as people write them: in a format of their own, in a time zone that is not written down, as plain numbers.

use arrow_schema::TimeUnit;
use jiff::civil::{self, DateTime};
use jiff::fmt::strtime::{BrokenDownTime, parse};
use jiff::fmt::temporal::Pieces;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ZonedDateTime};

use super::Said;
use crate::{Error, Result};

/// The Unix epoch.
const EPOCH: DateTime = civil::date(1970, 1, 1).at(0, 0, 0, 0);

/// How the texts of a column are read as instants.
///
/// - A **format** in the words of `strptime`: `%d.%m.%Y %H:%M:%S`, with `%.f` for a fraction of a second, `%z` and `%:z` for
///   an offset, `%s` for seconds since the epoch. A date alone is its midnight. Beside it an RFC 3339 time with its offset
///   is read too, which is how times are written.
/// - A **zone**, `Europe/Berlin` or `+01:00`, for times that say none; without one they are in UTC. Where clocks are put back
///   a time comes twice, and the earlier one is meant; where they are put forward there are times that do not exist, which
///   are refused.
/// - A **unit** for plain numbers, where there is no format.
///
/// ```
/// use dualgauge_engine::columns::{Instants, Said};
///
/// let said = Said { format: Some("%d.%m.%Y %H:%M"), zone: Some("+01:00"), ..Said::NOTHING };
/// let instants = Instants::of(said).unwrap();
/// assert_eq!(instants.nanoseconds("01.01.1970 01:01"), Some(60_000_000_000));
/// assert_eq!(instants.nanoseconds("1970-01-01 01:01"), None);
/// ```
#[derive(Clone, Debug)]
pub struct Instants {
    format: Option<String>,
    zone: TimeZone,
    unit: Option<TimeUnit>,
}

impl Instants {
    /// As a record or a binding says.
    ///
    /// # Errors
    /// A format that says no time, or a zone that does not exist.
    pub fn of(said: Said<'_>) -> Result<Instants> {
        let zone = said.zone.map_or(Ok(TimeZone::UTC), zone)?;
        let format = said.format.map(|format| checked(format).map(|()| format.to_owned())).transpose()?;
        Ok(Instants { format, zone, unit: said.unit })
    }

    /// The instant that a text says, in nanoseconds since the Unix epoch; `None` where it says none.
    pub fn nanoseconds(&self, text: &str) -> Option<i128> {
        let text = text.trim_ascii();
        let Some(format) = &self.format else {
            // Digits alone are a number, even if they could be a date: they are refused unless the unit is given.
            return if is_number(text) { counted(text, self.unit?) } else { self.by_shape(text) };
        };
        self.by_format(format, text).or_else(|| has_offset(text).then(|| self.by_shape(text)).flatten())
    }

    /// By the shape that RFC 3339 gives a time, and close variants: a space for the `T`, no seconds, an offset after a
    /// space or without its colon, a zone in brackets; and what is beyond the calendar, in the form in which it is
    /// shown.
    fn by_shape(&self, text: &str) -> Option<i128> {
        if let Some(micros) = text.strip_suffix("us").and_then(|micros| micros.parse::<i64>().ok()) {
            return Some(i128::from(micros) * 1_000);
        }
        let joined =
            text.rsplit_once(' ').filter(|(clock, offset)| clock.contains(':') && offset.starts_with(['+', '-']));
        let joined = joined.map(|(clock, offset)| format!("{clock}{offset}"));
        let text = joined.as_deref().unwrap_or(text);
        let pieces = Pieces::parse(text).ok()?;
        let clock = pieces.date().to_datetime(pieces.time().unwrap_or_default());
        match (pieces.to_numeric_offset(), pieces.time_zone_annotation()) {
            (Some(offset), _) => Some(nanos_behind(offset, clock)),
            (None, Some(zone)) => in_zone(&zone.to_time_zone().ok()?, clock),
            (None, None) => in_zone(&self.zone, clock),
        }
    }

    /// The instant of a clock in the zone, in microseconds since what it calls the epoch.
    pub fn of_clock(&self, micros: i64) -> Option<i64> {
        if self.zone == TimeZone::UTC {
            return Some(micros);
        }
        let clock = EPOCH.checked_add(SignedDuration::from_micros(micros)).ok()?;
        i64::try_from(in_zone(&self.zone, clock)?.div_euclid(1_000)).ok()
    }

    fn by_format(&self, format: &str, text: &str) -> Option<i128> {
        let read = parse(format, text).ok()?;
        if let Some(instant) = read.timestamp() {
            // The fraction of a negative number lies below it.
            let (whole, part) = (instant.as_nanosecond(), i128::from(read.subsec_nanosecond().unwrap_or(0)));
            return Some(if whole < 0 || text.starts_with('-') { whole - part } else { whole + part });
        }
        let clock = read.to_datetime().or_else(|_| read.to_date().map(civil::Date::into)).ok()?;
        match (read.offset(), read.iana_time_zone()) {
            (Some(offset), _) => Some(nanos_behind(offset, clock)),
            (None, Some(name)) => in_zone(&zone(name).ok()?, clock),
            (None, None) => in_zone(&self.zone, clock),
        }
    }
}

/// The instant at which a clock in a zone showed this, for the first time.
fn in_zone(zone: &TimeZone, clock: DateTime) -> Option<i128> {
    match zone.to_ambiguous_timestamp(clock).offset() {
        AmbiguousOffset::Gap { .. } => None,
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            Some(nanos_behind(offset, clock))
        }
    }
}

fn nanos_behind(offset: Offset, clock: DateTime) -> i128 {
    nanos_in_utc(clock) - i128::from(offset.seconds()) * 1_000_000_000
}

fn nanos_in_utc(clock: DateTime) -> i128 {
    clock.duration_since(EPOCH).as_nanos()
}

/// A zone by its name or its offset.
fn zone(name: &str) -> Result<TimeZone> {
    if let Ok(offset) = parse("%z", name).or_else(|_| parse("%:z", name)) {
        return Ok(TimeZone::fixed(offset.offset().unwrap_or(Offset::UTC)));
    }
    TimeZone::get(name).map_err(|_| {
        Error::usage(format!(
            "`{name}` is no time zone; write a name such as Europe/Berlin, or an offset such as +01:00"
        ))
    })
}

/// Refuses a format by which no time can be read: a time written by it cannot be read back.
fn checked(format: &str) -> Result<()> {
    let some = ZonedDateTime::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
    let unfit = |why: &str| {
        Error::usage(format!(
            "`{format}` is no format of a time ({why}); write it as strptime has it, with a day at least, such as %Y-%m-%d \
             %H:%M:%S, and %z where there is an offset"
        ))
    };
    let text = BrokenDownTime::from(&some).to_string(format).map_err(|cause| unfit(&cause.to_string()))?;
    let read = parse(format, &text).map_err(|cause| unfit(&cause.to_string()))?;
    let tells = read.timestamp().is_some() || read.to_datetime().is_ok() || read.to_date().is_ok();
    if tells { Ok(()) } else { Err(unfit("it does not say the day")) }
}

/// How many nanoseconds a unit has.
pub fn nanoseconds_of(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

/// A number of units in nanoseconds, exactly; what is finer is floored. `None` for what is no number: digits, with a fraction
/// or without.
///
/// ```
/// use arrow_schema::TimeUnit;
/// use dualgauge_engine::columns::counted;
///
/// assert_eq!(counted("-1.5", TimeUnit::Microsecond), Some(-1_500));
/// assert_eq!(counted("1e3", TimeUnit::Microsecond), None);
/// ```
pub fn counted(text: &str, unit: TimeUnit) -> Option<i128> {
    let (whole, fraction) = digits(text)?;
    let scale = i128::from(nanoseconds_of(unit));
    let whole = whole.parse::<i128>().ok()?.checked_mul(scale)?;
    let kept = &fraction[..fraction.len().min(18)];
    let (part, of) = (kept.parse::<i128>().ok()? * scale, 10_i128.pow(kept.len() as u32));
    Some(if text.starts_with('-') { -whole - (part + of - 1).div_euclid(of) } else { whole + part / of })
}

/// Whether a text is a plain number: digits, with a fraction or without.
pub fn is_number(text: &str) -> bool {
    digits(text).is_some()
}

/// The digits of a plain number, before and after the point.
fn digits(text: &str) -> Option<(&str, &str)> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (all_digits(whole) && all_digits(fraction)).then_some((whole, fraction))
}

/// Whether a text says how far its clock is from UTC, or is no clock at all.
fn has_offset(text: &str) -> bool {
    text.ends_with("us") || Pieces::parse(text).is_ok_and(|pieces| pieces.offset().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(said: Said<'_>, text: &str) -> Option<i128> {
        Instants::of(said).unwrap().nanoseconds(text).map(|nanos| nanos.div_euclid(1_000))
    }

    #[test]
    fn a_time_is_read_by_its_format_its_zone_and_its_unit() {
        let at = |text: &str| text.parse::<crate::EventTime>().unwrap().as_micros().into();
        let format = |format, zone| Said { format: Some(format), zone, ..Said::NOTHING };
        let berlin = Some("Europe/Berlin");
        for (said, text, expected) in [
            (format("%d/%m/%Y %H:%M:%S%.f", None), "02/01/2024 03:04:05.678", Some("2024-01-02T03:04:05.678Z")),
            (format("%Y%m%d", None), "20240102", Some("2024-01-02T00:00:00Z")),
            (format("%Y-%m-%d %H:%M:%S %z", None), "2024-01-02 03:04:05 +0100", Some("2024-01-02T02:04:05Z")),
            (format("%Y-%m-%d %H:%M:%S %z", berlin), "2024-01-02 03:04:05 +0300", Some("2024-01-02T00:04:05Z")),
            (format("%b %d %Y %I:%M %p", Some("-05:00")), "Jan 02 2024 03:04 PM", Some("2024-01-02T20:04:00Z")),
            (format("%s", berlin), "1704164645", Some("2024-01-02T03:04:05Z")),
            (format("%s%.f", None), "1704164645.5", Some("2024-01-02T03:04:05.5Z")),
            (format("%s%.f", None), "-0.25", Some("1969-12-31T23:59:59.75Z")),
            (format("%s%.f", None), "-1.25", Some("1969-12-31T23:59:58.75Z")),
            (format("%d.%m.%Y", None), "9223372036854775807us", Some("9223372036854775807us")),
            (format("%d.%m.%Y", berlin), "31.12.9999", Some("9999-12-30T23:00:00Z")),
            (format("%d.%m.%Y", None), "31.12.9999", Some("9999-12-31T00:00:00Z")),
            (format("%Y-%m-%d", None), "2024-13-02", None),
            (format("%Y-%m-%d", None), "2024-01-02x", None),
            (format("%Y-%m-%d", berlin), "2024-07-02T00:00:00Z", Some("2024-07-02T00:00:00Z")),
            (Said { zone: berlin, ..Said::NOTHING }, "2024-07-02 02:00:00", Some("2024-07-02T00:00:00Z")),
            (Said { zone: berlin, ..Said::NOTHING }, "2024-07-02 02:00:00+0000", Some("2024-07-02T02:00:00Z")),
            (Said { zone: berlin, ..Said::NOTHING }, "2024-01-02 03:04:05 +0100", Some("2024-01-02T02:04:05Z")),
            (Said { zone: berlin, ..Said::NOTHING }, "9999-12-31T23:00:00-05:00", Some("253402315200000000us")),
            (Said { zone: berlin, ..Said::NOTHING }, "-5us", Some("1969-12-31T23:59:59.999995Z")),
            (Said { zone: berlin, ..Said::NOTHING }, "20240102", None),
            (Said { zone: berlin, ..Said::NOTHING }, "2024-01-02T03:04[Asia/Tokyo]", Some("2024-01-01T18:04:00Z")),
            (Said { zone: berlin, ..Said::NOTHING }, "2024-01-02T03:04[Asia/Tokio]", None),
            // Twice, and never.
            (Said { zone: berlin, ..Said::NOTHING }, "2024-10-27T02:30:00", Some("2024-10-27T00:30:00Z")),
            (Said { zone: berlin, ..Said::NOTHING }, "2024-03-31T02:30:00", None),
            (Said { unit: Some(TimeUnit::Millisecond), ..Said::NOTHING }, "-0.5", Some("1969-12-31T23:59:59.9995Z")),
            (Said { unit: Some(TimeUnit::Second), ..Said::NOTHING }, "1e3", None),
        ] {
            assert_eq!(micros(said, text), expected.map(at), "{said:?} {text}");
        }
    }

    #[test]
    fn a_format_or_a_zone_that_is_none_is_refused_by_name() {
        for (said, message) in [
            (Said { format: Some("%H:%M"), ..Said::NOTHING }, "`%H:%M` is no format of a time"),
            (Said { format: Some("%Y-%m-%d %!"), ..Said::NOTHING }, "`%Y-%m-%d %!` is no format"),
            (Said { zone: Some("Europe/Brelin"), ..Said::NOTHING }, "`Europe/Brelin` is no time zone"),
        ] {
            let error = Instants::of(said).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
