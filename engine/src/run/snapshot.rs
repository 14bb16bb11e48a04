//! The metrics of a job at one moment, as plain data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::metrics::{LastCheckpoint, Restarts, Retries};
use super::standstill::{Limit, Standstill};
use crate::{Duration, Epoch, EventTime, PartitionId};

/// What a job had counted at one moment, by the names of its graph.
///
/// Sources, steps, sinks and the program's own counters each have their own names: a step and a sink of one name share
/// nothing. Counts continue over the restarts of a job, so what is read again is counted again. With several processes,
/// each knows what its own workers have counted.
///
/// ```
/// # use dualgauge_engine::job::Metrics;
/// let snapshot = Metrics::default().snapshot();
/// assert_eq!(snapshot.source("bids").rows, 0); // of a name that nothing has, all is zero
/// assert!(!snapshot.sources.contains_key("bids"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// When it was taken, by the clock of the job.
    pub taken: EventTime,
    /// The sources.
    pub sources: BTreeMap<String, SourceMetrics>,
    /// The steps that have a durable name.
    pub steps: BTreeMap<String, StepMetrics>,
    /// The sinks, and among them those for bad records.
    pub sinks: BTreeMap<String, SinkMetrics>,
    /// What was made durable.
    pub checkpoints: CheckpointMetrics,
    /// The workers of this process, by their index among all.
    pub workers: BTreeMap<usize, WorkerMetrics>,
    /// The source that is furthest behind in event time, so that the others' watermark waits for it; none where all have
    /// ended, or none has read anything yet.
    pub watermark_holder: Option<WatermarkHolder>,
    /// What holds the sources back, where something has for a third of a second or longer: separately on each worker.
    pub standstills: Vec<Standstill>,
    /// How often the job was started again, and why.
    pub restarts: Restarts,
    /// How often the machine refused something that is retried, and why.
    pub retries: Retries,
    /// What a person should know that the run has met since its start, a sentence each.
    pub notes: Vec<String>,
    /// What the program and its operators count themselves, by [`Flow::counter`](crate::Flow::counter): by name, and by what
    /// is counted.
    pub counters: BTreeMap<String, BTreeMap<String, u64>>,
}

/// What a source has counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SourceMetrics {
    /// Rows that were read, including the bad ones that could be read at all.
    pub rows: u64,
    /// Records that were left out: their reader, their record or their event time refused them.
    pub bad: u64,
    /// Records that the source gave again, and that were not taken again.
    pub repeated: u64,
    /// Partitions that have come while it ran, and were not read by that start.
    pub unread: u64,
    /// How often a partition fell idle.
    pub fell_idle: u64,
    /// The watermark: [`EventTime::MIN`] before the first row, [`EventTime::MAX`] at the end of input.
    pub watermark: EventTime,
    /// How far the watermark is behind the clock of the job, while it is at an instant.
    pub lag: Option<Duration>,
    /// How far each partition that is being read has been read, in the measure of its source: rows, or bytes.
    pub positions: BTreeMap<PartitionId, u64>,
}

/// What a step has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepMetrics {
    /// Records that came in, over all its inputs; one that every worker gets counts once.
    pub records_in: u64,
    /// Records that it gave out, without the late ones. The several rows of one window (`top_n`) are given out as one.
    pub records_out: u64,
    /// Records that came too late for it.
    pub late: u64,
    /// Records that lay between its windows, where sliding windows leave gaps. They are not late.
    #[serde(default)]
    pub in_no_window: u64,
    /// Bytes of state in the newest checkpoint: what is held, and what was replaced and is not merged away yet. With
    /// several processes, the first one knows.
    pub state_bytes: u64,
}

/// What a sink has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SinkMetrics {
    /// Rows that were written.
    pub rows: u64,
    /// How often the machine refused to write, and the write was retried.
    pub retries: u64,
    /// Rows that waited for the watermark when the newest checkpoint was taken. They are in it.
    pub waiting: u64,
    /// Bytes of those rows. With several processes, the first one knows.
    pub state_bytes: u64,
}

/// What was made durable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckpointMetrics {
    /// How many checkpoints were committed, over all starts. With several processes, the first one knows.
    pub commits: u64,
    /// How often the store refused something that is retried.
    pub retries: u64,
    /// The newest one, committed in this run or before it.
    pub last: Option<LastCheckpoint>,
    /// The epoch of the newest savepoint of this run.
    pub savepoint: Option<Epoch>,
}

/// What one worker has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerMetrics {
    /// Rows that it read.
    pub rows_read: u64,
    /// Records that its part of the steps took.
    pub records_in: u64,
    /// Rows that it wrote to sinks.
    pub rows_written: u64,
}

/// The source for which the watermark waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WatermarkHolder {
    /// The source.
    pub source: String,
    /// Where it holds the watermark.
    pub watermark: EventTime,
    /// The partition that is silent, if that is the reason.
    pub partition: Option<PartitionId>,
    /// Since when it has been silent, by the clock of the job, if that is the reason.
    pub silent_since: Option<EventTime>,
}

/// Nothing was read, and nothing is known of the watermark.
impl Default for SourceMetrics {
    fn default() -> SourceMetrics {
        SourceMetrics {
            rows: 0,
            bad: 0,
            repeated: 0,
            unread: 0,
            fell_idle: 0,
            watermark: EventTime::MIN,
            lag: None,
            positions: BTreeMap::new(),
        }
    }
}

impl Snapshot {
    /// The source `name`; all zero if there is none of that name, or none that has started.
    pub fn source(&self, name: &str) -> SourceMetrics {
        self.sources.get(name).cloned().unwrap_or_default()
    }

    /// The step `name`; all zero if there is none.
    pub fn step(&self, name: &str) -> StepMetrics {
        self.steps.get(name).cloned().unwrap_or_default()
    }

