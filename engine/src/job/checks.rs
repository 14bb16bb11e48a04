//! What a job resumes from, compared with what it reads, keeps and writes now: whatever would be lost, doubled or
//! mistaken is refused by name before anything is read.
//!
//! - **The same words.** The basis of each source, step and sink is that of the commit, or it allows the change itself.
//! - **The same inputs.** What was listed and not read to its end is still there, and what was read has not changed.
//! - **New inputs come late.** A partition that was not listed then counts from the watermark that its source had.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkpoint::{Commit, CommitKind, SourceCut};
use crate::commit::{Joined, Told, others};
use crate::connector::{Basis, Change};
use crate::flow::{BoundSink, BoundSource, Graph, NewFiles};
use crate::{Code, Error, EventTime, Partition, PartitionId, Result};

/// The one part of a table, as a commit records it.
pub(super) const TABLE: &str = "table";

/// The bases of the sources and of the steps of a graph.
pub(super) fn bases(graph: &Graph, sources: &BTreeMap<String, BoundSource>) -> BTreeMap<String, Basis> {
    let steps = graph.nodes().iter().filter(|node| node.spec.stateful);
    let steps = steps.map(|node| (format!("step {}", node.spec.label()), node.spec.basis()));
    sources.iter().map(|(name, bound)| (format!("source {name}"), basis_of(bound))).chain(steps).collect()
}

/// What the offsets of a source stand on: what the connector says, and which rows are wanted.
fn basis_of(bound: &BoundSource) -> Basis {
    let time = |time: Option<EventTime>| time.map_or("not set".to_string(), |time| time.to_string());
    let scan = &bound.scan;
    let column = scan.schema.field_with_name(&scan.event_time).ok();
    let metadata: BTreeMap<_, _> = column.iter().flat_map(|field| field.metadata()).collect();
    let metadata = metadata.iter().map(|(option, value)| format!(", {option} {value}")).collect::<String>();
    let basis = bound.source.basis().with("event time", format!("{}{metadata}", scan.event_time));
    basis.with("from", time(scan.from)).with("to", time(scan.to)).with("until", time(bound.until))
}

/// Compares the sources as a commit has them with the present ones.
pub(super) fn check_sources(commit: &Commit, sources: &BTreeMap<String, BoundSource>) -> Result<()> {
    for (name, bound) in sources {
        let Some(cut) = commit.sources.get(name) else { continue };
        let place = |error: Error| error.at(format_args!("source {name}"));
        check_basis(commit, name, bound, cut).map_err(place)?;
        check_partitions(commit, name, bound, cut)?;
        check_ended(name, bound, cut)?;
    }
    Ok(())
}

/// Refuses offsets that would mean something else, or rows that would be chosen by other bounds than those before them.
fn check_basis(commit: &Commit, name: &str, bound: &BoundSource, cut: &SourceCut) -> Result<()> {
    let Some(before) = commit.bases.get(&format!("source {name}")) else { return Ok(()) };
    // A source whose rows were not begun may begin under any words.
    if cut.partitions.values().all(|cut| cut.offset.is_none() && !cut.ended) {
        return Ok(());
    }
    let taken = |change: &Change| match change.option.as_str() {
        // An end that was not set before has left nothing out.
        "until" => change.before.as_deref() == Some("not set"),
        "from" | "to" | "event time" => false,
        _ => bound.source.takes(change),
    };
    let changes = before.without_dashes().changes(&basis_of(bound)).into_iter().filter(|change| !taken(change));
    refuse(commit, changes, || {
        format!(
            "{} was read so far by these words, and what follows would be read by others; likely mistake: an option that \
             was not there at the first start. Say what was said then; or start from the beginning, with a new place for \
             checkpoints and for the output",
            bound.source.describe()
        )
    })
}

