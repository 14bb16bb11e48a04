//! Bytes of an older type become the bytes that the present type writes of the value that `From` makes.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use super::*;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct StatsV1 {
    count: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Stats {
    total: Option<i64>,
    count: u64,
}

impl From<StatsV1> for Stats {
    fn from(old: StatsV1) -> Stats {
        Stats { total: None, count: old.count.into() }
    }
}

/// The program that stored it called it so.
mod stored {
    use super::*;

    #[derive(Serialize, Deserialize)]
    pub struct Stats {
        pub count: u32,
    }
}

fn stats() -> Upcasts {
    let mut upcasts = Upcasts::default();
    upcasts.declare::<StatsV1, Stats>().unwrap();
    upcasts
}

fn bytes<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap()
}

/// The plan from one type to another, whose values are the whole of an entry.
fn plan<Old: DeserializeOwned, New: DeserializeOwned>(upcasts: &Upcasts) -> Result<Upcast, NoUpcast> {
    upcasts.plan(Layout::Record, &Fingerprint::of::<Old>(), &Fingerprint::of::<New>())
}

/// What becomes of a value.
fn cast<Old, New>(upcasts: &Upcasts, old: &Old) -> New
where
    Old: Serialize + DeserializeOwned,
    New: Serialize + DeserializeOwned + Debug,
{
    let upcast = plan::<Old, New>(upcasts).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(upcast.shape(), &Fingerprint::of::<New>());
    let cast = upcast.apply(&bytes(old)).unwrap();
    let new: New = postcard::from_bytes(&cast).unwrap();
    assert_eq!(bytes(&new), cast, "and nothing behind it");
    new
}

/// Every kind of type that another one can be in, with something before and after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Around<T: Ord> {
    before: String,
    option: Option<T>,
    none: Option<T>,
    list: Vec<(u8, T)>,
    map: BTreeMap<T, Vec<T>>,
    array: [T; 6],
    named: Wrapped<T>,
    kinds: Vec<Kind<T>>,
    float: f64,
    behind: i128,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped<T>(T);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Kind<T> {
    Plain,
    One(T),
    Two(bool, T),
    Named { name: String, of: T },
}

fn around<T: Ord + Clone>(of: impl Fn(u32) -> T) -> Around<T> {
    Around {
        before: "before".to_string(),
        option: Some(of(300)),
        none: None,
        list: vec![(7, of(1)), (8, of(2))],
        map: BTreeMap::from([(of(3), vec![]), (of(4), vec![of(5), of(70_000)])]),
        array: std::array::from_fn(|at| of(at as u32)),
        named: Wrapped(of(6)),
        kinds: vec![
            Kind::Named { name: "n".to_string(), of: of(9) },
            Kind::Plain,
            Kind::Two(true, of(10)),
            Kind::One(of(11)),
        ],
        float: -0.5,
        behind: i128::MIN,
    }
}

#[test]
fn a_type_is_up_cast_wherever_it_stands_and_what_is_around_it_stays() {
    let old = |count| StatsV1 { count };
    let new = |count| Stats::from(StatsV1 { count });
    assert_eq!(cast::<_, Around<Stats>>(&stats(), &around(old)), around(new));
    // As the value beside a key, which says where the state lies.
    let upcast = stats().plan(
        Layout::Keyed,
        &Fingerprint::of::<(String, (u8, StatsV1))>(),
        &Fingerprint::of::<(String, (u8, Stats))>(),
    );
    assert_eq!(upcast.unwrap().apply(&bytes(&(5_u8, old(1)))).unwrap(), bytes(&(5_u8, new(1))));
}

#[test]
fn the_old_type_is_known_by_its_own_name_and_by_that_of_the_new_one() {
    let expected = Stats { total: None, count: 9 };
    assert_eq!(cast::<_, Stats>(&stats(), &StatsV1 { count: 9 }), expected);
    assert_eq!(cast::<_, Stats>(&stats(), &stored::Stats { count: 9 }), expected);
    #[derive(Serialize, Deserialize)]
    struct Other {
        count: u32,
    }
    assert!(matches!(plan::<Other, Stats>(&stats()), Err(NoUpcast::NoneFits { .. })));
}

