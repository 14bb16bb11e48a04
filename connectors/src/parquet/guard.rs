//! Where the Parquet library is called: its errors and its panics become errors that name the place.

use std::fmt::Display;
use std::io;

use dualgauge_engine::{Error, Result};
use parquet::errors::ParquetError;

use crate::caught::caught;

/// Runs `call` of the Parquet library. Whatever it had in hand is not used again after a panic.
pub(super) fn guarded<T>(place: impl Display, call: impl FnOnce() -> Result<T, ParquetError>) -> Result<T> {
    caught(&place, call)?.map_err(|cause| decode_error(&place, cause))
}

/// What a reader says when the file's content is wrong.
const IN_THE_DATA: [io::ErrorKind; 2] = [io::ErrorKind::UnexpectedEof, io::ErrorKind::InvalidData];

fn decode_error(place: &impl Display, cause: ParquetError) -> Error {
    let refused = matches!(&cause, ParquetError::External(e)
        if e.downcast_ref::<io::Error>().is_some_and(|e| !IN_THE_DATA.contains(&e.kind())));
    match refused {
        true => Error::environment(format!("{place}: cannot be read")).caused_by(cause),
        false => {
            Error::data(format!("{place}: cannot be decoded; the file is damaged or uses what this build cannot read"))
                .caused_by(cause)
        }
    }
}
