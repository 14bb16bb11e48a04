//! The last words of a run that ended, by source, sink and step.

use crate::Duration;
use crate::checkpoint::CommitKind;
use crate::cli::figures::{bytes, grouped, length, plural, rate};
use crate::job::{Metrics, Plan};

/// The last words.
pub(crate) fn summary(plan: &Plan, metrics: &Metrics, elapsed: Duration) -> String {
    let snapshot = metrics.snapshot();
    let mut lines = Vec::new();
    for source in &plan.sources {
        let name = &source.name;
        let read = snapshot.source(name);
        let bad = if read.bad == 0 { String::new() } else { format!(", {} bad", grouped(read.bad)) };
        lines.push(format!("  {name}: {} read{bad} ({})", plural(read.rows, "row"), rate(read.rows, elapsed)));
    }
    for (name, step) in snapshot.steps.iter().filter(|(_, step)| step.late > 0) {
        lines.push(format!("  {name}: {} late", plural(step.late, "record")));
    }
    for (name, step) in snapshot.steps.iter().filter(|(_, step)| step.in_no_window > 0) {
        lines.push(format!("  {name}: {} in no window", plural(step.in_no_window, "record")));
    }
    for (name, sink) in &snapshot.sinks {
        lines.push(format!("  {name}: {} written", plural(sink.rows, "row")));
    }
    // What a job keeps whose input has ended is of no use any more.
    let last = snapshot.checkpoints.last;
    if last.is_some_and(|last| last.kind != CommitKind::Ended) {
        let steps = snapshot.steps.iter().map(|(name, step)| (name.clone(), step.state_bytes));
        let sinks = snapshot.sinks.iter().map(|(name, sink)| (format!("sink {name}"), sink.state_bytes));
        for (name, kept) in steps.chain(sinks).filter(|(_, kept)| *kept > 0) {
            lines.push(format!("  {name}: {} of state", bytes(kept)));
        }
    }
    if let Some(last) = last {
        let taken = plural(snapshot.checkpoints.commits, "checkpoint");
        lines.push(format!("  {taken}, the last of epoch {} ({})", last.epoch, bytes(last.bytes)));
    }
    match snapshot.restarts.count {
        0 => {}
        count => lines.push(format!("  {}", plural(count, "restart"))),
    }
    format!("{}\n{}\n", length(elapsed), lines.join("\n"))
}
