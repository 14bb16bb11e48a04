//! The shape of a type, read back from the description in its fingerprint, and stored bytes read by it.
//!
//! So whoever looks into a checkpoint needs none of the program's types. Only postcard's own form is known here: fields
//! one behind the other, integers as varints, variants by their number.

use super::Fingerprint;
use super::value::Value;
use crate::EventTime;

/// The shape of a type, as its [`Fingerprint`] describes it.
///
/// ```
/// use dualgauge_engine::state::{Fingerprint, Shape, Value};
///
/// let shape = Shape::of(&Fingerprint::of::<(String, Option<u64>)>()).unwrap();
/// let bytes = &[2, b'h', b'i', 1, 200, 1][..];
/// assert_eq!(shape.read(bytes), Some(Value::List(vec![Value::Text("hi".into()), Value::Unsigned(200)])));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Shape(Form);

#[derive(Clone, Debug, PartialEq)]
enum Form {
    /// What the trace could not see: no bytes can be read by it.
    Unknown,
    Leaf(Leaf),
    /// The type of this name that it is inside of.
    Recursive(String),
    Option(Box<Form>),
    Seq(Box<Form>),
    Map(Box<(Form, Form)>),
    Array(Box<Form>, usize),
    /// A tuple, or a struct without names of fields.
    Tuple(Option<String>, Vec<Form>),
    Struct(String, Vec<(String, Form)>),
    Enum(String, Vec<(String, Option<Form>)>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Leaf {
    Unit,
    Bool,
    U8,
    I8,
    /// Of up to this many bits.
    Unsigned(u32),
    Signed(u32),
    F32,
    F64,
    Char,
    Text,
    Bytes,
}

const LEAVES: [(&str, Leaf); 17] = [
    ("()", Leaf::Unit),
    ("bool", Leaf::Bool),
    ("u8", Leaf::U8),
    ("u16", Leaf::Unsigned(16)),
    ("u32", Leaf::Unsigned(32)),
    ("u64", Leaf::Unsigned(64)),
    ("u128", Leaf::Unsigned(128)),
    ("i8", Leaf::I8),
    ("i16", Leaf::Signed(16)),
    ("i32", Leaf::Signed(32)),
    ("i64", Leaf::Signed(64)),
    ("i128", Leaf::Signed(128)),
    ("f32", Leaf::F32),
    ("f64", Leaf::F64),
    ("char", Leaf::Char),
    ("String", Leaf::Text),
    ("bytes", Leaf::Bytes),
];

impl Shape {
    /// The shape that a fingerprint describes; `None` where the description is not one.
    pub fn of(fingerprint: &Fingerprint) -> Option<Shape> {
        let description = fingerprint.to_string();
        let mut parser = Parser(&description);
        let form = parser.form()?;
        (parser.0.is_empty() || parser.0.starts_with(" (of ")).then_some(Shape(form))
    }

    /// The two parts of a pair.
    pub fn pair(&self) -> Option<(Shape, Shape)> {
        match &self.0 {
            Form::Tuple(None, parts) => match &parts[..] {
                [first, second] => Some((Shape(first.clone()), Shape(second.clone()))),
                _ => None,
            },
            _ => None,
        }
    }

    /// Reads bytes that hold a value of this shape and nothing else.
    pub fn read(&self, mut bytes: &[u8]) -> Option<Value> {
        take(&self.0, &mut Vec::new(), &mut bytes).filter(|_| bytes.is_empty())
    }
}

/// What is still to be read of a description.
struct Parser<'a>(&'a str);

impl<'a> Parser<'a> {
    fn eat(&mut self, word: &str) -> bool {
        let rest = self.0.strip_prefix(word);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Everything up to, and not with, the first of these.
    fn until(&mut self, ends: &[&str]) -> &'a str {
        let at = ends.iter().filter_map(|end| self.0.find(end)).min().unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(at);
        self.0 = rest;
        word
    }

