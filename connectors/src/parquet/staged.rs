//! Sorted rows as the frame of a part, and the frames of a part as sorted runs.
//!
//! ```text
//! run    8 bytes   frames of one run follow each other in order; run 0 is that of rows that came in order
//! count  8 bytes   how many rows
//! times  8 bytes each, in microseconds
//! rows   an Arrow stream
//! ```
//!
//! Numbers are little-endian.

use std::collections::BTreeMap;

use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;
use arrow_select::concat::concat_batches;
use dualgauge_engine::{Error, EventTime, Result};

use super::order::{Rows, Run};
use crate::staging::Frame;

/// The content of a frame.
pub(super) fn encode(run: u64, rows: &Rows) -> Result<Vec<u8>> {
    let mut content = Vec::with_capacity(16 + 8 * rows.len() + rows.batch.get_array_memory_size());
    content.extend_from_slice(&run.to_le_bytes());
    content.extend_from_slice(&(rows.len() as u64).to_le_bytes());
    rows.times.iter().for_each(|time| content.extend_from_slice(&time.as_micros().to_le_bytes()));
    let stream = StreamWriter::try_new(content, rows.batch.schema_ref()).and_then(|mut stream| {
        stream.write(&rows.batch)?;
        stream.into_inner()
    });
    stream.map_err(|error| Error::data("the rows cannot be staged").caused_by(error))
}

/// The sorted runs of a part, read frame by frame.
pub(super) fn runs(frames: Vec<Frame>) -> Result<Vec<Run>> {
    let mut runs: BTreeMap<u64, Vec<Frame>> = BTreeMap::new();
    for frame in frames {
        let front = frame.front(8)?;
        let run = front.try_into().map(u64::from_le_bytes).map_err(|_| misshapen(&frame))?;
        runs.entry(run).or_default().push(frame);
    }
    let read = |frames: Vec<Frame>| -> Run { Box::new(frames.into_iter().map(|frame| decode(&frame))) };
    Ok(runs.into_values().map(read).collect())
}

fn decode(frame: &Frame) -> Result<Rows> {
    let content = frame.read()?;
    let (times, stream) = split(&content).ok_or_else(|| misshapen(frame))?;
    let batch = StreamReader::try_new(stream, None).and_then(|stream| {
        let schema = stream.schema();
        concat_batches(&schema, &stream.collect::<Result<Vec<_>, ArrowError>>()?)
    });
    let batch = batch.map_err(|error| misshapen(frame).caused_by(error))?;
    match batch.num_rows() == times.len() {
        true => Ok(Rows { times, batch }),
        false => Err(misshapen(frame)),
    }
}

/// The times, and the Arrow stream.
fn split(content: &[u8]) -> Option<(Vec<EventTime>, &[u8])> {
    let (_, rest) = content.split_first_chunk::<8>()?;
    let (count, rest) = rest.split_first_chunk()?;
    let (times, stream) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*count)).ok()?.checked_mul(8)?)?;
    let time = |bytes: &[u8]| EventTime::from_micros(i64::from_le_bytes(bytes.try_into().expect("8 bytes")));
    Some((times.chunks_exact(8).map(time).collect(), stream))
}

fn misshapen(frame: &Frame) -> Error {
    Error::data(format!("{} holds no staged rows", frame.place))
}
