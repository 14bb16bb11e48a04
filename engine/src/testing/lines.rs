//! The lines that a test writes, each at its event time, and a sink for them that publishes once or, to see a test fail, too early.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_schema::SchemaRef;

use super::script::{Line, seconds};
use crate::checkpoint::BucketCut;
use crate::connector::Firings;
use crate::flow::NodeSpec;
use crate::{Epoch, Error, Event, EventTime, Prepared, Record, Result, Since, Sink, SinkWriter, Stream, Writing};

/// The texts of a flow as lines, each at its event time.
#[track_caller]
pub fn as_lines<L: 'static>(texts: Stream<'_, String, L>) -> Stream<'_, Line> {
    texts.transform(NodeSpec::stateless("lines"), |batch| {
        batch.transform(|event: Event<String>, out: &mut Vec<Event<Line>>| {
            out.push(Event::new(event.time, Line { time: event.time, text: event.data }));
        })
    })
}

/// Collects the lines that a flow writes; its clones share them, and outlive a crash as files do.
///
/// With checkpoints, what is prepared is in the prepared bytes and nowhere else, so that nothing is seen that no
/// manifest names. Without, a line is seen as soon as it is written.
#[derive(Clone, Default)]
pub struct Lines {
    published: Arc<Mutex<Published>>,
    careless: bool,
    unordered: bool,
    firings: Firings,
}

/// Lines by bucket and epoch, so that publishing twice is publishing once.
type Published = BTreeMap<(usize, Epoch), Vec<Line>>;

impl Lines {
    /// A sink that publishes what it prepares at once: after a crash its lines are there twice.
    pub fn careless() -> Lines {
        Lines { careless: true, ..Lines::default() }
    }

    /// A sink to which the order of lines does not matter, so that each worker writes its own at once.
    pub fn unordered() -> Lines {
        Lines { unordered: true, ..Lines::default() }
    }

    /// A sink that writes all firings: each line with the number of its firing, the last one with `last`.
    pub fn all_firings() -> Lines {
        Lines { firings: Firings::All, ..Lines::default() }
    }

    /// The lines in the order of their event times, each as `seconds text`.
    pub fn text(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.published().values().flatten().cloned().collect();
        lines.sort();
        lines.iter().map(|line| format!("{} {}", seconds(line.time), line.text).trim_end().to_string()).collect()
    }

    /// An independent sink of the same kind, in which the same lines are published.
    pub fn fork(&self) -> Lines {
        Lines { published: Arc::new(Mutex::new(self.published().clone())), ..*self }
    }

    fn published(&self) -> MutexGuard<'_, Published> {
        self.published.lock().expect("no panic holds it")
    }
}

impl Sink for Lines {
    fn describe(&self) -> String {
        "lines".to_string()
    }

    fn check(&self, _: &SchemaRef, _: &Writing) -> Result<()> {
        Ok(())
    }

    fn buckets(&self) -> usize {
        3
    }

    fn wants_order(&self) -> bool {
        !self.unordered
    }

    fn firings(&self) -> Firings {
        self.firings
    }

    fn takes_other_columns(&self) -> bool {
        true
    }

    fn published_since(&self, writing: &Writing, _: &[BucketCut]) -> Result<Since> {
        let Some(after) = writing.after.filter(|_| !self.careless) else { return Ok(Since::Unknown) };
        let published = self.published();
        let later = || published.iter().filter(|((_, epoch), _)| *epoch > after.epoch);
        let (upto, lines) =
            (later().map(|((_, epoch), _)| *epoch).max(), later().map(|(_, lines)| lines.len()).sum::<usize>());
        Ok(upto.map_or(Since::Nothing, |upto| Since::Published { upto, what: format!("{lines} lines") }))
    }

    fn take_back(&self, writing: &Writing) -> Result<()> {
        let Some(after) = writing.after.filter(|_| !self.careless) else { return Ok(()) };
        self.published().retain(|(_, epoch), _| *epoch <= after.epoch);
        Ok(())
    }

    fn open(&self, bucket: usize, _: &SchemaRef, writing: &Writing) -> Result<Box<dyn SinkWriter>> {
        let (lines, at_once) = (self.clone(), writing.job.is_none());
        Ok(Box::new(Bucket { lines, bucket, at_once, written: Vec::new(), generation: writing.generation }))
    }
}

/// The lines of a batch, with what is said about their firings.
pub(super) fn decoded(rows: &RecordBatch) -> Vec<Line> {
    let mut lines: Vec<Event<Line>> = Vec::new();
    Line::decode(rows, &mut lines).expect("lines that were just encoded");
    let mut lines: Vec<_> = lines.into_iter().map(|line| line.data).collect();
    if let (Some(firings), Some(lasts)) = (rows.column_by_name("firing"), rows.column_by_name("last")) {
        for (row, line) in lines.iter_mut().enumerate() {
            line.text += &format!(" firing {}", firings.as_primitive::<UInt64Type>().value(row));
            line.text += if lasts.as_boolean().value(row) { " last" } else { "" };
        }
    }
    lines
}

struct Bucket {
    lines: Lines,
    bucket: usize,
    at_once: bool,
    written: Vec<Line>,
    generation: u64,
}

impl SinkWriter for Bucket {
    fn write(&mut self, times: &[EventTime], rows: &RecordBatch) -> Result<()> {
        let lines = decoded(rows).into_iter().zip(times).map(|(line, time)| Line { time: *time, ..line });
        match self.at_once {
            true => self.lines.published().entry((self.bucket, Epoch(0))).or_default().extend(lines),
            false => self.written.extend(lines),
        }
        Ok(())
    }

    fn prepare(&mut self, epoch: Epoch, _: EventTime) -> Result<Vec<u8>> {
        let lines = std::mem::take(&mut self.written);
        if self.lines.careless {
            let once = Epoch((self.generation << 32) + epoch.0);
            self.lines.published().insert((self.bucket, once), lines);
            return Ok(Vec::new());
        }
        Ok(if lines.is_empty() { Vec::new() } else { postcard::to_stdvec(&lines).expect("lines have bytes") })
    }

    fn commit(&mut self, epoch: Epoch, prepared: &[u8]) -> Result<()> {
        let damaged = |error| Error::data("prepared lines are not what they were").caused_by(error);
        let lines = postcard::from_bytes(prepared).map_err(damaged)?;
        self.lines.published().insert((self.bucket, epoch), lines);
        Ok(())
    }

    fn recover(&mut self, prepared: &[Prepared]) -> Result<()> {
        let some = prepared.iter().filter(|prepared| !prepared.bytes.is_empty());
        some.into_iter().try_for_each(|prepared| self.commit(prepared.epoch, &prepared.bytes))
    }
}
