//! A Parquet file: what its footer says, read and checked once, and its row groups, decoded a few at a time.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dualgauge_engine::{Code, Error, Offset, Result, Scan};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::file::metadata::{KeyValue, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};

use super::chunks::{Chunks, Wanted};
use super::columns::{FileColumns, Projection};
use super::footer::{self, Footer, MAGIC, TAIL_BYTES};
use super::guard::guarded;
use super::index;
use super::page_header::value_bytes_min;
use super::runs;
use crate::files::{DataFile, changed_since_listed};
use crate::handles::{Handle, Version};

/// How many bytes of row groups are decoded together.
const SLICE_BYTES: u64 = 1 << 20;
/// How many row groups at most: the library numbers them in 16 bits.
const SLICE_GROUPS: usize = 1 << 14;

/// A file whose footer has been read. It is kept small: a history of many files has all of them in memory.
#[derive(Debug)]
pub(super) struct ParquetFile {
    /// Its path from the source's root.
    pub(super) name: String,
    path: PathBuf,
    /// How long the file is.
    length: u64,
    proof: [u8; 32],
    columns: Arc<FileColumns>,
    /// Where the footer begins.
    footer_at: u64,
    /// Where in the footer each row group begins, and where the last one ends.
    groups: Vec<u32>,
    /// The very file whose footer was read: one handle for all its row groups, which it shares with other files.
    handle: Arc<Handle>,
}

/// The columns of files, by the hash of their description in the footer: most files of a history have the same.
#[derive(Debug, Default)]
pub(super) struct KnownColumns(Mutex<std::collections::HashMap<[u8; 32], Arc<FileColumns>>>);

impl KnownColumns {
    fn of(&self, footer: &Footer, head: ParquetMetaData) -> parquet::errors::Result<Arc<FileColumns>> {
        let mut hash = blake3::Hasher::new();
        hash.update(&footer.schema);
        for pair in key_values(&head).filter(|pair| pair.key == parquet::arrow::ARROW_SCHEMA_META_KEY) {
            hash.update(pair.value.as_deref().unwrap_or_default().as_bytes());
        }
        let key = hash.finalize().into();
        let mut known = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(columns) = known.get(&key) {
            return Ok(Arc::clone(columns));
        }
        let columns = Arc::new(FileColumns::of(head)?);
        known.insert(key, Arc::clone(&columns));
        Ok(columns)
    }
}

/// The keys and values that a footer has.
pub(super) fn key_values(head: &ParquetMetaData) -> impl Iterator<Item = &KeyValue> {
    head.file_metadata().key_value_metadata().into_iter().flatten()
}

impl ParquetFile {
    /// Reads and checks the footer; also returns what it says apart from its row groups.
    pub(super) fn open(named: &DataFile, known: &KnownColumns) -> Result<(ParquetFile, Vec<KeyValue>)> {
        let DataFile { name, path, .. } = named;
        let refused = |e| cannot_read(name, path, e);
        let file = File::open(path).map_err(refused)?;
        let metadata = file.metadata().map_err(refused)?;
        let (length, version) = (metadata.len(), Version::of(&metadata));
        if version != named.version {
            // The footer is at the end of the file, so a file that has grown is a different one too.
            let grown = || format!("it had {} bytes then and has {length} now", named.version.length());
            let why = named.version.lost(&version).unwrap_or_else(grown);
            return Err(changed_since_listed(name, &why));
        }
        let bytes = footer::read(&file, length).map_err(|e| e.at(format_args!("file {name}")))?;
        let mut hash = blake3::Hasher::new();
        hash.update(&bytes).update(&length.to_le_bytes());

        let footer = Footer::of(&bytes).map_err(|e| e.at(format_args!("file {name}: footer")))?;
        let (columns, said) = guarded(format_args!("file {name}: footer"), || {
            let head = ParquetMetaDataReader::decode_metadata(&footer.head)?;
            let said = key_values(&head).cloned().collect();
            Ok((known.of(&footer, head)?, said))
        })?;
        let file = ParquetFile {
            name: name.clone(),
            path: path.clone(),
            length,
            proof: hash.finalize().into(),
            columns,
            footer_at: length - TAIL_BYTES - bytes.len() as u64,
            groups: footer.groups,
            handle: Arc::new(Handle::unchanged(path, version)),
        };
        Ok((file, said))
    }

    /// What the columns are.
    pub(super) fn columns(&self) -> &FileColumns {
        &self.columns
    }

    /// Those of the columns that a scan wants.
    pub(super) fn project(&self, scan: &Scan) -> Arc<Projection> {
        self.columns.project(scan.schema.fields().iter().map(|field| field.name().as_str()))
    }

    /// How many row groups there are.
    pub(super) fn group_count(&self) -> usize {
        self.groups.len().saturating_sub(1)
    }

    /// How many bytes of the footer describe a row group.
    pub(super) fn footer_bytes(&self, group: usize) -> u64 {
        u64::from(self.groups[group + 1] - self.groups[group])
    }

    /// An offset in this file and in no other that may later have its name.
    pub(super) fn offset(&self, position: u64) -> Offset {
        Offset { position, proof: Some(self.proof) }
    }

    /// Whether `offset` was taken in this very file.
    pub(super) fn check_proof(&self, offset: &Offset) -> Result<()> {
        if offset.proof.is_none_or(|proof| proof == self.proof) {
            return Ok(());
        }
        Err(Error::data(format!(
            "file {}: it is not the file that was read up to row {offset}: its footer or size differ. \
             Was it replaced or written anew since the checkpoint?",
            self.name
        )))
    }

