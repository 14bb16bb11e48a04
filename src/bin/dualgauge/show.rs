//! `dualgauge checkpoint show`: one checkpoint, in words.

use std::sync::Arc;

use dualgauge::Result;
use dualgauge::checkpoint::{Commit, SourceCut, StateReader, Store};

use crate::place::{count, word};

/// Writes what the checkpoint holds to `out`.
///
/// # Errors
/// When the state cannot be read; the rest is still written.
pub(crate) fn show(out: &mut String, store: &Arc<dyn Store>, number: u64, commit: &Commit) -> Result<()> {
    let bytes = commit.layers().map(|layer| layer.size).sum();
    *out += &format!("{} of epoch {}, taken {}\n", word(commit.kind), commit.epoch, commit.taken);
    *out += &format!("entry {number}, by generation {}\n", commit.generation);
    let layers = count(commit.layers().count() as u64, "layer");
    *out += &format!("{layers} of state, {}\n\nsources\n", count(bytes, "byte"));
    commit.sources.iter().for_each(|(name, cut)| show_source(out, name, cut));
    *out += "\nsinks\n";
    for (name, buckets) in &commit.sinks {
        *out += &format!("  {name}\n");
        for bucket in buckets {
            let bytes = bucket.prepared.iter().map(|prepared| prepared.bytes.len() as u64).sum();
            *out += &format!("    bucket {}: {} prepared\n", bucket.bucket, count(bytes, "byte"));
        }
    }
    *out += "\nsteps\n";
    show_steps(out, store, commit)
}

fn show_source(out: &mut String, name: &str, cut: &SourceCut) {
    *out += &format!("  {name}: {}\n", cut.binding);
    for (partition, cut) in &cut.partitions {
        let offset = cut.offset.as_ref().map_or("at its start".to_string(), |offset| format!("offset {offset}"));
        *out += &format!("    {partition}: {offset}, {}", count(cut.rows, "row"));
        if cut.rows > 0 {
            *out += &format!(", up to {}", cut.largest);
        }
        *out += if cut.ended { ", ended\n" } else { "\n" };
    }
}

fn show_steps(out: &mut String, store: &Arc<dyn Store>, commit: &Commit) -> Result<()> {
    let reader = StateReader::open(store, commit);
    let stored = reader.as_ref().map(StateReader::bytes).unwrap_or_default();
    for step in &commit.steps {
        *out += &match stored.get(&step.name) {
            Some(bytes) => format!("  {}: {} in the layers\n", step.name, count(*bytes, "byte")),
            None => format!("  {}\n", step.name),
        };
        for (part, shape) in &step.parts {
            *out += &format!("    {part}: {shape}");
            if let Ok(reader) = &reader {
                let (mut entries, mut bytes) = (0, 0);
                reader.entries(&step.name, part, &mut |_, key, value| {
                    entries += 1;
                    bytes += (key.len() + value.len()) as u64;
                    Ok(())
                })?;
                *out += &format!(": {}, {}", count(entries, "entry"), count(bytes, "byte"));
            }
            out.push('\n');
        }
    }
    reader.map(drop)
}
