//! Keyed state over scripts: what is seen in which order, when timers fire, and what is late.

use dualgauge_engine::testing::{Item, Lines, Script, as_lines, check, seconds};
use dualgauge_engine::{Duration, Durations, EventTime, Flow, Job, Stream};
use dualgauge_operators::keyed::{Context, Fold, Process, ProcessWith, Reduce};
use dualgauge_operators::{KeyBy, Map, Union};

/// Says how many events a key had when none has come for five seconds.
struct Quiet;

impl Process<String, Item> for Quiet {
    type State = (u64, Option<EventTime>);
    type Out = String;

    fn on_event(
        &mut self,
        _: &String,
        _: Item,
        (count, timer): &mut Self::State,
        context: &mut Context<'_, String, String>,
    ) {
        *count += 1;
        if let Some(timer) = timer.take() {
            context.cancel_timer(timer);
        }
        context.set_timer(*timer.insert(context.time() + 5.seconds()));
    }

    fn on_timer(&mut self, key: &String, (count, _): &mut Self::State, context: &mut Context<'_, String, String>) {
        context.emit(format!("{key} was quiet after {count}"));
        context.forget();
    }
}

#[test]
fn a_timer_fires_at_its_time_and_forgotten_state_starts_anew() {
    check(
        "a:1@0 a:1@3 b:1@4 a:1@20 a:1@25 b:1@30",
        |items| items.key_by(|item| item.key.clone()).process("quiet", Quiet),
        "8 a was quiet after 2
         9 b was quiet after 1
         30 a was quiet after 2
         35 b was quiet after 1",
    );
}

/// Says what it sees, and when: sets a timer for each event's value in seconds from the start.
struct Says;

impl Process<String, Item> for Says {
    type State = Vec<i64>;
    type Out = String;

    fn on_event(&mut self, _: &String, item: Item, seen: &mut Vec<i64>, context: &mut Context<'_, String, String>) {
        seen.push(item.value);
        context.set_timer(EventTime::default() + item.value.seconds());
    }

    fn on_timer(&mut self, key: &String, seen: &mut Vec<i64>, context: &mut Context<'_, String, String>) {
        context.emit(format!("{key} {seen:?} at {}", seconds(context.time())));
    }
}

#[test]
fn events_of_a_timers_own_time_are_seen_before_it_fires() {
    check(
        "disorder 10s
         a:5@1 a:9@5 a:7@5 a:7@7",
        |items| items.key_by(|item| item.key.clone()).process("says", Says),
        "5 a [5, 7, 9] at 5
         7 a [5, 7, 9, 7] at 7
         9 a [5, 7, 9, 7] at 9",
    );
}

#[test]
fn a_timer_in_the_past_fires_next_at_the_present_time() {
    check(
        "a:2@6 | a:20@8",
        |items| items.key_by(|item| item.key.clone()).process("says", Says),
        "6 a [2] at 6
         20 a [2, 20] at 20",
    );
}

fn folded(lateness: Duration) -> impl for<'s> Fn(Stream<'s, Item>) -> Stream<'s, String> + Send + Sync {
    move |items| {
        let keyed = items.key_by(|item| item.key.clone()).allowed_lateness(lateness);
        let lists = keyed.fold("list", |list: &mut Vec<i64>, item: Item| {
            list.push(item.value);
            format!("{} {list:?}", item.key)
        });
        let late = lists.late().map(|item| format!("late {}:{}", item.key, item.value));
        lists.union(late)
    }
}

#[test]
fn fold_sees_events_in_the_order_of_event_time_and_equal_times_in_the_order_of_records() {
    check(
        "disorder 10s
         a:3@5 b:1@5 a:1@2
         a:2@5 | a:9@3 b:7@1",
        folded(Duration::ZERO),
        "1 b [7]
         2 a [1]
         3 a [1, 9]
         5 a [1, 9, 2, 3]
         5 a [1, 9, 2]
         5 b [7, 1]",
    );
}

#[test]
fn fold_judges_by_the_watermark_the_record_came_under_and_waits_the_lateness_out() {
    check(
        "a:1@10 a:2@9.999999 a:3@10 a:4@8",
        folded(Duration::ZERO),
        "8 late a:4
         9.999999 late a:2
         10 a [1, 3]
         10 a [1]",
    );
    check(
        "a:1@10 a:2@9.999999 a:3@10 a:4@8 a:5@7.999999",
        folded(2.seconds()),
        "7.999999 late a:5
         8 a [4]
         9.999999 a [4, 2]
         10 a [4, 2, 1, 3]
         10 a [4, 2, 1]",
    );
}

#[test]
fn reduce_starts_with_the_first_record_of_a_key_as_it_is() {
    check(
        "disorder 10s
         a:8@5 a:1@1 b:5@2 a:2@3",
        |items| {
            let keyed = items.key_by(|item| item.key.clone());
            let totals = keyed.reduce("total", |total, item| Item { value: 10 * total.value + item.value, ..item });
            totals.map(|item| format!("{} {}", item.key, item.value))
        },
        "1 a 1
         2 b 5
         3 a 12
         5 a 128",
    );
}

/// The values of each key so far, as they arrive.
fn arrivals(items: Stream<'_, Item>) -> Stream<'_, String> {
    let lists = items.key_by(|item| item.key.clone()).as_arrives().fold("list", |list: &mut Vec<i64>, item: Item| {
        list.push(item.value);
        format!("{} {list:?}", item.key)
    });
    let late = lists.late().map(|item| format!("late {}:{}", item.key, item.value));
    lists.union(late)
}

#[test]
fn as_arrives_sees_events_in_the_order_of_their_partition() {
    check(
        "disorder 10s
         a:3@5 a:1@2 b:2@4 a:2@5 | a:4@20 a:5@9.999999 a:6@10",
        arrivals,
        "2 a [3, 1]
         4 b [2]
         5 a [3, 1, 2]
         5 a [3]
         9.999999 late a:5
         10 a [3, 1, 2, 4, 6]
         20 a [3, 1, 2, 4]",
    );
}

#[test]
fn the_listing_says_which_steps_depend_on_the_order_of_arrival() {
    let graph = |flow: &Flow<'_>| as_lines(arrivals(flow.source::<Item>("items"))).sink("arrivals");
    let listing = Job::new(graph).graph().unwrap().to_string();
    assert!(listing.contains("fold list [timing-dependent]"), "{listing}");
    let graph = |flow: &Flow<'_>| as_lines(folded(Duration::ZERO)(flow.source::<Item>("items"))).sink("folded");
    let listing = Job::new(graph).graph().unwrap().to_string();
    assert!(listing.contains("fold list") && !listing.contains("timing-dependent"), "{listing}");
}

#[test]
fn late_records_are_counted_by_the_name_of_the_step_whether_or_not_anyone_takes_them() {
    for workers in [1, 3] {
        let graph = |flow: &Flow<'_>| {
            let keyed = flow.source::<Item>("items").key_by(|item| item.key.clone());
            as_lines(keyed.fold("sum", |sum: &mut i64, item: Item| {
                *sum += item.value;
                format!("{sum}")
            }))
            .sink("lines");
        };
        let script = Script::from("a:1@10 a:2@9 b:4@8 a:8@10 | b:16@11");
        let lines = Lines::default();
        let outcome =
            Job::new(graph).source("items", script).sink("lines", lines.clone()).workers(workers).run().unwrap();
        assert_eq!(lines.text(), ["10 1", "10 9", "11 16"]);
        assert_eq!(outcome.metrics.step("sum").late, 2);
        assert_eq!(outcome.metrics.source("items").rows, 5);
    }
}
