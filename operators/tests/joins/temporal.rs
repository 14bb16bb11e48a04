//! Temporal joins: which version is valid, to the microsecond; idle, ended and early sides; late records.

use dualgauge_engine::testing::{Item, Lines, Script, Step, as_lines, check_two, run_inputs, seconds};
use dualgauge_engine::{Durations, EventTime, Flow, Job, Stream};
use dualgauge_operators::join::{AsOf, Same, TemporalJoin};
use dualgauge_operators::{Either, KeyBy, KeyedStream, Map, Union};

type Key = fn(&Item) -> Option<String>;
type Late<'s> = Stream<'s, String, Either<Item, Item>>;

fn key(item: &Item) -> Option<String> {
    Some(item.key.clone()).filter(|key| key != "-")
}

type Join<'s, M, N> = TemporalJoin<'s, Item, M, Key, Item, N, Same<Key, Option<String>>>;

fn joined<'s, M: 'static, N: 'static>(left: Stream<'s, Item, M>, right: Stream<'s, Item, N>) -> Join<'s, M, N> {
    let left: KeyedStream<'s, Item, M, Key> = left.key_by(key as Key);
    left.as_of(right.key_by(key as Key))
}

/// The results, and what is late on either side.
fn with_late(results: Late<'_>) -> Stream<'_, String> {
    let late = results.late().map(|late| match late {
        Either::Left(item) => format!("late {} on the left", item.value),
        Either::Right(item) => format!("late {} on the right", item.value),
    });
    results.map(|text| text).union(late.map(|text| text))
}

fn inner<'s>(left: Stream<'s, Item>, right: Stream<'s, Item>) -> Stream<'s, String> {
    with_late(joined(left, right).inner("valid", |left, version| format!("{} {}", left.value, version.value)))
}

fn left<'s>(left: Stream<'s, Item>, right: Stream<'s, Item>) -> Stream<'s, String> {
    with_late(joined(left, right).left("valid", text))
}

fn text(left: &Item, version: Option<&Item>) -> String {
    format!("{} {}", left.value, version.map_or("-".to_string(), |version| version.value.to_string()))
}

#[test]
fn a_version_is_valid_from_its_own_time_until_the_next_one() {
    let orders = "a:1@9.999999 a:2@10 a:3@10.000001 a:4@19.999999 a:5@20 a:6@20.000001";
    let rates = "b:9@0 a:7@10 a:8@20";
    check_two(
        orders,
        rates,
        left,
        "9.999999 1 -
         10 2 7
         10.000001 3 7
         19.999999 4 7
         20 5 8
         20.000001 6 8",
    );
    check_two(
        orders,
        rates,
        inner,
        "10 2 7
         10.000001 3 7
         19.999999 4 7
         20 5 8
         20.000001 6 8",
    );
}

#[test]
fn the_order_of_arrival_decides_nothing() {
    let expected = "4 1 -
                    6 2 7
                    9 3 8
                    11 4 8";
    check_two("a:1@4 a:2@6 a:3@9 a:4@11", "a:7@5 a:8@8", left, expected);
    check_two("disorder 10s\na:4@11 a:2@6 | a:3@9 a:1@4", "disorder 10s\na:8@8 | a:7@5", left, expected);
    // Either side comes when the other has long been there.
    check_two("_ | _ | _ | a:1@4 a:2@6 a:3@9 a:4@11", "a:7@5 a:8@8", left, expected);
    check_two("a:1@4 a:2@6 a:3@9 a:4@11", "_ | _ | _ | a:7@5 | _ | a:8@8", left, expected);
    // Each in two partitions, of which one is ahead.
    check_two("a:4@11\na:1@4 a:2@6 a:3@9", "a:8@8\na:7@5", left, expected);
}

#[test]
fn of_versions_of_equal_times_the_greatest_record_is_valid_whichever_comes_last() {
    for versions in ["a:7@5 a:9@5 a:8@5", "a:9@5 a:7@5 a:8@5", "a:7@5\na:8@5\na:9@5"] {
        check_two("a:1@5 a:2@6", versions, left, "5 1 9\n6 2 9");
    }
    // A later one counts, however small it is.
    check_two("a:1@5 a:2@6", "a:9@5 a:7@6", left, "5 1 9\n6 2 7");
}

#[test]
fn times_before_the_epoch_are_times() {
    check_two(
        "a:1@-20.000001 a:2@-20 a:3@-0.000001 a:4@0",
        "a:7@-20 a:8@0",
        left,
        "-20.000001 1 -
         -20 2 7
         -0.000001 3 7
         0 4 8",
    );
}

#[test]
fn an_old_version_stays_valid_whatever_other_keys_do() {
    check_two(
        "b:1@5 b:2@500 a:3@80000",
        "a:7@-86400000 b:8@1 b:9@400 b:10@79999",
        left,
        "5 1 8
         500 2 9
         80000 3 7",
    );
}

#[test]
fn null_keys_have_no_version_not_even_one_with_a_null() {
    check_two(
        "-:1@5 a:2@6 -:3@7",
        "-:8@4 a:9@4",
        left,
        "5 1 -
         6 2 9
         7 3 -",
    );
    check_two("-:1@5 a:2@6 -:3@7", "-:8@4 a:9@4", inner, "6 2 9");
    // A null is no excuse for being late.
    check_two("a:1@10 -:2@9", "-:8@10 -:9@9", left, "9 late 2 on the left\n9 late 9 on the right\n10 1 -");
}

#[test]
fn every_one_of_equal_events_has_its_result() {
    check_two("a:1@5 a:1@5 b:1@5", "a:7@5 a:7@5", left, "5 1 -\n5 1 7\n5 1 7");
}

#[test]
fn a_record_is_judged_by_the_watermark_it_came_under_whatever_the_other_side_knows() {
    // The left is at 20 s when its 2 comes, and late; the right at 15 s has no say in that. The rate 8 would have been
    // in time for the order at 14 s, and is late all the same.
    check_two(
        "a:0@14 a:1@20 a:2@19.999999 a:3@20",
        "a:7@10 a:7@15 a:8@14 a:9@15",
        left,
        "14 0 7
         14 late 8 on the right
         19.999999 late 2 on the left
         20 1 9
         20 3 9",
    );
}

#[test]
fn the_greater_allowed_lateness_of_the_two_holds_for_both() {
    for (left_lateness, right_lateness) in [(1, 3), (3, 1)] {
        check_two(
            "a:1@20 a:2@17 a:3@16.999999",
            "a:7@16 a:8@20 a:9@17 a:10@16.999999",
            move |left, right| {
                let left = left.key_by(|item| item.key.clone()).allowed_lateness(left_lateness.seconds());
                let right = right.key_by(|item| item.key.clone()).allowed_lateness(right_lateness.seconds());
                with_late(left.as_of(right).left("valid", text))
            },
            "16.999999 late 10 on the right
             16.999999 late 3 on the left
             17 2 9
             20 1 8",
        );
    }
}

#[test]
fn a_side_that_ends_early_or_has_nothing_holds_nobody_up() {
    check_two("a:1@1", "a:2@1 a:3@3600 b:4@7200", left, "1 1 2");
    check_two("a:1@1 a:2@3600 b:3@7200", "a:7@0", left, "1 1 7\n3600 2 7\n7200 3 -");
    check_two("", "a:2@2 a:3@3600", left, "");
    check_two("a:2@2 a:3@3600", "", left, "2 2 -\n3600 3 -");
    check_two("a:2@2 a:3@3600", "", inner, "");
    check_two("", "", left, "");
}

#[test]
fn a_side_that_is_hours_ahead_or_pauses_is_met_when_the_other_comes() {
    check_two(
        "a:1@1 | _ | _ | _ | a:2@7200",
        "a:3@0 a:4@7100 a:5@7201 a:6@80000",
        left,
        "1 1 3
         7200 2 4",
    );
    check_two("a:1@1 a:2@7200 a:3@80000", "a:7@0 | _ | _ | _ | a:8@7200", left, "1 1 7\n7200 2 8\n80000 3 8");
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
    let (orders, versions) = (items(0), items(1));
    let mut expected = Vec::new();
    for order in &orders {
        let valid = versions.iter().filter(|version| version.key == order.key && version.time <= order.time);
        expected.push((order.time, text(order, valid.max_by_key(|version| (version.time, *version)))));
    }
    expected.sort();
    let expected: Vec<_> = expected.iter().map(|(time, text)| format!("{} {text}", seconds(*time))).collect();
    let script = |items: &Vec<Item>| {
        let batches = items.chunks(2_500).map(|items| Step::Batch(items.to_vec(), None));
        Script::new(vec![batches.collect()]).disorder(1.seconds())
    };
    for workers in [1, 3] {
        let scripts = [script(&orders), script(&versions)];
        let [lines] = run_inputs(scripts, |[orders, versions]| [left(orders, versions)], workers, 5_000, Some(7));
        assert_eq!(lines.len(), expected.len());
        assert!(lines == expected, "with {workers} workers");
    }
}

#[test]
#[should_panic(expected = "as_of goes by event time: which version is valid cannot be said as records arrive")]
fn events_as_they_arrive_are_refused() {
    let graph = |flow: &Flow<'_>| {
        let side = |name| flow.source::<Item>(name).key_by(|item: &Item| item.key.clone());
        side("orders").as_of(side("rates").as_arrives()).inner("valid", |order, _| order.clone()).sink("valid");
    };
    Job::new(graph).graph().unwrap();
}

#[test]
fn the_listing_shows_kind_and_lateness_and_late_records_of_both_sides_are_counted() {
    let graph = |flow: &Flow<'_>| {
        let side = |name| flow.source::<Item>(name).key_by(|item: &Item| item.key.clone());
        let join = side("orders").as_of(side("rates").allowed_lateness(2.seconds()));
        let valid = join.inner("valid", |order, rate| format!("{} {}", order.value, rate.value));
        as_lines(valid).sink("valid");
    };
    let listing = Job::new(graph).graph().unwrap().to_string();
    assert!(listing.contains("as_of valid (inner, lateness 2s)"), "{listing}");
    let valid = Lines::default();
    let script = |text: &str| Script::from(text);
    let job = Job::new(graph).source("orders", script("a:1@10 a:2@7")).source("rates", script("a:3@9 a:4@6 a:5@5"));
    let outcome = job.sink("valid", valid.clone()).run().unwrap();
    assert_eq!(valid.text(), ["10 1 3"]);
    assert_eq!(outcome.metrics.step("valid").late, 3);
}
