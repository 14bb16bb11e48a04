//! Behind which event a result is seen: one event at a time, on 1, 2 and 7 workers.
//!
//! What this would catch: a step that waits longer than its rule says (a lateness waited out twice, a hold at a window that
//! has fired), or one that says something before its rule allows. At the end of input all of these answers are the same, so
//! no test of *what* comes out can find them.

use dualgauge_engine::testing::{Item, check_when, check_when_at_once, check_when_firings, check_when_two};
use dualgauge_engine::{Durations, Stream};
use dualgauge_operators::aggregate::{count, sum};
use dualgauge_operators::join::{JoinInterval, between};
use dualgauge_operators::keyed::{Neighbours, Reduce, time_before};
use dualgauge_operators::window::{InWindow, Pane, counted, cumulate, days_in, session, sliding, tumbling};
use dualgauge_operators::{Deduplicate, KeyBy, Map, first_within, last_within};

fn text<'s, L: 'static>(panes: Stream<'s, Pane<String, u64>, L>) -> Stream<'s, String> {
    panes.map(|pane| format!("{} {}", pane.key, pane.value))
}

#[test]
fn a_tumbling_window_is_seen_when_the_watermark_reaches_its_end() {
    check_when(
        "a:1@5 a:1@9.999999 a:1@10 a:1@20",
        |items| text(items.key_by(|item| item.key.clone()).window(tumbling(10.seconds())).aggregate("n", count())),
        "9.999999 a 2 behind a:1@10
         19.999999 a 1 behind a:1@20
         29.999999 a 1 behind end",
    );
}

#[test]
fn the_allowed_lateness_of_a_tumbling_window_is_waited_out_once() {
    check_when(
        "a:1@5 a:1@10 a:1@14.999999 a:1@15 a:1@20",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            text(windows.allowed_lateness(5.seconds()).aggregate("n", count()))
        },
        "9.999999 a 1 behind a:1@15
         19.999999 a 3 behind end
         29.999999 a 1 behind end",
    );
}

#[test]
fn the_allowed_lateness_is_waited_out_once_for_a_correction_too() {
    check_when(
        "a:1@5 a:2@12 a:4@9 a:8@15 a:16@9 a:32@25",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            let sums = windows.allowed_lateness(5.seconds()).aggregate("sum", sum(|item: &Item| item.value));
            sums.map(|pane| format!("{} {}", pane.key, pane.value))
        },
        "9.999999 a 5 behind a:8@15
         19.999999 a 10 behind a:32@25
         29.999999 a 32 behind end",
    );
}

#[test]
fn the_slowest_partition_says_when() {
    check_when(
        "a:1@5 _     a:1@30 _      _
         _     a:1@4 _      b:1@14 b:1@15",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            text(windows.allowed_lateness(5.seconds()).aggregate("n", count()))
        },
        "9.999999 a 2 behind b:1@15
         19.999999 b 2 behind end
         39.999999 a 1 behind end",
    );
}

#[test]
fn a_sliding_window_with_lateness_is_not_held_by_the_later_windows_of_its_slices() {
    check_when(
        "a:1@8 a:1@14 a:1@15 a:1@20 a:1@25",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(sliding(10.seconds(), 5.seconds()));
            text(windows.allowed_lateness(5.seconds()).aggregate("n", count()))
        },
        "9.999999 a 1 behind a:1@15
         14.999999 a 2 behind a:1@20
         19.999999 a 2 behind a:1@25
         24.999999 a 2 behind end
         29.999999 a 2 behind end
         34.999999 a 1 behind end",
    );
}

#[test]
fn an_early_firing_of_a_sliding_window_holds_nothing_longer_than_its_window() {
    check_when(
        "a:1@8 a:1@10 a:1@15 a:1@20",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(sliding(10.seconds(), 5.seconds()));
            text(windows.early(1.seconds()).aggregate("n", count()))
        },
        "9.999999 a 1 behind a:1@10
         14.999999 a 2 behind a:1@15
         19.999999 a 2 behind a:1@20
         24.999999 a 2 behind end
         29.999999 a 1 behind end",
    );
}

