//! Bytes: read from columns of any binary layout.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BinaryArray, BinaryViewArray, FixedSizeBinaryArray, LargeBinaryArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;

use super::unpack::{unpack, wrong_type};
use super::{Column, ColumnBuilder, DecodeError, Element, Field, Live, Present, Said};

impl Field for Vec<u8> {
    type Column = Bytes;
    type Builder = BytesBuilder;

    fn data_type() -> DataType {
        DataType::Binary
    }
    #[inline]
    fn weight(&self) -> usize {
        self.len()
    }
    fn open(array: &ArrayRef, live: &Live, _: Said<'_>) -> Result<Bytes, DecodeError> {
        let array = unpack::<Vec<u8>>(array);
        live.refuse_nulls(&array)?;
        match array.data_type() {
            DataType::Binary => Ok(Bytes::Binary(array.as_binary().clone())),
            DataType::LargeBinary => Ok(Bytes::LargeBinary(array.as_binary().clone())),
            DataType::BinaryView => Ok(Bytes::BinaryView(array.as_binary_view().clone())),
            DataType::FixedSizeBinary(_) => Ok(Bytes::FixedSize(array.as_fixed_size_binary().clone())),
            _ => Err(wrong_type(&array, "a column of type Binary, LargeBinary, BinaryView or FixedSizeBinary")),
        }
    }
}

impl Element for Vec<u8> {}
impl Present for Vec<u8> {}

/// Runs of bytes, as Arrow has them.
#[derive(Debug)]
pub enum Bytes {
    /// With offsets of 32 bits.
    Binary(BinaryArray),
    /// With offsets of 64 bits.
    LargeBinary(LargeBinaryArray),
    /// With views.
    BinaryView(BinaryViewArray),
    /// All of one length.
    FixedSize(FixedSizeBinaryArray),
}

impl Column for Bytes {
    type Value = Vec<u8>;

    #[inline]
    fn get(&self, row: usize) -> Vec<u8> {
        let bytes = match self {
            Bytes::Binary(array) => array.value(row),
            Bytes::LargeBinary(array) => array.value(row),
            Bytes::BinaryView(array) => array.value(row),
            Bytes::FixedSize(array) => array.value(row),
        };
        bytes.to_owned()
    }
}

/// Runs of bytes in the making.
#[derive(Debug)]
pub struct BytesBuilder {
    ends: Vec<i32>,
    bytes: Vec<u8>,
}

impl BytesBuilder {
    /// Appends one run.
    ///
    /// # Panics
    /// When the column grows beyond 2 GiB, which its offsets of 32 bits cannot say.
    #[inline]
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len().try_into().expect("less than 2 GiB of text or bytes in one column of a batch"));
    }

    /// Where the runs lie, and their bytes.
    pub fn into_parts(self) -> (OffsetBuffer<i32>, Buffer) {
        (OffsetBuffer::new(ScalarBuffer::from(self.ends)), Buffer::from_vec(self.bytes))
    }
}

impl ColumnBuilder for BytesBuilder {
    type Value = Vec<u8>;

    fn with_capacity(rows: usize) -> BytesBuilder {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        BytesBuilder { ends, bytes: Vec::new() }
    }
    #[inline]
    fn push(&mut self, value: &Vec<u8>) {
        self.push_bytes(value);
    }
    fn push_placeholder(&mut self) {
        self.push_bytes(&[]);
    }
    fn finish(self, nulls: Option<NullBuffer>) -> ArrayRef {
        let (offsets, bytes) = self.into_parts();
        Arc::new(BinaryArray::new(offsets, bytes, nulls))
    }
}
