//! Finding out the shape of a type by deserializing made-up values of it.
//!
//! A type tells serde what it expects, one part after the other; that is written down in a tree of [`Node`]s, and a
//! made-up value is given back so that it goes on. One pass takes one way through the type: one variant of each enum.
//! Passes are repeated, each taking a way that is still open, until none is. A part that refuses a value is offered
//! others; if it refuses them all, the option, list or variant around it is given up, so that what comes after it is
//! seen.
//!
//! A type inside itself has no end. Where it comes up again it is named, and the option or list around it stays empty; an
//! enum gives back a variant of which a value was made before, and variants that need one wait until there is one.

use std::any::type_name;
use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::value::U32Deserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};

/// One part of a type.
#[derive(Default)]
pub(super) struct Node {
    pub form: Form,
    pub parts: Vec<Node>,
    /// All its parts were asked for.
    closed: bool,
    /// No value could be made that goes through here.
    given_up: bool,
    /// As a variant: a value of it was made.
    possible: bool,
    /// As a variant: it needs a value of its own enum, and waits for one that another variant makes.
    waits: bool,
}

/// What a part is.
#[derive(Clone, Copy, Default)]
pub(super) enum Form {
    #[default]
    Unknown,
    Leaf(&'static str),
    /// A type inside itself.
    Recursive(&'static str),
    Option,
    Seq,
    Map,
    Tuple,
    UnitStruct(&'static str),
    TupleStruct(&'static str),
    Struct(&'static str, &'static [&'static str]),
    /// The parts are the variants.
    Enum(&'static str, &'static [&'static str]),
    UnitVariant,
    TupleVariant,
    StructVariant(&'static [&'static str]),
}

/// The shape of `T`, as much of it as could be seen.
pub(super) fn trace<T: DeserializeOwned>() -> Node {
    let mut root = Node::default();
    let trail = Trail::default();
    let mut stalled = 0;
    // Offer every sort of value, then do so again while giving up where nothing helps.
    while !root.is_complete() && stalled < 2 * SORTS && trail.nodes.get() < NODES_MAX {
        let before = trail.progress.get();
        trail.sort.set(stalled % SORTS);
        trail.giving_up.set(stalled >= SORTS);
        let _ = T::deserialize(Tracer { node: &mut root, trail: &trail }); // the tree says how far it came
        trail.recursed.set(false);
        stalled = if trail.progress.get() == before { stalled + 1 } else { 0 };
    }
    root
}

/// How many sorts of made-up values there are.
const SORTS: usize = 4;
const NUMBERS: [u8; SORTS] = [1, 0, 2, 10]; // one first, as many types refuse zero
const STRINGS: [&str; SORTS] = ["", "a", "1970-01-01T00:00:00Z", "1"];
const BYTES: [&[u8]; SORTS] = [&[], &[0; 16], &[0; 4], &[0; 32]];

/// A type that asks the bytes what they are, and so says nothing of its shape.
const ANY: &str = "any";

/// A type that unfolds to more than this is described in part.
const NODES_MAX: usize = 5_000;

impl Node {
    /// Whether no way through this part is still open.
    pub fn is_complete(&self) -> bool {
        self.given_up || (self.closed && self.parts.iter().all(Node::is_complete))
    }

    /// Whether everything in this part was seen.
    pub fn is_whole(&self) -> bool {
        let asked = match self.form {
            Form::Unknown | Form::Leaf(ANY) => false,
            Form::Option | Form::Seq => self.parts.len() == 1,
            Form::Map => self.parts.len() == 2,
            Form::Enum(..) => true,
            _ => self.closed,
        };
        asked && self.parts.iter().all(Node::is_whole)
    }

    /// Whether a list of parts may be longer than what was seen of it.
    pub fn is_cut_off(&self) -> bool {
        !self.closed
    }

    /// A part by its index, unknown if it was never asked for.
    pub fn part(&self, at: usize) -> &Node {
        const UNKNOWN: &Node = &Node {
            form: Form::Unknown,
            parts: Vec::new(),
            closed: false,
            given_up: false,
            possible: false,
            waits: false,
        };
        self.parts.get(at).unwrap_or(UNKNOWN)
    }
}

/// What the parts of one trace share.
#[derive(Default)]
struct Trail {
    /// Counts everything that was found out.
    progress: Cell<usize>,
    nodes: Cell<usize>,
    /// Which sort of made-up values this pass offers.
    sort: Cell<usize>,
    /// Whether a choice is given up when it leads nowhere.
    giving_up: Cell<bool>,
    /// Whether the present error is a type inside itself; then other values are of no use.
    recursed: Cell<bool>,
    /// Whether the value being made has a shape that is known already: nothing is noted, and what can be left empty is.
    filling: Cell<bool>,
    /// The types that the present part is inside of.
    inside: RefCell<Vec<Enclosing>>,
}

/// A type that the present part is inside of.
struct Enclosing {
    /// The names of the visitor and of the value, which together tell types apart.
    key: (&'static str, &'static str),
    /// As an enum: a variant of which a value was made before.
    possible: Option<usize>,
}

impl Trail {
    fn found(&self) {
        if !self.filling.get() {
            self.progress.set(self.progress.get() + 1);
        }
    }

    /// Notes what a part is, the first time.
    fn note(&self, node: &mut Node, form: Form) {
        if let Form::Unknown = node.form {
            node.form = form;
            self.found();
        }
    }

    fn close(&self, node: &mut Node) {
        if !node.closed {
            node.closed = true;
            self.found();
        }
    }

    /// Makes a value of a shape that is known already.
    fn fill<T>(&self, make: impl FnOnce(&Trail) -> Result<T, Refused>) -> Result<T, Refused> {
        self.filling.set(true);
        let value = make(self);
        self.filling.set(false);
        value
    }

    /// Gives a choice up if the way that was just tried cannot succeed; the innermost choice is the one to blame.
    fn blame(&self, choice: &mut Node, progress_before: usize) {
        let stuck = self.giving_up.get() && self.progress.get() == progress_before;
        if !self.filling.get() && (self.recursed.replace(false) || stuck) && !choice.given_up {
            choice.given_up = true;
            self.found();
        }
    }
}

/// Why a made-up value came to nothing. Nobody reads it: the tree says how far it came.
#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type refuses the value")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Refused {
        Refused
    }
}

/// Deserializes one part.
struct Tracer<'a> {
    node: &'a mut Node,
    trail: &'a Trail,
}

impl<'a> Tracer<'a> {
    fn leaf(self, name: &'static str) -> usize {
        self.trail.note(self.node, Form::Leaf(name));
        self.trail.close(self.node);
        self.trail.sort.get()
    }

    /// A part that has parts: refused if it is inside itself, where it would have no end.
    fn product<'de, V: Visitor<'de>>(
        self,
        form: Form,
        count: usize,
        visitor: V,
        visit: impl FnOnce(V, Parts<'_>) -> Result<V::Value, Refused>,
    ) -> Result<V::Value, Refused> {
        let Tracer { node, trail } = self;
        let key = (type_name::<V>(), type_name::<V::Value>());
        let enclosing = trail.inside.borrow().iter().find(|enclosing| enclosing.key == key).map(|same| same.possible);
        if let Some(possible) = enclosing {
            trail.note(node, Form::Recursive(name_of(form)));
            trail.close(node);
            if let (Some(at), false) = (possible, trail.filling.get()) {
                return trail.fill(|trail| visitor.visit_enum(Variant { at, node: &mut Node::default(), trail }));
            }
            trail.recursed.set(true);
            return Err(Refused);
        }
        trail.note(node, form);
        let possible = node.parts.iter().position(|variant| variant.possible);
        trail.inside.borrow_mut().push(Enclosing { key, possible });
        let value = visit(visitor, Parts { node, trail, next: 0, count });
        trail.inside.borrow_mut().pop();
        if value.is_ok() {
            trail.close(node);
        }
        value
    }

    /// Whether to go into a part that may be left empty.
    fn go_in(&self) -> bool {
        let open = !self.node.is_complete() || (!self.node.given_up && self.trail.sort.get() > 0);
        open && !self.trail.filling.get()
    }

    /// A list or map, of `count` parts or of none.
    fn list<'de, V: Visitor<'de>>(
        self,
        form: Form,
        count: usize,
        visitor: V,
        visit: impl FnOnce(V, Parts<'_>) -> Result<V::Value, Refused>,
    ) -> Result<V::Value, Refused> {
        let Tracer { node, trail } = self;
        if !(Tracer { node, trail }).go_in() {
            return visit(visitor, Parts { node, trail, next: 0, count: 0 });
        }
        let before = trail.progress.get();
        let value = Tracer { node, trail }.product(form, count, visitor, visit);
        if value.is_err() && !matches!(node.form, Form::Recursive(_)) {
            trail.blame(node, before);
        }
        value
    }
}

fn name_of(form: Form) -> &'static str {
    match form {
        Form::TupleStruct(name) | Form::Struct(name, _) | Form::Enum(name, _) => name,
        Form::Seq => "seq",
        Form::Map => "map",
        _ => "tuple",
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ident;)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            visitor.$visit($type::from(NUMBERS[self.leaf(stringify!($type))] as i8))
        }
    )* };
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Refused;

    fn is_human_readable(&self) -> bool {
        false // as checkpoints are not
    }

    numbers! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_f32 visit_f32 f32;
        deserialize_f64 visit_f64 f64;
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_u8(NUMBERS[self.leaf("u8")])
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_u16(NUMBERS[self.leaf("u16")].into())
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_u32(NUMBERS[self.leaf("u32")].into())
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_u64(NUMBERS[self.leaf("u64")].into())
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_u128(NUMBERS[self.leaf("u128")].into())
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_bool(self.leaf("bool").is_multiple_of(2))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.leaf("char");
        visitor.visit_char('a')
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_str(STRINGS[self.leaf("String")])
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_string(STRINGS[self.leaf("String")].to_owned())
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_bytes(BYTES[self.leaf("bytes")])
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_byte_buf(BYTES[self.leaf("bytes")].to_owned())
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.leaf("()");
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Refused> {
        self.trail.note(self.node, Form::UnitStruct(name));
        self.trail.close(self.node);
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        if !self.go_in() {
            return visitor.visit_none();
        }
        let Tracer { node, trail } = self;
        let before = trail.progress.get();
        trail.note(node, Form::Option);
        let mut parts = Parts { node: &mut *node, trail, next: 0, count: 1 };
        let value = visitor.visit_some(parts.next());
        match value {
            Ok(_) => trail.close(node),
            Err(_) => trail.blame(node, before),
        }
        value
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Refused> {
        self.product(Form::TupleStruct(name), 1, visitor, |visitor, mut parts| {
            visitor.visit_newtype_struct(parts.next())
        })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.list(Form::Seq, 1, visitor, |visitor, parts| visitor.visit_seq(parts))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.list(Form::Map, 2, visitor, |visitor, parts| visitor.visit_map(parts))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        self.product(Form::Tuple, len, visitor, |visitor, parts| visitor.visit_seq(parts))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.product(Form::TupleStruct(name), len, visitor, |visitor, parts| visitor.visit_seq(parts))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.product(Form::Struct(name, fields), fields.len(), visitor, |visitor, parts| visitor.visit_seq(parts))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.product(Form::Enum(name, variants), variants.len(), visitor, |visitor, Parts { node, trail, .. }| {
            node.parts.resize_with(variants.len(), Node::default);
            // A variant that is still open, waiting ones last; otherwise one of which a value can be made.
            let find = |which: fn(&Node) -> bool| node.parts.iter().position(which);
            let open = find(|variant| !variant.is_complete() && !variant.waits);
            let open = open.or_else(|| find(|variant| !variant.is_complete()));
            let at = open.or_else(|| find(|variant| variant.possible)).ok_or(Refused)?;
            let variant = &mut node.parts[at];
            let before = trail.progress.get();
            let value = visitor.visit_enum(Variant { at, node: &mut *variant, trail });
            match value {
                Ok(_) => {
                    variant.possible = true;
                    trail.close(variant);
                }
                Err(_) if trail.recursed.get() && !variant.waits => {
                    trail.recursed.set(false);
                    variant.waits = true;
                    trail.found();
                }
                Err(_) => trail.blame(variant, before),
            }
            value
        })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        self.leaf(ANY); // the bytes of a checkpoint do not say what they are
        Err(Refused)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_any(visitor)
    }
}

/// Gives out the parts of a part, in their order.
struct Parts<'a> {
    node: &'a mut Node,
    trail: &'a Trail,
    next: usize,
    count: usize,
}

impl Parts<'_> {
    fn next(&mut self) -> Tracer<'_> {
        if self.node.parts.len() == self.next {
            self.node.parts.push(Node::default());
            self.trail.nodes.set(self.trail.nodes.get() + usize::from(!self.trail.filling.get()));
        }
        self.next += 1;
        Tracer { node: &mut self.node.parts[self.next - 1], trail: self.trail }
    }

