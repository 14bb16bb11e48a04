//! Where a library decodes what a file says: its panics become errors of the data.
//!
//! The libraries check a lot, but not everything that a damaged file can say; some of it makes them panic. A damaged
//! file is the world's failure and not ours, so it may not end the job as a mistake of the program does.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dualgauge_engine::{Error, Result};

/// What `decode` gives; a panic in it is an error of the data at `place`. Whatever it had in hand is not used again
/// after that.
pub(crate) fn caught<T>(place: impl Display, decode: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode)).map_err(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let said = said.unwrap_or("without a message");
        Error::data(format!("{place}: the data is damaged (decoding it panicked: {said})"))
    })
}
