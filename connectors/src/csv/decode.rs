//! Records of CSV become columns: their fields are found once, and read by the types of the record.

use arrow_schema::{DataType, SchemaRef};
use dualgauge_engine::columns::DEFAULT;
use dualgauge_engine::names::is_same_but_for_case;
use dualgauge_engine::{Code, Error, Result};

use crate::suggest::did_you_mean;
use crate::text::values::{Cell, Marks, columns, explained};
use crate::text::{BadRecord, Decode, Decoded, Record, content, fields};

/// Reads the records of one file.
pub(super) struct CsvDecode {
    delimiter: u8,
    /// How many fields a record has.
    width: usize,
    /// For each field of a record up to the last that is wanted, which column it is.
    columns: Vec<Option<usize>>,
    wanted: SchemaRef,
}

impl CsvDecode {
    /// A decoder for records whose fields have these names.
    pub(super) fn new(delimiter: u8, names: &[String], wanted: &SchemaRef) -> Result<CsvDecode> {
        let mut columns = vec![None; names.len()];
        for (column, field) in wanted.fields().iter().enumerate() {
            let mut places = names.iter().enumerate().filter(|(_, name)| *name == field.name());
            let (name, has) = (field.name(), || names.join(", "));
            match (places.next(), places.next()) {
                (Some((place, _)), None) => columns[place] = Some(column),
                // A name in other case is a misspelling, not a missing column.
                (None, _)
                    if field.metadata().contains_key(DEFAULT)
                        && !names.iter().any(|other| is_same_but_for_case(name, other)) => {}
                (None, _) => {
                    let hint = did_you_mean(name, names.iter().map(String::as_str));
                    let has = has();
                    return Err(Code::Schema.error(format!(
                        "the header has no column `{name}`{hint}; it has: {has}; likely mistake: another delimiter, or \
                         a file without a header (`header=false`)"
                    )));
                }
                (Some(_), Some(_)) => {
                    return Err(Code::Schema.error(format!("the header has column `{name}` twice; it has: {}", has())));
                }
            }
        }
        Ok(CsvDecode { delimiter, width: names.len(), columns, wanted: wanted.clone() })
    }

    /// Puts the wanted fields of a record where `put` wants them. Says how many fields there are.
    fn cells<'a>(&self, record: &'a str, mut put: impl FnMut(usize, Cell<'a>)) -> usize {
        let mut count = 0;
        fields(record.as_bytes(), self.delimiter, |field| {
            if let Some(column) = self.columns.get(count).copied().flatten() {
                let text = record.get(field.start..field.end).unwrap_or("\u{fffd}");
                put(
                    column,
                    match text {
                        // As the only field of a record, quotes say that there is a record, and no more.
                        "" if !field.quoted || self.width == 1 => Cell::Empty,
                        text if field.doubled => Cell::Doubled(text),
                        text if field.quoted => Cell::Quoted(text),
                        text => Cell::Plain(text),
                    },
                );
            }
            count += 1;
        });
        count
    }
}

impl Decode for CsvDecode {
    fn decode(&self, text: &[u8], records: &[Record]) -> Result<Decoded> {
        let mut marks = Marks::new(records.len());
        let rows = records.len();
        let mut cells = vec![Cell::Absent; rows * self.wanted.fields().len()];
        for (row, record) in records.iter().enumerate() {
            let text = std::str::from_utf8(content(&text[record.bytes.clone()]));
            let width = match text {
                Ok(text) if record.sound => self.cells(text, |column, cell| cells[column * rows + row] = cell),
                _ => usize::MAX,
            };
            if width != self.width {
                marks.mark_row(row);
                (0..self.wanted.fields().len()).for_each(|column| cells[column * rows + row] = Cell::Hidden);
            }
        }
        columns(&self.wanted, &cells, rows, marks)
    }

    fn is_choosy(&self) -> bool {
        let is_text = |data_type: &DataType| matches!(data_type, DataType::Utf8 | DataType::Utf8View);
        self.width > 1 && self.wanted.fields().iter().any(|field| !is_text(field.data_type()))
    }

    fn explain(&self, record: &[u8]) -> BadRecord {
        let misshapen = |found: String, mistake| {
            let expected = format!("one record of {} fields", self.width);
            BadRecord { column: None, found, expected, mistake }
        };
        let Ok(text) = std::str::from_utf8(content(record)) else {
            return misshapen("bytes that are not UTF-8".to_string(), "text of another encoding, or a damaged line");
        };
        let mut cells = vec![Cell::Absent; self.wanted.fields().len()];
        let width = self.cells(text, |column, cell| cells[column] = cell);
        if width != self.width {
            return misshapen(format!("{width} fields"), "a torn line, or a field that should have been quoted");
        }
        explained(&self.wanted, &cells).unwrap_or_else(|| misshapen(text.to_string(), "the line is damaged"))
    }
}

/// The names in a header.
pub(super) fn names_in(header: &[u8], delimiter: u8) -> Result<Vec<String>> {
    let header = std::str::from_utf8(content(header))
        .map_err(|_| Error::data("the header is not UTF-8; likely mistake: text of another encoding"))?;
    let mut names = Vec::new();
    fields(header.as_bytes(), delimiter, |field| {
        let name = header.get(field.start..field.end).unwrap_or_default();
        names.push(if field.doubled { name.replace("\"\"", "\"") } else { name.to_string() });
    });
    Ok(names)
}
