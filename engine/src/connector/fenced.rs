//! A sink for stores without a rename: a database row, a topic, an object store's transaction.
//!
//! ```text
//! write, prepare(e)   rows wait here; the engine keeps them in the checkpoint
//! commit(e)           store: one transaction with the rows and the fence (e, 0), one with the fence (e, 1), …
//! recover             store: claim, read the fence; what is there is not written again, what is missing is
//! ```
//!
//! - **Rows and fence are one transaction.** So the fence says what is there, whatever was answered.
//! - **What an epoch has is fixed by its manifest.** Whoever writes it, and in how many tries, writes the same parts.
//! - **A younger generation refuses the elder.** It claims the place before it reads the fence.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};

use super::sink::{After, Prepared, SinkWriter, Writing};
use crate::{Code, Epoch, Error, EventTime, Result, Retry};

/// Who writes to a store: a bucket of a sink of a job, and which start of the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FenceOwner {
    /// The job.
    pub job: String,
    /// The sink, by its name in the graph.
    pub sink: String,
    /// The bucket.
    pub bucket: usize,
    /// The start of the job; a younger one has a greater number.
    pub generation: u64,
}

impl FenceOwner {
    /// Under what the fence is kept: the same for every generation.
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.job, self.sink, self.bucket)
    }

    /// The error of a store in which a younger generation has claimed the place.
    pub fn fenced(&self) -> Error {
        let message = format!(
            "{}: a younger start of the job writes here, and this one, number {}, does no more; likely mistake: the same job \
             runs twice",
            self.key(),
            self.generation
        );
        Code::Fenced.error(message).for_good()
    }
}

/// What is in the store: all up to this part of this epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fence {
    /// The epoch.
    pub epoch: Epoch,
    /// The part of the epoch, from 0.
    pub part: u64,
}

/// A store that writes rows and a fence in one transaction.
pub trait FencedStore {
    /// Makes the owner's generation the one that writes, ends what older ones have under way, and then reads the newest fence
    /// under its [key](FenceOwner::key). Called again where it is not known what became of a write.
    ///
    /// # Errors
    /// [`FenceOwner::fenced`] where a younger generation has claimed the place. What may pass is an
    /// [environment](Error::environment) error: it is tried again.
    fn claim(&mut self, owner: &FenceOwner) -> Result<Option<Fence>>;

    /// Writes rows and, in the same transaction, the fence in place of the one before it. A job without checkpoints has no
    /// fence.
    ///
    /// # Errors
    /// As for [`FencedStore::claim`]. The transaction may have been committed all the same: then the next claim says so.
    fn write(&mut self, rows: &[RecordBatch], fence: Option<(&FenceOwner, Fence)>) -> Result<()>;
}

/// How many rows a transaction has at most, unless said otherwise.
const PART_ROWS: usize = 10_000;

