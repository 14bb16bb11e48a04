//! The contract of a sink against sinks that break it: each fault is found, under its rule and at a verb that has to do with it.
//!
//! Would catch: a contract that every sink passes.

mod fenced;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use dualgauge_engine::arrow::{RecordBatch, SchemaRef};
use dualgauge_engine::sink::BucketCut;
use dualgauge_engine::testing::{Item, Rule, SinkPlace, sink_contract};
use dualgauge_engine::{
    Claim, Epoch, Error, Event, EventTime, Prepared, Record, Result, Since, Sink, SinkWriter, Writing,
};

/// What is wrong with a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Nothing,
    SeenWhenWritten,
    SeenWhenPrepared,
    EmptyEpochRefused,
    OwnPlaceRefused,
    RepeatedCommitAdds,
    RecoveryForgets,
    RecoveryPublishesOrphans,
    CommitReplaces,
    BackwardRows,
    EndLeavesNothing,
    NamesWithoutGeneration,
    ElderPublishes,
    KnowsNothingOfLater,
    TakesBackTooLittle,
}

/// What outlives a crash.
#[derive(Default)]
struct Stored {
    staged: BTreeMap<String, Vec<Item>>,
    seen: Vec<(usize, Epoch, Vec<Item>)>,
    exists: bool,
    /// The generation that has claimed it last.
    claimed: Option<u64>,
}

#[derive(Clone)]
struct Shelf {
    fault: Fault,
    stored: Arc<Mutex<Stored>>,
}

struct Bucket {
    shelf: Shelf,
    bucket: usize,
    generation: u64,
    durable: bool,
    written: Vec<Event<Item>>,
}

impl Shelf {
    fn new(fault: Fault) -> Shelf {
        Shelf { fault, stored: Arc::default() }
    }

    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap()
    }
}

impl Sink for Shelf {
    fn describe(&self) -> String {
        "shelf".to_string()
    }

    fn check(&self, _: &SchemaRef, _: &Writing) -> Result<()> {
        match self.fault == Fault::OwnPlaceRefused && self.stored().claimed.is_some() {
            true => Err(Error::usage("somebody else writes here")),
            false => Ok(()),
        }
    }

    fn claim(&self, _: &SchemaRef, writing: &Writing) -> Result<Claim> {
        self.stored().claimed = Some(writing.generation);
        Ok(Claim::default())
    }

    fn buckets(&self) -> usize {
        2
    }

    fn published_since(&self, writing: &Writing, _: &[BucketCut]) -> Result<Since> {
        let after = writing.after.expect("it resumes").epoch;
        let upto = self.stored().seen.iter().map(|(_, epoch, _)| *epoch).filter(|epoch| *epoch > after).max();
        Ok(match upto.filter(|_| self.fault != Fault::KnowsNothingOfLater) {
            Some(upto) => Since::Published { upto, what: "rows".to_string() },
            None => Since::Nothing,
        })
    }

    fn take_back(&self, writing: &Writing) -> Result<()> {
        let after = writing.after.expect("it resumes").epoch;
        let upto = if self.fault == Fault::TakesBackTooLittle { after.next() } else { after };
        self.stored().seen.retain(|(_, epoch, _)| *epoch <= upto);
        Ok(())
    }

    fn open(&self, bucket: usize, _: &SchemaRef, writing: &Writing) -> Result<Box<dyn SinkWriter>> {
        let (shelf, generation, durable) = (self.clone(), writing.generation, writing.job.is_some());
        Ok(Box::new(Bucket { shelf, bucket, generation, durable, written: Vec::new() }))
    }

    fn finish(&self, _: &SchemaRef, _: &Writing, _: &[BucketCut]) -> Result<()> {
        self.stored().exists |= self.fault != Fault::EndLeavesNothing;
        Ok(())
    }
}

impl SinkWriter for Bucket {
    fn write(&mut self, _: &[EventTime], rows: &RecordBatch) -> Result<()> {
        let before = self.written.len();
        Item::decode(rows, &mut self.written).unwrap();
        if self.shelf.fault == Fault::SeenWhenWritten {
            let rows = self.written[before..].iter().map(|event| event.data.clone()).collect();
            self.shelf.stored().seen.push((self.bucket, Epoch(0), rows));
        }
        Ok(())
    }

