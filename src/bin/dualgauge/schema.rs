//! Columns as text: `auction:u64,price:f64?,date_time:timestamp`.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use dualgauge::{Error, Result};

/// The names of the types: those that `#[record]` reads.
const TYPES: [(&str, DataType); 12] = [
    ("u8", DataType::UInt8),
    ("u16", DataType::UInt16),
    ("u32", DataType::UInt32),
    ("u64", DataType::UInt64),
    ("i8", DataType::Int8),
    ("i16", DataType::Int16),
    ("i32", DataType::Int32),
    ("i64", DataType::Int64),
    ("f32", DataType::Float32),
    ("f64", DataType::Float64),
    ("bool", DataType::Boolean),
    ("string", DataType::Utf8),
];

/// Reads columns; a `?` after a type allows missing values.
pub(crate) fn parse(text: &str) -> Result<SchemaRef> {
    let fields = text.split(',').map(|column| field(column.trim())).collect::<Result<Vec<_>>>()?;
    if let Some((at, twice)) =
        fields.iter().enumerate().find(|(at, f)| fields[..*at].iter().any(|g| g.name() == f.name()))
    {
        return Err(Error::usage(format!("column {at} has the name `{}`, which another one has", twice.name())));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The only timestamp among the columns, if there is exactly one.
pub(crate) fn only_timestamp(schema: &Schema) -> Option<&str> {
    let mut timestamps = schema.fields().iter().filter(|field| matches!(field.data_type(), DataType::Timestamp(..)));
    timestamps.next().filter(|_| timestamps.next().is_none()).map(|field| field.name().as_str())
}

fn field(column: &str) -> Result<Field> {
    let bad = |why: String| Error::usage(format!("column `{column}`: {why}"));
    let (name, kind) = column
        .split_once(':')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| bad("expected NAME:TYPE, such as price:u64".to_string()))?;
    let (kind, nullable) = match kind.strip_suffix('?') {
        Some(kind) => (kind, true),
        None => (kind, false),
    };
    let data_type = match TYPES.iter().find(|(name, _)| *name == kind) {
        Some((_, data_type)) => data_type.clone(),
        None if kind == "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        None => {
            let types = TYPES.map(|(name, _)| name).join(", ");
            return Err(bad(format!("`{kind}` is not a type; expected one of {types}, timestamp")));
        }
    };
    Ok(Field::new(name, data_type, nullable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_and_what_is_not_a_column_is_refused() {
        let schema = parse("auction:u64, price:f64?,date_time:timestamp").unwrap();
        assert_eq!(schema.field(1), &Field::new("price", DataType::Float64, true));
        assert_eq!(only_timestamp(&schema), Some("date_time"));
        assert_eq!(only_timestamp(&parse("a:timestamp,b:timestamp").unwrap()), None);
        for (text, part) in [
            ("auction", "expected NAME:TYPE"),
            (":u64", "expected NAME:TYPE"),
            ("a:u65", "`u65` is not a type; expected one of u8"),
            ("a:u64,a:u8", "the name `a`"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
