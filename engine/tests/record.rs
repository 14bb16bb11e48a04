//! Would catch a record that does not survive its own columns, a conversion that loses or invents a value, and an order
//! that is not total. The records here have every kind of field; what they are read from is built with Arrow alone, as
//! the data of others is.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int32Type};
use arrow_array::*;
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use dualgauge_engine::{DecodeError, Duration, Event, EventTime, Record, Text, record};
use proptest::prelude::*;

#[record]
struct Everything {
    a: i8,
    b: i16,
    c: i32,
    d: i64,
    e: u8,
    f: u16,
    row: u32,
    rows: u64,
    single: f32,
    double: f64,
    flag: bool,
    text: String,
    bytes: Vec<u8>,
    took: Duration,
    maybe_number: Option<i32>,
    maybe_flag: Option<bool>,
    maybe_text: Option<String>,
    maybe_time: Option<EventTime>,
    numbers: Vec<f64>,
    texts: Vec<Option<String>>,
    lists: Vec<Vec<u16>>,
    blobs: Option<Vec<Vec<u8>>>,
    inner: Inner,
    maybe_inner: Option<Inner>,
    inners: Vec<Inner>,
    r#type: u32,
    #[event_time]
    #[column(name = "dateTime")]
    date_time: EventTime,
}

#[record]
#[derive(Default)]
struct Inner {
    id: u64,
    tags: Vec<String>,
    leaf: Option<Leaf>,
}

#[record]
#[derive(Copy, Default)]
struct Leaf {
    x: f32,
    y: Option<i16>,
}

fn few<S: Strategy>(of: S) -> impl Strategy<Value = Vec<S::Value>> {
    proptest::collection::vec(of, 0..4)
}

fn leaf() -> impl Strategy<Value = Leaf> {
    any::<(u32, Option<i16>)>().prop_map(|(x, y)| Leaf { x: f32::from_bits(x), y })
}

fn inner() -> impl Strategy<Value = Inner> {
    (any::<u64>(), few(any::<String>()), proptest::option::of(leaf())).prop_map(|(id, tags, leaf)| Inner {
        id,
        tags,
        leaf,
    })
}

fn everything() -> impl Strategy<Value = Everything> {
    let integers = any::<(i8, i16, i32, i64, u8, u16, u32, u64)>();
    let plain = any::<(u32, u64, bool, String, Vec<u8>, i64)>();
    let maybe = any::<(Option<i32>, Option<bool>, Option<String>, Option<i64>)>();
    let texts = few(any::<Option<String>>());
    let lists = (few(any::<u64>()), texts, few(few(any::<u16>())), proptest::option::of(few(few(any::<u8>()))));
    let nested = (inner(), proptest::option::of(inner()), few(inner()));
    (integers, plain, maybe, lists, nested, any::<(u32, i64)>()).prop_map(
        |(integers, plain, maybe, lists, nested, last)| Everything {
            a: integers.0,
            b: integers.1,
            c: integers.2,
            d: integers.3,
            e: integers.4,
            f: integers.5,
            row: integers.6,
            rows: integers.7,
            single: f32::from_bits(plain.0),
            double: f64::from_bits(plain.1),
            flag: plain.2,
            text: plain.3,
            bytes: plain.4,
            took: Duration::from_micros(plain.5),
            maybe_number: maybe.0,
            maybe_flag: maybe.1,
            maybe_text: maybe.2,
            maybe_time: maybe.3.map(EventTime::from_micros),
            numbers: lists.0.into_iter().map(f64::from_bits).collect(),
            texts: lists.1,
            lists: lists.2,
            blobs: lists.3,
            inner: nested.0,
            maybe_inner: nested.1,
            inners: nested.2,
            r#type: last.0,
            date_time: EventTime::from_micros(last.1),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_record_survives_its_own_columns_and_bytes(rows in proptest::collection::vec(everything(), 0..6), start in 0..6_usize) {
        let batch = Everything::encode(rows.iter());
        prop_assert_eq!(batch.schema(), Everything::schema());
        prop_assert_eq!(decode::<Everything>(&batch).unwrap(), rows.clone());
        let bytes = postcard::to_stdvec(&rows).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Vec<Everything>>(&bytes).unwrap(), rows.clone());
        // And a slice of them, whose arrays do not begin where their buffers do.
        let start = start.min(rows.len());
        let slice = batch.slice(start, rows.len() - start);
        prop_assert_eq!(decode::<Everything>(&slice).unwrap(), rows[start..].to_vec());
    }

    #[test]
    fn the_order_is_total_and_equality_and_hash_agree_with_it(mut a in leaf(), b in leaf(), c in leaf(), same in any::<bool>()) {
        if same {
            a = b;
        }
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a.cmp(&b).is_eq(), a == b);
        prop_assert_eq!(a.partial_cmp(&b), Some(a.cmp(&b)));
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        if a == b {
            prop_assert_eq!(hash(&a), hash(&b));
        }
    }
}

