//! Files of very many row groups, and of very many columns.
//!
//! Would catch: a footer that is decoded again for each row group, columns that are decoded though nobody wants them, and
//! memory that holds what is known of all groups at once. What is counted is how many bytes are allocated in all, which
//! is a measure of work that no other process disturbs, and how many are held at most.

use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use dualgauge_connectors::parquet;
use dualgauge_engine::{Basis, EventTime, Next, Offset, Partition, Scan, Source};

#[path = "support/counting.rs"]
mod counting;
use counting::{Taken, alone};

/// The two columns that are wanted, at both ends of the rest.
fn scan() -> Scan {
    let time = Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false);
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), time]));
    Scan { schema, event_time: "time".to_owned(), from: None, to: None, batch_rows: 1024 }
}

/// Writes so many row groups of one row with `unwanted` columns beside the two; a page index only where asked for.
fn write(path: &Path, groups: usize, unwanted: usize, index: bool) {
    let rows = groups as i64;
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(0..rows).with_timezone("UTC"));
    let mut columns = vec![("id".to_owned(), ids.clone())];
    columns.extend((0..unwanted).map(|column| (format!("c{column}"), ids.clone())));
    columns.push(("time".to_owned(), times));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(1));
    let properties = match index {
        true => properties.set_statistics_enabled(EnabledStatistics::Page),
        false => properties.set_statistics_enabled(EnabledStatistics::Chunk).set_offset_index_disabled(true),
    };
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).unwrap();
    // One by one: the library calls itself for each row group that a batch is cut into.
    (0..groups).for_each(|row| writer.write(&batch.slice(row, 1)).unwrap());
    writer.close().unwrap();
}

/// Reads all row groups, each opened alone, as one is after the other in a replay: how many rows, and what it took.
fn read(path: &Path) -> (usize, Taken) {
    counting::taken(|| {
        let source = parquet::read(path);
        let listing = source.partitions(&scan()).unwrap();
        let mut rows = 0;
        for partition in &listing.partitions {
            let mut reader = source.open(partition, None, &scan()).unwrap();
            while let Next::Batch(batch) = reader.next().unwrap() {
                rows += batch.rows.num_rows();
            }
        }
        rows
    })
}

#[test]
fn twice_the_row_groups_are_twice_the_work() {
    let (_alone, dir) = (alone(), tempfile::tempdir().unwrap());
    for index in [false, true] {
        let allocated = [500, 1_000, 2_000].map(|groups| {
            let path = dir.path().join("a.parquet");
            write(&path, groups, 1, index);
            let (rows, taken) = read(&path);
            assert_eq!(rows, groups);
            taken.allocated / groups
        });
        println!("with a page index {index}: {allocated:?} bytes are allocated for each of 500, 1,000, 2,000 groups");
        let [least, .., most] = allocated;
        assert!(most * 10 < least * 11, "with a page index {index}: {allocated:?} bytes a group");
    }
}

#[test]
fn columns_that_nobody_wants_are_not_decoded_with_each_group() {
    let (_alone, dir) = (alone(), tempfile::tempdir().unwrap());
    let path = dir.path().join("a.parquet");
    let allocated = [1, 500].map(|unwanted| {
        write(&path, 100, unwanted, false);
        let (rows, taken) = read(&path);
        assert_eq!(rows, 100);
        taken.allocated / 100
    });
    let footer = std::fs::metadata(&path).unwrap().len() as usize / 100;
    println!("{allocated:?} bytes are allocated for a group of 3 and of 502 columns, which has {footer} in the file");
    let [few, many] = allocated;
    assert!(many < few + 3 * footer, "{allocated:?} bytes a group, of {footer} in the file");
}

/// The library counts row groups in 16 bits, and other writers do not.
#[test]
fn a_file_of_thirty_three_thousand_row_groups_is_read_and_held_in_little_memory() {
    let (_alone, dir) = (alone(), tempfile::tempdir().unwrap());
    let path = dir.path().join("a.parquet");
    write(&path, 1, 1, false);
    let whole = std::fs::read(&path).unwrap();
    let tail = whole.len() - 8;
    let footer_at = tail - u32::from_le_bytes(whole[tail..tail + 4].try_into().unwrap()) as usize;
    let footer = &whole[footer_at..tail];
    // The list of row groups, of one struct that begins with a list of three; it ends where its number in the file stands.
    let list = footer.windows(4).position(|bytes| bytes == [0x19, 0x1c, 0x19, 0x3c]).unwrap();
    let end = list + footer[list..].windows(4).position(|bytes| bytes == [0x14, 0x00, 0x00, 0x19]).unwrap() + 3;
    let group = &footer[list + 2..end];
    const GROUPS: usize = 33_000;
    let count = [0x19, 0xfc, (GROUPS & 0x7f) as u8 | 0x80, (GROUPS >> 7 & 0x7f) as u8 | 0x80, (GROUPS >> 14) as u8];
    let footer = [&footer[..list], &count, &group.repeat(GROUPS), &footer[end..]].concat();
    let bytes = [&whole[..footer_at], &footer, &(footer.len() as u32).to_le_bytes(), b"PAR1"].concat();
    std::fs::write(&path, bytes).unwrap();

    let (rows, taken) = read(&path);
    assert_eq!(rows, GROUPS);
    let beyond = taken.held.saturating_sub(footer.len());
    println!(
        "{} bytes of footer; {} bytes held at most, {} beyond it for a group",
        footer.len(),
        taken.held,
        beyond / GROUPS
    );
    assert!(beyond < 500 * GROUPS, "{} bytes are held for a group", beyond / GROUPS);
}