    /// The sink `name`; all zero if there is none.
    pub fn sink(&self, name: &str) -> SinkMetrics {
        self.sinks.get(name).cloned().unwrap_or_default()
    }

    /// Rows that were read, over all sources.
    pub fn rows_read(&self) -> u64 {
        self.sources.values().map(|source| source.rows).sum()
    }

    /// Rows that were written, over all sinks.
    pub fn rows_written(&self) -> u64 {
        self.sinks.values().map(|sink| sink.rows).sum()
    }

    /// Records that were left out as bad, over all sources.
    pub fn bad(&self) -> u64 {
        self.sources.values().map(|source| source.bad).sum()
    }

    /// Records that were given again and not taken again, over all sources.
    pub fn repeated(&self) -> u64 {
        self.sources.values().map(|source| source.repeated).sum()
    }

    /// Late records, over all steps. One that is late for two steps counts twice.
    pub fn late(&self) -> u64 {
        self.steps.values().map(|step| step.late).sum()
    }

    /// Records that lay between the windows of a step, over all steps.
    pub fn in_no_window(&self) -> u64 {
        self.steps.values().map(|step| step.in_no_window).sum()
    }

    /// The least watermark of all sources: [`EventTime::MAX`] when all have ended, [`EventTime::MIN`] where there is none.
    pub fn watermark(&self) -> EventTime {
        self.sources.values().map(|source| source.watermark).min().unwrap_or(EventTime::MIN)
    }
}

/// Who holds the watermark of `sources`: of two at the same place the silent one.
pub(super) fn watermark_holder(
    sources: &BTreeMap<String, SourceMetrics>,
    standstills: &[Standstill],
) -> Option<WatermarkHolder> {
    let least = sources.values().map(|source| source.watermark).min()?;
    let none_has_begun = || sources.values().all(|source| source.watermark == least && source.rows == 0);
    if least == EventTime::MAX || least == EventTime::MIN && none_has_begun() {
        return None;
    }
    // What is silent further ahead holds nothing back.
    let silence = |name: &str| {
        let silent = standstills.iter().filter(|standing| standing.source == name);
        let silent = silent.filter_map(|standing| match &standing.limit {
            Limit::Silent { partition, watermark, .. } if *watermark <= least => {
                Some((standing.since, Some(partition.clone())))
            }
            Limit::AllIdle { watermark } if *watermark <= least => Some((standing.since, None)),
            _ => None,
        });
        silent.min()
    };
    let held = sources.iter().filter(|(_, source)| source.watermark == least).map(|(name, _)| (silence(name), name));
    let (silence, source) = held.min_by_key(|(silence, name)| (silence.is_none(), silence.clone(), *name))?;
    let (silent_since, partition) = silence.map_or((None, None), |(since, partition)| (Some(since), partition));
    Some(WatermarkHolder { source: source.clone(), watermark: least, partition, silent_since })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Durations;

    fn at(seconds: i64) -> EventTime {
        EventTime::default() + seconds.seconds()
    }

    fn sources(watermarks: &[(&str, EventTime)]) -> BTreeMap<String, SourceMetrics> {
        let source = |watermark| SourceMetrics { watermark, ..SourceMetrics::default() };
        watermarks.iter().map(|(name, watermark)| (name.to_string(), source(*watermark))).collect()
    }

    #[test]
    fn the_source_that_is_furthest_behind_holds_the_watermark() {
        let (low, end, none) = (EventTime::MIN, EventTime::MAX, &[]);
        let who = |watermarks: &[_]| watermark_holder(&sources(watermarks), none).map(|holder| holder.source);
        assert_eq!(who(&[]), None);
        assert_eq!(who(&[("bids", low), ("rules", low)]), None, "nothing is read yet");
        assert_eq!(who(&[("bids", end), ("rules", end)]), None, "all is read");
        let mut begun = sources(&[("bids", low)]);
        begun.get_mut("bids").unwrap().rows = 1;
        assert_eq!(watermark_holder(&begun, none).unwrap().source, "bids", "a partition of it has given nothing yet");
        assert_eq!(who(&[("bids", at(5)), ("rules", at(3))]).as_deref(), Some("rules"));
        assert_eq!(who(&[("bids", at(5)), ("rules", low)]).as_deref(), Some("rules"), "it has not begun");
        assert_eq!(who(&[("bids", at(5)), ("rules", end)]).as_deref(), Some("bids"), "who has ended holds nothing");
    }

    #[test]
    fn a_silent_partition_is_named_with_the_moment_since_when() {
        let partition = PartitionId("p1".into());
        let limit = Limit::Silent { partition: partition.clone(), watermark: at(3), idle_after: None };
        let silent = Standstill { source: "rules".into(), limit, since: at(60) };
        let busy = Standstill { source: "bids".into(), limit: Limit::Checkpoint, since: at(50) };
        let all = sources(&[("bids", at(3)), ("rules", at(3))]);
        let holder = watermark_holder(&all, &[busy, silent]).unwrap();
        assert_eq!((holder.source.as_str(), holder.watermark), ("rules", at(3)));
        assert_eq!((holder.partition, holder.silent_since), (Some(partition), Some(at(60))));
        assert_eq!(watermark_holder(&all, &[]).unwrap().source, "bids", "of two alike the first");
        let limit = Limit::Silent { partition: PartitionId("p2".into()), watermark: at(9), idle_after: None };
        let ahead = Standstill { source: "rules".into(), limit, since: at(60) };
        let holder = watermark_holder(&all, &[ahead]).unwrap();
        assert_eq!(
            (holder.source.as_str(), holder.partition),
            ("bids", None),
            "what is silent further ahead holds nothing"
        );
    }
}
