//! The shape of a type as a tree: made of the description in its fingerprint, and written like it.

use std::fmt::{self, Write as _};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
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
pub(super) enum Leaf {
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

impl Form {
    /// The form at the head of a description, and what follows it.
    pub(super) fn parse(description: &str) -> Option<(Form, &str)> {
        let mut parser = Parser(description, DEEPEST);
        let form = parser.form()?;
        Some((form, parser.0))
    }

    /// Whether a part inside of it that says `^name` means it.
    pub(super) fn is_named(&self, name: &str) -> bool {
        match self {
            Form::Tuple(Some(own), _) | Form::Struct(own, _) | Form::Enum(own, _) => own == name,
            Form::Tuple(None, _) | Form::Array(..) => name == "tuple",
            Form::Seq(_) => name == "seq",
            Form::Map(_) => name == "map",
            Form::Unknown | Form::Leaf(_) | Form::Recursive(_) | Form::Option(_) => false,
        }
    }

    /// Whether all of it was seen and it is self-contained: every `^name` in it means a type that is within it.
    pub(super) fn is_closed(&self) -> bool {
        fn closed<'a>(form: &'a Form, inside: &mut Vec<&'a Form>) -> bool {
            match form {
                Form::Unknown => return false,
                Form::Recursive(name) => return inside.iter().any(|outer| outer.is_named(name)),
                _ => {}
            }
            inside.push(form);
            let all = form.parts().into_iter().all(|part| closed(part, inside));
            inside.pop();
            all
        }
        closed(self, &mut Vec::new())
    }

    /// The same type under the name of another, where both have one.
    pub(super) fn called_as(&self, other: &Form) -> Form {
        let mut form = self.clone();
        if let (Some(from), Some(to)) = (self.name(), other.name()) {
            form.rename(from, to);
        }
        form
    }

    fn name(&self) -> Option<&str> {
        match self {
            Form::Tuple(name, _) => name.as_deref(),
            Form::Struct(name, _) | Form::Enum(name, _) => Some(name),
            _ => None,
        }
    }

    fn rename(&mut self, from: &str, to: &str) {
        match self {
            Form::Recursive(name) | Form::Tuple(Some(name), _) | Form::Struct(name, _) | Form::Enum(name, _)
                if name == from =>
            {
                *name = to.to_string();
            }
            _ => {}
        }
        let parts: Vec<&mut Form> = match self {
            Form::Unknown | Form::Leaf(_) | Form::Recursive(_) => Vec::new(),
            Form::Option(part) | Form::Seq(part) | Form::Array(part, _) => vec![part],
            Form::Map(parts) => vec![&mut parts.0, &mut parts.1],
            Form::Tuple(_, parts) => parts.iter_mut().collect(),
            Form::Struct(_, fields) => fields.iter_mut().map(|(_, part)| part).collect(),
            Form::Enum(_, variants) => variants.iter_mut().filter_map(|(_, part)| part.as_mut()).collect(),
        };
        parts.into_iter().for_each(|part| part.rename(from, to));
    }

    fn parts(&self) -> Vec<&Form> {
        match self {
            Form::Unknown | Form::Leaf(_) | Form::Recursive(_) => Vec::new(),
            Form::Option(part) | Form::Seq(part) | Form::Array(part, _) => vec![part],
            Form::Map(parts) => vec![&parts.0, &parts.1],
            Form::Tuple(_, parts) => parts.iter().collect(),
            Form::Struct(_, fields) => fields.iter().map(|(_, part)| part).collect(),
            Form::Enum(_, variants) => variants.iter().filter_map(|(_, part)| part.as_ref()).collect(),
        }
    }
}

