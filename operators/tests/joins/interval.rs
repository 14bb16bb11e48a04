//! Interval joins: where the bounds lie, to the microsecond; idle, ended and early sides; late records.

use dualgauge_engine::flow::NoLate;
use dualgauge_engine::testing::{Item, Line, Lines, Script, Step, check_two, run_inputs, seconds};
use dualgauge_engine::{Durations, EventTime, Flow, Job, Stream};
use dualgauge_operators::join::{Between, IntervalJoin, JoinInterval, Same, between};
use dualgauge_operators::{Either, KeyBy, KeyedStream, Map, Union};

type Join<'s> = IntervalJoin<'s, Item, NoLate, Key, Item, NoLate, Same<Key, Option<String>>>;

fn key(item: &Item) -> Option<String> {
    Some(item.key.clone()).filter(|key| key != "-")
}

type Key = fn(&Item) -> Option<String>;

fn joined<'s>(left: Stream<'s, Item>, right: Stream<'s, Item>, between: Between) -> Join<'s> {
    let by_key = |items: Stream<'s, Item>| -> KeyedStream<'s, Item, _, Key> { items.key_by(key as Key) };
    by_key(left).interval_join(by_key(right), between)
}

fn pairs(between: Between) -> impl for<'s> Fn(Stream<'s, Item>, Stream<'s, Item>) -> Stream<'s, String> + Send + Sync {
    move |left, right| {
        let pairs = joined(left, right, between);
        let pairs = pairs.inner("pairs", |left, right| format!("{} {}", left.value, right.value));
        let late = pairs.late().map(|late| match late {
            Either::Left(item) => format!("late {} on the left", item.value),
            Either::Right(item) => format!("late {} on the right", item.value),
        });
        pairs.union(late)
    }
}

fn all(between: Between) -> impl for<'s> Fn(Stream<'s, Item>, Stream<'s, Item>) -> Stream<'s, String> + Send + Sync {
    move |left, right| {
        let value = |item: Option<&Item>| item.map_or("-".to_string(), |item| item.value.to_string());
        let all =
            joined(left, right, between).full("all", move |left, right| format!("{} {}", value(left), value(right)));
        all.map(|text| text)
    }
}

#[test]
fn both_bounds_are_part_of_the_interval_unless_they_are_left_out() {
    let right = "a:1@14.999999 a:2@15 a:3@15.000001 a:4@19.999999 a:5@20 a:6@20.000001";
    let bounds = between(5.seconds(), 10.seconds());
    check_two(
        "a:0@10",
        right,
        pairs(bounds),
        "15 0 2
         15.000001 0 3
         19.999999 0 4
         20 0 5",
    );
    check_two(
        "a:0@10",
        right,
        pairs(bounds.exclusive_lower()),
        "15.000001 0 3
         19.999999 0 4
         20 0 5",
    );
    check_two(
        "a:0@10",
        right,
        pairs(bounds.exclusive_upper()),
        "15 0 2
         15.000001 0 3
         19.999999 0 4",
    );
    check_two(
        "a:0@10",
        right,
        pairs(bounds.exclusive_lower().exclusive_upper()),
        "15.000001 0 3
         19.999999 0 4",
    );
}

#[test]
fn with_negative_bounds_the_right_is_earlier_and_the_pair_has_the_time_of_the_left() {
    let left = "a:1@9.999999 a:2@10 a:3@10.000001 a:4@14.999999 a:5@15 a:6@15.000001";
    check_two(
        left,
        "a:0@5",
        pairs(between(-10.seconds(), -5.seconds())),
        "10 2 0
         10.000001 3 0
         14.999999 4 0
         15 5 0",
    );
    check_two(
        left,
        "a:0@5",
        pairs(between(-10.seconds(), -5.seconds()).exclusive_lower().exclusive_upper()),
        "10.000001 3 0
         14.999999 4 0",
    );
}

#[test]
fn bounds_of_both_signs_look_both_ways_also_before_the_epoch() {
    check_two(
        "a:1@-3 a:2@0",
        "a:5@-5.000001 a:6@-5 a:7@-3 a:8@-1 a:9@-0.999999 a:10@2",
        pairs(between(-2.seconds(), 2.seconds())),
        "-3 1 6
         -3 1 7
         -1 1 8
         0 2 8
         0 2 9
         2 2 10",
    );
}

