//! Sizes that cannot be: records beyond the limit, and lengths in files that claim a gibibyte or 2^63 bytes.
//!
//! Would catch: memory that is reserved by the word of a file, and a panic where a length leads outside of it. Every
//! allocation of this program is counted, so its checks run one after the other.

use std::fs;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, MutexGuard, Once};

use arrow_array::{BinaryArray, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use dualgauge_connectors::log::{Log, LogSource};
use dualgauge_connectors::parquet::{self, FileOptions, write_file};
use dualgauge_connectors::{csv, json};
use dualgauge_engine::sink::Writing;
use dualgauge_engine::{Durations, Epoch, ErrorKind, EventTime, Next, Offset, Result, Scan, Sink, Source, Unreadable};
use xxhash_rust::xxh3::xxh3_64;

#[path = "support/counting.rs"]
mod counting;
#[path = "oversize/hostile.rs"]
mod hostile;
#[path = "oversize/stored.rs"]
mod stored;

/// Whether it matters what is held.
static COUNTED: AtomicBool = AtomicBool::new(false);

/// Held by each check: what others allocate is not to be counted. Nor is what a panic takes that is caught and becomes an
/// error, as with a backtrace it reads this program's symbols.
fn alone() -> MutexGuard<'static, ()> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let shown = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !COUNTED.load(Relaxed) {
                shown(panic);
            }
        }));
    });
    counting::alone()
}

/// What `work` gives, and how many bytes it held at most beyond what was held before.
fn most<T>(work: impl FnOnce() -> T) -> (T, usize) {
    COUNTED.store(true, Relaxed);
    let (done, taken) = counting::taken(work);
    COUNTED.store(false, Relaxed);
    (done, taken.held)
}

/// Six rows of a number, a text and bytes.
fn batch() -> RecordBatch {
    let fields = [("number", DataType::Int64), ("text", DataType::Utf8), ("bytes", DataType::Binary)];
    let schema = Schema::new(fields.map(|(name, of)| Field::new(name, of, true)).to_vec());
    let texts = StringArray::from(vec![Some("one"), None, Some("three and some more"), Some(""), Some("one"), None]);
    let bytes = BinaryArray::from(vec![Some(b"1".as_slice()), Some(b""), None, Some(b"444"), Some(b"1"), None]);
    let numbers = Int64Array::from(vec![1, 2, 3, 1, 2, 3]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(numbers), Arc::new(texts), Arc::new(bytes)]).unwrap()
}

/// Reads so many columns of all partitions, from an offset on: how many rows there are, and the reasons of bad ones.
fn read_from(source: &dyn Source, columns: usize, offset: Option<&Offset>) -> Result<(usize, Vec<String>)> {
    let schema = Arc::new(batch().schema().project(&Vec::from_iter(0..columns)).unwrap());
    let scan = Scan { schema, event_time: String::new(), from: None, to: None, batch_rows: 4 };
    let (mut rows, mut bad) = (0, Vec::new());
    for partition in source.partitions(&scan)?.partitions {
        let mut reader = source.open(&partition, offset, &scan)?;
        loop {
            match reader.next()? {
                Next::Batch(batch) => rows += batch.rows.num_rows(),
                Next::Mixed(batch, records) => {
                    rows += batch.rows.num_rows();
                    bad.extend(records.iter().map(Unreadable::reason));
                }
                Next::Pending => panic!("what has an end is never pending"),
                Next::End => break,
            }
        }
    }
    Ok((rows, bad))
}

/// The same, or an error of the data that names the file; the memory it takes is what small files take.
fn read_or_refused(source: &dyn Source, offset: Option<&Offset>, file: &str, what: &str) -> bool {
    let (read, held) = most(|| read_from(source, 3, offset));
    assert!(held < 1 << 20, "{what}: it held {held} bytes: {read:?}");
    if let Err(error) = &read {
        assert_eq!(error.kind(), ErrorKind::Data, "{what}: {error}");
        assert!(error.to_string().contains(file), "{what}: {error}");
    }
    read.is_err()
}

