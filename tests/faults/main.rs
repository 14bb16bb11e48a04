//! Faults, one class a file: what the page on reliability promises of each is run here, and its figures come from here.
//!
//! Nothing waits for a clock, and all that is drawn is drawn from a seed that a failure names. How often is a number that
//! the environment can raise: `DUALGAUGE_SEEDS` for what is drawn, `DUALGAUGE_SUBSETS` for power losses.

mod back;
mod clocks;
mod common;
mod disks;
mod duplicates;
mod full;
mod gaps;
mod hooks;
mod jumps;
mod links;
mod schemas;
mod slow;
mod starts;
mod state;
mod zombies;