    fn form(&mut self) -> Option<Form> {
        if self.eat("?") {
            return Some(Form::Unknown);
        }
        if self.eat("^") {
            return Some(Form::Recursive(self.until(&[",", ")", " }", ">", ";", "]"]).to_string()));
        }
        if self.eat("Option<") {
            return self.closed_by(">").map(|part| Form::Option(Box::new(part)));
        }
        if self.eat("seq<") {
            return self.closed_by(">").map(|part| Form::Seq(Box::new(part)));
        }
        if self.eat("map<") {
            let key = self.closed_by(", ")?;
            return Some(Form::Map(Box::new((key, self.closed_by(">")?))));
        }
        if self.eat("[") {
            let part = self.closed_by("; ")?;
            let count = self.until(&["]"]).parse().ok()?;
            return self.eat("]").then_some(Form::Array(Box::new(part), count));
        }
        if self.eat("struct ") {
            let name = self.until(&["(", " { ", ",", ")", " }", ">", ";", " ("]).to_string();
            return if self.eat("(") {
                Some(Form::Tuple(Some(name), self.listed()?))
            } else if self.eat(" { ") {
                Some(Form::Struct(name, self.named()?))
            } else {
                Some(Form::Tuple(Some(name), Vec::new()))
            };
        }
        if self.eat("enum ") {
            let name = self.until(&[" { "]).to_string();
            return if self.eat(" { ") { Some(Form::Enum(name, self.variants()?)) } else { None };
        }
        if self.eat("any") {
            return Some(Form::Unknown);
        }
        if let Some((name, leaf)) = LEAVES.iter().find(|(name, _)| self.0.starts_with(name)) {
            self.eat(name);
            return Some(Form::Leaf(*leaf));
        }
        if self.eat("(") { Some(Form::Tuple(None, self.listed()?)) } else { None }
    }

    fn closed_by(&mut self, end: &str) -> Option<Form> {
        let form = self.form()?;
        self.eat(end).then_some(form)
    }

    /// Parts behind an opening bracket, up to the closing one.
    fn listed(&mut self) -> Option<Vec<Form>> {
        let mut parts = Vec::new();
        while !self.eat(")") {
            let _ = self.eat(", ");
            parts.push(self.form()?);
        }
        Some(parts)
    }

    fn named(&mut self) -> Option<Vec<(String, Form)>> {
        let mut parts = Vec::new();
        while !self.eat(" }") {
            let _ = self.eat(", ");
            let name = self.until(&[": "]).to_string();
            let form = if self.eat(": ") { self.form()? } else { return None };
            parts.push((name, form));
        }
        Some(parts)
    }

    fn variants(&mut self) -> Option<Vec<(String, Option<Form>)>> {
        let mut variants = Vec::new();
        while !self.eat(" }") {
            let _ = self.eat(", ");
            let name = self.until(&["(", "?", " { ", ",", " }"]).to_string();
            let form = if self.eat("(") {
                Some(Form::Tuple(Some(String::new()), self.listed()?))
            } else if self.eat(" { ") {
                Some(Form::Struct(String::new(), self.named()?))
            } else {
                self.eat("?").then_some(Form::Unknown)
            };
            variants.push((name, form));
        }
        Some(variants)
    }
}

/// Takes a value of a form off the bytes; `inside` are the forms that it is inside of.
fn take<'a>(form: &'a Form, inside: &mut Vec<&'a Form>, bytes: &mut &[u8]) -> Option<Value> {
    inside.push(form);
    let value = match form {
        Form::Unknown => None,
        Form::Leaf(leaf) => take_leaf(*leaf, bytes),
        Form::Recursive(name) => {
            let same = inside.iter().rposition(|outer| outer.is_named(name))?;
            let mut outside = inside[..same].to_vec();
            take(inside[same], &mut outside, bytes)
        }
        Form::Option(part) => match take_byte(bytes)? {
            0 => Some(Value::None),
            1 => take(part, inside, bytes),
            _ => None,
        },
        Form::Seq(part) => {
            let count = take_count(bytes)?;
            (0..count).map(|_| take(part, inside, bytes)).collect::<Option<_>>().map(Value::List)
        }
        Form::Map(parts) => {
            let count = take_count(bytes)?;
            let pair = |_| Some((take(&parts.0, inside, bytes)?, take(&parts.1, inside, bytes)?));
            (0..count).map(pair).collect::<Option<_>>().map(Value::Map)
        }
        Form::Array(part, count) => {
            (0..*count).map(|_| take(part, inside, bytes)).collect::<Option<_>>().map(Value::List)
        }
        Form::Tuple(name, parts) => take_tuple(name.as_deref(), parts, inside, bytes),
        Form::Struct(_, fields) => {
            let field = |(name, form): &'a (String, Form)| Some((name.clone(), take(form, inside, bytes)?));
            fields.iter().map(field).collect::<Option<_>>().map(Value::Struct)
        }
        Form::Enum(_, variants) => {
            let at = usize::try_from(take_varint(bytes)?).ok()?;
            let (name, form) = variants.get(at)?;
            let value = match form {
                None => Value::Text(name.clone()),
                Some(form) => Value::Struct(vec![(name.clone(), take(form, inside, bytes)?)]),
            };
            Some(value)
        }
    };
    inside.pop();
    value
}

