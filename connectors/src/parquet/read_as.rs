//! The types that the columns of a file are read as: of those that Arrow can produce, the one that loses nothing and
//! copies least.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};
use parquet::basic::Type as Physical;

/// How a column is read; its leaves are the next of `leaves`.
///
/// - Texts and bytes as views at any depth, which point into the pages instead of copying each value out of them, and which
///   have no 2 GiB of text in one batch as their limit.
/// - Lists of any kind as lists: that is what they all are in the file, and only a note of the writer's distinguishes
///   them.
/// - INT96, which older programs write for times, as `int96`, microseconds: in nanoseconds of 64 bits, which Arrow
///   takes it for, the years before 1677 and after 2262 would come out wrong.
pub(super) fn as_read(field: &FieldRef, leaves: &mut dyn Iterator<Item = Physical>, int96: TimeUnit) -> FieldRef {
    let of = type_read(field.data_type(), leaves, int96);
    if of == *field.data_type() { field.clone() } else { Arc::new(Field::clone(field).with_data_type(of)) }
}

fn type_read(of: &DataType, leaves: &mut dyn Iterator<Item = Physical>, int96: TimeUnit) -> DataType {
    let mut within = |field: &FieldRef| {
        let of = type_read(field.data_type(), leaves, int96);
        Arc::new(Field::clone(field).with_data_type(of))
    };
    match of {
        DataType::List(item) | DataType::ListView(item) | DataType::FixedSizeList(item, _) => {
            DataType::List(within(item))
        }
        DataType::LargeList(item) | DataType::LargeListView(item) => DataType::LargeList(within(item)),
        DataType::Map(entries, sorted) => DataType::Map(within(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(within).collect::<Fields>()),
        leaf => leaf_read(leaf, leaves.next(), int96),
    }
}

fn leaf_read(of: &DataType, stored: Option<Physical>, int96: TimeUnit) -> DataType {
    match of {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Dictionary(_, values) => leaf_read(values, stored, int96),
        DataType::Timestamp(_, zone) if stored == Some(Physical::INT96) => DataType::Timestamp(int96, zone.clone()),
        other => other.clone(),
    }
}
