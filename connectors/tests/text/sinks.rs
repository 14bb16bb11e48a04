//! The sinks of text: what is seen when, what is taken up, and what is refused.

use super::*;

fn seen_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}

fn write(writer: &mut dyn SinkWriter, rows: &[Row]) {
    let (times, batch) = batch_of(rows);
    writer.write(&times, &batch).unwrap();
}

/// The name of a file, what writes it, and what reads it.
type Ends = (&'static str, Box<dyn Sink>, Box<dyn Source>);

#[test]
fn one_file_appears_whole_at_the_end_and_reads_back() {
    let directory = tempdir().unwrap();
    let sinks: [Ends; 2] = [
        (
            "a.csv",
            Box::new(csv::write(directory.path().join("a.csv"))),
            Box::new(csv::read(directory.path().join("a.csv"))),
        ),
        (
            "b.json",
            Box::new(json::write(directory.path().join("b.json"))),
            Box::new(json::read(directory.path().join("b.json"))),
        ),
    ];
    for (name, sink, source) in sinks {
        sink.check(&schema(), &Writing::default()).unwrap();
        let mut writer = sink.open(0, &schema(), &Writing::default()).unwrap();
        write(&mut *writer, &expected()[..2]);
        let prepared = writer.prepare(Epoch(1), EventTime::from_micros(2)).unwrap();
        writer.commit(Epoch(1), &prepared).unwrap();
        write(&mut *writer, &expected()[2..]);
        let prepared = writer.prepare(Epoch(2), EventTime::MAX).unwrap();
        assert!(!seen_in(directory.path()).contains(&name.to_string()));
        writer.commit(Epoch(2), &prepared).unwrap();
        writer.commit(Epoch(2), &prepared).unwrap();
        sink.finish(&schema(), &Writing::default(), &[]).unwrap();
        let mut sorted = expected();
        sorted.sort();
        assert_eq!(good(drain(&mut *open(&*source, 0)).0), sorted);
        assert!(
            sink.check(&schema(), &Writing::default()).unwrap_err().to_string().contains("there is output already")
        );
    }
    let entries = fs::read_dir(directory.path()).unwrap();
    let mut left: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, [".a.csv.published", ".b.json.published", "a.csv", "b.json"], "nothing else is left aside");
}

const HOUR: i64 = 3_600_000_000;

#[test]
fn a_span_is_published_when_the_watermark_passes_it_and_stragglers_go_beside_it() {
    // A file in an output directory is whole.
    let directory = tempdir().unwrap();
    let out = directory.path().join("out");
    let sink = csv::write(&out);
    sink.check(&schema(), &Writing::default()).unwrap();
    let mut writer = sink.open(0, &schema(), &Writing::default()).unwrap();
    write(&mut *writer, &[row(5, "b", 1), row(5, "a", None), row(HOUR, "c", 3)]);
    let first = writer.prepare(Epoch(1), EventTime::from_micros(HOUR)).unwrap();
    assert_eq!(seen_in(&out), [""; 0]);
    writer.commit(Epoch(1), &first).unwrap();
    assert_eq!(seen_in(&out), ["19700101T000000Z-b0.csv"]);
    let text = "time,name,count\n1970-01-01T00:00:00.000005Z,a,\n1970-01-01T00:00:00.000005Z,b,1\n";
    assert_eq!(fs::read_to_string(out.join("19700101T000000Z-b0.csv")).unwrap(), text);
    write(&mut *writer, &[row(6, "straggler", 1)]);
    let second = writer.prepare(Epoch(2), EventTime::MAX).unwrap();
    writer.commit(Epoch(2), &second).unwrap();
    assert_eq!(seen_in(&out), ["19700101T000000Z-b0-1.csv", "19700101T000000Z-b0.csv", "19700101T010000Z-b0.csv"]);
    assert_eq!(writer.prepare(Epoch(3), EventTime::MAX).unwrap(), b"");
}

#[test]
fn more_spans_may_be_open_than_files() {
    let directory = tempdir().unwrap();
    let sink = json::write(directory.path().join("out.d/")).span(1.seconds());
    sink.check(&schema(), &Writing::default()).unwrap();
    let mut writer = sink.open(0, &schema(), &Writing::default()).unwrap();
    let rows: Vec<_> = (0..70).map(|second| row(second * 1_000_000, "a", second)).collect();
    write(&mut *writer, &rows);
    write(&mut *writer, &rows);
    let prepared = writer.prepare(Epoch(1), EventTime::MAX).unwrap();
    writer.commit(Epoch(1), &prepared).unwrap();
    sink.finish(&schema(), &Writing::default(), &[]).unwrap();
    let out = directory.path().join("out.d");
    assert_eq!(seen_in(&out).len(), 70);
    assert!(seen_in(&out).iter().all(|name| fs::read_to_string(out.join(name)).unwrap().lines().count() == 2));
}

