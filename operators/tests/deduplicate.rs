//! Deduplication over scripts: what repeats what, which record is kept, and what is forgotten when.
//! What this would catch: an answer that depends on arrival, a horizon that repeats prolong, a border on the wrong side, a
//! watermark that passes a record which is still to come out, and originals that are never forgotten.

use dualgauge_engine::testing::{Item, Line, Lines, Script, check, run_through_crashes};
use dualgauge_engine::{Duration, Durations, Flow, Job, Stream};
use dualgauge_operators::aggregate::count;
use dualgauge_operators::window::{InWindow, tumbling};
use dualgauge_operators::{Deduplicate, KeyBy, Map, Union, first_within, last_within};

fn text(item: Item) -> String {
    format!("{}:{}", item.key, item.value)
}

fn late(item: Item) -> String {
    format!("late {}", text(item))
}

/// What `first_within` and `last_within` keep, each with its late records.
fn both(
    horizon: Duration,
    lateness: Duration,
) -> impl for<'s> Fn(Stream<'s, Item>) -> Stream<'s, String> + Send + Sync {
    move |items| {
        let keyed = || items.clone().key_by(|item| item.key.clone()).allowed_lateness(lateness);
        let firsts = keyed().deduplicate("first", first_within(horizon));
        let lasts = keyed().deduplicate("last", last_within(horizon));
        let late = firsts.late().map(late).union(lasts.late().map(late));
        firsts
            .map(|item| format!("first {}", text(item)))
            .union(lasts.map(|item| format!("last {}", text(item))))
            .union(late)
    }
}

#[test]
fn a_record_exactly_the_horizon_after_an_original_is_the_next_original() {
    check(
        "a:1@0 a:2@9.999999 a:3@10 a:4@19.999999 a:5@20",
        both(10.seconds(), Duration::ZERO),
        "0 first a:1
         9.999999 last a:2
         10 first a:3
         19.999999 last a:4
         20 first a:5
         20 last a:5",
    );
}

#[test]
fn a_repeat_does_not_prolong_the_horizon() {
    check(
        "a:1@0 a:2@6 a:3@12 a:4@18",
        both(10.seconds(), Duration::ZERO),
        "0 first a:1
         6 last a:2
         12 first a:3
         18 last a:4",
    );
}

#[test]
fn each_key_has_its_own_originals_also_before_the_epoch() {
    check(
        "disorder 60s
         b:7@-8 a:1@-5 a:2@-9 b:8@1 a:3@0",
        both(5.seconds(), Duration::ZERO),
        "-9 first a:2
         -8 first b:7
         -8 last b:7
         -5 last a:1
         0 first a:3
         0 last a:3
         1 first b:8
         1 last b:8",
    );
}

#[test]
fn of_equal_times_the_least_record_is_the_first_and_the_greatest_the_last() {
    let expected = "5 first a:1
         5 last a:3";
    for script in ["a:3@5 a:1@5 a:2@5", "a:2@5 | a:3@5\n a:1@5", "a:1@5\n a:2@5 a:1@5\n a:3@5 a:3@5"] {
        check(script, both(1.seconds(), Duration::ZERO), expected);
    }
}

#[test]
fn what_repeats_what_does_not_depend_on_the_order_of_arrival() {
    let expected = "1 first a:1
         8 last a:8
         11 first a:11
         15 last a:15";
    for script in [
        "disorder 20s\n a:1@1 a:8@8 a:11@11 a:15@15",
        "disorder 20s\n a:15@15 a:11@11 a:8@8 a:1@1",
        "disorder 20s\n a:11@11 | a:1@1\n a:8@8 | a:15@15",
    ] {
        check(script, both(10.seconds(), Duration::ZERO), expected);
    }
}

#[test]
fn a_record_is_late_by_its_own_partition_and_the_lateness_is_waited_out() {
    check(
        "a:1@10 a:2@9.999999 a:3@10 | a:4@25
         b:9@40",
        both(5.seconds(), Duration::ZERO),
        "9.999999 late a:2
         9.999999 late a:2
         10 first a:1
         10 last a:3
         25 first a:4
         25 last a:4
         40 first b:9
         40 last b:9",
    );
    check(
        "a:1@10 a:2@8 a:3@7.999999 a:4@12",
        both(3.seconds(), 2.seconds()),
        "7.999999 late a:3
         7.999999 late a:3
         8 first a:2
         10 last a:1
         12 first a:4
         12 last a:4",
    );
}

