//! How values are written in the data, where a binding or a program says more about it than the record does.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, GenericListArray, OffsetSizeTrait, RecordBatch, RecordBatchOptions, StructArray};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use dualgauge_engine::columns::{FORMAT, Instants, NULL, Said, UNIT, WHOLE_FLOATS, ZONE, unit_named};
use dualgauge_engine::{Basis, Error, Next, Offset, PartitionReader, Result, SourceBatch, Waker};

use crate::suggest::did_you_mean;

/// How values are written: in one column, or in all to which it can apply.
///
/// A column within a record is named by its path, `inner.at`; what is set for a list counts for its elements. What is
/// set here takes precedence over what the record says.
///
/// ```
/// use dualgauge_connectors::{Written, csv};
///
/// let written = Written::default().format_of("day", "%d.%m.%Y").zone("Europe/Berlin").null("NA").whole_floats(true);
/// let sales = csv::read("sales.csv").written(written);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    said: BTreeMap<Key, String>,
}

/// What is set, and for which column; for all of them if none is named.
type Key = (&'static str, Option<String>);

impl Written {
    /// What plain numbers count where a time or a length of time is wanted: `s`, `ms`, `us` or `ns`.
    pub fn unit(self, unit: &str) -> Written {
        self.with(UNIT, None, unit)
    }

    /// The same for one column.
    pub fn unit_of(self, column: &str, unit: &str) -> Written {
        self.with(UNIT, Some(column), unit)
    }

    /// How times are written as text, in the words of `strptime`: `%d.%m.%Y %H:%M:%S`. A time of RFC 3339 with its
    /// offset is read as well.
    #[doc(alias = "strptime")]
    pub fn format(self, format: &str) -> Written {
        self.with(FORMAT, None, format)
    }

    /// The same for one column.
    pub fn format_of(self, column: &str, format: &str) -> Written {
        self.with(FORMAT, Some(column), format)
    }

    /// The time zone of times that say none: a name such as `Europe/Berlin`, or an offset such as `+01:00`. Without it
    /// they are in UTC. A time that a clock shows twice means the earlier one; a time that it never shows is a bad
    /// value.
    pub fn zone(self, zone: &str) -> Written {
        self.with(ZONE, None, zone)
    }

    /// The same for one column.
    pub fn zone_of(self, column: &str, zone: &str) -> Written {
        self.with(ZONE, Some(column), zone)
    }

    /// Adds a spelling that stands for a missing value in text. In CSV a quoted field is never one.
    pub fn null(mut self, spelling: &str) -> Written {
        let spellings = self.said.entry((NULL, None)).or_default();
        *spellings = if spellings.is_empty() { spelling.to_owned() } else { format!("{spellings}\n{spelling}") };
        self
    }

    /// Whether a whole number may be written as a float: `1.0`, `1e3`. One that is not whole is still a bad value.
    pub fn whole_floats(mut self, whole_floats: bool) -> Written {
        self.said.remove(&(WHOLE_FLOATS, None));
        if whole_floats { self.with(WHOLE_FLOATS, None, "true") } else { self }
    }

    fn with(mut self, key: &'static str, column: Option<&str>, value: &str) -> Written {
        self.said.insert((key, column.map(str::to_owned)), value.to_owned());
        self
    }

    /// Refuses what means nothing, whatever the columns are.
    pub(crate) fn check(&self) -> Result<()> {
        for ((key, _), value) in &self.said {
            match *key {
                UNIT if unit_named(value).is_none() => {
                    return Err(Error::usage(format!("`{value}` is not a unit of time; write s, ms, us or ns")));
                }
                FORMAT => Instants::of(Said { format: Some(value), ..Said::NOTHING }).map(drop)?,
                ZONE => Instants::of(Said { zone: Some(value), ..Said::NOTHING }).map(drop)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds to a basis what the values that were read depend on.
    pub(crate) fn basis(&self, basis: Basis) -> Basis {
        self.said.iter().fold(basis, |basis, ((key, column), value)| {
            let key = key.trim_start_matches("dualgauge.");
            // For all columns, and distinct from any other option: a source has a format too.
            let option = format!("{key}.{}", column.as_deref().unwrap_or("*"));
            basis.with(&option, value.replace('\n', ","))
        })
    }

    /// The columns with what is set for them.
    ///
    /// # Errors
    /// A column that does not exist, or to which the setting does not apply.
    pub(crate) fn on(&self, schema: &SchemaRef) -> Result<SchemaRef> {
        if self.said.is_empty() {
            return Ok(Arc::clone(schema));
        }
        self.check()?;
        let mut paths = Vec::new();
        let fields: Fields = schema.fields().iter().map(|field| self.on_field(field, "", &mut paths)).collect();
        for (key, column) in self.said.keys() {
            let Some(column) = column else { continue };
            let option = key.trim_start_matches("dualgauge.");
            match paths.iter().find(|(path, _)| path == column) {
                Some((_, of)) if can_be_said(key, of) => {}
                Some((_, of)) => {
                    return Err(Error::usage(format!(
                        "`{option}.{column}`: nothing such can be said of a column of {of}"
                    )));
                }
                None => {
                    let hint = did_you_mean(column, paths.iter().map(|(path, _)| path.as_str()));
                    let has = paths.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>().join(", ");
                    return Err(Error::usage(format!(
                        "`{option}.{column}`: there is no such column{hint}; there are {has}"
                    )));
                }
            }
        }
        Ok(Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())))
    }

    /// The field with what is set for it and for what is in it; notes the paths and types of what has no fields.
    fn on_field(&self, field: &FieldRef, above: &str, paths: &mut Vec<(String, DataType)>) -> FieldRef {
        let path = if above.is_empty() { field.name().clone() } else { format!("{above}.{}", field.name()) };
        self.at(field, &path, paths)
    }

    fn at(&self, field: &FieldRef, path: &str, paths: &mut Vec<(String, DataType)>) -> FieldRef {
        let of = match field.data_type() {
            DataType::Struct(fields) => {
                DataType::Struct(fields.iter().map(|field| self.on_field(field, path, paths)).collect())
            }
            DataType::List(item) => DataType::List(self.at(item, path, paths)),
            DataType::LargeList(item) => DataType::LargeList(self.at(item, path, paths)),
            other => {
                paths.push((path.to_owned(), other.clone()));
                other.clone()
            }
        };
        let mut said = field.metadata().clone();
        let plain = plain(&of).clone();
        for key in [UNIT, FORMAT, ZONE, WHOLE_FLOATS, NULL].into_iter().filter(|key| can_be_said(key, &plain)) {
            let value = self.said.get(&(key, Some(path.to_owned()))).or_else(|| self.said.get(&(key, None)));
            said.extend(value.map(|value| (key.to_owned(), value.clone())));
        }
        // What is set for one column takes precedence over what is set for all: its numbers have a unit, or its texts a
        // format.
        if self.said.contains_key(&(UNIT, Some(path.to_owned())))
            && !self.said.contains_key(&(FORMAT, Some(path.to_owned())))
        {
            said.remove(FORMAT);
        }
        Arc::new(Field::clone(field).with_data_type(of).with_metadata(said))
    }

    /// A reader that adds what is set here to its batches' columns, for the record to read them by.
    pub(crate) fn said_by(&self, reader: Box<dyn PartitionReader>, wanted: &SchemaRef) -> Box<dyn PartitionReader> {
        if self.said.is_empty() {
            return reader;
        }
        Box::new(Saying { reader, wanted: Arc::clone(wanted) })
    }
}

/// What is in lists, however deep.
fn plain(of: &DataType) -> &DataType {
    match of {
        DataType::List(item) | DataType::LargeList(item) => plain(item.data_type()),
        other => other,
    }
}

fn can_be_said(key: &str, of: &DataType) -> bool {
    match key {
        UNIT => matches!(of, DataType::Timestamp(..) | DataType::Duration(_)),
        FORMAT | ZONE => matches!(of, DataType::Timestamp(..)),
        WHOLE_FLOATS => of.is_integer(),
        _ => !of.is_nested(),
    }
}

/// Gives the batches of another reader, with what is set for their columns.
struct Saying {
    reader: Box<dyn PartitionReader>,
    wanted: SchemaRef,
}

impl PartitionReader for Saying {
    fn next(&mut self) -> Result<Next> {
        self.reader.next()?.with_batch(|batch| Ok(SourceBatch { rows: said_of(&batch.rows, &self.wanted), ..batch }))
    }

    fn wake_by(&mut self, waker: &Waker) -> bool {
        self.reader.wake_by(waker)
    }

    fn committed(&mut self, offset: &Offset) -> Result<()> {
        self.reader.committed(offset)
    }
}

/// The same rows, with what the wanted columns of the same names say.
pub(crate) fn said_of(rows: &RecordBatch, wanted: &Schema) -> RecordBatch {
    let (fields, columns) = said_of_columns(rows.schema_ref().fields(), rows.columns(), wanted.fields());
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    let said = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options);
    said.expect("the same columns under the same types")
}

fn said_of_columns(fields: &Fields, columns: &[ArrayRef], wanted: &Fields) -> (Fields, Vec<ArrayRef>) {
    let said = fields.iter().zip(columns).map(|(field, column)| {
        match wanted.iter().find(|wanted| wanted.name() == field.name()) {
            Some(wanted) => said_of_column(field, column, wanted),
            None => (field.clone(), column.clone()),
        }
    });
    let (fields, columns): (Vec<_>, Vec<_>) = said.unzip();
    (fields.into(), columns)
}

fn said_of_column(field: &FieldRef, column: &ArrayRef, wanted: &Field) -> (FieldRef, ArrayRef) {
    let column: ArrayRef = match (field.data_type(), wanted.data_type()) {
        (DataType::Struct(fields), DataType::Struct(wanted)) => {
            let rows = column.as_struct();
            let (fields, columns) = said_of_columns(fields, rows.columns(), wanted);
            let said = StructArray::try_new_with_length(fields, columns, rows.nulls().cloned(), rows.len());
            Arc::new(said.expect("the same fields under the same types"))
        }
        (DataType::List(item), DataType::List(wanted)) => said_of_list::<i32>(item, column, wanted),
        (DataType::LargeList(item), DataType::List(wanted)) => said_of_list::<i64>(item, column, wanted),
        _ => column.clone(),
    };
    let field = Field::clone(field).with_data_type(column.data_type().clone()).with_metadata(wanted.metadata().clone());
    (Arc::new(field), column)
}

fn said_of_list<O: OffsetSizeTrait>(item: &FieldRef, column: &ArrayRef, wanted: &Field) -> ArrayRef {
    let lists = column.as_list::<O>();
    let (item, values) = said_of_column(item, lists.values(), wanted);
    let said = GenericListArray::try_new(item, lists.offsets().clone(), values, lists.nulls().cloned());
    Arc::new(said.expect("the same elements under the same type"))
}