fn decode<R: Record>(batch: &RecordBatch) -> Result<Vec<R>, DecodeError> {
    let mut rows = Vec::new();
    R::decode(batch, &mut rows)?;
    assert!(rows.iter().all(|row| Some(row.time) == row.data.event_time()));
    Ok(rows.into_iter().map(|row| row.data).collect())
}

fn hash(value: &impl Hash) -> u64 {
    let mut state = DefaultHasher::new();
    value.hash(&mut state);
    state.finish()
}

/// One column of any kind, beside the event time that a decoded record needs.
macro_rules! one {
    ($name:ident, $type:ty) => {
        #[record]
        struct $name {
            value: $type,
            #[event_time]
            time: EventTime,
        }

        impl $name {
            fn read(column: impl Array + 'static) -> Result<Vec<$type>, DecodeError> {
                let time = TimestampMicrosecondArray::from(vec![0; column.len()]);
                let columns = [("value", Arc::new(column) as ArrayRef), ("time", Arc::new(time) as ArrayRef)];
                let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)));
                Ok(decode::<$name>(&batch.unwrap())?.into_iter().map(|row| row.value).collect())
            }
        }
    };
}

one!(OneI32, i32);
one!(OneU64, u64);
one!(OneF32, f32);
one!(OneF64, f64);
one!(OneFlag, bool);
one!(OneText, String);
one!(OneBytes, Vec<u8>);
one!(OneTime, EventTime);
one!(OneDuration, Duration);
one!(MaybeI32, Option<i32>);
one!(ManyI32, Vec<i32>);
one!(OneLeaf, Leaf);
one!(MaybeLeaf, Option<Leaf>);

fn error(column: &str, row: Option<usize>, found: &str, expected: &str) -> DecodeError {
    DecodeError { column: column.into(), row, found: found.into(), expected: expected.into() }
}

#[test]
fn integers_of_other_widths_and_signs_are_checked() {
    assert_eq!(OneI32::read(UInt64Array::from(vec![0, 2_147_483_647])).unwrap(), [0, i32::MAX]);
    assert_eq!(OneI32::read(Int8Array::from(vec![-128, 127])).unwrap(), [-128, 127]);
    assert_eq!(OneU64::read(Int64Array::from(vec![i64::MAX])).unwrap(), [i64::MAX as u64]);
    assert_eq!(
        OneI32::read(UInt64Array::from(vec![0, 2_147_483_648])),
        Err(error("value", Some(1), "2147483648", "a number that fits `i32`"))
    );
    assert_eq!(
        OneU64::read(Int16Array::from(vec![3, 2, -1])),
        Err(error("value", Some(2), "-1", "a number that fits `u64`"))
    );
}

#[test]
fn a_value_under_a_null_need_not_fit() {
    let nulls = NullBuffer::from(vec![true, false]);
    let column = Int64Array::new(vec![1, i64::MAX].into(), Some(nulls));
    assert_eq!(MaybeI32::read(column.clone()).unwrap(), [Some(1), None]);
    assert_eq!(OneI32::read(column).unwrap_err().found, "null");
}

#[test]
fn floats_are_read_from_numbers_that_they_have_exactly_and_never_rounded() {
    assert_eq!(OneF64::read(Float32Array::from(vec![0.5])).unwrap(), [0.5]);
    assert_eq!(OneF32::read(Float64Array::from(vec![0.5, -0.0])).unwrap(), [0.5, -0.0]);
    let refused = OneF32::read(Float64Array::from(vec![0.5, 0.1]));
    assert_eq!(refused, Err(error("value", Some(1), "0.1", "a number that `f32` has exactly")));
    assert_eq!(OneF64::read(Int32Array::from(vec![1])).unwrap(), [1.0]);
    let beyond = (1_i64 << 53) + 1;
    let refused = OneF64::read(Int64Array::from(vec![beyond]));
    assert_eq!(refused, Err(error("value", Some(0), &beyond.to_string(), "a number that `f64` has exactly")));
}

