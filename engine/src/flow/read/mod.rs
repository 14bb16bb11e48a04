//! The driver of a source: which partition is read next, under which stamp, into which epoch.
//!
//! One driver per source and worker. It reads the partition that is furthest behind in event time, so that windows close
//! as early as they can; it holds the capability at the least watermark of its partitions (`moving`); and it stops ahead of three
//! limits: the open epochs (flow control), the slowest other source (lockstep), and nothing to read.
//!
//! No source runs more than `epochs_ahead` epochs ahead of what is closed. So a slow sink slows the source, instead of
//! filling the memory between them.

mod ahead;
mod appeared;
mod bad_record;
mod build;
mod committed;
mod decode;
mod handle;
mod made_time;
mod moving;
mod outlet;
mod pace;
mod partition;
mod row_text;
mod standing;
mod watermark;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use timely::scheduling::SyncActivator;

use self::ahead::ReadAhead;
use self::appeared::Appeared;
pub use self::bad_record::BadRecord;
pub(super) use self::build::source;
use self::committed::Commits;
use self::decode::Decoder;
pub(super) use self::handle::SourceEnds;
pub use self::made_time::{MadeTime, SourceOf};
use self::outlet::{Hold, Outlet};
use self::pace::Pace;
use self::partition::OpenPartition;
pub(crate) use self::row_text::row_texts;
use self::standing::Standing;
use super::bound::BoundSource;
use super::context::Context;
use crate::checkpoint::PartitionCut;
use crate::commit::{Contribution, Holding, Passage, Report, State};
use crate::failpoint::{Point, around};
use crate::run::{Limit, Shared, SourceCounts};
use crate::time::Stamp;
use crate::{
    Duration, Epoch, Error, EventTime, Next, Partition, PartitionId, Record, Result, SourceBatch, Unreadable, Waker,
};

/// How long a source with nothing to read waits before it asks again.
const POLL: std::time::Duration = std::time::Duration::from_micros(500);

/// The same where every reader wakes its worker when something comes. Then it looks only whether time has passed.
const WAKEABLE: std::time::Duration = std::time::Duration::from_millis(20);

/// How long a source that has reached a limit waits before it looks again: the others are at work on it.
const BLOCKED: std::time::Duration = std::time::Duration::from_micros(50);

/// A source on one worker.
struct SourceDriver {
    index: usize,
    source: BoundSource,
    shared: Arc<Shared>,
    context: Rc<Context>,
    pace: Pace,
    /// Calls for a turn of this source from another thread.
    waking: SyncActivator,
    /// Gone when nothing can be sent any more.
    hold: Option<Hold>,
    /// By ascending bound; each is opened when the open ones have passed it.
    unopened: VecDeque<Partition>,
    open: Vec<OpenPartition>,
    ahead: ReadAhead,
    appeared: Appeared,
    /// Partitions that are read to their end, as a checkpoint tells them.
    ended: Vec<(PartitionId, PartitionCut)>,
    /// The largest event time that those have reached.
    ended_at: EventTime,
    /// Of those that were read to their end here, what the last held, and up to when.
    ended_holding: Holding,
    /// Up to when those that hold here hold at least, by what was answered to others that had fallen idle.
    holds_beyond: EventTime,
    /// The epochs opened here that are not closed everywhere; the last is the open one.
    epochs: VecDeque<Epoch>,
    passage: Passage,
    /// Which readers are told when a checkpoint is committed.
    commits: Rc<RefCell<Commits>>,
    /// Whether the job is asked to stop: nothing more is read.
    stopped: bool,
    /// Whether all that is wanted has been read.
    finished: bool,
    epoch_rows: usize,
    epoch_start: Duration,
    reported: Option<Report>,
    /// Whether a partition has passed all that is wanted of it: an idle one need then not be waited for.
    passed: bool,
    decoder: Decoder,
    counts: SourceCounts,
    standing: Standing,
}

/// What one turn came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// A batch was read: go on at once.
    Read,
    /// There is something to read, but one of the limits is reached.
    Blocked,
    /// There is nothing to read now.
    Waiting,
}

