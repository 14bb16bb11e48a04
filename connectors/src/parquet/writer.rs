//! Writing one Parquet file.
//!
//! The same rows are the same bytes. Settings are fixed, pages end by the rows and not where a batch ended, and neither
//! a clock nor a version goes into the file.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::coalesce::BatchCoalescer;
use dualgauge_engine::cut::{BATCH_BYTES, bytes_of, rows_within};
use dualgauge_engine::{Error, Result};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

/// Who wrote the file; without a version, so that a new release writes the same bytes.
pub(super) const CREATED_BY: &str = "dualgauge";

/// How many rows are encoded at a time.
const PIECE_ROWS: usize = 1 << 13;

/// How many bytes of texts, bytes and lists are encoded at a time.
const PIECE_BYTES: usize = BATCH_BYTES;

/// How many of these bytes a row group may have: readers count them in 31 bits.
const GROUP_BYTES: usize = 1 << 30;

/// What can be chosen about a file; everything else is fixed.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// The most rows that a row group holds; a row group is what a worker reads at a time.
    pub row_group_rows: usize,
    /// The most rows that a page holds; within a row group the watermark moves by pages.
    pub page_rows: usize,
    /// Keys and values for the footer, such as [`COVERS`](super::COVERS).
    pub key_values: Vec<(String, String)>,
    /// The column by which the rows are sorted in ascending order; the footer then says so.
    pub sorted_by: Option<String>,
}

impl Default for FileOptions {
    fn default() -> FileOptions {
        FileOptions { row_group_rows: 1 << 17, page_rows: 1 << 13, key_values: Vec::new(), sorted_by: None }
    }
}

/// Writes `batches` to a new file at `path` and makes it durable.
///
/// ```
/// use std::sync::Arc;
///
/// use arrow_array::{ArrayRef, RecordBatch, UInt64Array};
/// use dualgauge_connectors::parquet::{FileOptions, write_file};
///
/// let price: ArrayRef = Arc::new(UInt64Array::from(vec![1, 2, 3]));
/// let batch = RecordBatch::try_from_iter([("price", price)]).unwrap();
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("prices.parquet");
/// write_file(&path, &batch.schema(), [batch.clone()], &FileOptions::default()).unwrap();
/// let first = std::fs::read(&path).unwrap();
///
/// write_file(&path, &batch.schema(), [batch.slice(0, 1), batch.slice(1, 2)], &FileOptions::default()).unwrap();
/// assert_eq!(std::fs::read(&path).unwrap(), first, "the same rows are the same bytes, however they are cut");
/// ```
///
/// # Errors
/// A path that cannot be written, a type that Parquet does not have, or an option that names no column.
pub fn write_file(
    path: impl AsRef<Path>,
    schema: &SchemaRef,
    batches: impl IntoIterator<Item = RecordBatch>,
    options: &FileOptions,
) -> Result<()> {
    let path = path.as_ref();
    let refused = |e| Error::io(format!("cannot write {}", path.display()), e);
    let mut writer = FileWriter::new(File::create(path).map_err(refused)?, schema, options)?;
    for batch in batches {
        writer.write(&batch)?;
    }
    writer.finish()?.sync_all().map_err(refused)
}

/// A Parquet file that is being written.
///
/// A page ends where a piece that was handed over ends, so rows are handed over in pieces of one size: then the bytes
/// do not depend on how the rows came.
#[derive(Debug)]
pub(super) struct FileWriter<W: Write + Send> {
    writer: ArrowWriter<W>,
    pieces: BatchCoalescer,
    /// Of the piece that is being filled.
    piece_rows: usize,
    piece_bytes: usize,
    group_rows: usize,
    /// What the row group has in texts, bytes and lists.
    group_bytes: usize,
}