    fn give<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        if self.trail.nodes.get() > NODES_MAX { Err(Refused) } else { seed.deserialize(self.next()) }
    }
}

impl<'de> de::SeqAccess<'de> for Parts<'_> {
    type Error = Refused;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refused> {
        if self.next < self.count { self.give(seed).map(Some) } else { Ok(None) }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.count - self.next)
    }
}

impl<'de> de::MapAccess<'de> for Parts<'_> {
    type Error = Refused;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refused> {
        if self.next < self.count { self.give(seed).map(Some) } else { Ok(None) }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        self.give(seed)
    }
}

/// One variant of an enum.
struct Variant<'a> {
    at: usize,
    node: &'a mut Node,
    trail: &'a Trail,
}

impl<'a, 'de> de::EnumAccess<'de> for Variant<'a> {
    type Error = Refused;
    type Variant = Parts<'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Parts<'a>), Refused> {
        let index: U32Deserializer<Refused> = (self.at as u32).into_deserializer();
        Ok((seed.deserialize(index)?, Parts { node: self.node, trail: self.trail, next: 0, count: 0 }))
    }
}

impl<'de> de::VariantAccess<'de> for Parts<'_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        self.trail.note(self.node, Form::UnitVariant);
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(mut self, seed: S) -> Result<S::Value, Refused> {
        self.trail.note(self.node, Form::TupleVariant);
        self.give(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        self.trail.note(self.node, Form::TupleVariant);
        self.count = len;
        visitor.visit_seq(self)
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.trail.note(self.node, Form::StructVariant(fields));
        self.count = fields.len();
        visitor.visit_seq(self)
    }
}
