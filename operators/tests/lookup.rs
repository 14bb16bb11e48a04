//! Lookups over scripts: which rows an event meets. What this would catch: an event that meets a row of another key or not
//! all of its own, nulls that match each other, and a correction that leaves what an earlier result had met.

use dualgauge_engine::testing::{Item, check};
use dualgauge_engine::{Durations, Flow, Job, Stream};
use dualgauge_operators::aggregate::{count, sum};
use dualgauge_operators::window::{InWindow, tumbling};
use dualgauge_operators::{Filter, KeyBy, Lookup, Map, Union};

/// Names by value; the third and fourth row have the same.
const NAMES: [(i64, &str); 4] = [(-1, "minus"), (2, "two"), (3, "three"), (3, "drei")];

fn named(items: Stream<'_, Item>) -> Stream<'_, String> {
    let inner = items
        .clone()
        .lookup(NAMES, |item| item.value, |row| row.0)
        .inner(|item, row| format!("{} {}", item.key, row.1));
    let left = items.lookup(NAMES, |item| item.value, |row| row.0);
    inner.union(left.left(|item, row| format!("left {} {:?}", item.key, row.map(|row| row.1))))
}

#[test]
fn an_event_meets_every_row_of_its_key_whenever_it_happened() {
    check(
        "disorder 10s
         a:3@5 b:-1@-4 | c:7@2
         d:2@100",
        named,
        "-4 b minus
         -4 left b Some(\"minus\")
         2 left c None
         5 a drei
         5 a three
         5 left a Some(\"drei\")
         5 left a Some(\"three\")
         100 d two
         100 left d Some(\"two\")",
    );
}

#[test]
fn nothing_meets_no_rows_and_no_rows_meet_nothing() {
    check("", named, "");
    check(
        "a:1@5",
        |items| {
            let none: Vec<(i64, String)> = Vec::new();
            let inner = items.clone().lookup(none.clone(), |item| item.value, |row| row.0);
            let left = items.lookup(none, |item| item.value, |row| row.0);
            inner.inner(|_, row| row.1.clone()).union(left.left(|item, row| format!("{} {row:?}", item.key)))
        },
        "5 a None",
    );
}

#[test]
fn a_null_matches_nothing_not_even_a_null() {
    check(
        "a:1@5 -:2@6",
        |items| {
            let key = |text: &str| Some(text.to_string()).filter(|text| text != "-");
            let rows = ["a", "-", "b"];
            items
                .lookup(rows, move |item| (0, key(&item.key)), move |row| (0, key(row)))
                .left(|item, row| format!("{} {row:?}", item.key))
        },
        "5 a Some(\"a\")
         6 - None",
    );
}

#[test]
fn what_is_late_behind_a_lookup_is_what_was_late_before_it() {
    check(
        "a:3@5 b:2@12 c:3@4 | d:3@13",
        |items| {
            let named =
                items.lookup(NAMES, |item| item.value, |row| row.0).inner(|item, row| format!("{}{}", item.key, row.1));
            let panes = named.key_by(|_| 0_u8).window(tumbling(10.seconds())).aggregate("n", count());
            let late = panes.late().map(|name| format!("late {name}"));
            panes.map(|pane| format!("{}", pane.value)).union(late)
        },
        "4 late cdrei
         4 late cthree
         9.999999 2
         19.999999 3",
    );
}

#[test]
fn a_result_that_is_corrected_meets_the_rows_of_the_correction_only() {
    check(
        "a:2@5 b:-1@6 | b:9@12 | a:1@7 b:1@8",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            let totals = windows.allowed_lateness(5.seconds()).aggregate("total", sum(|item: &Item| item.value));
            let named = totals.lookup(NAMES, |pane| pane.value, |row| row.0);
            named.inner(|pane, row| format!("{} {}", pane.key, row.1)).filter(|_| true)
        },
        // `a` was two and is three; `b` was minus one and is none of the rows.
        "9.999999 a drei
         9.999999 a three",
    );
}

#[test]
fn the_listing_shows_how_many_rows_there_are() {
    let graph = |flow: &Flow<'_>| {
        let items = flow.source::<Item>("items").lookup(NAMES, |item| item.value, |row| row.0);
        items.inner(|item, _| item.clone()).sink("out");
    };
    let listing = Job::new(graph).graph().unwrap().to_string();
    assert!(listing.contains("lookup (inner, 4 rows)"), "{listing}");
}
