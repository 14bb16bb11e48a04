//! Joins over scripts: what meets what, when it leaves, and what is late. Each script runs on one to three workers, with
//! epochs of one row and of many, under seeded schedules, and through crashes; an answer that depends on any of these fails.

#[path = "joins/bounded.rs"]
mod bounded;
#[path = "joins/broadcast.rs"]
mod broadcast;
#[path = "joins/interval.rs"]
mod interval;
#[path = "joins/temporal.rs"]
mod temporal;
#[path = "joins/window.rs"]
mod window;
