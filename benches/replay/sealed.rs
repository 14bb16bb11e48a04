//! Two processes on one machine: what the seals of their frames cost, and what encryption costs on top.
//!
//! There is no run without seals to compare with. So the frames of a run are counted as they pass; then as many of the
//! same lengths are sealed and checked once more, alone, and that is compared with the processor time of the run.
//! Encryption is compared with seals on alternating runs.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use dualgauge::cluster::{Cluster, Secret};
use dualgauge::connectors::parquet;
use dualgauge::prelude::*;

use crate::graphs::{Bid, Counted, HotItem, hot_items};
use crate::{data, spread};

const BIDS: u64 = 5_000_000;
const ROUNDS: usize = 5;

/// A running count of each auction: every row goes unchanged to the worker of its key.
fn running(flow: &Flow<'_>) {
    flow.source::<Bid>("bids")
        .key_by(|bid| bid.auction)
        .fold("running", |count: &mut u64, bid: Bid| {
            *count += 1;
            HotItem { auction: bid.auction, time: bid.date_time, window_end: bid.date_time, bids: *count }
        })
        .sink("hot_items");
}

/// The lengths of the frames that have passed.
type Frames = Arc<Mutex<Vec<usize>>>;

pub fn run() {
    let bids = data::bids(BIDS);
    println!("two processes of a worker each over {BIDS} bids; frames between them");
    for (name, graph) in [("hot_items", hot_items as fn(&Flow<'_>)), ("running", running)] {
        let frames = Frames::default();
        two(graph, &bids, false, Some(&frames));
        let frames = frames.lock().expect("no panic holds it");
        let (mut sealed, mut encrypted, mut spent) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let ((a, cpu), (b, _)) = (two(graph, &bids, false, None), two(graph, &bids, true, None));
            if round > 0 {
                sealed.push(a);
                encrypted.push(b);
                spent.push(cpu);
            }
        }
        let (sealing, cpu) = (spread((0..ROUNDS).map(|_| seal(&frames)).collect()).0, spread(spent).0);
        let (sealed, encrypted) = (spread(sealed).0, spread(encrypted).0);
        let bytes: usize = frames.iter().sum();
        println!("  {name:<10} {} frames of {:.1} MB in all", frames.len(), bytes as f64 / 1e6);
        println!("    sealed     {sealed:>7.3} s, {cpu:.3} s of processors");
        println!("    the seals  {sealing:>7.3} s of them, {:.1} %  (limit 5 %)", sealing / cpu * 100.0);
        println!("    encrypted  {encrypted:>7.3} s, {:.2} times as long", encrypted / sealed);
    }
}

/// Runs two processes. Returns the seconds it took, and those of all processors.
fn two(graph: fn(&Flow<'_>), bids: &Path, encrypted: bool, count: Option<&Frames>) -> (f64, f64) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let first = listener.local_addr().expect("it is bound");
    let second = count.map_or(first, |frames| between(first, frames));
    let secret = Secret::new(Secret::generate().expect("random bytes")).expect("it is long enough");
    let of = |process, first: SocketAddr| {
        let cluster = Cluster::new(process, [first.to_string(), "127.0.0.1:1".to_string()], secret.clone());
        let job = Job::new(graph).source("bids", parquet::read(bids)).sink("hot_items", Counted::default());
        let cluster = cluster.expect("two processes").encrypted(encrypted);
        job.cluster(if process == 0 { cluster.listener(listener.try_clone().expect("a socket")) } else { cluster })
    };
    let jobs = [of(0, first), of(1, second)];
    let (start, before) = (Instant::now(), processors());
    let running: Vec<_> = jobs.into_iter().map(|job| thread::spawn(|| job.run().expect("the job runs"))).collect();
    running.into_iter().for_each(|one| drop(one.join().expect("no panic")));
    (start.elapsed().as_secs_f64(), processors() - before)
}

/// The seconds that this program has had on all processors.
fn processors() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("a system that tells");
    let (_, fields) = text.rsplit_once(')').expect("the name of the program ends so");
    let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("a number"));
    ticks.sum::<f64>() / 100.0
}

/// Seals frames of these lengths and checks the seals, as the two processes do. Returns the seconds it takes.
fn seal(frames: &[usize]) -> f64 {
    let (key, bytes) = ([7; 32], vec![1; 1 << 16]);
    let start = Instant::now();
    for (number, length) in frames.iter().enumerate() {
        for _ in 0..2 {
            let number = (number as u64).to_le_bytes();
            black_box(blake3::Hasher::new_keyed(&key).update(&number).update(&bytes[..*length]).finalize());
        }
    }
    start.elapsed().as_secs_f64()
}

/// A proxy in front of a process that counts the frames of data passing in both directions. Returns where the other one
/// is to connect.
fn between(process: SocketAddr, frames: &Frames) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (address, frames) = (listener.local_addr().expect("it is bound"), Arc::clone(frames));
    thread::spawn(move || {
        // One for data, one for control; a connection that is refused is retried.
        for below in listener.incoming().flatten() {
            let frames = Arc::clone(&frames);
            thread::spawn(move || connect(below, TcpStream::connect(process)?, &frames));
        }
    });
    address
}

fn connect(mut below: TcpStream, mut above: TcpStream, frames: &Frames) -> io::Result<()> {
    let hello = short(&mut below, &mut above)?;
    short(&mut above, &mut below)?;
    short(&mut below, &mut above)?;
    let of_data = hello[11] == 1;
    let (up, down) = ((below.try_clone()?, above.try_clone()?), (above, below));
    let passing = [up, down].map(|(mut from, mut to)| {
        let frames = Arc::clone(frames);
        thread::spawn(move || {
            let _ = match of_data {
                false => io::copy(&mut from, &mut to).map(drop),
                true => pass(&mut from, &mut to, &frames),
            };
            to.shutdown(Shutdown::Write)
        })
    });
    passing.into_iter().for_each(|one| drop(one.join()));
    Ok(())
}

/// Passes frames of data on until one side has ended.
fn pass(from: &mut TcpStream, to: &mut TcpStream, frames: &Frames) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_le_bytes(length) as usize + 32];
        from.read_exact(&mut frame)?;
        frames.lock().expect("no panic holds it").push(frame.len() - 32);
        to.write_all(&[&length[..], &frame].concat())?;
    }
}

/// Passes a frame of the handshake on.
fn short(from: &mut TcpStream, to: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    from.read_exact(&mut length)?;
    let mut frame = vec![0; u16::from_le_bytes(length) as usize];
    from.read_exact(&mut frame)?;
    to.write_all(&[&length[..], &frame].concat())?;
    Ok(frame)
}
