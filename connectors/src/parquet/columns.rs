//! The columns of files: what they are, which are wanted, and which types they are read as.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use arrow_schema::{Fields, Schema, SchemaRef, TimeUnit};
use dualgauge_engine::names::{Twice, find, similar};
use dualgauge_engine::{Code, Error};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Type as Physical;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataOptions};
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type};

use super::read_as::as_read;
use crate::caught::caught;

/// The columns of a file, decoded once for all files that have the same columns.
#[derive(Debug)]
pub(super) struct FileColumns {
    parquet: SchemaDescPtr,
    arrow: SchemaRef,
    projections: Mutex<HashMap<Vec<usize>, Arc<Projection>>>,
}

/// Those of them that are wanted.
#[derive(Debug)]
pub(super) struct Projection {
    /// Their leaves, among all leaves of the file.
    pub(super) leaves: Vec<usize>,
    /// How many leaves the file has.
    pub(super) of: usize,
    /// For each of the leaves, the root column of the file that it belongs to.
    roots: Vec<usize>,
    pub(super) arrow: SchemaRef,
    /// How metadata of these columns alone is decoded.
    pub(super) decoding: ParquetMetaDataOptions,
}

impl FileColumns {
    /// The columns that a footer without row groups describes.
    pub(super) fn of(head: ParquetMetaData) -> Result<FileColumns, ParquetError> {
        let parquet = head.file_metadata().schema_descr_ptr();
        let head = Arc::new(head);
        // The writer's note of its own types may name some that the library lacks, for columns that nobody wants. Its
        // panic then costs only the note, and the file is read like any that has none.
        let noted = caught("the types that the writer noted", || {
            ArrowReaderMetadata::try_new(Arc::clone(&head), ArrowReaderOptions::new())
        });
        let plain = noted.unwrap_or_else(|_| {
            ArrowReaderMetadata::try_new(head, ArrowReaderOptions::new().with_skip_arrow_metadata(true))
        })?;
        let mut leaves = parquet.columns().iter().map(|leaf| leaf.physical_type());
        let fields: Fields =
            plain.schema().fields().iter().map(|field| as_read(field, &mut leaves, TimeUnit::Microsecond)).collect();
        let arrow = Arc::new(Schema::new_with_metadata(fields, plain.schema().metadata().clone()));
        Ok(FileColumns { parquet, arrow, projections: Mutex::default() })
    }

    /// As Arrow sees them.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.arrow
    }

    /// Whether any of them is of INT96.
    pub(super) fn have_int96(&self) -> bool {
        self.parquet.columns().iter().any(|leaf| leaf.physical_type() == Physical::INT96)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.arrow.fields().iter().map(|field| field.name().as_str())
    }

    /// Refuses a name that two columns share.
    pub(super) fn check<'a>(&self, mut names: impl Iterator<Item = &'a str>) -> Result<(), Error> {
        match names.find(|name| find(name, self.names()) == Err(Twice)) {
            Some(name) => {
                let has = self.names().collect::<Vec<_>>().join(", ");
                Err(Code::Schema
                    .error(format!("it has column `{name}` twice, and which is meant cannot be known; it has: {has}")))
            }
            None => Ok(()),
        }
    }

    /// The columns with these names. If a name is missing, the column that was likely meant is given, and whoever
    /// misses the other names it in the error.
    pub(super) fn project<'a>(&self, names: impl Iterator<Item = &'a str>) -> Arc<Projection> {
        let place = |name: &str| self.arrow.index_of(name).ok();
        let mut roots: Vec<_> =
            names.filter_map(|name| place(name).or_else(|| place(similar(name, self.names())?))).collect();
        roots.sort_unstable();
        roots.dedup();
        let mut projections = self.projections.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let projection = projections.entry(roots).or_insert_with_key(|roots| Arc::new(self.projected(roots)));
        Arc::clone(projection)
    }

    fn projected(&self, roots: &[usize]) -> Projection {
        let of = self.parquet.num_columns();
        let root_of = |leaf: usize| self.parquet.get_column_root_idx(leaf);
        let leaves: Vec<_> = (0..of).filter(|leaf| roots.binary_search(&root_of(*leaf)).is_ok()).collect();
        let schema = self.parquet.root_schema();
        let kept = roots.iter().map(|root| schema.get_fields()[*root].clone()).collect();
        let kept = Type::group_type_builder(schema.name()).with_fields(kept).build();
        let parquet = Arc::new(SchemaDescriptor::new(Arc::new(kept.expect("a group of columns that a group had"))));
        Projection {
            roots: leaves.iter().map(|leaf| root_of(*leaf)).collect(),
            leaves,
            of,
            arrow: Arc::new(self.arrow.project(roots).expect("columns that there are")),
            decoding: ParquetMetaDataOptions::new().with_schema(parquet),
        }
    }
}

impl Projection {
    /// The first leaf below one of the file's root columns, as it is counted here.
    pub(super) fn leaf_of(&self, root: usize) -> Option<usize> {
        self.roots.iter().position(|of| *of == root)
    }

    /// The root column that a leaf of the file lies below, if it is a wanted one.
    pub(super) fn root_of(&self, leaf: usize) -> Option<usize> {
        self.leaves.binary_search(&leaf).ok().map(|at| self.roots[at])
    }

    /// Prepares metadata of these columns alone for reading.
    pub(super) fn ready(&self, metadata: ParquetMetaData) -> Result<ArrowReaderMetadata, ParquetError> {
        ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new().with_schema(self.arrow.clone()))
    }
}
