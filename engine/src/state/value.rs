//! A stored value without its type: what a [`Shape`](super::Shape) makes of bytes, to be shown.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::EventTime;

/// A stored value without its type. It serializes as what it shows in JSON.
///
/// Fields keep their order. An enum's variant is its name, or its name over what it holds; a time is text in RFC 3339,
/// bytes are hexadecimal, and numbers that JSON does not have (beyond 64 bits, not finite) are text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: an option that is empty, a unit.
    None,
    /// Yes or no.
    Bool(bool),
    /// A number without a sign.
    Unsigned(u128),
    /// A number with a sign.
    Signed(i128),
    /// A number with a point.
    Float(f64),
    /// Text, or a variant that holds nothing.
    Text(String),
    /// A time.
    Time(EventTime),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Parts in order: a list or a tuple.
    List(Vec<Value>),
    /// Keys and their values: an object where the keys are text, else a list of pairs.
    Map(Vec<(Value, Value)>),
    /// Fields by name; also a variant over what it holds.
    Struct(Vec<(String, Value)>),
}

impl Value {
    /// Whether this is the value, or one of its fields or parts is, all the way down.
    ///
    /// ```
    /// use dualgauge_engine::state::Value;
    ///
    /// let bid = Value::List(vec![Value::Unsigned(7), Value::Text("a".into())]);
    /// assert!(bid.has(&|part| *part == Value::Unsigned(7)));
    /// assert!(!bid.has(&|part| *part == Value::Unsigned(8)));
    /// ```
    pub fn has(&self, is_it: &dyn Fn(&Value) -> bool) -> bool {
        is_it(self)
            || match self {
                Value::List(parts) => parts.iter().any(|part| part.has(is_it)),
                Value::Struct(fields) => fields.iter().any(|(_, value)| value.has(is_it)),
                _ => false,
            }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::None => to.serialize_unit(),
            Value::Bool(value) => to.serialize_bool(*value),
            Value::Unsigned(number) => match u64::try_from(*number) {
                Ok(number) => to.serialize_u64(number),
                Err(_) => to.collect_str(number),
            },
            Value::Signed(number) => match i64::try_from(*number) {
                Ok(number) => to.serialize_i64(number),
                Err(_) => to.collect_str(number),
            },
            Value::Float(number) if number.is_finite() => to.serialize_f64(*number),
            Value::Float(number) => to.collect_str(number),
            Value::Text(text) => to.serialize_str(text),
            Value::Time(time) => to.collect_str(time),
            Value::Bytes(bytes) => to.serialize_str(&hexadecimal(bytes)),
            Value::List(parts) => to.collect_seq(parts),
            Value::Map(pairs) => match pairs.iter().map(|(key, value)| Some((key.as_text()?, value))).collect() {
                Some::<Vec<_>>(pairs) => to.collect_map(pairs),
                None => to.collect_seq(pairs),
            },
            Value::Struct(fields) => {
                let mut map = to.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl Value {
    fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
