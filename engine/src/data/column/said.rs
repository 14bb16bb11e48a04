//! What a record says about a column beyond its type, and how a connector is told: as metadata of the column's field.
//!
//! | key | what |
//! |---|---|
//! | `dualgauge.unit` | what a plain number counts where a time or a length of time is wanted: `s`, `ms`, `us` or `ns` |
//! | `dualgauge.format` | how a time is written as text, in the words of `strptime` |
//! | `dualgauge.zone` | the time zone of times that say none |
//! | `dualgauge.whole_floats` | `true` where whole numbers may be written as floats: `1.0` |
//! | `dualgauge.null` | what stands for a missing value in text, a spelling to a line |
//! | `dualgauge.default` | the value for what the data does not have, as JSON |
//! | `dualgauge.integer` | the type of the integer that a decimal becomes, without its point: `Int64` |
//!
//! A connector may say them of the columns of a batch as well, where a binding knows more than the record.
//! A unit stands at the field of a list and at its item, so that a reader finds it wherever it meets the number. A default
//! stands at the field that may be missing.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_schema::{DataType, Field as ArrowField, TimeUnit};

use super::super::decimal::shown;
use super::scaled::{scaled, scaled_wanted};
use super::{Field, repeat};
use crate::{Duration, EventTime};

/// The metadata key of what a plain number counts.
pub const UNIT: &str = "dualgauge.unit";

/// The metadata key of how a time is written as text.
pub const FORMAT: &str = "dualgauge.format";

/// The metadata key of the time zone of times that say none.
pub const ZONE: &str = "dualgauge.zone";

/// The metadata key of whether whole numbers may be written as floats.
pub const WHOLE_FLOATS: &str = "dualgauge.whole_floats";

/// The metadata key of what stands for a missing value in text, a spelling to a line.
pub const NULL: &str = "dualgauge.null";

/// The metadata key of the value for what the data does not have.
pub const DEFAULT: &str = "dualgauge.default";

/// The metadata key of the integer that a decimal becomes, without its point: `Int64`.
pub const INTEGER: &str = "dualgauge.integer";

/// What is said about how the values of a column are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said<'a> {
    /// What a plain number counts.
    pub unit: Option<TimeUnit>,
    /// How a time is written as text.
    pub format: Option<&'a str>,
    /// The time zone of times that say none.
    pub zone: Option<&'a str>,
    /// Whether whole numbers may be written as floats.
    pub whole_floats: bool,
    /// How many of the digits of an integer stand after the point; the record alone says it, and its column is one of
    /// decimals.
    pub scale: Option<u8>,
}

impl<'a> Said<'a> {
    /// Nothing.
    pub const NOTHING: Said<'static> = Said { unit: None, format: None, zone: None, whole_floats: false, scale: None };

    /// What the metadata of a field says.
    pub fn by(field: &'a ArrowField) -> Said<'a> {
        Said::NOTHING.or_by(field)
    }

    /// This, overridden by what the metadata of the column itself says.
    pub fn or_by<'b>(self, field: &'b ArrowField) -> Said<'b>
    where
        'a: 'b,
    {
        if field.metadata().is_empty() {
            return self;
        }
        let said = |key: &str| field.metadata().get(key).map(String::as_str);
        Said {
            unit: said(UNIT).and_then(unit_named).or(self.unit),
            format: said(FORMAT).or(self.format),
            zone: said(ZONE).or(self.zone),
            whole_floats: said(WHOLE_FLOATS) == Some("true") || self.whole_floats,
            scale: self.scale,
        }
    }

    /// The field, with what is said about it.
    pub fn of(self, field: ArrowField) -> ArrowField {
        let unit = self.unit.map(|unit| (UNIT, unit_name(unit)));
        let said = [unit, self.format.map(|format| (FORMAT, format))].into_iter().flatten();
        field.with_metadata(said.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }
}

/// How a unit is written: `ms`.
pub fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

/// The unit of this name.
pub fn unit_named(name: &str) -> Option<TimeUnit> {
    let units = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond];
    units.into_iter().find(|unit| unit_name(*unit) == name)
}

/// What a connector is told of a column of `T`.
pub fn wanted_field<T: Field>(name: &str, said: Said<'_>, default: Option<T>) -> ArrowField {
    let mut field = scaled_wanted(T::wanted(name, said), said.scale);
    if let Some(default) = default {
        let mut json = String::new();
        let column = repeat(&default, 1);
        let column = said.scale.map_or(Arc::clone(&column), |scale| scaled(column, scale));
        write_json(&column, 0, &mut json);
        field.metadata_mut().insert(DEFAULT.to_owned(), json);
    }
    field
}

