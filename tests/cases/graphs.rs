//! The small graphs of the cases, by name.

use dualgauge::prelude::*;

#[record]
pub struct Ev {
    pub key: String,
    pub value: i64,
    #[event_time]
    pub ts: EventTime,
}

/// An event whose time is a number of milliseconds.
#[record]
pub struct EvMs {
    pub key: String,
    pub value: i64,
    #[event_time]
    #[column(unit = "ms")]
    pub ts: EventTime,
}

/// An event whose value may be missing.
#[record]
pub struct EvDefault {
    pub key: String,
    #[column(default = 1)]
    pub value: i64,
    #[event_time]
    pub ts: EventTime,
}

/// An event whose time is written in two fields.
#[record]
pub struct Split {
    pub key: String,
    pub day: String,
    pub second: i64,
}

/// A length of time.
#[record]
pub struct Length {
    pub d: Duration,
}

/// Lengths of time, deeper.
#[record]
pub struct Lengths {
    pub inner: Length,
    pub many: Vec<Length>,
    #[event_time]
    pub ts: EventTime,
}

/// An event with columns that the path of its file has.
#[record]
pub struct Day {
    pub value: i64,
    #[event_time]
    pub ts: EventTime,
    pub day: String,
    pub shop: Option<i64>,
}

/// An event whose path has its time, and more.
#[record]
pub struct Typed {
    pub value: i64,
    #[event_time]
    pub at: EventTime,
    pub d: Duration,
    pub price: Decimal<2>,
    pub ok: bool,
}

/// What a window of events holds.
#[record]
pub struct Out {
    pub key: String,
    pub start: EventTime,
    pub end: EventTime,
    pub n: u64,
    pub total: i64,
    #[event_time]
    pub time: EventTime,
}

/// A row of a table.
#[record]
pub struct Category {
    pub id: i64,
    pub name: String,
}

/// Builds the graph of this name.
pub fn build(name: &str, flow: &Flow<'_>) {
    match name {
        // Events as they are; those that cannot be read go to `bad`.
        "ev" => copied::<Ev>(flow),
        "ev_ms" => copied::<EvMs>(flow),
        "ev_default" => copied::<EvDefault>(flow),
        "lengths" => copied::<Lengths>(flow),
        "ev_day" => copied::<Day>(flow),
        "ev_typed" => copied::<Typed>(flow),
        "ev_quarantine" => flow.source::<Ev>("in").quarantine("bad").sink("out"),
        // No event at all.
        "nothing" => flow.source::<Ev>("in").filter(|_| false).sink("out"),
        // Counts and sums of each key and hour; what is late goes to `late`.
        "hours" => {
            let keyed = flow.source::<Ev>("in").key_by(|event| event.key.clone());
            let panes = keyed
                .window(tumbling(1.hours()))
                .aggregate("hours", (agg::count(), agg::sum(|event: &Ev| event.value)));
            panes.late().sink("late");
            panes.map(out).sink("out");
        }
        // Counts of each key and hour, by a time that is made of two fields; what is late goes to `late`.
        "made_hours" => {
            let made = |split: &Split| split.day.parse::<EventTime>().map(|day| day + split.second.seconds());
            let split = flow.source::<Split>("in").event_time_by(made);
            let panes =
                split.key_by(|split| split.key.clone()).window(tumbling(1.hours())).aggregate("hours", agg::count());
            panes.late().sink("late");
            let out = |pane: Pane<String, u64>| Out {
                start: pane.window.start,
                end: pane.window.end,
                time: pane.time,
                n: pane.value,
                total: 0,
                key: pane.key,
            };
            panes.map(out).sink("out");
        }
        // Counts of each key and hour, shown early.
        "early" => {
            let windows = flow.source::<Ev>("in").key_by(|event| event.key.clone()).window(tumbling(1.hours()));
            let panes =
                windows.early(10.minutes()).aggregate("hours", (agg::count(), agg::sum(|event: &Ev| event.value)));
            panes.map(out).sink("out");
        }
        // Events named by a table of categories.
        "lookup" => {
            let categories = flow.table::<Category>("cats");
            let named = flow.source::<Ev>("in").lookup(categories, |event| event.value, |category| category.id);
            let name = |event: &Ev, category: Option<&Category>| Ev {
                key: format!("{}:{}", event.key, category.map_or("?", |category| category.name.as_str())),
                ..event.clone()
            };
            named.left(name).sink("out");
        }
        other => panic!("there is no graph {other}"),
    }
}

fn copied<D: Record>(flow: &Flow<'_>) {
    flow.source::<D>("in").sink("out");
}

fn out(pane: Pane<String, (u64, i64)>) -> Out {
    let (time, (n, total)) = (pane.time, pane.value);
    Out { start: pane.window.start, end: pane.window.end, time, n, total, key: pane.key }
}
