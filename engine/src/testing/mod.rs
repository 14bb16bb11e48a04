//! Tests of graphs as short texts: events in, lines out.
//!
//! [`check`] runs a flow over a script and compares what it writes, on several numbers of workers, with epochs of one
//! row and of many, and under seeded schedules that let one worker step at a time. An answer that depends on any of
//! these fails. [`check_when`] runs a flow one event at a time, and compares after which event each line is seen.
//! [`JobCheck`] runs a whole program's graph over its own records, through crashes too.
//!
//! ```
//! use dualgauge_engine::testing::check;
//!
//! // Two partitions. `|` ends a batch, and `key:value@seconds` is an event.
//! check(
//!     "a:1@10 b:2@11 | a:3@12
//!      c:9@5",
//!     |items| items.transform(dualgauge_engine::flow::NodeSpec::stateless("name"), |batch| {
//!         batch.transform(|event, out| {
//!             out.push(dualgauge_engine::Event::new(event.time, event.data.key))
//!         })
//!     }),
//!     "5 c
//!      10 a
//!      11 b
//!      12 a",
//! );
//! ```

mod baton;
mod check;
mod crash;
mod given;
mod job_check;
mod lines;
mod listed;
mod random;
mod script;
mod sink;
mod source_contract;
mod stepped;
mod when;
mod written;

pub use baton::Baton;
pub use check::{
    check, check_two, run, run_all, run_all_through_crashes, run_inputs, run_inputs_through_crashes,
    run_through_crashes,
};
pub use crash::{Survived, survive, survive_on};
pub use job_check::{Checked, JobCheck};
pub use lines::{Lines, as_lines};
pub use listed::Listed;
pub use random::Random;
pub use script::{Item, Line, Script, Step, seconds};
pub use sink::{Breach, Rule, SinkPlace, sink_contract};
pub use source_contract::{Upheld, source_contract};
pub use stepped::{Moment, Seen, moments};
pub use when::{check_when, check_when_at_once, check_when_firings, check_when_two, run_when};
