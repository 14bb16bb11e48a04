//! The page index of one row group.
//!
//! The indexes of all row groups lie one after another, first what all pages hold and then where all pages are; the
//! library reads from the first to the last byte that it needs, which for one row group is nearly the whole of it. So
//! the pieces of the group's columns are gathered here, and the library is given metadata that has them side by side.

use bytes::Bytes;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::file::metadata::{ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::ChunkReader;

use super::chunks::Chunks;
use super::columns::Projection;
use super::guard::guarded;
use super::thrift::check_struct;

/// A row group with its page index, if the file has one that can be read. A damaged index counts as none, since an
/// index only helps.
pub(super) fn with_index(
    group: &ArrowReaderMetadata,
    file: &Chunks,
    wanted: &Projection,
) -> Option<ArrowReaderMetadata> {
    let metadata = ParquetMetaData::clone(group.metadata()).into_builder();
    let mut row_groups = group.metadata().row_groups().to_vec();
    let row_group = row_groups.pop()?;
    let columns = row_group.columns().to_vec();
    // The library takes position 0 to mean none, and wants the end of the file after the last piece.
    let mut gathered = vec![0];
    let columns = columns.into_iter().map(|column| gather(column, file, &mut gathered));
    let columns = columns.collect::<Option<Vec<_>>>()?;
    gathered.push(0);
    guarded("page index", || {
        let row_group = row_group.into_builder().set_column_metadata(columns).build()?;
        let metadata = metadata.set_row_groups(vec![row_group]).build();
        let reader = ParquetMetaDataReader::new_with_metadata(metadata);
        let mut reader = reader.with_page_index_policy(PageIndexPolicy::Optional);
        reader.read_page_indexes(&Bytes::from(gathered))?;
        wanted.ready(reader.finish()?)
    })
    .ok()
}

/// Appends the two pieces of a column, which then says that they are there; `None` if it does not have both.
fn gather(column: ColumnChunkMetaData, file: &Chunks, into: &mut Vec<u8>) -> Option<ColumnChunkMetaData> {
    let mut piece = |start: Option<i64>, len: Option<i32>| {
        let (start, len) = (start?.try_into().ok()?, len?.try_into().ok()?);
        let bytes = file.get_bytes(start, len).ok()?;
        // No list in it may claim more than there is.
        check_struct(&bytes).ok()?;
        let at = into.len() as i64;
        into.extend_from_slice(&bytes);
        Some(at)
    };
    let values = piece(column.column_index_offset(), column.column_index_length())?;
    let places = piece(column.offset_index_offset(), column.offset_index_length())?;
    let column = column.into_builder().set_column_index_offset(Some(values)).set_offset_index_offset(Some(places));
    column.build().ok()
}
