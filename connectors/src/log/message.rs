//! Batches as messages of an Arrow IPC stream, and back.

use std::fmt;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::reader::FileDecoder;
use arrow_ipc::writer::StreamEncoder;
use arrow_ipc::{Block, MetadataVersion};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use dualgauge_engine::names::{Twice, find};
use dualgauge_engine::{Code, Error, EventTime, Result};

use crate::caught::caught;
use crate::suggest::did_you_mean;

/// Turns batches of one schema into messages.
pub(super) struct Encoder {
    schema: SchemaRef,
    stream: StreamEncoder,
}

impl Encoder {
    /// # Panics
    /// When the schema was not checked before.
    pub fn new(schema: &SchemaRef) -> Encoder {
        let mut stream = StreamEncoder::try_new(schema).expect("a schema that was checked when the log was created");
        // The first call writes the schema's message too; segments begin with that already.
        stream.encode(&RecordBatch::new_empty(schema.clone())).expect("no rows");
        Encoder { schema: schema.clone(), stream }
    }

    /// The batch's message, whose length is a multiple of 64.
    ///
    /// # Errors
    /// A batch of another schema: the error names the column.
    pub fn encode(&mut self, batch: &RecordBatch) -> Result<Vec<Buffer>> {
        let batch = conform(&self.schema, batch)?;
        self.stream.encode(&batch).map_err(|error| Error::usage("the batch cannot be stored").caused_by(error))
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encoder")
    }
}

/// The batch as one of exactly this schema; columns in the same order, names and types equal.
pub(super) fn conform(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch> {
    let given = batch.schema();
    for (at, field) in schema.fields().iter().enumerate() {
        let place = format!("column `{}`", field.name());
        match given.fields().get(at) {
            Some(other) if other.name() == field.name() && other.data_type() == field.data_type() => {}
            Some(other) => {
                let message = format!(
                    "{place}: the log has {} here, and the batch has `{}` of {}; a log's schema is fixed when it is created",
                    field.data_type(),
                    other.name(),
                    other.data_type()
                );
                return Err(Error::usage(message));
            }
            None => return Err(Error::usage(format!("{place}: the batch does not have it"))),
        }
        if !field.is_nullable() && batch.column(at).null_count() > 0 {
            return Err(Error::usage(format!("{place}: the log allows no nulls in it, and the batch has some")));
        }
    }
    if let Some(extra) = given.fields().get(schema.fields().len()) {
        return Err(Error::usage(format!("column `{}`: the log does not have it", extra.name())));
    }
    RecordBatch::try_new(schema.clone(), batch.columns().to_vec())
        .map_err(|error| Error::usage("the batch does not fit the log's schema").caused_by(error))
}

/// Turns messages into batches of the wanted columns.
#[derive(Debug)]
pub(super) struct Decoder {
    file: FileDecoder,
}

impl Decoder {
    /// A decoder of some of the schema's columns, by their index; of all when none are given.
    pub fn new(schema: &SchemaRef, columns: Option<Vec<usize>>) -> Decoder {
        let file = FileDecoder::new(schema.clone(), MetadataVersion::V5);
        Decoder { file: columns.into_iter().fold(file, FileDecoder::with_projection) }
    }

    /// The rows of a message whose checksum was found right.
    pub fn decode(&self, message: &Buffer) -> Result<RecordBatch> {
        let unreadable = || Error::data("the message is not an Arrow record batch, although its checksum is right");
        let prefix = message.as_slice().first_chunk::<8>().ok_or_else(unreadable)?;
        let metadata = 8 + u32::from_le_bytes([prefix[4], prefix[5], prefix[6], prefix[7]]) as usize;
        let body = message.len().checked_sub(metadata).ok_or_else(unreadable)?;
        let block = Block::new(0, metadata as i32, body as i64);
        match caught("the message", || self.file.read_record_batch(&block, message))? {
            Ok(Some(batch)) => Ok(batch),
            Ok(None) => Err(unreadable()),
            Err(error) => Err(unreadable().caused_by(error)),
        }
    }
}

/// The columns' indices in the schema.
pub(super) fn project(schema: &SchemaRef, columns: &[String]) -> Result<Vec<usize>> {
    let index = |name: &String| {
        let names = || schema.fields().iter().map(|field| field.name().as_str());
        let has = || names().collect::<Vec<_>>().join(", ");
        match find(name, names()) {
            Ok(Some(index)) => Ok(index),
            Ok(None) => {
                let hint = did_you_mean(name, names());
                Err(Error::data(format!("column `{name}` is wanted{hint}, and the log has: {}", has())))
            }
            Err(Twice) => Err(Code::Schema.error(format!("the log has column `{name}` twice; it has: {}", has()))),
        }
    };
    columns.iter().map(index).collect()
}

/// The largest event time in a column that [`super::identity`] accepted; `None` where there is none.
pub(super) fn max_time(column: &Arc<dyn Array>) -> Option<EventTime> {
    macro_rules! largest {
        ($type:ty) => {{
            let values = column.as_primitive::<$type>();
            if values.null_count() == 0 { values.values().iter().copied().max() } else { values.iter().flatten().max() }
        }};
    }
    let micros = match column.data_type() {
        DataType::Int64 => largest!(Int64Type),
        DataType::Timestamp(TimeUnit::Second, _) => {
            largest!(TimestampSecondType).map(|time| time.saturating_mul(1_000_000))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            largest!(TimestampMillisecondType).map(|time| time.saturating_mul(1_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => largest!(TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            largest!(TimestampNanosecondType).map(|time| time.div_euclid(1_000))
        }
        other => unreachable!("an event-time column of type {other} was accepted when the log was created"),
    };
    micros.map(EventTime::from_micros)
}
