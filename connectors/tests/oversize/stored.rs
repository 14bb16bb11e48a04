//! What a checkpoint gives back to a job, damaged behind a checksum that is right: layers of state with the descriptions of
//! their types, what sinks have prepared, and how far sources were read.
//!
//! Would catch: a footer whose numbers are added or reserved by their word, a description of a type without its end, and a
//! sink or a source that trusts what it finds.

use dualgauge_connectors::binding;
use dualgauge_engine::KeyGroup;
use dualgauge_engine::checkpoint::{ChainReader, GroupRange, LayerPart, LayerRef, LocalStore, Store, write_layer};
use dualgauge_engine::fs::RealFs;
use dualgauge_engine::sink::Prepared;
use dualgauge_engine::state::{Changes, Fingerprint, Shape, read};
use dualgauge_engine::testing::Random;
use xxhash_rust::xxh3::xxh3_128;

use super::hostile::{bounded, damaged, seeds};
use super::*;

/// What is stored for each key.
type Stored = (String, Option<Vec<(u64, String)>>);

/// Magic and version of a layer; the length of its footer and its checksum.
const HEAD: usize = 10;
const TAIL: usize = 24;

fn make_layer(store: &dyn Store) -> LayerRef {
    let mut changes = Changes::new(Epoch(1));
    for key in 0..20_u8 {
        let value = Some(vec![(u64::from(key), "some text".to_string())]);
        changes.put(KeyGroup(u16::from(key) % 3), &[], &key.to_string(), &value);
    }
    changes.remove_range(vec![100], vec![200]);
    let fingerprint = Fingerprint::of::<Stored>();
    write_layer(store, "layers/1", &[LayerPart { step: "step".into(), part: "part".into(), fingerprint, changes }])
        .unwrap()
}

/// A layer of these sections and this footer, with its length and checksum, and what a manifest says of it.
fn layer(sections: &[u8], footer: &[u8]) -> (Vec<u8>, LayerRef) {
    let length = (footer.len() as u64).to_le_bytes();
    let checksum = xxh3_128(&[&sections[..HEAD], footer, &length].concat());
    let bytes = [sections, footer, &length, &checksum.to_le_bytes()].concat();
    let size = bytes.len() as u64;
    (bytes, LayerRef { name: "layers/1".to_string(), size, checksum, saves: 1 })
}

/// All that is in it, by the types of the program and by the description of them.
fn read_layer(store: Arc<dyn Store>, layer: &LayerRef) -> Result<usize> {
    let chain = ChainReader::open(store, std::slice::from_ref(layer))?;
    let mut entries = 0;
    for ((step, part), fingerprint) in chain.shapes() {
        let shape = Shape::of(fingerprint).and_then(|shape| shape.pair());
        chain.entries(step, part, GroupRange::new(0, u16::MAX), &mut |_, key, value| {
            entries += 1;
            if let Some((of_key, of_value)) = &shape {
                drop((of_key.read(key), of_value.read(value)));
            }
            drop((read::<String>(key), read::<Option<Vec<(u64, String)>>>(value)));
            Ok(())
        })?;
    }
    Ok(entries)
}

#[test]
fn a_layer_that_was_damaged_behind_its_checksum_is_read_or_refused() {
    let (_alone, dir) = (alone(), tempfile::tempdir().unwrap());
    let store: Arc<dyn Store> = Arc::new(LocalStore::open(Arc::new(RealFs), dir.path()).unwrap());
    let honest = make_layer(&*store);
    let (path, whole) = (dir.path().join("layers/1"), store.get("layers/1").unwrap());
    let tail = whole.len() - TAIL;
    let length = u64::from_le_bytes(whole[tail..tail + 8].try_into().unwrap()) as usize;
    let (sections, footer) = whole[..tail].split_at(tail - length);
    assert_eq!(layer(sections, footer), (whole.clone(), honest.clone()));
    assert_eq!(read_layer(store.clone(), &honest).unwrap(), 20);
    // The same footer with other descriptions in place of its own, and footers with the greatest numbers.
    let description = Fingerprint::of::<Stored>().to_string();
    let at = footer.windows(description.len()).position(|bytes| bytes == description.as_bytes()).unwrap();
    let described = |text: &str| {
        let (mut length, mut varint) = (text.len(), Vec::new());
        while length >= 0x80 {
            varint.push(length as u8 | 0x80);
            length >>= 7;
        }
        varint.push(length as u8);
        [&footer[..at - 1], &varint, text.as_bytes(), &footer[at + description.len()..]].concat()
    };
    assert!(description.len() < 0x80 && described(&description) == footer);
    let greatest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let section = |group: u8| [&[group][..], &greatest, &[1, 1]].concat();
    let mut footers = vec![
        ("no end of a type", described("enum A { ")),
        ("a deep type", described(&"Option<".repeat(1_000_000))),
        ("many units", described("(String, [(); 18446744073709551615])")),
        (
            "one part with sections beyond all numbers",
            [&[1, 0, 0, 1, b'?', 0, 2][..], &section(0), &section(1)].concat(),
        ),
        ("parts beyond all numbers", greatest.to_vec()),
    ];
    footers.extend((0..seeds() * 10).map(|seed| ("a seed", damaged(&mut Random(seed), footer))));
    for (at, (what, footer)) in footers.iter().enumerate() {
        let (bytes, layer) = layer(sections, footer);
        fs::remove_file(&path).unwrap(); // writing over a file waits for the disk
        fs::write(&path, bytes).unwrap();
        let read = bounded(&format!("{what}, {at}"), || read_layer(store.clone(), &layer));
        if what.contains("beyond") {
            assert!(read.unwrap_err().to_string().contains("E-CHECKPOINT-CORRUPT"), "{what}");
        }
    }
}