#[test]
fn times_of_every_unit_become_microseconds() {
    let micros = |times: Vec<EventTime>| times.into_iter().map(EventTime::as_micros).collect::<Vec<_>>();
    let read = |column: ArrayRef| OneTime::read(column).map(micros);
    assert_eq!(read(Arc::new(TimestampSecondArray::from(vec![-1, 2]))).unwrap(), [-1_000_000, 2_000_000]);
    assert_eq!(read(Arc::new(TimestampMillisecondArray::from(vec![-1, 2]))).unwrap(), [-1_000, 2_000]);
    assert_eq!(read(Arc::new(TimestampMicrosecondArray::from(vec![-1, 2]))).unwrap(), [-1, 2]);
    assert_eq!(
        read(Arc::new(TimestampNanosecondArray::from(vec![-1_001, -1_000, -1, 0, 999, 1_000]))).unwrap(),
        [-2, -1, -1, 0, 0, 1]
    );
    assert_eq!(read(Arc::new(Date32Array::from(vec![-1, 1]))).unwrap(), [-86_400_000_000, 86_400_000_000]);
    assert_eq!(read(Arc::new(Date64Array::from(vec![-1, 1]))).unwrap(), [-1_000, 1_000]);
    let zoned = TimestampMillisecondArray::from(vec![7]).with_timezone("+09:00");
    assert_eq!(read(Arc::new(zoned)).unwrap(), [7_000]);
    let far = TimestampSecondArray::from(vec![0, i64::MAX]);
    assert_eq!(
        read(Arc::new(far)),
        Err(error("value", Some(1), &i64::MAX.to_string(), "a number that fits microseconds in 64 bits"))
    );
    assert!(read(Arc::new(Date32Array::from(vec![i32::MAX]))).is_err());
}

#[test]
fn durations_of_every_unit_become_microseconds() {
    let read = |column: ArrayRef| OneDuration::read(column).unwrap()[0].as_micros();
    assert_eq!(read(Arc::new(DurationSecondArray::from(vec![-3]))), -3_000_000);
    assert_eq!(read(Arc::new(DurationMillisecondArray::from(vec![3]))), 3_000);
    assert_eq!(read(Arc::new(DurationMicrosecondArray::from(vec![3]))), 3);
    assert_eq!(read(Arc::new(DurationNanosecondArray::from(vec![-1]))), -1);
    assert!(OneDuration::read(Int64Array::from(vec![3])).is_err());
}

#[test]
fn integers_are_times_only_where_the_field_says_what_they_count() {
    #[record]
    struct Counted {
        #[column(unit = "ms")]
        took: Vec<Option<Duration>>,
        #[event_time]
        #[column(unit = "s")]
        time: EventTime,
    }
    let refused = OneTime::read(Int64Array::from(vec![1])).unwrap_err();
    assert_eq!((refused.found.as_str(), refused.row), ("a column of type Int64", None));
    assert!(refused.expected.contains("#[column(unit = \"ms\")]"), "{refused}");

    let read = |time: ArrayRef| {
        let took = ListArray::from_iter_primitive::<Int8Type, _, _>([Some([Some(-2), None])]);
        let columns = [("took", Arc::new(took) as ArrayRef), ("time", time)];
        decode::<Counted>(&RecordBatch::try_from_iter(columns).unwrap())
    };
    let expected = |micros| {
        [Counted { took: vec![Some(Duration::from_micros(-2_000)), None], time: EventTime::from_micros(micros) }]
    };
    assert_eq!(read(Arc::new(UInt32Array::from(vec![4]))).unwrap(), expected(4_000_000));
    assert_eq!(read(Arc::new(TimestampMillisecondArray::from(vec![4]))).unwrap(), expected(4_000));
    assert_eq!(read(Arc::new(UInt64Array::from(vec![u64::MAX]))).unwrap_err().row, Some(0));
}