#[test]
fn equal_times_meet_whichever_bound_is_zero() {
    for bounds in
        [between(0.seconds(), 0.seconds()), between(-1.seconds(), 0.seconds()), between(0.seconds(), 1.seconds())]
    {
        check_two(
            "a:1@5 b:2@5 a:3@5",
            "a:4@5 a:5@5 c:6@5",
            pairs(bounds),
            "5 1 4
             5 1 5
             5 3 4
             5 3 5",
        );
    }
    check_two("a:1@5", "a:2@5", pairs(between(0.seconds(), 1.seconds()).exclusive_lower()), "");
    check_two("a:1@5", "a:2@5", pairs(between(-1.seconds(), 0.seconds()).exclusive_upper()), "");
    check_two("a:1@5", "a:2@5", pairs(between(-1.seconds(), 1.seconds())), "5 1 2");
}

#[test]
fn an_event_that_meets_nobody_keeps_its_own_time() {
    check_two(
        "a:1@5 b:3@6 a:2@8",
        "c:5@1 b:6@4 a:4@9",
        all(between(-1.seconds(), 2.seconds())),
        "1 - 5
         4 - 6
         5 1 -
         6 3 -
         9 2 4",
    );
}

#[test]
fn null_keys_meet_nobody_not_even_each_other() {
    check_two(
        "-:1@5 a:2@6",
        "-:3@5 a:4@6",
        all(between(-9.seconds(), 9.seconds())),
        "5 - 3
         5 1 -
         6 2 4",
    );
    check_two("-:1@5 a:2@6", "-:3@5 a:4@6", pairs(between(-9.seconds(), 9.seconds())), "6 2 4");
}

#[test]
fn every_pair_of_duplicates_is_one() {
    check_two(
        "a:1@5 a:1@5",
        "a:2@6 a:2@6",
        pairs(between(0.seconds(), 1.seconds())),
        "6 1 2
         6 1 2
         6 1 2
         6 1 2",
    );
}

#[test]
fn a_record_is_judged_by_the_watermark_it_came_under_whatever_the_other_side_knows() {
    // The left is at 20 s when its 2 comes, and late; the right at 15 s has no say in that.
    check_two(
        "a:1@20 a:2@19.999999 a:3@20",
        "a:7@15 a:8@14 a:9@15",
        pairs(between(-5.seconds(), 0.seconds())),
        "14 late 8 on the right
         19.999999 late 2 on the left
         20 1 7
         20 1 9
         20 3 7
         20 3 9",
    );
}

#[test]
fn the_greater_allowed_lateness_of_the_two_holds_for_both() {
    check_two(
        "a:1@20 a:2@17 a:3@16.999999",
        "a:7@20 a:8@17 a:9@16.999999",
        |left, right| {
            let left = left.key_by(|item| item.key.clone()).allowed_lateness(1.seconds());
            let right = right.key_by(|item| item.key.clone()).allowed_lateness(3.seconds());
            let join = left.interval_join(right, between(0.seconds(), 1.seconds()));
            let pairs = join.inner("pairs", |left, right| format!("{} {}", left.value, right.value));
            let late = pairs.late().map(|late| format!("late {late:?}").chars().take(10).collect::<String>());
            pairs.union(late)
        },
        "16.999999 late Left(
         16.999999 late Right
         17 2 8
         20 1 7",
    );
}

#[test]
fn a_side_that_ends_early_or_has_nothing_holds_nobody_up() {
    check_two("a:1@1", "a:2@2 a:3@3600 b:4@7200", all(between(0.seconds(), 5.seconds())), "2 1 2\n3600 - 3\n7200 - 4");
    check_two("", "a:2@2 a:3@3600", all(between(0.seconds(), 5.seconds())), "2 - 2\n3600 - 3");
    check_two("a:2@2 a:3@3600", "", all(between(0.seconds(), 5.seconds())), "2 2 -\n3600 3 -");
}

