//! A bounded stream of rows: when it is full, who ends it, and where it goes on.
//!
//! Would catch: a queue that grows, a sender that waits for a job that has ended, a stream that ends while one of several
//! senders lives, and a resume that gives a row twice or leaves one out.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::thread;

use dualgauge_connectors::memory::{self, BoundedSender, NotSent};
use dualgauge_engine::checkpoint::LocalStore;
use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::fs::FaultFs;
use dualgauge_engine::{
    Checkpoints, Code, Duration, ErrorKind, Event, Job, Limits, Next, Offset, PartitionReader, Restart, Source,
};

use super::{Bid, bid, scan};

fn open(source: &dyn Source, offset: Option<u64>) -> dualgauge_engine::Result<Box<dyn PartitionReader>> {
    let partition = source.partitions(&scan()).unwrap().partitions.remove(0);
    source.open(&partition, offset.map(Offset::at).as_ref(), &scan())
}

/// How many rows come, and the offset after them; none where nothing has come yet.
fn next(reader: &mut dyn PartitionReader) -> Option<(usize, u64)> {
    match reader.next().unwrap() {
        Next::Batch(batch) => Some((batch.rows.num_rows(), batch.offset_after.position)),
        Next::Pending => None,
        other => panic!("{other:?}"),
    }
}

fn fill(sender: &BoundedSender<Bid>) -> u64 {
    (0..).take_while(|price| sender.try_send(bid(*price, 0)).is_ok()).count() as u64
}

#[test]
fn no_more_rows_wait_than_there_is_room_for() {
    let (sender, source) = memory::bounded(5);
    assert_eq!(fill(&sender), 5);
    assert_eq!(sender.try_send(bid(9, 9)), Err(NotSent::Full(bid(9, 9))));
    let mut reader = open(&source, None).unwrap();
    assert_eq!(next(reader.as_mut()), Some((2, 2)), "the scan wants two");
    assert_eq!(fill(&sender), 2);
    assert_eq!([0; 3].map(|_| next(reader.as_mut())), [Some((2, 4)), Some((2, 6)), Some((1, 7))]);
    assert_eq!(next(reader.as_mut()), None);
}

#[test]
fn who_awaits_room_is_woken_and_who_gives_up_has_sent_nothing() {
    let (sender, source) = memory::bounded(1);
    let mut reader = open(&source, None).unwrap();
    sender.send(bid(1, 1)).unwrap();
    let mut context = Context::from_waker(std::task::Waker::noop());
    {
        let mut given_up = pin!(sender.send_async(bid(2, 2)));
        assert!(given_up.as_mut().poll(&mut context).is_pending());
    }
    let mut waits = pin!(sender.send_async(bid(3, 3)));
    assert!(waits.as_mut().poll(&mut context).is_pending());
    assert_eq!(next(reader.as_mut()), Some((1, 1)));
    assert_eq!(waits.as_mut().poll(&mut context), Poll::Ready(Ok(())));
    assert_eq!([0; 2].map(|_| next(reader.as_mut())), [Some((1, 2)), None]);
}

#[test]
fn a_sender_that_waits_learns_that_the_job_has_ended() {
    let (sender, source) = memory::bounded(1);
    let mut reader = open(&source, None).unwrap();
    assert_eq!(fill(&sender), 1);
    let waits = thread::spawn(move || sender.send(bid(7, 7)));
    drop(source);
    assert_eq!(next(reader.as_mut()).map(|read| read.0), Some(1), "who reads it may outlive it");
    // The row is read, or given back: it depends on who is first, and neither waits for ever.
    drop(reader);
    assert!(matches!(waits.join().unwrap(), Ok(()) | Err(NotSent::Ended(_))));
    let (sender, source) = memory::bounded::<Bid>(1);
    drop(source);
    assert_eq!(sender.send(bid(7, 7)), Err(NotSent::Ended(bid(7, 7))));
    assert_eq!(sender.resumes_at(), None);
}

#[test]
fn the_stream_ends_when_the_last_sender_is_dropped_and_all_is_read() {
    let (sender, source) = memory::bounded(4);
    let (other, mut reader) = (sender.clone(), open(&source, None).unwrap());
    sender.send(bid(1, 1)).unwrap();
    drop(sender);
    assert_eq!([0; 2].map(|_| next(reader.as_mut())), [Some((1, 1)), None], "another one lives");
    other.send(bid(2, 2)).unwrap();
    drop(other);
    assert_eq!(next(reader.as_mut()), Some((1, 2)));
    assert!(matches!(reader.next().unwrap(), Next::End));
}

