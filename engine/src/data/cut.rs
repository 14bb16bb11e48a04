//! How many rows go into one batch of columns: batches are cut by bytes, well before the limits that Arrow has.
//!
//! The offsets of texts, bytes and lists have 31 bits, and what a few rows hold can be more. A batch of large rows is also
//! memory that is held at once.

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowDictionaryKeyType, BinaryViewType, ByteViewType, StringViewType};
use arrow_array::{Array, GenericByteViewArray, OffsetSizeTrait, RecordBatch, downcast_dictionary_array};
use arrow_schema::DataType;

use super::Record;
use crate::{Error, Result};

/// How many bytes of texts, bytes and lists are in one batch, unless one row alone has more.
pub const BATCH_BYTES: usize = 64 << 20;

/// How many of these rows, at least one, go into one batch.
///
/// # Errors
/// A first row that fits no batch: it has more than 2 GiB.
pub fn fitting<'a, D: Record>(rows: impl Iterator<Item = &'a D>) -> Result<usize> {
    let (mut count, mut bytes) = (0, 0);
    for row in rows {
        let weight = row.weight();
        if count == 0 && weight > i32::MAX as usize {
            return Err(Error::data(format!(
                "a row of {weight} bytes is too large to be written: columns have room for {}. Did a list or text grow \
                 without end?",
                i32::MAX
            )));
        }
        bytes += weight;
        if count > 0 && bytes > BATCH_BYTES {
            break;
        }
        count += 1;
    }
    Ok(count)
}

/// How many rows of a batch, from its first on and at least one, have no more than `limit` bytes of texts, bytes and lists.
pub fn rows_within(batch: &RecordBatch, limit: usize) -> usize {
    let within = |rows: usize| bytes_of(&batch.slice(0, rows)) <= limit;
    if batch.num_rows() <= 1 || within(batch.num_rows()) {
        return batch.num_rows();
    }
    let (mut fit, mut too_many) = (1, batch.num_rows());
    while fit + 1 < too_many {
        let middle = fit + (too_many - fit) / 2;
        match within(middle) {
            true => fit = middle,
            false => too_many = middle,
        }
    }
    fit
}

/// How many bytes of texts, bytes and lists a batch has, each value counted as often as it stands in a row.
pub fn bytes_of(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| bytes_in(column)).sum()
}

fn bytes_in(array: &dyn Array) -> usize {
    match array.data_type() {
        DataType::Utf8 => spanned(array.as_string::<i32>().value_offsets()),
        DataType::LargeUtf8 => spanned(array.as_string::<i64>().value_offsets()),
        DataType::Binary => spanned(array.as_binary::<i32>().value_offsets()),
        DataType::LargeBinary => spanned(array.as_binary::<i64>().value_offsets()),
        DataType::Utf8View => viewed::<StringViewType>(array.as_string_view()),
        DataType::BinaryView => viewed::<BinaryViewType>(array.as_binary_view()),
        DataType::FixedSizeBinary(width) => *width as usize * array.len(),
        DataType::List(_) => listed(array.as_list::<i32>().value_offsets(), array.as_list::<i32>().values()),
        DataType::LargeList(_) => listed(array.as_list::<i64>().value_offsets(), array.as_list::<i64>().values()),
        DataType::Map(..) => {
            let map = array.as_map();
            listed(map.value_offsets(), map.entries())
        }
        DataType::Struct(_) => array.as_struct().columns().iter().map(|column| bytes_in(column)).sum(),
        DataType::Dictionary(..) => downcast_dictionary_array!(
            array => looked_up(array),
            _ => 0
        ),
        _ => 0,
    }
}

/// From the first to the last offset of a slice.
fn spanned<O: OffsetSizeTrait>(offsets: &[O]) -> usize {
    offsets[offsets.len() - 1].as_usize() - offsets[0].as_usize()
}

/// The lower half of a view is the length of its value.
fn viewed<T: ByteViewType>(array: &GenericByteViewArray<T>) -> usize {
    array.views().iter().map(|view| *view as u32 as usize).sum()
}