/// The writer of a sink that [keeps rows](super::Sink::keeps_rows), over any [`FencedStore`].
///
/// [`Sink::open`](super::Sink::open) makes it. An epoch of more rows than a part may have is written in several
/// transactions, each with its fence; so a crash between two of them repeats none and loses none, but a reader may see the first
/// before the second. What is refused and may pass is tried again by [`Writing::retry`]; where an answer was lost, the fence says
/// whether the rows are there.
///
/// The store must not be behind its job: where the fence is younger than the commit from which the job resumes, the job went
/// back to an older checkpoint and is refused (`E-OUTPUT-AHEAD`), since a store like this takes nothing back.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use dualgauge_engine::arrow::{RecordBatch, SchemaRef};
/// use dualgauge_engine::sink::{Fence, FenceOwner, Fenced, FencedStore};
/// use dualgauge_engine::testing::{Item, SinkPlace, sink_contract};
/// use dualgauge_engine::{Event, Record, Result, Sink, SinkWriter, Writing};
///
/// /// A database: the lock is its transaction.
/// #[derive(Clone, Default)]
/// struct Database(Arc<Mutex<Tables>>);
///
/// #[derive(Default)]
/// struct Tables {
///     rows: Vec<Event<Item>>,
///     fence: Option<Fence>,
///     generation: u64,
/// }
///
/// impl FencedStore for Database {
///     fn claim(&mut self, owner: &FenceOwner) -> Result<Option<Fence>> {
///         let mut tables = self.0.lock().unwrap();
///         if tables.generation > owner.generation {
///             return Err(owner.fenced());
///         }
///         tables.generation = owner.generation;
///         Ok(tables.fence)
///     }
///
///     fn write(&mut self, rows: &[RecordBatch], fence: Option<(&FenceOwner, Fence)>) -> Result<()> {
///         let mut tables = self.0.lock().unwrap();
///         if let Some((owner, fence)) = fence {
///             if tables.generation > owner.generation {
///                 return Err(owner.fenced());
///             }
///             tables.fence = Some(fence);
///         }
///         rows.iter().for_each(|rows| Item::decode(rows, &mut tables.rows).expect("the rows of the contract"));
///         Ok(())
///     }
/// }
///
/// impl Sink for Database {
///     fn describe(&self) -> String {
///         "database".to_string()
///     }
///
///     fn check(&self, _: &SchemaRef, _: &Writing) -> Result<()> {
///         Ok(())
///     }
///
///     fn keeps_rows(&self) -> bool {
///         true
///     }
///
///     fn open(&self, bucket: usize, _: &SchemaRef, writing: &Writing) -> Result<Box<dyn SinkWriter>> {
///         Ok(Box::new(Fenced::new(self.clone(), bucket, writing).part_rows(3)))
///     }
/// }
///
/// impl SinkPlace for Database {
///     fn sink(&self) -> Box<dyn Sink> {
///         Box::new(self.clone())
///     }
///
///     fn seen(&self) -> Result<Vec<Vec<Item>>> {
///         Ok(vec![self.0.lock().unwrap().rows.iter().map(|row| row.data.clone()).collect()])
///     }
/// }
///
/// sink_contract(Database::default).unwrap();
/// ```
pub struct Fenced<S> {
    store: S,
    owner: Option<FenceOwner>,
    after: Option<After>,
    retry: Retry,
    part_rows: usize,
    /// Written, and not prepared.
    written: Vec<RecordBatch>,
    /// Prepared, and not in the store.
    waiting: BTreeMap<Epoch, Vec<RecordBatch>>,
    /// What is in the store.
    there: Option<Fence>,
}

/// What the manifest has of an epoch: how it is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Division {
    rows: u64,
    part_rows: u64,
}

impl<S: FencedStore> Fenced<S> {
    /// A writer of a bucket.
    pub fn new(store: S, bucket: usize, writing: &Writing) -> Fenced<S> {
        let owner = writing.job.clone().map(|job| FenceOwner {
            job,
            sink: writing.sink.clone().unwrap_or_default(),
            bucket,
            generation: writing.generation,
        });
        let (after, retry) = (writing.after, writing.retry.clone());
        let (written, waiting) = (Vec::new(), BTreeMap::new());
        Fenced { store, owner, after, retry, part_rows: PART_ROWS, written, waiting, there: None }
    }

    /// How many rows a transaction has at most; 10,000 unless said otherwise.
    ///
    /// # Panics
    /// When `rows` is 0.
    #[track_caller]
    pub fn part_rows(mut self, rows: usize) -> Fenced<S> {
        assert!(rows > 0, "a transaction must hold some rows");
        self.part_rows = rows;
        self
    }

    /// Writes the parts of an epoch that are not there.
    fn publish(&mut self, epoch: Epoch, division: Division) -> Result<()> {
        let parts = division.rows.div_ceil(division.part_rows.max(1));
        let next = match self.there {
            Some(there) if there.epoch > epoch => parts,
            Some(there) if there.epoch == epoch => there.part + 1,
            _ => 0,
        };
        if next < parts {
            self.refuse_gap(epoch)?;
            let rows =
                self.waiting.get(&epoch).map(|rows| rows.iter().map(RecordBatch::num_rows).sum::<usize>() as u64);
            if rows != Some(division.rows) {
                return Err(Code::CheckpointCorrupt.error(format!(
                    "{} rows were prepared, the store lacks some, and the checkpoint has {}",
                    division.rows,
                    rows.unwrap_or(0)
                )));
            }
        }
        for part in next..parts {
            let all = self.waiting.get(&epoch).map(Vec::as_slice).unwrap_or_default();
            let rows = part_of(all, part, division.part_rows);
            self.write_part(&rows, Fence { epoch, part })?;
        }
        self.waiting.remove(&epoch);
        Ok(())
    }

