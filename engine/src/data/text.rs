//! Text that is cheap to hold.

/// A string that holds up to 24 bytes in place, and only longer ones in an allocation of their own.
///
/// For the fields of a record that are short and many: codes, channels, countries. Copying one then needs no allocation.
/// It is [`compact_str::CompactString`], and reads as a `&str`; the columns are those of `String`.
///
/// ```
/// use dualgauge_engine::{EventTime, Record, Text, record};
///
/// #[record]
/// struct Visit {
///     country: Text,
///     #[event_time]
///     time: EventTime,
/// }
///
/// let visit = Visit { country: "NL".into(), time: EventTime::default() };
/// let mut rows = Vec::new();
/// Visit::decode(&Visit::encode([&visit].into_iter()), &mut rows).unwrap();
/// assert_eq!(rows[0].data.country, "NL");
/// ```
pub type Text = compact_str::CompactString;
