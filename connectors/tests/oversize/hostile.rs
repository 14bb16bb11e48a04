//! Everything that reads bytes from outside, on a small stack and with every allocation counted: damaged by a seed, and
//! made as deep or as wide as it can be.
//!
//! Would catch: a parser that calls itself for each level of what it reads, which ends the process, and one that reserves
//! memory by the word of what it reads. A panic that becomes an error is no fault.

use std::path::{Path, PathBuf};
use std::thread;

use dualgauge_connectors::log::WriteOptions;
use dualgauge_connectors::memory;
use dualgauge_engine::checkpoint::{LocalStore, ManifestLog};
use dualgauge_engine::fs::RealFs;
use dualgauge_engine::testing::{Item, Random};
use dualgauge_engine::{Checkpoints, EventTime, Job};
use xxhash_rust::xxh3::xxh3_128;

use super::*;

/// The stack of whoever reads.
const STACK: usize = 256 << 10;

/// What whoever reads may hold: what a few batches and their decompressed pages need.
const HEAP: usize = 64 << 20;

/// How many seeds each parser is tried with: many more where the environment asks for it.
pub fn seeds() -> u64 {
    std::env::var("DUALGAUGE_HOSTILE").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(20)
}

/// Damaged files made of one seed.
const DAMAGED: usize = 10;

/// What `read` gives on a small stack; it may not take more than the heap.
pub fn bounded<T: Send>(what: &str, read: impl FnOnce() -> T + Send) -> T {
    let (read, held) = most(|| {
        thread::scope(|scope| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, read).unwrap().join())
    });
    assert!(held < HEAP, "{what}: it held {held} bytes");
    read.unwrap_or_else(|_| panic!("{what}: it panicked"))
}

/// One to four changes of the bytes.
pub fn damaged(random: &mut Random, whole: &[u8]) -> Vec<u8> {
    let mut below = |end: usize| random.below(end.max(1) as u64) as usize;
    let mut bytes = whole.to_vec();
    for _ in 0..=below(4) {
        let at = below(bytes.len());
        let length = below(16).min(bytes.len() - at);
        match below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..at + length)),
            // The same again, many times: what opens something, opens it deep.
            2 | 3 => {
                let (piece, times) = (bytes[at..at + length].to_vec(), 1 << below(14));
                drop(bytes.splice(at..at, piece.repeat(times)));
            }
            4 => bytes[at..at + length].fill(0xff),
            5 => bytes[at..at + length].fill(0x7f),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << below(8);
                }
            }
        }
    }
    bytes
}

/// A parser: a file that it reads, how its checksum is made good, and how it is read.
struct Parser {
    name: &'static str,
    make: fn(&Path) -> PathBuf,
    mend: fn(Vec<u8>) -> Vec<u8>,
    read: fn(&Path) -> Result<()>,
}

