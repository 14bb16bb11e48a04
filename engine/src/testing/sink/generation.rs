//! One generation of a job that writes to a sink under test: the verbs in their order, one at a time.

use std::collections::BTreeMap;
use std::fmt;

use arrow_schema::SchemaRef;

use super::rows::{self, batch, rows, watermark};
use crate::checkpoint::{BucketCut, is_kept};
use crate::connector::sink::open_bucket;
use crate::testing::Item;
use crate::{After, Claim, Epoch, Prepared, Record, Result, Since, Sink, SinkWriter, Writing};

/// What a generation does, in the order in which the engine does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Check,
    Claim,
    TakeBack,
    Open(usize),
    Recover(usize),
    Write(usize, usize),
    Prepare(usize, usize),
    /// The manifest of an epoch is stored: what it names counts from here on. The sink is not asked.
    Store(usize),
    Commit(usize, usize),
    Finish,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verb::Check => f.write_str("check"),
            Verb::Claim => f.write_str("claim"),
            Verb::TakeBack => f.write_str("take_back"),
            Verb::Open(bucket) => write!(f, "open of bucket {bucket}"),
            Verb::Recover(bucket) => write!(f, "recover of bucket {bucket}"),
            Verb::Write(epoch, bucket) => write!(f, "write of epoch {epoch} in bucket {bucket}"),
            Verb::Prepare(epoch, bucket) => write!(f, "prepare of epoch {epoch} in bucket {bucket}"),
            Verb::Store(epoch) => write!(f, "the manifest of epoch {epoch}"),
            Verb::Commit(epoch, bucket) => write!(f, "commit of epoch {epoch} in bucket {bucket}"),
            Verb::Finish => f.write_str("finish"),
        }
    }
}

/// A manifest, as far as a sink is concerned.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    pub(super) epoch: usize,
    pub(super) generation: u64,
    pub(super) cuts: Vec<BucketCut>,
    /// What the checkpoint keeps for a sink whose rows it keeps, by bucket and epoch.
    rows: Kept,
}

type Kept = BTreeMap<(usize, usize), Vec<Vec<Item>>>;

impl Manifest {
    /// What it has prepared for a bucket at its own end.
    fn newest(&self, bucket: usize) -> Option<&Prepared> {
        self.cuts.iter().find(|cut| cut.bucket as usize == bucket)?.prepared.last()
    }
}

/// How a generation runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'a> {
    /// How many rows each epoch has.
    pub(super) counts: &'a [usize],
    /// Whether the job has checkpoints.
    pub(super) durable: bool,
    /// Whether an epoch is prepared before the one before it is committed.
    pub(super) overlaps: bool,
    /// Whether each commit is repeated at once.
    pub(super) twice: bool,
}

/// One generation.
pub(super) struct Generation<'a> {
    way: Way<'a>,
    pub(super) number: u64,
    pub(super) sink: Box<dyn Sink>,
    pub(super) schema: SchemaRef,
    pub(super) writing: Writing,
    resume: Option<Manifest>,
    claim: Option<Claim>,
    writers: Vec<Option<Box<dyn SinkWriter>>>,
    unpublished: Vec<Vec<Prepared>>,
    kept: Vec<Manifest>,
    rows: Kept,
    /// How many verbs it has done.
    pub(super) done: usize,
}

