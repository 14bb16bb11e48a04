//! A Parquet file: what its footer says, read and checked once.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};

use arrow_schema::{DataType, Fields, Schema};
use dualgauge_engine::{Error, Offset, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::ChunkReader;

use super::chunks::{Chunks, Wanted};
use super::files::Named;
use super::guard::guarded;
use super::page_header::value_bytes_min;
use super::thrift::check_struct;

/// The four bytes at both ends of every Parquet file.
const MAGIC: &[u8; 4] = b"PAR1";
/// The ends of a file whose footer is encrypted.
const MAGIC_ENCRYPTED: &[u8; 4] = b"PARE";
/// The length of the footer and the magic behind it.
const TAIL_BYTES: u64 = 8;

/// A file whose footer was read.
#[derive(Debug)]
pub(super) struct ParquetFile {
    /// Its path from the source's root.
    pub(super) name: String,
    path: PathBuf,
    identity: Identity,
    proof: [u8; 32],
    metadata: ArrowReaderMetadata,
    /// The same with the page index, for as long as somebody reads by it: an index is large, and history is long.
    indexed: Mutex<Weak<ArrowReaderMetadata>>,
}

/// What tells cheaply that a file is still the one whose footer was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    len: u64,
    inode: u64,
    modified: (i64, i64),
}

impl Identity {
    fn of(meta: &fs::Metadata) -> Identity {
        Identity { len: meta.len(), inode: meta.ino(), modified: (meta.mtime(), meta.mtime_nsec()) }
    }
}

impl ParquetFile {
    /// Reads and checks the footer.
    pub(super) fn open(named: &Named) -> Result<ParquetFile> {
        let Named { name, path } = named;
        let refused = |e| Error::io(format!("file {name}: cannot read {}", path.display()), e);
        let file = File::open(path).map_err(refused)?;
        let identity = Identity::of(&file.metadata().map_err(refused)?);
        let footer = read_footer(&file, identity.len).map_err(|e| e.at(format_args!("file {name}")))?;
        let mut hash = blake3::Hasher::new();
        hash.update(&footer).update(&identity.len.to_le_bytes());

        check_struct(&footer).map_err(|e| e.at(format_args!("file {name}: footer")))?;
        let metadata = guarded(format_args!("file {name}: footer"), || {
            let metadata = ParquetMetaDataReader::decode_metadata(&footer)?;
            with_views(Arc::new(metadata))
        })?;
        let data_end = identity.len - TAIL_BYTES - footer.len() as u64;
        guarded(format_args!("file {name}: footer"), || Ok(check_layout(metadata.metadata(), data_end)))?
            .map_err(|e| e.at(format_args!("file {name}")))?;
        Ok(ParquetFile {
            name: name.clone(),
            path: path.clone(),
            identity,
            proof: hash.finalize().into(),
            metadata,
            indexed: Mutex::default(),
        })
    }

    /// The footer, without the page index.
    pub(super) fn metadata(&self) -> &ArrowReaderMetadata {
        &self.metadata
    }

    /// The columns as Arrow sees them.
    pub(super) fn schema(&self) -> &Schema {
        self.metadata.schema()
    }

    /// An offset in this file and in no other that may come to stand under its name.
    pub(super) fn offset(&self, position: u64) -> Offset {
        Offset { position, proof: Some(self.proof) }
    }

    /// The hash of the footer and the file's length.
    pub(super) fn proof(&self) -> [u8; 32] {
        self.proof
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

    /// The root columns among `names` that the file has, and the leaf columns below them.
    pub(super) fn projection<'a>(&self, names: impl Iterator<Item = &'a String>) -> ProjectionMask {
        let roots = names.filter_map(|name| self.schema().index_of(name).ok());
        ProjectionMask::roots(self.metadata.parquet_schema(), roots)
    }

    /// The bytes of the file, to be read ahead within the wanted columns of a row group.
    pub(super) fn chunks(&self, group: usize, columns: &ProjectionMask) -> Result<Chunks> {
        let row_group = self.metadata.metadata().row_group(group);
        let wanted = row_group.columns().iter().enumerate().filter(|(leaf, _)| columns.leaf_included(*leaf));
        let ranges = wanted.map(|(_, chunk)| {
            let (start, len) = chunk.byte_range();
            Wanted { range: start..start + len, value_bytes_min: value_bytes_min(chunk) }
        });
        Ok(Chunks::new(self.reopen()?, self.identity.len, ranges))
    }

    /// Opens the file again, and only the very file whose footer was read.
    fn reopen(&self) -> Result<File> {
        let refused = |e| Error::io(format!("file {}: cannot read {}", self.name, self.path.display()), e);
        let file = File::open(&self.path).map_err(refused)?;
        if Identity::of(&file.metadata().map_err(refused)?) != self.identity {
            return Err(Error::data(format!(
                "file {}: it changed while it was being read. Is something still writing it?",
                self.name
            )));
        }
        Ok(file)
    }

