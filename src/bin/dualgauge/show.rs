//! `dualgauge checkpoint show`: one checkpoint, in words.

use std::sync::Arc;

use dualgauge::Result;
use dualgauge::checkpoint::{Commit, SourceCut, StateReader, Store};

use crate::place::{count, word};

pub(crate) fn show(store: &Arc<dyn Store>, number: usize, commit: &Commit) -> Result<()> {
    let bytes = commit.layers().map(|layer| layer.size).sum();
    println!("{} of epoch {}, taken {}", word(commit.kind), commit.epoch, commit.taken);
    println!("entry {number}, by generation {}", commit.generation);
    println!("{} of state, {}", count(commit.layers().count() as u64, "layer"), count(bytes, "byte"));
    println!("\nsources");
    commit.sources.iter().for_each(|(name, cut)| show_source(name, cut));
    println!("\nsinks");
    for (name, buckets) in &commit.sinks {
        println!("  {name}");
        for bucket in buckets {
            let bytes = bucket.prepared.iter().map(|prepared| prepared.bytes.len() as u64).sum();
            println!("    bucket {}: {} prepared", bucket.bucket, count(bytes, "byte"));
        }
    }
    println!("\nsteps");
    show_steps(store, commit)
}

fn show_source(name: &str, cut: &SourceCut) {
    println!("  {name}: {}", cut.binding);
    for (partition, cut) in &cut.partitions {
        let offset = cut.offset.as_ref().map_or("at its start".to_string(), |offset| format!("offset {offset}"));
        let mut line = format!("    {partition}: {offset}, {}", count(cut.rows, "row"));
        if cut.rows > 0 {
            line += &format!(", up to {}", cut.largest);
        }
        println!("{line}{}", if cut.ended { ", ended" } else { "" });
    }
}

fn show_steps(store: &Arc<dyn Store>, commit: &Commit) -> Result<()> {
    let reader = StateReader::open(store, commit);
    let stored = reader.as_ref().map(StateReader::bytes).unwrap_or_default();
    for step in &commit.steps {
        match stored.get(&step.name) {
            Some(bytes) => println!("  {}: {} in the layers", step.name, count(*bytes, "byte")),
            None => println!("  {}", step.name),
        }
        for (part, shape) in &step.parts {
            print!("    {part}: {shape}");
            if let Ok(reader) = &reader {
                let (mut entries, mut bytes) = (0, 0);
                reader.entries(&step.name, part, &mut |_, key, value| {
                    entries += 1;
                    bytes += (key.len() + value.len()) as u64;
                    Ok(())
                })?;
                print!(": {}, {}", count(entries, "entry"), count(bytes, "byte"));
            }
            println!();
        }
    }
    // Sources and steps are told even where the state is gone.
    reader.map(|_| ()).map_err(|error| error.with_note("were its layers collected? `checkpoint verify` says so"))
}
