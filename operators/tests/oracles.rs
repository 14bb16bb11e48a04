//! Windows, ordered steps and joins by time against oracles that recompute every answer from scratch.
//!
//! What this would catch: a window that fires too early, twice or without a record; a record judged by something else
//! than its own partition's watermark; an answer that depends on batches, epochs, workers or their schedule; a result
//! sent below the watermark that it should have held. An oracle knows the whole input at once and nothing of batches,
//! frontiers and capabilities: it follows the semantics as they are documented, by the plainest code that does.

#[path = "oracles/broadcast.rs"]
mod broadcast;
#[path = "oracles/calendar.rs"]
mod calendar;
#[path = "oracles/case.rs"]
mod case;
#[path = "oracles/counts.rs"]
mod counts;
#[path = "oracles/deduplicate.rs"]
mod deduplicate;
#[path = "oracles/ends.rs"]
mod ends;
#[path = "oracles/interval.rs"]
mod interval;
#[path = "oracles/joins.rs"]
mod joins;
#[path = "oracles/ordered.rs"]
mod ordered;
#[path = "oracles/over.rs"]
mod over;
#[path = "oracles/temporal.rs"]
mod temporal;
#[path = "oracles/top_n.rs"]
mod top_n;
#[path = "oracles/windows.rs"]
mod windows;
