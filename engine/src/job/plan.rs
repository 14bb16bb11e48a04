//! What a run would read, without reading it.

use std::fmt;

use crate::{EventTime, Listing};

/// What a run would read.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The sources, in the order of the graph.
    pub sources: Vec<SourcePlan>,
}

/// What a run would read from one source.
#[derive(Clone, Debug)]
pub struct SourcePlan {
    /// Its name in the graph.
    pub name: String,
    /// What stands behind it.
    pub binding: String,
    /// Its partitions, read and pruned, and what is to be said about them.
    pub listing: Listing,
}

impl SourcePlan {
    /// The most bounded partitions whose event times overlap at one instant: how many are open at once.
    pub fn open_at_once(&self) -> usize {
        let bounded = self.listing.partitions.iter().filter(|partition| !partition.followed);
        let spans = bounded.filter_map(|partition| Some((partition.bound?, partition.upper?)));
        // An end at an instant frees its place before a start at the same instant takes one.
        let mut edges: Vec<_> = spans.flat_map(|(start, end)| [(start, 1), (end, -1)]).collect();
        edges.sort_unstable_by_key(|&(time, change)| (time, change));
        let (mut open, mut most) = (0_i64, 0_i64);
        for (_, change) in edges {
            open += change;
            most = most.max(open);
        }
        most.max(i64::from(!self.listing.partitions.is_empty())) as usize
    }

    /// The first and the last event time of the history, where the source knows them.
    pub fn history(&self) -> Option<(EventTime, EventTime)> {
        let bounded = || self.listing.partitions.iter().filter(|partition| !partition.followed);
        Some((
            bounded().filter_map(|partition| partition.bound).min()?,
            bounded().filter_map(|partition| partition.upper).max()?,
        ))
    }

    /// The sum of what is known of the partitions to read: rows and bytes.
    pub fn size(&self) -> (u64, u64) {
        let partitions = &self.listing.partitions;
        (partitions.iter().filter_map(|p| p.rows).sum(), partitions.iter().filter_map(|p| p.bytes).sum())
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for source in &self.sources {
            let (rows, bytes) = source.size();
            let (read, pruned) = (source.listing.partitions.len(), source.listing.pruned.len());
            let live = source.listing.partitions.iter().filter(|partition| partition.followed).count();
            writeln!(f, "source {} = {}", source.name, source.binding)?;
            writeln!(f, "  partitions     {read} to read, {pruned} pruned, {} open at once", source.open_at_once())?;
            writeln!(f, "  to read        {rows} rows, {bytes} bytes")?;
            if let Some((first, last)) = source.history() {
                writeln!(f, "  history        {first} to {last}")?;
            }
            if live > 0 {
                let start = source.listing.partitions.iter().find(|partition| partition.followed);
                let seam = start.and_then(|partition| partition.bound);
                let from = seam.map_or("its start".to_string(), |seam| seam.to_string());
                writeln!(f, "  live           {live} partitions, from {from}")?;
            }
            for note in &source.listing.notes {
                writeln!(f, "  note           {note}")?;
            }
        }
        Ok(())
    }
}