fn take_tuple<'a>(
    name: Option<&str>,
    parts: &'a [Form],
    inside: &mut Vec<&'a Form>,
    bytes: &mut &[u8],
) -> Option<Value> {
    let mut values: Vec<_> = parts.iter().map(|part| take(part, inside, bytes)).collect::<Option<_>>()?;
    match (name, values.len()) {
        (Some(_), 0) => Some(Value::None),
        // A struct around one value is shown as that value, and a time as a person reads it.
        (Some(name), 1) => match (name, values.remove(0)) {
            ("EventTime", Value::Signed(micros)) => {
                Some(Value::Time(EventTime::from_micros(i64::try_from(micros).ok()?)))
            }
            (_, value) => Some(value),
        },
        _ => Some(Value::List(values)),
    }
}

impl Form {
    /// Whether a part inside of it that says `^name` means it.
    fn is_named(&self, name: &str) -> bool {
        match self {
            Form::Tuple(Some(own), _) | Form::Struct(own, _) | Form::Enum(own, _) => own == name,
            Form::Tuple(None, _) | Form::Array(..) => name == "tuple",
            Form::Seq(_) => name == "seq",
            Form::Map(_) => name == "map",
            Form::Unknown | Form::Leaf(_) | Form::Recursive(_) | Form::Option(_) => false,
        }
    }
}

fn take_leaf(leaf: Leaf, bytes: &mut &[u8]) -> Option<Value> {
    Some(match leaf {
        Leaf::Unit => Value::None,
        Leaf::Bool => match take_byte(bytes)? {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            _ => return None,
        },
        Leaf::U8 => Value::Unsigned(take_byte(bytes)?.into()),
        Leaf::I8 => Value::Signed((take_byte(bytes)? as i8).into()),
        Leaf::Unsigned(bits) => Value::Unsigned(fits(take_varint(bytes)?, bits)?),
        Leaf::Signed(bits) => {
            let number = fits(take_varint(bytes)?, bits)?;
            Value::Signed((number >> 1) as i128 ^ -((number & 1) as i128))
        }
        Leaf::F32 => Value::Float(f32::from_le_bytes(take_array(bytes)?).into()),
        Leaf::F64 => Value::Float(f64::from_le_bytes(take_array(bytes)?)),
        Leaf::Char | Leaf::Text => Value::Text(str::from_utf8(take_counted(bytes)?).ok()?.to_string()),
        Leaf::Bytes => Value::Bytes(take_counted(bytes)?.to_vec()),
    })
}

fn fits(number: u128, bits: u32) -> Option<u128> {
    (bits == 128 || number >> bits == 0).then_some(number)
}

fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    take_array::<1>(bytes).map(|[byte]| byte)
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

fn take_counted<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_varint(bytes)?).ok()?;
    let (head, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(head)
}