#[test]
fn what_comes_out_is_on_time_for_the_step_behind_it() {
    // The original at 1 waits for its last repeat until the watermark is at 101, while that of the input is far beyond the
    // window it belongs to.
    check(
        "a:1@1 a:2@3 | b:1@50 | b:1@90 | c:1@300",
        |items| {
            let once = items.key_by(|item| item.key.clone()).deduplicate("once", last_within(100.seconds()));
            let panes = once.key_by(|item| item.key.clone()).window(tumbling(10.seconds())).aggregate("n", count());
            let late = panes.late().map(late);
            panes.map(|pane| format!("{} {}", pane.key, pane.value)).union(late)
        },
        "9.999999 a 1
         99.999999 b 1
         309.999999 c 1",
    );
}

#[test]
fn repeats_are_counted_by_the_name_of_the_step() {
    for workers in [1, 3] {
        let graph = |flow: &Flow<'_>| {
            let items = flow.source::<Item>("items");
            let keyed = || items.clone().key_by(|item| item.key.clone());
            let line = |item: Item| Line { time: item.time, text: text(item) };
            keyed().deduplicate("operations", first_within(10.seconds())).map(line).sink("firsts");
            keyed().deduplicate("latest", last_within(10.seconds())).map(line).sink("lasts");
        };
        let listing = Job::new(graph).graph().unwrap().to_string();
        assert!(listing.contains("deduplicate operations (first within 10s)"), "{listing}");
        assert!(listing.contains("deduplicate latest (last within 10s)"), "{listing}");
        let (firsts, lasts) = (Lines::default(), Lines::default());
        let script = Script::from("a:1@10 a:2@12 b:4@12 a:8@19 a:0@11 | a:16@20");
        let job = Job::new(graph).source("items", script).sink("firsts", firsts.clone()).sink("lasts", lasts.clone());
        let outcome = job.workers(workers).run().unwrap();
        assert_eq!(firsts.text(), ["10 a:1", "12 b:4", "20 a:16"]);
        assert_eq!(lasts.text(), ["12 b:4", "19 a:8", "20 a:16"]);
        for name in ["operations", "latest"] {
            assert_eq!(outcome.metrics.counter(name, "repeats").get(), 2);
            assert_eq!(outcome.metrics.step(name).late, 1);
        }
    }
}

#[test]
fn an_original_outlives_crashes_and_is_forgotten_after_them() {
    let script =
        "a:1@0 | b:2@1 | a:3@2 | c:4@3 | b:5@4 | a:6@5 | d:7@6 | a:8@12 | b:9@13 | c:10@14 | e:11@50 | a:12@51";
    for seed in 0..40 {
        let lines = run_through_crashes(script, both(10.seconds(), Duration::ZERO), seed);
        let [firsts, lasts] = ["first", "last"]
            .map(|which| lines.iter().filter(|line| line.contains(which)).cloned().collect::<Vec<_>>());
        let expected = [
            "0 first a:1",
            "1 first b:2",
            "3 first c:4",
            "6 first d:7",
            "12 first a:8",
            "13 first b:9",
            "14 first c:10",
            "50 first e:11",
            "51 first a:12",
        ];
        assert_eq!(firsts, expected, "seed {seed}");
        let expected = [
            "3 last c:4",
            "4 last b:5",
            "5 last a:6",
            "6 last d:7",
            "12 last a:8",
            "13 last b:9",
            "14 last c:10",
            "50 last e:11",
            "51 last a:12",
        ];
        assert_eq!(lasts, expected, "seed {seed}");
    }
}

#[test]
fn nothing_in_is_nothing_out() {
    check("", both(10.seconds(), 3.seconds()), "");
}

#[test]
#[should_panic(expected = "what repeats what cannot be said as records arrive")]
fn an_order_of_arrival_is_refused() {
    let graph = |flow: &Flow<'_>| {
        let arriving = flow.source::<Item>("items").key_by(|item| item.key.clone()).as_arrives();
        arriving.deduplicate("once", first_within(1.seconds())).sink("out");
    };
    Job::new(graph).graph().unwrap();
}
