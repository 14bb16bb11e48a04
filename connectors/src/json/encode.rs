//! Rows become JSON lines: by arrow-json, but for the floats that JSON has no number for.

use std::sync::{Arc, LazyLock};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrowPrimitiveType, PrimitiveArray, RecordBatch};
use arrow_json::writer::{LineDelimited, NullableEncoder, make_encoder};
use arrow_json::{Encoder, EncoderFactory, EncoderOptions, WriterBuilder};
use arrow_schema::{ArrowError, DataType, FieldRef};

/// The rows, a line each.
pub(super) fn rows(rows: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut lines = Vec::new();
    let builder = WriterBuilder::new().with_encoder_factory(Arc::new(Floats));
    let mut writer = builder.build::<_, LineDelimited>(&mut lines);
    writer.write(rows)?;
    writer.finish()?;
    drop(writer);
    Ok(lines)
}

/// Writes floats: `"NaN"`, `"Infinity"` and `"-Infinity"` as text, which is read as the same float again. Arrow writes
/// `null` for them, which is no value at all.
#[derive(Debug)]
struct Floats;

impl EncoderFactory for Floats {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        Ok(match array.data_type() {
            DataType::Float32 => encoder(array.as_primitive::<Float32Type>(), field)?,
            DataType::Float64 => encoder(array.as_primitive::<Float64Type>(), field)?,
            _ => None,
        })
    }
}

/// An encoder where one is needed: a column of numbers alone is Arrow's.
fn encoder<'a, T: ArrowPrimitiveType<Native: Into<f64>>>(
    floats: &'a PrimitiveArray<T>,
    field: &'a FieldRef,
) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
    static PLAIN: LazyLock<EncoderOptions> = LazyLock::new(EncoderOptions::default);
    if floats.values().iter().all(|&float| Into::<f64>::into(float).is_finite()) {
        return Ok(None);
    }
    let numbers = make_encoder(field, floats, &PLAIN)?;
    Ok(Some(NullableEncoder::new(Box::new(SomeFloats { floats, numbers }), floats.nulls().cloned())))
}

/// Floats of which some are no numbers.
struct SomeFloats<'a, T: ArrowPrimitiveType> {
    floats: &'a PrimitiveArray<T>,
    numbers: NullableEncoder<'a>,
}

impl<T: ArrowPrimitiveType<Native: Into<f64>>> Encoder for SomeFloats<'_, T> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let float: f64 = self.floats.value(row).into();
        match float {
            _ if float.is_finite() => self.numbers.encode(row, out),
            _ if float.is_nan() => out.extend_from_slice(b"\"NaN\""),
            f64::INFINITY => out.extend_from_slice(b"\"Infinity\""),
            _ => out.extend_from_slice(b"\"-Infinity\""),
        }
    }
}
