//! Times and lengths of time: read from columns of any unit, with a check where microseconds in 64 bits are too few.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, DurationMicrosecondArray, TimestampMicrosecondArray};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit};

use super::integer::widened;
use super::text::read_texts;
use super::unpack::{unpack, wrong_type};
use super::{Column, ColumnBuilder, DecodeError, Element, Field, Instants, Live, Present, Said};
use crate::{Duration, EventTime};

impl Field for EventTime {
    type Column = Micros<EventTime>;
    type Builder = MicrosBuilder<EventTime>;

    fn data_type() -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    }

    /// A zone is how a time is shown and does not matter; a column without one is in the zone that is said, or in UTC.
    fn open(array: &ArrayRef, live: &Live, said: Said<'_>) -> Result<Self::Column, DecodeError> {
        let array = unpack::<EventTime>(array);
        live.refuse_nulls(&array)?;
        if let Some(found) = written(&array, live, said)? {
            return Ok(Micros(found.into(), PhantomData));
        }
        let values = match (array.data_type(), said.unit) {
            (DataType::Timestamp(..), _) => Micros::<EventTime>::of_timestamps(&array, live)?,
            (DataType::Date64, _) => counted::<Date64Type>(&array, live, MILLIS)?,
            (DataType::Date32, _) => {
                let days = array.as_primitive::<Date32Type>().values();
                live.convert(days, FITS, |days| i64::from(days).checked_mul(86_400_000_000))?.into()
            }
            (_, Some(unit)) => plain(&array, live, unit, "a column of timestamps, dates or integers")?,
            (_, None) => {
                let accepted = "a column of timestamps or dates; to read integers as times, say what they count, \
                                such as #[column(unit = \"ms\")]";
                return Err(wrong_type(&array, accepted));
            }
        };
        Ok(Micros(values, PhantomData))
    }
}

impl Field for Duration {
    type Column = Micros<Duration>;
    type Builder = MicrosBuilder<Duration>;

    fn data_type() -> DataType {
        DataType::Duration(TimeUnit::Microsecond)
    }
    fn open(array: &ArrayRef, live: &Live, said: Said<'_>) -> Result<Self::Column, DecodeError> {
        let array = unpack::<Duration>(array);
        live.refuse_nulls(&array)?;
        let values = match (array.data_type(), said.unit) {
            (DataType::Duration(TimeUnit::Microsecond), _) => {
                array.as_primitive::<DurationMicrosecondType>().values().clone()
            }
            (DataType::Duration(TimeUnit::Second), _) => counted::<DurationSecondType>(&array, live, SECONDS)?,
            (DataType::Duration(TimeUnit::Millisecond), _) => counted::<DurationMillisecondType>(&array, live, MILLIS)?,
            (DataType::Duration(TimeUnit::Nanosecond), _) => counted::<DurationNanosecondType>(&array, live, NANOS)?,
            (_, Some(unit)) => plain(&array, live, unit, "a column of durations or integers")?,
            (_, None) => {
                let accepted = "a column of durations; to read integers as durations, say what they count, such as \
                                #[column(unit = \"ms\")]";
                return Err(wrong_type(&array, accepted));
            }
        };
        Ok(Micros(values, PhantomData))
    }
}

impl Element for EventTime {}
impl Element for Duration {}
impl Present for EventTime {}
impl Present for Duration {}

/// The type that a field marked `#[event_time]` has.
#[diagnostic::on_unimplemented(
    message = "the event time of a record is an `EventTime`, not a `{Self}`",
    label = "make this an `EventTime`",
    note = "timestamps of any unit are converted to `EventTime`; for a column of integers, say what they count with \
            #[column(unit = \"ms\")]"
)]
pub trait IsEventTime {
    /// The event time.
    fn event_time(&self) -> EventTime;
}

impl IsEventTime for EventTime {
    #[inline]
    fn event_time(&self) -> EventTime {
        *self
    }
}

/// The types whose columns `#[column(unit = …)]` can say something about.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no unit",
    label = "only an `EventTime` or a `Duration` has, also within Option and Vec"
)]
pub trait HasUnit {}

impl HasUnit for EventTime {}
impl HasUnit for Duration {}
impl<T: HasUnit> HasUnit for Option<T> {}
impl<T: HasUnit> HasUnit for Vec<T> {}

/// The types whose columns `#[column(format = …)]` can say something about.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no format",
    label = "only an `EventTime` has, also within Option and Vec"
)]
pub trait HasFormat {}

impl HasFormat for EventTime {}
impl<T: HasFormat> HasFormat for Option<T> {}
impl<T: HasFormat> HasFormat for Vec<T> {}

/// Times or lengths of time, as microseconds side by side.
#[derive(Debug)]
pub struct Micros<T>(ScalarBuffer<i64>, PhantomData<T>);

/// Times or lengths of time in the making.
#[derive(Debug)]
pub struct MicrosBuilder<T>(Vec<i64>, PhantomData<T>);