#[test]
fn a_side_that_is_hours_ahead_or_pauses_is_met_when_the_other_comes() {
    check_two(
        "a:1@1 | _ | _ | _ | a:2@7200",
        "a:3@2 a:4@7201 a:5@7300",
        all(between(0.seconds(), 5.seconds())),
        "2 1 3
         7201 2 4
         7300 - 5",
    );
}

/// More than a batch of each side, in some disorder, with a key that has half of all: found by another way than by the
/// walk of the step.
#[test]
fn thousands_of_events_in_disorder_with_a_hot_key_meet_as_in_a_nested_loop() {
    let drawn = |place: u64| {
        (place.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (place << 7)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33
    };
    let items = |side: u64| -> Vec<Item> {
        let item = |number: u64| {
            let random = drawn(number * 2 + side);
            let time = EventTime::from_millis(number as i64 * 10 - (random % 400) as i64);
            let key = if random % 2 == 0 { "hot".to_string() } else { format!("k{}", random % 91) };
            Item { time, key, value: number as i64 }
        };
        (0..6_000).map(item).collect()
    };
    let (left, right) = (items(0), items(1));
    for (lower, upper) in [(0, 300), (-300, 0), (-200, 100), (150, 300)] {
        let mut expected = Vec::new();
        for l in &left {
            let near = right.iter().filter(|r| r.key == l.key);
            for r in near.filter(|r| (lower..=upper).contains(&((r.time - l.time).as_micros() / 1_000))) {
                expected.push((l.time.max(r.time), format!("{} {}", l.value, r.value)));
            }
        }
        expected.sort();
        let expected: Vec<_> = expected.iter().map(|(time, text)| format!("{} {text}", seconds(*time))).collect();
        let script = |items: &Vec<Item>| {
            let batches = items.chunks(2_500).map(|items| Step::Batch(items.to_vec(), None));
            Script::new(vec![batches.collect()]).disorder(1.seconds())
        };
        for workers in [1, 3] {
            let flow = pairs(between(lower.millis(), upper.millis()));
            let [lines] = run_inputs(
                [script(&left), script(&right)],
                move |[left, right]| [flow(left, right)],
                workers,
                5_000,
                Some(7),
            );
            assert_eq!(lines.len(), expected.len());
            assert!(lines == expected, "[{lower}, {upper}] ms with {workers} workers");
        }
    }
}

#[test]
#[should_panic(expected = "no time is between the bounds [10s, 5s] of an interval join; are they exchanged?")]
fn exchanged_bounds_are_refused() {
    between(10.seconds(), 5.seconds());
}

#[test]
#[should_panic(expected = "no time is between the bounds (5s, 5s]")]
fn bounds_that_leave_nothing_are_refused() {
    between(5.seconds(), 5.seconds()).exclusive_lower();
}

#[test]
fn the_listing_shows_kind_and_bounds_and_late_records_of_both_sides_are_counted() {
    let graph = |flow: &Flow<'_>| {
        let side = |name| flow.source::<Item>(name).key_by(|item: &Item| item.key.clone());
        let join = side("left").interval_join(side("right"), between(0.seconds(), 10.seconds()).exclusive_upper());
        join.semi("met").sink("met");
    };
    let listing = Job::new(graph).graph().unwrap().to_string();
    assert!(listing.contains("interval_join met (semi, [0s, 10s))"), "{listing}");
    let met = Lines::default();
    let script = |text: &str| Script::from(text);
    let graph = |flow: &Flow<'_>| {
        let side = |name| flow.source::<Item>(name).key_by(|item: &Item| item.key.clone());
        let join = side("left").interval_join(side("right"), between(0.seconds(), 10.seconds()));
        let lines = join.semi("met").map(|item| Line { time: item.time, text: item.key });
        lines.sink("met");
    };
    let job = Job::new(graph).source("left", script("a:1@10 a:2@9")).source("right", script("a:1@12 a:2@9 a:3@8"));
    let outcome = job.sink("met", met.clone()).run().unwrap();
    assert_eq!(met.text(), ["10 a"]);
    assert_eq!(outcome.metrics.step("met").late, 3);
}
