//! Times are instants in UTC, whatever a column's type calls that zone: Arrow's text knows it only as `+00:00`.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, Schema, SchemaRef};

/// A schema whose times say that they are in UTC, in the way that Arrow's text understands.
pub(crate) fn in_utc(schema: &Schema) -> SchemaRef {
    Arc::new(Schema::new(fields_in_utc(schema.fields())))
}

/// The same columns under another schema; a value that does not fit it is an error.
pub(crate) fn under(rows: &RecordBatch, schema: SchemaRef) -> Result<RecordBatch, ArrowError> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let columns = rows.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| match column.data_type() == field.data_type() {
        true => Ok(column.clone()),
        false => cast_with_options(column, field.data_type(), &strict),
    });
    let columns = columns.collect::<Result<_, _>>()?;
    RecordBatch::try_new(schema, columns)
}

fn fields_in_utc(fields: &Fields) -> Fields {
    fields.iter().map(field_in_utc).collect()
}

fn field_in_utc(field: &FieldRef) -> FieldRef {
    Arc::new(Field::new(field.name(), type_in_utc(field.data_type()), field.is_nullable()))
}

fn type_in_utc(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(unit, _) => DataType::Timestamp(*unit, Some("+00:00".into())),
        DataType::Struct(fields) => DataType::Struct(fields_in_utc(fields)),
        DataType::List(item) => DataType::List(field_in_utc(item)),
        DataType::LargeList(item) => DataType::LargeList(field_in_utc(item)),
        DataType::FixedSizeList(item, length) => DataType::FixedSizeList(field_in_utc(item), *length),
        other => other.clone(),
    }
}
