//! Files as other tools write them: codecs, and marks that are not true.

use std::fs;
use std::path::Path;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::file::metadata::SortingColumn;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use dualgauge_connectors::{binding, parquet};
use dualgauge_engine::{Next, Source};

use crate::support::*;

fn write_by(path: &Path, times: impl IntoIterator<Item = i64>, properties: WriterProperties) {
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), schema(), Some(properties)).unwrap();
    writer.write(&rows(times, 0)).unwrap();
    writer.close().unwrap();
}

#[test]
fn pages_of_every_codec_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    for codec in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::BROTLI(Default::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(Default::default()),
    ] {
        write_by(&path, 0..1_000, WriterProperties::builder().set_compression(codec).build());
        let source = parquet::read(&path);
        let partition = source.partitions(&scan()).unwrap().partitions.remove(0);
        assert_eq!(ids(&source, &partition, None, &scan()), (0..1_000).collect::<Vec<_>>(), "{codec}");
    }
}

#[test]
fn a_codec_that_cannot_be_read_is_named_when_the_file_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write_by(&path, 0..10, WriterProperties::builder().set_compression(Compression::UNCOMPRESSED).build());
    let mut bytes = fs::read(&path).unwrap();
    // In the footer, behind the path of a column, the codec: none, which becomes LZO.
    let at = bytes.windows(4).rposition(|bytes| bytes == [b'i', b'd', 0x15, 0x00]).unwrap();
    bytes[at + 3] = 0x06;
    fs::write(&path, bytes).unwrap();
    let error = parquet::read(&path).partitions(&scan()).unwrap_err().to_string();
    assert!(error.contains("a.parquet: row group 0: column `id` is compressed by LZO"), "{error}");
}

#[test]
fn a_mark_of_order_that_lies_is_named_and_need_not_be_believed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let by_time = SortingColumn { column_idx: 0, descending: false, nulls_first: false };
    let properties = || {
        let properties = WriterProperties::builder().set_sorting_columns(Some(vec![by_time.clone()]));
        properties.set_statistics_enabled(EnabledStatistics::Chunk).build()
    };
    // Out of order within a batch, and from one batch of four to the next.
    for (times, row, time, before) in [
        (vec![0, 1, 7, 3, 8, 9], 3, "00.000003", "00.000007"),
        (vec![0, 1, 2, 7, 3, 8, 9], 4, "00.000003", "00.000007"),
    ] {
        write_by(&path, times.clone(), properties());
        let source = binding::source(&format!("parquet:{}", path.display())).unwrap();
        let partition = source.partitions(&scan()).unwrap().partitions.remove(0);
        let mut reader = source.open(&partition, None, &scan()).unwrap();
        let error = loop {
            match reader.next() {
                Ok(Next::Batch(_)) => {}
                Ok(_) => panic!("{times:?} are not in order"),
                Err(error) => break error.to_string(),
            }
        };
        for said in [&format!("row {row} has event time"), time, before, "`sorting_columns`", "`?sorted=false`"] {
            assert!(error.contains(said), "{said}: {error}");
        }
        assert!(!error.contains("statistics"), "{error}");

        let source = binding::source(&format!("parquet:{}?sorted=false", path.display())).unwrap();
        let partition = source.partitions(&scan()).unwrap().partitions.remove(0);
        let batches = drain(source.open(&partition, None, &scan()).unwrap().as_mut());
        assert!(batches.iter().all(|(_, _, bound)| *bound == at(0)), "it waits at the group's smallest time");
        assert_eq!(batches.iter().map(|(rows, ..)| rows.num_rows()).sum::<usize>(), times.len());
    }
    write_by(&path, [0, 1, 1, 5, 9, 9], properties());
    let source = parquet::read(&path);
    let partition = source.partitions(&scan()).unwrap().partitions.remove(0);
    let bounds = drain(source.open(&partition, None, &scan()).unwrap().as_mut());
    assert_eq!(bounds.iter().map(|(_, _, bound)| *bound).collect::<Vec<_>>(), [at(5), at(9)]);
}
