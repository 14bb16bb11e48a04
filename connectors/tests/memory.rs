//! Rows in memory, read and collected.
//!
//! Would catch: a bound that is above a row still to come, a resume that repeats or skips rows, a stream that ends while
//! its sender lives, and rows that are seen before their commit.

#[path = "memory/awaited.rs"]
mod awaited;
#[path = "memory/bounded.rs"]
mod bounded;
#[path = "memory/hand_over.rs"]
mod hand_over;

use dualgauge_connectors::memory;
use dualgauge_engine::sink::{Prepared, Writing};
use dualgauge_engine::{Epoch, EventTime, Next, Offset, Partition, Record, Scan, Sink, Source, record};

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