/// The times of the rows that partitions give from `offset` on, and the bound behind each batch.
fn times(source: &parquet::ParquetSource, partition: &Partition, offset: Option<&Offset>, scan: &Scan) -> Vec<Given> {
    let mut reader = source.open(partition, offset, scan).unwrap();
    let mut given = Vec::new();
    while let Next::Batch(batch) = reader.next().unwrap() {
        let times =
            batch.rows.column_by_name("time").unwrap().as_primitive::<TimestampMicrosecondType>().values().to_vec();
        given.push(Given { times, offset: batch.offset_after, bound: batch.bound_after.unwrap() });
    }
    given
}

struct Given {
    times: Vec<i64>,
    offset: Offset,
    bound: EventTime,
}

#[test]
fn runs_of_small_row_groups_give_every_row_once_from_any_offset_and_say_what_is_still_to_come() {
    const GROUPS: usize = 300;
    let (_alone, dir) = (alone(), tempfile::tempdir().unwrap());
    let path = dir.path().join("a.parquet");
    for index in [false, true] {
        write(&path, GROUPS, 0, index);
        let source = parquet::read(&path);
        let scan = Scan { batch_rows: 7, ..scan() };
        let listing = source.partitions(&scan).unwrap();
        assert_eq!(listing.partitions.len(), 1, "with a page index {index}");
        let partition = &listing.partitions[0];
        assert_eq!((&*partition.id.0, partition.rows), ("a.parquet#0-299", Some(GROUPS as u64)));
        assert!(listing.notes.iter().any(|note| note.contains("300 row groups")), "{:?}", listing.notes);
        let all = times(&source, partition, None, &scan);
        assert!(all.iter().flat_map(|given| &given.times).copied().eq(0..GROUPS as i64));
        // It resumes behind any batch, and its bound is the time of the next row.
        for given in &all {
            let next = given.times.last().unwrap() + 1;
            let rest = times(&source, partition, Some(&given.offset), &scan);
            assert!(rest.iter().flat_map(|given| &given.times).copied().eq(next..GROUPS as i64), "from {next}");
            let end = next == GROUPS as i64;
            assert_eq!(given.bound, if end { EventTime::MAX } else { EventTime::from_micros(next) });
        }
        // Groups that are not wanted are not read.
        for (from, to) in [(None, Some(50)), (Some(250), None), (Some(100), Some(120)), (Some(299), Some(300))] {
            let scan =
                Scan { from: from.map(EventTime::from_micros), to: to.map(EventTime::from_micros), ..scan.clone() };
            let all = times(&source, partition, None, &scan);
            let wanted = from.unwrap_or(0)..to.unwrap_or(GROUPS as i64);
            assert!(all.iter().flat_map(|given| &given.times).copied().eq(wanted.clone()), "{wanted:?}");
        }
    }
}

#[test]
fn a_damaged_group_of_a_run_is_told_by_the_run_and_the_row_before_it() {
    let (_alone, dir) = (alone(), tempfile::tempdir().unwrap());
    let path = dir.path().join("a.parquet");
    write(&path, 200, 0, false);
    let mut bytes = std::fs::read(&path).unwrap();
    let pages = 4..2_000; // of the first groups
    bytes[pages].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let source = parquet::read(&path);
    let partition = source.partitions(&scan()).unwrap().partitions.remove(0);
    let opened = source.open(&partition, None, &scan());
    let error = opened.and_then(|mut reader| reader.next().map(drop)).unwrap_err().to_string();
    assert!(error.contains("file a.parquet: row groups 0-199"), "{error}");
}

#[test]
fn the_partitions_of_a_file_do_not_depend_on_which_columns_are_wanted() {
    let (_alone, dir) = (alone(), tempfile::tempdir().unwrap());
    let path = dir.path().join("a.parquet");
    for unwanted in [0, 3, 400] {
        write(&path, 600, unwanted, false);
        let names = |columns: &[&str]| {
            let both = scan().schema;
            let fields = both.fields().iter().filter(|field| columns.contains(&field.name().as_str())).cloned();
            let all = (0..unwanted).filter(|_| columns.contains(&"all"));
            let rest = all.map(|column| Arc::new(Field::new(format!("c{column}"), DataType::Int64, false)));
            let schema = Arc::new(Schema::new(fields.chain(rest).collect::<Vec<_>>()));
            let listing = parquet::read(&path).partitions(&Scan { schema, ..scan() }).unwrap();
            listing.partitions.into_iter().map(|partition| partition.id).collect::<Vec<_>>()
        };
        let partitions = names(&["time"]);
        assert_eq!(partitions, names(&["id", "time"]), "{unwanted} others");
        assert_eq!(partitions, names(&["id", "time", "all"]), "{unwanted} others");
        // A run of wide groups ends where their part of the footer is large.
        assert_eq!(partitions.len() > 1, unwanted == 400, "{}", partitions.len());
    }
}

#[test]
fn a_checkpoint_from_before_runs_is_taken_where_no_file_has_any() {
    let (_alone, dir) = (alone(), tempfile::tempdir().unwrap());
    let path = dir.path().join("a.parquet");
    for (groups, taken) in [(127, true), (128, false)] {
        write(&path, groups, 0, false);
        let source = parquet::read(&path);
        let before = Basis::new().with("format", "parquet");
        let changes = before.changes(&source.basis());
        assert_eq!(changes.len(), 1);
        assert_eq!(source.takes(&changes[0]), taken, "{groups} groups");
    }
}