    /// The footer with the page index, if the file has one that can be read. A damaged index is as none: it only helps.
    pub(super) fn indexed(&self) -> Option<Arc<ArrowReaderMetadata>> {
        let mut indexed = self.indexed.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(known) = indexed.upgrade() {
            return Some(known);
        }
        let load = || {
            let file = Chunks::new(self.reopen().ok()?, self.identity.len, []);
            check_page_index(self.metadata.metadata(), &file).ok()?;
            let metadata = ParquetMetaData::clone(self.metadata.metadata());
            guarded("page index", || {
                let mut reader = ParquetMetaDataReader::new_with_metadata(metadata)
                    .with_page_index_policy(PageIndexPolicy::Optional);
                reader.read_page_indexes(&file)?;
                let metadata = reader.finish()?;
                with_views(Arc::new(metadata))
            })
            .ok()
        };
        let loaded = load().map(Arc::new)?;
        *indexed = Arc::downgrade(&loaded);
        Some(loaded)
    }
}

/// How the columns are read: texts as views, which point into the pages instead of copying each value out of them.
fn with_views(metadata: Arc<ParquetMetaData>) -> Result<ArrowReaderMetadata, ParquetError> {
    let plain = ArrowReaderMetadata::try_new(metadata.clone(), ArrowReaderOptions::new())?;
    let fields = plain.schema().fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
        _ => field.clone(),
    });
    let schema = Schema::new_with_metadata(fields.collect::<Fields>(), plain.schema().metadata().clone());
    ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new().with_schema(Arc::new(schema)))
}

/// The footer's bytes, once it is clear that they can be there.
fn read_footer(file: &File, len: u64) -> Result<Vec<u8>> {
    let refused = |e| Error::io("cannot read the footer", e);
    if len < MAGIC.len() as u64 + TAIL_BYTES {
        return Err(Error::data(format!("not a Parquet file: it has only {len} bytes. Does it still download?")));
    }
    let (mut head, mut tail) = ([0; 4], [0; 8]);
    file.read_exact_at(&mut head, 0).map_err(refused)?;
    file.read_exact_at(&mut tail, len - TAIL_BYTES).map_err(refused)?;
    if &tail[4..] == MAGIC_ENCRYPTED || &head == MAGIC_ENCRYPTED {
        return Err(Error::data("the file is encrypted, which this build cannot read"));
    }
    if &head != MAGIC {
        return Err(Error::data("not a Parquet file: it does not start with PAR1. Is it of another format?"));
    }
    if &tail[4..] != MAGIC {
        return Err(Error::data("not a whole Parquet file: it does not end with PAR1. Does it still download?"));
    }
    let footer_len = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    let room = len - TAIL_BYTES - MAGIC.len() as u64;
    if footer_len > room {
        return Err(Error::data(format!(
            "the footer should have {footer_len} bytes, but the file has only {room} for it. Was it cut or damaged?"
        )));
    }
    let mut footer = vec![0; footer_len as usize];
    file.read_exact_at(&mut footer, len - TAIL_BYTES - footer_len).map_err(refused)?;
    Ok(footer)
}

/// Checks that the page index can be decoded without asking for more memory than there is.
fn check_page_index(metadata: &ParquetMetaData, file: &Chunks) -> Result<()> {
    let damaged = || Error::data("the page index lies outside the file");
    for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        let places = [
            column.column_index_offset().zip(column.column_index_length()),
            column.offset_index_offset().zip(column.offset_index_length()),
        ];
        for (start, len) in places.into_iter().flatten() {
            let (start, len) = (start.try_into().map_err(|_| damaged())?, len.try_into().map_err(|_| damaged())?);
            check_struct(&file.get_bytes(start, len).map_err(|_| damaged())?)?;
        }
    }
    Ok(())
}

/// Checks that what the footer points at can be in the file, before anything is read or reserved by its word.
fn check_layout(metadata: &ParquetMetaData, data_end: u64) -> Result<()> {
    let leaves = metadata.file_metadata().schema_descr().num_columns();
    let mut rows_total = 0_i64;
    for (group, row_group) in metadata.row_groups().iter().enumerate() {
        let bad = |what: String| Err(Error::data(format!("row group {group}: {what}. Was the file damaged?")));
        match rows_total.checked_add(row_group.num_rows()).filter(|_| row_group.num_rows() >= 0) {
            Some(total) => rows_total = total,
            None => return bad(format!("it cannot have {} rows", row_group.num_rows())),
        }
        if row_group.num_columns() != leaves {
            return bad(format!("it has {} columns and the schema {leaves}", row_group.num_columns()));
        }
        for column in row_group.columns() {
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let end = start.checked_add(column.compressed_size());
            let inside = start >= MAGIC.len() as i64
                && column.compressed_size() >= 0
                && end.is_some_and(|end| end as u64 <= data_end);
            // A group without rows has no pages, and some writers then leave the offsets at zero.
            if !inside && row_group.num_rows() > 0 {
                return bad(format!("column `{}` lies outside the file", column.column_path()));
            }
        }
    }
    Ok(())
}