    fn prepare(&mut self, epoch: Epoch, _: EventTime) -> Result<Vec<u8>> {
        let fault = self.shelf.fault;
        let mut rows: Vec<Item> = self.written.drain(..).map(|event| event.data).collect();
        if rows.is_empty() {
            return if fault == Fault::EmptyEpochRefused { Err(Error::data("no rows")) } else { Ok(Vec::new()) };
        }
        if fault == Fault::BackwardRows {
            rows.reverse();
        }
        let generation = if fault == Fault::NamesWithoutGeneration { 0 } else { self.generation };
        let name = format!("b{}.g{generation}.{epoch}", self.bucket);
        let mut stored = self.shelf.stored();
        if fault == Fault::SeenWhenPrepared || fault == Fault::ElderPublishes && stored.claimed > Some(self.generation)
        {
            stored.seen.push((self.bucket, epoch, rows.clone()));
        }
        stored.staged.insert(name.clone(), rows);
        Ok(name.into_bytes())
    }

    fn commit(&mut self, epoch: Epoch, prepared: &[u8]) -> Result<()> {
        let Bucket { shelf, bucket, .. } = self;
        let mut stored = shelf.stored();
        let is_there = stored.seen.iter().any(|(of, there, _)| (*of, *there) == (*bucket, epoch));
        let name = std::str::from_utf8(prepared).unwrap();
        let rows = stored.staged.get(name).cloned();
        if shelf.fault == Fault::CommitReplaces {
            stored.seen.retain(|(of, ..)| of != bucket);
        }
        if !is_there || shelf.fault == Fault::RepeatedCommitAdds {
            let rows = rows.ok_or_else(|| Error::data(format!("{name} is gone")))?;
            stored.seen.push((*bucket, epoch, rows));
        }
        stored.exists = true;
        Ok(())
    }

    fn recover(&mut self, prepared: &[Prepared]) -> Result<()> {
        let fault = self.shelf.fault;
        for one in prepared.iter().filter(|one| !one.bytes.is_empty() && fault != Fault::RecoveryForgets) {
            self.commit(one.epoch, &one.bytes)?;
        }
        if fault == Fault::RecoveryPublishesOrphans && self.durable {
            let of_bucket = format!("b{}.", self.bucket);
            let mut stored = self.shelf.stored();
            let names: Vec<_> = stored.staged.keys().filter(|name| name.starts_with(&of_bucket)).cloned().collect();
            for (name, epoch) in names.iter().filter_map(|name| Some((name, name.rsplit('.').next()?.parse().ok()?))) {
                if !stored.seen.iter().any(|(of, there, _)| (*of, *there) == (self.bucket, Epoch(epoch))) {
                    let rows = stored.staged[name].clone();
                    stored.seen.push((self.bucket, Epoch(epoch), rows));
                }
            }
        }
        Ok(())
    }
}

impl SinkPlace for Shelf {
    fn sink(&self) -> Box<dyn Sink> {
        Box::new(self.clone())
    }

    fn seen(&self) -> Result<Vec<Vec<Item>>> {
        let stored = self.stored();
        if !stored.exists && stored.seen.is_empty() {
            return Err(Error::data("there is no shelf"));
        }
        let of = |bucket| stored.seen.iter().filter(move |seen| seen.0 == bucket).flat_map(|seen| seen.2.clone());
        Ok((0..2).map(|bucket| of(bucket).collect()).collect())
    }
}

#[test]
fn a_sink_without_a_fault_keeps_its_contract() {
    sink_contract(|| Shelf::new(Fault::Nothing)).unwrap();
}

#[test]
fn each_fault_of_a_sink_is_found_under_its_rule_at_its_verb() {
    for (fault, rule, verb) in [
        (Fault::SeenWhenWritten, Rule::Invisible, "write of epoch 0"),
        (Fault::SeenWhenPrepared, Rule::Invisible, "prepare of epoch 0"),
        (Fault::EmptyEpochRefused, Rule::Works, "prepare of epoch 2"),
        (Fault::OwnPlaceRefused, Rule::Works, "check"),
        (Fault::RepeatedCommitAdds, Rule::Twice, "commit of epoch 0"),
        (Fault::RecoveryForgets, Rule::Once, "the end"),
        (Fault::RecoveryPublishesOrphans, Rule::Invisible, "recover"),
        (Fault::CommitReplaces, Rule::Stays, "commit of epoch 1"),
        (Fault::BackwardRows, Rule::Order, "commit of epoch 0"),
        (Fault::EndLeavesNothing, Rule::Readable, "finish"),
        (Fault::NamesWithoutGeneration, Rule::Fenced, "commit of epoch 3"),
        (Fault::ElderPublishes, Rule::Fenced, "the waking"),
        (Fault::KnowsNothingOfLater, Rule::Back, "published_since"),
        (Fault::TakesBackTooLittle, Rule::Back, "take_back"),
    ] {
        let breach = sink_contract(|| Shelf::new(fault)).expect_err(&format!("{fault:?} was not found"));
        assert_eq!(breach.rule, rule, "{fault:?}: {breach}");
        assert!(breach.verb.starts_with(verb), "{fault:?}: {breach}");
        assert!(breach.to_string().contains("likely mistake: "), "{breach}");
    }
}
