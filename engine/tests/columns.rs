//! Columns of a record by their names, within structs and lists as at the top.
//!
//! Would catch: one that is chosen of two of the same name, and a default in the place of a misspelt one.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, ListArray, RecordBatch, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Schema};
use dualgauge_engine::{Record, record};

#[record]
struct Leaf {
    id: i64,
    #[column(default = 7)]
    count: i64,
}

#[record]
struct Within {
    leaf: Leaf,
}

#[record]
struct Listed {
    leaf: Vec<Leaf>,
}

/// A row with columns of these names, numbered from 0.
fn named(names: &[&str]) -> (Vec<Field>, Vec<ArrayRef>) {
    let fields = names.iter().map(|name| Field::new(*name, DataType::Int64, false)).collect();
    (fields, (0..names.len() as i64).map(|n| Arc::new(Int64Array::from(vec![n])) as ArrayRef).collect())
}

fn decode<D: Record>(fields: Vec<Field>, columns: Vec<ArrayRef>) -> Result<D, String> {
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let mut rows = Vec::new();
    D::decode(&batch, &mut rows).map_err(|error| error.to_string())?;
    Ok(rows.remove(0).data)
}

#[test]
fn names_follow_one_rule_at_every_depth() {
    for (names, expected) in [
        (&["id", "count"][..], Ok((0, 1))),
        (&["id"], Ok((0, 7))),
        (&["id", "ID", "x", "x"], Ok((0, 7))),
        (&["id", "id"], Err("id`: found two columns of this name; there are id, id")),
        (&["id", "count", "count"], Err("count`: found two columns of this name")),
        (&["id", "Count"], Err("did you mean `Count`")),
        (&["Id", "count"], Err("did you mean `Id`")),
    ] {
        let top = || named(names);
        let within = || {
            let (fields, columns) = named(names);
            StructArray::new(fields.into(), columns, None)
        };
        let wrapped = |column: ArrayRef| (vec![Field::new("leaf", column.data_type().clone(), false)], vec![column]);
        let (fields, columns) = top();
        let plain = decode::<Leaf>(fields, columns);
        let (fields, columns) = wrapped(Arc::new(within()));
        let in_struct = decode::<Within>(fields, columns).map(|row| row.leaf);
        let item = Arc::new(Field::new("item", within().data_type().clone(), false));
        let list = ListArray::new(item, OffsetBuffer::from_lengths([1]), Arc::new(within()), None);
        let (fields, columns) = wrapped(Arc::new(list));
        let in_list = decode::<Listed>(fields, columns).map(|mut row| row.leaf.remove(0));
        for (depth, read) in [("top", plain), ("struct", in_struct), ("list", in_list)] {
            match (&read, expected) {
                (Ok(leaf), Ok(expected)) => assert_eq!((leaf.id, leaf.count), expected, "{depth}: {names:?}"),
                (Err(error), Err(said)) => assert!(error.contains(said), "{depth}: {names:?}: {error}"),
                _ => panic!("{depth}: {names:?}: {read:?} instead of {expected:?}"),
            }
        }
    }
}
