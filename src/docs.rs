//! The pages of the book and the README, so that the programs in them run as tests.

#[doc = include_str!("../README.md")]
mod readme {}

#[doc = include_str!("../docs/first-pipeline.md")]
mod first_pipeline {}

#[doc = include_str!("../docs/guide.md")]
mod guide {}

#[doc = include_str!("../docs/semantics.md")]
mod semantics {}