/// Every number of a file in turn claims a gibibyte and 2^31 - 1: the sizes of pages, of dictionaries and of chunks among
/// them. It is read from its front, and from a row on, which goes by the page index.
#[test]
fn a_parquet_file_reserves_no_memory_by_its_word() {
    let (_alone, dir) = (alone(), tempfile::tempdir().unwrap());
    let path = dir.path().join("a.parquet");
    let options = FileOptions { page_rows: 2, ..FileOptions::default() };
    write_file(&path, &batch().schema(), [batch()], &options).unwrap();
    let whole = fs::read(&path).unwrap();
    assert_eq!(read_from(&parquet::read(&path), 3, Some(&Offset::at(3))).unwrap().0, 3);
    // As Thrift writes them, in five bytes each; in place of the one to three bytes of a number that is less.
    let claims = [[0x80, 0x80, 0x80, 0x80, 0x08], [0xfe, 0xff, 0xff, 0xff, 0x0f]];
    let (mut refused, mut read) = (0, 0);
    for (at, length, claim) in
        (0..whole.len() - 8).flat_map(|at| (1..4).flat_map(move |length| claims.map(|claim| (at, length, claim))))
    {
        fs::remove_file(&path).unwrap(); // writing over a file waits for the disk
        fs::write(&path, [&whole[..at], &claim, &whole[at + length..]].concat()).unwrap();
        for offset in [None, Some(Offset::at(3))] {
            let what = format!("{length} bytes at {at} claim {claim:x?}, from {offset:?}");
            refused += u32::from(read_or_refused(&parquet::read(&path), offset.as_ref(), "a.parquet", &what));
            read += 1;
        }
    }
    println!("{refused} of {read} files that claim too much are refused");
    assert!(refused > read / 2);
}

const HEADER: usize = 96;
const ENTRY: usize = 112;

/// A log of one batch: its directory, its index and its segment.
struct OneBatch {
    dir: tempfile::TempDir,
    index: Vec<u8>,
    segment: Vec<u8>,
}

impl OneBatch {
    fn new() -> OneBatch {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::create(dir.path().join("log"), &batch().schema(), 1).unwrap();
        let mut writer = log.writer(0).unwrap();
        writer.append(&batch()).unwrap();
        writer.seal().unwrap();
        let file = |end: &str| fs::read(dir.path().join("log/p0000").join(format!("{:020}.{end}", 0))).unwrap();
        OneBatch { index: file("index"), segment: file("arrows"), dir }
    }

    /// Where a number stands in the batch's entry.
    fn number(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.index[HEADER + at..HEADER + at + 8].try_into().unwrap())
    }

    /// Whether the log is refused whose files these are; all checksums are made good.
    fn is_refused(&self, mut index: Vec<u8>, segment: &[u8], what: &str) -> bool {
        for entry in index[HEADER..].chunks_exact_mut(ENTRY) {
            let checksum = xxh3_64(&entry[..ENTRY - 8]);
            entry[ENTRY - 8..].copy_from_slice(&checksum.to_le_bytes());
        }
        let write = |end: &str, bytes: &[u8]| {
            fs::write(self.dir.path().join("log/p0000").join(format!("{:020}.{end}", 0)), bytes).unwrap();
        };
        write("index", &index);
        write("arrows", segment);
        let source = LogSource::open(self.dir.path().join("log")).unwrap().bounded(true);
        read_or_refused(&source, None, "p0000", what)
    }
}

#[test]
fn the_index_of_a_log_claims_what_the_segment_does_not_have() {
    let (_alone, log) = (alone(), OneBatch::new());
    assert!(!log.is_refused(log.index.clone(), &log.segment, "as it was"));
    for claim in [1 << 30, 1 << 63, u64::MAX] {
        // The rows, the position and the length of the batch.
        for at in [16, 24, 32] {
            let mut index = log.index.clone();
            index[HEADER + at..HEADER + at + 8].copy_from_slice(&u64::to_le_bytes(claim));
            if at == 16 {
                // What follows it, goes by it.
                for entry in index[HEADER + ENTRY..].chunks_exact_mut(ENTRY) {
                    entry[8..16].copy_from_slice(&claim.to_le_bytes());
                }
            }
            let what = format!("{claim} at {at}");
            assert!(log.is_refused(index, &log.segment, &what), "{what}");
        }
    }
}

