//! A row of columns as a person can read it, whatever it holds: it goes to quarantine in place of the row's bytes.
//!
//! It is one line of JSON. It never fails and never depends on the rows around it: a value that the JSON writer cannot
//! express, such as an instant beyond the calendar, is a number, or else its debug form.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, UInt64Array, make_array};
use arrow_json::WriterBuilder;
use arrow_json::writer::LineDelimited;
use arrow_schema::{ArrowError, DataType, TimeUnit};
use arrow_select::take::take_record_batch;

/// From the epoch of Unix to the end of the year 9999.
const CALENDAR_SECONDS: u64 = 253_402_300_799;

/// These rows of a batch, in this order: all at once where the JSON writer can express every value in them.
pub(crate) fn row_texts(rows: &RecordBatch, places: &[usize]) -> Vec<Vec<u8>> {
    at_once(rows, places).unwrap_or_else(|| places.iter().map(|&place| row_text(&rows.slice(place, 1))).collect())
}

fn at_once(rows: &RecordBatch, places: &[usize]) -> Option<Vec<Vec<u8>>> {
    let places = UInt64Array::from_iter_values(places.iter().map(|&place| place as u64));
    let rows = take_record_batch(rows, &places).ok()?;
    let columns = rows.columns().iter().map(|column| {
        let said = said(column);
        (said.data_type() != &DataType::Int64 || column.data_type() == &DataType::Int64).then_some(said)
    });
    let schema = rows.schema();
    let names = schema.fields().iter().map(|field| field.name());
    let columns = names.zip(columns.collect::<Option<Vec<_>>>()?).map(|(name, column)| (name, column, true));
    let mut text = lines(&RecordBatch::try_from_iter_with_nullable(columns).ok()?).ok()?;
    text.truncate(text.trim_ascii_end().len());
    let texts: Vec<_> = text.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    (texts.len() == places.len()).then_some(texts)
}

/// The one row of a batch, nulls and all, without a line ending.
fn row_text(row: &RecordBatch) -> Vec<u8> {
    let mut text = vec![b'{'];
    for (field, column) in row.schema().fields().iter().zip(row.columns()) {
        let object = object(field.name(), &said(column))
            .or_else(|_| object(field.name(), &debugged(column)))
            .expect("text can be written");
        if text.len() > 1 {
            text.push(b',');
        }
        text.extend_from_slice(&object[1..object.len() - 1]);
    }
    text.push(b'}');
    text
}

/// The object of one field: `{"name":value}`.
fn object(name: &str, value: &ArrayRef) -> Result<Vec<u8>, ArrowError> {
    let mut line = lines(&RecordBatch::try_from_iter_with_nullable([(name, value.clone(), true)])?)?;
    line.truncate(line.trim_ascii_end().len());
    Ok(line)
}

/// The objects of these rows, one per line.
fn lines(rows: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut text = Vec::new();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut text);
    writer.write(rows)?;
    writer.finish()?;
    Ok(text)
}

/// An instant as the writer can express it: its zone as an offset, since it knows none by name; beyond the calendar,
/// where the writer would only report an error, as a number. One such value makes the whole column numbers.
fn said(column: &ArrayRef) -> ArrayRef {
    let (per_second, utc) = match column.data_type() {
        DataType::Timestamp(unit, zone) => {
            let per_second = match unit {
                TimeUnit::Second => 1,
                TimeUnit::Millisecond => 1_000,
                TimeUnit::Microsecond => 1_000_000,
                TimeUnit::Nanosecond => 1_000_000_000,
            };
            (per_second, DataType::Timestamp(*unit, zone.as_ref().map(|_| "+00:00".into())))
        }
        DataType::Date64 => (1_000, DataType::Date64),
        _ => return column.clone(),
    };
    let number = retyped(column, DataType::Int64);
    let value = number.as_primitive::<Int64Type>();
    let beyond = value.iter().flatten().any(|value| value.unsigned_abs() / per_second > CALENDAR_SECONDS);
    if beyond { number } else { retyped(column, utc) }
}

fn debugged(column: &ArrayRef) -> ArrayRef {
    Arc::new(StringArray::from(vec![format!("{column:?}")]))
}

/// The same bytes under another type of the same width.
fn retyped(column: &ArrayRef, data_type: DataType) -> ArrayRef {
    make_array(column.to_data().into_builder().data_type(data_type).build().expect("a type of the same width"))
}

#[cfg(test)]
mod tests {
    use arrow_array::types::TimestampMicrosecondType;
    use arrow_array::{Int64Array, PrimitiveArray};

    use super::*;
    use crate::Record;
    use crate::testing::Item;
    use crate::{Durations, EventTime};

    fn text(column: ArrayRef) -> String {
        String::from_utf8(row_text(&RecordBatch::try_from_iter([("x", column)]).unwrap())).unwrap()
    }

    #[test]
    fn a_row_is_one_line_of_json() {
        let item = Item { time: EventTime::default() + 5.seconds(), key: "a \"b\"\n".into(), value: -7 };
        let row = String::from_utf8(row_text(&Item::encode([&item].into_iter()))).unwrap();
        assert_eq!(row, r#"{"time":"1970-01-01T00:00:05Z","key":"a \"b\"\n","value":-7}"#);
        assert_eq!(text(Arc::new(Int64Array::from(vec![None]))), r#"{"x":null}"#);
    }

    #[test]
    fn what_json_has_no_words_for_is_still_put_down() {
        let beyond = PrimitiveArray::<TimestampMicrosecondType>::from(vec![i64::MAX]);
        assert_eq!(text(Arc::new(beyond.clone())), format!("{{\"x\":{}}}", i64::MAX));
        assert_eq!(text(Arc::new(beyond.with_timezone("Europe/Berlin"))), format!("{{\"x\":{}}}", i64::MAX));
        let runs = arrow_array::types::IntervalMonthDayNanoType::make_value(1, 2, 3);
        let spans = arrow_array::IntervalMonthDayNanoArray::from(vec![runs]);
        assert!(text(Arc::new(spans)).starts_with("{\"x\":\""));
    }
}
