//! Where the Parquet library is called: its errors and its panics become errors that name the place.

use std::fmt::Display;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dualgauge_engine::{Error, Result};
use parquet::errors::ParquetError;

/// Runs `call` of the Parquet library.
///
/// The library checks much and not all of what a damaged file can say; some of it ends in a panic there. A damaged file
/// is the world's failure and not ours, so it may not end the process. Whatever `call` had in hand is not used again
/// after a panic.
pub(super) fn guarded<T>(place: impl Display, call: impl FnOnce() -> Result<T, ParquetError>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(cause)) => Err(decode_error(&place, cause)),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            let said = said.unwrap_or("without a message");
            Err(Error::data(format!("{place}: the data is damaged (decoding it panicked: {said})")))
        }
    }
}

/// What a reader says when it is the file's content that is wrong.
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
