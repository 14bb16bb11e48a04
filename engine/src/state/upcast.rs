//! Up-casts: stored bytes of an older type become bytes of the present one.
//!
//! An older type is found by its shape, wherever it stands within what a step keeps: in an accumulator, an option, a
//! list, a struct of an operator's own. What lies around it is copied as it is. So an up-cast is declared once for a
//! type, and not for a step; and several, V1 to V2 and V2 to V3, are chained.

use std::any::{TypeId, type_name};
use std::collections::VecDeque;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fingerprint::without_paths;
use super::form::Form;
use super::shape::{Inside, take, take_byte, take_count, take_varint};
use super::{Fingerprint, Layout, Shape};
use crate::data::take_from_bytes;
use crate::{Error, Result};

/// Which types became which, as a graph declares them.
///
/// An old type is recognised by its parts, and by its own name or that of the type that it became: the old `Stats` may
/// be called `StatsV1` in the program that has a new one.
///
/// ```
/// use dualgauge_engine::state::{Fingerprint, Layout, Upcasts};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize)]
/// struct StatsV1 { count: u32 }
/// #[derive(Serialize, Deserialize)]
/// struct Stats { count: u32, total: Option<u64> }
/// impl From<StatsV1> for Stats {
///     fn from(StatsV1 { count }: StatsV1) -> Stats {
///         Stats { count, total: None }
///     }
/// }
///
/// let mut upcasts = Upcasts::default();
/// upcasts.declare::<StatsV1, Stats>().unwrap();
/// let (old, new) = (Fingerprint::of::<(u8, StatsV1)>(), Fingerprint::of::<(u8, Stats)>());
/// let upcast = upcasts.plan(Layout::Record, &old, &new).unwrap();
/// assert_eq!(upcast.apply(&[7, 5]).unwrap(), [7, 5, 0]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Upcasts(Vec<Cast>);

#[derive(Clone)]
struct Cast {
    from: TypeId,
    to: TypeId,
    /// `StatsV1 to Stats`.
    name: String,
    old: Form,
    new: Form,
    convert: Convert,
}

/// Without the address of the conversion, which differs in each process: those of a cluster compare what they declare.
impl fmt::Debug for Cast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} to {}", self.name, self.old, self.new)
    }
}

/// Takes a value of the old type off the bytes, and adds the new one's.
type Convert = fn(&mut &[u8], &mut Vec<u8>) -> Result<()>;

/// How the values of one part become those of another shape.
#[derive(Debug)]
pub struct Upcast {
    plan: Plan,
    shape: Fingerprint,
}

#[derive(Debug)]
enum Plan {
    /// It stays, and its form says where it ends.
    Copy(Form),
    /// One conversion after the other.
    Cast(Vec<Convert>),
    Option(Box<Plan>),
    Seq(Box<Plan>),
    Map(Box<(Plan, Plan)>),
    Array(Box<Plan>, usize),
    /// Fields, one after the other.
    Fields(Vec<Plan>),
    /// By the number of the variant; `None` of one that holds nothing.
    Variants(Vec<Option<Plan>>),
}

/// Why no up-cast leads from one shape to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoUpcast {
    /// The key is of another type.
    Key,
    /// These two differ, and none of the declared ones leads from the first to the second.
    NoneFits {
        /// What was stored.
        old: String,
        /// What is wanted in its place.
        new: String,
        /// What is declared, each with the shape that it converts from.
        declared: Vec<String>,
    },
    /// Both of these lead there.
    Both(String, String),
    /// Not all of the type can be seen, or it is inside itself; and it is not up-cast as a whole.
    Unseen(String),
}

impl Upcasts {
    /// Declares that values of `Old` became values of `New`.
    ///
    /// # Errors
    /// When nothing could tell the two apart, or when not all of a type can be seen.
    pub fn declare<Old, New>(&mut self) -> Result<()>
    where
        Old: DeserializeOwned + 'static,
        New: From<Old> + Serialize + DeserializeOwned + 'static,
    {
        let (from, to) = (TypeId::of::<Old>(), TypeId::of::<New>());
        let name = format!("{} to {}", without_paths(type_name::<Old>()), without_paths(type_name::<New>()));
        if self.0.iter().any(|cast| (cast.from, cast.to) == (from, to)) {
            return Ok(());
        }
        let form = |shape: Fingerprint| {
            let seen = Shape::of(&shape).map(|shape| shape.0).filter(|form| form.is_closed());
            seen.ok_or_else(|| {
                Error::usage(format!("the up-cast of {name}: not all of the type can be seen, only `{shape}`"))
            })
        };
        let (old, new) = (form(Fingerprint::of::<Old>())?, form(Fingerprint::of::<New>())?);
        if old == new {
            return Err(Error::usage(format!(
                "the up-cast of {name}: both are `{old}`, so what is stored would not say which of them it is; name one of \
                 them otherwise: #[serde(rename = \"…\")]"
            )));
        }
        self.0.push(Cast { from, to, name, old, new, convert: convert::<Old, New> });
        Ok(())
    }

