//! What becomes visible, when, and in which bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use ::parquet::file::reader::{FileReader, SerializedFileReader};
use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use dualgauge_connectors::parquet::{self, ParquetSink};
use dualgauge_engine::sink::{Prepared, Writing};
use dualgauge_engine::{Durations, Epoch, EventTime, Sink, SinkWriter, Source};

use crate::support::*;

/// Files of ten microseconds in one bucket.
fn sink(dir: &Path) -> ParquetSink {
    parquet::write(dir).span(10.micros()).buckets(1).row_group_rows(50)
}

fn opened(sink: &ParquetSink) -> Box<dyn SinkWriter> {
    sink.check(&schema(), &Writing::default()).unwrap();
    let mut writer = sink.open(0, &schema(), &Writing::default()).unwrap();
    writer.recover(&[]).unwrap();
    writer
}

fn put(writer: &mut dyn SinkWriter, rows: &RecordBatch) {
    let times = rows.column(0).as_any().downcast_ref::<arrow_array::TimestampMicrosecondArray>().unwrap();
    let times: Vec<_> = times.values().iter().map(|micros| at(*micros)).collect();
    writer.write(&times, rows).unwrap();
}

fn publish(writer: &mut dyn SinkWriter, epoch: u64, watermark: EventTime) {
    let prepared = writer.prepare(Epoch(epoch), watermark).unwrap();
    writer.commit(Epoch(epoch), &prepared).unwrap();
}

/// The visible files and what is in them.
fn visible(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    files.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn staged(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir.join(".staging")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_span_becomes_visible_whole_when_the_watermark_has_passed_it() {
    // A file in an output directory is whole.
    let dir = tempfile::tempdir().unwrap();
    let sink = sink(dir.path());
    let mut writer = opened(&sink);
    put(writer.as_mut(), &rows([0, 3, 9, 10, 12], 0));
    publish(writer.as_mut(), 0, at(9));
    assert!(visible(dir.path()).is_empty());

    let prepared = writer.prepare(Epoch(1), at(10)).unwrap();
    assert!(visible(dir.path()).is_empty(), "prepared is not visible");
    writer.commit(Epoch(1), &prepared).unwrap();
    assert_eq!(visible(dir.path()).keys().collect::<Vec<_>>(), ["19700101T000000Z-b0.parquet"]);

    publish(writer.as_mut(), 2, EventTime::MAX);
    drop(writer);
    sink.finish(&schema(), &Writing::default(), &[]).unwrap();
    assert!(!dir.path().join(".staging").exists());
    let source = parquet::read(dir.path());
    let listing = source.partitions(&scan()).unwrap();
    assert_eq!(names(&listing.partitions), ["19700101T000000Z-b0.parquet#0", "19700101T000000.00001Z-b0.parquet#0"]);
    assert_eq!(ids(&source, &listing.partitions[0], None, &scan()), [0, 1, 2]);
    assert_eq!(ids(&source, &listing.partitions[1], None, &scan()), [3, 4]);
}

#[test]
fn a_run_without_rows_into_a_directory_that_is_not_there_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let sink = sink(&out);
    sink.check(&schema(), &Writing::default()).unwrap();
    sink.finish(&schema(), &Writing::default(), &[]).unwrap(); // no bucket was opened, since there was no row for any
    assert!(!out.exists(), "nothing was written");
}

#[test]
fn the_same_rows_give_the_same_bytes_however_they_come() {
    // The same rows are the same bytes.
    let times = || (0..20_000).map(|row| row / 7);
    let all = rows(times(), 0);
    let write = |order: &dyn Fn(&mut dyn SinkWriter)| {
        let dir = tempfile::tempdir().unwrap();
        let sink = parquet::write(dir.path()).span(1.hours()).buckets(1).row_group_rows(15_000);
        let mut writer = opened(&sink);
        order(writer.as_mut());
        publish(writer.as_mut(), 9, EventTime::MAX);
        visible(dir.path())
    };
    let expected = write(&|writer| put(writer, &all));
    assert_eq!(expected.len(), 1);
    for size in [1_111, 8_192, 19_999] {
        let pieces = |writer: &mut dyn SinkWriter| {
            for start in (0..20_000).step_by(size) {
                put(writer, &all.slice(start, size.min(20_000 - start)));
            }
        };
        assert!(write(&pieces) == expected, "pieces of {size}");
    }
    let stragglers = |writer: &mut dyn SinkWriter| {
        put(writer, &all.slice(9_001, 3_000));
        put(writer, &all.slice(0, 4_000));
        put(writer, &all.slice(12_001, 7_999));
        put(writer, &all.slice(6_000, 3_001));
        put(writer, &all.slice(4_000, 2_000));
    };
    assert!(write(&stragglers) == expected, "with stragglers");
    let many_stragglers = rows((0..200_000).map(|row| row / 3), 0);
    let straight = write(&|writer| put(writer, &many_stragglers));
    let backwards = |writer: &mut dyn SinkWriter| {
        for start in (0..10).rev() {
            put(writer, &many_stragglers.slice(start * 20_000, 20_000));
        }
    };
    assert!(write(&backwards) == straight, "with more stragglers than are kept in memory");
    let reversed_ties = |writer: &mut dyn SinkWriter| {
        let rows: Vec<_> = (0..7).rev().map(|row| all.slice(row, 1)).collect();
        put(writer, &arrow_select::concat::concat_batches(&schema(), &rows).unwrap());
        put(writer, &all.slice(7, 19_993));
    };
    assert!(write(&reversed_ties) == expected, "with equal times in another order");
}

#[test]
fn many_spans_that_are_open_at_once_become_the_same_files_as_one_after_the_other() {
    // The same rows are the same bytes.
    const SPANS: i64 = 150;
    let numbered = |times: &mut dyn Iterator<Item = i64>| {
        let times: Vec<_> = times.collect();
        let rows = rows(times.iter().copied(), 0);
        RecordBatch::try_new(schema(), vec![rows.column(0).clone(), Arc::new(Int64Array::from(times))]).unwrap()
    };
    let half = |span: i64, half: i64| (0..4).map(move |row| span * 10 + half * 5 + row);
    let write = |writing: &Writing, at_once: bool| {
        let dir = tempfile::tempdir().unwrap();
        let sink = sink(dir.path());
        sink.check(&schema(), writing).unwrap();
        let mut writer = sink.open(0, &schema(), writing).unwrap();
        writer.recover(&[]).unwrap();
        match at_once {
            true => (0..2).for_each(|part| {
                put(writer.as_mut(), &numbered(&mut (0..SPANS).flat_map(|span| half(span, part))));
                publish(writer.as_mut(), part as u64, EventTime::MIN);
            }),
            false => (0..SPANS).for_each(|span| {
                put(writer.as_mut(), &numbered(&mut half(span, 0).chain(half(span, 1))));
                publish(writer.as_mut(), span as u64, at(10 * (span + 1)));
            }),
        }
        publish(writer.as_mut(), 999, EventTime::MAX);
        visible(dir.path()).into_iter().filter(|(name, _)| !name.starts_with('.')).collect::<BTreeMap<_, _>>()
    };
    let job = Writing::of("j", 1);
    let expected = write(&Writing::default(), false);
    assert_eq!(expected.len(), SPANS as usize);
    assert!(write(&Writing::default(), true) == expected, "without checkpoints");
    assert!(write(&job, true) == expected, "with checkpoints");
}

#[test]
fn pages_of_long_texts_end_where_they_always_do() {
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, false)]));
    let texts: StringArray = (0..6_000).map(|row: u64| Some(format!("{row:>300}"))).collect();
    let all = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(texts)]).unwrap();
    let write = |size: usize| {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = parquet::write(dir.path()).open(0, &schema, &Writing::default()).unwrap();
        for start in (0..6_000).step_by(size) {
            let rows = all.slice(start, size.min(6_000 - start));
            let times: Vec<_> = (start..start + rows.num_rows()).map(|row| at(row as i64 / 1_000)).collect();
            writer.write(&times, &rows).unwrap();
        }
        publish(writer.as_mut(), 0, EventTime::MAX);
        visible(dir.path())
    };
    assert!(write(777) == write(6_000));
}

