//! Rows that are handed to the program: behind which commit, how often, and how many wait.
//!
//! Would catch: a row that is handed over before the checkpoint that holds it is stored, one that is lost with a process that
//! died between the two, one that comes twice within a process, and a queue that grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;

use dualgauge_connectors::memory::{self, Handed, Receiver};
use dualgauge_engine::checkpoint::{LocalStore, Store, look_at};
use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::fs::FaultFs;
use dualgauge_engine::sink::{Prepared, Writing};
use dualgauge_engine::{
    Checkpoints, Duration, Epoch, ErrorKind, Event, EventTime, Job, Limits, Record, Restart, Sink, SinkWriter,
};

use super::{Bid, bid};

fn prices(handed: &[Handed<Bid>]) -> Vec<u64> {
    handed.iter().flat_map(|handed| handed.rows.iter().map(|bid| bid.price)).collect()
}

fn of_a_job() -> Writing {
    Writing::of("job", 0)
}

fn prepared(writer: &mut dyn SinkWriter, epoch: u64, price: u64) -> Prepared {
    let row = bid(price, price as i64);
    writer.write(&[row.time], &Bid::encode([&row].into_iter())).unwrap();
    Prepared { epoch: Epoch(epoch), bytes: writer.prepare(Epoch(epoch), EventTime::MAX).unwrap() }
}

#[test]
fn rows_come_with_their_commit_and_once_in_a_process() {
    let (sink, handed) = memory::hand_over::<Bid>(10);
    let mut writer = sink.open(0, &Bid::schema(), &of_a_job()).unwrap();
    let first = prepared(writer.as_mut(), 3, 1);
    assert_eq!(handed.try_recv(), None, "it is prepared, and not committed");
    (0..2).for_each(|_| writer.commit(first.epoch, &first.bytes).unwrap());
    let second = prepared(writer.as_mut(), 4, 2);
    drop(writer);
    // The next start in this process knows what was handed over.
    let mut writer = sink.open(0, &Bid::schema(), &of_a_job()).unwrap();
    writer.recover(&[first.clone(), second.clone()]).unwrap();
    drop(writer);
    drop(sink);
    let all: Vec<_> = handed.all();
    assert_eq!(
        all,
        [Handed { epoch: Epoch(3), rows: vec![bid(1, 1)] }, Handed { epoch: Epoch(4), rows: vec![bid(2, 2)] }]
    );
    // Another process does not, and gives them with the same epochs.
    let (sink, handed) = memory::hand_over::<Bid>(10);
    sink.open(0, &Bid::schema(), &of_a_job()).unwrap().recover(&[first, second]).unwrap();
    drop(sink);
    assert_eq!(handed.all(), all);
}

trait All {
    /// All that comes until the end.
    fn all(&self) -> Vec<Handed<Bid>>;
}

impl All for Receiver<Bid> {
    fn all(&self) -> Vec<Handed<Bid>> {
        self.into_iter().collect()
    }
}

#[test]
fn a_job_that_goes_back_hands_over_again_what_came_since() {
    let (sink, handed) = memory::hand_over::<Bid>(10);
    let mut writer = sink.open(0, &Bid::schema(), &of_a_job()).unwrap();
    let both = [(3, 1), (4, 2)].map(|(epoch, price)| prepared(writer.as_mut(), epoch, price));
    both.iter().for_each(|one| writer.commit(one.epoch, &one.bytes).unwrap());
    let after = dualgauge_engine::After { epoch: Epoch(3), generation: 1 };
    sink.take_back(&of_a_job().resuming(after)).unwrap();
    writer.recover(&both).unwrap();
    drop((writer, sink));
    assert_eq!(prices(&handed.all()), [1, 2, 2]);
}

#[test]
fn a_sink_waits_while_the_program_is_behind() {
    let (sink, handed) = memory::hand_over::<Bid>(3);
    let committed = Arc::new(AtomicU64::new(0));
    let counts = Arc::clone(&committed);
    let commits = thread::spawn(move || {
        let mut writer = sink.open(0, &Bid::schema(), &Writing::default()).unwrap();
        for epoch in 0..50 {
            let one = prepared(writer.as_mut(), epoch, epoch);
            writer.commit(one.epoch, &one.bytes).unwrap();
            counts.fetch_add(1, Ordering::SeqCst);
        }
    });
    let mut received = 0;
    while let Some(one) = handed.recv() {
        received += 1;
        assert_eq!(one.epoch, Epoch(received - 1));
        assert!(committed.load(Ordering::SeqCst) <= received + 3, "three wait at most");
    }
    assert_eq!(received, 50);
    commits.join().unwrap();
}

#[test]
fn a_start_waits_for_nobody_though_its_checkpoint_holds_more_than_there_is_room_for() {
    let (sink, handed) = memory::hand_over::<Bid>(1);
    let mut writer = sink.open(0, &Bid::schema(), &of_a_job().ended()).unwrap();
    let both = [(3, 1), (4, 2)].map(|(epoch, price)| prepared(writer.as_mut(), epoch, price));
    writer.recover(&both).unwrap();
    drop((writer, sink));
    assert_eq!(prices(&handed.all()), [1, 2]);
}

