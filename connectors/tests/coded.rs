//! Text in gzip, zstd and UTF-16.
//!
//! Would catch: rows that differ from those of the plain text, an offset that counts other bytes than those of the text, a
//! cut or damaged stream that ends as if it were whole, memory that grows with what a small file unpacks to, and bytes of
//! another kind that are read as text.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_schema::{DataType, Field, Schema};
use dualgauge_connectors::{csv, json};
use dualgauge_engine::{ErrorKind, Next, Offset, Partition, Result, Scan, Source};

type Encode = fn(&str) -> Vec<u8>;

const CODINGS: [(&str, Encode); 8] = [
    ("gzip", |text| gzip(text.as_bytes())),
    ("gzip in two members", |text| [gzip(&text.as_bytes()[..6]), gzip(&text.as_bytes()[6..])].concat()),
    ("zstd", |text| zstd::encode_all(text.as_bytes(), 3).unwrap()),
    ("zstd in two frames", |text| {
        let (one, two) = text.as_bytes().split_at(6);
        [zstd::encode_all(one, 1).unwrap(), zstd::encode_all(two, 1).unwrap()].concat()
    }),
    ("UTF-16, the low byte first", |text| utf16(text, u16::to_le_bytes)),
    ("UTF-16, the high byte first", |text| utf16(text, u16::to_be_bytes)),
    ("UTF-16 in gzip", |text| gzip(&utf16(text, u16::to_le_bytes))),
    ("UTF-8 with a byte order mark in zstd", |text| zstd::encode_all(format!("\u{feff}{text}").as_bytes(), 3).unwrap()),
];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(bytes).collect()
}

fn scan() -> Scan {
    let schema = Arc::new(Schema::new(vec![Field::new("name", DataType::Utf8, false)]));
    Scan { schema, event_time: "name".to_string(), from: None, to: None, batch_rows: 2 }
}

/// The names that are read from an offset on, `!` for a bad record, and the offsets behind the batches.
fn read(source: &dyn Source, name: &str, offset: Option<&Offset>) -> Result<(Vec<String>, Vec<Offset>)> {
    let mut reader = source.open(&Partition::new(name), offset, &scan())?;
    let (mut seen, mut offsets) = (Vec::new(), Vec::new());
    loop {
        let (batch, bad) = match reader.next()? {
            Next::Batch(batch) => (batch, 0),
            Next::Mixed(batch, bad) => (batch, bad.len()),
            Next::Pending => panic!("what has an end is never pending"),
            Next::End => return Ok((seen, offsets)),
        };
        seen.extend(batch.rows.column(0).as_string::<i32>().iter().map(|name| name.unwrap().to_string()));
        seen.extend((0..bad).map(|_| "!".to_string()));
        offsets.push(batch.offset_after);
    }
}

fn source(path: &Path, block: usize) -> Box<dyn Source> {
    match path.to_str().unwrap().contains(".csv") {
        true => Box::new(csv::read(path).block_bytes(block)),
        false => Box::new(json::read(path).block_bytes(block)),
    }
}

#[test]
fn what_is_encoded_is_read_as_its_text_and_resumed_at_every_offset() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["a", "Grüße 🚋", "c", "d", "e"];
    let csv = format!("name\r\n{}\r\n", names.join("\r\n"));
    let json = names.map(|name| format!("{{\"name\":\"{name}\"}}\n")).concat();
    for (file, text) in [("a.csv", &csv), ("a.json", &json)] {
        let path = dir.path().join(file);
        fs::write(&path, text).unwrap();
        let (_, plain) = read(&*source(&path, 16), file, None).unwrap();
        for (coding, encode) in CODINGS {
            fs::write(&path, encode(text)).unwrap();
            for block in [1, 3, 16, 1 << 20] {
                let source = source(&path, block);
                let (seen, offsets) = read(&*source, file, None).unwrap();
                assert_eq!(seen, names, "{file}: {coding} in blocks of {block}");
                for (batch, offset) in offsets.iter().enumerate() {
                    let (rest, _) = read(&*source, file, Some(offset)).unwrap();
                    assert_eq!(rest, seen[seen.len() - rest.len()..], "{file}: {coding} from {offset}");
                    assert!(rest.len() < seen.len() && (batch > 0 || !rest.is_empty()));
                }
                let mark = if coding.starts_with("UTF-8") { 3 } else { 0 };
                assert_eq!(offsets.last().unwrap().position, plain.last().unwrap().position + mark, "{file}: {coding}");
                // Another text of the same length is found by what the offset proves.
                fs::write(&path, encode(&text.replace('a', "b"))).unwrap();
                let error = read(&*source, file, offsets.last()).unwrap_err();
                assert!(error.to_string().contains("is not what was read there"), "{error}");
                fs::write(&path, encode(text)).unwrap();
            }
        }
    }
}