#[test]
fn rows_for_a_published_span_go_to_a_supplement() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = opened(&sink(dir.path()));
    put(writer.as_mut(), &rows([1], 0));
    publish(writer.as_mut(), 0, at(10));
    let before = visible(dir.path());
    put(writer.as_mut(), &rows([2], 1));
    publish(writer.as_mut(), 1, at(10));
    put(writer.as_mut(), &rows([3], 2));
    publish(writer.as_mut(), 2, at(10));
    let after = visible(dir.path());
    let names = ["19700101T000000Z-b0.parquet", "19700101T000000Z-b0.s1.parquet", "19700101T000000Z-b0.s2.parquet"];
    assert_eq!(after.keys().collect::<Vec<_>>(), names);
    assert_eq!(after[names[0]], before[names[0]]);
}

#[test]
fn what_was_not_committed_is_never_seen_and_is_cleared_away() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = opened(&sink(dir.path()));
    put(writer.as_mut(), &rows([1, 15], 0));
    drop(writer);
    assert!(visible(dir.path()).is_empty());
    assert_eq!(staged(dir.path()), [""; 0]);

    // A process that is killed drops nothing.
    let mut writer = opened(&sink(dir.path()));
    put(writer.as_mut(), &rows([1, 15], 0));
    std::mem::forget(writer);
    assert_eq!(staged(dir.path()).len(), 4);
    let writer = opened(&sink(dir.path()));
    assert_eq!(staged(dir.path()), [""; 0]);
    drop(writer);
    assert!(visible(dir.path()).is_empty());
}

