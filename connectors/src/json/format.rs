//! One JSON object a line: written by arrow-json, read by our own reader over serde_json.

use std::rc::Rc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use dualgauge_engine::{Basis, Result};
use serde::de::IgnoredAny;

use super::encode;
use crate::text::values::{Cell, DEPTH_MAX, Marks, columns, explained, object, shorten, too_deep};
use crate::text::{BadRecord, Decode, Decoded, Format, Record, content};

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

    fn told_by(&self, _: &[u8]) -> Option<Json> {
        None
    }

    fn decoder(&self, _: Option<&[u8]>, wanted: &SchemaRef) -> Result<Rc<dyn Decode>> {
        Ok(Rc::new(JsonDecode { wanted: wanted.clone() }))
    }

    fn check(&self, _: &Schema) -> Result<()> {
        Ok(())
    }

    fn encode_header(&self, _: &SchemaRef) -> Vec<u8> {
        Vec::new()
    }

    fn encode(&self, rows: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        encode::rows(rows)
    }
}

struct JsonDecode {
    wanted: SchemaRef,
}

impl Decode for JsonDecode {
    fn decode(&self, text: &[u8], records: &[Record]) -> Result<Decoded> {
        let mut marks = Marks::new(records.len());
        let rows = records.len();
        let fields = self.wanted.fields();
        let mut cells = vec![Cell::Absent; rows * fields.len()];
        for (row, record) in records.iter().enumerate() {
            let text = content(&text[record.bytes.clone()]);
            let text = std::str::from_utf8(text).ok().filter(|_| !too_deep(text));
            if !text.is_some_and(|text| object(text, fields, |column, cell| cells[column * rows + row] = cell)) {
                marks.mark_row(row);
                (0..fields.len()).for_each(|column| cells[column * rows + row] = Cell::Hidden);
            }
        }
        columns(&self.wanted, &cells, rows, marks)
    }

    fn is_choosy(&self) -> bool {
        false // no record has several lines
    }

    fn explain(&self, record: &[u8]) -> BadRecord {
        let bad = |found, mistake| {
            let expected = "one JSON object on the line".to_string();
            BadRecord { column: None, found, expected, mistake }
        };
        let record = content(record).trim_ascii();
        if too_deep(record) {
            let found = format!("objects and lists more than {DEPTH_MAX} deep in each other");
            return bad(found, "a damaged line, or one that is meant to harm");
        }
        let Ok(text) = std::str::from_utf8(record) else {
            return bad("bytes that are not UTF-8".to_string(), "text of another encoding, or a damaged line");
        };
        match serde_json::from_str::<IgnoredAny>(text) {
            Err(why) if why.is_eof() && record.first() == Some(&b'[') => {
                let found = format!("an array that does not end on the line ({why})");
                return bad(found, "the file is one JSON array instead of an object a line");
            }
            Err(why) if why.is_eof() => {
                return bad(format!("the end of the line ({why})"), "a torn line, or an object over several lines");
            }
            Err(why) => {
                return bad(format!("text that is not JSON ({why})"), "a damaged line, or a file of another format");
            }
            Ok(_) => {}
        }
        let mut cells = vec![Cell::Absent; self.wanted.fields().len()];
        let whole = object(text, self.wanted.fields(), |column, cell| cells[column] = cell);
        match record.first() {
            Some(b'{') if whole => {
                explained(&self.wanted, &cells).unwrap_or_else(|| bad(shorten(text), "a damaged line"))
            }
            Some(b'{') => bad(
                "an object with a field twice, or with one under a name that differs by case".to_string(),
                "a program that writes a field twice, or calls it otherwise",
            ),
            Some(b'[') => bad("an array".to_string(), "the file is one JSON array instead of an object a line"),
            _ => bad(shorten(text), "a file of another format"),
        }
    }
}
