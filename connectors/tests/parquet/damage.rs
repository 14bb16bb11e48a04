//! Files that are not what they should be: every failure is an error that names the file, and nothing hangs or panics.

use std::fs;
use std::path::Path;

use ::parquet::arrow::ArrowWriter;
use ::parquet::file::metadata::SortingColumn;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use dualgauge_connectors::parquet;
use dualgauge_engine::{ErrorKind, Next, Offset, Result, Source};

use crate::support::*;

/// Reads everything that `path` names; how many rows there were.
fn read_all(path: &Path) -> Result<usize> {
    let source = parquet::read(path);
    let mut rows = 0;
    for partition in source.partitions(&scan())?.partitions {
        let mut reader = source.open(&partition, None, &scan())?;
        while let Next::Batch(batch) = reader.next()? {
            rows += batch.rows.num_rows();
        }
    }
    Ok(rows)
}

fn refusal(path: &Path) -> String {
    let error = read_all(path).expect_err("the file is not whole");
    assert_eq!(error.kind(), ErrorKind::Data);
    error.to_string()
}

#[test]
fn what_is_not_a_parquet_file_is_called_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    for (content, said) in [
        (b"".as_slice(), "has only 0 bytes. Does it still download?"),
        (b"time,id\n1,2\n3,4\n", "does not start with PAR1"),
        (b"PAR1 and then nothing of the kind", "does not end with PAR1. Does it still download?"),
        (b"PAR1\xff\xff\xff\x7fPAR1", "has only 0 for it. Was it cut or damaged?"),
        (b"PAR1\x00\x00\x00\x00PARE", "encrypted"),
    ] {
        fs::write(&path, content).unwrap();
        let error = refusal(&path);
        assert!(error.starts_with("file a.parquet: ") && error.contains(said), "{error}");
    }
    let missing = read_all(&dir.path().join("missing")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Environment);
    let unmatched = read_all(&dir.path().join("b*.parquet")).unwrap_err();
    assert!(unmatched.to_string().contains("is the directory right?"), "{unmatched}");
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write(&path, 0..40, 10, 5);
    let whole = fs::read(&path).unwrap();
    for len in 0..whole.len() {
        fs::remove_file(&path).unwrap();
        fs::write(&path, &whole[..len]).unwrap();
        refusal(&path);
    }
}

/// Files of few rows: one of ours, with several row groups and pages, and those of other writers.
fn small_files() -> Vec<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let ours = dir.path().join("a.parquet");
    write(&ours, (0..60).map(|row| row * 17 % 23), 20, 5);
    let fixtures = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")).unwrap();
    let fixtures = fixtures.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = fixtures.filter(|path| path.extension().is_some_and(|end| end == "parquet")).collect();
    paths.sort();
    [ours].iter().chain(&paths).map(|path| fs::read(path).unwrap()).collect()
}

/// More by `DUALGAUGE_MUTATIONS`.
#[test]
fn a_damaged_file_is_read_or_refused_and_nothing_escapes() {
    let mutations = std::env::var("DUALGAUGE_MUTATIONS").map_or(4_000, |count| count.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let files = small_files();
    assert_eq!(files.len(), 22);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut refused = 0;
    for mutation in 0..mutations {
        let mut bytes = files[mutation % files.len()].clone();
        for _ in 0..1 + random(4) {
            let at = random(bytes.len());
            bytes[at] = match random(3) {
                0 => bytes[at] ^ (1 << random(8)),
                1 => 0xff,
                _ => random(256) as u8,
            };
        }
        let _ = fs::remove_file(&path); // writing over a file waits for the disk
        fs::write(&path, &bytes).unwrap();
        if let Err(error) = read_all(&path) {
            let text = error.to_string();
            assert!(text.contains("a.parquet"), "mutation {mutation}: the error does not name the file: {text}");
            refused += 1;
        }
    }
    println!("{refused} of {mutations} damaged files are refused");
    assert!(refused > mutations / 3, "only {refused} of {mutations} damaged files were noticed");
}

#[test]
fn a_footer_that_claims_billions_of_row_groups_reserves_no_memory_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write(&path, 0..40, 10, 5);
    let whole = fs::read(&path).unwrap();
    let tail = whole.len() - 8;
    let footer_len = u32::from_le_bytes(whole[tail..tail + 4].try_into().unwrap());
    let footer = &whole[tail - footer_len as usize..tail];
    // A field that is a list, of four structs: the row groups.
    let at = footer.windows(2).position(|bytes| bytes == [0x19, 0x4c]).unwrap();
    let claimed = [0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07];
    let footer = [&footer[..at], &claimed, &footer[at + 2..]].concat();
    let data = &whole[..tail - footer_len as usize];
    let bytes = [data, &footer, &(footer_len + 5).to_le_bytes(), b"PAR1"].concat();
    fs::write(&path, bytes).unwrap();
    let error = refusal(&path);
    assert!(error.starts_with("file a.parquet: footer: the metadata is damaged"), "{error}");
}

#[test]
fn a_file_that_claims_to_be_sorted_by_a_column_it_does_not_have_is_read_as_unsorted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    for column_idx in [2, 15, -1, i32::MIN] {
        let claimed = SortingColumn { column_idx, descending: false, nulls_first: false };
        let properties = WriterProperties::builder().set_sorting_columns(Some(vec![claimed]));
        let properties = properties.set_statistics_enabled(EnabledStatistics::Chunk).build();
        let file = fs::File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, schema(), Some(properties)).unwrap();
        writer.write(&rows(0..10, 0)).unwrap();
        writer.close().unwrap();
        assert_eq!(read_all(&path).unwrap(), 10, "{column_idx}");
    }
}

#[test]
fn a_replaced_file_is_recognised_at_the_saved_offset() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write(&path, 0..40, 100, 5);
    let source = parquet::read(&path);
    let partition = source.partitions(&scan()).unwrap().partitions.remove(0);
    let (_, offset, _) = drain(source.open(&partition, None, &scan()).unwrap().as_mut()).swap_remove(0);
    assert!(offset.proof.is_some());
    assert_eq!(ids(&source, &partition, Some(&offset), &scan()).len(), 36);

    write(&path, 1..41, 100, 5);
    let mut during = source.open(&partition, None, &scan()).err().unwrap().to_string();
    assert!(during.contains("changed while it was being read"), "{during}");
    let resumed = parquet::read(&path);
    during = resumed.open(&partition, Some(&offset), &scan()).err().unwrap().to_string();
    assert!(during.contains("is not the file that was read up to row 4"), "{during}");
    assert!(resumed.open(&partition, Some(&Offset::at(4)), &scan()).is_ok(), "without a proof nothing is claimed");

    fs::rename(&path, dir.path().join("b.parquet")).unwrap();
    let moved = parquet::read(dir.path());
    let gone = moved.open(&partition, Some(&offset), &scan()).err().unwrap().to_string();
    assert!(gone.contains("partition a.parquet#0: there is no such file"), "{gone}");
}
