//! One JSON object a line, over arrow-json.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_json::{LineDelimitedWriter, ReaderBuilder};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use dualgauge_engine::{Basis, Result};
use serde_json::Value;

use crate::text::{BadRecord, Decode, Format, zones};

/// The shape of JSON lines; there is only one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl Format for Json {
    fn scheme(&self) -> &'static str {
        "json"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["jsonl", "ndjson", "json"]
    }

    fn quoted_after(&self) -> Option<u8> {
        None // JSON escapes a newline within text
    }

    fn header(&self) -> bool {
        false
    }

    fn basis(&self) -> Basis {
        Basis::new().with("format", "json")
    }

    fn is_blank(&self, line: &[u8]) -> bool {
        line.trim_ascii().is_empty()
    }

    fn decoder(&self, _: Option<&[u8]>, wanted: &SchemaRef) -> Result<Box<dyn Decode>> {
        Ok(Box::new(JsonDecode { wanted: wanted.clone() }))
    }

    fn check(&self, _: &Schema) -> Result<()> {
        Ok(())
    }

    fn encode_header(&self, _: &SchemaRef) -> Vec<u8> {
        Vec::new()
    }

    fn encode(&self, rows: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let mut writer = LineDelimitedWriter::new(Vec::new());
        writer.write(rows)?;
        writer.finish()?;
        Ok(writer.into_inner())
    }
}

struct JsonDecode {
    wanted: SchemaRef,
}

impl Decode for JsonDecode {
    fn decode(&self, text: &[u8], records: usize, columns: &[usize]) -> Result<RecordBatch, ArrowError> {
        let wanted = Arc::new(self.wanted.project(columns)?);
        let mut decoder = ReaderBuilder::new(read_as(&wanted))
            .with_coerce_primitive(true)
            .with_batch_size(records)
            .build_decoder()?;
        let read = decoder.decode(text)?;
        let rows = decoder.flush()?.filter(|rows| rows.num_rows() == records);
        let rows = rows.filter(|_| text[read..].trim_ascii().is_empty());
        zones::under(&rows.ok_or_else(|| ArrowError::JsonError("not one record a line".to_string()))?, wanted)
    }

    fn misshapen(&self, record: &[u8]) -> Option<BadRecord> {
        let bad = |found, mistake| {
            Some(BadRecord { column: None, found, expected: "one JSON object on the line".to_string(), mistake })
        };
        match serde_json::from_slice::<Value>(record.trim_ascii_end()) {
            Err(why) if why.is_eof() => {
                bad(format!("the end of the line ({why})"), "a torn line, or an object over several lines")
            }
            Err(why) => bad(format!("text that is not JSON ({why})"), "a damaged line, or a file of another format"),
            Ok(Value::Object(_)) => None,
            Ok(Value::Array(_)) => {
                bad("an array".to_string(), "the file is one JSON array instead of an object a line")
            }
            Ok(other) => bad(crate::text::shorten(&other.to_string()), "a file of another format"),
        }
    }

    fn found(&self, record: &[u8], column: usize) -> Option<String> {
        let object: Value = serde_json::from_slice(record).ok()?;
        match object.get(self.wanted.field(column).name())? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}

/// Whole numbers are read as text and then converted: arrow-json would cut the fraction off a `1.5`.
fn read_as(wanted: &Schema) -> SchemaRef {
    let wanted = zones::in_utc(wanted);
    let fields = wanted.fields().iter().map(|field| match field.data_type().is_integer() {
        true => Field::new(field.name(), DataType::Utf8, field.is_nullable()),
        false => field.as_ref().clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
