//! A worker's way to the checkpoint store: what its drivers saved becomes a layer, on a thread of its own.
//!
//! Data never waits for the disk. Bytes that could not be stored are kept and written anew; a failed sync ends the job.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use serde::{Deserialize, Serialize};

use super::desk::Contribution;
use super::generation::Checkpointing;
use super::state_bytes::Measured;
use crate::checkpoint::protocol::{AfterAppend, after_append};
use crate::checkpoint::{
    self, BucketCut, Chain, CompactError, Entry, ManifestLog, PartitionCut, StepBytes, StoreError,
};
use crate::run::{Shared, Whose};
use crate::{Epoch, Error, PartitionId, Result};

/// What a worker has stored for one checkpoint: its share of the manifest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct WorkerPart {
    pub(super) epoch: Epoch,
    pub(super) chains: Vec<Chain>,
    pub(super) partitions: Vec<(String, PartitionId, PartitionCut)>,
    pub(super) buckets: Vec<(String, BucketCut)>,
    /// For layers not reported before, how many bytes each step has in them.
    pub(super) measured: Vec<(String, StepBytes)>,
}

/// Something that is done in the order in which it is asked for, on a thread of its own, or at once where a scheduler
/// decides who may run.
pub(super) struct Background<J, R> {
    jobs: Option<Sender<J>>,
    results: Receiver<R>,
    inline: Option<Inline<J, R>>,
    thread: Option<thread::JoinHandle<()>>,
}

type Inline<J, R> = (Box<dyn FnMut(J) -> R>, Sender<R>);

impl<J: Send + 'static, R: Send + 'static> Background<J, R> {
    /// A thread of this name; the job fails if it does not start. In a job that is stepped, all is done at once.
    pub(super) fn new(name: String, shared: &Shared, mut work: impl FnMut(J) -> R + Send + 'static) -> Self {
        let (done, results) = channel();
        if !shared.may_park {
            return Background { jobs: None, results, inline: Some((Box::new(work), done)), thread: None };
        }
        let (jobs, asked) = channel();
        let worker = thread::current();
        let run = move || {
            for job in asked {
                if done.send(work(job)).is_err() {
                    return; // nobody waits for it any more
                }
                worker.unpark();
            }
        };
        let thread = thread::Builder::new().name(name.clone()).spawn(run);
        let thread = thread.map_err(|cause| shared.fail(no_thread(&name, cause))).ok();
        Background { jobs: Some(jobs), results, inline: None, thread }
    }

    pub(super) fn ask(&mut self, job: J) {
        match (&mut self.inline, &self.jobs) {
            (Some((work, done)), _) => done.send(work(job)).expect("the receiver is here"),
            (None, Some(jobs)) => drop(jobs.send(job)), // after a panic in the thread there is no answer
            (None, None) => {}
        }
    }

    pub(super) fn poll(&mut self) -> Option<R> {
        self.results.try_recv().ok()
    }
}

impl<J, R> Drop for Background<J, R> {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Ends a job that lacks a thread of this name.
pub(super) fn no_thread(name: &str, cause: std::io::Error) -> Error {
    Error::io(format!("the thread `{name}` does not start"), cause).for_good()
}

/// Stores the layers of one worker, in order.
pub(super) struct Storing {
    checkpointing: Arc<Checkpointing>,
    shared: Arc<Shared>,
    worker: usize,
    chains: Vec<Chain>,
    measured: Measured,
}

impl Storing {
    pub(super) fn new(
        checkpointing: Arc<Checkpointing>,
        shared: Arc<Shared>,
        worker: usize,
        workers: usize,
    ) -> Storing {
        let chains = checkpointing.chains(worker, workers);
        Storing { checkpointing, shared, worker, chains, measured: Measured::default() }
    }

    /// Stores what has changed, and keeps the chains short.
    pub(super) fn store(&mut self, epoch: Epoch, contribution: Contribution) -> Result<WorkerPart> {
        let Contribution { layers, partitions, buckets } = contribution;
        let store = &self.checkpointing.store;
        if !layers.is_empty() {
            let name = self.layer_name(epoch, "");
            let (layer, bytes) = again(&self.shared, || checkpoint::write_measured(&**store, &name, &layers))?;
            self.measured.note(&layer, bytes);
            self.chains.iter_mut().for_each(|chain| chain.layers.push(layer.clone()));
        }
        for at in 0..self.chains.len() {
            self.compact(at, epoch)?;
        }
        let measured = self.measured.take(&*self.checkpointing.store, &self.chains);
        Ok(WorkerPart { epoch, chains: self.chains.clone(), partitions, buckets, measured })
    }

    /// Merges layers where there are too many of them.
    fn compact(&mut self, at: usize, epoch: Epoch) -> Result<()> {
        let chain = &self.chains[at];
        let Some(range) = checkpoint::compaction_due(&chain.layers) else { return Ok(()) };
        let name = self.layer_name(epoch, &format!("-c{at}"));
        let store = &self.checkpointing.store;
        match checkpoint::compact(store, &chain.layers, range.clone(), chain.groups, &name) {
            Ok(merged) => drop(self.chains[at].layers.splice(range, [merged])),
            // The chain keeps its length until the next checkpoint, which retries.
            Err(CompactError::Store(error @ StoreError::Transient { .. })) => {
                self.shared.metrics.note_retry(Whose::Checkpoints, &error);
            }
            Err(CompactError::Store(error)) => return Err(error.into()),
            Err(CompactError::Read(error)) => return Err(error),
        }
        Ok(())
    }

    fn layer_name(&self, epoch: Epoch, what: &str) -> String {
        checkpoint::layer_name(self.checkpointing.generation, epoch, &format!("w{:03}{what}", self.worker))
    }
}

/// Retries until it works; a failure that is final is not retried.
pub(super) fn again<T>(shared: &Arc<Shared>, work: impl FnMut() -> Result<T, StoreError>) -> Result<T> {
    shared.retry(Whose::Checkpoints).run_if(StoreError::may_pass, work)
}

/// Appends an entry to the log, and does after each append what the protocol decides.
///
/// # Errors
/// Where a younger generation has started, or it is unknown whether the entry is in the log: then nothing of it is
/// published, and the next generation reads the truth.
pub(super) fn append(shared: &Shared, log: &mut ManifestLog, entry: &Entry) -> Result<()> {
    let mut tries = 1;
    loop {
        let outcome = log.append(entry);
        let next = after_append(&outcome, Shared::tries_left(tries) as usize);
        match (next, outcome) {
            (AfterAppend::Publish, _) => return Ok(()),
            (AfterAppend::Stop, _) | (_, Ok(_)) => return Err(checkpoint::fenced()),
            (AfterAppend::Again, Err(error)) if shared.may_try_again(Whose::Checkpoints, tries, &error) => tries += 1,
            (_, Err(error)) if tries > 1 => return Err(Error::from(error).at(format_args!("after {tries} tries"))),
            (_, Err(error)) => return Err(error.into()),
        }
    }
}
