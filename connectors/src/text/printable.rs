//! Values that text cannot express: found, and refused by name, before anything is written.
//!
//! Times are written as RFC 3339, which knows the years 0 to 9999. A column may hold others: the ends of time, or what
//! other programs write for `infinity`.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Date64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, make_array};
use arrow_schema::{DataType, TimeUnit};
use dualgauge_engine::columns::nanoseconds_of;
use dualgauge_engine::{Error, EventTime, Result};

/// The seconds at which year 0 begins and year 9999 ends.
const CALENDAR: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

/// Refuses rows with these times if they hold something that cannot be written.
pub(super) fn check(times: &[EventTime], rows: &RecordBatch) -> Result<()> {
    for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        if !may_be_beyond(column) {
            continue;
        }
        for (row, time) in times.iter().enumerate() {
            if let Some((within, value)) = beyond(column, row) {
                return Err(Error::data(format!(
                    "column `{}{within}`, row {row} of these, with event time {time}: {value} cannot be written as text, \
                     which knows the years 0000 to 9999 (RFC 3339); likely mistake: an `infinity` of another program, or the \
                     end of time as a mark for none. Write an Option, or Parquet or a log, which hold it",
                    field.name()
                )));
            }
        }
    }
    Ok(())
}

/// Whether a value of the column, or what lies under a null, is beyond the calendar.
fn may_be_beyond(column: &ArrayRef) -> bool {
    match column.data_type() {
        DataType::Timestamp(unit, _) => {
            let (numbers, per_second) = (numbers(column), per_second(*unit));
            numbers.iter().any(|number| !CALENDAR.contains(&number.div_euclid(per_second)))
        }
        DataType::Date64 => column
            .as_primitive::<Date64Type>()
            .values()
            .iter()
            .any(|millis| !CALENDAR.contains(&millis.div_euclid(1_000))),
        DataType::Date32 => column
            .as_primitive::<Date32Type>()
            .values()
            .iter()
            .any(|days| !CALENDAR.contains(&(i64::from(*days) * 86_400))),
        DataType::Struct(_) => column.as_struct().columns().iter().any(may_be_beyond),
        DataType::List(_) => may_be_beyond(column.as_list::<i32>().values()),
        DataType::LargeList(_) => may_be_beyond(column.as_list::<i64>().values()),
        DataType::FixedSizeList(..) => may_be_beyond(column.as_fixed_size_list().values()),
        DataType::Map(..) => column.as_map().entries().columns().iter().any(may_be_beyond),
        DataType::Dictionary(..) => may_be_beyond(column.as_any_dictionary().values()),
        _ => false,
    }
}

/// Where in a value something is beyond the calendar, and what.
fn beyond(column: &ArrayRef, row: usize) -> Option<(String, String)> {
    if column.is_null(row) {
        return None;
    }
    let outside = |seconds: i64| !CALENDAR.contains(&seconds);
    let elements = |elements: ArrayRef| {
        (0..elements.len())
            .find_map(|at| beyond(&elements, at).map(|(within, value)| (format!("[{at}]{within}"), value)))
    };
    match column.data_type() {
        DataType::Timestamp(unit, _) => {
            let number = numbers(column)[row];
            let shown = || match unit {
                TimeUnit::Microsecond => EventTime::from_micros(number).to_string(),
                unit => format!("{number}{}", dualgauge_engine::columns::unit_name(*unit)),
            };
            outside(number.div_euclid(per_second(*unit))).then(|| (String::new(), shown()))
        }
        DataType::Date64 => {
            let millis = column.as_primitive::<Date64Type>().value(row);
            outside(millis.div_euclid(1_000)).then(|| (String::new(), format!("{millis}ms")))
        }
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().value(row);
            outside(i64::from(days) * 86_400).then(|| (String::new(), format!("day {days}")))
        }
        DataType::Struct(fields) => fields.iter().zip(column.as_struct().columns()).find_map(|(field, column)| {
            beyond(column, row).map(|(within, value)| (format!(".{}{within}", field.name()), value))
        }),
        DataType::List(_) => elements(column.as_list::<i32>().value(row)),
        DataType::LargeList(_) => elements(column.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => elements(column.as_fixed_size_list().value(row)),
        DataType::Map(..) => elements(std::sync::Arc::new(column.as_map().value(row))),
        DataType::Dictionary(..) => {
            let dictionary = column.as_any_dictionary();
            beyond(dictionary.values(), dictionary.normalized_keys()[row])
        }
        _ => None,
    }
}

/// The numbers of a column of timestamps.
fn numbers(column: &ArrayRef) -> arrow_buffer::ScalarBuffer<i64> {
    let data = column.to_data().into_builder().data_type(DataType::Int64).build();
    make_array(data.expect("a type of the same width")).as_primitive::<Int64Type>().values().clone()
}

fn per_second(unit: TimeUnit) -> i64 {
    nanoseconds_of(TimeUnit::Second) / nanoseconds_of(unit)
}