/// The elements that the lists cover, each of at least eight bytes.
fn listed<O: OffsetSizeTrait>(offsets: &[O], values: &dyn Array) -> usize {
    let (first, count) = (offsets[0].as_usize(), spanned(offsets));
    8 * count + bytes_in(&values.slice(first, count))
}

fn looked_up<K: ArrowDictionaryKeyType>(array: &arrow_array::DictionaryArray<K>) -> usize {
    let values = array.values();
    let lengths: Vec<_> = (0..values.len()).map(|value| bytes_in(&values.slice(value, 1))).collect();
    array.keys_iter().flatten().map(|key| lengths[key]).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int32Type;
    use arrow_array::{ArrayRef, BinaryArray, DictionaryArray, ListArray, StringArray, StringViewArray, StructArray};
    use arrow_schema::Field;

    use super::*;
    use crate::record;

    #[record(crate = crate)]
    struct Inner {
        texts: Vec<String>,
        number: i64,
    }

    #[record(crate = crate)]
    struct Row {
        bytes: Vec<u8>,
        text: Option<String>,
        inner: Inner,
    }

    fn row(bytes: usize, text: usize, item: usize) -> Row {
        let inner = Inner { texts: vec!["x".repeat(item)], number: 7 };
        Row { bytes: vec![0; bytes], text: Some("x".repeat(text)), inner }
    }

    #[test]
    fn rows_are_taken_until_their_bytes_are_many_whatever_field_they_are_in() {
        let many = BATCH_BYTES / 2 + 1;
        for heavy in [|bytes| row(bytes, 0, 0), |bytes| row(0, bytes, 0), |bytes| row(0, 0, bytes)] {
            assert_eq!(fitting([heavy(many), heavy(1), heavy(many)].iter()).unwrap(), 2);
            assert_eq!(fitting([heavy(3 * many), heavy(0)].iter()).unwrap(), 1, "one alone may have more");
        }
        assert_eq!(fitting(vec![row(1, 2, 3); 10_000].iter()).unwrap(), 10_000);
        assert_eq!(fitting(std::iter::empty::<&Row>()).unwrap(), 0);
    }

    #[test]
    fn a_row_that_no_column_can_hold_is_an_error() {
        let error = fitting([row(1 << 31, 0, 0)].iter()).unwrap_err();
        assert!(error.to_string().contains("a row of 2147483656 bytes is too large"), "{error}");
    }

    #[test]
    fn columns_of_every_layout_are_counted_as_what_their_rows_hold() {
        let texts = ["", "four", "four", "sixsix"];
        let plain: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        let item = Arc::new(Field::new("item", DataType::Utf8, false));
        let offsets = arrow_buffer::OffsetBuffer::from_lengths([1, 0, 2, 1]);
        let columns: [(ArrayRef, [usize; 4]); 6] = [
            (plain.clone(), [0, 4, 8, 14]),
            (Arc::new(BinaryArray::from_iter_values(texts)), [0, 4, 8, 14]),
            (Arc::new(StringViewArray::from_iter_values(texts)), [0, 4, 8, 14]),
            (Arc::new(DictionaryArray::<Int32Type>::from_iter(texts)), [0, 4, 8, 14]),
            (Arc::new(StructArray::from(vec![(item.clone(), plain.clone())])), [0, 4, 8, 14]),
            (Arc::new(ListArray::new(item, offsets, plain, None)), [8, 8, 32, 46]),
        ];
        for (column, expected) in columns {
            let what = column.data_type().clone();
            let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
            for (last, bytes) in expected.into_iter().enumerate() {
                assert_eq!(bytes_of(&batch.slice(0, last + 1)), bytes, "{what}");
                assert_eq!(
                    bytes_of(&batch.slice(0, last + 1).slice(last, 1)),
                    bytes - if last == 0 { 0 } else { expected[last - 1] }
                );
            }
            let within: Vec<_> = [0, 7, 8, 31, 100].map(|limit| rows_within(&batch, limit)).into();
            let counted = |limit| expected.iter().filter(|bytes| **bytes <= limit).count().max(1);
            assert_eq!(within, [0, 7, 8, 31, 100].map(counted), "{what}");
        }
    }
}
