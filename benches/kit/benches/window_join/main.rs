//! How fast is a window join, and what does it depend on?
//!
//! `cargo bench --bench window_join` varies rate, window, overlap, keys, skew, selectivity, payload, ratio and workers,
//! from history and live, and writes `target/window_join/index.html`; `-- --help` has the options. On paper, for the
//! base, in which a row finds one on the other side: a row costs 10 ns to read, 20 ns to deal and keep, 30 ns to find
//! its partner in a table that fits the cache, and 60 ns for its pair to be sorted and encoded; that is 8 M events a
//! second on one worker. The floor is the same join by hand, without what makes it a job.
//!
//! The harness is `benches/kit/src/lib.rs`, which `cargo run --release -p dualgauge-kit -- window-join` runs too.

use std::process::ExitCode;

use dualgauge_kit::{contestants, window_join};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Cargo starts a bench in the folder of its package; its output goes to the `target/` of the workspace.
    std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).expect("the folder that holds this crate");
    window_join(&contestants())
}
