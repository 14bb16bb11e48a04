//! `plan`: what a run would read, as a table for people.

use std::fmt::Write as _;

use super::figures::{bytes, grouped, plural};
use crate::Partition;
use crate::job::{Plan, SourcePlan, TablePlan};

/// How wide the first column is, at least.
const WIDTH: usize = 12;

/// The table: a paragraph for each source and each table of the graph, and one for the windows.
pub(super) fn table(plan: &Plan) -> String {
    let mut table: String = plan.sources.iter().map(paragraph).collect();
    table.extend(plan.tables.iter().map(whole));
    let windows = plan.open_windows();
    if windows.is_empty() {
        return table;
    }
    table.push_str("windows held open at once\n");
    let width = windows.iter().map(|windows| windows.step.chars().count()).max().unwrap_or(0).max(WIDTH);
    for windows in windows {
        let at_most = match windows.at_most {
            Some(at_most) => format!("{} at most", grouped(at_most)),
            None => "all until the input ends: the source does not know its event times; set `disorder`".to_string(),
        };
        writeln!(table, "  {:width$}  {at_most} ({})", windows.step, windows.detail).expect("a string takes all");
    }
    table
}

fn paragraph(source: &SourcePlan) -> String {
    let listing = &source.listing;
    let live = source.live().count();
    let history = listing.partitions.len() - live;
    let mut paragraph = format!("source {} = {}\n", source.name, source.binding);
    let mut line = |what: &str, text: &str| {
        writeln!(paragraph, "  {what:WIDTH$}  {text}").expect("a string takes all");
    };
    if history > 0 || live == 0 || !listing.pruned.is_empty() {
        let (read, pruned) = (grouped(history as u64), grouped(listing.pruned.len() as u64));
        line(source.noun, &format!("{read} to read, {pruned} pruned by time"));
        line("open at once", &format!("{} at most", grouped(source.open_at_once() as u64)));
        let bounded = listing.partitions.iter().filter(|partition| !partition.followed);
        line("to read", &size(bounded));
    }
    if let Some((first, last)) = source.history() {
        line("history", &format!("{first} to {last}"));
    }
    if live > 0 {
        line("live", &format!("{}, {}", plural(live as u64, "partition"), live_begins(source)));
    }
    for note in &listing.notes {
        line("note", note);
    }
    paragraph
}

/// The paragraph of a table, which is read whole before the first event.
fn whole(table: &TablePlan) -> String {
    let (name, binding, partitions) = (&table.name, &table.binding, &table.listing.partitions);
    let (count, size) = (grouped(partitions.len() as u64), size(partitions.iter()));
    let mut paragraph = format!("table {name} = {binding}\n");
    let mut line = |what: &str, text: &str| {
        writeln!(paragraph, "  {what:WIDTH$}  {text}").expect("a string takes all");
    };
    line(table.noun, &format!("{count} to read before the first event"));
    line("to read", &size);
    table.listing.notes.iter().for_each(|note| line("note", note));
    paragraph
}

/// Rows and bytes, as far as the partitions know them.
fn size<'a>(bounded: impl Iterator<Item = &'a Partition> + Clone) -> String {
    let mut parts = Vec::new();
    if let Some(rows) = bounded.clone().map(|partition| partition.rows).sum() {
        parts.push(plural(rows, "row"));
    }
    if let Some(sum) = bounded.map(|partition| partition.bytes).sum() {
        parts.push(bytes(sum));
    }
    if parts.is_empty() { "not known before it is read".to_string() } else { parts.join(", ") }
}

/// Where the live part takes over.
fn live_begins(source: &SourcePlan) -> String {
    let seam = source.live().filter_map(|partition| partition.bound).min();
    match seam {
        Some(seam) => format!("begins at {seam}"),
        None if source.live().any(|partition| partition.start.is_some()) => {
            "begins at the offsets where the history ends".to_string()
        }
        None => "begins with what is there".to_string(),
    }
}