#[test]
fn text_and_bytes_are_read_from_every_layout() {
    let texts = vec!["", "a text that is too long for a view to hold it"];
    assert_eq!(OneText::read(StringArray::from(texts.clone())).unwrap(), texts);
    assert_eq!(OneText::read(LargeStringArray::from(texts.clone())).unwrap(), texts);
    assert_eq!(OneText::read(StringViewArray::from(texts.clone())).unwrap(), texts);
    let bytes: Vec<&[u8]> = vec![b"ab", b"\xff\0"];
    assert_eq!(OneBytes::read(BinaryArray::from(bytes.clone())).unwrap(), bytes);
    assert_eq!(OneBytes::read(LargeBinaryArray::from(bytes.clone())).unwrap(), bytes);
    assert_eq!(OneBytes::read(BinaryViewArray::from(bytes.clone())).unwrap(), bytes);
    assert_eq!(OneBytes::read(FixedSizeBinaryArray::try_from_iter(bytes.iter()).unwrap()).unwrap(), bytes);
    assert!(OneText::read(BinaryArray::from(bytes)).is_err());
    assert_eq!(OneFlag::read(StringArray::from(texts)).unwrap_err().expected, "a column of type Boolean");
}

#[test]
fn dictionaries_are_read_as_what_they_hold() {
    let texts = DictionaryArray::<Int8Type>::from_iter(["b", "a", "b"]);
    assert_eq!(OneText::read(texts).unwrap(), ["b", "a", "b"]);
    let numbers = |keys: Vec<Option<i32>>| {
        DictionaryArray::<Int32Type>::new(keys.into(), Arc::new(Int64Array::from(vec![Some(10), None, Some(1 << 40)])))
    };
    assert_eq!(MaybeI32::read(numbers(vec![Some(0), Some(1), None])).unwrap(), [Some(10), None, None]);
    assert_eq!(OneI32::read(numbers(vec![Some(0), Some(0), Some(1)])).unwrap_err().row, Some(2));
    assert_eq!(OneI32::read(numbers(vec![Some(0), Some(2)])).unwrap_err().found, "1099511627776");
}

#[test]
fn a_null_is_an_error_with_its_row_unless_the_field_is_an_option() {
    let column = Int32Array::from(vec![Some(1), None, None]);
    let expected = error("value", Some(1), "null", "a value; make the field an `Option` if it may be null");
    assert_eq!(OneI32::read(column.clone()), Err(expected));
    assert_eq!(MaybeI32::read(column).unwrap(), [Some(1), None, None]);
    assert_eq!(MaybeI32::read(NullArray::new(2)).unwrap(), [None, None]);
    assert_eq!(OneI32::read(NullArray::new(2)).unwrap_err().row, Some(0));
    assert_eq!(OneI32::read(NullArray::new(0)).unwrap(), Vec::<i32>::new());
}

#[test]
fn an_element_that_is_at_fault_is_found_by_the_row_of_its_list() {
    let lists = |last| {
        let lists = [Some(vec![Some(1)]), Some(vec![]), Some(vec![]), Some(vec![Some(2), last])];
        LargeListArray::from_iter_primitive::<arrow_array::types::UInt64Type, _, _>(lists)
    };
    assert_eq!(ManyI32::read(lists(Some(3))).unwrap(), [vec![1], vec![], vec![], vec![2, 3]]);
    let fault = |last| ManyI32::read(lists(last)).unwrap_err();
    assert_eq!(fault(Some(1 << 31)), error("value.item", Some(3), "2147483648", "a number that fits `i32`"));
    assert_eq!((fault(None).column.as_str(), fault(None).row), ("value.item", Some(3)));
    // Seen from a slice, rows count from its first, and what is outside is no fault.
    assert_eq!(ManyI32::read(lists(None).slice(2, 2)).unwrap_err().row, Some(1));
    assert_eq!(ManyI32::read(lists(None).slice(0, 3)).unwrap(), [vec![1], vec![], vec![]]);
}