#[test]
fn a_job_that_is_stopped_ends_though_nobody_takes_what_it_hands_over() {
    for checkpointed in [false, true] {
        let (sender, bids) = memory::bounded(100);
        let (sink, handed) = memory::hand_over::<Bid>(1);
        let limits = Limits { epoch_rows: 1, epoch_interval: Duration::MAX, batch_rows: 1, ..Limits::default() };
        let job = Job::new(|flow| flow.source::<Bid>("bids").sink("copies")).limits(limits);
        let job = match checkpointed {
            true => job.checkpoints(Checkpoints::in_store(store()).every(Duration::ZERO)),
            false => job,
        };
        let running = job.source("bids", bids).sink("copies", sink).start().unwrap();
        (0..50).for_each(|price| sender.send(bid(price, price as i64)).unwrap());
        let mut all: Vec<_> = handed.recv().into_iter().collect();
        running.stop_handle().stop();
        assert_eq!(running.join().unwrap_err().kind(), ErrorKind::Stopped);
        all.extend(handed.all());
        let came = prices(&all);
        assert_eq!(came, (0..came.len() as u64).collect::<Vec<_>>(), "what was committed is all there");
    }
}

fn store() -> Arc<dyn Store> {
    Arc::new(LocalStore::open(Arc::new(FaultFs::new()), "/job").unwrap())
}

/// A job that copies so many bids, and takes a checkpoint behind each; the closure sees each bid first.
fn job(bids: u64, store: &Arc<dyn Store>, look: impl Fn(&Bid) + Clone + Send + Sync + 'static) -> Job {
    let rows = (1..=bids).map(|price| bid(price, price as i64)).collect();
    let limits = Limits { epoch_rows: 1, epoch_interval: Duration::MAX, batch_rows: 1, ..Limits::default() };
    let job = Job::new(move |flow| {
        let look = look.clone();
        let bids = flow.source::<Bid>("bids").transform(NodeSpec::stateless("look"), move |batch| {
            batch.transform(|event, out| {
                look(&event.data);
                out.push(Event::new(event.time, event.data));
            })
        });
        bids.sink("copies");
    });
    let checkpoints = Checkpoints::in_store(Arc::clone(store)).every(Duration::ZERO);
    job.source("bids", memory::rows(rows)).limits(limits).checkpoints(checkpoints)
}

#[test]
fn a_row_is_handed_over_behind_the_checkpoint_that_holds_it() {
    let store = store();
    let (sink, handed) = memory::hand_over::<Bid>(1);
    let running = job(40, &store, |_| ()).sink("copies", sink).start().unwrap();
    let mut all = Vec::new();
    for one in &handed {
        let stored = look_at(&*store, None, |_, commit| Ok(commit.epoch)).unwrap();
        assert!(stored >= one.epoch, "epoch {} came, and {stored} is the newest that is stored", one.epoch);
        all.push(one);
    }
    running.join().unwrap();
    assert_eq!(prices(&all), (1..=40).collect::<Vec<_>>());
    assert!(all.len() > 1 && all.windows(2).all(|two| two[0].epoch < two[1].epoch), "epochs grow");
}

#[test]
fn a_job_that_starts_again_by_itself_hands_over_each_row_once() {
    for at in [1, 7, 20] {
        let fails = Arc::new(AtomicU32::new(2));
        let look = move |bid: &Bid| {
            let fails =
                bid.price == at && fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
            assert!(!fails, "not this one");
        };
        let (sink, handed) = memory::hand_over::<Bid>(2);
        let job = job(20, &store(), look).restart(Restart { limit: 5, backoff: Duration::ZERO });
        let running = job.sink("copies", sink).start().unwrap();
        assert_eq!(prices(&handed.all()), (1..=20).collect::<Vec<_>>());
        assert_eq!(running.join().unwrap().metrics.restarts().count, 2);
    }
}

#[test]
fn the_next_process_gets_what_the_one_before_was_not_handed() {
    for taken in [0, 1, 5] {
        let store = store();
        let (sink, handed) = memory::hand_over::<Bid>(1);
        let running = job(20, &store, |_| ()).sink("copies", sink).start().unwrap();
        let mut all: Vec<_> = handed.into_iter().take(taken).collect();
        drop(handed);
        let error = running.join().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
        assert!(error.to_string().contains("dropped the receiver"), "{error}");
        // A new process: it leaves out the epochs of which it has made something.
        let done = all.last().map(|last| last.epoch);
        let (sink, handed) = memory::hand_over::<Bid>(1);
        let running = job(20, &store, |_| ()).sink("copies", sink).start().unwrap();
        all.extend(handed.into_iter().filter(|one| done.is_none_or(|done| one.epoch > done)));
        running.join().unwrap();
        assert_eq!(prices(&all), (1..=20).collect::<Vec<_>>(), "{taken} were taken");
    }
}

#[test]
fn the_rows_end_where_the_job_fails() {
    let (sink, handed) = memory::hand_over::<Bid>(2);
    let running = job(20, &store(), |bid| assert!(bid.price < 5, "five")).sink("copies", sink).start().unwrap();
    assert!(prices(&handed.all()).len() <= 4);
    assert_eq!(running.join().unwrap_err().kind(), ErrorKind::Panic);
}
