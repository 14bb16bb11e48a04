//! Columns that stand in the path of a file: `day=2026-01-01/shop=7/part-0.parquet`, as Hive lays partitions out.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow_schema::{Schema, SchemaRef};
use arrow_select::take::take;
use dualgauge_engine::{Code, Error, EventTime, Next, Offset, PartitionReader, Result, Scan, SourceBatch, Waker};

use crate::text::values::{Cell, Marks, columns, explained};

/// What stands in a path where a row has no value.
const MISSING: &str = "__HIVE_DEFAULT_PARTITION__";

/// The wanted columns of one file that are in its path.
pub(crate) struct Hive {
    /// What is wanted, in the order of the record.
    wanted: SchemaRef,
    /// By the place of the column in `wanted`, its one value.
    values: Vec<Option<ArrayRef>>,
}

impl Hive {
    /// Those of the columns that the directories of a path name; the nearest one counts where several do.
    ///
    /// # Errors
    /// A value that its column cannot hold.
    pub(crate) fn of(path: &Path, wanted: &SchemaRef) -> Result<Hive> {
        let parts = path.parent().into_iter().flat_map(Path::components);
        let parts: Vec<_> = parts.filter_map(|part| part.as_os_str().to_str()?.split_once('=')).collect();
        let value = |field: &arrow_schema::FieldRef| {
            let Some((name, text)) = parts.iter().rev().find(|(name, _)| plain(name) == *field.name()) else {
                return Ok(None);
            };
            let text = plain(text);
            let text = Some(text).filter(|text| text != MISSING);
            let bad = |why: &str| {
                let (path, shown) = (path.display(), text.as_deref().unwrap_or(MISSING));
                Code::Schema.error(format!("file {path}: the directory `{name}={shown}`: {why}"))
            };
            if text.is_none() && !field.is_nullable() {
                return Err(bad("there is no value, and the record wants one; make its field an `Option`"));
            }
            // Read as a field of a text file is: with the column's own options, and for every type that a record has.
            let one: SchemaRef = Arc::new(Schema::new(vec![field.clone()]));
            let cell = text.as_deref().map_or(Cell::Null, Cell::Plain);
            if let Some(why) = explained(&one, &[cell]) {
                return Err(bad(&format!("that is not {}; expected {}", field.data_type(), why.expected)));
            }
            Ok(Some(columns(&one, &[cell], 1, Marks::new(1))?.rows.column(0).clone()))
        };
        Ok(Hive { wanted: wanted.clone(), values: wanted.fields().iter().map(value).collect::<Result<_>>()? })
    }

    /// The event time of all rows, where the path has it.
    pub(crate) fn event_time(&self, column: &str) -> Option<EventTime> {
        let at = self.wanted.fields().iter().position(|field| field.name() == column)?;
        let micros = self.values[at].as_ref()?.as_primitive_opt::<TimestampMicrosecondType>()?;
        micros.is_valid(0).then(|| EventTime::from_micros(micros.value(0)))
    }

    /// What is left to read from the file itself.
    pub(crate) fn rest(&self, scan: &Scan) -> Scan {
        let fields = scan.schema.fields().iter().zip(&self.values).filter(|(_, value)| value.is_none());
        let fields: Vec<_> = fields.map(|(field, _)| field.clone()).collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, scan.schema.metadata().clone()));
        let event_time = match schema.field_with_name(&scan.event_time) {
            Ok(_) => scan.event_time.clone(),
            Err(_) => String::new(),
        };
        Scan { schema, event_time, ..scan.clone() }
    }

    /// Adds the columns to the rows that a reader of the rest gives.
    pub(crate) fn reader(self, rest: Box<dyn PartitionReader>) -> Box<dyn PartitionReader> {
        match self.values.iter().all(Option::is_none) {
            true => rest,
            false => Box::new(HiveReader { rest, hive: self }),
        }
    }

    fn add(&self, batch: SourceBatch) -> Result<SourceBatch> {
        let (count, rows) = (batch.rows.num_rows(), batch.rows);
        let every_row = UInt64Array::from(vec![0; count]);
        let mut fields = Vec::with_capacity(self.values.len());
        let mut columns = Vec::with_capacity(self.values.len());
        for (field, value) in self.wanted.fields().iter().zip(&self.values) {
            let (field, column) = match value {
                Some(value) => (field.clone(), take(value, &every_row, None)),
                None => {
                    let (at, field) =
                        rows.schema_ref().fields().find(field.name()).expect("a reader gives what is wanted");
                    (field.clone(), Ok(rows.column(at).clone()))
                }
            };
            fields.push(field);
            columns.push(column.map_err(|error| Error::data("a column of the path").caused_by(error))?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let rows = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options);
        let rows = rows.map_err(|error| Error::data("the columns of a path and of its file").caused_by(error))?;
        Ok(SourceBatch { rows, ..batch })
    }
}

/// A name or a value as it was before it became a part of a path: `%3A` is a colon.
fn plain(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, behind @ ..] = rest {
        let escaped = behind.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match escaped.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A reader whose rows get the columns of their path.
struct HiveReader {
    rest: Box<dyn PartitionReader>,
    hive: Hive,
}

impl PartitionReader for HiveReader {
    fn next(&mut self) -> Result<Next> {
        self.rest.next()?.with_batch(|batch| self.hive.add(batch))
    }

    fn wake_by(&mut self, waker: &Waker) -> bool {
        self.rest.wake_by(waker)
    }

    fn committed(&mut self, offset: &Offset) -> Result<()> {
        self.rest.committed(offset)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Int64Type;
    use arrow_schema::{DataType, Field};

    use super::*;

    #[test]
    fn the_nearest_directory_of_a_name_gives_the_value_as_the_record_wants_it() {
        let wanted: SchemaRef = Arc::new(Schema::new(vec![
            Field::new("n", DataType::Int64, false),
            Field::new("_p", DataType::Utf8, true),
            Field::new("x", DataType::Utf8, false),
        ]));
        let of = |path: &str| Hive::of(Path::new(path), &wanted);
        let hive = of("d/n=1/_p=a%3Ab%zz/n=7/x").unwrap();
        assert_eq!(hive.values[0].as_ref().unwrap().as_primitive::<Int64Type>().value(0), 7);
        assert_eq!(hive.values[1].as_ref().unwrap().as_string::<i32>().value(0), "a:b%zz");
        assert!(hive.values[2].is_none(), "a file is no directory");
        assert!(of("n=1/_p=__HIVE_DEFAULT_PARTITION__/f").unwrap().values[1].as_ref().unwrap().is_null(0));
        for (path, words) in
            [("n=a/f", "`n=a`: that is not Int64"), ("n=__HIVE_DEFAULT_PARTITION__/f", "make its field an `Option`")]
        {
            let error = of(path).err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
