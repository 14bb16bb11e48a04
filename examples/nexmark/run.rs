//! One run of one query, over history or over the live log.

use std::path::Path;
use std::thread;

use dualgauge::connectors::log::LogSource;
use dualgauge::connectors::parquet;
use dualgauge::prelude::*;
use dualgauge::{Outcome, Result};

use crate::answer::Answer;
use crate::data::{self, Size};
use crate::queries::Query;

/// Replays the files in `history`.
pub fn over_history(query: &Query, history: &Path, workers: usize, answer: &Answer) -> Result<Outcome> {
    let mut job = Job::new(query.graph).sink("answer", answer.clone()).workers(workers);
    for table in query.inputs {
        job = job.source(table.name(), parquet::read(data::files(history, *table)?));
    }
    job.run()
}

/// Follows logs, to each of which a thread appends as fast as it can until it seals it.
pub fn over_logs(query: &Query, size: Size, workers: usize, answer: &Answer) -> Result<Outcome> {
    let dir = data::temporary()?;
    let feeds = data::feeds(dir.path(), query.inputs, size)?;
    let mut job = Job::new(query.graph).sink("answer", answer.clone()).workers(workers);
    for (table, feed) in &feeds {
        job = job.source(table.name(), LogSource::of(feed.log().clone()));
    }
    thread::scope(|scope| {
        let feeders: Vec<_> = feeds.into_iter().map(|(_, mut feed)| scope.spawn(move || feed.run())).collect();
        let outcome = job.run();
        feeders.into_iter().try_for_each(|feeder| feeder.join().expect("a feed does not panic").map(drop))?;
        outcome
    })
}