impl SourceDriver {
    #[allow(clippy::too_many_arguments)] // built in one place, from what that place has at hand
    fn new(
        index: usize,
        worker: usize,
        workers: usize,
        source: BoundSource,
        shared: Arc<Shared>,
        context: Rc<Context>,
        mut hold: Hold,
        pace: Pace,
        waking: SyncActivator,
    ) -> SourceDriver {
        let name = &source.options.name;
        let mine = source.listing.partitions.iter().skip(worker).step_by(workers);
        let (mut unopened, mut ended, mut passed) = (Vec::new(), Vec::new(), false);
        let mut ended_at = EventTime::MIN;
        for partition in mine {
            let cut = context.checkpointing().and_then(|checkpointing| checkpointing.partition(name, &partition.id));
            if let Some(cut) = cut.filter(|cut| cut.ended) {
                passed |= cut.passed;
                ended_at = ended_at.max(partition.wanted_up_to(cut.largest, &source.scan));
                ended.push((partition.id.clone(), cut.clone()));
                continue;
            }
            let mut partition = partition.clone();
            // One that was not there when the job stopped holds nothing back that its source had passed then.
            if let Some(behind) = context.checkpointing().and_then(|all| all.joined_behind(name, &partition.id)) {
                partition.bound = Some(partition.bound.map_or(behind, |bound| bound.max(behind)));
            }
            if partition.followed {
                partition.to = partition.to.into_iter().chain(source.until).min();
            } else if let Some(cut) = cut {
                // It goes on where it was left, so it is opened when the others are there.
                partition.bound = partition.bound.map(|bound| bound.max(cut.floor));
            }
            unopened.push(partition);
        }
        unopened.sort_by_key(|partition| partition.bound);
        if let Some(checkpointing) = context.checkpointing() {
            hold.downgrade(&Stamp::new(checkpointing.first_epoch(), EventTime::MIN));
        }
        let counts = shared.metrics.source_counts(name, worker);
        pace.at_once();
        SourceDriver {
            index,
            unopened: unopened.into(),
            open: Vec::new(),
            ahead: ReadAhead::new(shared.limits.lockstep_rows),
            appeared: Appeared::of(&source, worker, &shared, &counts),
            ended,
            ended_at,
            ended_holding: Holding::NOTHING,
            holds_beyond: EventTime::MIN,
            epochs: VecDeque::from([hold.stamp().epoch]),
            passage: Passage::new(),
            commits: Rc::default(),
            stopped: false,
            finished: false,
            epoch_rows: 0,
            epoch_start: shared.clock.elapsed(),
            reported: None,
            passed,
            decoder: Decoder::of(&source, &shared, &counts),
            counts,
            standing: Standing::new(worker),
            source,
            shared,
            context,
            pace,
            waking,
            hold: Some(hold),
        }
    }

    fn activate<D: Record>(&mut self, out: &mut Outlet<'_, D>) {
        if self.hold.is_none() || self.shared.stopping() {
            return;
        }
        match self.turn::<D>(out) {
            Err(error) => self.shared.fail(error.at(format_args!("source {}", self.source.options.name))),
            Ok(_) if self.hold.is_none() => {}
            Ok(Turn::Read) => self.pace.at_once(),
            // A scheduled worker does not wait by the clock: its turns would differ from run to run.
            Ok(_) if !self.shared.may_park => self.pace.at_once(),
            Ok(Turn::Blocked) => self.pace.after(BLOCKED),
            Ok(Turn::Waiting) => self.pace.after(self.pause()),
        }
    }

    /// How long it waits when there is nothing to read.
    fn pause(&self) -> std::time::Duration {
        if self.open.is_empty() || self.open.iter().any(|open| open.waker.is_none()) {
            return POLL;
        }
        let idle_after = self.source.options.idle_after.map_or(WAKEABLE, |idle_after| {
            std::time::Duration::from_micros(idle_after.as_micros().try_into().unwrap_or_default())
        });
        idle_after.clamp(POLL, WAKEABLE)
    }

    /// What wakes this worker for a partition; none where a scheduler decides who may run.
    fn waker(&self) -> Option<Waker> {
        let waking = self.waking.clone();
        let wake = move || {
            let _ = waking.activate(); // a worker that is gone need not be woken
        };
        self.shared.may_park.then(|| Waker::new(wake))
    }

    fn turn<D: Record>(&mut self, out: &mut Outlet<'_, D>) -> Result<Turn> {
        self.pass_checkpoints();
        if self.hold.is_none() || self.stopped {
            return Ok(Turn::Waiting);
        }
        if self.shared.resting() {
            // It keeps its place in event time, so that no window fires that is half full.
            let hold = self.hold.as_mut().expect("it was just seen");
            hold.downgrade(&Stamp::new(Epoch::REST, hold.event_time()));
            return Ok(Turn::Waiting);
        }
        if self.finished {
            self.end(); // it goes along with the epochs of the others until the last checkpoint
            return Ok(Turn::Waiting);
        }
        self.open_due()?;
        self.appeared.look(&self.source, &self.shared);
        self.standing.begin_turn();
        // Nothing is read before the first word to the others: they measure themselves by it.
        let turn = match self.reported.is_some() && self.may_go_on() {
            true => self.read_next::<D>(out)?,
            false => Turn::Blocked,
        };
        self.move_on(turn);
        Ok(turn)
    }

