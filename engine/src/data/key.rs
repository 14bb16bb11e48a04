//! Which worker owns a key.
//!
//! The group of a key is frozen for ever. It depends neither on the number of workers nor on the version of this crate,
//! since stored state is found by it.

use std::hash::Hash;

use serde::ser::{self, Impossible, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::Data;

/// How many key groups there are, and so how many workers a job can use at most.
pub const KEY_GROUPS: u64 = 256;

/// What a stream can be keyed by. Expands to `Data + Hash + Ord`; every such type has it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    label = "a key is compared, hashed and stored",
    note = "mark a struct of its own `#[record]`, and give an enum `#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]`",
    note = "a float has no total order: key by an integer, or by the float's `to_bits()`"
)]
pub trait Key: Data + Hash + Ord {}

impl<T: Data + Hash + Ord> Key for T {}

/// The unit in which keyed state is owned, stored and moved between workers.
///
/// `xxh3_64(bytes of key) % 256`, where the bytes of a key of fixed width (integers, `bool`, `char`, and structs and
/// tuples of them, up to 64 bytes) are its fields in little-endian order, and those of any other key its postcard form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyGroup(pub u16);

impl KeyGroup {
    /// The group of a key.
    ///
    /// # Panics
    /// When the key's own `Serialize` fails.
    ///
    /// ```
    /// use dualgauge_engine::KeyGroup;
    ///
    /// // Frozen: a checkpoint that was written by another version is read by these numbers.
    /// assert_eq!(KeyGroup::of(&7_u64), KeyGroup(175));
    /// assert_eq!(KeyGroup::of(&"apple".to_string()), KeyGroup(241));
    /// ```
    #[inline]
    pub fn of<K: Serialize>(key: &K) -> KeyGroup {
        let mut fixed = FixedWidth { bytes: [0; 64], len: 0 };
        let hash = match key.serialize(&mut fixed) {
            Ok(()) => xxh3_64(&fixed.bytes[..fixed.len]),
            Err(NotFixed) => hash_of_postcard(key),
        };
        KeyGroup((hash % KEY_GROUPS) as u16)
    }

    /// The worker that owns the group: each owns a contiguous range.
    #[inline]
    pub fn owner(self, workers: usize) -> usize {
        self.0 as usize * workers / KEY_GROUPS as usize
    }
}

/// The hash of the key's postcard form, which for most keys fits on the stack.
fn hash_of_postcard<K: Serialize>(key: &K) -> u64 {
    match postcard::to_slice(key, &mut [0; 256]) {
        Ok(bytes) => xxh3_64(bytes),
        Err(_) => xxh3_64(&postcard::to_stdvec(key).expect("a key's Serialize must not fail")),
    }
}

/// Writes a key's fields as little-endian bytes, and gives up where a width is not fixed by the type.
///
/// The compiler reduces this to a store per field, which is why it is a serializer and not a second trait on keys.
struct FixedWidth {
    bytes: [u8; 64],
    len: usize,
}

/// The key has no fixed width, and goes through postcard.
#[derive(Debug)]
struct NotFixed;

impl FixedWidth {
    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) -> Result<(), NotFixed> {
        let end = self.len + N;
        self.bytes.get_mut(self.len..end).ok_or(NotFixed)?.copy_from_slice(&bytes);
        self.len = end;
        Ok(())
    }
}

impl std::fmt::Display for NotFixed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not of fixed width")
    }
}

impl std::error::Error for NotFixed {}

impl ser::Error for NotFixed {
    fn custom<T: std::fmt::Display>(_: T) -> NotFixed {
        NotFixed
    }
}

