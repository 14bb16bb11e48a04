//! Fingerprints of types: what tells two types apart, what does not, and that every type has one.
//!
//! What this would catch: a change of a state type that is not noticed, so that old bytes are read as something else;
//! and a step that is refused, or a job that panics, over a type that is perfectly fine.

#![allow(dead_code)] // the fields are for serde alone

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::num::NonZeroU64;

use dualgauge_engine::state::Fingerprint;
use dualgauge_engine::{Event, EventTime};
use serde::Deserialize;
use serde::de::DeserializeOwned;

fn shape<T: DeserializeOwned>() -> String {
    Fingerprint::of::<T>().to_string()
}

/// The same name, in several modules.
macro_rules! versions {
    ($($module:ident: $item:item)*) => { $( mod $module { use serde::Deserialize; #[derive(Deserialize)] $item } )* };
}

versions! {
    plain: pub struct Acc { count: u64, total: f64 }
    moved: pub struct Acc { count: u64, total: f64 }
    added: pub struct Acc { count: u64, total: f64, last: i64 }
    removed: pub struct Acc { count: u64 }
    renamed: pub struct Acc { number: u64, total: f64 }
    retyped: pub struct Acc { count: u32, total: f64 }
    optional: pub struct Acc { count: u64, total: Option<f64> }
    swapped: pub struct Acc { total: f64, count: u64 }
    boxed: pub struct Acc { count: Box<u64>, #[serde(skip)] _cache: String, total: f64 }
    other: pub struct Sum { count: u64, total: f64 }
    two: pub enum State { Open(u64), Closed }
    three: pub enum State { Open(u64), Closed, Gone { why: String } }
    payload: pub enum State { Open(i64), Closed }
    reordered: pub enum State { Closed, Open(u64) }
}

#[test]
fn every_change_of_a_state_type_is_told_apart() {
    let all = [
        Fingerprint::of::<plain::Acc>(),
        Fingerprint::of::<added::Acc>(),
        Fingerprint::of::<removed::Acc>(),
        Fingerprint::of::<renamed::Acc>(),
        Fingerprint::of::<retyped::Acc>(),
        Fingerprint::of::<optional::Acc>(),
        Fingerprint::of::<swapped::Acc>(),
        Fingerprint::of::<other::Sum>(),
        Fingerprint::of::<two::State>(),
        Fingerprint::of::<three::State>(),
        Fingerprint::of::<payload::State>(),
        Fingerprint::of::<reordered::State>(),
        Fingerprint::of::<Vec<plain::Acc>>(),
        Fingerprint::of::<Vec<retyped::Acc>>(),
    ];
    let different: HashSet<_> = all.iter().map(Fingerprint::hash).collect();
    assert_eq!(different.len(), all.len(), "{all:#?}");
}

#[test]
fn what_serde_does_not_see_is_not_told_apart() {
    type Alias = plain::Acc;
    assert_eq!(Fingerprint::of::<plain::Acc>(), Fingerprint::of::<Alias>());
    assert_eq!(Fingerprint::of::<plain::Acc>(), Fingerprint::of::<moved::Acc>());
    assert_eq!(Fingerprint::of::<plain::Acc>(), Fingerprint::of::<boxed::Acc>());
    assert_eq!(Fingerprint::of::<HashMap<u8, u64>>(), Fingerprint::of::<BTreeMap<u8, u64>>());
    let stored: Fingerprint =
        postcard::from_bytes(&postcard::to_stdvec(&Fingerprint::of::<plain::Acc>()).unwrap()).unwrap();
    assert_eq!(stored, Fingerprint::of::<plain::Acc>());
}

#[derive(Deserialize)]
struct Unit;

#[derive(Deserialize)]
struct Pair(u8, char);

#[derive(Deserialize)]
struct Generic<T> {
    inner: T,
}

#[derive(Deserialize)]
enum Nested {
    None,
    One(three::State),
    Two(two::State, Option<two::State>),
    Named { at: EventTime, deep: Option<Vec<three::State>> },
}

#[test]
fn descriptions_read_like_rust() {
    assert_eq!(shape::<u64>(), "u64");
    assert_eq!(shape::<()>(), "()");
    assert_eq!(shape::<(bool, i128, f32)>(), "(bool, i128, f32)");
    assert_eq!(shape::<[u8; 32]>(), "[u8; 32]");
    assert_eq!(shape::<Vec<u8>>(), "seq<u8>");
    assert_eq!(shape::<HashMap<String, Vec<Option<u32>>>>(), "map<String, seq<Option<u32>>>");
    assert_eq!(shape::<Unit>(), "struct Unit");
    assert_eq!(shape::<Pair>(), "struct Pair(u8, char)");
    assert_eq!(shape::<Event<Pair>>(), "struct Event { time: struct EventTime(i64), data: struct Pair(u8, char) }");
    assert_eq!(
        shape::<Generic<Generic<String>>>(),
        "struct Generic { inner: struct Generic { inner: String } }" // inside itself by name only
    );
}

#[test]
fn every_variant_of_every_enum_is_seen() {
    assert_eq!(shape::<two::State>(), "enum State { Open(u64), Closed }");
    let (two, three) = (shape::<two::State>(), shape::<three::State>());
    assert_eq!(three, "enum State { Open(u64), Closed, Gone { why: String } }");
    assert_eq!(
        shape::<Nested>(),
        format!(
            "enum Nested {{ None, One({three}), Two({two}, Option<{two}>), \
             Named {{ at: struct EventTime(i64), deep: Option<seq<{three}>> }} }}"
        )
    );
    assert_eq!(
        shape::<(Result<u8, String>, Nested)>(),
        format!("(enum Result {{ Ok(u8), Err(String) }}, {})", shape::<Nested>())
    );
}

#[derive(Deserialize)]
struct List {
    next: Option<Box<List>>,
    value: u64,
}

#[derive(Deserialize)]
struct Tree {
    children: Vec<Tree>,
    by_name: HashMap<String, Tree>,
    value: u64,
}

#[derive(Deserialize)]
enum Expr {
    Add(Box<Expr>, Box<Expr>, bool),
    Call { name: String, arguments: Vec<Expr>, line: u32 },
    Literal(i64),
}

#[derive(Deserialize)]
struct Endless(Box<Endless>);

#[test]
fn a_type_inside_itself_is_named_and_what_comes_behind_is_seen() {
    assert_eq!(shape::<List>(), "struct List { next: Option<^List>, value: u64 }");
    assert_eq!(shape::<Tree>(), "struct Tree { children: seq<^Tree>, by_name: map<String, ^Tree>, value: u64 }");
    assert_eq!(
        shape::<(Expr, u8)>(),
        "(enum Expr { Add(^Expr, ^Expr, bool), Call { name: String, arguments: seq<^Expr>, line: u32 }, Literal(i64) }, u8)"
    );
    assert_eq!(shape::<Endless>(), "struct Endless(^Endless, ?) (of Endless)");
}

#[derive(Deserialize)]
#[serde(try_from = "u64")]
struct Even(u64);

impl TryFrom<u64> for Even {
    type Error = String;

    fn try_from(number: u64) -> Result<Even, String> {
        if number.is_multiple_of(2) { Ok(Even(number)) } else { Err("odd".into()) }
    }
}

#[derive(Deserialize)]
#[serde(try_from = "u64")]
struct Never(u64);

impl TryFrom<u64> for Never {
    type Error = String;

    fn try_from(_: u64) -> Result<Never, String> {
        Err("never".into())
    }
}

#[derive(Deserialize)]
struct Strict {
    before: u8,
    never: Never,
    behind: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u64),
}

#[test]
fn types_that_refuse_values_are_described_as_far_as_they_can_be() {
    assert_eq!(shape::<(NonZeroU64, Even, IpAddr)>(), {
        "(u64, u64, enum IpAddr { V4((u8, u8, u8, u8)), V6([u8; 16]) })"
    });
    assert_eq!(shape::<(Option<Never>, Vec<Never>, u8)>(), "(Option<u64>, seq<u64>, u8)");
    assert_eq!(
        shape::<Generic<Option<Strict>>>(),
        "struct Generic { inner: Option<struct Strict { before: u8, never: u64, behind: ? }> } \
         (of Generic<Option<Strict>>)"
    );
    assert_eq!(shape::<Untagged>(), "any (of Untagged)");
    assert_ne!(Fingerprint::of::<Strict>(), Fingerprint::of::<Never>());
}

/// Types that all contain each other, so that written out they are longer than anyone would read.
macro_rules! tangle {
    ($($name:ident),*; $all:tt) => { $( tangle!(@ $name $all); )* };
    (@ $name:ident ($($other:ident),*)) => {
        #[derive(Deserialize)]
        #[allow(clippy::enum_variant_names)] // each is named for the type in it
        enum $name { Leaf(u8), $( $other(Box<$other>, Vec<$other>) ),* }
    };
}

tangle!(T0, T1, T2, T3, T4, T5, T6, T7, T8, T9; (T0, T1, T2, T3, T4, T5, T6, T7, T8, T9));

#[test]
fn a_tangle_of_types_is_described_in_part_and_always_alike() {
    let first = Fingerprint::of::<T0>();
    assert!(first.to_string().ends_with("(of T0)"), "it was described in full after all");
    assert_eq!(first, Fingerprint::of::<T0>());
    assert_ne!(first, Fingerprint::of::<T1>());
}
