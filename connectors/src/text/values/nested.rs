//! Columns of structs and lists: the cells of their fields and elements, a level deeper.

use std::sync::Arc;

use arrow_array::{ArrayRef, GenericListArray, OffsetSizeTrait, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{Field, FieldRef, Fields};

use super::json::{elements, object};
use super::{Cell, Marks, Place, read};

/// Structs, of JSON objects.
pub(super) fn structs(
    fields: &Fields,
    field: &Field,
    place: &Place<'_>,
    cells: &[Cell<'_>],
    marks: &mut Marks,
) -> ArrayRef {
    let rows = cells.len();
    let mut inner = vec![Cell::Absent; rows * fields.len()];
    let mut valid = vec![true; rows];
    for (row, &cell) in cells.iter().enumerate() {
        let whole = match cell {
            Cell::Json(json) => object(json, fields, |at, value| inner[at * rows + row] = value),
            _ => false,
        };
        if whole {
            continue;
        }
        (0..fields.len()).for_each(|at| inner[at * rows + row] = Cell::Hidden);
        valid[row] = !missing(field, place, row, cell, marks, "an object with each field once, by its own name");
    }
    let columns = fields
        .iter()
        .enumerate()
        .map(|(at, field)| read(field, &Place::Field(place, field.name()), &inner[at * rows..(at + 1) * rows], marks));
    let columns = columns.collect();
    let nulls = field.is_nullable().then(|| NullBuffer::from(valid));
    Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, rows).expect("columns of its fields"))
}

/// Lists, of JSON arrays.
pub(super) fn lists<O: OffsetSizeTrait>(
    item: &FieldRef,
    field: &Field,
    place: &Place<'_>,
    cells: &[Cell<'_>],
    marks: &mut Marks,
) -> ArrayRef {
    let (mut inner, mut lists, mut lengths) = (Vec::new(), Vec::new(), Vec::with_capacity(cells.len()));
    let mut valid = vec![true; cells.len()];
    for (row, &cell) in cells.iter().enumerate() {
        let before = inner.len();
        let whole = match cell {
            Cell::Json(json) => elements(json, |value| inner.push(value)),
            _ => false,
        };
        if !whole {
            inner.truncate(before);
            valid[row] = !missing(field, place, row, cell, marks, "a list");
        }
        lengths.push(inner.len() - before);
        lists.resize(inner.len(), row);
    }
    let values = read(item, &Place::Element(place, &lists), &inner, marks);
    let nulls = field.is_nullable().then(|| NullBuffer::from(valid));
    let offsets = OffsetBuffer::<O>::from_lengths(lengths);
    Arc::new(GenericListArray::try_new(item.clone(), offsets, values, nulls).expect("elements of its lists"))
}

/// Whether there is no value and none is needed; marks a value that is missing or of the wrong kind.
fn missing(
    field: &Field,
    place: &Place<'_>,
    at: usize,
    cell: Cell<'_>,
    marks: &mut Marks,
    expected: &'static str,
) -> bool {
    match cell {
        Cell::Hidden => {}
        Cell::Absent | Cell::Null | Cell::Empty | Cell::Quoted("") if field.is_nullable() => return true,
        _ => marks.mark(place, at, cell, || (expected.to_string(), "the field has another type in this data")),
    }
    false
}