#[test]
fn a_cut_or_damaged_stream_is_an_error_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    let text = format!("name\n{}", (0..20_000).map(|at| format!("n{}\n", at * 7919 % 20_011)).collect::<String>());
    for (coding, encode) in [CODINGS[0], CODINGS[2]] {
        let whole = encode(&text);
        for cut in [6, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..cut]).unwrap();
            let error = read(&*source(&path, 1 << 16), "a.csv", None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Data, "{coding} cut at {cut}: {error}");
            assert!(error.to_string().contains("a.csv") && error.to_string().contains("damaged or cut off"), "{error}");
        }
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 0x10;
        damaged.truncate(whole.len());
        fs::write(&path, damaged).unwrap();
        let outcome = read(&*source(&path, 1 << 16), "a.csv", None);
        assert!(outcome.is_err() || coding == "zstd", "{coding}: damage is found by the checksum");
    }
}

#[test]
fn half_a_pair_of_surrogates_is_a_bad_record() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    let mut bytes = utf16("name\na\nb", u16::to_le_bytes);
    bytes.extend(
        [0x3d_d8_u16, u16::from(b'\n'), 0xdc00, u16::from(b'\n'), u16::from(b'c')].map(u16::to_le_bytes).concat(),
    );
    bytes[16..18].copy_from_slice(&0xd83d_u16.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let (seen, _) = read(&*source(&path, 1 << 20), "a.csv", None).unwrap();
    assert!(seen.contains(&"!".to_string()) && seen.contains(&"c".to_string()), "{seen:?}");
    bytes.push(0x20);
    fs::write(&path, &bytes).unwrap();
    let (seen, _) = read(&*source(&path, 1 << 20), "a.csv", None).unwrap();
    assert!(!seen.contains(&"c".to_string()), "the last record is cut off: {seen:?}");
}

#[test]
fn what_is_no_text_or_grows_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    for (bytes, what) in [
        (b"PK\x03\x04....".to_vec(), "is a zip archive"),
        (b"\xfd7zXZ\0....".to_vec(), "is compressed with xz"),
        (b"BZh91AY".to_vec(), "is compressed with bzip2"),
        (b"PAR1....".to_vec(), "is a Parquet file"),
        (b"\xff\xfe\0\0n\0\0\0".to_vec(), "is UTF-32"),
        (b"n\0a\0m\0e\0".to_vec(), "is UTF-16 without a byte order mark"),
        (gzip(&gzip(b"name\na\n")), "is compressed twice"),
        (gzip(b"PAR1...."), "is a Parquet file"),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = read(&*source(&path, 64), "a.csv", None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{error}");
        assert!(error.to_string().contains("a.csv") && error.to_string().contains(what), "{error}");
    }
    for (coding, encode) in CODINGS {
        fs::write(&path, encode("name\na\n")).unwrap();
        let error = csv::read(&path).follow(true).open(&Partition::new("a.csv"), None, &scan()).err().unwrap();
        assert!(
            error.kind() == ErrorKind::Usage && error.to_string().contains("cannot be followed"),
            "{coding}: {error}"
        );
    }
}

#[test]
fn a_directory_has_compressed_files_too() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in [("a.csv.gz", gzip(b"name\na\n")), ("b.csv", b"name\nb\n".to_vec()), ("c.txt.gz", gzip(b"c"))]
    {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    fs::write(dir.path().join("d.csv.zst"), zstd::encode_all(&b"name\nd\n"[..], 1).unwrap()).unwrap();
    let source = csv::read(dir.path());
    let names = source.partitions(&scan()).unwrap().partitions.into_iter().map(|partition| partition.id.0);
    let names: Vec<_> = names.collect();
    assert_eq!(names, ["a.csv.gz", "b.csv", "d.csv.zst"]);
    let seen: Vec<_> = names.iter().flat_map(|name| read(&source, name, None).unwrap().0).collect();
    assert_eq!(seen, ["a", "b", "d"]);
}
