//! What is listed and read of good files.

use std::fs;

use dualgauge_connectors::parquet;
use dualgauge_engine::{EventTime, Scan, Source};

use crate::support::{self, *};

#[test]
fn row_groups_come_in_the_order_of_their_times_not_of_their_files() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("day")).unwrap();
    write(&dir.path().join("a.parquet"), [50, 40, 10, 20, 30, 30], 2, 2);
    write(&dir.path().join("day/b.parquet"), [0, 100, 10, 11], 2, 2);
    fs::create_dir(dir.path().join(".staging")).unwrap();
    write(&dir.path().join(".staging/c.parquet"), [1], 2, 2);
    write(&dir.path().join("_d.parquet"), [1], 2, 2);

    let listing = parquet::read(dir.path()).partitions(&scan()).unwrap();
    let expected = ["day/b.parquet#0", "a.parquet#1", "day/b.parquet#1", "a.parquet#2", "a.parquet#0"];
    assert_eq!(names(&listing.partitions), expected);
    let ranges: Vec<_> = listing.partitions.iter().map(|p| (p.bound.unwrap(), p.upper.unwrap())).collect();
    assert_eq!(ranges, [(0, 100), (10, 20), (10, 11), (30, 30), (40, 50)].map(|(a, b)| (at(a), at(b))));
    assert_eq!(listing.notes.len(), 1);
    assert!(listing.notes[0].contains("1 has a name that begins with `.` or `_`: _d.parquet"), "{:?}", listing.notes);
    assert!(listing.partitions.iter().all(|p| p.rows == Some(2) && p.bytes.unwrap() > 0 && !p.followed));
}

#[test]
fn what_lies_outside_the_range_is_pruned_and_never_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write(&path, 0..30, 10, 10);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4..40].fill(0xff); // the first row group's pages
    fs::write(&path, bytes).unwrap();

    let source = parquet::read(&path);
    let scan = Scan { from: Some(at(10)), to: Some(at(20)), ..scan() };
    let listing = source.partitions(&scan).unwrap();
    assert_eq!(names(&listing.partitions), ["a.parquet#1"]);
    assert_eq!(names(&listing.pruned), ["a.parquet#0", "a.parquet#2"]);
    assert_eq!(ids(&source, &listing.partitions[0], None, &scan), (10..20).collect::<Vec<_>>());

    let all = support::scan();
    let error = source.open(&listing.pruned[0], None, &all).and_then(|mut reader| reader.next());
    let error = error.expect_err("the group is damaged").to_string();
    assert!(error.contains("a.parquet: row group 0"), "{error}");
}

#[test]
fn an_event_time_that_stands_in_the_path_prunes_whole_files() {
    let dir = tempfile::tempdir().unwrap();
    let day = |text: &str| format!("{text}T00:00:00Z").parse::<EventTime>().unwrap();
    let days = ["2026-01-03", "2026-01-01", "2026-01-02"];
    for (number, name) in days.iter().enumerate() {
        fs::create_dir(dir.path().join(format!("time={name}"))).unwrap();
        // Times of the file itself are not asked for: the directory says it.
        write(&dir.path().join(format!("time={name}/a.parquet")), [number as i64; 5], 2, 2);
    }
    let source = parquet::read(dir.path()).hive(true);
    let listing = source.partitions(&scan()).unwrap();
    let bounds: Vec<_> = listing.partitions.iter().map(|partition| partition.bound.unwrap()).collect();
    let expected = ["2026-01-01", "2026-01-02", "2026-01-03"].map(|name| [day(name); 3]).concat();
    assert_eq!(bounds, expected, "in the order of their days");
    let scan = Scan { from: Some(day("2026-01-02")), to: Some(day("2026-01-03")), ..scan() };
    let listing = source.partitions(&scan).unwrap();
    assert_eq!((listing.partitions.len(), listing.pruned.len()), (3, 6));
    let mut seen = 0;
    for partition in &listing.partitions {
        assert_eq!((partition.bound, partition.upper), (Some(day("2026-01-02")), Some(day("2026-01-02"))));
        for (rows, _, bound) in drain(source.open(partition, None, &scan).unwrap().as_mut()) {
            assert_eq!(bound, day("2026-01-02"));
            seen += rows.num_rows();
        }
    }
    assert_eq!(seen, 5);
}

#[test]
fn reading_goes_on_behind_any_offset() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    for page in [1, 3, 100] {
        write(&path, 0..20, 100, page);
        let source = parquet::read(&path);
        let partition = source.partitions(&scan()).unwrap().partitions.remove(0);
        for batch_rows in [1, 3, 7, 100] {
            let scan = Scan { batch_rows, ..scan() };
            let mut seen = 0;
            for (rows, offset, bound) in drain(source.open(&partition, None, &scan).unwrap().as_mut()) {
                seen += rows.num_rows() as i64;
                assert_eq!(offset.position, seen as u64);
                assert!(bound <= at(seen) || seen == 20, "after {seen} rows the bound is {bound}");
                assert_eq!(ids(&source, &partition, Some(&offset), &scan), (seen..20).collect::<Vec<_>>());
            }
            assert_eq!(seen, 20);
        }
    }
}

#[test]
fn the_bound_rises_with_the_pages_of_a_row_group() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write(&path, [0, 3, 8, 9, 1, 4, 6, 5, 8, 7, 20, 10], 100, 2);
    let source = parquet::read(&path);
    let partition = source.partitions(&scan()).unwrap().partitions.remove(0);
    let scan = Scan { batch_rows: 3, ..scan() };
    let batches = drain(source.open(&partition, None, &scan).unwrap().as_mut());
    let bounds: Vec<_> = batches.iter().map(|(_, offset, bound)| (offset.position, *bound)).collect();
    assert_eq!(bounds[..3], [(3, at(1)), (6, at(5)), (9, at(7))]);
}

#[test]
fn pages_outside_what_is_wanted_of_a_group_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write(&path, 0..40, 100, 4);
    let source = parquet::read(&path);
    let ranged = Scan { from: Some(at(10)), ..scan() };
    let mut partition = source.partitions(&ranged).unwrap().partitions.remove(0);
    assert_eq!(ids(&source, &partition, None, &ranged), (8..40).collect::<Vec<_>>());
    (partition.from, partition.to) = (Some(at(5)), Some(at(21)));
    assert_eq!(ids(&source, &partition, None, &ranged), (8..24).collect::<Vec<_>>());
    assert_eq!(ids(&source, &partition, None, &scan()), (4..24).collect::<Vec<_>>());
}
