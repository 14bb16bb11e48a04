//! Walks JSON without descending into it: the values of one object or list, each as its text.
//!
//! What a value holds is skipped by serde_json without recursion, so no depth is too much for the stack. Depth is
//! bounded all the same, before anything else: what a record could hold is far shallower than the bound.

use std::fmt;

use arrow_schema::{FieldRef, Fields};
use dualgauge_engine::columns::DEFAULT;
use dualgauge_engine::names::is_same_but_for_case;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, de};
use serde_json::value::RawValue;

use super::Cell;

/// How deeply objects and lists may be nested.
pub(crate) const DEPTH_MAX: usize = 128;

/// Gives each value of these fields that the object has. Returns whether it is one, with each field at most once, and
/// none that may be missing under a name that differs only by case.
pub(crate) fn object<'a>(json: &'a str, fields: &Fields, each: impl FnMut(usize, Cell<'a>)) -> bool {
    let mut reader = serde_json::Deserializer::from_str(json);
    let object = Object { fields, each, seen: Seen::default() };
    reader.deserialize_map(object).is_ok_and(|whole| whole) && reader.end().is_ok()
}

/// Gives each value of the list. Returns whether it is one.
pub(super) fn elements<'a>(json: &'a str, each: impl FnMut(Cell<'a>)) -> bool {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.deserialize_seq(List { each }).is_ok() && reader.end().is_ok()
}

/// Whether objects and lists are nested more than [`DEPTH_MAX`] deep.
pub(crate) fn too_deep(json: &[u8]) -> bool {
    let opens = |byte: &u8| matches!(byte, b'{' | b'[');
    // Most lines do not even have that many brackets.
    if json.iter().filter(|byte| opens(byte)).count() <= DEPTH_MAX {
        return false;
    }
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' if depth == DEPTH_MAX => return true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Which of the fields were seen, the first 64 of them in one word.
#[derive(Default)]
struct Seen {
    first: u64,
    others: Vec<bool>,
}

impl Seen {
    /// Notes a field; says whether it was seen before.
    fn again(&mut self, field: usize) -> bool {
        if field < 64 {
            let before = self.first >> field & 1 == 1;
            self.first |= 1 << field;
            return before;
        }
        let at = field - 64;
        if self.others.len() <= at {
            self.others.resize(at + 1, false);
        }
        std::mem::replace(&mut self.others[at], true)
    }
}

struct Object<'f, E> {
    fields: &'f Fields,
    each: E,
    seen: Seen,
}

impl<'a, E: FnMut(usize, Cell<'a>)> Visitor<'a> for Object<'_, E> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<bool, A::Error> {
        // Most records have their fields in the same order.
        let mut next = 0;
        let (mut whole, mut misspelt) = (true, Vec::new());
        while let Some(field) = map.next_key_seed(Key { fields: self.fields, next })? {
            let field = match field {
                Known::Field(field) => field,
                Known::Not => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                Known::Misspelt(field) => {
                    map.next_value::<IgnoredAny>()?;
                    misspelt.push(field);
                    continue;
                }
            };
            whole &= !self.seen.again(field);
            (self.each)(field, Cell::json(map.next_value::<&RawValue>()?.get()));
            next = field + 1;
        }
        Ok(whole && misspelt.into_iter().all(|field| self.seen.again(field)))
    }
}

/// What a key names.
enum Known {
    Field(usize),
    Not,
    /// A field that may be missing, in other case: taken for missing, its value would be lost silently.
    Misspelt(usize),
}

struct Key<'f> {
    fields: &'f Fields,
    next: usize,
}

impl<'a> DeserializeSeed<'a> for Key<'_> {
    type Value = Known;

    fn deserialize<D: Deserializer<'a>>(self, key: D) -> Result<Known, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Known;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Known, E> {
        if self.fields.get(self.next).is_some_and(|field| field.name() == name) {
            return Ok(Known::Field(self.next));
        }
        let meant = |field: &FieldRef| {
            (field.is_nullable() || field.metadata().contains_key(DEFAULT)) && is_same_but_for_case(field.name(), name)
        };
        Ok(match self.fields.iter().position(|field| field.name() == name) {
            Some(field) => Known::Field(field),
            None => self.fields.iter().position(meant).map_or(Known::Not, Known::Misspelt),
        })
    }
}

struct List<E> {
    each: E,
}

impl<'a, E: FnMut(Cell<'a>)> Visitor<'a> for List<E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element::<&RawValue>()? {
            (self.each)(Cell::json(value.get()));
        }
        Ok(())
    }
}
