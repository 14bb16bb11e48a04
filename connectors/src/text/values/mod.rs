//! Values as text has them become columns, by the types of the record and at every depth alike.
//!
//! Whatever format a value is in, and however deep, the same lines here decide what it is: a [`Cell`] has the text,
//! [`leaf`](leaf::leaf) reads it as its column's type, [`time`] reads what people write for instants. Nothing fails as
//! a whole: a value that does not fit marks its row as bad ([`Marks`]), and costs no more than a good one.
//!
//! What a record or a binding says about a column travels as metadata of its field:
//!
//! | key | what |
//! |---|---|
//! | `dualgauge.unit` | what a plain number counts where a time or a length of time is wanted: `s`, `ms`, `us` or `ns` |
//! | `dualgauge.format` | how a time is written, in the words of `strptime` |
//! | `dualgauge.zone` | the time zone of times that say none |
//! | `dualgauge.whole_floats` | `true` where whole numbers may be written as floats |
//! | `dualgauge.null` | what stands for a missing value, a spelling to a line |
//! | `dualgauge.default` | what a value is that is absent, as JSON; `null` is not absent |

mod cell;
mod json;
mod leaf;
mod marks;
mod nested;
mod time;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, SchemaRef};
use arrow_select::filter::filter;
use dualgauge_engine::columns::{DEFAULT, NULL};
use dualgauge_engine::{Error, Result};

use super::{BadRecord, Decoded};

pub(crate) use cell::Cell;
pub(crate) use json::{DEPTH_MAX, object, too_deep};
pub(crate) use marks::Marks;
use marks::Place;

/// The columns of these rows, whose cells stand column by column, without the rows that are marked already or turn out bad.
pub(crate) fn columns(wanted: &SchemaRef, cells: &[Cell<'_>], rows: usize, mut marks: Marks) -> Result<Decoded> {
    let fields = wanted.fields().iter().enumerate();
    let columns = fields
        .map(|(at, field)| read(field, &Place::Column(field.name()), &cells[at * rows..(at + 1) * rows], &mut marks));
    let columns: Vec<_> = columns.collect();
    let bad = marks.rows();
    let unfit = |cause| Error::data("text does not become columns of the record's types").caused_by(cause);
    let columns = if bad.is_empty() {
        columns
    } else {
        let good: BooleanArray = (0..rows).map(|row| Some(!marks.is_bad(row))).collect();
        columns.iter().map(|column| filter(column, &good)).collect::<Result<_, _>>().map_err(unfit)?
    };
    let options = RecordBatchOptions::new().with_row_count(Some(rows - bad.len()));
    let rows = RecordBatch::try_new_with_options(wanted.clone(), columns, &options).map_err(unfit)?;
    Ok(Decoded { rows, bad })
}

/// What is wrong with the cells of one record.
pub(crate) fn explained(wanted: &SchemaRef, cells: &[Cell<'_>]) -> Option<BadRecord> {
    let mut marks = Marks::explaining();
    for (field, cell) in wanted.fields().iter().zip(cells) {
        read(field, &Place::Column(field.name()), &[*cell], &mut marks);
    }
    let why = marks.why()?;
    let found = why.found.unwrap_or_else(|| "nothing".to_string());
    Some(BadRecord { column: Some(why.path), found, expected: why.expected, mistake: why.mistake })
}

/// Reads a column; rows whose values do not fit are marked, and hold something that is never read.
fn read(field: &Field, place: &Place<'_>, cells: &[Cell<'_>], marks: &mut Marks) -> ArrayRef {
    let default = field.metadata().get(DEFAULT);
    if let Some(default) = default.filter(|_| cells.iter().any(|cell| matches!(cell, Cell::Absent))) {
        let mut cells = cells.to_vec();
        for cell in cells.iter_mut().filter(|cell| matches!(cell, Cell::Absent)) {
            *cell = Cell::json(default);
        }
        return read_present(field, place, &cells, marks);
    }
    read_present(field, place, cells, marks)
}

fn read_present(field: &Field, place: &Place<'_>, cells: &[Cell<'_>], marks: &mut Marks) -> ArrayRef {
    if let Some(spellings) = field.metadata().get(NULL).filter(|_| !field.data_type().is_nested()) {
        let spellings: Vec<&str> = spellings.split('\n').collect();
        let missing = |cell: &Cell<'_>| cell.is_spelt(|text| spellings.contains(&text));
        let cells: Vec<_> = cells.iter().map(|cell| if missing(cell) { Cell::Null } else { *cell }).collect();
        return read_spelt(field, place, &cells, marks);
    }
    read_spelt(field, place, cells, marks)
}

fn read_spelt(field: &Field, place: &Place<'_>, cells: &[Cell<'_>], marks: &mut Marks) -> ArrayRef {
    match field.data_type() {
        DataType::Struct(fields) => nested::structs(fields, field, place, cells, marks),
        DataType::List(item) => nested::lists::<i32>(item, field, place, cells, marks),
        DataType::LargeList(item) => nested::lists::<i64>(item, field, place, cells, marks),
        _ => leaf::leaf(field, place, cells, marks),
    }
}

/// At most the first 80 characters, in quotes.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