impl<'a> Generation<'a> {
    pub(super) fn new(sink: Box<dyn Sink>, way: Way<'a>, number: u64, resume: Option<Manifest>) -> Generation<'a> {
        let (firings, buckets) = (sink.firings(), sink.buckets());
        let mut writing = Writing { said: Some(rows::schema(firings, Item::wanted())), ..Writing::default() };
        if way.durable {
            writing.job = Some("contract".to_string());
            writing.sink = Some("sink".to_string());
            writing.generation = number;
            writing.resumes = resume.is_some();
            writing.after = resume
                .as_ref()
                .map(|resume| After { epoch: Epoch(resume.epoch as u64), generation: resume.generation });
            writing.ended = resume.as_ref().is_some_and(|resume| resume.epoch + 1 == way.counts.len());
            writing.checkpoints = Some("checkpoints".to_string());
        }
        let schema = rows::schema(firings, Item::schema());
        let writers = (0..buckets).map(|_| None).collect();
        let (claim, unpublished, kept) = (None, vec![Vec::new(); buckets], resume.iter().cloned().collect());
        Generation {
            way,
            number,
            sink,
            schema,
            writing,
            resume,
            claim,
            writers,
            unpublished,
            kept,
            rows: Kept::new(),
            done: 0,
        }
    }

    /// All that it has to do; `back` says whether it goes back to an older commit.
    pub(super) fn verbs(&self, back: bool) -> Vec<Verb> {
        let buckets = || 0..self.writers.len();
        let Way { counts, durable, overlaps, .. } = self.way;
        let first = self.resume.as_ref().map_or(0, |resume| resume.epoch + 1);
        let mut verbs = vec![Verb::Check, Verb::Claim];
        verbs.extend(back.then_some(Verb::TakeBack));
        // Without checkpoints a bucket is opened when its first row comes.
        if durable || counts.iter().any(|count| *count > 0) {
            verbs.extend(buckets().flat_map(|bucket| [Verb::Open(bucket), Verb::Recover(bucket)]));
            let mut late = Vec::new();
            for epoch in first..counts.len() {
                verbs.extend(buckets().map(|bucket| Verb::Write(epoch, bucket)));
                verbs.extend(buckets().map(|bucket| Verb::Prepare(epoch, bucket)));
                verbs.extend(durable.then_some(Verb::Store(epoch)));
                let due = late.drain(..).chain(buckets().map(|bucket| Verb::Commit(epoch, bucket))).collect::<Vec<_>>();
                // An odd epoch is prepared while the even one before it is not committed.
                if overlaps && epoch % 2 == 0 && epoch + 1 < counts.len() { late = due } else { verbs.extend(due) }
            }
        }
        verbs.push(Verb::Finish);
        verbs
    }

    /// How many verbs there are up to the end of its recovery.
    pub(super) fn recovered(&self) -> usize {
        2 + 2 * self.writers.len()
    }

    /// How many verbs there are before anything of an epoch is written.
    pub(super) fn before_epoch(&self, epoch: usize) -> usize {
        let verbs = self.verbs(false);
        verbs.iter().position(|verb| *verb == Verb::Write(epoch, 0)).unwrap_or(verbs.len())
    }

    /// How many verbs there are before the last commit, before `finish`, and in all.
    pub(super) fn last_ones(&self) -> [usize; 3] {
        let verbs = self.verbs(false);
        let all = verbs.len();
        let commit = verbs.iter().rposition(|verb| matches!(verb, Verb::Commit(_, 0))).unwrap_or(all - 1);
        [commit, all - 1, all]
    }

    /// What the sink has published since the commit from which it resumes.
    pub(super) fn since(&self) -> Result<Since> {
        let cuts = self.resume.as_ref().map(|resume| resume.cuts.clone()).unwrap_or_default();
        self.sink.published_since(&self.writing, &cuts)
    }

    /// Does what a verb says.
    pub(super) fn act(&mut self, verb: Verb) -> Result<Option<Manifest>> {
        match verb {
            Verb::Check => self.sink.check(&self.schema, &self.writing)?,
            Verb::Claim => self.claim = Some(self.sink.claim(&self.schema, &self.writing)?),
            Verb::TakeBack => {
                self.sink.take_back(&self.writing)?;
                self.sink.take_back(&self.writing)?; // as after a crash halfway through
            }
            Verb::Open(bucket) => {
                self.writers[bucket] = Some(open_bucket(&*self.sink, bucket, &self.schema, &self.writing)?);
            }
            Verb::Recover(bucket) => {
                let kept = self.kept.iter().filter_map(|manifest| manifest.newest(bucket)).collect::<Vec<_>>();
                let cut = self.resume.iter().flat_map(|resume| &resume.cuts).find(|cut| cut.bucket as usize == bucket);
                let prepared = cut.map(|cut| cut.prepared.clone()).unwrap_or_default();
                let writer = self.writers[bucket].as_mut().expect("it is open");
                writer.keep(&kept)?;
                for ((_, epoch), all) in
                    self.resume.iter().flat_map(|resume| &resume.rows).filter(|kept| kept.0.0 == bucket)
                {
                    for rows in all {
                        writer.restore(Epoch(*epoch as u64), batch(self.sink.firings(), rows))?;
                    }
                }
                writer.recover(&prepared)?;
            }
            Verb::Write(epoch, bucket) => {
                let rows = rows(self.way.counts, epoch, bucket, self.writers.len());
                let (first, second) = rows.split_at(rows.len() / 2);
                for rows in [first, second].into_iter().filter(|rows| !rows.is_empty()) {
                    self.write(bucket, rows)?;
                    if self.sink.keeps_rows() {
                        self.rows.entry((bucket, epoch)).or_default().push(rows.to_vec());
                    }
                }
            }
            Verb::Prepare(epoch, bucket) => {
                let writer = self.writers[bucket].as_mut().expect("it is open");
                let bytes = writer.prepare(Epoch(epoch as u64), watermark(self.way.counts, epoch))?;
                self.unpublished[bucket].push(Prepared { epoch: Epoch(epoch as u64), bytes });
            }
            Verb::Store(epoch) => {
                let cut = |(bucket, prepared): (usize, &Vec<Prepared>)| BucketCut {
                    bucket: bucket as u32,
                    prepared: prepared.clone(),
                };
                let cuts = self.unpublished.iter().enumerate().map(cut).collect();
                let Generation { rows, unpublished, .. } = self;
                rows.retain(|(bucket, of), _| {
                    unpublished[*bucket].iter().any(|prepared| prepared.epoch.0 == *of as u64)
                });
                let manifest = Manifest { epoch, generation: self.number, cuts, rows: self.rows.clone() };
                self.kept.push(manifest.clone());
                let (count, mut at) = (self.kept.len(), 0..);
                // The first is a savepoint: a play goes back to it.
                self.kept.retain(|kept| at.next().is_some_and(|at| is_kept(at, count, kept.epoch == 0)));
                return Ok(Some(manifest));
            }
            Verb::Commit(epoch, bucket) => {
                let kept = self.kept.iter().filter_map(|manifest| manifest.newest(bucket)).collect::<Vec<_>>();
                let writer = self.writers[bucket].as_mut().expect("it is open");
                writer.keep(&kept)?;
                let epoch = Epoch(epoch as u64);
                let due = self.unpublished[bucket].iter().take_while(|prepared| prepared.epoch <= epoch).count();
                for prepared in self.unpublished[bucket].drain(..due).filter(|prepared| !prepared.bytes.is_empty()) {
                    writer.commit(prepared.epoch, &prepared.bytes)?;
                    if self.way.twice {
                        writer.commit(prepared.epoch, &prepared.bytes)?;
                    }
                }
            }
            Verb::Finish => {
                self.writers.iter_mut().for_each(|writer| drop(writer.take()));
                self.sink.finish(&self.schema, &self.writing, &[])?;
                self.claim = None;
            }
        }
        Ok(None)
    }

    fn write(&mut self, bucket: usize, rows: &[Item]) -> Result<()> {
        let times: Vec<_> = rows.iter().map(|row| row.time).collect();
        let batch = batch(self.sink.firings(), rows);
        self.writers[bucket].as_mut().expect("it is open").write(&times, &batch)
    }

    /// Dies: it does nothing more, and what the system holds for it is freed.
    pub(super) fn dies(mut self) {
        self.writers.drain(..).for_each(std::mem::forget);
    }

    /// Wakes after standing still: it writes on, and publishes what its manifests name, whatever errors it gets.
    pub(super) fn wakes(&mut self, stored: &[Manifest]) {
        for bucket in 0..self.writers.len() {
            let epoch = self.way.counts.len() - 1;
            if self.writers[bucket].is_none() {
                continue;
            }
            let _ = self.write(bucket, &[rows::ghost(epoch)]);
            let writer = self.writers[bucket].as_mut().expect("it is open");
            let _ = writer.prepare(Epoch(epoch as u64), watermark(self.way.counts, epoch));
            for prepared in stored.iter().filter(|manifest| manifest.generation == self.number) {
                if let Some(prepared) = prepared.newest(bucket).filter(|prepared| !prepared.bytes.is_empty()) {
                    let _ = writer.commit(prepared.epoch, &prepared.bytes);
                }
            }
        }
    }
}