#[test]
fn another_generation_takes_open_spans_up_where_the_commit_left_them() {
    let run = |crash: bool| {
        let directory = tempdir().unwrap();
        let sink = json::write(directory.path().join("out"));
        let writing = |generation| {
            let mut writing = Writing::of("j", generation);
            writing.resumes = generation > 1;
            writing
        };
        sink.check(&schema(), &writing(1)).unwrap();
        let mut writer = sink.open(0, &schema(), &writing(1)).unwrap();
        write(&mut *writer, &[row(1, "a", 1), row(HOUR, "b", 2)]);
        let first = writer.prepare(Epoch(1), EventTime::from_micros(1)).unwrap();
        writer.commit(Epoch(1), &first).unwrap();
        write(&mut *writer, &[row(2, "c", 3)]);
        let second = writer.prepare(Epoch(2), EventTime::from_micros(HOUR)).unwrap();
        if crash {
            // Rows after the last commit are lost with the generation, and come again.
            write(&mut *writer, &[row(HOUR + 1, "d", 4)]);
            writer.prepare(Epoch(3), EventTime::MAX).unwrap();
            sink.check(&schema(), &writing(2)).unwrap();
            writer = sink.open(0, &schema(), &writing(2)).unwrap();
            let prepared = |epoch, bytes: &[u8]| Prepared { epoch: Epoch(epoch), bytes: bytes.to_vec() };
            writer.recover(&[prepared(1, &first), prepared(2, &second)]).unwrap();
        } else {
            writer.commit(Epoch(2), &second).unwrap();
        }
        write(&mut *writer, &[row(HOUR + 1, "d", 4)]);
        let third = writer.prepare(Epoch(3), EventTime::MAX).unwrap();
        writer.commit(Epoch(3), &third).unwrap();
        sink.finish(&schema(), &writing(2), &[]).unwrap();
        let out = directory.path().join("out");
        seen_in(&out).into_iter().map(|name| (fs::read_to_string(out.join(&name)).unwrap(), name)).collect::<Vec<_>>()
    };
    let straight = run(false);
    assert_eq!(straight.len(), 2);
    assert_eq!(straight[1].0.lines().count(), 2);
    assert_eq!(run(true), straight);
}

#[test]
fn an_output_directory_that_is_not_empty_is_refused_and_overwriting_spares_what_is_not_ours() {
    let directory = tempdir().unwrap();
    for name in ["notes.csv", "19700101T000000Z-b0.csv", "19700101T000000Z-b0-1.csv"] {
        fs::write(directory.path().join(name), "").unwrap();
    }
    let error = csv::write(directory.path()).check(&schema(), &Writing::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("19700101T000000Z-b0-1.csv"), "{error}");
    assert_eq!(seen_in(directory.path()).len(), 3);
    // Named like a sink's, and made by none.
    let over = csv::write(directory.path()).overwrite(true);
    let error = over.check(&schema(), &Writing::default()).unwrap_err();
    assert!(error.to_string().contains("19700101T000000Z-b0-1.csv is not a file that a sink has made"), "{error}");
    assert_eq!(seen_in(directory.path()).len(), 3);
}

#[test]
fn what_cannot_be_written_is_refused_before_the_run() {
    let list = DataType::List(Arc::new(Field::new("item", DataType::Int64, true)));
    let nested = Arc::new(Schema::new(vec![Field::new("tags", list, false)]));
    assert!(csv::write("out").check(&nested, &Writing::default()).unwrap_err().to_string().contains("column `tags`"));
    let error = json::write("out.json").buckets(2).check(&schema(), &Writing::default()).unwrap_err();
    assert!(error.to_string().contains("one output has one bucket"), "{error}");
    assert!(json::write("out").span(0.seconds()).check(&schema(), &Writing::default()).is_err());
}

#[test]
fn values_of_every_kind_come_back_as_they_were() {
    let schema = Arc::new(Schema::new(vec![
        Field::new("float", DataType::Float64, true),
        Field::new("flag", DataType::Boolean, false),
        Field::new("text", DataType::Utf8, true),
    ]));
    let floats = Float64Array::from(vec![Some(0.1 + 0.2), Some(-1e300), None]);
    let flags = BooleanArray::from(vec![true, false, true]);
    let texts = StringArray::from(vec![Some("\r\n"), None, Some(" a\\\" ")]);
    let rows = RecordBatch::try_new(schema.clone(), vec![Arc::new(floats), Arc::new(flags), Arc::new(texts)]).unwrap();
    let times = [1, 2, 3].map(EventTime::from_micros);
    let directory = tempdir().unwrap();
    let (a, b) = (directory.path().join("a.csv"), directory.path().join("b.json"));
    let pairs: [(Box<dyn Sink>, Box<dyn Source>); 2] =
        [(Box::new(csv::write(&a)), Box::new(csv::read(&a))), (Box::new(json::write(&b)), Box::new(json::read(&b)))];
    for (sink, source) in pairs {
        let mut writer = sink.open(0, &schema, &Writing::default()).unwrap();
        writer.write(&times, &rows).unwrap();
        let prepared = writer.prepare(Epoch(1), EventTime::MAX).unwrap();
        writer.commit(Epoch(1), &prepared).unwrap();
        let scan = Scan { schema: schema.clone(), ..scan() };
        let partition = source.partitions(&scan).unwrap().partitions.remove(0);
        match source.open(&partition, None, &scan).unwrap().next().unwrap() {
            Next::Batch(batch) => assert_eq!(batch.rows, rows, "{}", source.describe()),
            other => panic!("{other:?}"),
        }
    }
}
