//! Standard output as a sink: rows appear when they are committed, at least once.

use dualgauge_engine::sink::Prepared;
use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use dualgauge_engine::{Epoch, Error, EventTime, Result, SinkWriter};

use super::{Format, rows};

/// Prints rows at each commit. What `prepare` returns is their text, so that another generation can print it too.
pub(super) struct StdoutWriter<F, W> {
    format: F,
    out: W,
    schema: SchemaRef,
    /// What the record says of its columns.
    said: Option<SchemaRef>,
    /// Written, but not yet prepared.
    rows: Vec<(EventTime, Vec<u8>)>,
    /// Whether this process has printed the header.
    begun: bool,
    /// The same, for the sink.
    printed: Arc<AtomicBool>,
}

impl<F: Format, W: Write> StdoutWriter<F, W> {
    pub(super) fn new(format: F, out: W, schema: SchemaRef, printed: &Arc<AtomicBool>) -> StdoutWriter<F, W> {
        StdoutWriter { format, out, schema, said: None, rows: Vec::new(), begun: false, printed: Arc::clone(printed) }
    }

    /// With what the record says about its columns.
    pub(super) fn said(mut self, said: Option<SchemaRef>) -> StdoutWriter<F, W> {
        self.said = said;
        self
    }
}

impl<F: Format, W: Write> SinkWriter for StdoutWriter<F, W> {
    fn write(&mut self, times: &[EventTime], rows: &RecordBatch) -> Result<()> {
        self.rows.extend(rows::encode(&self.format, self.said.as_ref(), times, rows)?);
        Ok(())
    }

    fn prepare(&mut self, _: Epoch, _: EventTime) -> Result<Vec<u8>> {
        Ok(rows::sorted(&self.format, None, std::mem::take(&mut self.rows)))
    }

    fn commit(&mut self, _: Epoch, prepared: &[u8]) -> Result<()> {
        if prepared.is_empty() {
            return Ok(());
        }
        let header = if self.begun { Vec::new() } else { self.format.encode_header(&self.schema) };
        self.begun = true;
        self.printed.store(true, Ordering::SeqCst);
        print(&mut self.out, &[&header, prepared])
    }

    fn recover(&mut self, prepared: &[Prepared]) -> Result<()> {
        prepared.iter().try_for_each(|one| self.commit(one.epoch, &one.bytes))
    }
}

/// Prints pieces of text, and flushes them.
pub(super) fn print(out: &mut impl Write, pieces: &[&[u8]]) -> Result<()> {
    let printed = pieces.iter().try_for_each(|piece| out.write_all(piece)).and_then(|()| out.flush());
    printed.map_err(|cause| match cause.kind() {
        // `| head` has seen enough: nobody's fault, and nothing that a retry would mend.
        ErrorKind::BrokenPipe => {
            let stopped = dualgauge_engine::ErrorKind::Stopped;
            Error::new(stopped, "whoever read standard output has closed it").caused_by(cause)
        }
        _ => Error::io("cannot write to standard output", cause),
    })
}

#[cfg(test)]
mod tests {
    use arrow_array::Int64Array;
    use arrow_schema::{DataType, Field, Schema};

    use dualgauge_engine::Sink;
    use dualgauge_engine::sink::{Delivery, Writing};
    use dualgauge_engine::testing::{Item, SinkPlace, sink_contract};

    use super::*;

    #[test]
    fn rows_are_printed_at_their_commit_below_one_header() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, false)]));
        let rows = |values: Vec<i64>| {
            let times: Vec<_> = values.iter().map(|&value| EventTime::from_micros(value)).collect();
            (times, RecordBatch::try_new(schema.clone(), vec![Arc::new(Int64Array::from(values))]).unwrap())
        };
        let mut printed = Vec::new();
        let mut writer = StdoutWriter::new(crate::csv::Csv::default(), &mut printed, schema.clone(), &Arc::default());
        let (times, batch) = rows(vec![2, 1]);
        writer.write(&times, &batch).unwrap();
        let prepared = writer.prepare(Epoch(1), EventTime::MIN).unwrap();
        assert!(writer.out.is_empty());
        writer.commit(Epoch(1), &prepared).unwrap();
        let (times, batch) = rows(vec![3]);
        writer.write(&times, &batch).unwrap();
        let prepared = writer.prepare(Epoch(2), EventTime::MAX).unwrap();
        writer.commit(Epoch(2), &prepared).unwrap();
        assert_eq!(String::from_utf8(printed).unwrap(), "a\n1\n2\n3\n");
    }

    /// Standard output that a test can read: what was printed is there for good.
    #[derive(Clone, Default)]
    struct Paper(Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Sink for Paper {
        fn describe(&self) -> String {
            "paper".to_string()
        }

        fn check(&self, _: &SchemaRef, _: &Writing) -> Result<()> {
            Ok(())
        }

        fn delivery(&self) -> Delivery {
            Delivery::AtLeastOnce
        }

        fn open(&self, _: usize, schema: &SchemaRef, _: &Writing) -> Result<Box<dyn SinkWriter>> {
            Ok(Box::new(StdoutWriter::new(crate::json::Json, self.clone(), schema.clone(), &Arc::default())))
        }
    }

    impl SinkPlace for Paper {
        fn sink(&self) -> Box<dyn Sink> {
            Box::new(self.clone())
        }

        fn seen(&self) -> Result<Vec<Vec<Item>>> {
            let printed = self.0.lock().unwrap().clone();
            let rows = printed.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| {
                let row: serde_json::Value = serde_json::from_slice(line).unwrap();
                let text = |column: &str| row[column].as_str().unwrap().to_string();
                Item { time: text("time").parse().unwrap(), key: text("key"), value: row["value"].as_i64().unwrap() }
            });
            Ok(vec![rows.collect()])
        }
    }

    #[test]
    fn what_is_printed_keeps_the_contract_of_a_sink_that_shows_rows_at_least_once() {
        sink_contract(Paper::default).unwrap();
    }
}