#[test]
fn a_sliding_window_that_fires_once_is_seen_at_its_end() {
    check_when(
        "a:1@8 a:1@10 a:1@15 a:1@20",
        |items| {
            text(
                items
                    .key_by(|item| item.key.clone())
                    .window(sliding(10.seconds(), 5.seconds()))
                    .aggregate("n", count()),
            )
        },
        "9.999999 a 1 behind a:1@10
         14.999999 a 2 behind a:1@15
         19.999999 a 2 behind a:1@20
         24.999999 a 2 behind end
         29.999999 a 1 behind end",
    );
}

#[test]
fn a_window_behind_a_gap_is_seen_at_its_end_and_nothing_is_held_for_what_is_in_none() {
    check_when(
        "a:1@1 a:1@4 a:1@11 a:1@13 a:1@40",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(sliding(2.seconds(), 10.seconds()));
            text(windows.aggregate("n", count()))
        },
        "1.999999 a 1 behind a:1@4
         11.999999 a 1 behind a:1@13
         41.999999 a 1 behind end",
    );
    check_when(
        "a:1@1 a:1@4 a:1@11 a:1@15 a:1@40",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(sliding(2.seconds(), 10.seconds()));
            text(windows.allowed_lateness(3.seconds()).aggregate("n", count()))
        },
        "1.999999 a 1 behind a:1@11
         11.999999 a 1 behind a:1@15
         41.999999 a 1 behind end",
    );
}

#[test]
fn a_cumulating_window_is_seen_at_each_of_its_ends() {
    check_when(
        "a:1@1 a:1@5 a:1@12 b:1@16 a:1@31",
        |items| {
            text(
                items
                    .key_by(|item| item.key.clone())
                    .window(cumulate(5.seconds(), 15.seconds()))
                    .aggregate("n", count()),
            )
        },
        "4.999999 a 1 behind a:1@5
         9.999999 a 2 behind a:1@12
         14.999999 a 3 behind b:1@16
         19.999999 b 1 behind a:1@31
         24.999999 b 1 behind a:1@31
         29.999999 b 1 behind a:1@31
         34.999999 a 1 behind end
         39.999999 a 1 behind end
         44.999999 a 1 behind end",
    );
}

#[test]
fn a_cumulating_window_waits_its_lateness_out_once_and_holds_nobody_up_after_that() {
    check_when(
        "a:1@1 a:1@8 a:1@13 a:1@18 a:1@30",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(cumulate(5.seconds(), 10.seconds()));
            text(windows.allowed_lateness(3.seconds()).aggregate("n", count()))
        },
        "4.999999 a 1 behind a:1@8
         9.999999 a 2 behind a:1@13
         14.999999 a 1 behind a:1@18
         19.999999 a 2 behind a:1@30
         34.999999 a 1 behind end
         39.999999 a 1 behind end",
    );
}

#[test]
fn early_firings_of_cumulating_windows_replace_each_other_and_nothing_that_has_not_changed_fires_again() {
    check_when_firings(
        "a:1@1 a:1@3 a:1@6 a:1@12",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(cumulate(5.seconds(), 10.seconds()));
            text(windows.early(2.seconds()).aggregate("n", count()))
        },
        "4.999999 a 2 firing 1 behind a:1@3
         9.999999 a 2 firing 1 behind a:1@3
         4.999999 a 2 firing 1 last behind a:1@6
         9.999999 a 3 firing 2 behind a:1@6
         9.999999 a 3 firing 2 last behind a:1@12
         14.999999 a 1 firing 1 behind a:1@12
         19.999999 a 1 firing 1 behind a:1@12
         14.999999 a 1 firing 1 last behind end
         19.999999 a 1 firing 1 last behind end",
    );
}