    /// Refuses an epoch while an older one is not in the store: its fence would say that the older one is there.
    fn refuse_gap(&self, epoch: Epoch) -> Result<()> {
        let from = self.there.map_or(Epoch(0), |there| there.epoch);
        match self.waiting.range(from.min(epoch)..epoch).next() {
            None => Ok(()),
            Some((older, _)) => Err(Error::usage(format!(
                "epoch {epoch} is to be committed while rows of epoch {older} are not in the store: they would be lost; likely mistake:                  a writer whose commit has failed was used further"
            ))),
        }
    }

    /// Writes one part, in as many tries as it takes.
    fn write_part(&mut self, rows: &[RecordBatch], fence: Fence) -> Result<()> {
        let Fenced { store, owner, retry, there, .. } = self;
        let Some(owner) = owner else {
            // Nothing says whether a lost answer was a yes, so it is written once.
            return store.write(rows, None);
        };
        let mut asked = false;
        retry.run(|| {
            if std::mem::replace(&mut asked, true) {
                *there = store.claim(owner)?;
                if there.is_some_and(|there| there >= fence) {
                    return Ok(());
                }
            }
            store.write(rows, Some((owner, fence)))
        })?;
        *there = Some(fence);
        Ok(())
    }

    fn division(prepared: &[u8]) -> Result<Division> {
        postcard::from_bytes(prepared).map_err(|cause| {
            Code::CheckpointCorrupt.error("what the manifest says of it cannot be read").caused_by(cause)
        })
    }
}

/// The rows of one part.
fn part_of(batches: &[RecordBatch], part: u64, part_rows: u64) -> Vec<RecordBatch> {
    let (mut skip, mut left) = ((part * part_rows) as usize, part_rows as usize);
    let mut rows = Vec::new();
    for batch in batches {
        let from = skip.min(batch.num_rows());
        let count = left.min(batch.num_rows() - from);
        skip -= from;
        left -= count;
        if count > 0 {
            rows.push(batch.slice(from, count));
        }
    }
    rows
}

impl<S: FencedStore> SinkWriter for Fenced<S> {
    fn write(&mut self, _: &[EventTime], rows: &RecordBatch) -> Result<()> {
        if rows.num_rows() > 0 {
            self.written.push(rows.clone());
        }
        Ok(())
    }

    fn needs_rows(&self) -> bool {
        self.owner.is_some()
    }

    fn restore(&mut self, epoch: Epoch, rows: RecordBatch) -> Result<()> {
        self.waiting.entry(epoch).or_default().push(rows);
        Ok(())
    }

    /// An epoch without rows has no transaction: some stores know none that is empty.
    fn prepare(&mut self, epoch: Epoch, _: EventTime) -> Result<Vec<u8>> {
        let rows: usize = self.written.iter().map(RecordBatch::num_rows).sum();
        if rows == 0 {
            return Ok(Vec::new());
        }
        self.waiting.insert(epoch, std::mem::take(&mut self.written));
        let division = Division { rows: rows as u64, part_rows: self.part_rows as u64 };
        Ok(postcard::to_stdvec(&division).expect("numbers have bytes"))
    }

    fn commit(&mut self, epoch: Epoch, prepared: &[u8]) -> Result<()> {
        if prepared.is_empty() {
            return Ok(());
        }
        self.publish(epoch, Self::division(prepared)?)
    }

    fn recover(&mut self, prepared: &[Prepared]) -> Result<()> {
        if let Fenced { store, owner: Some(owner), after, retry, there, .. } = self {
            *there = retry.run(|| store.claim(owner))?;
            let resumed = after.map(|after| after.epoch);
            if let Some(ahead) = there.filter(|there| Some(there.epoch) > resumed) {
                let from = resumed.map_or("the beginning".to_string(), |epoch| format!("epoch {epoch}"));
                return Err(Code::OutputAhead.error(format!(
                    "{}: the store has the rows of epoch {}, and the job resumes from {from}; likely mistake: it was sent back to an \
                     older checkpoint, or started anew under the name of another job. What is there cannot be taken back: \
                     write to another place",
                    owner.key(),
                    ahead.epoch
                )));
            }
        }
        prepared.iter().try_for_each(|one| self.commit(one.epoch, &one.bytes))
    }
}
