//! Every type that a record may have a field of goes through each format and comes back as it was.

use std::str::FromStr;

use dualgauge_engine::{Decimal, Duration, EventTime, Text, record};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

#[record]
struct Flat {
    #[event_time]
    ts: EventTime,
    a: i8,
    b: Option<i16>,
    c: i32,
    d: Option<i64>,
    e: u8,
    f: Option<u16>,
    g: u32,
    h: Option<u64>,
    i: f32,
    j: Option<f64>,
    k: bool,
    l: Option<bool>,
    m: String,
    n: Option<String>,
    o: Text,
    p: Option<Vec<u8>>,
    q: Option<EventTime>,
    r: Duration,
    s: Option<Duration>,
    t: Decimal<2>,
    u: Option<Decimal<0>>,
    #[column(default = Some(7))]
    v: Option<i64>,
    #[column(default = Some("x".into()))]
    w: Option<String>,
    #[column(scale = 2)]
    x: i64,
    #[column(scale = 4, default = Some(12))]
    y: Option<u8>,
    #[column(scale = 0)]
    z: u64,
}

#[record]
struct Part {
    float: Option<f32>,
    text: Option<String>,
    bytes: Vec<u8>,
    #[column(unit = "ms")]
    at: EventTime,
    took: Option<Duration>,
    price: Decimal<3>,
    #[column(default = 7)]
    number: u64,
    #[column(default = Some(1.5))]
    maybe: Option<f64>,
    #[column(scale = 3, default = Some(-1))]
    cents: Option<i32>,
}

#[record]
struct Nested {
    #[event_time]
    ts: EventTime,
    part: Part,
    maybe: Option<Part>,
    parts: Vec<Part>,
    some: Option<Vec<Option<Part>>>,
    lists: Vec<Vec<i16>>,
    floats: Vec<Option<f64>>,
    #[column(unit = "s")]
    times: Vec<Option<EventTime>>,
    lengths: Vec<Duration>,
    texts: Vec<String>,
    blobs: Vec<Vec<u8>>,
    bits: Vec<Option<bool>>,
    #[column(scale = 2)]
    amounts: Vec<Option<i64>>,
    #[column(default = Some(vec![3]))]
    some_numbers: Option<Vec<u16>>,
    #[column(scale = 1)]
    amount_lists: Vec<Vec<i16>>,
}

/// Floats of all kinds; a NaN is the one that a program makes, since text knows only one.
fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => any::<f64>(),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE / 2.0, f64::MAX]),
    ]
}

fn narrow() -> impl Strategy<Value = f32> {
    prop_oneof![4 => any::<f32>(), 1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX])]
}

/// Texts that have what formats make something of.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\"".to_string()),
        Just(",".to_string()),
        Just("\n".to_string()),
        Just("\r".to_string()),
        Just("\u{feff}".to_string()),
        Just("\\u0041".to_string()),
        Just("null".to_string()),
        any::<char>().prop_map(String::from),
        "[a-z0-9 ]{0,4}",
    ];
    vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

/// Times that RFC 3339 knows.
fn time() -> impl Strategy<Value = EventTime> {
    let micros = |text: &str| EventTime::from_str(text).unwrap().as_micros();
    let (first, last) = (micros("0000-01-01T00:00:00Z"), micros("9999-12-30T22:00:00Z"));
    prop_oneof![first..=last, -10..10_i64].prop_map(EventTime::from_micros)
}

fn length() -> impl Strategy<Value = Duration> {
    prop_oneof![any::<i64>(), -2_000_000..2_000_000_i64, Just(i64::MAX), Just(i64::MIN)].prop_map(Duration::from_micros)
}

fn decimal<const SCALE: u8>() -> impl Strategy<Value = Decimal<SCALE>> {
    let end = 10_i128.pow(38);
    (-end + 1..end).prop_map(|units| Decimal::from_units(units).unwrap())
}

fn flat() -> impl Strategy<Value = Flat> {
    let numbers = (any::<i8>(), any::<Option<i16>>(), any::<i32>(), any::<Option<i64>>());
    let naturals = (any::<u8>(), any::<Option<u16>>(), any::<u32>(), any::<Option<u64>>());
    let others = (narrow(), option::of(float()), any::<bool>(), any::<Option<bool>>());
    let texts = (text(), option::of(text()), text(), option::of(vec(any::<u8>(), 1..4)));
    let times = (option::of(time()), length(), option::of(length()), decimal(), option::of(decimal()));
    let said = (any::<Option<i64>>(), option::of(text()), any::<i64>(), any::<Option<u8>>(), any::<u64>());
    (time(), numbers, naturals, others, texts, times, said).prop_map(
        |(ts, (a, b, c, d), (e, f, g, h), (i, j, k, l), (m, n, o, p), (q, r, s, t, u), (v, w, x, y, z))| {
            let o = Text::from(o.as_str());
            Flat { ts, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z }
        },
    )
}

fn part() -> impl Strategy<Value = Part> {
    let first = (option::of(narrow()), option::of(text()), vec(any::<u8>(), 0..4), time());
    let said = (option::of(float()), any::<Option<i32>>());
    (first, option::of(length()), decimal(), any::<u64>(), said).prop_map(
        |((float, text, bytes, at), took, price, number, (maybe, cents))| Part {
            float,
            text,
            bytes,
            at,
            took,
            price,
            number,
            maybe,
            cents,
        },
    )
}

fn nested() -> impl Strategy<Value = Nested> {
    let parts = (part(), option::of(part()), vec(part(), 0..3), option::of(vec(option::of(part()), 0..3)));
    let lists = (vec(vec(any::<i16>(), 0..3), 0..3), vec(option::of(float()), 0..3), vec(option::of(time()), 0..3));
    let others =
        (vec(length(), 0..3), vec(text(), 0..3), vec(vec(any::<u8>(), 0..3), 0..3), vec(any::<Option<bool>>(), 0..3));
    let said =
        (vec(any::<Option<i64>>(), 0..3), option::of(vec(any::<u16>(), 0..3)), vec(vec(any::<i16>(), 0..3), 0..3));
    (time(), parts, lists, others, said).prop_map(
        |(
            ts,
            (part, maybe, parts, some),
            (lists, floats, times),
            (lengths, texts, blobs, bits),
            (amounts, some_numbers, amount_lists),
        )| Nested {
            ts,
            part,
            maybe,
            parts,
            some,
            lists,
            floats,
            times,
            lengths,
            texts,
            blobs,
            bits,
            amounts,
            some_numbers,
            amount_lists,
        },
    )
}

/// The rows through every format that holds them: `columns` too.
fn through<D: Record>(rows: &[D], nested: bool) {
    let dir = tempfile::tempdir().unwrap();
    for (sink, source) in text_files(dir.path(), nested) {
        write_rows(&*sink, rows).unwrap();
        assert_eq!(read::<D>(&*source).unwrap(), rows, "{}", source.describe());
    }
    let columns = D::encode(rows.iter());
    for (_dir, source) in [parquet_of(&columns), log_of(&columns)] {
        assert_eq!(read::<D>(&*source).unwrap(), rows, "{}", source.describe());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_record_of_every_plain_type_comes_back_unchanged(row in flat()) {
        through(&[row], false);
    }

    #[test]
    fn a_record_of_every_type_within_others_comes_back_unchanged(row in nested()) {
        through(&[row], true);
    }
}
