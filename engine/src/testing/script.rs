//! The text that a test reads its events from, as a source, and the lines it writes, as a sink.

use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::{
    Duration, Durations, Epoch, Error, Event, EventTime, Listing, Next, Offset, Partition, PartitionReader, Record,
    Result, Scan, Sink, SinkWriter, Source, SourceBatch, record,
};

/// An event of a script: `key:value@seconds`.
#[record]
pub struct Item {
    /// When it happened.
    #[event_time]
    pub time: EventTime,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: i64,
}

/// A line that a flow under test writes.
#[record]
pub struct Line {
    /// Its event time.
    #[event_time]
    pub time: EventTime,
    /// What it says.
    pub text: String,
}

/// An event time as the seconds of a script: `10`, `-5`, `9.999999`.
pub fn seconds(time: EventTime) -> String {
    match time {
        EventTime::MIN => "start".to_string(),
        EventTime::MAX => "end".to_string(),
        time => {
            let micros = time.as_micros();
            let sign = if micros < 0 { "-" } else { "" };
            let (whole, part) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
            let part = if part == 0 { String::new() } else { format!(".{part:06}").trim_end_matches('0').to_string() };
            format!("{sign}{whole}{part}")
        }
    }
}

/// A parsed script: each line a partition, each partition a list of batches.
#[derive(Clone)]
pub(super) struct Script {
    partitions: Vec<Vec<Step>>,
    pub(super) disorder: Duration,
}

#[derive(Clone)]
struct Step {
    items: Vec<Item>,
    /// The watermark that the source gives after the batch.
    watermark: Option<EventTime>,
}

impl Script {
    /// Reads a script. A first line `disorder 5s` sets the disorder; `~20` ends a batch with a watermark of 20 s.
    ///
    /// # Panics
    /// When the text is not a script.
    pub(super) fn parse(text: &str) -> Script {
        let mut script = Script { partitions: Vec::new(), disorder: Duration::ZERO };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(disorder) = line.strip_prefix("disorder ") {
                script.disorder = disorder.parse().expect("a length of time");
                continue;
            }
            let mut steps = Vec::new();
            let mut items = Vec::new();
            for token in line.split_whitespace() {
                match token.strip_prefix('~') {
                    Some(at) => {
                        let watermark = Some(EventTime::default() + at.parse::<i64>().expect("seconds").seconds());
                        steps.push(Step { items: std::mem::take(&mut items), watermark });
                    }
                    None if token == "|" => steps.push(Step { items: std::mem::take(&mut items), watermark: None }),
                    None => items.push(item(token)),
                }
            }
            steps.push(Step { items, watermark: None });
            script.partitions.push(steps);
        }
        script
    }
}

fn item(token: &str) -> Item {
    let parts = token.split_once(':').and_then(|(key, rest)| Some((key, rest.split_once('@')?)));
    let (key, (value, at)) = parts.unwrap_or_else(|| panic!("`{token}` is not key:value@seconds"));
    let at: f64 = at.parse().expect("seconds");
    Item {
        time: EventTime::from_micros((at * 1e6).round() as i64),
        key: key.to_string(),
        value: value.parse().expect("a whole number"),
    }
}

impl Source for Script {
    fn describe(&self) -> String {
        "script".to_string()
    }

    fn bounded(&self) -> bool {
        false
    }

    fn partitions(&self, _: &Scan) -> Result<Listing> {
        let name = |number: usize| format!("{number:03}");
        let partitions =
            (0..self.partitions.len()).map(|number| Partition { followed: true, ..Partition::new(name(number)) });
        Ok(Listing { partitions: partitions.collect(), ..Listing::default() })
    }

    fn open(&self, partition: &Partition, _: Option<&Offset>, _: &Scan) -> Result<Box<dyn PartitionReader>> {
        let number: usize = partition.id.0.parse().map_err(|_| Error::usage("not a partition of this script"))?;
        Ok(Box::new(ScriptReader { steps: self.partitions[number].clone().into_iter(), rows: 0 }))
    }
}

struct ScriptReader {
    steps: std::vec::IntoIter<Step>,
    rows: u64,
}

impl PartitionReader for ScriptReader {
    fn next(&mut self) -> Result<Next> {
        let Some(step) = self.steps.next() else { return Ok(Next::End) };
        self.rows += step.items.len() as u64;
        let rows = Item::encode(step.items.iter());
        Ok(Next::Batch(SourceBatch { rows, offset_after: Offset::at(self.rows), bound_after: step.watermark }))
    }
}

/// Collects the lines that a flow writes.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<Line>>>);

impl Lines {
    /// The lines in the order of their event times, each as `seconds text`.
    pub(super) fn text(&self) -> Vec<String> {
        let mut lines = self.0.lock().expect("no panic holds it").clone();
        lines.sort();
        lines.iter().map(|line| format!("{} {}", seconds(line.time), line.text)).collect()
    }
}

impl Sink for Lines {
    fn describe(&self) -> String {
        "lines".to_string()
    }

    fn check(&self, _: &SchemaRef) -> Result<()> {
        Ok(())
    }

    fn buckets(&self) -> usize {
        3
    }

    fn open(&self, _: usize, _: &SchemaRef) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(self.clone()))
    }
}

impl SinkWriter for Lines {
    fn write(&mut self, times: &[EventTime], rows: &RecordBatch) -> Result<()> {
        let mut lines: Vec<Event<Line>> = Vec::new();
        Line::decode(rows, &mut lines).expect("lines that were just encoded");
        let lines = lines.into_iter().zip(times).map(|(line, time)| Line { time: *time, ..line.data });
        self.0.lock().expect("no panic holds it").extend(lines);
        Ok(())
    }

    fn prepare(&mut self, _: Epoch, _: EventTime) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _: Epoch, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn recover(&mut self, _: Epoch, _: &[u8]) -> Result<()> {
        Ok(())
    }
}
