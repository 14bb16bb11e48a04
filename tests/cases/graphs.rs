//! The small graphs of the cases, by name.

use dualgauge::prelude::*;

#[record]
pub struct Ev {
    pub key: String,
    pub value: i64,
    #[event_time]
    pub ts: EventTime,
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

/// Builds the graph of this name.
pub fn build(name: &str, flow: &Flow<'_>) {
    match name {
        // Events as they are; those that cannot be read go to `bad`.
        "ev" => copied::<Ev>(flow),
        "ev_quarantine" => flow.source::<Ev>(source("in").quarantine("bad")).sink("out"),
        // Counts and sums of each key and hour; what is late goes to `late`.
        "hours" => {
            let keyed = flow.source::<Ev>("in").key_by(|event| event.key.clone());
            let panes = keyed.window(tumbling(1.hours())).aggregate("hours", (count(), sum(|event: &Ev| event.value)));
            panes.late().sink("late");
            panes.map(out).sink("out");
        }
        other => panic!("there is no graph {other}"),
    }
}

fn copied<D: Record>(flow: &Flow<'_>) {
    flow.source::<D>("in").sink("out");
}

fn out(pane: Pane<String, (u64, i64)>) -> Out {
    let (time, (n, total)) = (pane.time(), pane.value);
    Out { start: pane.window.start, end: pane.window.end, time, n, total, key: pane.key }
}
