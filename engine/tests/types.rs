//! Columns of other people's types, read exactly: decimals, numbers of another kind, times as text and as dictionaries, maps.
//!
//! Would catch: a value that is rounded, cut or wrapped instead of refused, and a type that is read at the top and not
//! within a list or struct.

use std::fmt::Debug;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, MapBuilder, StringBuilder};
use arrow_array::types::Int8Type;
use arrow_array::{
    Array, ArrayRef, Decimal128Array, Decimal256Array, DictionaryArray, Float32Array, Float64Array, Int8Array,
    Int64Array, LargeStringArray, ListArray, RecordBatch, StringArray, StringViewArray, StructArray,
    TimestampMillisecondArray, UInt64Array,
};
use arrow_buffer::{OffsetBuffer, i256};
use arrow_schema::{DataType, Field};
use dualgauge_engine::{Decimal, EventTime, KeyGroup, Record, record};

#[record]
struct Entry {
    key: String,
    value: Option<i64>,
}

/// A record of one field of each type, at the top, optional, in a list and in a struct.
macro_rules! depths {
    ($($name:ident: $type:ty),* $(,)?) => {$(
        mod $name {
            use super::*;
            #[record]
            struct Plain { v: $type }
            #[record]
            struct Maybe { v: Option<$type> }
            #[record]
            struct Listed { v: Vec<$type> }
            #[record]
            struct Within { v: Plain }

            /// The one value of a column at every depth, or the same error at each.
            pub fn read(column: ArrayRef) -> Result<$type, String> {
                let field = Arc::new(Field::new("v", column.data_type().clone(), true));
                let list = ListArray::new(field.clone(), OffsetBuffer::from_lengths([1]), column.clone(), None);
                let inner = StructArray::new(vec![field].into(), vec![column.clone()], None);
                let plain = one::<Plain>(column.clone()).map(|row| row.v);
                let others = [
                    one::<Maybe>(column).map(|row| row.v.unwrap()),
                    one::<Listed>(Arc::new(list)).map(|mut row| row.v.remove(0)),
                    one::<Within>(Arc::new(inner)).map(|row| row.v.v),
                ];
                for other in others {
                    assert_eq!(other.is_ok(), plain.is_ok(), "{plain:?}, {other:?}");
                    if let (Ok(other), Ok(plain)) = (&other, &plain) {
                        assert!(Plain { v: other.clone() } == Plain { v: plain.clone() }, "{plain:?}, {other:?}");
                    }
                }
                if let Ok(value) = &plain {
                    // What is read can be written and read again.
                    let row = Plain { v: value.clone() };
                    let back = one::<Plain>(Plain::encode([&row].into_iter()).column(0).clone());
                    assert!(back.unwrap() == row);
                }
                plain
            }
        }
    )*};
}

depths! {
    cents: Decimal<2>, units: Decimal<0>, int64: i64, uint8: u8, float32: f32, float64: f64, time: EventTime,
    map: Vec<Entry>,
}

fn one<D: Record>(column: ArrayRef) -> Result<D, String> {
    let batch = RecordBatch::try_from_iter_with_nullable([("v", column, true)]).unwrap();
    let mut rows = Vec::new();
    D::decode(&batch, &mut rows).map_err(|error| error.to_string())?;
    Ok(rows.remove(0).data)
}

fn decimal(units: i128, precision: u8, scale: i8) -> ArrayRef {
    Arc::new(Decimal128Array::from(vec![units]).with_precision_and_scale(precision, scale).unwrap())
}

fn check<T: PartialEq + Debug>(read: Result<T, String>, expected: Result<T, &str>) {
    match (&read, &expected) {
        (Ok(read), Ok(expected)) => assert_eq!(read, expected),
        (Err(error), Err(said)) => assert!(error.contains(said), "{error}"),
        _ => panic!("{read:?} instead of {expected:?}"),
    }
}

fn of(units: i128) -> Decimal<2> {
    Decimal::from_units(units).unwrap()
}

