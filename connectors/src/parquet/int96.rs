//! INT96, which older programs write for times: a day of 32 bits and the nanoseconds in it, which is more than
//! microseconds of 64 bits hold. The library silently wraps what is beyond them, so this looks for such values before a
//! row group is read.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Schema, TimeUnit};
use dualgauge_engine::{Error, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::Type as Physical;

use super::columns::Projection;
use super::file::ParquetFile;
use super::guard::guarded;
use super::read_as::as_read;

/// The most milliseconds, on either side of the epoch, that are microseconds of 64 bits.
const MILLIS_MAX: i64 = i64::MAX / 1_000 - 1;

/// Refuses a row group in which a wanted time of INT96 is beyond what microseconds hold.
pub(super) fn check(file: &ParquetFile, group: usize, plain: &ArrowReaderMetadata, wanted: &Projection) -> Result<()> {
    let leaves = || plain.parquet_schema().columns().iter().map(|leaf| leaf.physical_type());
    let int96: Vec<_> =
        leaves().enumerate().filter(|(_, stored)| *stored == Physical::INT96).map(|(at, _)| at).collect();
    if int96.is_empty() {
        return Ok(());
    }
    // In milliseconds none of them wraps.
    let mut stored = leaves();
    let fields = wanted.arrow.fields().iter().map(|field| as_read(field, &mut stored, TimeUnit::Millisecond));
    let schema = Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), wanted.arrow.metadata().clone()));
    let chunks = file.chunks(plain.metadata().row_groups());
    let beyond = guarded(format_args!("file {}: row group {group}: times of INT96", file.name), || {
        let options = ArrowReaderOptions::new().with_schema(schema);
        let metadata = ArrowReaderMetadata::try_new(plain.metadata().clone(), options)?;
        let mask = ProjectionMask::leaves(metadata.parquet_schema(), int96);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, metadata).with_projection(mask);
        for batch in reader.build()? {
            let batch = batch?;
            let column = batch.columns().iter().position(has_beyond);
            if let Some(column) = column {
                return Ok(Some(batch.schema_ref().field(column).name().clone()));
            }
        }
        Ok(None)
    })?;
    match beyond {
        Some(column) => Err(Error::data(format!(
            "file {}: row group {group}: column `{column}` has a time of INT96 that is more than 292,000 years from now, which \
             no microseconds of 64 bits hold. Was the file damaged?",
            file.name
        ))),
        None => Ok(()),
    }
}

fn has_beyond(column: &ArrayRef) -> bool {
    match column.data_type() {
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            let times = column.as_primitive::<TimestampMillisecondType>();
            times.iter().flatten().any(|millis| millis.unsigned_abs() > MILLIS_MAX.unsigned_abs())
        }
        DataType::Struct(_) => column.as_struct().columns().iter().any(has_beyond),
        DataType::List(_) => has_beyond(column.as_list::<i32>().values()),
        DataType::LargeList(_) => has_beyond(column.as_list::<i64>().values()),
        DataType::Map(..) => column.as_map().entries().columns().iter().any(has_beyond),
        _ => false,
    }
}
