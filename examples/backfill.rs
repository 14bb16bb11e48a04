//! Backfill: a new view over existing history. One line of the graph changes; the same files are read again, and the
//! new view is as if it had always been there.
//!
//! `cargo run --release --example backfill`

use std::collections::BTreeMap;
use std::path::Path;

use dualgauge::connectors::parquet;
use dualgauge::prelude::*;
use dualgauge_nexmark::{Options, Table};

#[record]
struct Bid {
    channel: String,
    price: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct Turnover {
    channel: String,
    #[event_time]
    time: EventTime,
    start: EventTime,
    cents: u64,
}

/// The old view: what was bid over each of the big channels, minute by minute.
pub fn by_minute(flow: &Flow) {
    flow.source::<Bid>("bids")
        .filter(|bid| !bid.channel.starts_with("channel-"))
        .key_by(|bid| bid.channel.clone())
        .window(tumbling(1.minutes()))
        .aggregate_of("turnover", |of| of.sum(|bid| bid.price))
        .rows(|channel, window, cents| Turnover { time: window.last_instant(), start: window.start, channel, cents })
        .sink("turnover");
}

/// The new view: still the turnover of a minute, but every ten seconds.
pub fn rolling(flow: &Flow) {
    flow.source::<Bid>("bids")
        .filter(|bid| !bid.channel.starts_with("channel-"))
        .key_by(|bid| bid.channel.clone())
        .window(sliding(1.minutes(), 10.seconds())) // the line that changed
        .aggregate_of("turnover", |of| of.sum(|bid| bid.price))
        .rows(|channel, window, cents| Turnover { time: window.last_instant(), start: window.start, channel, cents })
        .sink("turnover");
}

fn main() -> dualgauge::Result<()> {
    let dir = tempfile::tempdir().expect("a directory for the history");
    let options = Options { events: 150_000, rate: 500, tables: vec![Table::Bids], ..Options::new(dir.path()) };
    let history = dualgauge_nexmark::generate(&options)?.tables[0].dir.clone();

    let (before, after) = (view(by_minute, &history)?, view(rolling, &history)?);
    println!("{:<21} {:<9} {:>16}", "minute from", "channel", "turnover");
    for ((start, channel), cents) in after.iter().filter(|((_, channel), _)| channel == "Google").skip(12).take(7) {
        let known = if before.contains_key(&(*start, channel.clone())) { "as before" } else { "new" };
        println!("{:<21} {channel:<9} {:>13}.{:02}  {known}", start.to_string(), cents / 100, cents % 100);
    }

    println!("\n{} results before, {} after; those of whole minutes are the same.", before.len(), after.len());
    assert_eq!(before.len(), 5 * 4, "five minutes, four channels");
    assert!(before.iter().all(|(window, cents)| after.get(window) == Some(cents)));
    Ok(())
}

/// Runs a graph over the history, and returns the turnover by start of the window and channel.
fn view(graph: fn(&Flow), history: &Path) -> dualgauge::Result<BTreeMap<(EventTime, String), u64>> {
    let out = memory::collect::<Turnover>();
    Job::new(graph).source("bids", parquet::read(history)).sink("turnover", out.clone()).run()?;
    Ok(out.rows().into_iter().map(|row| ((row.start, row.channel), row.cents)).collect())
}