#[test]
fn decimals_are_read_exactly_or_refused() {
    let fits = "expected a number that has no more than 2 digits behind the point, and 38 in all";
    for (column, expected) in [
        (decimal(1990, 9, 2), Ok(of(1990))),
        (decimal(-199, 38, 1), Ok(of(-1990))),
        (decimal(19_900_000, 18, 6), Ok(of(1990))),
        (decimal(2, 5, -1), Ok(of(2000))),
        (decimal(1995, 9, 3), Err("found 1.995")),
        (decimal(1995, 9, 3), Err(fits)),
        (decimal(10_i128.pow(37), 38, 0), Err(fits)),
        (Arc::new(Int64Array::from(vec![-7])), Ok(of(-700))),
        (Arc::new(UInt64Array::from(vec![u64::MAX])), Ok(of(i128::from(u64::MAX) * 100))),
        (Arc::new(StringArray::from(vec!["19.90"])), Ok(of(1990))),
        (Arc::new(StringViewArray::from(vec!["-0.010"])), Ok(of(-1))),
        (Arc::new(LargeStringArray::from(vec!["19.905"])), Err("found `19.905`")),
        (Arc::new(Float64Array::from(vec![19.9])), Err("expected a column of decimals, integers or text")),
    ] {
        check(cents::read(column), expected);
    }
    let wide = |units: i256| -> ArrayRef {
        Arc::new(Decimal256Array::from(vec![units]).with_precision_and_scale(76, 2).unwrap())
    };
    check(cents::read(wide(i256::from(1990))), Ok(of(1990)));
    check(cents::read(wide(i256::from_i128(i128::MAX).wrapping_mul(i256::from(10)))), Err(fits));
    check(units::read(decimal(700, 9, 2)), Ok(Decimal::from_whole(7)));
}

#[test]
fn equal_decimals_are_one_key() {
    let [a, b] = ["1.5", "1.50"].map(|text| text.parse::<Decimal<2>>().unwrap());
    assert_eq!((a, KeyGroup::of(&a), postcard::to_stdvec(&a)), (b, KeyGroup::of(&b), postcard::to_stdvec(&b)));
    let bytes = postcard::to_stdvec(&of(-1)).unwrap();
    assert_eq!(postcard::from_bytes::<Decimal<2>>(&bytes).unwrap(), of(-1));
    assert_eq!(cents_type(), DataType::Decimal128(38, 2));
}

fn cents_type() -> DataType {
    #[record]
    struct Row {
        v: Decimal<2>,
    }
    Row::schema().field(0).data_type().clone()
}

#[test]
fn numbers_of_another_kind_are_read_where_they_are_the_same_number() {
    check(int64::read(decimal(700, 9, 2)), Ok(7));
    check(int64::read(decimal(705, 9, 2)), Err("found 7.05, expected a number that fits `i64`"));
    check(uint8::read(decimal(-1, 9, 0)), Err("expected a number that fits `u8`"));
    check(int64::read(Arc::new(Float64Array::from(vec![7.0]))), Err("expected an integer column"));

    check(float64::read(Arc::new(Int64Array::from(vec![1 << 53]))), Ok((1_i64 << 53) as f64));
    check(float64::read(Arc::new(Int64Array::from(vec![(1 << 53) + 1]))), Err("a number that `f64` has exactly"));
    check(float64::read(Arc::new(UInt64Array::from(vec![u64::MAX]))), Err("a number that `f64` has exactly"));
    check(float32::read(Arc::new(Float64Array::from(vec![0.5]))), Ok(0.5));
    check(float32::read(Arc::new(Float64Array::from(vec![f64::INFINITY]))), Ok(f32::INFINITY));
    check(float32::read(Arc::new(Float64Array::from(vec![0.1]))), Err("found 0.1, expected a number that `f32` has"));
    check(float32::read(Arc::new(Float64Array::from(vec![1e39]))), Err("a number that `f32` has exactly"));
    check(float32::read(Arc::new(Int8Array::from(vec![-3]))), Ok(-3.0));
    check(float32::read(Arc::new(Float32Array::from(vec![0.1]))), Ok(0.1));
    assert!(float32::read(Arc::new(Float64Array::from(vec![f64::NAN]))).unwrap().is_nan());
}

#[test]
fn times_are_read_from_text_and_dictionaries() {
    let midnight = EventTime::from_millis(1_767_225_600_000);
    for text in ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01"] {
        check(time::read(Arc::new(StringArray::from(vec![text]))), Ok(midnight));
    }
    let wrong = Err("found `yesterday`, expected a time such as 2026-01-01T12:00:00Z");
    check(time::read(Arc::new(StringViewArray::from(vec!["yesterday"]))), wrong);
    let values: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![1_767_225_600_000]));
    check(time::read(Arc::new(DictionaryArray::<Int8Type>::new(vec![0].into(), values))), Ok(midnight));
}

#[test]
fn a_map_is_a_list_of_its_entries() {
    let names =
        arrow_array::builder::MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), Int64Builder::new());
    maps.keys().append_value("a");
    maps.values().append_value(1);
    maps.keys().append_value("b");
    maps.values().append_null();
    maps.append(true).unwrap();
    let entry = |key: &str, value| Entry { key: key.into(), value };
    check(map::read(Arc::new(maps.finish())), Ok(vec![entry("a", Some(1)), entry("b", None)]));
}
