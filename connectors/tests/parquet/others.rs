//! Files as other tools write them: codecs, and marks that are not true.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::file::metadata::SortingColumn;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, FixedSizeListArray, Int64Array, ListArray, RecordBatch, StructArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::Field;
use dualgauge_connectors::{binding, csv, json, parquet};
use dualgauge_engine::{Decimal, EventTime, Next, Record, Scan, Source, record};

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

#[record]
struct Sale {
    price: Decimal<2>,
    #[event_time]
    time: EventTime,
}

fn sales(source: &dyn Source) -> Result<Vec<String>, String> {
    let scan = Scan { schema: Sale::schema(), ..scan() };
    let mut rows = Vec::new();
    for partition in source.partitions(&scan).map_err(|error| error.to_string())?.partitions {
        let mut reader = source.open(&partition, None, &scan).map_err(|error| error.to_string())?;
        loop {
            match reader.next().map_err(|error| error.to_string())? {
                Next::Batch(batch) => Sale::decode(&batch.rows, &mut rows).map_err(|error| error.to_string())?,
                Next::End => break,
                _ => return Err("a bad record".to_string()),
            }
        }
    }
    Ok(rows.iter().map(|row| row.data.price.to_string()).collect())
}

#[test]
fn decimals_of_every_physical_type_are_read_exactly_and_written_by_their_scale() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let time = || -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![1, 2]).with_timezone("UTC")) };
    for (precision, scale, units, expected) in [
        (9, 2, vec![1990, -5], Ok(vec!["19.90", "-0.05"])),       // INT32
        (18, 4, vec![199_000, -500], Ok(vec!["19.90", "-0.05"])), // INT64
        (38, 0, vec![7, 10_i128.pow(35)], Ok(vec!["7.00", "100000000000000000000000000000000000.00"])), // fixed bytes
        (9, 3, vec![1000, 1995], Err("row 1: found 1.995")),
    ] {
        let prices = Decimal128Array::from(units).with_precision_and_scale(precision, scale).unwrap();
        let batch = RecordBatch::try_from_iter([("price", Arc::new(prices) as ArrayRef), ("time", time())]).unwrap();
        parquet::write_file(&path, &batch.schema(), [batch], &parquet::FileOptions::default()).unwrap();
        match (sales(&parquet::read(&path)), expected) {
            (Ok(read), Ok(expected)) => assert_eq!(read, expected),
            (Err(error), Err(said)) => assert!(error.contains(said), "{error}"),
            (read, expected) => panic!("{read:?} instead of {expected:?}"),
        }
    }
    let sale = Sale { price: "1.5".parse().unwrap(), time: at(1) };
    let rows = Sale::encode([&sale].into_iter());
    parquet::write_file(&path, &rows.schema(), [rows], &parquet::FileOptions::default()).unwrap();
    assert_eq!(sales(&parquet::read(&path)).unwrap(), ["1.50"]);
}

#[test]
fn lists_of_every_kind_are_lists() {
    #[record]
    struct Row {
        inner: Part,
        lists: Vec<Vec<i64>>,
        #[event_time]
        time: EventTime,
    }
    #[record]
    struct Part {
        list: Vec<i64>,
    }
    let numbers = |count: i64| Arc::new(Int64Array::from_iter_values(0..count)) as ArrayRef;
    let item = |of: &ArrayRef| Arc::new(Field::new_list_field(of.data_type().clone(), false));
    let fixed = |of: ArrayRef, length: i32| Arc::new(FixedSizeListArray::new(item(&of), length, of, None)) as ArrayRef;
    let list = |of: ArrayRef, length: usize| {
        let offsets = OffsetBuffer::from_repeated_length(length, of.len() / length);
        Arc::new(ListArray::new(item(&of), offsets, of, None)) as ArrayRef
    };
    let time = || Arc::new(TimestampMicrosecondArray::from(vec![1, 2]).with_timezone("UTC")) as ArrayRef;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    for (list, lists) in [
        (list(numbers(4), 2), list(list(numbers(8), 2), 2)),
        (fixed(numbers(4), 2), fixed(fixed(numbers(8), 2), 2)),
        (fixed(numbers(4), 2), fixed(list(numbers(8), 2), 2)),
        (list(numbers(4), 2), list(fixed(numbers(8), 2), 2)),
    ] {
        let inner = StructArray::from(vec![(Arc::new(Field::new("list", list.data_type().clone(), false)), list)]);
        let columns = [("inner", Arc::new(inner) as ArrayRef), ("lists", lists), ("time", time())];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        parquet::write_file(&path, &batch.schema(), [batch], &parquet::FileOptions::default()).unwrap();
        let (source, scan) = (parquet::read(&path), Scan { schema: Row::schema(), ..scan() });
        let partition = source.partitions(&scan).unwrap().partitions.remove(0);
        let (mut rows, mut reader) = (Vec::new(), source.open(&partition, None, &scan).unwrap());
        while let Next::Batch(batch) = reader.next().unwrap() {
            Row::decode(&batch.rows, &mut rows).unwrap();
        }
        let read: Vec<_> = rows.into_iter().map(|row| (row.data.inner.list, row.data.lists)).collect();
        assert_eq!(read, [(vec![0, 1], vec![vec![0, 1], vec![2, 3]]), (vec![2, 3], vec![vec![4, 5], vec![6, 7]])]);
    }
}