#[test]
fn a_day_of_a_zone_is_seen_when_the_watermark_reaches_its_midnight() {
    // In Tokyo the first of January 1970 ended at 15:00 UTC.
    check_when(
        "a:1@1 a:1@53999.999999 a:1@54000 a:1@140400",
        |items| text(items.key_by(|item| item.key.clone()).window(days_in("Asia/Tokyo")).aggregate("n", count())),
        "53999.999999 a 2 behind a:1@54000
         140399.999999 a 1 behind a:1@140400
         226799.999999 a 1 behind end",
    );
}

#[test]
fn a_counted_window_is_seen_when_its_last_event_is_passed_and_one_that_is_not_full_at_the_end() {
    check_when(
        "a:1@1 b:1@2 a:1@3 a:1@4 a:1@9 b:1@10 b:1@12",
        |items| text(items.key_by(|item| item.key.clone()).window(counted(2)).aggregate("n", count())),
        "3 a 2 behind a:1@4
         9 a 2 behind b:1@10
         10 b 2 behind b:1@12
         9223372036854.775806 b 1 behind end",
    );
    check_when(
        "a:1@1 a:1@3 a:1@5 a:1@6 a:1@9",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(counted(2)).allowed_lateness(2.seconds());
            text(windows.aggregate("n", count()))
        },
        "3 a 2 behind a:1@6
         6 a 2 behind a:1@9
         9223372036854.775806 a 1 behind end",
    );
}

#[test]
fn a_session_waits_its_lateness_out_once() {
    check_when(
        "a:1@0 a:1@2 a:1@7 a:1@9.999999 a:1@10 a:1@30",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(session(5.seconds()));
            text(windows.allowed_lateness(3.seconds()).aggregate("n", count()))
        },
        "6.999999 a 2 behind a:1@10
         14.999999 a 3 behind a:1@30
         34.999999 a 1 behind end",
    );
}

#[test]
fn an_ordered_step_waits_its_lateness_out_once() {
    check_when(
        "a:1@5 a:2@8 a:3@8.000001 a:4@20",
        |items| {
            let keyed = items.key_by(|item| item.key.clone()).allowed_lateness(3.seconds());
            keyed
                .reduce("sum", |sum, item| Item { value: sum.value + item.value, ..item })
                .map(|item| item.value.to_string())
        },
        "5 1 behind a:3@8.000001
         8 3 behind a:4@20
         8.000001 6 behind a:4@20
         20 10 behind end",
    );
}

#[test]
fn an_event_with_its_neighbours_is_seen_when_it_is_passed_and_nothing_is_held_for_a_frame_of_time() {
    check_when(
        "a:1@1 a:2@2 b:9@3 a:4@20 b:9@21",
        |items| {
            let over = items.key_by(|item| item.key.clone()).over();
            let sums = over.frame("sums", time_before(2.seconds()), sum(|item: &Item| item.value), |item, sum| {
                format!("{} {sum}", item.key)
            });
            sums.map(|text| text)
        },
        "1 a 1 behind a:2@2
         2 a 3 behind b:9@3
         3 b 9 behind a:4@20
         20 a 4 behind b:9@21
         21 b 9 behind end",
    );
}

#[test]
fn an_original_is_seen_when_passed_and_the_last_of_its_repeats_a_horizon_later() {
    check_when(
        "a:1@5 a:2@7 a:3@15 a:4@16",
        |items| {
            let first = items.key_by(|item| item.key.clone()).deduplicate("first", first_within(10.seconds()));
            first.map(|item| item.value.to_string())
        },
        "5 1 behind a:2@7
         15 3 behind a:4@16",
    );
    check_when(
        "a:1@5 a:2@7 a:3@15 a:4@16",
        |items| {
            let last = items.key_by(|item| item.key.clone()).deduplicate("last", last_within(10.seconds()));
            last.map(|item| item.value.to_string())
        },
        "7 2 behind a:3@15
         16 4 behind end",
    );
}

