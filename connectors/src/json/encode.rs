//! Rows become JSON lines: by arrow-json, but for the floats that JSON has no number for, and for what is missing where a
//! missing field would be read as its default.

use std::sync::{Arc, LazyLock};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, RecordBatch, StructArray};
use arrow_json::writer::{LineDelimited, NullableEncoder, make_encoder};
use arrow_json::{Encoder, EncoderFactory, EncoderOptions, WriterBuilder};
use arrow_schema::{ArrowError, DataType, FieldRef, Fields};
use dualgauge_engine::columns::DEFAULT;

/// The rows, a line each.
pub(super) fn rows(rows: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut lines = Vec::new();
    let builder = WriterBuilder::new().with_encoder_factory(Arc::new(AsRead));
    let mut writer = builder.build::<_, LineDelimited>(&mut lines);
    writer.write(rows)?;
    writer.finish()?;
    drop(writer);
    Ok(lines)
}

/// Writes values so that they are read back as the same.
///
/// - Floats: `"NaN"`, `"Infinity"` and `"-Infinity"` as text. Arrow writes `null` for them, which is no value at all.
/// - What is missing is left out, but for a field that has a default, which would be read in its place: that is `null`.
#[derive(Debug)]
struct AsRead;

impl EncoderFactory for AsRead {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        Ok(match array.data_type() {
            DataType::Struct(fields) => object(fields, array.as_struct(), options)?,
            DataType::Float32 => encoder(array.as_primitive::<Float32Type>(), field)?,
            DataType::Float64 => encoder(array.as_primitive::<Float64Type>(), field)?,
            _ => None,
        })
    }
}

/// An encoder if one is needed: objects in which no field with a default is missing are left to Arrow.
fn object<'a>(
    fields: &'a Fields,
    rows: &'a StructArray,
    options: &'a EncoderOptions,
) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
    let said = |field: &FieldRef| field.is_nullable() && field.metadata().contains_key(DEFAULT);
    if !fields.iter().zip(rows.columns()).any(|(field, column)| said(field) && column.null_count() > 0) {
        return Ok(None);
    }
    let member = |(field, column): (&'a FieldRef, &'a ArrayRef)| {
        let name = serde_json::to_vec(field.name()).expect("text is JSON");
        Ok(Member { name, said: said(field), values: make_encoder(field, column, options)? })
    };
    let members = fields.iter().zip(rows.columns()).map(member).collect::<Result<_, ArrowError>>()?;
    Ok(Some(NullableEncoder::new(Box::new(Object(members)), rows.nulls().cloned())))
}

/// Objects in which some missing fields are written as `null`.
struct Object<'a>(Vec<Member<'a>>);

struct Member<'a> {
    /// As JSON.
    name: Vec<u8>,
    /// Whether it is written as `null` when it is missing.
    said: bool,
    values: NullableEncoder<'a>,
}

impl Encoder for Object<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let mut before = b'{';
        for Member { name, said, values } in &mut self.0 {
            let missing = values.is_null(row);
            if missing && !*said {
                continue;
            }
            out.push(std::mem::replace(&mut before, b','));
            out.extend_from_slice(name);
            out.push(b':');
            if missing { out.extend_from_slice(b"null") } else { values.encode(row, out) }
        }
        if before == b'{' {
            out.push(b'{');
        }
        out.push(b'}');
    }
}

/// An encoder if one is needed: a column of nothing but numbers is left to Arrow.
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

/// Floats of which some are not numbers.
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
