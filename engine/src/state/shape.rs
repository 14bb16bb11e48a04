//! The shape of a type, as the description in its fingerprint has it, and stored bytes read by it.
//!
//! So whoever looks into a checkpoint needs none of the program's types. Only postcard's own form is known here: fields
//! one after the other, integers as varints, variants by their number.

use super::Fingerprint;
use super::form::{Form, Leaf};
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
pub struct Shape(pub(super) Form);

impl Shape {
    /// The shape that a fingerprint describes; `None` where the description is not one.
    pub fn of(fingerprint: &Fingerprint) -> Option<Shape> {
        let description = fingerprint.to_string();
        let (form, rest) = Form::parse(&description)?;
        (rest.is_empty() || rest.starts_with(" (of ")).then_some(Shape(form))
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
        take(&self.0, &mut Inside::new(), &mut bytes).filter(|_| bytes.is_empty())
    }
}

/// How deep parts may nest: each level is a call, and bytes say how deep a recursive type goes.
const DEEPEST: usize = 400;

/// How many elements without bytes there may be: without a limit they would have no end.
const WITHOUT_BYTES: usize = 1_000_000;

/// Where in a value the reader is.
pub(super) struct Inside<'a> {
    /// The forms that it is inside of.
    forms: Vec<&'a Form>,
    deep: usize,
    /// How many more elements without bytes there may be.
    left: usize,
}

impl Inside<'_> {
    /// Outside of all forms.
    pub(super) fn new() -> Self {
        Inside { forms: Vec::new(), deep: 0, left: WITHOUT_BYTES }
    }
}

/// Takes one of many.
fn take_element<'a>(form: &'a Form, inside: &mut Inside<'a>, bytes: &mut &[u8]) -> Option<Value> {
    let before = bytes.len();
    let value = take(form, inside, bytes)?;
    if bytes.len() == before {
        inside.left = inside.left.checked_sub(1)?;
    }
    Some(value)
}

/// Takes a value of a form off the bytes. After a `None`, take nothing more.
pub(super) fn take<'a>(form: &'a Form, inside: &mut Inside<'a>, bytes: &mut &[u8]) -> Option<Value> {
    inside.deep += 1;
    if inside.deep > DEEPEST {
        return None;
    }
    inside.forms.push(form);
    let value = match form {
        Form::Unknown => None,
        Form::Leaf(leaf) => take_leaf(*leaf, bytes),
        Form::Recursive(name) => {
            let same = inside.forms.iter().rposition(|outer| outer.is_named(name))?;
            let below = inside.forms.split_off(same);
            let value = take(below[0], inside, bytes);
            inside.forms.extend(below);
            value
        }
        Form::Option(part) => match take_byte(bytes)? {
            0 => Some(Value::None),
            1 => take(part, inside, bytes),
            _ => None,
        },
        Form::Seq(part) => {
            let count = take_count(bytes)?;
            (0..count).map(|_| take_element(part, inside, bytes)).collect::<Option<_>>().map(Value::List)
        }
        Form::Map(parts) => {
            let count = take_count(bytes)?;
            let pair = |_| Some((take_element(&parts.0, inside, bytes)?, take_element(&parts.1, inside, bytes)?));
            (0..count).map(pair).collect::<Option<_>>().map(Value::Map)
        }
        Form::Array(part, count) => {
            (0..*count).map(|_| take_element(part, inside, bytes)).collect::<Option<_>>().map(Value::List)
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
    inside.forms.pop();
    inside.deep -= 1;
    value
}

fn take_tuple<'a>(name: Option<&str>, parts: &'a [Form], inside: &mut Inside<'a>, bytes: &mut &[u8]) -> Option<Value> {
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

pub(super) fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
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
pub(super) fn take_count(bytes: &mut &[u8]) -> Option<u128> {
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
        for (description, bytes) in [
            ("seq<seq<()>>", [0xc0, 0x84, 0x3d].repeat(10_000)),
            ("[(); 18446744073709551615]", Vec::new()),
            ("map<(), [[(); 4000000000]; 4000000000]>", vec![5; 10]),
        ] {
            let shape = Shape(Form::parse(description).unwrap().0);
            assert_eq!(shape.read(&bytes), None, "{description}: elements without end");
        }
        let (first, second) = pair.pair().unwrap();
        assert_eq!((first.read(&[5]), second.read(&[1])), (Some(Value::Unsigned(5)), Some(Value::Bool(true))));
    }

    #[test]
    fn bytes_go_no_deeper_than_a_stack_bears() {
        let shape = Shape::of(&Fingerprint::of::<Kind>()).unwrap();
        // The third variant, a name of no length, and another one inside.
        let deep = |levels: usize| [[2, 0, 1].repeat(levels), vec![0]].concat();
        assert!(shape.read(&deep(50)).is_some());
        assert_eq!(shape.read(&deep(1_000_000)), None);
    }
}
