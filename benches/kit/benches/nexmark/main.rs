//! Is a replay of Nexmark's window queries faster than the fastest of three batch engines?
//!
//! ```text
//! benches/kit/benches/nexmark/peers.sh                         installs DuckDB, DataFusion and Polars, once
//! cargo bench --bench nexmark                                  all queries over 10 M bids
//! cargo bench --bench nexmark -- q5 q11 --bids 1000000         some of them, over fewer
//! cargo bench --bench nexmark -- memory                        only the memory, of 10 M bids and of 50 M
//! ```
//!
//! On the same Parquet files, ours with two workers and theirs with two threads, in alternating runs: including reading
//! and producing every row of the answer as Arrow columns, but not the start of the process and imports. Each peer runs
//! the fastest of several formulations (`peers.py`); all answers must have the same number of rows before anything is
//! timed. Our rows are also sorted by time, as any sink gets them. "By hand" is the floor: each query as a program on
//! timely that was written for it alone (`floor/`), whose answer must have the same digest.
//!
//! On paper: of 10 M bids, decoding takes 0.1 s on two threads, finding an accumulator 10 ns a bid and so 0.05 s on two;
//! the state of the open windows (some thousand keys) stays in the cache, where a batch engine's table holds all windows
//! at once. A result row costs about 100 ns on its way out, which is most of a join that has one for each bid.
//!
//! By perf, a third of the interval join's time reads Parquet (half of it zstd), which the peers do as well; a fifth
//! joins, dealing, making rows and making the answer's columns take 3 to 7 % each, and 13 % is the kernel's, most of it
//! for memory that is touched for the first time. On memory: these jobs hold 10 to 60 MB at a time; with huge pages the
//! allocator turned that into 80 to 180 MB, and clearing them cost more than they gained. Shorter epochs, smaller
//! batches and fewer epochs in flight save memory but no time.
//!
//! Limits: each faster than the fastest peer, q5 and q11 three times as fast; 300 MB for any, even over 50 M bids.

#[path = "../../../../examples/nexmark/answer.rs"]
mod answer;
#[allow(dead_code)] // the example uses all of it
#[path = "../../../../examples/nexmark/data.rs"]
mod data;
mod floor;
mod memory;
mod peers;
#[allow(dead_code)] // the example uses all of it
#[path = "../../../../examples/nexmark/queries/mod.rs"]
mod queries;
#[allow(dead_code)] // the example uses all of it
#[path = "../../../../examples/nexmark/run.rs"]
mod run;

use std::path::{Path, PathBuf};
use std::time::Instant;

use dualgauge::Digest;
use dualgauge_nexmark::Table;

use answer::Answer;
use data::Size;
use peers::{PEERS, Peer};
use queries::Query;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The queries that are timed, and how many times as fast as the fastest peer each must be.
const TIMED: [(&str, f64); 7] =
    [("q5", 3.0), ("q7", 1.0), ("q8", 1.0), ("q11", 3.0), ("q12", 1.0), ("window-join", 1.0), ("interval-join", 1.0)];
const WORKERS: usize = 2;
const ROUNDS: usize = 9;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (mut asked, mut bids, mut rounds) = (Vec::new(), 10_000_000, ROUNDS);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok()).expect("a number");
        match argument.as_str() {
            "--bids" => bids = number(),
            "--rounds" => rounds = number() as usize,
            memory::CHILD => {
                return memory::run_child(&arguments.next().expect("a query"), &arguments.next().expect("a path"));
            }
            _ => asked.push(argument),
        }
    }
    let wants = |name: &str| asked.is_empty() || asked.iter().any(|asked| asked == name);
    let timed: Vec<_> = TIMED.into_iter().filter(|(name, _)| wants(name)).collect();
    if !timed.is_empty() {
        compare(&timed, &history(bids), bids, rounds);
    }
    if wants("memory") {
        let queries: Vec<_> = TIMED.iter().filter_map(|(name, _)| Query::named(name)).collect();
        memory::run(&queries, [bids, 5 * bids]);
    }
}

/// The tables with this many bids, and the auctions and persons that belong to them.
fn history(bids: u64) -> PathBuf {
    data::history(Size { events: Table::Bids.event(bids - 1) + 1, rate: 10_000 }).expect("a disk with room")
}

fn compare(timed: &[(&str, f64)], history: &Path, bids: u64, rounds: usize) {
    let mut peers: Vec<Peer> = PEERS.iter().map(|name| Peer::start(name, history, WORKERS)).collect();
    println!("{bids} bids of Parquet, {WORKERS} workers or threads; medians of {rounds} alternating runs, seconds");
    print!("{:<14} {:>11} {:>8} {:>8}", "query", "rows", "ours", "by hand");
    peers.iter().for_each(|peer| print!(" {:>11}", peer.name));
    println!("  fastest peer / ours");
    for (name, goal) in timed {
        let query = Query::named(name).expect("a query of the example");
        let Digest { rows, sum } = ours(&query, history, true).1;
        assert_eq!(by_hand(&query, history, true).1, Digest { rows, sum }, "{name} by hand gives another answer");
        for peer in &mut peers {
            peer.choose(query.name, rows);
        }
        let mut times = vec![Vec::new(); 2 + peers.len()];
        for _ in 0..rounds {
            times[0].push(turn(|| ours(&query, history, false).0));
            times[1].push(turn(|| by_hand(&query, history, false).0));
            for (peer, times) in peers.iter_mut().zip(&mut times[2..]) {
                times.push(turn(|| peer.run(query.name).0));
            }
        }
        let medians: Vec<f64> = times.into_iter().map(median).collect();
        let fastest = medians[2..].iter().copied().fold(f64::INFINITY, f64::min);
        print!("{name:<14} {rows:>11} {:>8.3} {:>8.3}", medians[0], medians[1]);
        medians[2..].iter().for_each(|seconds| print!(" {seconds:>11.3}"));
        let ratio = fastest / medians[0];
        let verdict = if ratio >= *goal { "reached" } else { "MISSED" };
        println!("  {ratio:>6.2}  (at least {goal:.1}: {verdict})");
    }
}

/// One engine's turn. It begins once the previous one has given its memory back, which the engines' threads do after
/// the answer.
fn turn(run: impl FnOnce() -> f64) -> f64 {
    std::thread::sleep(std::time::Duration::from_millis(300));
    run()
}

/// How long the whole job takes, and what comes out; `hashed`, or only counted.
fn ours(query: &Query, history: &Path, hashed: bool) -> (f64, Digest) {
    let answer = Answer::new(query, hashed, None);
    let start = Instant::now();
    run::over_history(query, history, WORKERS, &answer).expect("the job runs");
    (start.elapsed().as_secs_f64(), answer.total())
}

/// The same for the program written by hand.
fn by_hand(query: &Query, history: &Path, hashed: bool) -> (f64, Digest) {
    let answer = Answer::new(query, hashed, None);
    let start = Instant::now();
    floor::run(query.name, history, WORKERS, &answer).expect("the program runs");
    (start.elapsed().as_secs_f64(), answer.total())
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
