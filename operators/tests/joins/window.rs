//! Window joins: each kind of join in each kind of window, nulls, late rows, and sides that are empty or end early.

use dualgauge_engine::testing::{Item, check_two, seconds};
use dualgauge_engine::{Duration, Durations, Stream};
use dualgauge_operators::aggregate::count;
use dualgauge_operators::join::JoinStrategy;
use dualgauge_operators::window::{InWindow, Window, session, sliding, tumbling, whole};
use dualgauge_operators::{Either, KeyBy, Map, Union};

fn value(item: Option<&Item>) -> String {
    item.map_or("-".to_string(), |item| item.value.to_string())
}

/// A pair as the lines show it; a dash is a row that is not there.
fn pair(window: Window, left: Option<&Item>, right: Option<&Item>) -> String {
    format!("[{},{}) {} {}", seconds(window.start), seconds(window.end), value(left), value(right))
}

fn late(late: Either<Item, Item>) -> String {
    match late {
        Either::Left(item) => format!("late left {}", item.value),
        Either::Right(item) => format!("late right {}", item.value),
    }
}

/// The key, where `null` stands for none.
fn nullable(item: &Item) -> Option<String> {
    (item.key != "null").then(|| item.key.clone())
}

/// Every kind of join of two streams in these windows, each line with its kind before it.
macro_rules! every_kind {
    ($left:expr, $right:expr, $key:expr, $windows:expr, $strategy:expr) => {{
        let (left, right): (Stream<'_, Item>, Stream<'_, Item>) = ($left, $right);
        let join = || {
            let join = left.clone().key_by($key).window($windows).join(right.clone().key_by($key));
            let strategy: Option<JoinStrategy> = $strategy;
            if let Some(strategy) = strategy { join.strategy(strategy) } else { join }
        };
        let values = |items: &[Item]| format!("{:?}", items.iter().map(|item| item.value).collect::<Vec<_>>());
        let inner = join().inner("inner", |window, l, r| format!("inner {}", pair(window, Some(l), Some(r))));
        let left = join().left("left", |window, l, r| format!("left {}", pair(window, Some(l), r)));
        let right = join().right("right", |window, l, r| format!("right {}", pair(window, l, Some(r))));
        let full = join().full("full", |window, l, r| format!("full {}", pair(window, l, r)));
        let met = join().semi("semi", |_, left| format!("semi {}", left.value));
        let alone = join().anti("anti", |_, left| format!("anti {}", left.value));
        let groups = join().co_group("groups", move |key, _, left, right, out| {
            out.emit(format!("group {key:?} {} {}", values(left), values(right)));
        });
        inner.union(left).union(right).union(full).union(met).union(alone).union(groups)
    }};
}

/// Inner pairs and late rows in windows of a kind.
macro_rules! inner_and_late {
    ($windows:expr, $lateness:expr) => {
        |left: Stream<'_, Item>, right: Stream<'_, Item>| {
            let windows = left.key_by(|item| item.key.clone()).window($windows).allowed_lateness($lateness);
            let join = windows.join(right.key_by(|item| item.key.clone()));
            let pairs = join.inner("pairs", |window, left, right| pair(window, Some(left), Some(right)));
            let late = pairs.late().map(late);
            pairs.union(late)
        }
    };
}

/// Each strategy, and whichever is taken by itself.
fn strategies() -> impl Iterator<Item = Option<JoinStrategy>> {
    JoinStrategy::ALL.iter().copied().map(Some).chain([None])
}

#[test]
fn every_kind_says_of_each_row_what_its_name_says_whatever_the_strategy() {
    for strategy in strategies() {
        check_two(
            "a:1@3 a:2@4 b:3@5 d:4@6",
            "a:7@9 c:8@2 d:9@11",
            move |left, right| every_kind!(left, right, |item| item.key.clone(), tumbling(10.seconds()), strategy),
            "9.999999 anti 3
             9.999999 anti 4
             9.999999 full [0,10) - 8
             9.999999 full [0,10) 1 7
             9.999999 full [0,10) 2 7
             9.999999 full [0,10) 3 -
             9.999999 full [0,10) 4 -
             9.999999 group \"a\" [1, 2] [7]
             9.999999 group \"b\" [3] []
             9.999999 group \"c\" [] [8]
             9.999999 group \"d\" [4] []
             9.999999 inner [0,10) 1 7
             9.999999 inner [0,10) 2 7
             9.999999 left [0,10) 1 7
             9.999999 left [0,10) 2 7
             9.999999 left [0,10) 3 -
             9.999999 left [0,10) 4 -
             9.999999 right [0,10) - 8
             9.999999 right [0,10) 1 7
             9.999999 right [0,10) 2 7
             9.999999 semi 1
             9.999999 semi 2
             19.999999 full [10,20) - 9
             19.999999 group \"d\" [] [9]
             19.999999 right [10,20) - 9",
        );
    }
}