#[test]
fn what_was_prepared_is_published_by_another_generation_once() {
    let dir = tempfile::tempdir().unwrap();
    let sink = sink(dir.path());
    let mut writer = opened(&sink);
    put(writer.as_mut(), &rows([1, 15, 25], 0));
    let prepared = writer.prepare(Epoch(3), at(20)).unwrap();
    std::mem::forget(writer);

    sink.open(0, &schema(), &Writing::default())
        .unwrap()
        .recover(&[Prepared { epoch: Epoch(3), bytes: prepared.to_vec() }])
        .unwrap();
    let published = visible(dir.path());
    assert_eq!(published.len(), 2);
    let mut again = sink.open(0, &schema(), &Writing::default()).unwrap();
    again.recover(&[Prepared { epoch: Epoch(3), bytes: prepared.to_vec() }]).unwrap();
    again.commit(Epoch(3), &prepared).unwrap();
    assert_eq!(visible(dir.path()), published);

    fs::write(dir.path().join("19700101T000000Z-b0.parquet"), "another's").unwrap();
    let error = again.recover(&[Prepared { epoch: Epoch(3), bytes: prepared.to_vec() }]).unwrap_err().to_string();
    assert!(error.contains("19700101T000000Z-b0.parquet is another file"), "{error}");
    fs::remove_file(dir.path().join("19700101T000000Z-b0.parquet")).unwrap();
    let error = again.recover(&[Prepared { epoch: Epoch(3), bytes: prepared.to_vec() }]).unwrap_err().to_string();
    assert!(error.contains("was prepared to be published") && error.contains("neither is there"), "{error}");
    assert!(
        again
            .recover(&[Prepared { epoch: Epoch(3), bytes: [9].to_vec() }])
            .unwrap_err()
            .to_string()
            .contains("format 9")
    );
}

#[test]
fn a_directory_that_holds_something_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = opened(&sink(dir.path()));
    put(writer.as_mut(), &rows([1], 0));
    publish(writer.as_mut(), 0, EventTime::MAX);
    drop(writer);

    let refused = |sink: ParquetSink| sink.check(&schema(), &Writing::default()).unwrap_err().to_string();
    let error = refused(sink(dir.path()));
    assert!(error.contains("is not empty") && error.contains("19700101T000000Z-b0.parquet"), "{error}");
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    let error = refused(sink(dir.path()).overwrite(true));
    assert!(error.contains("notes.txt"), "{error}");
    assert_eq!(visible(dir.path()).len(), 2, "nothing was removed");

    fs::remove_file(dir.path().join("notes.txt")).unwrap();
    let before = visible(dir.path());
    let over = sink(dir.path()).overwrite(true);
    let mut writer = opened(&over);
    let claim = over.claim(&schema(), &Writing::default()).unwrap();
    assert_eq!(visible(dir.path()).len(), 1 + before.len(), "the record of who writes here came");
    drop(writer);
    writer = over.open(0, &schema(), &Writing::default()).unwrap();
    put(writer.as_mut(), &rows([10_000_000_001], 0));
    publish(writer.as_mut(), 0, EventTime::MAX);
    drop(writer);
    assert!(before.keys().all(|name| visible(dir.path()).get(name) == before.get(name)), "until the run has ended");
    over.finish(&schema(), &Writing::default(), &[]).unwrap();
    drop(claim);
    let after = visible(dir.path());
    assert_eq!(after.keys().collect::<Vec<_>>(), ["19700101T024640Z-b0.parquet"]);
    assert!(!dir.path().join(".staging").exists());
}

#[test]
fn a_start_that_a_younger_one_has_overtaken_overwrites_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let sink = sink(dir.path()).overwrite(true);
    let start = |generation| Writing::of("mine", generation);
    for generation in [1, 2] {
        sink.check(&schema(), &start(generation)).unwrap();
        sink.claim(&schema(), &start(generation)).unwrap();
    }
    let mut younger = sink.open(0, &schema(), &start(2)).unwrap();
    younger.recover(&[]).unwrap();
    put(younger.as_mut(), &rows([1], 0));
    publish(younger.as_mut(), 0, EventTime::MAX);
    let published = visible(dir.path());
    let error = sink.check(&schema(), &start(1)).unwrap_err().to_string();
    assert!(error.contains("a younger start has overtaken it"), "{error}");
    assert_eq!(visible(dir.path()), published);
    assert!(!published.is_empty());
}

#[test]
fn times_at_both_ends_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let sink = parquet::write(dir.path()).buckets(1);
    let mut writer = opened(&sink);
    put(writer.as_mut(), &rows([i64::MIN, -1, 0, i64::MAX], 0));
    publish(writer.as_mut(), 0, EventTime::MAX);
    let source = parquet::read(dir.path());
    let listing = source.partitions(&scan()).unwrap();
    assert_eq!(listing.partitions.len(), 4);
    let all: Vec<_> = listing.partitions.iter().flat_map(|p| ids(&source, p, None, &scan())).collect();
    assert_eq!(all, [0, 1, 2, 3]);
}

#[test]
fn thousands_of_row_groups_within_one_piece_of_rows_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    for group in [1, 7] {
        write(&path, 0..5_000, group, 1);
        let file = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        assert_eq!(file.metadata().num_row_groups(), 5_000_usize.div_ceil(group));
        let listing = parquet::read(&path).partitions(&scan()).unwrap();
        assert_eq!(listing.partitions.iter().filter_map(|partition| partition.rows).sum::<u64>(), 5_000);
    }
}