/// As the description in a fingerprint says it.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Form::Unknown => f.write_char('?'),
            Form::Leaf(leaf) => {
                let known = LEAVES.iter().find(|(_, known)| known == leaf);
                f.write_str(known.map_or("?", |(name, _)| name))
            }
            Form::Recursive(name) => write!(f, "^{name}"),
            Form::Option(part) => write!(f, "Option<{part}>"),
            Form::Seq(part) => write!(f, "seq<{part}>"),
            Form::Map(parts) => write!(f, "map<{}, {}>", parts.0, parts.1),
            Form::Array(part, count) => write!(f, "[{part}; {count}]"),
            Form::Tuple(Some(name), parts) if parts.is_empty() => write!(f, "struct {name}"),
            Form::Tuple(Some(name), _) | Form::Struct(name, _) => {
                write!(f, "struct {name}")?;
                self.write_parts(f)
            }
            Form::Tuple(None, _) => self.write_parts(f),
            Form::Enum(name, variants) => {
                write!(f, "enum {name} {{ ")?;
                for (at, (name, part)) in variants.iter().enumerate() {
                    write!(f, "{}{name}", if at == 0 { "" } else { ", " })?;
                    match part {
                        None => {}
                        Some(Form::Unknown) => f.write_char('?')?,
                        Some(part) => part.write_parts(f)?,
                    }
                }
                f.write_str(" }")
            }
        }
    }
}

impl Form {
    /// What follows the name of a struct or variant.
    fn write_parts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comma = |at| if at == 0 { "" } else { ", " };
        match self {
            Form::Struct(_, fields) => {
                f.write_str(" { ")?;
                fields
                    .iter()
                    .enumerate()
                    .try_for_each(|(at, (name, part))| write!(f, "{}{name}: {part}", comma(at)))?;
                f.write_str(" }")
            }
            other => {
                let parts = other.parts();
                f.write_char('(')?;
                parts.iter().enumerate().try_for_each(|(at, part)| write!(f, "{}{part}", comma(at)))?;
                f.write_char(')')
            }
        }
    }
}

/// How deep a description may nest: it comes from a file, and each level is a call.
const DEEPEST: usize = 40;

/// What is still to be read of a description, and how many levels deeper it may go.
struct Parser<'a>(&'a str, usize);

impl<'a> Parser<'a> {
    fn eat(&mut self, word: &str) -> bool {
        let rest = self.0.strip_prefix(word);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Everything up to, but not including, the first of these.
    fn until(&mut self, ends: &[&str]) -> &'a str {
        let at = ends.iter().filter_map(|end| self.0.find(end)).min().unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(at);
        self.0 = rest;
        word
    }

    fn form(&mut self) -> Option<Form> {
        self.1 = self.1.checked_sub(1)?;
        let form = self.form_here();
        self.1 += 1;
        form
    }

    fn form_here(&mut self) -> Option<Form> {
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

    /// Parts after an opening bracket, up to the closing one.
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
            if self.0.is_empty() {
                return None; // without its end
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_written_as_it_was_described() {
        for description in [
            "(u64, Option<[u8; 6]>, map<String, seq<f64>>)",
            "struct Unit",
            "struct EventTime(i64)",
            "struct A { b: struct B { c: () }, d: seq<^A> }",
            "enum Kind { Plain, Of(i64, bool), With { name: String, more: Option<^Kind> }, Hidden? }",
            "?",
        ] {
            let (form, rest) = Form::parse(description).unwrap();
            assert_eq!((form.to_string().as_str(), rest), (description, ""));
        }
    }

    #[test]
    fn a_form_is_closed_when_it_needs_nothing_around_it() {
        let closed = |description| Form::parse(description).unwrap().0.is_closed();
        assert!(closed("struct A { b: Option<^A> }"));
        assert!(!closed("struct A { b: Option<^B> }"));
        assert!(!closed("(u64, ?)"));
        assert!(!closed("(struct A { b: u8 }, ^A)"), "what is beside it is not around it");
    }

    #[test]
    fn another_name_is_given_to_the_type_and_not_to_what_it_holds() {
        let form = |description| Form::parse(description).unwrap().0;
        let old = form("struct V1 { a: Option<^V1>, b: struct B(u8) }");
        assert_eq!(old.called_as(&form("struct V(u8)")), form("struct V { a: Option<^V>, b: struct B(u8) }"));
        assert_eq!(old.called_as(&form("u8")), old);
    }

    #[test]
    fn a_description_without_its_end_or_too_deep_is_none() {
        for description in ["enum A { ", "enum A { B(", "struct A { ", "(", "[u8; ", "map<u8, ", "enum A { B { c: u8"] {
            assert_eq!(Form::parse(description), None, "{description}");
        }
        let deep = |levels: usize| format!("{}u8{}", "Option<".repeat(levels), ">".repeat(levels));
        assert!(Form::parse(&deep(30)).is_some());
        assert_eq!(Form::parse(&deep(1_000_000)), None);
    }
}