/// Refuses a sink that would finish what is staged in another way than it was begun.
pub(super) fn check_sink(commit: &Commit, name: &str, bound: &BoundSink, now: &Basis) -> Result<()> {
    let Some(before) = commit.bases.get(&format!("sink {name}")) else { return Ok(()) };
    let staged = commit.sinks.get(name).into_iter().flatten();
    let staged = staged.filter_map(|cut| cut.prepared.last()).any(|prepared| !prepared.bytes.is_empty());
    let refused = before.changes(now).into_iter().filter(|change| !bound.sink.takes(change, staged));
    refuse(commit, refused, || {
        format!(
            "{} has output that was begun under these words and is not finished. Say what was said then, and change it \
             when the job has ended; or write to a new place, from the beginning and with a new place for checkpoints",
            bound.sink.describe()
        )
    })
    .map_err(|error| error.at(format_args!("sink {name}")))
}

fn refuse(commit: &Commit, changes: impl Iterator<Item = Change>, advice: impl Fn() -> String) -> Result<()> {
    let changes: Vec<_> = changes.map(|change| change.to_string()).collect();
    match changes.is_empty() {
        true => Ok(()),
        false => Err(Code::OtherWords.error(format!(
            "since the checkpoint of epoch {} {}: {}",
            commit.epoch,
            changes.join(", "),
            advice()
        ))),
    }
}

/// What a commit had of a source or a table that a job needs again when it resumes from there, in words.
pub(super) fn was_there(commit: &Commit, name: &str) -> Option<String> {
    if let Some(table) = read_table(commit, name) {
        let rows = table.partitions.values().map(|cut| cut.rows).sum::<u64>();
        return Some(format!("the table was {} and had {rows} rows", table.binding));
    }
    is_unfinished(commit, name).then(|| "it was there".to_string())
}

/// What a commit records of a table, unless the input had ended with it: then no row meets the table any more.
fn read_table<'a>(commit: &'a Commit, name: &str) -> Option<&'a SourceCut> {
    let cut = commit.sources.get(name).filter(|_| commit.kind != CommitKind::Ended)?;
    // A source has listed its partitions; a table has a single one, which nobody lists.
    let is_table = !commit.listed.contains_key(name) && cut.partitions.keys().eq([&PartitionId(TABLE.to_string())]);
    is_table.then_some(cut)
}

/// Whether a job that resumes from a commit reads on in a source: part of it was not read, or not to its end.
pub(super) fn is_unfinished(commit: &Commit, source: &str) -> bool {
    let cut = commit.sources.get(source);
    let begun = |id: &PartitionId| cut.is_some_and(|cut| cut.partitions.contains_key(id));
    let mut listed = commit.listed.get(source).into_iter().flatten();
    commit.kind != CommitKind::Ended
        && (cut.is_some_and(|cut| cut.partitions.values().any(|cut| !cut.ended)) || listed.any(|id| !begun(id)))
}

/// Refuses a source of which a part is gone that had not been read to its end.
fn check_partitions(commit: &Commit, name: &str, bound: &BoundSource, cut: &SourceCut) -> Result<()> {
    let there =
        |id: &PartitionId| bound.listing.partitions.iter().chain(&bound.listing.pruned).any(|there| there.id == *id);
    let (now, then) = (bound.source.describe(), &cut.binding);
    if let Some((id, gone)) = cut.partitions.iter().find(|(id, cut)| !cut.ended && !there(id)) {
        return Err(Code::SourceGap.error(format!(
            "source {name}: {id} was read up to offset {} and is gone; the source is {now}, and was {then}",
            gone.offset.clone().unwrap_or_default(),
        )));
    }
    let listed = commit.listed.get(name).into_iter().flatten();
    let gone: Vec<_> = listed.filter(|id| !cut.partitions.contains_key(id) && !there(id)).collect();
    match gone.first() {
        None => Ok(()),
        Some(first) => Err(Code::SourceGap.error(format!(
            "source {name}: {first} was there when the job started, was not read yet and is gone{}; the \
             source is {now}, and was {then}; was it moved or deleted while the job was down? Put it back to go on",
            if gone.len() > 1 { format!(", and so are {} others", gone.len() - 1) } else { String::new() },
        ))),
    }
}