    /// The wanted columns of all row groups, one after the other; few of them are in memory at a time.
    pub(super) fn each_group(
        &self,
        wanted: &Projection,
        mut each: impl FnMut(usize, &RowGroupMetaData) -> Result<()>,
    ) -> Result<()> {
        let (mut from, mut rows_total) = (0, 0_i64);
        while from < self.group_count() {
            let limit = u64::from(self.groups[from]) + SLICE_BYTES;
            let end = self.groups[from + 1..].partition_point(|end| u64::from(*end) <= limit);
            let slice = from..from + end.clamp(1, SLICE_GROUPS);
            let metadata = self.decode(slice.clone(), wanted)?;
            for (number, group) in slice.clone().zip(metadata.row_groups()) {
                let total = rows_total.checked_add(group.num_rows());
                rows_total = total.ok_or_else(|| self.bad(number, "no file has so many rows"))?;
                each(number, group)?;
            }
            from = slice.end;
        }
        Ok(())
    }

    /// Some row groups, as the only ones of a file that has only the wanted columns.
    pub(super) fn groups(&self, groups: Range<usize>, wanted: &Projection) -> Result<ArrowReaderMetadata> {
        let metadata = self.decode(groups.clone(), wanted)?;
        guarded(format_args!("file {}: {}", self.name, runs::Told(&groups)), || wanted.ready(metadata))
    }

    fn decode(&self, groups: Range<usize>, wanted: &Projection) -> Result<ParquetMetaData> {
        let (start, end) = (self.groups[groups.start], self.groups[groups.end]);
        let mut bytes = vec![0; (end - start) as usize];
        let file = self.handle.file().map_err(|e| match e.kind() {
            std::io::ErrorKind::InvalidData => Code::SourceGap.error(format!("file {}: {e}", self.name)),
            _ => cannot_read(&self.name, &self.path, e),
        })?;
        let read = file.0.read_exact_at(&mut bytes, self.footer_at + u64::from(start));
        read.map_err(|e| cannot_read(&self.name, &self.path, e))?;
        let of = |number: usize| {
            let place = |at: usize| (self.groups[at] - start) as usize;
            (number, &bytes[place(number)..place(number + 1)])
        };
        let small = footer::small(groups.clone().map(of), &wanted.leaves, wanted.of);
        let small = small.map_err(|e| e.at(format_args!("file {}", self.name)))?;
        let metadata = guarded(format_args!("file {}: footer", self.name), || {
            ParquetMetaDataReader::decode_metadata_with_options(&small, Some(&wanted.decoding))
        })?;
        for (number, group) in groups.zip(metadata.row_groups()) {
            self.check_layout(number, group)?;
        }
        Ok(metadata)
    }

    /// The bytes of the file, to be read ahead within the columns of row groups.
    pub(super) fn chunks(&self, groups: &[RowGroupMetaData]) -> Chunks {
        let ranges = groups.iter().flat_map(RowGroupMetaData::columns).map(|chunk| {
            let (start, len) = chunk.byte_range();
            Wanted { range: start..start + len, value_bytes_min: value_bytes_min(chunk) }
        });
        Chunks::new(Arc::clone(&self.handle), self.length, ranges)
    }

    /// A row group with its page index, if the file has one.
    pub(super) fn with_index(&self, group: &ArrowReaderMetadata, wanted: &Projection) -> Option<ArrowReaderMetadata> {
        let columns = group.metadata().row_groups().first()?.columns();
        columns.iter().find(|column| column.offset_index_offset().is_some())?;
        index::with_index(group, &Chunks::new(Arc::clone(&self.handle), self.length, []), wanted)
    }

    /// Checks that what the footer points at can be in the file, before anything is read or reserved on its word.
    fn check_layout(&self, number: usize, group: &RowGroupMetaData) -> Result<()> {
        if group.num_rows() < 0 {
            return Err(self.bad(number, format_args!("it cannot have {} rows", group.num_rows())));
        }
        for column in group.columns() {
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let end = start.checked_add(column.compressed_size());
            let inside = start >= MAGIC.len() as i64
                && column.compressed_size() >= 0
                && end.is_some_and(|end| end as u64 <= self.footer_at);
            // A group without rows has no pages, and some writers then leave the offsets at zero.
            if !inside && group.num_rows() > 0 {
                let path = column.column_path().string();
                return Err(self.bad(number, format_args!("column `{path}` lies outside the file")));
            }
        }
        Ok(())
    }

    fn bad(&self, group: usize, what: impl std::fmt::Display) -> Error {
        Error::data(format!("file {}: row group {group}: {what}. Was the file damaged?", self.name))
    }
}

fn cannot_read(name: &str, path: &Path, cause: std::io::Error) -> Error {
    Error::io(format!("file {name}: cannot read {}", path.display()), cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;
    use crate::parquet::source::KIND;

    /// A footer is read after the listing, and if there are many files, some time after it.
    #[test]
    fn a_file_that_changed_between_the_listing_and_its_footer_is_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.parquet");
        let rows = |count| {
            let column: arrow_array::ArrayRef = Arc::new(arrow_array::Int64Array::from_iter_values(0..count));
            arrow_array::RecordBatch::try_from_iter([("n", column)]).unwrap()
        };
        let write = |count| {
            let rows = rows(count);
            crate::parquet::write_file(&path, &rows.schema(), [rows], &Default::default()).unwrap();
        };
        write(3);
        let listed = files::list(dir.path(), KIND, false).unwrap().files;
        ParquetFile::open(&listed[0], &KnownColumns::default()).unwrap();
        std::fs::remove_file(&path).unwrap();
        write(2_000);
        let error = ParquetFile::open(&listed[0], &KnownColumns::default()).err().unwrap().to_string();
        assert!(error.starts_with("E-SOURCE-GAP: file a.parquet: "), "{error}");
    }
}