#[test]
fn what_stands_under_a_null_struct_or_list_is_not_looked_at() {
    let nulls = Some(NullBuffer::from(vec![true, false]));
    let fields = vec![Field::new("x", DataType::Float32, true), Field::new("y", DataType::Int64, true)];
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Float32Array::from(vec![Some(1.0), None])), Arc::new(Int64Array::from(vec![2, i64::MAX]))];
    let with = |nulls| StructArray::new(fields.clone().into(), columns.clone(), nulls);
    assert_eq!(MaybeLeaf::read(with(nulls.clone())).unwrap(), [Some(Leaf { x: 1.0, y: Some(2) }), None]);
    assert_eq!(OneLeaf::read(with(nulls.clone())).unwrap_err().column, "value");
    assert_eq!((OneLeaf::read(with(None)).unwrap_err()).column, "value.x");

    #[record]
    struct MaybeMany {
        value: Option<Vec<i32>>,
        #[event_time]
        time: EventTime,
    }
    let item = Arc::new(Field::new_list_field(DataType::Int64, true));
    let elements = Int64Array::from(vec![Some(1), None, Some(i64::MAX)]);
    let lists = ListArray::new(item, OffsetBuffer::from_lengths([1, 2]), Arc::new(elements), nulls);
    let time = Arc::new(TimestampMicrosecondArray::from(vec![0, 0]));
    let batch = RecordBatch::try_from_iter([("value", Arc::new(lists) as ArrayRef), ("time", time)]).unwrap();
    let read: Vec<_> = decode::<MaybeMany>(&batch).unwrap().into_iter().map(|row| row.value).collect();
    assert_eq!(read, [Some(vec![1]), None]);
}

#[test]
fn a_missing_column_is_an_error_that_names_the_one_that_is_meant() {
    let bids = |name: &str| {
        RecordBatch::try_from_iter([(name, Arc::new(Int32Array::from(vec![1])) as ArrayRef)])
            .map(|batch| decode::<OneI32>(&batch).unwrap_err())
            .unwrap()
    };
    let expected = "one of type Int32; a field marked #[column(default)] may be missing";
    assert_eq!(bids("price"), error("value", None, "no such column", expected));
    let found = "no such column; did you mean `Value` (#[column(name = \"Value\")])?";
    assert_eq!(bids("Value"), error("value", None, found, expected));
    assert_eq!(
        bids("price").to_string(),
        "column `value`: found no such column, expected one of type Int32; a field marked #[column(default)] may be \
         missing"
    );
}

#[test]
fn a_default_stands_for_a_missing_column_and_for_no_null() {
    #[record]
    struct Defaulted {
        #[column(default)]
        text: String,
        #[column(default = 5 * 2)]
        number: i32,
        #[column(default)]
        maybe: Option<u8>,
        #[column(default = Inner { id: 3, ..Inner::default() })]
        inner: Inner,
        #[event_time]
        time: EventTime,
    }
    let time = ("time", Arc::new(TimestampMicrosecondArray::from(vec![1, 2])) as ArrayRef);
    let rows = decode::<Defaulted>(&RecordBatch::try_from_iter([time.clone()]).unwrap()).unwrap();
    let inner = Inner { id: 3, tags: vec![], leaf: None };
    let expected = Defaulted { text: String::new(), number: 10, maybe: None, inner, time: EventTime::from_micros(2) };
    assert_eq!(rows[1], expected);
    assert_eq!(rows.len(), 2);

    let number = ("number", Arc::new(Int32Array::from(vec![Some(7), None])) as ArrayRef);
    let batch = RecordBatch::try_from_iter([time, number]).unwrap();
    assert_eq!(decode::<Defaulted>(&batch.slice(0, 1)).unwrap()[0].number, 7);
    assert_eq!(decode::<Defaulted>(&batch).unwrap_err().row, Some(1));
}

#[test]
fn an_option_without_a_default_may_not_be_missing() {
    let time = ("time", Arc::new(TimestampMicrosecondArray::from(vec![1])) as ArrayRef);
    assert_eq!(decode::<MaybeI32>(&RecordBatch::try_from_iter([time]).unwrap()).unwrap_err().column, "value");
}

#[test]
fn nothing_is_appended_on_an_error() {
    let batch = OneI32::encode([OneI32 { value: 1, time: EventTime::MIN }].iter());
    let mut rows = Vec::new();
    OneI32::decode(&batch, &mut rows).unwrap();
    let text = StringArray::from(vec!["1"]);
    let bad = RecordBatch::try_from_iter([("value", Arc::new(text) as ArrayRef), ("time", batch.column(1).clone())]);
    OneI32::decode(&bad.unwrap(), &mut rows).unwrap_err();
    assert_eq!(rows.len(), 1);
}