macro_rules! micros {
    ($type:ident, $array:expr) => {
        impl Column for Micros<$type> {
            type Value = $type;

            #[inline]
            fn get(&self, row: usize) -> $type {
                $type::from_micros(self.0[row])
            }
            #[inline]
            fn getter(&self, rows: usize) -> impl Fn(usize) -> $type {
                let values = &self.0[..rows];
                |row| $type::from_micros(values[row])
            }
        }

        impl ColumnBuilder for MicrosBuilder<$type> {
            type Value = $type;

            fn with_capacity(rows: usize) -> Self {
                MicrosBuilder(Vec::with_capacity(rows), PhantomData)
            }
            #[inline]
            fn push(&mut self, value: &$type) {
                self.0.push(value.as_micros());
            }
            #[inline]
            fn extend<'a>(&mut self, values: impl Iterator<Item = &'a $type> + Clone) {
                self.0.extend(values.map(|value| value.as_micros()));
            }
            fn push_placeholder(&mut self) {
                self.0.push(0);
            }
            fn finish(self, nulls: Option<NullBuffer>) -> ArrayRef {
                Arc::new($array(self.0.into(), nulls))
            }
        }
    };
}

micros!(EventTime, |values, nulls| TimestampMicrosecondArray::new(values, nulls).with_timezone("UTC"));
micros!(Duration, DurationMicrosecondArray::new);

/// Times that stand in texts, or on clocks of a zone; `None` for a column of another type.
fn written(array: &ArrayRef, live: &Live, said: Said<'_>) -> Result<Option<Vec<i64>>, DecodeError> {
    let unfit = |error: crate::Error| DecodeError {
        column: String::new(),
        row: None,
        found: "a column of times as they are written".into(),
        expected: error.to_string(),
    };
    match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let instants = Instants::of(said).map_err(unfit)?;
            let expected = match (said.format, said.unit) {
                (Some(format), _) => format!("a time such as the format {format} has it"),
                (None, Some(_)) => "a time such as 2026-01-01T12:00:00Z, or a number in the column's unit".to_string(),
                (None, None) => "a time such as 2026-01-01T12:00:00Z or 2026-01-01".to_string(),
            };
            let text = |text: &str| i64::try_from(instants.nanoseconds(text)?.div_euclid(1_000)).ok();
            read_texts(array, live, &expected, text).transpose()
        }
        DataType::Timestamp(_, None) if said.zone.is_some() => {
            let instants = Instants::of(said).map_err(unfit)?;
            let clocks = Micros::<EventTime>::of_timestamps(array, live)?;
            let expected = format!("a time that there is in the zone {}", said.zone.unwrap_or_default());
            live.convert(&clocks, &expected, |micros| instants.of_clock(micros)).map(Some)
        }
        _ => Ok(None),
    }
}

impl Micros<EventTime> {
    /// The numbers of a column of timestamps.
    fn of_timestamps(array: &ArrayRef, live: &Live) -> Result<ScalarBuffer<i64>, DecodeError> {
        Ok(match array.data_type() {
            DataType::Timestamp(TimeUnit::Second, _) => counted::<TimestampSecondType>(array, live, SECONDS)?,
            DataType::Timestamp(TimeUnit::Millisecond, _) => counted::<TimestampMillisecondType>(array, live, MILLIS)?,
            DataType::Timestamp(TimeUnit::Nanosecond, _) => counted::<TimestampNanosecondType>(array, live, NANOS)?,
            _ => array.as_primitive::<TimestampMicrosecondType>().values().clone(),
        })
    }
}

/// What a value that does not fit should have been.
const FITS: &str = "a number that fits microseconds in 64 bits";

/// How a count of some unit becomes microseconds.
type ToMicros = fn(i64) -> Option<i64>;

const SECONDS: ToMicros = |seconds| seconds.checked_mul(1_000_000);
const MILLIS: ToMicros = |millis| millis.checked_mul(1_000);
/// Floored, also below zero: a time never moves into the microsecond after it.
const NANOS: ToMicros = |nanos| Some(nanos.div_euclid(1_000));

fn counted<P: ArrowPrimitiveType<Native = i64>>(
    array: &dyn Array,
    live: &Live,
    to_micros: ToMicros,
) -> Result<ScalarBuffer<i64>, DecodeError> {
    Ok(live.convert(array.as_primitive::<P>().values(), FITS, to_micros)?.into())
}

/// Plain integers that count `unit`.
fn plain(array: &dyn Array, live: &Live, unit: TimeUnit, accepted: &str) -> Result<ScalarBuffer<i64>, DecodeError> {
    let to_micros = match unit {
        TimeUnit::Second => SECONDS,
        TimeUnit::Millisecond => MILLIS,
        TimeUnit::Microsecond => |micros| Some(micros),
        TimeUnit::Nanosecond => NANOS,
    };
    let converted = widened(array, live, FITS, |wide| i64::try_from(wide).ok().and_then(to_micros));
    Ok(converted.ok_or_else(|| wrong_type(array, accepted))??.into())
}
