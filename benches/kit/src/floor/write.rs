//! The end of a program: rows become columns and go to a worker's part of a sink.

use super::Failure;
use dualgauge::sink::SinkWriter;
use dualgauge::timely::dataflow::StreamVec;
use dualgauge::timely::dataflow::channels::pact::Pipeline;
use dualgauge::timely::dataflow::operators::generic::Operator;
use dualgauge::{Epoch, EventTime, Record, Result};

/// How many rows are encoded at once.
const ROWS: usize = 8192;

/// Writes what comes, and makes it visible when all has come.
pub fn write<R: Record>(rows: StreamVec<'_, i64, R>, writer: Box<dyn SinkWriter>, failure: &Failure) {
    let (mut open, mut waiting) = (Some(writer), Vec::with_capacity(ROWS));
    let failure = failure.clone();
    rows.sink(Pipeline, "write", move |(input, frontier)| {
        let Some(writer) = &mut open else { return };
        let mut written = Ok(());
        input.for_each(|_, rows| {
            waiting.append(rows);
            if waiting.len() >= ROWS && written.is_ok() {
                written = encode(&mut **writer, &mut waiting);
            }
        });
        if frontier.is_empty() {
            written = written.and_then(|()| encode(&mut **writer, &mut waiting));
            written = written.and_then(|()| publish(&mut **writer));
            open = None;
        }
        if let Err(error) = written {
            failure.note(error);
        }
    });
}

fn encode<R: Record>(writer: &mut dyn SinkWriter, rows: &mut Vec<R>) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let times: Vec<EventTime> = rows.iter().map(|row| row.event_time().expect("a row of a stream has one")).collect();
    writer.write(&times, &R::encode(rows.iter()))?;
    rows.clear();
    Ok(())
}

/// Makes visible what was written: at the end, since nothing is committed before.
fn publish(writer: &mut dyn SinkWriter) -> Result<()> {
    let prepared = writer.prepare(Epoch(0), EventTime::MAX)?;
    writer.commit(Epoch(0), &prepared)
}