#[test]
fn what_a_sink_prepared_and_something_has_damaged_is_taken_or_refused() {
    let _alone = alone();
    let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, false)]));
    let job = |generation| {
        let mut writing = Writing::of("mine", generation);
        writing.resumes = generation > 1;
        writing
    };
    for name in
        ["parquet:DIR/out?buckets=1&span=10ms", "csv:DIR/out/?span=10ms", "json:DIR/out/one.json", "log:DIR/out"]
    {
        let mut refused = 0;
        for seed in 0..seeds() {
            let dir = tempfile::tempdir().unwrap();
            let sink = binding::sink(&name.replace("DIR", &dir.path().display().to_string())).unwrap();
            sink.check(&schema, &job(1)).unwrap();
            drop(sink.claim(&schema, &job(1)).unwrap());
            let mut writer = sink.open(0, &schema, &job(1)).unwrap();
            writer.recover(&[]).unwrap();
            let rows = RecordBatch::try_new(schema.clone(), vec![Arc::new(Int64Array::from(vec![1, 2]))]).unwrap();
            writer.write(&[1, 20_001].map(EventTime::from_micros), &rows).unwrap();
            let bytes = writer.prepare(Epoch(1), EventTime::MIN).unwrap();
            std::mem::forget(writer); // as a process that is killed leaves it
            let bytes = damaged(&mut Random(seed), &bytes);
            let taken = bounded(&format!("{name}, seed {seed}"), || {
                let mut writer = sink.open(0, &schema, &job(2))?;
                writer.recover(&[Prepared { epoch: Epoch(1), bytes }])?;
                writer.prepare(Epoch(2), EventTime::MAX).map(drop)
            });
            refused += u32::from(taken.is_err());
        }
        println!("{name}: {refused} of {} were refused", seeds());
    }
}

#[test]
fn sources_go_on_from_no_offset_that_cannot_be() {
    let (_alone, dir) = (alone(), tempfile::tempdir().unwrap());
    let path = |name: &str| dir.path().join(name);
    fs::write(path("a.csv"), "number,text,bytes\n1,a,x\n2,,y\n").unwrap();
    fs::write(path("a.json"), "{\"number\":1,\"text\":\"a\",\"bytes\":\"x\"}\n").unwrap();
    write_file(path("a.parquet"), &batch().schema(), [batch()], &FileOptions::default()).unwrap();
    let log = Log::create(path("log"), &batch().schema(), 1).unwrap();
    log.writer(0).unwrap().append(&batch()).unwrap();
    let sources: [(&str, Box<dyn Source>, usize); 4] = [
        ("csv", Box::new(csv::read(path("a.csv"))), 2),
        ("json", Box::new(json::read(path("a.json"))), 2),
        ("parquet", Box::new(parquet::read(path("a.parquet"))), 3),
        ("log", Box::new(LogSource::open(path("log")).unwrap().bounded(true)), 3),
    ];
    for (name, source, columns) in &sources {
        for position in [1, 7, 1 << 31, (1 << 32) + 1, i64::MAX as u64, 1 << 63, u64::MAX - 1, u64::MAX] {
            for proof in [None, Some([0; 32]), Some([0xff; 32])] {
                let what = format!("{name} from {position}, proof {proof:?}");
                let offset = Offset { position, proof };
                let read = bounded(&what, || read_from(&**source, *columns, Some(&offset)));
                // Where it says that it has read on, it has read nothing of what was before.
                assert!(read.is_err() || position < 8 || read.as_ref().unwrap().0 == 0, "{what}: {read:?}");
            }
        }
    }
}