impl<W: Write + Send> FileWriter<W> {
    pub(super) fn new(to: W, schema: &SchemaRef, options: &FileOptions) -> Result<FileWriter<W>> {
        let properties = properties(schema, options)?;
        let writer = ArrowWriter::try_new(to, SchemaRef::clone(schema), Some(properties)).map_err(write_error)?;
        let pieces = BatchCoalescer::new(SchemaRef::clone(schema), PIECE_ROWS);
        let group_rows = options.row_group_rows.max(1);
        Ok(FileWriter { writer, pieces, piece_rows: 0, piece_bytes: 0, group_rows, group_bytes: 0 })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut from = 0;
        while from < batch.num_rows() {
            // A heavy piece ends before the row that would make it too heavy, wherever a batch ended.
            let room = PIECE_BYTES.saturating_sub(self.piece_bytes);
            let rows = (PIECE_ROWS - self.piece_rows).min(batch.num_rows() - from);
            let rows = rows_within(&batch.slice(from, rows), room);
            let rows = batch.slice(from, rows);
            let bytes = bytes_of(&rows);
            if bytes > room && self.piece_rows > 0 {
                self.end_piece()?;
                continue;
            }
            from += rows.num_rows();
            self.piece_rows += rows.num_rows();
            self.piece_bytes += bytes;
            self.pieces.push_batch(rows).map_err(|e| write_error(e.into()))?;
            if self.piece_rows == PIECE_ROWS {
                self.end_piece()?;
            }
        }
        Ok(())
    }

    /// Writes the footer and returns what was written to.
    pub(super) fn finish(mut self) -> Result<W> {
        self.end_piece()?;
        self.writer.into_inner().map_err(write_error)
    }

    fn end_piece(&mut self) -> Result<()> {
        (self.piece_rows, self.piece_bytes) = (0, 0);
        self.pieces.finish_buffered_batch().map_err(|e| write_error(e.into()))?;
        while let Some(piece) = self.pieces.next_completed_batch() {
            // Cut where a row group is full: otherwise the library recurses for each row group within the piece.
            let mut from = 0;
            while from < piece.num_rows() {
                let room = self.group_rows - self.writer.in_progress_rows();
                let rows = piece.slice(from, room.min(piece.num_rows() - from));
                let bytes = bytes_of(&rows);
                if self.writer.in_progress_rows() == 0 {
                    self.group_bytes = 0;
                } else if self.group_bytes + bytes > GROUP_BYTES {
                    self.writer.flush().map_err(write_error)?;
                    continue;
                }
                self.group_bytes += bytes;
                self.writer.write(&rows).map_err(write_error)?;
                from += rows.num_rows();
            }
        }
        Ok(())
    }
}

/// How large the dictionary of a column grows in a row group before values are written as they are.
///
/// A dictionary is for values that recur. Keys and counts seldom do, and the larger dictionary that would hold them
/// costs more bytes than it saves, and most of the writer's memory.
const DICTIONARY_BYTES: usize = 1 << 17;

fn properties(schema: &SchemaRef, options: &FileOptions) -> Result<WriterProperties> {
    let key_values = options.key_values.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
    let sorting = match &options.sorted_by {
        None => None,
        Some(column) => {
            let index = leaf_index(schema, column).ok_or_else(|| {
                Error::usage(format!("there is no column `{column}` that the rows could be sorted by"))
            })?;
            Some(vec![SortingColumn { column_idx: index, descending: false, nulls_first: true }])
        }
    };
    let level = ZstdLevel::try_new(1).expect("1 is a level of zstd");
    Ok(WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(options.row_group_rows.max(1)))
        .set_data_page_row_count_limit(options.page_rows.max(1))
        // The library checks the limit of a page once in this many rows.
        .set_write_batch_size(options.page_rows.clamp(1, 1024))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_key_value_metadata(Some(key_values))
        .set_sorting_columns(sorting)
        .build())
}

/// The index among the leaves of the root column `name`; nested columns before it count with all their leaves.
fn leaf_index(schema: &SchemaRef, name: &str) -> Option<i32> {
    let parquet = ::parquet::arrow::ArrowSchemaConverter::new().convert(schema).ok()?;
    let root = schema.index_of(name).ok()?;
    (0..parquet.num_columns()).find(|leaf| parquet.get_column_root_idx(*leaf) == root).map(|leaf| leaf as i32)
}

fn write_error(cause: ParquetError) -> Error {
    match cause {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(io) => Error::io("cannot write a Parquet file", *io),
            Err(cause) => Error::data("cannot write a Parquet file").caused_by(cause),
        },
        cause => Error::data("cannot write a Parquet file").caused_by(cause),
    }
}
