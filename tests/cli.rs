//! The command line of a graph, called as a function: what it prints, and the code it exits with.
//!
//! It would catch a call that is accepted and should not be, an error without the place or the alternatives, a run that
//! reads or writes something else than it was told, and a stop or a panic that ends a run in another way than promised.

#[path = "cli/calls.rs"]
mod calls;
#[path = "cli/checkpoints.rs"]
mod checkpoints;
#[path = "cli/configurations.rs"]
mod configurations;
#[path = "cli/graph.rs"]
mod graph;
#[path = "cli/job_file.rs"]
mod job_file;
#[path = "cli/many.rs"]
mod many;
#[path = "cli/plan.rs"]
mod plan;
#[path = "cli/run.rs"]
mod run;
#[path = "cli/support.rs"]
mod support;
#[path = "cli/upgrades.rs"]
mod upgrades;
