//! Would catch a record that does not survive its own columns.

use dualgauge_engine::{Duration, EventTime, Record, record};

#[record]
struct Bid {
    auction: u64,
    price: u64,
    note: Option<String>,
    f: f64,
    inner: Vec<Option<Inner>>,
    #[column(name = "dateTime", unit = "ms")]
    #[event_time]
    date_time: EventTime,
    #[column(default = Duration::from_micros(3))]
    took: Duration,
}

#[record]
#[derive(Default)]
struct Inner {
    data: Vec<u8>,
    flag: Option<bool>,
}

#[test]
fn a_record_survives_its_own_columns() {
    let bid = Bid {
        auction: 1,
        price: 2,
        note: None,
        f: f64::NAN,
        inner: vec![None, Some(Inner { data: vec![1, 2], flag: Some(true) })],
        date_time: EventTime::from_micros(-5),
        took: Duration::from_micros(9),
    };
    let batch = Bid::encode([bid.clone(), bid.clone()].iter());
    let mut rows = Vec::new();
    Bid::decode(&batch, &mut rows).unwrap();
    assert_eq!(rows[1].data, bid);
    assert_eq!(rows[1].time, bid.date_time);
    assert_eq!(rows.len(), 2);
}