    /// How the values of a part that was stored in the shape `old` become values of the shape `new`.
    ///
    /// # Errors
    /// When the declared up-casts do not lead from one to the other.
    pub fn plan(&self, layout: Layout, old: &Fingerprint, new: &Fingerprint) -> Result<Upcast, NoUpcast> {
        let shape = |shape: &Fingerprint| Shape::of(shape).ok_or_else(|| NoUpcast::Unseen(shape.to_string()));
        let (before, now) = (shape(old)?, shape(new)?);
        let (before, now) = match layout {
            Layout::Bare => return Err(NoUpcast::Key),
            Layout::Record => (before, now),
            Layout::Keyed => match (before.pair(), now.pair()) {
                (Some((key_before, before)), Some((key, now))) if key_before == key => (before, now),
                _ => return Err(NoUpcast::Key),
            },
        };
        Ok(Upcast { plan: self.plan_of(&before.0, &now.0)?, shape: new.clone() })
    }

    fn plan_of(&self, old: &Form, new: &Form) -> Result<Plan, NoUpcast> {
        if let Some(casts) = self.way(old, new)? {
            return Ok(Plan::Cast(casts));
        }
        let all = |old: &[Form], new: &[Form]| {
            old.iter().zip(new).map(|(old, new)| self.plan_of(old, new)).collect::<Result<Vec<_>, _>>()
        };
        let whole = (old, new);
        let boxed = |old, new| self.plan_of(old, new).map(Box::new);
        match (old, new) {
            (old, new) if old == new && old.is_closed() => Ok(Plan::Copy(old.clone())),
            (old, new) if old == new => Err(NoUpcast::Unseen(old.to_string())),
            (Form::Option(old), Form::Option(new)) => boxed(old, new).map(Plan::Option),
            (Form::Seq(old), Form::Seq(new)) => boxed(old, new).map(Plan::Seq),
            (Form::Map(old), Form::Map(new)) => {
                Ok(Plan::Map(Box::new((self.plan_of(&old.0, &new.0)?, self.plan_of(&old.1, &new.1)?))))
            }
            (Form::Array(old, count), Form::Array(new, same)) if count == same => {
                boxed(old, new).map(|plan| Plan::Array(plan, *count))
            }
            (Form::Tuple(name, old), Form::Tuple(same, new)) if name == same && old.len() == new.len() => {
                all(old, new).map(Plan::Fields)
            }
            (Form::Struct(name, old), Form::Struct(same, new)) if name == same && alike(old, new) => {
                let fields = old.iter().zip(new).map(|((_, old), (_, new))| self.plan_of(old, new));
                fields.collect::<Result<_, _>>().map(Plan::Fields)
            }
            (Form::Enum(name, old), Form::Enum(same, new)) if name == same && alike(old, new) => {
                let variant = |((_, before), (_, now)): (&(_, Option<Form>), &(_, Option<Form>))| match (before, now) {
                    (Some(before), Some(now)) => self.plan_of(before, now).map(Some),
                    (None, None) => Ok(None),
                    _ => Err(self.none_fits(whole.0, whole.1)),
                };
                old.iter().zip(new).map(variant).collect::<Result<_, _>>().map(Plan::Variants)
            }
            _ => Err(self.none_fits(old, new)),
        }
    }

    /// The conversions that lead from one form to the other; `None` where none do, and where the forms are the same.
    fn way(&self, old: &Form, new: &Form) -> Result<Option<Vec<Convert>>, NoUpcast> {
        if old == new {
            return Ok(None);
        }
        let mut ways: VecDeque<Vec<&Cast>> =
            self.0.iter().filter(|cast| cast.new == *new).map(|cast| vec![cast]).collect();
        let mut found: Vec<Vec<&Cast>> = Vec::new();
        while let Some(way) = ways.pop_front() {
            let first = way[0];
            if first.old == *old || first.old.called_as(new) == *old {
                found.push(way);
                continue;
            }
            let before = self.0.iter().filter(|cast| cast.to == first.from);
            let fresh = before.filter(|cast| way.iter().all(|later| later.to != cast.from && later.from != cast.from));
            ways.extend(fresh.map(|cast| [&[cast], &way[..]].concat()));
        }
        // What was stored under the old type's own name is that one.
        if found.iter().any(|way| way[0].old == *old) {
            found.retain(|way| way[0].old == *old);
        }
        let shortest = found.iter().map(Vec::len).min();
        found.retain(|way| Some(way.len()) == shortest);
        match &found[..] {
            [] => Ok(None),
            [way] => Ok(Some(way.iter().map(|cast| cast.convert).collect())),
            [one, other, ..] => Err(NoUpcast::Both(one[0].name.clone(), other[0].name.clone())),
        }
    }