#[test]
fn the_schema_has_the_names_and_types_of_the_fields() {
    #[record]
    struct Bid {
        auction: u64,
        note: Option<String>,
        leaf: Leaf,
        #[event_time]
        #[column(name = "dateTime")]
        date_time: EventTime,
    }
    let leaf = vec![Field::new("x", DataType::Float32, false), Field::new("y", DataType::Int16, true)];
    let expected = Schema::new(vec![
        Field::new("auction", DataType::UInt64, false),
        Field::new("note", DataType::Utf8, true),
        Field::new("leaf", DataType::Struct(leaf.into()), false),
        Field::new("dateTime", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
    ]);
    assert_eq!(*Bid::schema(), expected);
    assert_eq!(Bid::event_time_column(), Some("dateTime"));
    assert_eq!((Leaf::event_time_column(), Leaf::default().event_time()), (None, None));
    assert!(Arc::ptr_eq(&Bid::schema(), &Bid::schema()), "the schema is made once");
    assert_eq!(Everything::schema().field(25).name(), "type");
}

#[test]
fn a_record_without_an_event_time_is_decoded_at_the_least() {
    let mut rows = Vec::new();
    Leaf::decode(&Leaf::encode([Leaf::default()].iter()), &mut rows).unwrap();
    assert_eq!(rows, [Event::new(EventTime::MIN, Leaf::default())]);
}

#[test]
fn floats_are_ordered_by_their_bits() {
    let leaf = |x| Leaf { x, y: None };
    let ascending = [-f32::NAN, f32::NEG_INFINITY, -1.0, -0.0, 0.0, 1.0, f32::INFINITY, f32::NAN].map(leaf);
    assert!(ascending.is_sorted_by(|a, b| a < b));
    assert_eq!(leaf(f32::NAN), leaf(f32::NAN));
    assert_ne!(leaf(0.0), leaf(-0.0));
    assert_eq!(hash(&leaf(f32::NAN)), hash(&leaf(f32::NAN)));
    assert_ne!(hash(&leaf(0.0)), hash(&leaf(-0.0)));
    assert!(leaf(0.0) < Leaf { x: 0.0, y: Some(i16::MIN) }, "none is below every value");
}

#[test]
fn fields_are_compared_in_their_order_and_lists_by_what_differs_first() {
    let inner = |id, tags: &[&str], x: Option<f32>| Inner {
        id,
        tags: tags.iter().map(|tag| tag.to_string()).collect(),
        leaf: x.map(|x| Leaf { x, y: None }),
    };
    let ascending = [
        inner(1, &[], Some(9.0)),
        inner(1, &["a"], None),
        inner(1, &["a", "b"], Some(f32::NAN)),
        inner(1, &["b"], None),
        inner(1, &["b"], Some(-0.0)),
        inner(1, &["b"], Some(0.0)),
        inner(2, &[], None),
    ];
    assert!(ascending.is_sorted_by(|a, b| a < b && a != b));
}

#[test]
fn the_engine_can_be_named_by_hand() {
    mod elsewhere {
        pub use dualgauge_engine as engine;
    }
    #[record(crate = elsewhere::engine)]
    struct Named {
        value: u8,
    }
    assert_eq!(Named::schema().field(0), &Field::new("value", DataType::UInt8, false));
}

#[record]
struct Texts {
    #[event_time]
    time: EventTime,
    one: Text,
    maybe: Option<Text>,
    many: Vec<Text>,
}

#[test]
fn texts_are_read_from_the_columns_of_strings_whether_short_or_long() {
    let long = "a text of more than twenty-four bytes";
    let rows = [
        Texts { time: EventTime::from_micros(1), one: "".into(), maybe: None, many: vec![] },
        Texts {
            time: EventTime::from_micros(2),
            one: long.into(),
            maybe: Some("NL".into()),
            many: vec!["ü".into(), long.into()],
        },
    ];
    let batch = Texts::encode(rows.iter());
    assert_eq!(batch.column(1).as_string::<i32>().value(1), long);
    let mut back = Vec::new();
    Texts::decode(&batch, &mut back).unwrap();
    assert_eq!(back.into_iter().map(|event| event.data).collect::<Vec<_>>(), rows);
}
