//! Another program goes on from a checkpoint: with a type of state that changed, and with steps that are new or gone.

use dualgauge::cli::{Exit, Interrupt};
use dualgauge::prelude::*;
use serde::{Deserialize, Serialize};

use crate::support::{Answer, Bid, Data, HotItem, call_graph, hot_items};

#[derive(Clone, Default, Serialize, Deserialize)]
struct SeenV1 {
    bids: u32,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Seen {
    bids: u64,
    highest: Option<u64>,
}

impl From<SeenV1> for Seen {
    fn from(SeenV1 { bids }: SeenV1) -> Seen {
        Seen { bids: bids.into(), highest: None }
    }
}

/// How many bids there were on an auction, after each of them.
fn counted<S: dualgauge::Data + Default>(
    flow: &Flow<'_>,
    raise: Interrupt,
    count: impl Fn(&mut S, &Bid) -> u64 + 'static,
) {
    let bids = flow.source::<Bid>("bids").inspect(move |bid| {
        if bid.data.price == 120 {
            raise.raise();
        }
    });
    let counted = bids.key_by(|bid| bid.auction).fold("seen", move |seen: &mut S, bid| HotItem {
        bids: count(seen, &bid),
        auction: bid.auction,
        time: bid.date_time,
    });
    counted.sink("hot_items");
}

fn first(raise: Interrupt) -> impl Fn(&Flow<'_>) + Send + Sync {
    move |flow| {
        counted(flow, raise.clone(), |seen: &mut SeenV1, _| {
            seen.bids += 1;
            seen.bids.into()
        })
    }
}

fn second(flow: &Flow<'_>) {
    counted(flow, Interrupt::default(), |seen: &mut Seen, bid| {
        seen.bids += 1;
        seen.highest = seen.highest.max(Some(bid.price));
        seen.bids
    });
}

fn second_with_upcast(flow: &Flow<'_>) {
    flow.upcast::<SeenV1, Seen>();
    second(flow);
}

/// A run over what is in `bids.csv` until second 50, into `out.csv`, with checkpoints.
fn run(data: &Data, graph: impl Fn(&Flow<'_>) + Send + Sync + 'static, interrupt: Interrupt, more: &[&str]) -> Answer {
    run_into(data, "csv", graph, interrupt, more)
}

/// The same into a file of a format.
fn run_into(
    data: &Data,
    format: &str,
    graph: impl Fn(&Flow<'_>) + Send + Sync + 'static,
    interrupt: Interrupt,
    more: &[&str],
) -> Answer {
    let source = data.bind("bids", "csv", "bids.csv?follow=true&disorder=0s");
    let place = data.path("checkpoints").display().to_string();
    let sink = data.bind("hot_items", format, &format!("out.{format}"));
    let words = ["run", "--source", &source, "--sink", &sink, "--checkpoint", &place, "--every", "1ms"];
    let until = ["--until", "1970-01-01T00:00:50Z"];
    call_graph(graph, &[&words[..], &until, more].concat(), interrupt)
}

/// What a graph writes when nothing disturbs it.
fn undisturbed(data: &Data, graph: impl Fn(&Flow<'_>) + Send + Sync + 'static) -> Vec<String> {
    let (bids, out) = (data.bind("bids", "csv", "bids.csv"), data.bind("hot_items", "csv", "undisturbed.csv"));
    let words = ["run", "--source", &bids, "--sink", &out, "--to", "1970-01-01T00:00:50Z"];
    let answer = call_graph(graph, &words, Interrupt::default());
    assert_eq!(answer.exit, Exit::Done, "{}", answer.err);
    data.lines("undisturbed.csv")
}

#[test]
fn a_type_that_changed_is_refused_until_its_up_cast_is_declared() {
    let data = Data::of_seconds(25);
    let interrupt = Interrupt::default();
    let stopped = run(&data, first(interrupt.clone()), interrupt, &[]);
    assert_eq!(stopped.exit, Exit::Stopped, "{}", stopped.err);
    data.append(25..60);

    let refused = run(&data, second, Interrupt::default(), &[]);
    assert_eq!(refused.exit, Exit::Usage, "{}", refused.err);
    for part in [
        "the step `seen` keeps another type of state than its checkpoint of epoch ",
        "how `struct SeenV1 { bids: u32 }` becomes `struct Seen { bids: u64, highest: Option<u64> }`",
        "flow.upcast::<Old, New>()",
        "--drop-state seen",
    ] {
        assert!(refused.err.contains(part), "`{part}` is not in {}", refused.err);
    }

    let resumed = run(&data, second_with_upcast, Interrupt::default(), &["--workers", "2"]);
    assert_eq!(resumed.exit, Exit::Done, "{}", resumed.err);
    assert!(resumed.err.contains("step seen: its state of epoch "), "{}", resumed.err);
    assert_eq!(data.lines("out.csv"), undisturbed(&data, second));
}

/// What is written of an auction, by the next version.
#[record]
struct Counted {
    auction: u64,
    #[event_time]
    time: EventTime,
    bids: u64,
    last: Option<u64>,
}

impl From<HotItem> for Counted {
    fn from(HotItem { auction, time, bids }: HotItem) -> Counted {
        Counted { auction, time, bids, last: None }
    }
}

fn with_other_rows(flow: &Flow<'_>) {
    flow.upcast::<HotItem, Counted>();
    let counted = flow.source::<Bid>("bids").key_by(|bid| bid.auction).fold("seen", |seen: &mut SeenV1, bid| {
        seen.bids += 1;
        Counted { auction: bid.auction, time: bid.date_time, bids: seen.bids.into(), last: Some(bid.price) }
    });
    counted.sink("hot_items");
}

#[test]
fn rows_of_another_type_go_on_into_json_and_not_into_csv() {
    let stopped = |format| {
        let (data, interrupt) = (Data::of_seconds(25), Interrupt::default());
        let stopped = run_into(&data, format, first(interrupt.clone()), interrupt, &[]);
        assert_eq!(stopped.exit, Exit::Stopped, "{}", stopped.err);
        data.append(25..60);
        data
    };
    let data = stopped("csv");
    let refused = run(&data, with_other_rows, Interrupt::default(), &[]);
    assert_eq!(refused.exit, Exit::Usage, "{}", refused.err);
    for part in ["sink hot_items: csv:", "cannot hold those of another type", "a sink of another name and place"] {
        assert!(refused.err.contains(part), "`{part}` is not in {}", refused.err);
    }
    let data = stopped("json");
    let resumed = run_into(&data, "json", with_other_rows, Interrupt::default(), &[]);
    assert_eq!(resumed.exit, Exit::Done, "{}", resumed.err);
    let text = std::fs::read_to_string(data.path("out.json")).unwrap();
    let rows: Vec<_> = text.lines().collect();
    assert_eq!(rows.len(), 50, "each bid once: {text}");
    assert!(!rows[0].contains("last") && rows[49].contains("\"last\":149"), "{text}");
}

/// `hot_items`, and a step at its side of which nothing is written.
fn with_a_side(raise: Interrupt) -> impl Fn(&Flow<'_>) + Send + Sync {
    move |flow| {
        let raise = raise.clone();
        let bids = flow.source::<Bid>("bids").inspect(move |bid| {
            if bid.data.price == 130 {
                raise.raise();
            }
        });
        let hot = bids.clone().key_by(|bid| bid.auction).window(tumbling(10.seconds()));
        let hot = hot.aggregate("bids_per_auction", agg::count());
        let hot = hot.map(|pane| HotItem { auction: pane.key, time: pane.time, bids: pane.value });
        let side = bids.key_by(|bid| bid.auction).fold("side", |seen: &mut SeenV1, bid| {
            seen.bids += 1;
            HotItem { auction: bid.auction, time: bid.date_time, bids: seen.bids.into() }
        });
        hot.union(side.filter(|_| false)).sink("hot_items");
    }
}

#[test]
fn a_step_that_is_added_starts_empty_and_one_that_is_removed_wants_a_word() {
    let data = Data::of_seconds(25);
    let interrupt = Interrupt::default();
    let raised = interrupt.clone();
    let watched = move |flow: &Flow<'_>| {
        let raised = raised.clone();
        flow.source::<Bid>("bids")
            .inspect(move |bid| {
                if bid.data.price == 120 {
                    raised.raise();
                }
            })
            .key_by(|bid| bid.auction)
            .window(tumbling(10.seconds()))
            .aggregate("bids_per_auction", agg::count())
            .map(|pane| HotItem { auction: pane.key, time: pane.time, bids: pane.value })
            .sink("hot_items");
    };
    let stopped = run(&data, watched, interrupt, &[]);
    assert_eq!(stopped.exit, Exit::Stopped, "{}", stopped.err);

    data.append(25..35);
    let interrupt = Interrupt::default();
    let added = run(&data, with_a_side(interrupt.clone()), interrupt, &[]);
    assert_eq!(added.exit, Exit::Stopped, "{}", added.err);
    assert!(added.err.contains("goes on after epoch"), "{}", added.err);

    data.append(35..60);
    let refused = run(&data, hot_items, Interrupt::default(), &[]);
    assert_eq!(refused.exit, Exit::Usage, "{}", refused.err);
    for part in ["the step `side`, which is not in the graph", "--drop-state side"] {
        assert!(refused.err.contains(part), "`{part}` is not in {}", refused.err);
    }
    let removed = run(&data, hot_items, Interrupt::default(), &["--drop-state", "side"]);
    assert_eq!(removed.exit, Exit::Done, "{}", removed.err);
    assert!(removed.err.contains("step side: what it kept is forgotten"), "{}", removed.err);
    assert_eq!(data.lines("out.csv"), undisturbed(&data, hot_items));
}
