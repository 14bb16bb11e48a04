//! A bounded stream of rows: when it is full, who ends it, and where it goes on.
//!
//! Would catch: a queue that grows, a sender that waits for a job that has ended, a stream that ends while one of several
//! senders lives, and a resume that gives a row twice or leaves one out.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use dualgauge_connectors::memory::{self, BoundedSender, NotSent};
use dualgauge_engine::{Code, Next, Offset, PartitionReader, Source};

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
    let mut context = Context::from_waker(Waker::noop());
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
    drop(reader);
    // What was read behind the checkpoint is gone; what was not is there.
    let error = open(&source, Some(6)).err().expect("row 6 was read");
    assert_eq!(error.code(), Some(Code::SourceGap), "{error}");
    assert!(!error.may_be_retried() && error.to_string().contains("give it a log"), "{error}");
    let mut reader = open(&source, Some(8)).unwrap();
    assert_eq!(next(reader.as_mut()), Some((1, 9)));
    assert_eq!(open(&source, Some(10)).err().unwrap().code(), Some(Code::SourceGap), "it was never sent");
}