    /// Opens every partition whose events the open ones have reached.
    fn open_due(&mut self) -> Result<()> {
        while let Some(next) = self.unopened.front() {
            let bound = next.bound.unwrap_or(EventTime::MIN);
            if self.open.iter().any(|open| open.watermark.progress() <= bound && open.waiting_since.is_none()) {
                break;
            }
            let partition = self.unopened.pop_front().expect("it was just seen");
            let (checkpointing, name) = (self.context.checkpointing(), &self.source.options.name);
            let cut = checkpointing.and_then(|all| all.partition(name, &partition.id));
            let behind = checkpointing.and_then(|all| all.joined_behind(name, &partition.id));
            self.open.push(OpenPartition::open(&self.source, partition, cut, behind, &self.counts, self.waker())?);
        }
        Ok(())
    }

    /// Ends the present epoch where a checkpoint is to be taken, and notes how far everything has been read.
    fn pass_checkpoints(&mut self) {
        let desk = Rc::clone(&self.context.desk);
        loop {
            let Some(epoch) = self.passage.checkpoint(&desk.borrow()) else { return };
            let hold = self.hold.as_ref().expect("a source that has ended waits for the last checkpoint");
            let held = hold.event_time();
            let name = &self.source.options.name;
            let open = self.open.iter().map(|open| (open.partition.id.clone(), open.cut(held)));
            let partitions = open.chain(self.ended.iter().cloned()).map(|(id, cut)| (name.clone(), id, cut)).collect();
            let last = {
                let mut desk = desk.borrow_mut();
                let contribution = Contribution { partitions, ..Contribution::default() };
                around(Point::Pick, || desk.contribute(epoch, contribution));
                desk.last().filter(|last| last.epoch == epoch)
            };
            self.commits.borrow_mut().save(epoch, &self.open);
            self.passage.pass(epoch);
            match last {
                Some(last) if last.ended => return self.hold = None,
                Some(_) => self.stopped = true,
                None => {}
            }
            self.open_epoch(epoch.next());
        }
    }

    /// Whether it is known that no checkpoint lies between the open epoch and `epoch`.
    fn may_open(&self, epoch: Epoch) -> bool {
        self.passage.admits(epoch, &self.context.desk.borrow())
    }

    /// Whether flow control allows to read, opening the next epoch where this one is full.
    fn may_go_on(&mut self) -> bool {
        let limits = &self.shared.limits;
        let full = self.epoch_rows >= limits.epoch_rows
            || self.epoch_rows > 0 && self.shared.clock.elapsed() - self.epoch_start >= limits.epoch_interval;
        if !full {
            return true;
        }
        let next = self.epoch().next();
        let open = self.context.probe.with_frontier(|frontier| frontier.iter().map(|stamp| stamp.epoch).min());
        while self.epochs.front().is_some_and(|epoch| open.is_none_or(|open| *epoch < open)) {
            self.epochs.pop_front();
        }
        let limit = match self.epochs.len() as u64 {
            epochs if epochs >= limits.epochs_ahead => Some(Limit::Backpressure { epochs }),
            _ if !self.may_open(next) => Some(Limit::Checkpoint),
            _ => None,
        };
        match limit {
            None => self.open_epoch(next),
            Some(_) => self.standing.meets(limit),
        }
        self.standing.is_free()
    }

    /// Reads one batch, from the partition that is furthest behind of those that have one.
    fn read_next<D: Record>(&mut self, out: &mut Outlet<'_, D>) -> Result<Turn> {
        self.open.sort_by_key(OpenPartition::due);
        let slowest = self.context.control.borrow().slowest();
        let limit = slowest.map_or(EventTime::MAX, |(progress, _)| progress) + self.shared.limits.lockstep;
        let mut at = 0;
        while at < self.open.len() {
            let open = &mut self.open[at];
            let due = open.due();
            if !self.ahead.admits(due, limit) {
                let name = |at: usize| self.context.sources.borrow()[at].options.name().to_string();
                self.standing.meets(slowest.map(|(_, at)| Limit::Lockstep { behind: name(at) }));
                return Ok(Turn::Blocked);
            }
            if open.has_passed(&self.source.scan) {
                // It goes on from behind all that is wanted now; nothing need come for it to end.
                self.close(at, true);
                self.passed = true;
                continue;
            }
            if open.sleeps(&self.shared) {
                at += 1;
                continue;
            }
            match open.ask() {
                Ok(Next::Batch(batch)) if open.has_read(&batch.offset_after) && batch.rows.num_rows() > 0 => {
                    self.counts.repeated.add(batch.rows.num_rows() as u64);
                    return Ok(Turn::Read);
                }
                Ok(Next::Mixed(batch, bad)) if open.has_read(&batch.offset_after) => {
                    self.counts.repeated.add((batch.rows.num_rows() + bad.len()) as u64);
                    return Ok(Turn::Read);
                }
                Ok(Next::Batch(batch)) => {
                    open.waiting_since = None;
                    self.ahead.note(due, limit, batch.rows.num_rows());
                    self.send(at, batch, Vec::new(), out)?;
                    return Ok(Turn::Read);
                }
                Ok(Next::Mixed(batch, bad)) => {
                    open.waiting_since = None;
                    self.ahead.note(due, limit, batch.rows.num_rows());
                    self.send(at, batch, bad, out)?;
                    return Ok(Turn::Read);
                }
                Ok(Next::Pending) => {
                    open.has_nothing(&self.shared);
                    at += 1;
                }
                Ok(Next::End) => self.close(at, false),
                Err(error) => return Err(error.at(&open.partition.id)),
            }
        }
        Ok(if self.unopened.is_empty() { Turn::Waiting } else { Turn::Blocked })
    }

