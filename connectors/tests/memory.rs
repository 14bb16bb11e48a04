//! Rows in memory, read and collected.
//!
//! Would catch: a bound that is above a row still to come, a resume that repeats or skips rows, a stream that ends while
//! its sender lives, rows that are seen before their commit, and a row that is read only because its worker looks now and then.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration as Wait;

#[path = "memory/awaited.rs"]
mod awaited;
#[path = "memory/bounded.rs"]
mod bounded;
#[path = "memory/hand_over.rs"]
mod hand_over;

use dualgauge_connectors::memory;
use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::job::{Running, Turns};
use dualgauge_engine::sink::{Prepared, Writing};
use dualgauge_engine::{
    Duration, Epoch, ErrorKind, EventTime, Flow, Job, Listing, Next, Offset, Partition, PartitionReader, Record,
    Result, Scan, Sink, Source, Waker, record,
};

#[record]
struct Bid {
    price: u64,
    #[event_time]
    time: EventTime,
}

fn bid(price: u64, time: i64) -> Bid {
    Bid { price, time: EventTime::from_micros(time) }
}

fn scan() -> Scan {
    Scan { schema: Bid::schema(), event_time: "time".to_string(), from: None, to: None, batch_rows: 2 }
}

/// Prices, offset after and bound after.
type Seen = (Vec<u64>, u64, Option<i64>);

/// What there is, batch by batch; and whether that is the end.
fn read(source: &dyn Source, partition: &Partition, offset: Option<u64>) -> (Vec<Seen>, bool) {
    let mut reader = source.open(partition, offset.map(Offset::at).as_ref(), &scan()).unwrap();
    let mut seen = Vec::new();
    loop {
        match reader.next().unwrap() {
            Next::Batch(batch) => {
                let mut rows = Vec::new();
                Bid::decode(&batch.rows, &mut rows).unwrap();
                let prices = rows.iter().map(|row| row.data.price).collect();
                seen.push((prices, batch.offset_after.position, batch.bound_after.map(EventTime::as_micros)));
            }
            Next::Mixed(_, bad) => panic!("{}", bad[0].reason()),
            Next::Pending => return (seen, false),
            Next::End => return (seen, true),
        }
    }
}

#[test]
fn a_bound_is_the_least_time_still_to_come_and_an_offset_leads_to_the_rest() {
    let source = memory::rows(vec![bid(1, 5), bid(2, 3), bid(3, 9), bid(4, 4), bid(5, 7)]);
    let partition = source.partitions(&scan()).unwrap().partitions.remove(0);
    let time = |micros| Some(EventTime::from_micros(micros));
    assert_eq!((partition.bound, partition.upper, partition.rows), (time(3), time(9), Some(5)));
    let all = [(vec![1, 2], 2, Some(4)), (vec![3, 4], 4, Some(7)), (vec![5], 5, Some(i64::MAX))];
    assert_eq!(read(&source, &partition, None), (all.to_vec(), true));
    assert_eq!(read(&source, &partition, Some(2)), (all[1..].to_vec(), true));
    assert_eq!(read(&source, &partition, Some(5)), (vec![], true));
}

#[test]
fn as_live_hides_what_is_known_of_the_times() {
    let source = memory::rows(vec![bid(1, 5), bid(2, 3)]).as_live().batch_rows(1);
    let partition = source.partitions(&scan()).unwrap().partitions.remove(0);
    assert_eq!((partition.bound, partition.upper), (None, None));
    assert_eq!(read(&source, &partition, None).0, [(vec![1], 1, None), (vec![2], 2, None)]);
}

#[test]
fn rows_are_dealt_in_turn_and_partitions_can_be_added() {
    let source = memory::rows((0..5).map(|price| bid(price, 0)).collect()).deal(2).partition(vec![bid(9, 0)]);
    let prices =
        |partition: &Partition| read(&source, partition, None).0.into_iter().flat_map(|batch| batch.0).collect();
    let dealt: Vec<Vec<u64>> = source.partitions(&scan()).unwrap().partitions.iter().map(prices).collect();
    assert_eq!(dealt, [vec![0, 2, 4], vec![1, 3], vec![9]]);
}

#[test]
fn a_channel_is_pending_until_its_sender_is_gone() {
    let (sender, source) = memory::channel();
    let partition = source.partitions(&scan()).unwrap().partitions.remove(0);
    assert!(partition.followed);
    assert_eq!(read(&source, &partition, None), (vec![], false));
    sender.send(bid(1, 5));
    sender.send_all([bid(2, 3), bid(3, 4)]);
    let all = vec![(vec![1, 2], 2, None), (vec![3], 3, None)];
    assert_eq!(read(&source, &partition, None), (all.clone(), false));
    drop(sender);
    assert_eq!(read(&source, &partition, None), (all, true));
    assert_eq!(read(&source, &partition, Some(2)), (vec![(vec![3], 3, None)], true));
}

#[test]
fn rows_are_collected_once_at_their_commit_in_the_order_of_their_times() {
    let out = memory::collect::<Bid>();
    out.check(&Bid::schema(), &Writing::default()).unwrap();
    let mut writer = out.open(0, &Bid::schema(), &Writing::default()).unwrap();
    let rows = [bid(2, 5), bid(1, 5), bid(3, 4)];
    writer.write(&rows.each_ref().map(|row| row.time), &Bid::encode(rows.iter())).unwrap();
    let prepared = writer.prepare(Epoch(1), EventTime::MAX).unwrap();
    assert!(out.rows().is_empty());
    writer.commit(Epoch(1), &prepared).unwrap();
    out.open(0, &Bid::schema(), &Writing::default())
        .unwrap()
        .recover(&[Prepared { epoch: Epoch(1), bytes: prepared.to_vec() }])
        .unwrap();
    assert_eq!(out.rows(), [bid(3, 4), bid(1, 5), bid(2, 5)]);
    let elsewhere = memory::collect::<Bid>()
        .open(0, &Bid::schema(), &Writing::default())
        .unwrap()
        .recover(&[Prepared { epoch: Epoch(1), bytes: prepared.to_vec() }]);
    assert!(elsewhere.unwrap_err().to_string().contains("another process"));
}