fn as_it_is(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

fn read_all(source: &dyn Source) -> Result<()> {
    read_from(source, 3, None).map(drop)
}

/// Bytes are no column of text.
fn read_text(source: &dyn Source) -> Result<()> {
    read_from(source, 2, None).map(drop)
}

fn read_log(dir: &Path) -> Result<()> {
    read_all(&LogSource::open(dir.join("log"))?.bounded(true))
}

fn make_log(dir: &Path) {
    let log = Log::create(dir.join("log"), &batch().schema(), 1).unwrap();
    let mut writer = log.writer_with(0, WriteOptions::default()).unwrap();
    writer.append(&batch()).unwrap();
    writer.seal().unwrap();
}

/// A log's identity with its checksum made good.
fn identity(bytes: Vec<u8>) -> Vec<u8> {
    let Ok(mut document) = serde_json::from_slice::<serde_json::Value>(&bytes) else { return bytes };
    let text = |name: &str| document[name].as_str().unwrap_or_default().to_string();
    let columns: Vec<_> = document["columns"].as_array().into_iter().flatten().filter_map(|one| one.as_str()).collect();
    let (format, partitions, columns) = (&document["format"], &document["partitions"], columns.join("\n"));
    let (id, event_time, schema) = (text("id"), text("event_time"), text("schema"));
    let has = document["event_time"].is_string();
    let all = format!("{format}\n{id}\n{partitions}\n{has}\n{event_time}\n{columns}\n{schema}");
    document["checksum"] = format!("{:016x}", xxh3_64(all.as_bytes())).into();
    serde_json::to_vec(&document).unwrap()
}

/// An entry of a manifest with its length and its checksum made good.
fn entry(mut bytes: Vec<u8>) -> Vec<u8> {
    let Some(length) = bytes.len().checked_sub(18 + 16) else { return bytes };
    bytes.truncate(bytes.len() - 16);
    bytes[10..18].copy_from_slice(&(length as u64).to_le_bytes());
    let checksum = xxh3_128(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

const PARSERS: &[Parser] = &[
    Parser {
        name: "csv",
        make: |dir| {
            let path = dir.join("a.csv");
            fs::write(&path, "number,text,bytes\n1,\"a \"\"b\"\"\",x\n2,,y\n").unwrap();
            path
        },
        mend: as_it_is,
        read: |dir| read_text(&csv::read(dir.join("a.csv"))),
    },
    Parser {
        name: "json",
        make: |dir| {
            let path = dir.join("a.json");
            let line = "{\"number\":1,\"text\":\"a\",\"bytes\":\"x\",\"more\":{\"a\":[1,{\"b\":[]}]}}\n";
            fs::write(&path, line.repeat(3)).unwrap();
            path
        },
        mend: as_it_is,
        read: |dir| read_text(&json::read(dir.join("a.json"))),
    },
    Parser {
        name: "parquet",
        make: |dir| {
            let path = dir.join("a.parquet");
            let options = FileOptions { page_rows: 2, ..FileOptions::default() };
            write_file(&path, &batch().schema(), [batch()], &options).unwrap();
            path
        },
        mend: as_it_is,
        read: |dir| read_all(&parquet::read(dir.join("a.parquet"))),
    },
    Parser {
        name: "footer of parquet",
        make: |dir| {
            let path = dir.join("a.parquet");
            write_file(&path, &batch().schema(), [batch()], &FileOptions::default()).unwrap();
            path
        },
        // Its length is made good, so that what has grown is read from its beginning.
        mend: |mut bytes| {
            let footer = bytes.windows(4).rposition(|four| four == b"\x15\x02\x19\x4c");
            if let (Some(footer), Some(tail)) = (footer, bytes.len().checked_sub(8)) {
                bytes[tail..tail + 4].copy_from_slice(&(tail.saturating_sub(footer) as u32).to_le_bytes());
                bytes[tail + 4..].copy_from_slice(b"PAR1");
            }
            bytes
        },
        read: |dir| read_all(&parquet::read(dir.join("a.parquet"))),
    },
    Parser {
        name: "identity of a log",
        make: |dir| {
            make_log(dir);
            dir.join("log/log.json")
        },
        mend: identity,
        read: read_log,
    },
    Parser {
        name: "segment of a log",
        make: |dir| {
            make_log(dir);
            dir.join("log/p0000").join(format!("{:020}.arrows", 0))
        },
        mend: as_it_is,
        read: read_log,
    },
    Parser {
        name: "index of a log",
        make: |dir| {
            make_log(dir);
            dir.join("log/p0000").join(format!("{:020}.index", 0))
        },
        mend: |mut bytes| {
            for entry in bytes.get_mut(HEADER..).unwrap_or_default().chunks_exact_mut(ENTRY) {
                let checksum = xxh3_64(&entry[..ENTRY - 8]);
                entry[ENTRY - 8..].copy_from_slice(&checksum.to_le_bytes());
            }
            bytes
        },
        read: read_log,
    },
    Parser {
        name: "manifest of checkpoints",
        make: |dir| {
            let store = Arc::new(LocalStore::open(Arc::new(RealFs), dir.join("job")).unwrap());
            let items = vec![Item { time: EventTime::default(), key: "a".into(), value: 1 }];
            let job = Job::new(|flow| flow.source::<Item>("items").sink("copies"));
            let job = job.source("items", memory::rows(items)).sink("copies", memory::collect::<Item>());
            job.checkpoints(Checkpoints::in_store(store)).run().unwrap();
            let entries = fs::read_dir(dir.join("job/manifest")).unwrap().map(|entry| entry.unwrap().path());
            entries.max_by_key(|path| path.metadata().unwrap().len()).unwrap()
        },
        mend: entry,
        read: |dir| {
            let store = LocalStore::open(Arc::new(RealFs), dir.join("job")).unwrap();
            ManifestLog::read(&store).map(drop)
        },
    },
];

#[test]
fn what_a_seed_has_damaged_is_read_on_a_small_stack_and_a_small_heap() {
    let _alone = alone();
    for Parser { name, make, mend, read } in PARSERS {
        let dir = tempfile::tempdir().unwrap();
        let path = make(dir.path());
        let whole = fs::read(&path).unwrap();
        let again = mend(whole.clone());
        let mut refused = 0;
        for (seed, number) in (0..seeds()).flat_map(|seed| (0..DAMAGED).map(move |number| (seed, number))) {
            let mut random = Random(seed * 1000 + number as u64);
            let bytes = match (seed, number) {
                (0, 0) => again.clone(),
                _ => mend(damaged(&mut random, &whole)),
            };
            fs::remove_file(&path).unwrap(); // writing over a file waits for the disk
            fs::write(&path, bytes).unwrap();
            let read = bounded(&format!("{name}, seed {seed}, {number}"), || read(dir.path()));
            match (seed, number) {
                (0, 0) => read.unwrap_or_else(|error| panic!("{name}, as it was: {error}")),
                _ => refused += u32::from(read.is_err()),
            }
        }
        println!("{name}: {refused} of {} were refused", seeds() * DAMAGED as u64);
    }
}

/// The footer of a file without rows, whose columns are groups so deep in each other, or so many beside each other.
fn footer(deep: usize, wide: usize) -> Vec<u8> {
    let varint = |mut value: usize| {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    };
    let root = |below: usize| [&[0x48, 1, b'r', 0x15][..], &varint(below << 1), &[0]].concat();
    let group = |below: usize| [&[0x35, 0x00, 0x18, 1, b'g', 0x15][..], &varint(below << 1), &[0]].concat();
    let leaf = [0x15, 0x04, 0x25, 0x00, 0x18, 1, b'l', 0x00];
    let elements = match deep {
        0 => [&root(wide)[..], &leaf.repeat(wide)].concat(),
        deep => [&root(1)[..], &group(1).repeat(deep - 1), &group(wide), &leaf.repeat(wide)].concat(),
    };
    let list = [&[0x15, 0x02, 0x19, 0xfc][..], &varint(deep + 1 + wide), &elements].concat();
    // No rows, and no row groups.
    let footer = [&list[..], &[0x16, 0x00, 0x19, 0x0c, 0x00]].concat();
    [b"PAR1", &footer[..], &(footer.len() as u32).to_le_bytes(), b"PAR1"].concat()
}

#[test]
fn columns_of_a_file_are_so_deep_and_so_wide_and_no_more() {
    let (_alone, dir) = (alone(), tempfile::tempdir().unwrap());
    let path = dir.path().join("a.parquet");
    for (deep, wide, why) in [
        (0, 3, None),
        (31, 3, None),
        (32, 1, Some("more than 32 deep")),
        (1000, 1, Some("more than 32 deep")),
        (1_000_000, 1, Some("100000 are the most")),
        (99_000, 1, Some("more than 32 deep")),
        (0, 10_000, None),
        (0, 200_000, Some("200001 columns and groups")),
    ] {
        fs::write(&path, footer(deep, wide)).unwrap();
        let what = format!("{deep} deep, {wide} wide");
        let read = bounded(&what, || read_all(&parquet::read(&path)));
        match why {
            Some(why) => assert!(read.as_ref().unwrap_err().to_string().contains(why), "{what}: {read:?}"),
            None => read.unwrap_or_else(|error| panic!("{what}: {error}")),
        }
    }
}

#[test]
fn a_file_that_claims_a_long_footer_is_refused_before_it_is_held() {
    let (_alone, dir) = (alone(), tempfile::tempdir().unwrap());
    let path = dir.path().join("a.parquet");
    let file = fs::File::create(&path).unwrap();
    // All of it is there, and takes no room on the disk.
    file.set_len(4 << 30).unwrap();
    let tail = [&(3_u32 << 30).to_le_bytes()[..], b"PAR1"].concat();
    std::os::unix::fs::FileExt::write_all_at(&file, b"PAR1", 0).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &tail, (4 << 30) - 8).unwrap();
    let said = bounded("a long footer", || read_all(&parquet::read(&path))).unwrap_err().to_string();
    assert!(said.contains("1073741824 are the most"), "{said}");
}

#[test]
fn the_identity_of_a_log_is_small_and_names_as_much_as_a_log_may_have() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    make_log(dir.path());
    let path = dir.path().join("log/log.json");
    let text = fs::read_to_string(&path).unwrap();
    for partitions in [0_u32, 10_001, 5_000_000, u32::MAX] {
        let claims = text.replace("\"partitions\": 1", &format!("\"partitions\": {partitions}"));
        fs::write(&path, identity(claims.into_bytes())).unwrap();
        let said = bounded("many partitions", || read_log(dir.path())).unwrap_err().to_string();
        let expected = format!("it names {partitions} partitions, and a log has between 1 and 10000");
        assert!(said.contains("log.json") && said.contains(&expected), "{said}");
    }
    fs::File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    let said = bounded("a long one", || read_log(dir.path())).unwrap_err().to_string();
    assert!(said.contains("1099511627776 bytes"), "{said}");
}

#[test]
fn a_log_is_created_no_deeper_than_it_can_be_read() {
    let _alone = alone();
    let nested = |depth: usize| {
        let mut of = DataType::Int64;
        for _ in 1..depth {
            of = DataType::List(Arc::new(Field::new("item", of, true)));
        }
        Arc::new(Schema::new(vec![Field::new("deep", of, true)]))
    };
    for (depth, allowed) in [(1, true), (32, true), (33, false), (200, false)] {
        let dir = tempfile::tempdir().unwrap();
        let schema = nested(depth);
        let made = Log::create(dir.path().join("log"), &schema, 1);
        assert_eq!(made.is_ok(), allowed, "{depth}: {made:?}");
        match made {
            Ok(_) => bounded("a nested column", || LogSource::open(dir.path().join("log")).map(drop)).unwrap(),
            Err(error) => assert!(error.to_string().contains("nested more than 32 deep"), "{error}"),
        }
    }
}
