//! Fields that no column can hold.
//!
//! says: cannot be a field of a record
//! says: no column can hold this

#![cfg(refused)]

use std::collections::HashMap;

use dualgauge::prelude::*;

#[record]
pub struct Tagged {
    tags: HashMap<String, String>,
    number: usize,
    #[event_time]
    at: EventTime,
}