/// How many parts follow. More than a million are taken for bytes of another shape: parts without bytes would have no end.
fn take_count(bytes: &mut &[u8]) -> Option<u128> {
    let count = take_varint(bytes)?;
    (count <= bytes.len().max(1_000_000) as u128).then_some(count)
}

pub(super) fn take_varint(bytes: &mut &[u8]) -> Option<u128> {
    let mut number = 0;
    for shift in (0..128).step_by(7) {
        let byte = take_byte(bytes)?;
        number |= u128::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Serialize, Deserialize)]
    enum Kind {
        Plain,
        Of(i64, bool),
        With { name: String, more: Option<Box<Kind>> },
    }

    #[derive(Serialize, Deserialize)]
    struct Everything {
        time: EventTime,
        kinds: Vec<Kind>,
        totals: BTreeMap<String, f64>,
        pairs: BTreeMap<u8, (i8, char)>,
        many: [u16; 6],
        big: u128,
        unit: (),
    }

    fn read<T: Serialize + DeserializeOwned>(value: &T) -> Option<Value> {
        let fingerprint = Fingerprint::of::<T>();
        let shape = Shape::of(&fingerprint).unwrap_or_else(|| panic!("{fingerprint}"));
        shape.read(&postcard::to_stdvec(value).unwrap())
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_string())
    }

    fn fields(fields: &[(&str, Value)]) -> Value {
        Value::Struct(fields.iter().map(|(name, value)| (name.to_string(), value.clone())).collect())
    }

    #[test]
    fn a_value_is_read_by_the_description_of_its_type() {
        let inner = Kind::With { name: "b".to_string(), more: None };
        let value = Everything {
            time: EventTime::from_micros(-5),
            kinds: vec![
                Kind::Plain,
                Kind::Of(-300, true),
                Kind::With { name: "a".to_string(), more: Some(Box::new(inner)) },
            ],
            totals: [("x".to_string(), 0.5)].into(),
            pairs: [(7, (-1, 'é'))].into(),
            many: [1, 2, 3, 4, 5, 65535],
            big: u128::MAX,
            unit: (),
        };
        let inner = fields(&[("With", fields(&[("name", text("b")), ("more", Value::None)]))]);
        let kinds = vec![
            text("Plain"),
            fields(&[("Of", Value::List(vec![Value::Signed(-300), Value::Bool(true)]))]),
            fields(&[("With", fields(&[("name", text("a")), ("more", inner)]))]),
        ];
        let expected = fields(&[
            ("time", Value::Time(EventTime::from_micros(-5))),
            ("kinds", Value::List(kinds)),
            ("totals", Value::Map(vec![(text("x"), Value::Float(0.5))])),
            ("pairs", Value::Map(vec![(Value::Unsigned(7), Value::List(vec![Value::Signed(-1), text("é")]))])),
            ("many", Value::List([1, 2, 3, 4, 5, 65535].map(Value::Unsigned).to_vec())),
            ("big", Value::Unsigned(u128::MAX)),
            ("unit", Value::None),
        ]);
        assert_eq!(read(&value), Some(expected));
    }

    #[test]
    fn bytes_of_another_shape_are_not_read() {
        let of = |fingerprint: Fingerprint| Shape::of(&fingerprint).unwrap();
        let pair = of(Fingerprint::of::<(u16, bool)>());
        assert_eq!(pair.read(&[5, 1]), Some(Value::List(vec![Value::Unsigned(5), Value::Bool(true)])));
        for bytes in [&[5, 2][..], &[5], &[5, 1, 0], &[0xff, 0xff, 0x7f, 1], &[0x80; 30]] {
            assert_eq!(pair.read(bytes), None, "{bytes:?}");
        }
        let units = of(Fingerprint::of::<Vec<()>>());
        assert_eq!(units.read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]), None, "a list without end");
        let (first, second) = pair.pair().unwrap();
        assert_eq!((first.read(&[5]), second.read(&[1])), (Some(Value::Unsigned(5)), Some(Value::Bool(true))));
    }
}