    fn none_fits(&self, old: &Form, new: &Form) -> NoUpcast {
        let declared = self.0.iter().map(|cast| format!("{} from `{}`", cast.name, cast.old)).collect();
        NoUpcast::NoneFits { old: old.to_string(), new: new.to_string(), declared }
    }
}

/// Whether names and their order are the same.
fn alike<F>(old: &[(String, F)], new: &[(String, F)]) -> bool {
    old.iter().map(|(name, _)| name).eq(new.iter().map(|(name, _)| name))
}

impl Upcast {
    /// The shape of the part when its values have been up-cast.
    pub fn shape(&self) -> &Fingerprint {
        &self.shape
    }

    /// A stored value as one of the present type.
    ///
    /// # Errors
    /// When the bytes are not of the shape that they were stored in.
    pub fn apply(&self, mut bytes: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(bytes.len() + 16);
        self.plan.run(&mut bytes, &mut out)?;
        if bytes.is_empty() { Ok(out) } else { Err(unreadable(format!("{} bytes are left over", bytes.len()))) }
    }
}

impl Plan {
    fn run(&self, bytes: &mut &[u8], out: &mut Vec<u8>) -> Result<()> {
        match self {
            Plan::Copy(form) => drop(copied(bytes, out, |bytes| take(form, &mut Inside::new(), bytes))?),
            Plan::Cast(casts) => {
                let (last, before) = casts.split_last().expect("a way has a step");
                let mut between = None::<Vec<u8>>;
                for cast in before {
                    let mut next = Vec::new();
                    match &between {
                        None => cast(bytes, &mut next)?,
                        Some(value) => cast(&mut &value[..], &mut next)?,
                    }
                    between = Some(next);
                }
                match &between {
                    None => last(bytes, out)?,
                    Some(value) => last(&mut &value[..], out)?,
                }
            }
            Plan::Option(part) => match copied(bytes, out, take_byte)? {
                0 => {}
                1 => part.run(bytes, out)?,
                other => return Err(unreadable(format!("an option begins with {other}"))),
            },
            Plan::Seq(part) => {
                let count = copied(bytes, out, take_count)?;
                (0..count).try_for_each(|_| part.run(bytes, out))?;
            }
            Plan::Map(parts) => {
                let count = copied(bytes, out, take_count)?;
                (0..count).try_for_each(|_| parts.0.run(bytes, out).and_then(|()| parts.1.run(bytes, out)))?;
            }
            Plan::Array(part, count) => (0..*count).try_for_each(|_| part.run(bytes, out))?,
            Plan::Fields(parts) => parts.iter().try_for_each(|part| part.run(bytes, out))?,
            Plan::Variants(variants) => {
                let at = copied(bytes, out, take_varint)?;
                let variant = usize::try_from(at).ok().and_then(|at| variants.get(at));
                if let Some(part) = variant.ok_or_else(|| unreadable(format!("there is no variant {at}")))? {
                    part.run(bytes, out)?;
                }
            }
        }
        Ok(())
    }
}

/// Takes something off the bytes, and adds what was taken to `out`.
fn copied<T>(bytes: &mut &[u8], out: &mut Vec<u8>, take: impl FnOnce(&mut &[u8]) -> Option<T>) -> Result<T> {
    let before = *bytes;
    let taken = take(bytes).ok_or_else(|| unreadable("the bytes end, or hold something else"))?;
    out.extend_from_slice(&before[..before.len() - bytes.len()]);
    Ok(taken)
}

fn convert<Old, New>(bytes: &mut &[u8], out: &mut Vec<u8>) -> Result<()>
where
    Old: DeserializeOwned,
    New: From<Old> + Serialize,
{
    let (value, rest) = take_from_bytes::<Old>(bytes).map_err(unreadable)?;
    *bytes = rest;
    *out = postcard::to_extend(&New::from(value), std::mem::take(out)).map_err(unreadable)?;
    Ok(())
}

fn unreadable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::data("an entry of the state is not of the type that its fingerprint promises").caused_by(cause)
}

impl fmt::Display for NoUpcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoUpcast::Key => {
                f.write_str("its key is another, and no key can be up-cast, since it says where its state lies")
            }
            NoUpcast::NoneFits { old, new, declared } => {
                write!(f, "nothing says how `{old}` becomes `{new}`: `flow.upcast::<Old, New>()` does")?;
                match &declared[..] {
                    [] => Ok(()),
                    declared => write!(f, "; the graph has the up-casts of {}", declared.join(", of ")),
                }
            }
            NoUpcast::Both(one, other) => {
                write!(f, "the up-casts of {one} and of {other} both fit: leave the wrong one out")
            }
            NoUpcast::Unseen(shape) => {
                write!(f, "`{shape}` can only be up-cast as a whole: not all of it can be seen, or it is inside itself")
            }
        }
    }
}

#[cfg(test)]
mod tests;
