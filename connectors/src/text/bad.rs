//! Says what is wrong with a record that could not be decoded, so that a person can mend it.

use arrow_schema::{DataType, Schema};

use super::{BadRecord, Decode};

/// Finds the column at fault by decoding each alone: slow, exact, and only ever done for bad records.
pub(super) fn explain(decoder: &dyn Decode, record: &[u8], wanted: &Schema) -> BadRecord {
    if let Some(bad) = decoder.misshapen(record) {
        return bad;
    }
    for (column, field) in wanted.fields().iter().enumerate() {
        if decoder.decode(record, 1, &[column]).is_err() {
            let found = decoder.found(record, column);
            let mistake = match (&found, field.data_type()) {
                (None, _) => "the value is missing; a field that may be missing is an Option",
                (_, DataType::Timestamp(..)) => {
                    "the time is written in another way, or the columns are in another order"
                }
                _ => "the columns are in another order, or the field has another type in this data",
            };
            return BadRecord {
                column: Some(field.name().clone()),
                found: found.map_or_else(|| "nothing".to_string(), |text| shorten(&text)),
                expected: describe(field.data_type()),
                mistake,
            };
        }
    }
    let columns: Vec<_> = (0..wanted.fields().len()).collect();
    let why = decoder.decode(record, 1, &columns).err().map(|error| error.to_string());
    BadRecord {
        column: None,
        found: why.unwrap_or_else(|| shorten(&String::from_utf8_lossy(record))),
        expected: "one record a line".to_string(),
        mistake: "the line is damaged",
    }
}

impl BadRecord {
    /// The whole sentence, which names the place.
    pub(super) fn at(self, place: &str, line: u64, byte: u64) -> String {
        let column = self.column.map(|name| format!("column `{name}`: ")).unwrap_or_default();
        format!(
            "{place}: line {line} (byte {byte}): {column}found {}, expected {}; likely mistake: {}",
            self.found, self.expected, self.mistake
        )
    }
}

/// At most the first 80 characters, in quotes.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// A type in words.
fn describe(data_type: &DataType) -> String {
    let range = |low: i128, high: i128| format!("a whole number from {low} to {high}");
    match data_type {
        DataType::Boolean => "true or false".to_string(),
        DataType::Int8 => range(i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => range(i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => range(i32::MIN.into(), i32::MAX.into()),
        DataType::Int64 => range(i64::MIN.into(), i64::MAX.into()),
        DataType::UInt8 => range(0, u8::MAX.into()),
        DataType::UInt16 => range(0, u16::MAX.into()),
        DataType::UInt32 => range(0, u32::MAX.into()),
        DataType::UInt64 => range(0, u64::MAX.into()),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "a number".to_string(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_string(),
        DataType::Timestamp(..) => "an RFC 3339 time such as 2026-01-01T12:00:00Z".to_string(),
        other => format!("a value of type {other}"),
    }
}