#[test]
fn a_new_channel_goes_on_where_the_job_has_got_and_one_that_was_read_does_not_go_back() {
    let (sender, source) = memory::bounded(4);
    let mut reader = open(&source, Some(5)).unwrap();
    assert_eq!(sender.resumes_at(), Some(5));
    assert_eq!(fill(&sender), 4);
    assert_eq!(next(reader.as_mut()), Some((2, 7)));
    assert_eq!(sender.resumes_at(), Some(5), "that rows were read does not move it");
    drop(reader);
    // What was read behind the checkpoint is gone; what was not is there.
    let error = open(&source, Some(6)).err().expect("row 6 was read");
    assert_eq!(error.code(), Some(Code::SourceGap), "{error}");
    assert!(!error.may_be_retried() && error.to_string().contains("give it a log"), "{error}");
    let mut reader = open(&source, Some(8)).unwrap();
    assert_eq!(next(reader.as_mut()), Some((1, 9)));
    assert_eq!(open(&source, Some(10)).err().unwrap().code(), Some(Code::SourceGap), "it was never sent");
}

#[test]
fn kept_rows_take_room_until_they_are_committed_and_are_read_again_before() {
    let (sender, source) = memory::bounded(4);
    let source = source.kept_until_committed();
    let mut reader = open(&source, None).unwrap();
    assert_eq!(fill(&sender), 4);
    assert_eq!([0; 3].map(|_| next(reader.as_mut())), [Some((2, 2)), Some((2, 4)), None]);
    assert_eq!(fill(&sender), 0, "they were read, and are kept");
    reader.committed(&Offset::at(2)).unwrap();
    reader.committed(&Offset::at(2)).unwrap();
    assert_eq!(fill(&sender), 2);
    drop(reader);
    let mut reader = open(&source, Some(2)).unwrap();
    assert_eq!([0; 3].map(|_| next(reader.as_mut())), [Some((2, 4)), Some((2, 6)), None]);
    assert_eq!(open(&source, Some(1)).err().unwrap().code(), Some(Code::SourceGap));
    drop(sender);
    assert!(matches!(reader.next().unwrap(), Next::End));
}

/// How a job that panics once at the tenth of twenty bids ends, and what it has copied.
fn restarted(keeps: bool) -> (Option<ErrorKind>, Vec<u64>) {
    let (sender, source) = memory::bounded(64);
    let source = if keeps { source.kept_until_committed() } else { source };
    let (fails, out) = (Arc::new(AtomicU32::new(1)), memory::collect::<Bid>());
    let job = Job::new(move |flow| {
        let fails = Arc::clone(&fails);
        let bids = flow.source::<Bid>("bids").transform(NodeSpec::stateless("look"), move |batch| {
            batch.transform(|event, out| {
                let fails = event.data.price == 10 && fails.swap(0, Ordering::SeqCst) == 1;
                assert!(!fails, "ten");
                out.push(Event::new(event.time, event.data));
            })
        });
        bids.sink("copies");
    });
    let store = Arc::new(LocalStore::open(Arc::new(FaultFs::new()), "/job").unwrap());
    let limits = Limits { epoch_rows: 1, epoch_interval: Duration::MAX, batch_rows: 4, ..Limits::default() };
    let job = job.limits(limits).checkpoints(Checkpoints::in_store(store).every(Duration::ZERO));
    let job = job.restart(Restart { limit: 3, backoff: Duration::ZERO });
    (1..=20).for_each(|price| sender.send(bid(price, price as i64)).unwrap());
    drop(sender);
    let ended = job.source("bids", source).sink("copies", out.clone()).run();
    (ended.err().map(|error| error.kind()), out.rows().iter().map(|bid| bid.price).collect())
}

#[test]
fn a_job_that_starts_itself_again_needs_its_rows_kept() {
    assert_eq!(restarted(true), (None, (1..=20).collect()));
    let (ended, copied) = restarted(false);
    assert_eq!(ended, Some(ErrorKind::Data), "what was read since the checkpoint is gone, and that is said");
    assert!(copied.len() < 10, "{copied:?}");
}
