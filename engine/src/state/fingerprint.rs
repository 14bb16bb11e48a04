//! The shape of a type as serde sees it, so that a checkpoint is never read as another type.

use std::any::type_name;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::trace::{Form, Node, trace};

/// The shape of a type as serde sees it: names and types of fields and variants, all the way down.
///
/// - **Told apart.** A field or variant that was added, removed, renamed, moved or given another type changes the
///   fingerprint; so does another name of the struct or enum itself. Postcard bytes name nothing, and would otherwise be
///   read as something else.
/// - **Not told apart.** What serde does not see: modules, aliases, boxes, the kind of list or map, skipped fields; nor
///   what a type's own code makes of the same parts.
/// - **As far as can be seen.** The shape is found by deserializing made-up values. Where a type refuses all of them (a
///   checksum, say), and beyond some thousands of parts, what follows is a `?`, and the name of the whole type (without
///   its path) counts as well. A type that is read by way of another (`try_from`) has the shape of that one.
///
/// The description is what is compared and stored; keep both descriptions in the message where two differ.
///
/// ```
/// use dualgauge_engine::state::Fingerprint;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Acc {
///     count: u64,
///     total: Option<f64>,
/// }
///
/// let fingerprint = Fingerprint::of::<Acc>();
/// assert_eq!(fingerprint.to_string(), "struct Acc { count: u64, total: Option<f64> }");
/// assert_ne!(fingerprint, Fingerprint::of::<(u64, Option<f64>)>());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    hash: u64,
    description: String,
}

impl Fingerprint {
    /// The fingerprint of a type.
    ///
    /// It takes microseconds for most types; compute it once for each step, not for each record.
    pub fn of<T: DeserializeOwned>() -> Fingerprint {
        let root = trace::<T>();
        let mut description = root.to_string();
        if !root.is_whole() {
            description = format!("{description} (of {})", without_paths(type_name::<T>()));
        }
        Fingerprint { hash: xxh3_64(description.as_bytes()), description }
    }

    /// The hash of the description, for where 64 bits are enough.
    pub fn hash(&self) -> u64 {
        self.hash
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

/// `a::b::C<d::E>` as `C<E>`.
pub(super) fn without_paths(name: &str) -> String {
    let mut short = String::new();
    let mut word = 0; // where the present word starts in `short`
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        if c == ':' && rest.next_if_eq(&':').is_some() {
            short.truncate(word);
            continue;
        }
        short.push(c);
        if !c.is_alphanumeric() && c != '_' {
            word = short.len();
        }
    }
    short
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |f: &mut fmt::Formatter<'_>, names: &[&str]| {
            f.write_str(" { ")?;
            for (at, name) in names.iter().enumerate() {
                let comma = if at == 0 { "" } else { ", " };
                write!(f, "{comma}{name}: {}", self.part(at))?;
            }
            f.write_str(" }")
        };
        let listed = |f: &mut fmt::Formatter<'_>, open: &str, close: &str| {
            f.write_str(open)?;
            for (at, part) in self.parts.iter().enumerate() {
                let comma = if at == 0 { "" } else { ", " };
                write!(f, "{comma}{part}")?;
            }
            f.write_str(if self.is_cut_off() { ", ?" } else { "" })?;
            f.write_str(close)
        };
        match self.form {
            Form::Unknown => f.write_str("?"),
            Form::Leaf(name) => f.write_str(name),
            Form::Recursive(name) => write!(f, "^{name}"),
            Form::Option => write!(f, "Option<{}>", self.part(0)),
            Form::Seq => write!(f, "seq<{}>", self.part(0)),
            Form::Map => write!(f, "map<{}, {}>", self.part(0), self.part(1)),
            Form::Tuple if self.parts.len() > 4 && self.all_alike() => {
                write!(f, "[{}; {}]", self.part(0), self.parts.len())
            }
            Form::Tuple => listed(f, "(", ")"),
            Form::UnitStruct(name) => write!(f, "struct {name}"),
            Form::TupleStruct(name) => listed(f, &format!("struct {name}("), ")"),
            Form::Struct(name, fields) => {
                write!(f, "struct {name}")?;
                named(f, fields)
            }
            Form::Enum(name, variants) => {
                write!(f, "enum {name} {{ ")?;
                for (at, variant) in variants.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(f, "{comma}{variant}{}", self.part(at))?;
                }
                f.write_str(" }")
            }
            Form::UnitVariant => Ok(()),
            Form::TupleVariant => listed(f, "(", ")"),
            Form::StructVariant(fields) => named(f, fields),
        }
    }
}

impl Node {
    fn all_alike(&self) -> bool {
        let first = self.part(0).to_string();
        self.parts.iter().all(|part| part.to_string() == first)
    }
}