/// Refuses a source where a part that was read to its end has changed while the rest is still to be read: half of it
/// would be old and half new.
fn check_ended(name: &str, bound: &BoundSource, cut: &SourceCut) -> Result<()> {
    let ended = |partition: &&Partition| cut.partitions.get(&partition.id).is_some_and(|cut| cut.ended);
    let listed = &bound.listing.partitions;
    if listed.iter().all(|partition| ended(&partition)) {
        return Ok(()); // nothing of it is read any more
    }
    for partition in listed.iter().filter(ended) {
        let offset = cut.partitions[&partition.id].offset.as_ref();
        if let Err(error) = bound.source.open(partition, offset, &bound.scan) {
            return Err(error.at(format_args!("source {name}: {}", partition.id)).coded(Code::SourceGap));
        }
    }
    Ok(())
}

/// Refuses a table that has changed: some events would have met the old rows and some the new ones.
pub(super) fn check_table(commit: &Commit, name: &str, now: &SourceCut) -> Result<()> {
    let Some(before) = commit.sources.get(name).filter(|before| before.partitions != now.partitions) else {
        return Ok(());
    };
    let rows = |cut: &SourceCut| cut.partitions.values().map(|cut| cut.rows).sum::<u64>();
    Err(Code::TableChanged.error(format!(
        "table {name}: it is not what it was when the job started: {} had {} rows, and {} has {}, or \
         the same number of others; was a file edited, or a column added to the record? Put back what was there; or \
         start from the beginning, with a new place for checkpoints, to use the new rows",
        before.binding,
        rows(before),
        now.binding,
        rows(now),
    )))
}

/// The partitions that have come since the commit, by source.
///
/// # Errors
/// Where a source refuses them, and they may hold what lies behind the watermark that it had.
pub(super) fn joined(commit: &Commit, sources: &BTreeMap<String, BoundSource>) -> Result<BTreeMap<String, Joined>> {
    let mut all = BTreeMap::new();
    for (name, bound) in sources {
        let (Some(cut), Some(listed)) = (commit.sources.get(name), commit.listed.get(name)) else { continue };
        let known =
            |partition: &&Partition| listed.contains(&partition.id) || cut.partitions.contains_key(&partition.id);
        let new: Vec<_> = bound.listing.partitions.iter().filter(|partition| !known(partition)).collect();
        if new.is_empty() {
            continue;
        }
        let watermark = watermark_of(commit, bound, cut, listed);
        let behind = new.iter().find(|partition| partition.bound.is_none_or(|bound| bound < watermark));
        if let Some(behind) = behind.filter(|_| bound.options.new_files == Some(NewFiles::Fail)) {
            return Err(Code::SourceNew.error(format!(
                "source {name}: {} has come since the checkpoint of epoch {}{}, and may hold events before {}, \
                 which the source had reached; new files are refused by `new_files=fail`: take it away, or let such \
                 events be late (`new_files=late`)",
                behind.id,
                commit.epoch,
                others(new.len() - 1),
                Told(watermark)
            )));
        }
        let partitions = new.into_iter().map(|partition| partition.id.clone()).collect();
        all.insert(name.clone(), Joined { partitions, watermark });
    }
    Ok(all)
}

/// The watermark that a source had at a commit; it has promised to send nothing more below it.
fn watermark_of(commit: &Commit, bound: &BoundSource, cut: &SourceCut, listed: &BTreeSet<PartitionId>) -> EventTime {
    if commit.kind == CommitKind::Ended {
        return EventTime::MAX;
    }
    let read = cut.partitions.values().filter(|cut| !cut.ended).map(|cut| cut.floor);
    let unread = bound.listing.partitions.iter();
    let unread = unread.filter(|there| listed.contains(&there.id) && !cut.partitions.contains_key(&there.id));
    read.chain(unread.map(|there| there.bound.unwrap_or(EventTime::MIN))).min().unwrap_or(EventTime::MAX)
}
