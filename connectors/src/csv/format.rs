//! The shape of CSV.

use std::rc::Rc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use dualgauge_engine::{Basis, Error, Result};

use super::decode::{CsvDecode, names_in};
use super::encode;
use crate::text::{Decode, Format, without_line_end};

/// The shape of CSV: its delimiter, and whether there is a header.
#[derive(Clone, Debug)]
pub struct Csv {
    pub(super) delimiter: u8,
    pub(super) header: bool,
}

impl Default for Csv {
    fn default() -> Csv {
        Csv { delimiter: b',', header: true }
    }
}

impl Format for Csv {
    fn scheme(&self) -> &'static str {
        "csv"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["csv"]
    }

    fn quoted_after(&self) -> Option<u8> {
        Some(self.delimiter)
    }

    fn header(&self) -> bool {
        self.header
    }

    fn basis(&self) -> Basis {
        let delimiter =
            if self.delimiter == b'\t' { "tab".to_string() } else { char::from(self.delimiter).to_string() };
        Basis::new().with("format", "csv").with("header", self.header).with("delimiter", delimiter)
    }

    fn is_blank(&self, line: &[u8]) -> bool {
        without_line_end(line).is_empty()
    }

    fn told_by(&self, first: &[u8]) -> Option<Csv> {
        // Spreadsheets write and read this before the header.
        match first {
            [b's', b'e', b'p', b'=', delimiter] => Some(Csv { delimiter: *delimiter, ..self.clone() }),
            _ => None,
        }
    }

    fn decoder(&self, header: Option<&[u8]>, wanted: &SchemaRef) -> Result<Rc<dyn Decode>> {
        self.check(wanted)?;
        let names = match header {
            Some(header) => names_in(header, self.delimiter)?,
            None => wanted.fields().iter().map(|field| field.name().clone()).collect(),
        };
        Ok(Rc::new(CsvDecode::new(self.delimiter, &names, wanted)?))
    }

    fn check(&self, schema: &Schema) -> Result<()> {
        let flat = |data_type: &DataType| {
            is_text(data_type) || is_number_or_time(data_type) || is_bytes(data_type) || *data_type == DataType::Boolean
        };
        match schema.fields().iter().find(|field| !flat(field.data_type())) {
            Some(field) => Err(Error::usage(format!(
                "column `{}` is a {}, which CSV cannot hold; JSON lines or Parquet can",
                field.name(),
                field.data_type()
            ))),
            None => Ok(()),
        }
    }

    fn encode_header(&self, schema: &SchemaRef) -> Vec<u8> {
        encode::header(schema, self.delimiter)
    }

    fn encode(&self, rows: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        encode::rows(rows, self.delimiter)
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Written as hexadecimal digits.
fn is_bytes(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary)
}

fn is_number_or_time(data_type: &DataType) -> bool {
    data_type.is_primitive() && !matches!(data_type, DataType::Interval(_))
}
