//! One CSV record, over arrow-csv.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, StringViewArray};
use arrow_csv::reader::Decoder;
use arrow_csv::{ReaderBuilder, WriterBuilder};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use dualgauge_engine::{Basis, Error, Result};

use crate::suggest::did_you_mean;
use crate::text::{BadRecord, Decode, Format, zones};

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
        matches!(line, b"\n" | b"\r\n")
    }

    fn decoder(&self, header: Option<&[u8]>, wanted: &SchemaRef) -> Result<Box<dyn Decode>> {
        self.check(wanted)?;
        let names = match header {
            Some(header) => self.names_in(header)?,
            None => wanted.fields().iter().map(|field| field.name().clone()).collect(),
        };
        let mut fields: Vec<_> = names.iter().map(|name| Arc::new(Field::new(name, DataType::Utf8, true))).collect();
        let mut columns = Vec::new();
        let read_as = zones::in_utc(wanted);
        for (at, field) in wanted.fields().iter().enumerate() {
            let mut places = names.iter().enumerate().filter(|(_, name)| *name == field.name());
            let (name, has) = (field.name(), || names.join(", "));
            match (places.next(), places.next()) {
                (Some((column, _)), None) => {
                    columns.push(column);
                    // An empty text is read as a missing one; `whole` puts it back.
                    let nullable = field.is_nullable() || is_text(field.data_type());
                    fields[column] = Arc::new(read_as.field(at).clone().with_nullable(nullable));
                }
                (None, _) => {
                    let hint = did_you_mean(name, names.iter().map(String::as_str));
                    let has = has();
                    return Err(Error::data(format!(
                        "E-SCHEMA: the header has no column `{name}`{hint}; it has: {has}; likely mistake: another delimiter, or \
                         a file without a header (`header=false`)"
                    )));
                }
                (Some(_), Some(_)) => {
                    return Err(Error::data(format!(
                        "E-SCHEMA: the header has column `{name}` twice; it has: {}",
                        has()
                    )));
                }
            }
        }
        let file = Arc::new(Schema::new(fields));
        Ok(Box::new(CsvDecode { delimiter: self.delimiter, file, columns, wanted: wanted.clone() }))
    }

    fn check(&self, schema: &Schema) -> Result<()> {
        let flat = |data_type: &DataType| {
            is_text(data_type) || is_number_or_time(data_type) || *data_type == DataType::Boolean
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
        let rows = RecordBatch::new_empty(zones::in_utc(schema));
        self.write(&rows, true).expect("a header of columns that were checked")
    }

    fn encode(&self, rows: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        self.write(rows, false)
    }
}

impl Csv {
    fn write(&self, rows: &RecordBatch, header: bool) -> Result<Vec<u8>, ArrowError> {
        let mut text = Vec::new();
        WriterBuilder::new().with_header(header).with_delimiter(self.delimiter).build(&mut text).write(rows)?;
        Ok(text)
    }

    fn names_in(&self, header: &[u8]) -> Result<Vec<String>> {
        let names = fields_of(header, self.delimiter);
        names.map_err(|cause| Error::data("the header cannot be read").caused_by(cause))
    }
}

struct CsvDecode {
    delimiter: u8,
    /// All columns of the file; those that nobody wants are text.
    file: SchemaRef,
    /// Where the wanted columns are in the file.
    columns: Vec<usize>,
    wanted: SchemaRef,
}

impl CsvDecode {
    fn ends_in_quotes(&self, record: &[u8]) -> bool {
        let texts = self.file.fields().iter().map(|field| Field::new(field.name(), DataType::Utf8, true));
        let schema = Arc::new(Schema::new(texts.collect::<Vec<_>>()));
        let mut decoder = ReaderBuilder::new(schema).with_delimiter(self.delimiter).build_decoder();
        decoder.decode(record).is_err() || decoder.flush().is_err()
    }
}

impl Decode for CsvDecode {
    fn decode(&self, text: &[u8], records: usize, columns: &[usize]) -> Result<RecordBatch, ArrowError> {
        let projection = columns.iter().map(|&column| self.columns[column]).collect();
        let builder = ReaderBuilder::new(self.file.clone()).with_projection(projection);
        let builder = builder.with_delimiter(self.delimiter).with_batch_size(records);
        let rows = decode_all(builder.build_decoder(), text, records)?;
        whole(rows, Arc::new(self.wanted.project(columns)?))
    }

    fn misshapen(&self, record: &[u8]) -> Option<BadRecord> {
        let bad = |found, mistake| {
            let expected = format!("one record of {} fields", self.file.fields().len());
            Some(BadRecord { column: None, found, expected, mistake })
        };
        match fields_of(record, self.delimiter) {
            Err(why) => bad(why.to_string(), "text that is not UTF-8"),
            Ok(fields) if fields.len() != self.file.fields().len() => {
                bad(format!("{} fields", fields.len()), "a torn line, or a field that should have been quoted")
            }
            Ok(_) if self.ends_in_quotes(record) => {
                bad("a quote that is not closed".to_string(), "a torn line, or a quote that should have been doubled")
            }
            Ok(_) => None,
        }
    }

    fn found(&self, record: &[u8], column: usize) -> Option<String> {
        let fields = fields_of(record, self.delimiter).ok()?;
        fields.into_iter().nth(self.columns[column]).filter(|text| !text.is_empty())
    }
}

fn decode_all(mut decoder: Decoder, text: &[u8], records: usize) -> Result<RecordBatch, ArrowError> {
    let read = decoder.decode(text)?;
    let rows = decoder.flush()?.filter(|rows| rows.num_rows() == records);
    // Carriage returns end records too, so there may be more of them than lines.
    let blank = text[read..].iter().all(|byte| matches!(byte, b'\r' | b'\n'));
    rows.filter(|_| blank).ok_or_else(|| ArrowError::CsvError("not one record a line".to_string()))
}

/// The fields of one record as text; arrow-csv reads them as the names of a header.
fn fields_of(record: &[u8], delimiter: u8) -> Result<Vec<String>, ArrowError> {
    let format = arrow_csv::reader::Format::default().with_delimiter(delimiter).with_header(true);
    let (schema, _) = format.infer_schema(record, Some(0))?;
    Ok(schema.fields().iter().map(|field| field.name().clone()).collect())
}

/// Puts empty text back where it was read as missing although it cannot be.
fn whole(rows: RecordBatch, wanted: SchemaRef) -> Result<RecordBatch, ArrowError> {
    let filled = rows.columns().iter().zip(wanted.fields()).map(|(column, field)| match field.data_type() {
        DataType::Utf8 if !field.is_nullable() && column.null_count() > 0 => {
            let texts = column.as_string::<i32>().iter().map(|text| Some(text.unwrap_or_default()));
            Arc::new(texts.collect::<StringArray>()) as ArrayRef
        }
        DataType::Utf8View if !field.is_nullable() && column.null_count() > 0 => {
            let texts = column.as_string_view().iter().map(|text| Some(text.unwrap_or_default()));
            Arc::new(texts.collect::<StringViewArray>()) as ArrayRef
        }
        _ => column.clone(),
    });
    let filled = RecordBatch::try_new(rows.schema(), filled.collect())?;
    zones::under(&filled, wanted)
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Utf8View)
}

fn is_number_or_time(data_type: &DataType) -> bool {
    data_type.is_primitive() && !matches!(data_type, DataType::Duration(_) | DataType::Interval(_))
}
