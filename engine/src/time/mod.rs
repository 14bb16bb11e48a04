//! Time: one clock for history and live.
//!
//! [`EventTime`] says when something happened, [`Epoch`] is the unit of commit, and a [`Stamp`] is the pair that
//! travels with every message. The [`Frontier`] is what timely says may still come; its event-time side is the
//! watermark, a thing that is read and never sent.

mod clock;
mod duration;
mod epoch;
mod event_time;
mod frontier;
mod stamp;

pub use clock::{Clock, SystemClock, VirtualClock};
pub use duration::{Duration, Durations, IntoDuration};
pub use epoch::Epoch;
pub use event_time::EventTime;
pub use frontier::Frontier;
pub use stamp::Stamp;
