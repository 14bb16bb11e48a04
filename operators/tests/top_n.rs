//! Top-N over scripts: which records have a place, in which order, and how a window that fires again takes rows back.
//! What this would catch: a tie that is decided by arrival, a row too many or too few, and rows of an earlier firing that
//! stay when the later one has fewer or others.

use std::cmp::Reverse;

use dualgauge_engine::testing::{Item, Script, check, seconds};
use dualgauge_engine::{Durations, Flow, Job, Stream};
use dualgauge_operators::window::{InWindow, Ranked, places, session, sliding, tumbling, whole};
use dualgauge_operators::{Filter, KeyBy, Map, Union};

fn text(row: Ranked<String, Item>) -> String {
    let item = row.value;
    format!(
        "{} [{},{}) #{} {}@{}",
        row.key,
        seconds(row.window.start),
        seconds(row.window.end),
        row.rank,
        item.value,
        seconds(item.time)
    )
}

fn late(item: Item) -> String {
    format!("late {}:{}", item.key, item.value)
}

/// The three items with the most tens.
fn tens(items: Stream<'_, Item>) -> Stream<'_, String> {
    let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
    windows.top_n("top", 3, |item| item.value / 10).map(text)
}

#[test]
fn among_equals_the_greater_record_is_first_and_one_that_was_there_twice_has_two_places() {
    // An item is compared by its time first, then by its value.
    let expected = "9.999999 a [0,10) #1 15@4
         9.999999 a [0,10) #2 19@3
         9.999999 a [0,10) #3 11@3
         19.999999 a [10,20) #1 7@11
         19.999999 a [10,20) #2 7@11";
    for script in [
        "a:11@3 a:15@4 a:19@3 a:3@9 a:11@3 a:7@11 a:7@11",
        "disorder 20s\n a:7@11 a:3@9\n a:19@3 a:7@11 a:11@3\n a:11@3 a:15@4",
    ] {
        check(script, tens, expected);
    }
}

#[test]
fn equals_share_a_place_where_that_is_asked_for_and_a_firing_takes_rows_back() {
    // In the first firing 3 shares the second place with nobody, and 1 has the third.
    check(
        "a:5@1 a:3@2 a:1@3 | b:9@12 | a:5@4 | b:9@30",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            let windows = windows.allowed_lateness(5.seconds());
            windows.top_n("top", places(3).from(2).rank(), |item| item.value).map(text)
        },
        "9.999999 a [0,10) #3 3@2",
    );
}

#[test]
fn the_least_come_first_by_the_reverse_of_an_order() {
    check(
        "a:3@1 a:-9@2 a:5@3 b:-1@4 | a:4@12",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            windows.top_n("lowest", 2, |item| Reverse(item.value)).map(text)
        },
        "9.999999 a [0,10) #1 -9@2
         9.999999 a [0,10) #2 3@1
         9.999999 b [0,10) #1 -1@4
         19.999999 a [10,20) #1 4@12",
    );
}

#[test]
fn floats_have_an_order_too() {
    check(
        "a:3@1 a:1@2 a:0@3",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            windows.top_n("top", 2, |item| 1.0 / item.value as f64).map(text)
        },
        "9.999999 a [0,10) #1 0@3
         9.999999 a [0,10) #2 1@2",
    );
}

#[test]
fn every_kind_of_window_has_places() {
    check(
        "disorder 20s
         a:3@-4 a:1@2 a:5@8 a:4@21",
        |items| {
            let keyed = || items.clone().key_by(|item| item.key.clone());
            let by = |item: &Item| item.value;
            let hopping = keyed().window(sliding(10.seconds(), 5.seconds())).top_n("sliding", 1, by).map(text);
            let sessions = keyed().window(session(6_500.millis())).top_n("sessions", 2, by).map(text);
            let all = keyed().window(whole()).top_n("all", 2, by);
            let all = all.map(|row| format!("{} #{} {}", row.key, row.rank, row.value.value));
            hopping.union(sessions).union(all)
        },
        "-0.000001 a [-10,0) #1 3@-4
         4.999999 a [-5,5) #1 3@-4
         9.999999 a [0,10) #1 5@8
         14.499999 a [-4,14.5) #1 5@8
         14.499999 a [-4,14.5) #2 3@-4
         14.999999 a [5,15) #1 5@8
         24.999999 a [15,25) #1 4@21
         27.499999 a [21,27.5) #1 4@21
         29.999999 a [20,30) #1 4@21
         9223372036854.775806 a #1 5
         9223372036854.775806 a #2 4",
    );
}

#[test]
fn a_late_record_leaves_and_has_no_place() {
    check(
        "a:1@5 a:2@12 a:9@4",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            let top = windows.top_n("top", 2, |item| item.value);
            let late = top.late().map(late);
            top.map(text).union(late)
        },
        "4 late a:9
         9.999999 a [0,10) #1 1@5
         19.999999 a [10,20) #1 2@12",
    );
}

#[test]
fn a_window_that_fires_again_replaces_all_its_rows() {
    check(
        "a:1@5 a:3@6 | a:2@12 | a:4@9 | a:8@15 | a:16@9",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            let top = windows.allowed_lateness(5.seconds()).top_n("top", 2, |item| item.value);
            // In the first firing the record 1 has the second place.
            top.filter(|row| row.rank == 2).map(text)
        },
        "9.999999 a [0,10) #2 3@6
         19.999999 a [10,20) #2 2@12",
    );
}

#[test]
fn nothing_in_is_nothing_out() {
    check(
        "a:1@5",
        |items| {
            let none = items.filter(|_| false).key_by(|item| item.key.clone());
            none.window(tumbling(10.seconds())).top_n("top", 2, |item| item.value).map(text)
        },
        "",
    );
}

#[test]
fn the_listing_names_the_step_and_its_late_records_are_counted() {
    let graph = |flow: &Flow<'_>| {
        let windows = flow.source::<Item>("items").key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
        windows.top_n("highest", 2, |item| item.value).map(|row| Item { time: row.time(), ..row.value }).sink("lines");
    };
    let listing = Job::new(graph).graph().unwrap().to_string();
    assert!(listing.contains("top_n highest (tumbling 10s, top 2)"), "{listing}");
    let lines = dualgauge_engine::testing::Lines::default();
    let graph = |flow: &Flow<'_>| {
        let windows = flow.source::<Item>("items").key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
        let top = windows.top_n("highest", 1, |item| item.value);
        let line = |row: Ranked<String, Item>| dualgauge_engine::testing::Line { time: row.time(), text: text(row) };
        top.map(line).sink("lines");
    };
    let script = Script::from("a:1@5 a:2@12 a:9@4");
    let outcome = Job::new(graph).source("items", script).sink("lines", lines.clone()).workers(2).run().unwrap();
    assert_eq!(outcome.metrics.step("highest").late, 1);
    assert_eq!(lines.text(), ["9.999999 a [0,10) #1 1@5", "19.999999 a [10,20) #1 2@12"]);
}
