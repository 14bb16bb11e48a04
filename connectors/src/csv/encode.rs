//! Rows become CSV: a field is quoted where it must be, and only there.
//!
//! A missing value is an empty field, and an empty text that might be taken for one stands between quotes, so that both
//! are read as what they are.

use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType, Schema};

/// The names of the columns.
pub(super) fn header(schema: &Schema, delimiter: u8) -> Vec<u8> {
    let mut line = Vec::new();
    for (at, field) in schema.fields().iter().enumerate() {
        line.extend((at > 0).then_some(delimiter));
        put(field.name(), schema.fields().len() == 1, delimiter, &mut line);
    }
    line.push(b'\n');
    line
}

/// The rows, a line each.
pub(super) fn rows(rows: &RecordBatch, delimiter: u8) -> Result<Vec<u8>, ArrowError> {
    let options = FormatOptions::new().with_display_error(false);
    let columns = rows.columns().iter().zip(rows.schema_ref().fields());
    let columns: Vec<_> = columns
        .map(|(column, field)| Ok((ArrayFormatter::try_new(column, &options)?, column, told_from_null(field))))
        .collect::<Result<_, ArrowError>>()?;
    let (mut lines, mut text) = (Vec::new(), String::new());
    for row in 0..rows.num_rows() {
        for (at, (formatter, column, told)) in columns.iter().enumerate() {
            lines.extend((at > 0).then_some(delimiter));
            text.clear();
            let missing = column.is_null(row);
            if !missing {
                formatter.value(row).write(&mut text)?;
            }
            // A line without anything would be no record.
            put(&text, columns.len() == 1 || (*told && !missing), delimiter, &mut lines);
        }
        lines.push(b'\n');
    }
    Ok(lines)
}

/// Whether a column has both empty texts and missing values.
fn told_from_null(field: &arrow_schema::Field) -> bool {
    field.is_nullable() && matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Appends a field; an empty one between quotes where that is asked for.
fn put(text: &str, quote_empty: bool, delimiter: u8, line: &mut Vec<u8>) {
    let special = |byte: u8| byte == delimiter || matches!(byte, b'"' | b'\n' | b'\r');
    // A byte order mark at the front of a record is taken for one.
    let quoted = text.is_empty() && quote_empty || text.starts_with('\u{feff}') || text.bytes().any(special);
    if !quoted {
        return line.extend_from_slice(text.as_bytes());
    }
    line.push(b'"');
    for byte in text.bytes() {
        line.extend((byte == b'"').then_some(b'"'));
        line.push(byte);
    }
    line.push(b'"');
}