macro_rules! fixed {
    ($($method:ident: $type:ty),*) => {
        $(#[inline] fn $method(self, value: $type) -> Result<(), NotFixed> { self.put(value.to_le_bytes()) })*
    };
}

macro_rules! not_fixed {
    ($($method:ident($($type:ty),*) -> $out:ty;)*) => {
        $(#[inline] fn $method(self, $(_: $type),*) -> Result<$out, NotFixed> { Err(NotFixed) })*
    };
}

impl ser::Serializer for &mut FixedWidth {
    type Ok = ();
    type Error = NotFixed;
    type SerializeSeq = Impossible<(), NotFixed>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Impossible<(), NotFixed>;
    type SerializeMap = Impossible<(), NotFixed>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Impossible<(), NotFixed>;

    fixed!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128);

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), NotFixed> {
        self.put([value as u8])
    }
    #[inline]
    fn serialize_char(self, value: char) -> Result<(), NotFixed> {
        self.put((value as u32).to_le_bytes())
    }
    #[inline]
    fn serialize_unit(self) -> Result<(), NotFixed> {
        Ok(())
    }
    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NotFixed> {
        Ok(())
    }
    #[inline]
    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, _: &'static str, value: &T) -> Result<(), NotFixed> {
        value.serialize(self)
    }
    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Self, NotFixed> {
        Ok(self)
    }
    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, NotFixed> {
        Ok(self)
    }
    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NotFixed> {
        Ok(self)
    }
    #[inline]
    fn serialize_some<T: ?Sized + Serialize>(self, _: &T) -> Result<(), NotFixed> {
        Err(NotFixed)
    }
    #[inline]
    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), NotFixed> {
        Err(NotFixed)
    }
    not_fixed! {
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_str(&str) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_none() -> ();
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_seq(Option<usize>) -> Impossible<(), NotFixed>;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Impossible<(), NotFixed>;
        serialize_map(Option<usize>) -> Impossible<(), NotFixed>;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Impossible<(), NotFixed>;
    }
}

impl ser::SerializeTuple for &mut FixedWidth {
    type Ok = ();
    type Error = NotFixed;

    #[inline]
    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), NotFixed> {
        value.serialize(&mut **self)
    }
    #[inline]
    fn end(self) -> Result<(), NotFixed> {
        Ok(())
    }
}

impl ser::SerializeTupleStruct for &mut FixedWidth {
    type Ok = ();
    type Error = NotFixed;

    #[inline]
    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), NotFixed> {
        value.serialize(&mut **self)
    }
    #[inline]
    fn end(self) -> Result<(), NotFixed> {
        Ok(())
    }
}

impl ser::SerializeStruct for &mut FixedWidth {
    type Ok = ();
    type Error = NotFixed;

    #[inline]
    fn serialize_field<T: ?Sized + Serialize>(&mut self, _: &'static str, value: &T) -> Result<(), NotFixed> {
        value.serialize(&mut **self)
    }
    #[inline]
    fn end(self) -> Result<(), NotFixed> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_hash(bytes: &[u8]) -> KeyGroup {
        KeyGroup((xxh3_64(bytes) % KEY_GROUPS) as u16)
    }

    #[test]
    fn fixed_width_keys_are_their_little_endian_fields() {
        assert_eq!(KeyGroup::of(&0x0102_0304_u32), bytes_hash(&[4, 3, 2, 1]));
        assert_eq!(KeyGroup::of(&(1_u8, -2_i16)), bytes_hash(&[1, 0xfe, 0xff]));
    }

    #[test]
    fn other_keys_are_their_postcard_form() {
        assert_eq!(KeyGroup::of(&"ab"), bytes_hash(&[2, b'a', b'b']));
        assert_eq!(KeyGroup::of(&Some(5_u64)), bytes_hash(&[1, 5]));
        assert_eq!(KeyGroup::of(&(7_u8, "a")), bytes_hash(&[7, 1, b'a']));
        let long = "x".repeat(300);
        assert_eq!(KeyGroup::of(&long), bytes_hash(&postcard::to_stdvec(&long).unwrap()));
    }

    #[test]
    fn every_worker_owns_a_contiguous_range_and_every_group_an_owner() {
        for workers in [1, 2, 3, 7, 256] {
            let owners: Vec<_> = (0..KEY_GROUPS as u16).map(|group| KeyGroup(group).owner(workers)).collect();
            assert!(owners.is_sorted());
            assert_eq!(owners.last(), Some(&(workers - 1)));
            assert_eq!(owners.iter().collect::<std::collections::BTreeSet<_>>().len(), workers);
        }
    }
}