/// Every number in the message of a batch claims too much, and its checksum is right all the same.
#[test]
fn a_message_of_a_log_claims_what_it_does_not_have() {
    let (_alone, log) = (alone(), OneBatch::new());
    let (position, length) = (log.number(24) as usize, log.number(32) as usize);
    let (mut refused, mut read) = (0, 0);
    for at in (0..length - 8).step_by(4) {
        for claim in [
            &(1_u32 << 30).to_le_bytes()[..],
            &i32::MAX.to_le_bytes(),
            &(1_u64 << 30).to_le_bytes(),
            &(1_u64 << 63).to_le_bytes(),
        ] {
            let mut segment = log.segment.clone();
            segment[position + at..position + at + claim.len()].copy_from_slice(claim);
            let mut index = log.index.clone();
            let checksum = xxh3_64(&segment[position..position + length]);
            index[HEADER + 40..HEADER + 48].copy_from_slice(&checksum.to_le_bytes());
            refused += u32::from(log.is_refused(index, &segment, &format!("{claim:x?} at {at}")));
            read += 1;
        }
    }
    println!("{refused} of {read} messages that claim too much are refused");
    assert!(refused > read / 4);
}

/// Sixteen mebibytes are allowed; a byte more, and seven times as many, are one bad record.
#[test]
fn a_line_of_sixteen_mebibytes_is_read_and_a_longer_one_is_bad_and_not_held() {
    const ALLOWED: usize = 16 << 20;
    let (_alone, dir) = (alone(), tempfile::tempdir().unwrap());
    for (name, start, end) in [("a.csv", "1,", ""), ("a.json", "{\"number\":1,\"text\":\"", "\"}")] {
        let path = dir.path().join(name);
        let header = if name == "a.csv" { "number,text\n" } else { "" };
        let mut of_sizes = Vec::new();
        for size in [ALLOWED - 1, ALLOWED, ALLOWED + 1, 7 * ALLOWED] {
            let filler = "x".repeat(size - start.len() - end.len());
            fs::write(&path, format!("{header}{start}{filler}{end}\n{start}short{end}\n")).unwrap();
            drop(filler);
            let (read, held) = most(|| match name == "a.csv" {
                true => read_from(&csv::read(&path), 2, None),
                false => read_from(&json::read(&path), 2, None),
            });
            match read.unwrap() {
                (2, bad) => assert!(size <= ALLOWED && bad.is_empty(), "{name}, {size}: {bad:?}"),
                (rows, bad) => {
                    assert_eq!((rows, bad.len()), (1, 1), "{name}, {size}: {bad:?}");
                    assert!(size > ALLOWED && bad[0].contains("longer than a line may be"), "{name}, {size}: {bad:?}");
                }
            }
            of_sizes.push(held);
        }
        println!("{name}: at most {of_sizes:?} bytes were held");
        assert!(of_sizes.iter().all(|held| *held < 6 * ALLOWED), "{name}: {of_sizes:?}");
    }
}

/// Rows of hundreds of spans that are all open: each holds less than what it is staged at, all together 96 MB.
#[test]
fn what_all_open_spans_of_a_sink_hold_is_bounded_together() {
    const SPANS: i64 = 600;
    let _alone = alone();
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, false)]));
    let texts: StringArray = (0..SPANS).map(|at| Some(format!("{at:>20000}"))).collect();
    let rows = RecordBatch::try_new(schema.clone(), vec![Arc::new(texts)]).unwrap();
    let times: Vec<_> = (0..SPANS).map(|span| EventTime::from_micros(span * 1_000_000)).collect();
    let job = Writing::of("j", 1);
    for writing in [Writing::default(), job] {
        for scheme in ["parquet", "csv"] {
            let dir = tempfile::tempdir().unwrap();
            let (out, span) = (dir.path().join("out"), 1.seconds());
            let sink: Box<dyn Sink> = match scheme {
                "parquet" => Box::new(parquet::write(&out).span(span).buckets(1)),
                _ => Box::new(csv::write(&out).span(span)),
            };
            drop(sink.claim(&schema, &writing).unwrap());
            let mut writer = sink.open(0, &schema, &writing).unwrap();
            let ((), held) = most(|| (0..8).for_each(|_| writer.write(&times, &rows).unwrap()));
            assert!(held < 90 << 20, "{scheme}, {:?}: {held} bytes were held", writing.job);
            if scheme == "csv" && writing.job.is_none() {
                let prepared = writer.prepare(Epoch(1), EventTime::MAX).unwrap();
                writer.commit(Epoch(1), &prepared).unwrap();
                let files = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
                let files: Vec<_> = files.filter(|path| path.extension().is_some()).collect();
                assert_eq!(files.len(), SPANS as usize);
                assert!(files.iter().all(|path| fs::read_to_string(path).unwrap().lines().count() == 9));
            }
        }
    }
}