#[test]
fn the_first_of_each_window_are_seen_as_its_aggregate_is() {
    check_when(
        "a:3@5 a:7@6 a:1@14 a:1@15 a:1@25",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            let top = windows.allowed_lateness(5.seconds()).top_n("top", 1, |item| item.value);
            top.map(|row| format!("{} #{} {}", row.key, row.rank, row.value.value))
        },
        "9.999999 a #1 7 behind a:1@15
         19.999999 a #1 1 behind a:1@25
         29.999999 a #1 1 behind end",
    );
}

#[test]
fn a_window_of_a_join_waits_its_lateness_out_once() {
    check_when_two(
        "a:1@5 _     a:2@15 _      a:3@30",
        "_     a:7@6 _      a:8@15 a:9@30",
        |left, right| {
            let windows = left.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            let join = windows.allowed_lateness(5.seconds()).join(right.key_by(|item| item.key.clone()));
            join.inner("pairs", |_, left, right| format!("{} {}", left.value, right.value)).map(|text| text)
        },
        "9.999999 1 7 behind a:8@15
         19.999999 2 8 behind a:9@30
         39.999999 3 9 behind end",
    );
}

#[test]
fn a_pair_of_an_interval_join_is_seen_when_both_sides_have_passed_it() {
    check_when_two(
        "a:1@5 _     a:2@10 _",
        "_     a:7@6 _      a:8@10",
        |left, right| {
            let (left, right) = (left.key_by(|item| item.key.clone()), right.key_by(|item| item.key.clone()));
            let join = left.interval_join(right, between(-2.seconds(), 2.seconds()));
            join.inner("pairs", |left, right| format!("{} {}", left.value, right.value)).map(|text| text)
        },
        "6 1 7 behind a:8@10
         10 2 8 behind end",
    );
}

#[test]
fn every_early_firing_is_seen_when_it_fires_and_the_last_is_told_when_it_is_known() {
    check_when_firings(
        "a:1@1 a:1@3 a:1@8 a:1@12",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            text(windows.early(2.seconds()).aggregate("n", count()))
        },
        "9.999999 a 2 firing 1 behind a:1@3
         9.999999 a 3 firing 2 behind a:1@8
         9.999999 a 3 firing 2 last behind a:1@12
         19.999999 a 1 firing 1 behind a:1@12
         19.999999 a 1 firing 1 last behind end",
    );
}

#[test]
fn a_correction_is_a_firing_of_its_own_and_the_last_is_told() {
    check_when_firings(
        "a:1@5 a:2@12 a:4@9 a:8@16",
        |items| {
            let windows = items.key_by(|item| item.key.clone()).window(tumbling(10.seconds()));
            let sums = windows.allowed_lateness(5.seconds()).aggregate("sum", sum(|item: &Item| item.value));
            sums.map(|pane| format!("{} {}", pane.key, pane.value))
        },
        "9.999999 a 1 firing 1 behind a:2@12
         9.999999 a 5 firing 2 behind a:8@16
         9.999999 a 5 firing 2 last behind a:8@16
         19.999999 a 10 firing 1 behind end
         19.999999 a 10 firing 1 last behind end",
    );
}

#[test]
fn what_fires_once_has_one_firing_which_is_the_last() {
    check_when_firings(
        "a:1@5 a:1@9 a:1@10",
        |items| text(items.key_by(|item| item.key.clone()).window(tumbling(10.seconds())).aggregate("n", count())),
        "9.999999 a 2 firing 1 last behind a:1@10
         19.999999 a 1 firing 1 last behind end",
    );
}

#[test]
fn a_row_that_is_wanted_in_no_order_is_seen_behind_its_own_event() {
    check_when_at_once(
        "a:1@5 a:2@9 _     a:3@20
         _     _     b:4@7 _",
        |items| items.map(|item| item.value.to_string()),
        "5 1 behind a:1@5
         9 2 behind a:2@9
         7 4 behind b:4@7
         20 3 behind a:3@20",
    );
}
