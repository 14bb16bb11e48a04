//! A table: bounded rows without a time, read to the end before the first event.
//!
//! The rows are sorted, so a table is the same however its files are cut and named, in every process and after a
//! restart. A job with checkpoints stores a digest of what it read, and resumes only with the same rows.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::SchemaRef;

use super::bound::BoundTable;
use super::context::{Flow, Mode};
use super::graph::NodeSpec;
use crate::{Digest, Error, Next, PartitionReader, Record, Result};

/// How long a table with nothing to read waits before it asks again.
const POLL: Duration = Duration::from_millis(1);

/// Rows that have no time: what [`Flow::table`] reads, or any list that a program has.
///
/// ```
/// use dualgauge_engine::flow::Table;
///
/// let names = Table::from([(1, "books"), (2, "music")]);
/// assert_eq!(names.rows()[1].1, "music");
/// assert_eq!(names.to_string(), "2 rows");
/// ```
#[derive(Debug)]
pub struct Table<R> {
    /// The name by which it is bound; none for rows of the program's own.
    name: Option<String>,
    rows: Arc<[R]>,
}

impl<R> Table<R> {
    /// The rows; sorted if the table is bound, and none while the graph is only looked at.
    pub fn rows(&self) -> &Arc<[R]> {
        &self.rows
    }
}

impl<R> Clone for Table<R> {
    fn clone(&self) -> Table<R> {
        Table { name: self.name.clone(), rows: Arc::clone(&self.rows) }
    }
}

impl<R> From<Arc<[R]>> for Table<R> {
    fn from(rows: Arc<[R]>) -> Table<R> {
        Table { name: None, rows }
    }
}

impl<R> From<Vec<R>> for Table<R> {
    fn from(rows: Vec<R>) -> Table<R> {
        Table::from(Arc::from(rows))
    }
}

impl<R, const N: usize> From<[R; N]> for Table<R> {
    fn from(rows: [R; N]) -> Table<R> {
        Table::from(Arc::from(rows))
    }
}

impl<R> std::fmt::Display for Table<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "table {name}"),
            None => write!(f, "{} rows", self.rows.len()),
        }
    }
}

/// A table that the graph names.
#[derive(Clone, Debug)]
pub(crate) struct TableDeclaration {
    pub(crate) name: String,
    pub(crate) schema: SchemaRef,
    /// Reads it, as the record that the graph wants.
    pub(crate) read: fn(&BoundTable) -> Result<LoadedTable>,
}

/// A table that was read: an `Arc<[D]>` of the record that the graph wants.
#[derive(Clone)]
pub(crate) struct LoadedTable {
    rows: Arc<dyn Any + Send + Sync>,
    pub(crate) digest: Digest,
    /// What is bound to it.
    pub(crate) binding: String,
}

impl LoadedTable {
    fn rows<D: 'static>(&self) -> Arc<[D]> {
        let rows = self.rows.downcast_ref::<Arc<[D]>>();
        Arc::clone(rows.expect("a graph is built with the records that it was looked at with"))
    }
}

/// Adds the table of this name.
#[track_caller]
pub(super) fn table<D: Record + Sync>(flow: &Flow<'_>, name: String) -> Table<D> {
    let context = flow.context();
    flow.add(NodeSpec { name: Some(name.clone()), ..NodeSpec::stateless("table") }, Vec::new());
    let rows = match &context.mode {
        Mode::Describe => {
            let declaration = TableDeclaration { name: name.clone(), schema: D::wanted(), read: read::<D> };
            context.tables.borrow_mut().push(declaration);
            Arc::from([])
        }
        Mode::Run { tables, .. } => tables[&name].rows(),
    };
    Table { name: Some(name), rows }
}

/// Reads all partitions of a table to their ends.
fn read<D: Record + Sync>(table: &BoundTable) -> Result<LoadedTable> {
    let mut rows = Vec::new();
    for partition in &table.listing.partitions {
        let reader = table.source.open(partition, None, &table.scan);
        reader.and_then(|reader| read_partition(reader, &mut rows)).map_err(|error| error.at(&partition.id))?;
    }
    rows.sort_unstable();
    let mut digest = Digest::default();
    rows.iter().for_each(|row| digest.add_row(row));
    let rows: Arc<[D]> = Arc::from(rows);
    Ok(LoadedTable { rows: Arc::new(rows), digest, binding: table.source.describe() })
}

fn read_partition<D: Record>(mut reader: Box<dyn PartitionReader>, rows: &mut Vec<D>) -> Result<()> {
    let (mut events, mut before) = (Vec::new(), 0);
    loop {
        match reader.next()? {
            Next::Batch(batch) => {
                D::decode(&batch.rows, &mut events).map_err(|mut error| {
                    error.row = error.row.map(|row| row + before);
                    Error::data(error.to_string())
                })?;
                before += batch.rows.num_rows();
                rows.extend(events.drain(..).map(|event| event.data));
            }
            Next::Mixed(_, bad) => return Err(Error::data(bad[0].reason())),
            Next::Pending => std::thread::sleep(POLL), // a pipe that is written more slowly than it is read
            Next::End => return Ok(()),
        }
    }
}