#[test]
fn a_null_meets_nobody_not_even_another_null() {
    for strategy in strategies() {
        check_two(
            "null:1@3 a:2@4 null:3@5",
            "null:7@3 null:8@6",
            move |left, right| every_kind!(left, right, nullable, tumbling(10.seconds()), strategy),
            "9.999999 anti 1
             9.999999 anti 2
             9.999999 anti 3
             9.999999 full [0,10) - 7
             9.999999 full [0,10) - 8
             9.999999 full [0,10) 1 -
             9.999999 full [0,10) 2 -
             9.999999 full [0,10) 3 -
             9.999999 group None [1, 3] []
             9.999999 group None [] [7, 8]
             9.999999 group Some(\"a\") [2] []
             9.999999 left [0,10) 1 -
             9.999999 left [0,10) 2 -
             9.999999 left [0,10) 3 -
             9.999999 right [0,10) - 7
             9.999999 right [0,10) - 8",
        );
    }
}

#[test]
fn a_null_in_a_part_of_the_key_is_a_null_and_is_grouped_with_its_equals() {
    for strategy in strategies() {
        check_two(
            "null:1@3 null:2@4 null:1@5 a:1@6",
            "null:1@3 a:1@4 a:2@5",
            move |left, right| {
                let key = |item: &Item| (item.value, nullable(item));
                every_kind!(left, right, key, tumbling(10.seconds()), strategy)
            },
            "9.999999 anti 1
             9.999999 anti 1
             9.999999 anti 2
             9.999999 full [0,10) - 1
             9.999999 full [0,10) - 2
             9.999999 full [0,10) 1 -
             9.999999 full [0,10) 1 -
             9.999999 full [0,10) 1 1
             9.999999 full [0,10) 2 -
             9.999999 group (1, None) [1, 1] []
             9.999999 group (1, None) [] [1]
             9.999999 group (1, Some(\"a\")) [1] [1]
             9.999999 group (2, None) [2] []
             9.999999 group (2, Some(\"a\")) [] [2]
             9.999999 inner [0,10) 1 1
             9.999999 left [0,10) 1 -
             9.999999 left [0,10) 1 -
             9.999999 left [0,10) 1 1
             9.999999 left [0,10) 2 -
             9.999999 right [0,10) - 1
             9.999999 right [0,10) - 2
             9.999999 right [0,10) 1 1
             9.999999 semi 1",
        );
    }
}

#[test]
fn equal_rows_at_equal_times_are_as_many_pairs_as_there_are() {
    check_two(
        "a:1@3 a:1@3
         a:1@3",
        "a:2@3 a:2@3",
        inner_and_late!(tumbling(10.seconds()), Duration::ZERO),
        "9.999999 [0,10) 1 2
         9.999999 [0,10) 1 2
         9.999999 [0,10) 1 2
         9.999999 [0,10) 1 2
         9.999999 [0,10) 1 2
         9.999999 [0,10) 1 2",
    );
}

#[test]
fn windows_hold_their_start_and_not_their_end_also_before_the_epoch_and_empty_ones_are_silent() {
    check_two(
        "a:1@-10 a:2@-0.000001 a:3@0 a:4@105",
        "a:8@-10.000001 a:7@-5 a:9@9.999999 a:10@10 a:11@109",
        inner_and_late!(tumbling(10.seconds()), Duration::ZERO),
        "-0.000001 [-10,0) 1 7
         -0.000001 [-10,0) 2 7
         9.999999 [0,10) 3 9
         109.999999 [100,110) 4 11",
    );
}

#[test]
fn a_late_row_of_either_side_leaves_by_the_stream_of_late_rows_and_meets_nobody() {
    check_two(
        "a:1@5 a:2@12 a:3@9 a:4@11",
        "a:5@5 | a:6@25 | a:7@14 a:8@24",
        inner_and_late!(tumbling(10.seconds()), Duration::ZERO),
        "9 late left 3
         9.999999 [0,10) 1 5
         14 late right 7",
    );
}

#[test]
fn the_allowed_lateness_is_waited_out_and_each_pair_comes_once() {
    check_two(
        "a:1@5 | a:2@12 | a:3@9 | a:4@15 | a:9@8",
        "a:5@5 | a:6@13 | a:7@4 | a:8@40",
        inner_and_late!(tumbling(10.seconds()), 5.seconds()),
        "8 late left 9
         9.999999 [0,10) 1 5
         9.999999 [0,10) 1 7
         9.999999 [0,10) 3 5
         9.999999 [0,10) 3 7
         19.999999 [10,20) 2 6
         19.999999 [10,20) 4 6",
    );
}

#[test]
fn a_side_may_be_empty_or_end_early() {
    check_two(
        "a:1@3 a:2@13",
        "",
        |left, right| every_kind!(left, right, |item| item.key.clone(), tumbling(10.seconds()), None),
        "9.999999 anti 1
         9.999999 full [0,10) 1 -
         9.999999 group \"a\" [1] []
         9.999999 left [0,10) 1 -
         19.999999 anti 2
         19.999999 full [10,20) 2 -
         19.999999 group \"a\" [2] []
         19.999999 left [10,20) 2 -",
    );
    check_two(
        "",
        "a:1@3 a:2@13",
        |left, right| every_kind!(left, right, |item| item.key.clone(), tumbling(10.seconds()), None),
        "9.999999 full [0,10) - 1
         9.999999 group \"a\" [] [1]
         9.999999 right [0,10) - 1
         19.999999 full [10,20) - 2
         19.999999 group \"a\" [] [2]
         19.999999 right [10,20) - 2",
    );
    check_two(
        "a:1@3 | _ | a:2@13 | _ | a:3@1000",
        "a:4@5",
        |left, right| {
            let windows = left.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            let join = windows.join(right.key_by(|item| item.key.clone()));
            join.left("left", |window, left, right| pair(window, Some(left), right))
        },
        "9.999999 [0,10) 1 4
         19.999999 [10,20) 2 -
         1009.999999 [1000,1010) 3 -",
    );
}

#[test]
fn in_sliding_windows_a_pair_is_in_every_window_that_has_both() {
    check_two(
        "a:1@3 a:2@8 b:3@14",
        "b:4@4 a:5@6 b:6@9",
        inner_and_late!(sliding(10.seconds(), 4.seconds()), Duration::ZERO),
        "9.999999 [0,10) 1 5
         9.999999 [0,10) 2 5
         13.999999 [4,14) 2 5
         17.999999 [8,18) 3 6",
    );
}

#[test]
fn a_row_that_is_late_for_some_of_its_windows_is_in_the_others_only() {
    // The left row at 4 comes under 12: [-5,5) and [0,10) are closed to it and none is left; that at 8 is in [5,15).
    check_two(
        "a:1@6 | a:2@12 | a:3@4 a:4@8",
        "a:5@3 a:6@9",
        inner_and_late!(sliding(10.seconds(), 5.seconds()), Duration::ZERO),
        "4 late left 3
         9.999999 [0,10) 1 5
         9.999999 [0,10) 1 6
         14.999999 [5,15) 1 6
         14.999999 [5,15) 2 6
         14.999999 [5,15) 4 6",
    );
}

#[test]
fn sessions_are_those_of_both_sides_together() {
    // Neither side bridges the time from 0 to 12 by itself. The left row at 20 is alone in its session.
    check_two(
        "a:1@0 a:2@8 a:3@20",
        "a:5@4 b:7@9 a:6@12",
        |left, right| every_kind!(left, right, |item| item.key.clone(), session(5.seconds()), None),
        "13.999999 full [9,14) - 7
         13.999999 group \"b\" [] [7]
         13.999999 right [9,14) - 7
         16.999999 full [0,17) 1 5
         16.999999 full [0,17) 1 6
         16.999999 full [0,17) 2 5
         16.999999 full [0,17) 2 6
         16.999999 group \"a\" [1, 2] [5, 6]
         16.999999 inner [0,17) 1 5
         16.999999 inner [0,17) 1 6
         16.999999 inner [0,17) 2 5
         16.999999 inner [0,17) 2 6
         16.999999 left [0,17) 1 5
         16.999999 left [0,17) 1 6
         16.999999 left [0,17) 2 5
         16.999999 left [0,17) 2 6
         16.999999 right [0,17) 1 5
         16.999999 right [0,17) 1 6
         16.999999 right [0,17) 2 5
         16.999999 right [0,17) 2 6
         16.999999 semi 1
         16.999999 semi 2
         24.999999 anti 3
         24.999999 full [20,25) 3 -
         24.999999 group \"a\" [3] []
         24.999999 left [20,25) 3 -",
    );
}

#[test]
fn nulls_make_sessions_together_and_meet_nobody_in_them() {
    check_two(
        "null:1@0",
        "null:2@4",
        |left, right| every_kind!(left, right, nullable, session(5.seconds()), None),
        "8.999999 anti 1
         8.999999 full [0,9) - 2
         8.999999 full [0,9) 1 -
         8.999999 group None [1] []
         8.999999 group None [] [2]
         8.999999 left [0,9) 1 -
         8.999999 right [0,9) - 2",
    );
}

#[test]
fn a_late_row_of_a_session_join_is_late_by_its_own_time() {
    // At 7, under 10, with 2 s allowed: late. At 8: not.
    check_two(
        "a:1@0 | a:2@10 | a:3@7 a:4@8",
        "a:5@9",
        inner_and_late!(session(3.seconds()), 2.seconds()),
        "7 late left 3
         12.999999 [8,13) 2 5
         12.999999 [8,13) 4 5",
    );
}

#[test]
fn the_whole_of_time_is_joined_when_the_input_ends() {
    check_two(
        "a:1@3 b:2@8",
        "a:5@6000",
        |left, right| {
            let windows = left.key_by(|item| item.key.clone()).window(whole());
            let join = windows.join(right.key_by(|item| item.key.clone()));
            join.left("left", |window, left, right| pair(window, Some(left), right))
        },
        "9223372036854.775806 [start,end) 1 5
         9223372036854.775806 [start,end) 2 -",
    );
}

#[test]
fn what_is_joined_is_on_time_for_the_windows_behind_it() {
    check_two(
        "a:1@3 a:2@4 | a:3@19 | a:4@41",
        "a:5@5 | a:6@33 a:7@45",
        |left, right| {
            let windows = left.key_by(|item| item.key.clone()).window(sliding(10.seconds(), 5.seconds()));
            let windows = windows.allowed_lateness(7.seconds());
            let join = windows.join(right.key_by(|item| item.key.clone()));
            let values = join.full("full", |_, _, _| 0_u64).key_by(|_| 0_u64).window(tumbling(20.seconds()));
            let counts = values.aggregate("count", count());
            let late = counts.late().map(|_| "late".to_string());
            counts.map(|pane| pane.value.to_string()).union(late)
        },
        // [-5,5): 1, 2. [0,10): two pairs. [5,15): 5. [10,20) and [15,25): 3. [25,35) and [30,40): 6. [35,45): 4.
        // [40,50): the pair of 4 and 7. [45,55): 7.
        "19.999999 6
         39.999999 3
         59.999999 3",
    );
}

#[test]
#[should_panic(expected = "window joins do not fire early")]
fn a_window_join_does_not_fire_early() {
    check_two(
        "",
        "",
        |left, right| {
            let windows = left.key_by(|item| item.key.clone()).window(tumbling(10.seconds())).early(1.seconds());
            windows.join(right.key_by(|item| item.key.clone())).semi("semi", |_, left| left.key)
        },
        "",
    );
}

#[test]
#[should_panic(expected = "say `allowed_lateness` after `window`")]
fn a_lateness_of_the_right_side_alone_is_refused() {
    check_two(
        "",
        "",
        |left, right| {
            let right = right.key_by(|item| item.key.clone()).allowed_lateness(1.seconds());
            let windows = left.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            windows.join(right).semi("semi", |_, left| left.key)
        },
        "",
    );
}
