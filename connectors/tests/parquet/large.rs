//! Small files of large values: no batch has more than Arrow's offsets can say, or than memory should hold at once.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::file::properties::WriterProperties;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, BinaryArray, DictionaryArray, ListArray, RecordBatch, StringArray, StructArray};
use arrow_array::{Int32Array, TimestampMicrosecondArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Schema};
use dualgauge_connectors::parquet::{self, FileOptions, write_file};
use dualgauge_engine::cut::{BATCH_BYTES, bytes_of};
use dualgauge_engine::{Next, Scan, Source};

use crate::support::*;

const ROWS: usize = 1_000;
const VALUE_BYTES: usize = 300_000;

/// A thousand rows over a dictionary of four texts of 300 KB, as texts, bytes, dictionaries, and within lists and
/// structs; each a file of some KB, written a hundred rows at a time.
fn write_large(path: &Path, wrapped: impl Fn(&DictionaryArray<Int32Type>) -> ArrayRef) {
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..4).map(|n| n.to_string().repeat(VALUE_BYTES))));
    const AT_ONCE: usize = 100;
    let mut writer = None;
    for first in (0..ROWS).step_by(AT_ONCE) {
        let keys = Int32Array::from_iter_values((first..first + AT_ONCE).map(|row| row as i32 % 4));
        let values = wrapped(&DictionaryArray::new(keys, texts.clone()));
        let times = TimestampMicrosecondArray::from_iter_values((first..first + AT_ONCE).map(|row| row as i64));
        let times: ArrayRef = Arc::new(times.with_timezone("UTC"));
        let batch = RecordBatch::try_from_iter([("time", times), ("value", values)]).unwrap();
        let writer = writer.get_or_insert_with(|| {
            let properties = WriterProperties::builder().set_dictionary_page_size_limit(4 << 20);
            let properties = properties.set_compression(::parquet::basic::Compression::ZSTD(Default::default()));
            ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), Some(properties.build())).unwrap()
        });
        writer.write(&batch).unwrap();
    }
    writer.unwrap().close().unwrap();
}

#[test]
fn values_that_stand_once_in_the_file_and_in_many_rows_come_in_small_batches() {
    let plain = |values: &DictionaryArray<Int32Type>| -> StringArray {
        values.downcast_dict::<StringArray>().unwrap().into_iter().collect()
    };
    let field = |of: DataType| Arc::new(Field::new("item", of, true));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    type Wrapped<'a> = Box<dyn Fn(&DictionaryArray<Int32Type>) -> ArrayRef + 'a>;
    let kinds: [(&str, Wrapped<'_>); 5] = [
        ("texts", Box::new(|values| Arc::new(plain(values)))),
        ("bytes", Box::new(|values| Arc::new(BinaryArray::from(plain(values))))),
        ("dictionaries", Box::new(|values| Arc::new(values.clone()))),
        (
            "lists",
            Box::new(|values| {
                let each = OffsetBuffer::from_lengths(vec![1; values.len()]);
                Arc::new(ListArray::new(field(DataType::Utf8), each, Arc::new(plain(values)), None))
            }),
        ),
        (
            "structs",
            Box::new(|values| Arc::new(StructArray::from(vec![(field(DataType::Utf8), Arc::new(plain(values)) as _)]))),
        ),
    ];
    for (kind, wrapped) in kinds {
        write_large(&path, wrapped);
        assert!(fs::metadata(&path).unwrap().len() < 100_000, "{kind}");
        let value = Field::new("value", DataType::Utf8, true);
        let schema = Arc::new(Schema::new(vec![schema().field(0).clone(), value]));
        let scan = Scan { schema, batch_rows: 8_192, ..scan() };
        let source = parquet::read(&path);
        let partition = source.partitions(&scan).unwrap().partitions.remove(0);
        let mut reader = source.open(&partition, None, &scan).unwrap();
        let mut rows = 0;
        while let Next::Batch(batch) = reader.next().unwrap() {
            rows += batch.rows.num_rows();
            assert_eq!(batch.offset_after.position, rows as u64, "{kind}");
            let bytes = bytes_of(&batch.rows);
            assert!((VALUE_BYTES..=BATCH_BYTES).contains(&bytes), "{kind}: {bytes} bytes in a batch");
        }
        assert_eq!(rows, ROWS, "{kind}");
    }
}

#[test]
fn heavy_rows_are_the_same_bytes_however_they_came() {
    let dir = tempfile::tempdir().unwrap();
    let texts = (0..7_usize).map(|row| row.to_string().repeat(if row % 3 == 0 { 30 << 20 } else { 10 << 20 }));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    let batch = RecordBatch::try_from_iter([("text", texts)]).unwrap();
    let mut written = Vec::new();
    for cut in [1, 2, 3, 7] {
        let path = dir.path().join("a.parquet");
        let parts = (0..7).step_by(cut).map(|from| batch.slice(from, cut.min(7 - from)));
        write_file(&path, &batch.schema(), parts, &FileOptions::default()).unwrap();
        written.push(fs::read(&path).unwrap());
    }
    assert!(written.windows(2).all(|pair| pair[0] == pair[1]));
}