#[test]
fn one_up_cast_follows_the_other_as_often_as_the_type_has_changed() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Latest(Vec<Stats>);
    impl From<Stats> for Latest {
        fn from(old: Stats) -> Latest {
            Latest(vec![old])
        }
    }
    let mut upcasts = Upcasts::default();
    upcasts.declare::<Stats, Latest>().unwrap();
    upcasts.declare::<StatsV1, Stats>().unwrap();
    upcasts.declare::<StatsV1, Stats>().unwrap(); // twice is once
    let second = Stats { total: Some(-3), count: 4 };
    let firsts = vec![StatsV1 { count: 1 }, StatsV1 { count: 2 }];
    let thirds: Vec<_> = firsts.iter().cloned().map(|first| Latest(vec![first.into()])).collect();
    assert_eq!(cast::<_, Vec<Latest>>(&upcasts, &firsts), thirds);
    assert_eq!(cast::<_, Latest>(&upcasts, &second), Latest(vec![second.clone()]));
    assert_eq!(cast::<_, Stats>(&upcasts, &StatsV1 { count: 5 }), Stats { total: None, count: 5 });

    // A stored `Stats` may be the first version under its name of that time; of two ways, the shorter one is taken.
    impl From<StatsV1> for Latest {
        fn from(_: StatsV1) -> Latest {
            Latest(Vec::new())
        }
    }
    upcasts.declare::<StatsV1, Latest>().unwrap();
    assert_eq!(cast::<_, Latest>(&upcasts, &StatsV1 { count: 5 }), Latest(Vec::new()));
}

#[test]
fn of_two_up_casts_that_fit_none_is_taken() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Twin {
        count: u32,
    }
    impl From<Twin> for Stats {
        fn from(_: Twin) -> Stats {
            Stats { total: Some(1), count: 0 }
        }
    }
    let mut upcasts = stats();
    upcasts.declare::<Twin, Stats>().unwrap();
    let both = plan::<stored::Stats, Stats>(&upcasts).unwrap_err();
    assert_eq!(both, NoUpcast::Both("StatsV1 to Stats".to_string(), "Twin to Stats".to_string()));
    assert!(both.to_string().contains("leave the wrong one out"));
    // The one that was stored under its own name is that one.
    assert_eq!(cast::<_, Stats>(&upcasts, &Twin { count: 3 }), Stats { total: Some(1), count: 0 });
}

#[test]
fn a_key_is_never_up_cast() {
    let of = |layout, old, new| stats().plan(layout, &old, &new).unwrap_err();
    let keyed = [Fingerprint::of::<(StatsV1, u8)>(), Fingerprint::of::<(Stats, u8)>()];
    assert_eq!(of(Layout::Keyed, keyed[0].clone(), keyed[1].clone()), NoUpcast::Key);
    assert_eq!(of(Layout::Keyed, Fingerprint::of::<StatsV1>(), Fingerprint::of::<Stats>()), NoUpcast::Key);
    assert_eq!(of(Layout::Bare, Fingerprint::of::<StatsV1>(), Fingerprint::of::<Stats>()), NoUpcast::Key);
    assert!(NoUpcast::Key.to_string().contains("no key can be up-cast"));
}

#[test]
fn what_differs_and_is_not_declared_is_told_by_both_shapes() {
    let why = plan::<Around<u8>, Around<u16>>(&stats()).unwrap_err();
    let declared = vec!["StatsV1 to Stats from `struct StatsV1 { count: u32 }`".to_string()];
    assert_eq!(why, NoUpcast::NoneFits { old: "u8".to_string(), new: "u16".to_string(), declared });
    let told = why.to_string();
    for part in ["how `u8` becomes `u16`", "`flow.upcast::<Old, New>()` does", "StatsV1 to Stats from `struct"] {
        assert!(told.contains(part), "`{part}` is not in {told}");
    }
    let why = |why: Result<Upcast, NoUpcast>| why.unwrap_err().to_string();
    let none = Upcasts::default();
    assert!(why(plan::<[u8; 6], [u8; 7]>(&none)).contains("`[u8; 6]` becomes `[u8; 7]`"));
    assert!(why(plan::<(u8, u8), (u8, u8, u8)>(&none)).contains("`(u8, u8)` becomes `(u8, u8, u8)`"));
    // A variant that was added is another type: its values are still those that were stored, but that is the user's to say.
    #[derive(Deserialize)]
    enum Kind {
        _Plain,
    }
    assert!(why(plan::<super::tests::Kind<u8>, Kind>(&none)).contains("enum Kind { Plain, "));
}

