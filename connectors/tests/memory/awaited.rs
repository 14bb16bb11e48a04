//! A job in a program that awaits: its end, its rows, its room.
//!
//! Would catch: an end, a row or room of which nobody is woken, and a future that asks for an executor of a certain kind.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use dualgauge_connectors::memory;
use dualgauge_engine::{ErrorKind, Job};

use super::{Bid, bid};

/// The least executor: it runs one future, on this thread.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Unpark>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

fn copies() -> Job {
    Job::new(|flow| flow.source::<Bid>("bids").sink("copies"))
}

#[test]
fn a_running_job_is_awaited_to_its_end() {
    let (sender, bids) = memory::bounded(2);
    let out = memory::collect::<Bid>();
    let mut running = copies().source("bids", bids).sink("copies", out.clone()).start().unwrap();
    let mut early = Context::from_waker(Waker::noop());
    assert!(pin!(&mut running).poll(&mut early).is_pending(), "its input has not ended");
    let sends = thread::spawn(move || (0..100).try_for_each(|price| sender.send(bid(price, price as i64))));
    let outcome = block_on(running).unwrap();
    assert_eq!((outcome.metrics.source("bids").rows, out.rows().len()), (100, 100));
    sends.join().unwrap().unwrap();
}

#[test]
fn an_awaited_job_says_why_it_has_failed() {
    let (sender, bids) = memory::bounded(2);
    let running = copies().source("bids", bids).sink("copies", memory::collect::<Bid>()).start().unwrap();
    running.stop_handle().stop();
    assert_eq!(block_on(running).unwrap_err().kind(), ErrorKind::Stopped);
    assert_eq!(sender.send(bid(1, 1)), Err(memory::NotSent::Ended(bid(1, 1))), "nobody reads it any more");
}

#[test]
fn a_program_sends_and_receives_by_await_alone() {
    let (sender, bids) = memory::bounded(3);
    let (sink, copied) = memory::hand_over::<Bid>(3);
    let running = copies().source("bids", bids).sink("copies", sink).start().unwrap();
    let sends = thread::spawn(move || {
        block_on(async move {
            for price in 0..200 {
                sender.send_async(bid(price, price as i64)).await.unwrap();
            }
        });
    });
    let prices = block_on(async {
        let mut prices = Vec::new();
        while let Some(handed) = copied.recv_async().await {
            prices.extend(handed.rows.iter().map(|bid| bid.price));
        }
        running.await.unwrap();
        prices
    });
    assert_eq!(prices, (0..200).collect::<Vec<_>>());
    sends.join().unwrap();
}

#[test]
fn a_future_that_is_given_up_leaves_no_waker_behind() {
    struct Nothing;
    impl Wake for Nothing {
        fn wake(self: Arc<Nothing>) {}
    }
    let (sender, _bids) = memory::bounded(1);
    let (_sink, copied) = memory::hand_over::<Bid>(1);
    sender.try_send(bid(1, 1)).unwrap();
    let all: Vec<_> = (0..1_000).map(|_| Arc::new(Nothing)).collect();
    for one in &all {
        let waker = Waker::from(Arc::clone(one));
        let mut context = Context::from_waker(&waker);
        assert!(pin!(sender.send_async(bid(2, 2))).poll(&mut context).is_pending());
        assert!(pin!(copied.recv_async()).poll(&mut context).is_pending());
    }
    assert!(all.iter().all(|one| Arc::strong_count(one) == 1));
}

#[test]
fn a_row_that_is_not_sent_is_an_error_whatever_the_row_is() {
    struct Opaque;
    let error: Box<dyn std::error::Error> = Box::new(memory::NotSent::Full(Opaque));
    assert!(error.to_string().ends_with("the channel is full"), "{error}");
}