    /// Sends the rows of a batch, and the records among them that cannot be read where those go to a sink.
    fn send<D: Record>(
        &mut self,
        at: usize,
        batch: SourceBatch,
        bad: Vec<Unreadable>,
        out: &mut Outlet<'_, D>,
    ) -> Result<()> {
        let hold = self.hold.as_ref().expect("a source that reads can send");
        let given = batch.rows.num_rows() + bad.len(); // a bad one fills an epoch as a row does: its sink is waited for
        let (mut events, extent, bad) = self.decoder.decode::<D>(&self.open[at], &batch.rows, bad, out.time())?;
        let open = &mut self.open[at];
        let held = hold.event_time();
        let stamp = open.stamp(hold);
        if let Err(position) = open.watermark.pass(&mut events, extent, held) {
            return Err(Error::data(format!(
                "row {} has event time {}, below the bound {} that the source itself gave; its statistics are wrong",
                open.rows + position as u64,
                events.events[position].time,
                open.watermark.now()
            ))
            .at(&open.partition.id));
        }
        if let Some(bound) = batch.bound_after {
            open.watermark.raise(bound);
        }
        out.give_bad(hold, &stamp, bad);
        open.move_to(batch.offset_after, batch.rows.num_rows(), stamp.epoch);
        self.epoch_rows += given;
        self.counts.rows.add(batch.rows.num_rows() as u64);
        let scan = &self.source.scan;
        if !open.partition.wants_all(scan) {
            events = events.transform(|event, out| {
                if open.partition.wants(scan, event.time) {
                    out.push(event)
                }
            });
        }
        let has_passed = open.has_passed(scan);
        out.give(hold, &stamp, events);
        if has_passed {
            self.close(at, true);
            self.passed = true;
        }
        Ok(())
    }

    /// Lets go of a partition that is read to its end, or that has `passed` all that is wanted of it.
    fn close(&mut self, at: usize, passed: bool) {
        let open = self.open.remove(at);
        self.ended_at = self.ended_at.max(open.reached(&self.source.scan));
        self.no_longer_holds(&open);
        if self.context.checkpointing().is_some() {
            let cut = PartitionCut { ended: true, passed, ..open.cut(EventTime::MIN) };
            self.commits.borrow_mut().ends(&open);
            self.ended.push((open.partition.id, cut));
        }
    }

    /// Nothing will be read any more. With checkpoints, the last of them has still to be passed.
    fn end(&mut self) {
        let highest = self.context.control.borrow().highest_epoch();
        if highest > self.epoch() && self.may_open(highest) {
            self.open_epoch(highest);
        }
        let epoch = self.epoch();
        self.finished = true;
        match self.context.checkpointing() {
            None => self.hold = None,
            Some(_) => self.hold.as_mut().expect("only its end takes it").downgrade(&Stamp::new(epoch, EventTime::MAX)),
        }
        self.counts.watermark.set(EventTime::MAX);
        self.standing.ends(&self.source.options.name, &self.shared);
        let state = if self.passed { State::Passed } else { State::Done };
        let (progress, ended, holding) = (EventTime::MAX, self.ended_at, self.ended_holding);
        self.tell(Report { epoch, progress, holding, reached: ended, ended, idle: false, state });
    }

    fn epoch(&self) -> Epoch {
        self.hold.as_ref().expect("only its end takes it").stamp().epoch
    }

    fn open_epoch(&mut self, epoch: Epoch) {
        let hold = self.hold.as_mut().expect("only its end takes it");
        hold.downgrade(&Stamp::new(epoch, hold.event_time()));
        self.epochs.push_back(epoch);
        self.epoch_rows = 0;
        self.epoch_start = self.shared.clock.elapsed();
    }
}