#[test]
fn a_type_inside_itself_is_up_cast_as_a_whole() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct TreeV1 {
        of: u8,
        below: Vec<TreeV1>,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Tree {
        of: u64,
        below: Vec<Tree>,
    }
    impl From<TreeV1> for Tree {
        fn from(old: TreeV1) -> Tree {
            Tree { of: old.of.into(), below: old.below.into_iter().map(Tree::from).collect() }
        }
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct List<T> {
        of: T,
        next: Option<Box<List<T>>>,
    }
    let mut upcasts = stats();
    upcasts.declare::<TreeV1, Tree>().unwrap();
    let old = || TreeV1 { of: 200, below: vec![TreeV1 { of: 1, below: Vec::new() }] };
    assert_eq!(cast::<_, (u8, Tree, u8)>(&upcasts, &(1_u8, old(), 2_u8)), (1, old().into(), 2));
    // What is around the type that changed would have to be walked through again and again.
    let why = plan::<List<StatsV1>, List<Stats>>(&upcasts).unwrap_err();
    assert!(matches!(&why, NoUpcast::Unseen(shape) if shape.contains("^List")), "{why:?}");
    // Beside it, it is copied.
    let list = || List { of: 7_u8, next: Some(Box::new(List { of: 8, next: None })) };
    let both = cast::<_, (List<u8>, Stats)>(&upcasts, &(list(), StatsV1 { count: 5 }));
    assert_eq!(both, (list(), Stats { total: None, count: 5 }));
}

#[test]
fn what_cannot_be_told_apart_or_not_be_seen_is_not_declared() {
    let mut upcasts = Upcasts::default();
    let alike = upcasts.declare::<Stats, Stats>().unwrap_err().to_string();
    for part in ["the up-cast of Stats to Stats", "both are `struct Stats {", "#[serde(rename"] {
        assert!(alike.contains(part), "`{part}` is not in {alike}");
    }
    /// It refuses whatever it is offered.
    #[derive(Serialize)]
    struct Refuses(u8);
    impl<'de> Deserialize<'de> for Refuses {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Refuses, D::Error> {
            u8::deserialize(from)?;
            Err(serde::de::Error::custom("not to its liking"))
        }
    }
    impl From<StatsV1> for (u8, Refuses) {
        fn from(_: StatsV1) -> (u8, Refuses) {
            (0, Refuses(0))
        }
    }
    let unseen = upcasts.declare::<StatsV1, (u8, Refuses)>().unwrap_err().to_string();
    assert!(unseen.contains("not all of the type can be seen, only `"), "{unseen}");
    let stored = plan::<(Refuses, StatsV1), (Refuses, Stats)>(&stats()).unwrap_err();
    assert!(matches!(stored, NoUpcast::Unseen(_)), "{stored:?}");
}

#[test]
fn bytes_that_are_not_of_the_stored_shape_are_an_error() {
    let upcast = plan::<(bool, Option<Kind<StatsV1>>), (bool, Option<Kind<Stats>>)>(&stats()).unwrap();
    let good = bytes(&(true, Some(Kind::One(StatsV1 { count: 300 }))));
    assert!(upcast.apply(&good).is_ok());
    let longer = [&good[..], &[0]].concat();
    for bad in [&good[..good.len() - 1], &longer, &[2, 0], &[1, 2], &[1, 1, 9], &[]] {
        let error = upcast.apply(bad).unwrap_err().to_string();
        assert!(error.contains("not of the type that its fingerprint promises"), "{bad:?}: {error}");
    }
}

#[test]
fn what_is_declared_reads_the_same_in_every_process() {
    let read = format!("{:?}", stats());
    let types = "struct StatsV1 { count: u32 } to struct Stats { total: Option<i64>, count: u64 }";
    assert_eq!(read, format!("Upcasts([StatsV1 to Stats: {types}])"));
}

#[test]
fn an_old_value_that_is_nested_too_deep_is_refused() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Link(Option<Box<Link>>);
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Length(u32);
    impl From<Link> for Length {
        fn from(link: Link) -> Length {
            let (mut length, mut at) = (0, &link.0);
            while let Some(next) = at {
                (length, at) = (length + 1, &next.0);
            }
            Length(length)
        }
    }
    let mut upcasts = Upcasts::default();
    upcasts.declare::<Link, Length>().unwrap();
    let upcast = plan::<Link, Length>(&upcasts).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(upcast.apply(&[1, 1, 0]).unwrap(), bytes(&Length(2)));
    let error = upcast.apply(&[1; 1_000_000]).unwrap_err();
    assert!(error.to_string().contains("nested deeper"), "{error}");
}