/// Workers step as they like, and a reader that wakes its worker is asked when it does so and at no other time.
struct OnlyWhenWoken;

impl Turns for OnlyWhenWoken {
    fn take(&self, _: usize) {}
    fn pass(&self, _: usize, _: bool) {}
    fn may_park(&self) -> bool {
        true
    }
    fn left_alone(&self) -> Option<Duration> {
        Some(Duration::MAX)
    }
}

/// A channel that says when it had nothing.
struct Watched {
    source: Box<dyn Source>,
    pending: Sender<()>,
    /// Whether it says that it wakes its worker, and does not.
    deaf: bool,
}

struct WatchedReader {
    reader: Box<dyn PartitionReader>,
    pending: Sender<()>,
    deaf: bool,
}

impl Source for Watched {
    fn describe(&self) -> String {
        self.source.describe()
    }
    fn bounded(&self) -> bool {
        false
    }
    fn partitions(&self, scan: &Scan) -> Result<Listing> {
        self.source.partitions(scan)
    }
    fn open(&self, partition: &Partition, offset: Option<&Offset>, scan: &Scan) -> Result<Box<dyn PartitionReader>> {
        let reader = self.source.open(partition, offset, scan)?;
        Ok(Box::new(WatchedReader { reader, pending: self.pending.clone(), deaf: self.deaf }))
    }
}

impl PartitionReader for WatchedReader {
    fn next(&mut self) -> Result<Next> {
        let next = self.reader.next()?;
        if let Next::Pending = next {
            let _ = self.pending.send(());
        }
        Ok(next)
    }
    fn wake_by(&mut self, waker: &Waker) -> bool {
        self.deaf || self.reader.wake_by(waker)
    }
}

/// A job that says which prices it sees; when its reader had nothing; and the prices.
fn watched(source: impl Source + 'static, deaf: bool, workers: usize) -> (Running, Receiver<()>, Receiver<u64>) {
    let ((pending, had_nothing), (saw, seen)) = (mpsc::channel(), mpsc::channel());
    let graph = move |flow: &Flow<'_>| {
        let saw = saw.clone();
        let bids = flow.source::<Bid>("bids").transform(NodeSpec::stateless("see"), move |batch| {
            batch.events.iter().for_each(|event| saw.send(event.data.price).unwrap_or_default());
            batch
        });
        bids.sink("out");
    };
    let source = Box::new(source);
    let job = Job::new(graph).source("bids", Watched { source, pending, deaf });
    let job = job.sink("out", memory::collect::<Bid>()).workers(workers).turns(std::sync::Arc::new(OnlyWhenWoken));
    (job.start().unwrap(), had_nothing, seen)
}

/// Longer than any machine takes; a test that waits for so long has failed.
const TOO_LONG: Wait = Wait::from_secs(60);

#[test]
fn a_row_and_the_end_wake_the_worker_that_waits_for_them() {
    for (workers, bounded) in [(1, false), (3, false), (1, true), (3, true)] {
        let (all, channel) = memory::channel();
        let (few, limited) = memory::bounded(2);
        let send = move |row: Bid| if bounded { few.send(row).unwrap() } else { all.send(row) };
        let (running, had_nothing, seen) = match bounded {
            true => watched(limited, false, workers),
            false => watched(channel, false, workers),
        };
        for price in 1..=20 {
            had_nothing.recv_timeout(TOO_LONG).unwrap();
            send(bid(price, price as i64));
            assert_eq!(seen.recv_timeout(TOO_LONG), Ok(price), "{workers} workers, bounded: {bounded}");
        }
        had_nothing.recv_timeout(TOO_LONG).unwrap();
        drop(send);
        let (over, ended) = mpsc::channel();
        thread::spawn(move || over.send(running.join().map(drop)));
        ended.recv_timeout(TOO_LONG).expect("the end wakes it too").unwrap();
    }
}

#[test]
fn a_reader_that_says_it_wakes_and_does_not_is_left_alone() {
    let (sender, channel) = memory::channel();
    let (running, had_nothing, seen) = watched(channel, true, 1);
    had_nothing.recv_timeout(TOO_LONG).unwrap();
    sender.send(bid(1, 1));
    running.stop_handle().stop();
    assert_eq!(running.join().unwrap_err().kind(), ErrorKind::Stopped);
    assert!(seen.try_recv().is_err(), "nobody looks by himself");
}

#[test]
fn a_reader_that_is_gone_is_woken_no_more() {
    let (sender, channel) = memory::channel();
    let partition = channel.partitions(&scan()).unwrap().partitions.remove(0);
    let (woke, woken) = mpsc::channel();
    let waker = Waker::new(move || woke.send(()).unwrap());
    let mut readers: Vec<_> = (0..2).map(|_| channel.open(&partition, None, &scan()).unwrap()).collect();
    assert!(readers[0].wake_by(&waker));
    sender.send(bid(1, 1));
    sender.send(bid(2, 2));
    assert_eq!(woken.try_iter().count(), 1, "what is called is not called again before the reader was asked");
    drop(readers);
    drop(sender);
    drop(waker);
    assert_eq!(woken.try_recv(), Err(mpsc::TryRecvError::Disconnected), "nobody holds the waker any more");
}