#[test]
fn decimals_are_read_from_text_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name)
    };
    let time = "1970-01-01T00:00:01Z";
    let csv = |price: &str| sales(&csv::read(write("a.csv", &format!("price,time\n{price},{time}\n"))));
    let json =
        |price: &str| sales(&json::read(write("a.json", &format!("{{\"price\":{price},\"time\":\"{time}\"}}\n"))));
    for read in [csv("19.9"), json("19.9"), json("\"19.90\""), json("199e-1")] {
        assert_eq!(read.unwrap(), ["19.90"]);
    }
    for read in [csv("19.905"), json("19.905"), csv("x"), json("true")] {
        assert_eq!(read.unwrap_err(), "a bad record");
    }
}

#[record]
struct Lists {
    #[event_time]
    time: EventTime,
    ids: Option<Vec<i64>>,
    names: Option<Vec<String>>,
    parts: Option<Vec<Pair>>,
    tuples: Option<Vec<Single>>,
    bags: Option<Vec<Option<i64>>>,
    plain: Vec<i64>,
}

#[record]
struct Pair {
    a: i64,
    b: Option<i64>,
}

#[record]
struct Single {
    a: i64,
}

/// Lists in two levels, as parquet-avro, parquet-thrift and old Spark wrote them, in Hive's three, and a field that is only
/// repeated. Row by row they have two elements, none, no list, and one.
const LISTS: &str = "message m {
    required int64 time (TIMESTAMP(MICROS,true));
    optional group ids (LIST) { repeated int64 array; }
    optional group names (LIST) { repeated binary array (UTF8); }
    optional group parts (LIST) { repeated group array { required int64 a; optional int64 b; } }
    optional group tuples (LIST) { repeated group tuples_tuple { required int64 a; } }
    optional group bags (LIST) { repeated group bag { optional int64 array_element; } }
    repeated int64 plain;
}";

#[test]
fn lists_of_two_levels_are_read_as_the_lists_that_they_are() {
    use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use ::parquet::file::writer::SerializedFileWriter;
    use ::parquet::schema::parser::parse_message_type;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let schema = Arc::new(parse_message_type(LISTS).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(fs::File::create(&path).unwrap(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let (again, two, three) = (&[0, 1, 0, 0, 0][..], &[2, 2, 1, 0, 2][..], &[3, 2, 1, 0, 3][..]);
    type Levels<'a> = Option<(&'a [i16], &'a [i16])>;
    let numbers: [(&[i64], Levels<'_>); 8] = [
        (&[1, 2, 3, 4], None),
        (&[1, 2, 3], Some((two, again))),
        (&[], None), // the names
        (&[1, 2, 3], Some((two, again))),
        (&[10, 30], Some((three, again))),
        (&[1, 2, 3], Some((two, again))),
        (&[1, 3], Some((three, again))),
        (&[1, 2, 3], Some((&[1, 1, 0, 0, 1][..], again))),
    ];
    for (values, levels) in numbers {
        let mut leaf = group.next_column().unwrap().unwrap();
        if values.is_empty() {
            let names = ["a", "b", "c"].map(ByteArray::from);
            leaf.typed::<ByteArrayType>().write_batch(&names, Some(two), Some(again)).unwrap();
        } else {
            let (definition, repetition) = levels.unzip();
            leaf.typed::<Int64Type>().write_batch(values, definition, repetition).unwrap();
        }
        leaf.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();

    let row = |time, all: Option<[&[i64]; 2]>| {
        let [values, others] = all.unwrap_or_default();
        let of = |is_there: bool| is_there.then_some(());
        let there = of(all.is_some());
        let other = |at: usize| others.get(at).copied().filter(|other| *other > 0);
        let names = |value: &i64| ["a", "b", "c"][*value as usize - 1].to_string();
        Lists {
            time: at(time),
            ids: there.map(|()| values.to_vec()),
            names: there.map(|()| values.iter().map(names).collect()),
            parts: there.map(|()| values.iter().enumerate().map(|(at, a)| Pair { a: *a, b: other(at) }).collect()),
            tuples: there.map(|()| values.iter().map(|a| Single { a: *a }).collect()),
            bags: there.map(|()| values.iter().enumerate().map(|(at, a)| other(at).map(|_| *a)).collect()),
            plain: values.to_vec(),
        }
    };
    let expected =
        [row(1, Some([&[1, 2], &[10, 0]])), row(2, Some([&[], &[]])), row(3, None), row(4, Some([&[3], &[30]]))];
    let scan = Scan { schema: Lists::wanted(), ..scan() };
    let source = parquet::read(&path);
    let partition = source.partitions(&scan).unwrap().partitions.remove(0);
    let mut rows = Vec::new();
    for (batch, ..) in drain(source.open(&partition, None, &scan).unwrap().as_mut()) {
        Lists::decode(&batch, &mut rows).unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(rows.into_iter().map(|row| row.data).collect::<Vec<_>>(), expected);
}
