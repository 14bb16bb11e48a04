//! Keys that never match: those with a null in them.
//!
//! A null is a `None` anywhere in the key, as in SQL: the whole key, a field of a tuple, a field of a struct. Nulls are
//! equal where keys are grouped, and match nothing where they are joined, not even each other.

use std::fmt;

use serde::Serialize;
use serde::ser;

/// Whether there is a `None` anywhere in `key`.
///
/// For a key without options the compiler reduces this to `false`, which is why it is a serializer and not a second
/// trait on keys.
#[inline]
pub(crate) fn has_null<K: Serialize>(key: &K) -> bool {
    matches!(key.serialize(NoNull), Err(Found::Null))
}

/// Serializes a key into nothing, and stops at the first null.
#[derive(Clone, Copy)]
struct NoNull;

/// Why the key was not serialized to its end.
#[derive(Debug)]
enum Found {
    Null,
    /// The key's own `Serialize` failed, which surfaces where its group is computed.
    Failure,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key cannot be serialized")
    }
}

impl std::error::Error for Found {}

impl ser::Error for Found {
    fn custom<T: fmt::Display>(_: T) -> Found {
        Found::Failure
    }
}

macro_rules! no_null {
    ($($method:ident($($type:ty),*) -> $out:ty = $value:expr;)*) => {
        $(#[inline] fn $method(self, $(_: $type),*) -> Result<$out, Found> { Ok($value) })*
    };
}

macro_rules! compound {
    ($($of:ident { $($method:ident($($name:ty)?))* })*) => {
        $(impl ser::$of for NoNull {
            type Ok = ();
            type Error = Found;

            $(#[inline] fn $method<T: ?Sized + Serialize>(&mut self, $(_: $name,)? value: &T) -> Result<(), Found> {
                value.serialize(NoNull)
            })*
            #[inline]
            fn end(self) -> Result<(), Found> {
                Ok(())
            }
        })*
    };
}

impl ser::Serializer for NoNull {
    type Ok = ();
    type Error = Found;
    type SerializeSeq = NoNull;
    type SerializeTuple = NoNull;
    type SerializeTupleStruct = NoNull;
    type SerializeTupleVariant = NoNull;
    type SerializeMap = NoNull;
    type SerializeStruct = NoNull;
    type SerializeStructVariant = NoNull;

    #[inline]
    fn serialize_none(self) -> Result<(), Found> {
        Err(Found::Null)
    }
    #[inline]
    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Found> {
        value.serialize(self)
    }
    #[inline]
    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, _: &'static str, value: &T) -> Result<(), Found> {
        value.serialize(self)
    }
    #[inline]
    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Found> {
        value.serialize(self)
    }
    #[inline]
    fn collect_str<T: ?Sized + fmt::Display>(self, _: &T) -> Result<(), Found> {
        Ok(())
    }
    #[inline]
    fn is_human_readable(&self) -> bool {
        false // as wherever a key becomes bytes
    }
    no_null! {
        serialize_bool(bool) -> () = ();
        serialize_i8(i8) -> () = ();
        serialize_i16(i16) -> () = ();
        serialize_i32(i32) -> () = ();
        serialize_i64(i64) -> () = ();
        serialize_i128(i128) -> () = ();
        serialize_u8(u8) -> () = ();
        serialize_u16(u16) -> () = ();
        serialize_u32(u32) -> () = ();
        serialize_u64(u64) -> () = ();
        serialize_u128(u128) -> () = ();
        serialize_f32(f32) -> () = ();
        serialize_f64(f64) -> () = ();
        serialize_char(char) -> () = ();
        serialize_str(&str) -> () = ();
        serialize_bytes(&[u8]) -> () = ();
        serialize_unit() -> () = ();
        serialize_unit_struct(&'static str) -> () = ();
        serialize_unit_variant(&'static str, u32, &'static str) -> () = ();
        serialize_seq(Option<usize>) -> NoNull = NoNull;
        serialize_tuple(usize) -> NoNull = NoNull;
        serialize_tuple_struct(&'static str, usize) -> NoNull = NoNull;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> NoNull = NoNull;
        serialize_map(Option<usize>) -> NoNull = NoNull;
        serialize_struct(&'static str, usize) -> NoNull = NoNull;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> NoNull = NoNull;
    }
}

compound! {
    SerializeSeq { serialize_element() }
    SerializeTuple { serialize_element() }
    SerializeTupleStruct { serialize_field() }
    SerializeTupleVariant { serialize_field() }
    SerializeMap { serialize_key() serialize_value() }
    SerializeStruct { serialize_field(&'static str) }
    SerializeStructVariant { serialize_field(&'static str) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use dualgauge_engine::{EventTime, Text, record};

    use super::*;

    #[record]
    struct Place {
        country: Text,
        state: Option<u16>,
    }

    #[derive(Serialize)]
    enum Who {
        Nobody,
        Person(Option<u64>),
        Pair(u8, Option<u8>),
        Named { name: Option<String> },
    }

    #[test]
    fn a_null_is_found_wherever_it_is() {
        let none = None::<u64>;
        assert!(has_null(&none));
        assert!(has_null(&(1_u64, none)));
        assert!(has_null(&(1_u64, ("a", (none, true)))));
        assert!(has_null(&Some(none)));
        assert!(has_null(&vec![Some(1), none]));
        assert!(has_null(&BTreeMap::from([(1, none)])));
        assert!(has_null(&BTreeMap::from([(none, 1)])));
        assert!(has_null(&Place { country: "it".into(), state: None }));
        assert!(has_null(&Who::Person(None)));
        assert!(has_null(&Who::Pair(1, None)));
        assert!(has_null(&Who::Named { name: None }));
    }

    #[test]
    fn what_is_there_is_no_null() {
        assert!(!has_null(&Some(0_u64)));
        assert!(!has_null(&(0_u64, "", [0_u8; 3], i128::MIN, 'a', ())));
        assert!(!has_null(&EventTime::default()));
        assert!(!has_null(&vec![Some(1), Some(2)]));
        assert!(!has_null(&Vec::<Option<u64>>::new()));
        assert!(!has_null(&Place { country: "us".into(), state: Some(1) }));
        assert!(!has_null(&Who::Nobody));
        assert!(!has_null(&Who::Named { name: Some(String::new()) }));
    }
}
