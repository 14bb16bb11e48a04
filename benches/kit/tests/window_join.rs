//! The bench of window joins, as a library.
//!
//! It would catch streams that are not what their description says, or not the same from run to run, so that figures could
//! not be compared; and a contestant that is timed although its answer is wrong.

use dualgauge::prelude::*;
use dualgauge::{Digest, EventTime};
use dualgauge_kit::{
    Contestant, Generator, Joined, Keys, Pairs, PaneJoin, Ratio, Row, Side, Windows, Workload, contestants,
    nested_loop, verify,
};

const WORKLOAD: Workload = Workload {
    seed: 7,
    events: 40_000,
    rate: 10_000,
    ratio: Ratio { left: 1, right: 1 },
    keys: 100,
    left_keys: Keys::Uniform,
    right_keys: Keys::Uniform,
    selectivity: 1.0,
    payload: 5,
};

fn rows(workload: &Workload) -> [Vec<Row>; 2] {
    [Side::Left, Side::Right].map(|side| workload.side(side).all())
}

#[test]
fn streams_are_what_they_always_were() {
    let [left, right] = rows(&WORKLOAD).map(|rows| Digest::of(rows).to_string());
    assert_eq!([left, right], ["7b35a09723accdc5050f889fd82d4182", "1e15ae87a9e8f2de759f677c10aaefaf"]);
}

#[test]
fn any_part_of_a_stream_can_be_made_alone() {
    let whole = WORKLOAD.side(Side::Left);
    let parts: Vec<Row> = [0..1, 1..999, 999..whole.len()].into_iter().flat_map(|part| whole.rows(part)).collect();
    assert_eq!(whole.all(), parts);
    let other = Workload { seed: 8, ..WORKLOAD };
    assert_ne!(whole.all(), other.side(Side::Left).all(), "the seed must matter");
    let keys = |rows: &[Row]| rows.iter().map(|row| row.key).collect::<Vec<_>>();
    let [left, right] = rows(&WORKLOAD);
    assert_ne!(keys(&left), keys(&right), "the sides do not follow each other");
}

#[test]
fn events_are_shared_out_and_follow_each_other_at_the_rate() {
    let workload = Workload { ratio: Ratio { left: 3, right: 1 }, ..WORKLOAD };
    let [left, right] = rows(&workload);
    assert_eq!((left.len(), right.len()), (30_000, 10_000));
    for side in [&left, &right] {
        assert!(side.is_sorted_by_key(|row| row.time), "in order");
        assert!((0..).zip(side).all(|(number, row)| row.number == number && row.payload.len() == 5));
        let last = side.last().unwrap().time.as_micros();
        assert!((3_999_000..4_000_000).contains(&last), "40,000 events at 10,000 a second take four seconds: {last}");
    }
}

#[test]
fn the_first_row_at_a_time_is_found_without_a_search() {
    let workload = Workload { rate: 7_001, ratio: Ratio { left: 3, right: 2 }, ..WORKLOAD };
    let side: Generator = workload.side(Side::Right);
    let all = side.all();
    for micros in (0..6_000_000).step_by(997) {
        let time = EventTime::from_micros(micros);
        assert_eq!(side.first_at(time) as usize, all.partition_point(|row| row.time < time), "{time}");
    }
}

#[test]
fn selectivity_is_the_share_of_left_keys_that_are_on_the_right() {
    for selectivity in [0.01, 0.1, 0.5, 1.0] {
        for left_keys in [Keys::Uniform, Keys::Zipf(1.0)] {
            let [left, right] = rows(&Workload { selectivity, left_keys, ..WORKLOAD });
            let distinct = |rows: &[Row]| {
                let mut keys: Vec<u64> = rows.iter().map(|row| row.key).collect();
                keys.sort();
                keys.dedup();
                keys
            };
            let (left_distinct, right_distinct) = (distinct(&left), distinct(&right));
            assert_eq!((left_distinct.len(), right_distinct.len()), (100, 100));
            let shared = left_distinct.iter().filter(|key| right_distinct.binary_search(key).is_ok()).count();
            assert_eq!(shared as f64, selectivity * 100.0, "{left_keys}");
        }
    }
}

