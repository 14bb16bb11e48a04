//! The same job keyed by an integer, by a `String` and by a `Text`, which holds short strings in place.
//!
//! A `String` costs three times: its bytes are decoded and copied into an allocation of its own, a key that is not
//! borrowed is a copy of that, and the map compares it byte by byte, at the end of a pointer. By `perf`, 42 % of the
//! job whose key is copied goes to finding the accumulator (the copy of the key, its hash, the comparison), 27 % to
//! reading rows, 13 % to sorting and encoding results; views instead of copies out of the pages save 7 %, a borrowed
//! key 20 %.

use std::time::Instant;

use dualgauge::connectors::parquet;
use dualgauge::prelude::*;

use crate::graphs::{Counted, hot_items};
use crate::{data, spread};

const BIDS: u64 = 10_000_000;
const ROUNDS: usize = 5;

/// `hot_items` by channel instead of by auction, the channel held in a `$text`.
macro_rules! hot_channels {
    ($graph:ident, $text:ty, $($keyed:tt)*) => {
        fn $graph(flow: &Flow) {
            #[record]
            struct Bid {
                channel: $text,
                price: u64,
                #[event_time]
                date_time: EventTime,
            }

            #[record]
            struct HotChannel {
                channel: $text,
                #[event_time]
                time: EventTime,
                window_end: EventTime,
                bids: u64,
            }

            flow.source::<Bid>("bids")
                .$($keyed)*
                .window(tumbling(10.seconds()))
                .aggregate("bids_per_channel", agg::count())
                .map(|pane| HotChannel {
                    time: pane.time,
                    channel: pane.key,
                    window_end: pane.window.end,
                    bids: pane.value,
                })
                .sink("hot_items");
        }
    };
}

hot_channels!(by_copy, String, key_by(|bid| bid.channel.clone()));
hot_channels!(by_string, String, key_by_ref(|bid| &bid.channel));
hot_channels!(by_text, Text, key_by_ref(|bid| &bid.channel));

pub fn run() {
    let bids = data::bids(BIDS);
    let time = |graph: fn(&Flow)| {
        let counted = Counted::default();
        let job = Job::new(graph).source("bids", parquet::read(&bids)).sink("hot_items", counted.clone());
        let start = Instant::now();
        job.run().expect("the job runs");
        (start.elapsed().as_secs_f64(), counted.rows())
    };
    let graphs: [fn(&Flow); 4] = [hot_items, by_copy, by_string, by_text];
    let (mut times, mut rows) = ([const { Vec::new() }; 4], [0; 4]);
    for round in 0..=ROUNDS {
        for (at, graph) in graphs.into_iter().enumerate() {
            let (seconds, results) = time(graph);
            rows[at] = results;
            if round > 0 {
                times[at].push(seconds);
            }
        }
    }
    assert_eq!([rows[1]; 2], rows[2..], "the same channels");
    let [number, copy, string, text] = times.map(|times| spread(times).0);
    println!("a count per key and 10 s over {BIDS} bids, one worker, seconds");
    println!("  key `auction: u64`           {number:>7.3}  {} results", rows[0]);
    println!("  key `channel: String`, lent  {string:>7.3}  {} results", rows[1]);
    println!("  key `channel: String`, copied{copy:>7.3}");
    println!("  key `channel: Text`, lent    {text:>7.3}");
    println!("  String / integer             {:>7.2}  (limit 2.5)", string / number);
    println!("  String, copied / integer     {:>7.2}", copy / number);
    println!("  Text / integer               {:>7.2}  (limit 2.5)", text / number);
}