/// Writes a value of a field's column as JSON, as every connector reads it back.
fn write_json(values: &dyn Array, row: usize, json: &mut String) {
    macro_rules! value {
        ($type:ty) => {
            values.as_primitive::<$type>().value(row)
        };
    }
    if values.is_null(row) {
        return json.push_str("null");
    }
    match values.data_type() {
        DataType::Boolean => json.push_str(&values.as_boolean().value(row).to_string()),
        DataType::Int8 => json.push_str(&value!(Int8Type).to_string()),
        DataType::Int16 => json.push_str(&value!(Int16Type).to_string()),
        DataType::Int32 => json.push_str(&value!(Int32Type).to_string()),
        DataType::Int64 => json.push_str(&value!(Int64Type).to_string()),
        DataType::UInt8 => json.push_str(&value!(UInt8Type).to_string()),
        DataType::UInt16 => json.push_str(&value!(UInt16Type).to_string()),
        DataType::UInt32 => json.push_str(&value!(UInt32Type).to_string()),
        DataType::UInt64 => json.push_str(&value!(UInt64Type).to_string()),
        // In quotes, in which there may also be `NaN` and `inf`.
        DataType::Float32 => write_text(&value!(Float32Type).to_string(), json),
        DataType::Float64 => write_text(&value!(Float64Type).to_string(), json),
        DataType::Decimal128(_, scale) => json.push_str(&shown(value!(Decimal128Type), *scale)),
        DataType::Timestamp(..) => {
            write_text(&EventTime::from_micros(value!(TimestampMicrosecondType)).to_string(), json)
        }
        DataType::Duration(_) => write_text(&Duration::from_micros(value!(DurationMicrosecondType)).to_string(), json),
        DataType::Utf8 => write_text(values.as_string::<i32>().value(row), json),
        DataType::Binary => {
            let digits = values.as_binary::<i32>().value(row).iter().map(|byte| format!("{byte:02x}"));
            write_text(&digits.collect::<String>(), json);
        }
        DataType::List(_) => {
            let elements = values.as_list::<i32>().value(row);
            json.push('[');
            for element in 0..elements.len() {
                json.push_str(if element > 0 { "," } else { "" });
                write_json(&elements, element, json);
            }
            json.push(']');
        }
        DataType::Struct(fields) => {
            json.push('{');
            for (at, (field, values)) in fields.iter().zip(values.as_struct().columns()).enumerate() {
                json.push_str(if at > 0 { "," } else { "" });
                write_text(field.name(), json);
                json.push(':');
                write_json(values, row, json);
            }
            json.push('}');
        }
        other => unreachable!("no field of a record is written as {other}"),
    }
}

fn write_text(text: &str, json: &mut String) {
    json.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => json.extend(['\\', letter]),
            '\0'..='\x1f' => json.push_str(&format!("\\u{:04x}", u32::from(letter))),
            _ => json.push(letter),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record;

    #[record]
    struct Part {
        #[column(unit = "s")]
        at: EventTime,
        text: String,
    }

    #[record]
    struct Whole {
        #[column(unit = "ms")]
        at: Vec<Option<EventTime>>,
        #[column(default = vec![Part { at: EventTime::MAX, text: "a \"b\"\n".into() }])]
        parts: Vec<Part>,
        #[column(default = f64::NAN)]
        float: f64,
        #[column(default)]
        maybe: Option<u8>,
        #[column(default = vec![0, 255])]
        bytes: Vec<u8>,
    }

    #[test]
    fn what_is_said_of_a_column_stands_at_its_field_at_every_depth() {
        use crate::Record;
        let (plain, wanted) = (Whole::schema(), <Whole as Record>::wanted());
        for (plain, wanted) in plain.fields().iter().zip(wanted.fields()) {
            assert_eq!((plain.name(), plain.is_nullable()), (wanted.name(), wanted.is_nullable()));
            assert!(plain.data_type().equals_datatype(wanted.data_type()), "{plain} {wanted}");
        }
        let unit = |field: &ArrowField| field.metadata().get(UNIT).cloned();
        let item = |field: &ArrowField| match field.data_type() {
            DataType::List(item) => item.clone(),
            other => panic!("{other}"),
        };
        assert_eq!(unit(wanted.field(0)).as_deref(), Some("ms"));
        assert_eq!(unit(&item(wanted.field(0))).as_deref(), Some("ms"));
        assert!(item(wanted.field(0)).is_nullable());
        let DataType::Struct(part) = item(wanted.field(1)).data_type().clone() else { panic!("a struct") };
        assert_eq!((unit(&part[0]).as_deref(), unit(&part[1])), (Some("s"), None));
        let default = |at: usize| wanted.field(at).metadata()[DEFAULT].clone();
        assert_eq!(default(1), r#"[{"at":"9223372036854775807us","text":"a \"b\"\u000a"}]"#);
        assert_eq!((default(2), default(3), default(4)), ("\"NaN\"".into(), "null".into(), "\"00ff\"".into()));
    }
}