#[test]
fn the_pairs_that_are_expected_are_those_that_come() {
    let windows = [Windows::tumbling(100.millis()), Windows { size: 100.millis(), slide: 25.millis() }];
    let base = Workload { events: 8_000, keys: 50, ..WORKLOAD };
    let uneven = Workload { ratio: Ratio { left: 4, right: 1 }, selectivity: 0.5, ..base };
    let hot = Workload { left_keys: Keys::Hot(0.5), right_keys: Keys::Zipf(1.0), ..base };
    let table = Workload { right_keys: Keys::InTurn, ..base };
    for workload in [base, uneven, hot, table] {
        for windows in windows {
            let [left, right] = rows(&workload);
            let (expected, found) =
                (workload.expected_pairs(windows), nested_loop(&left, &right, windows).len() as f64);
            assert!((found / expected - 1.0).abs() < 0.1, "{workload:?} {windows:?}: {found}, not {expected}");
        }
    }
}

#[test]
fn one_key_has_half_of_all_events() {
    let hot = Keys::Hot(0.5);
    let [left, right] = rows(&Workload { left_keys: hot, right_keys: hot, ..WORKLOAD });
    let share = |rows: &[Row]| {
        let mut keys: Vec<u64> = rows.iter().map(|row| row.key).collect();
        keys.sort();
        let most = keys.chunk_by(|a, b| a == b).max_by_key(|run| run.len()).unwrap();
        (most[0], most.len() as f64 / rows.len() as f64)
    };
    let ((left_key, left_share), (right_key, right_share)) = (share(&left), share(&right));
    assert!((left_share - 0.5).abs() < 0.02 && (right_share - 0.5).abs() < 0.02, "{left_share} {right_share}");
    assert_eq!(left_key, right_key, "and it is the same on both sides");
}

#[test]
fn all_that_come_with_the_library_are_right() {
    let all = contestants();
    let compared = verify(&all, 7).unwrap();
    assert!(compared > 30 * all.len(), "{compared}");
}

/// A nested loop with a mistake.
#[derive(Default)]
struct Mistaken<const MISTAKE: char>(Vec<Row>, Vec<Row>);

impl<const MISTAKE: char> PaneJoin for Mistaken<MISTAKE> {
    fn left(&mut self, row: Row, _: &mut Pairs<'_>) {
        self.0.push(row);
    }
    fn right(&mut self, row: Row, _: &mut Pairs<'_>) {
        self.1.push(row);
    }
    fn close(self, pairs: &mut Pairs<'_>) {
        for left in &self.0 {
            for right in self.1.iter().filter(|right| right.key == left.key) {
                match MISTAKE {
                    '-' if left.number == 150 => {}
                    '2' if left.number == 150 => (0..2).for_each(|_| pairs.pair(left, right)),
                    'x' => pairs.pair(right, left),
                    _ => pairs.pair(left, right),
                }
            }
        }
    }
}

#[test]
fn a_strategy_that_is_wrong_is_found_before_it_is_timed() {
    let refused = |contestant: Contestant| {
        let error = verify(&[contestant], 7).expect_err("it is wrong").to_string();
        assert!(error.contains("nothing is timed before it is right"), "{error}");
        error
    };
    let right = Contestant::strategy::<Mistaken<' '>>("right", "without a mistake");
    verify(&[right], 7).unwrap();
    let missing = refused(Contestant::strategy::<Mistaken<'-'>>("forgets", "leaves out a row"));
    assert!(missing.starts_with("forgets at ") && missing.contains("the pair is missing"), "{missing}");
    let twice = refused(Contestant::strategy::<Mistaken<'2'>>("repeats", "gives a row's pairs twice"));
    assert!(twice.contains("there is no such pair"), "{twice}");
    refused(Contestant::strategy::<Mistaken<'x'>>("swaps", "takes left for right"));
}

#[test]
fn a_graph_of_ones_own_is_a_contestant() {
    fn answers_nothing(flow: &Flow<'_>, _: Windows) {
        let right = flow.source::<Row>("right").filter(|_| false);
        let none = flow.source::<Row>("left").filter(|_| false).union(right);
        none.map(|row| Joined::of(row.time, row.time, &row, &row)).sink("joined");
    }
    let error = verify(&[Contestant::graph("nothing", "answers nothing", answers_nothing)], 7).unwrap_err();
    assert!(error.to_string().starts_with("nothing at "), "{error}");
}
