//! A partition that is being read.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::step::{LastRead, note_read};
use super::committed::Reader;
use super::outlet::Hold;
use super::watermark::Watermark;
use crate::checkpoint::PartitionCut;
use crate::commit::Holding;
use crate::flow::bound::BoundSource;
use crate::run::{Position, Shared, SourceCounts};
use crate::time::Stamp;
use crate::{Code, Duration, Epoch, ErrorKind, EventTime, Next, Offset, Partition, Result, Scan, Waker};

/// A partition that is being read, and what is known of the event times it can still give.
pub(super) struct OpenPartition {
    pub(super) partition: Partition,
    pub(super) reader: Rc<RefCell<Reader>>,
    pub(super) watermark: Watermark,
    /// Where reading continues; `None` at its start.
    pub(super) offset: Option<Offset>,
    /// The source and the partition, for messages.
    pub(super) place: Rc<str>,
    /// Rows given so far, to name a bad one by.
    pub(super) rows: u64,
    /// Since when there has been nothing to read.
    pub(super) waiting_since: Option<Duration>,
    /// When it was last asked and had nothing.
    asked: Duration,
    /// What wakes this worker when something comes, where the reader uses it.
    pub(super) waker: Option<Waker>,
    /// What it held when it fell idle; `None` while it is not idle.
    pub(super) idle: Option<Holding>,
    /// Where others see how far it is.
    position: Position,
}

impl OpenPartition {
    /// Opens a partition of `source` at its start, or where an earlier run left it.
    pub(super) fn open(
        source: &BoundSource,
        partition: Partition,
        cut: Option<&PartitionCut>,
        behind: Option<EventTime>, // the watermark it counts from, where it was not there when that was reached
        counts: &SourceCounts,
        waker: Option<Waker>,
    ) -> Result<OpenPartition> {
        let offset = cut.and_then(|cut| cut.offset.clone());
        let reader = source.source.open(&partition, offset.as_ref().or(partition.start.as_ref()), &source.scan);
        let reader = reader.map_err(|error| error.at(&partition.id)).map_err(|error| match &offset {
            // It has been read this far, and what follows is missing or has changed.
            Some(_) if error.kind() == ErrorKind::Data && error.code() != Some(Code::SourceGap) => {
                error.coded(Code::SourceGap)
            }
            _ => error,
        })?;
        let reader = Reader::of(reader);
        if let Some(offset) = &offset {
            // An earlier run may not have come to it.
            reader.borrow_mut().committed(offset).map_err(|error| error.at(&partition.id))?;
        }
        let waker = waker.filter(|waker| reader.borrow_mut().wake_by(waker));
        let mut watermark = match behind {
            Some(behind) if partition.bound == Some(behind) => joining(source, &partition, behind),
            _ => first_watermark(source, &partition),
        };
        if let Some(cut) = cut {
            watermark.go_on(cut.largest, cut.floor);
        }
        let rows = cut.map_or(0, |cut| cut.rows);
        let place = format!("source {}: {}", source.options.name(), partition.id).into();
        let start = offset.as_ref().or(partition.start.as_ref()).map_or(0, |start| start.position);
        let position = counts.position(&partition.id, start);
        let (waiting_since, asked, idle) = (None, Duration::ZERO, None);
        Ok(OpenPartition {
            place,
            partition,
            reader,
            watermark,
            offset,
            rows,
            waiting_since,
            asked,
            waker,
            idle,
            position,
        })
    }

    /// Asks the reader. Whatever comes from now on wakes this worker, even while the reader is being asked.
    pub(super) fn ask(&mut self) -> Result<Next> {
        if let Some(waker) = &self.waker {
            waker.begin();
        }
        self.reader.borrow_mut().next()
    }

    /// Notes that the reader has nothing.
    pub(super) fn has_nothing(&mut self, shared: &Shared) {
        self.asked = shared.clock.elapsed();
        self.waiting_since.get_or_insert(self.asked);
    }

    /// Whether it need not be asked: it had nothing, and would have woken this worker if that had changed.
    pub(super) fn sleeps(&self, shared: &Shared) -> bool {
        let silent = self.waker.as_ref().is_some_and(|waker| !waker.is_called()) && self.waiting_since.is_some();
        silent && shared.clock.elapsed() < self.asked + shared.left_alone
    }

    /// Whether everything up to `offset` has been read already: here, before the restart, or ahead of where it starts.
    pub(super) fn has_read(&self, offset: &Offset) -> bool {
        let reached = self.offset.as_ref().or(self.partition.start.as_ref());
        reached.is_some_and(|reached| offset.position <= reached.position)
    }

    /// What it sends now goes under this stamp.
    pub(super) fn stamp(&self, hold: &Hold) -> Stamp {
        let Stamp { epoch, event_time: held } = hold.stamp();
        Stamp::new(epoch, self.watermark.now().max(held))
    }

    /// It has been read this far, by `rows` more rows, in this epoch.
    pub(super) fn move_to(&mut self, offset: Offset, rows: usize, epoch: Epoch) {
        self.rows += rows as u64;
        self.position.set(offset.position);
        self.offset = Some(offset);
        note_read(LastRead { place: Rc::clone(&self.place), rows: self.rows, epoch });
    }

    /// How far it has been read, when its source can still send at `held`.
    pub(super) fn cut(&self, held: EventTime) -> PartitionCut {
        let (largest, floor) = self.watermark.cut(held);
        PartitionCut { offset: self.offset.clone(), rows: self.rows, largest, floor, ended: false, passed: false }
    }

    /// The event time at which it is its turn to be read. One that has reached its last event comes first: it is all
    /// but read, and what its reader holds should be dropped.
    pub(super) fn due(&self) -> EventTime {
        let progress = self.watermark.progress();
        // Where all its events are at one time, it is there from the first.
        let one_time = self.partition.upper == self.partition.bound;
        let at_its_last = !one_time && self.partition.upper.is_some_and(|upper| upper <= progress);
        if at_its_last { EventTime::MIN } else { progress }
    }

    /// Checks whether it has been silent so long that its watermark holds no longer; returns whether it has just fallen
    /// idle. Its source sends from `held` on here, and has told the others that it holds up to `told`.
    pub(super) fn falls_idle(
        &mut self,
        idle_after: Option<Duration>,
        held: EventTime,
        told: EventTime,
        shared: &Shared,
    ) -> bool {
        let until = idle_after.zip(self.waiting_since).map(|(limit, since)| since + limit);
        let before = self.idle.take();
        let fallen = until.filter(|until| *until <= shared.clock.elapsed());
        self.idle = fallen.map(|until| before.unwrap_or_else(|| self.over(shared.moment(until).max(told), held)));
        before.is_none() && fallen.is_some()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.idle.is_some()
    }

    /// What it holds of the watermark of its source.
    pub(super) fn holding(&self, idle_after: Option<Duration>, shared: &Shared) -> Holding {
        self.idle.unwrap_or_else(|| {
            // It cannot fall idle before it has been silent that long, counted from now if it is not silent.
            let since = || self.waiting_since.unwrap_or_else(|| shared.clock.elapsed());
            let until = idle_after.map_or(EventTime::MAX, |limit| shared.moment(since() + limit));
            Holding { over: false, until, watermark: self.watermark.now() }
        })
    }

    /// What it held up to now, if it has ended, or when it fell idle.
    pub(super) fn ceases(&self, held: EventTime, told: EventTime, shared: &Shared) -> Holding {
        let idle = self.idle.filter(|_| self.waiting_since.is_some()); // else it has just come back
        idle.unwrap_or_else(|| self.over(shared.moment(shared.clock.elapsed()).max(told), held))
    }

    /// It ceases to hold: one that had come back from behind held from where it was judged.
    fn over(&self, until: EventTime, held: EventTime) -> Holding {
        Holding { over: true, until, watermark: self.watermark.now().max(held) }
    }

    /// The largest event time that it has given of what is wanted.
    pub(super) fn reached(&self, scan: &Scan) -> EventTime {
        self.partition.wanted_up_to(self.watermark.largest(), scan)
    }

    /// Whether all that a followed partition can still hold is unwanted.
    pub(super) fn has_passed(&self, scan: &Scan) -> bool {
        let end = scan.to.into_iter().chain(self.partition.to).min();
        self.partition.followed && end.is_some_and(|end| end <= self.watermark.now())
    }
}

/// How far behind the latest event one may be. A bounded source that says nothing holds back until its end, and one
/// that gives its own watermarks holds back until it gives one.
fn disorder(source: &BoundSource, partition: &Partition) -> Duration {
    let in_order = partition.followed && !source.source.gives_watermarks();
    source.options.disorder.unwrap_or(if in_order { Duration::ZERO } else { Duration::MAX })
}

/// The same for a partition that came to a source which had passed what it may hold: it promises nothing below.
fn joining(source: &BoundSource, partition: &Partition, floor: EventTime) -> Watermark {
    Watermark::Following { floor, largest: EventTime::MIN, disorder: disorder(source, partition) }
}

/// What is known before the first row. A bounded source that knows nothing of its times holds back until its end.
fn first_watermark(source: &BoundSource, partition: &Partition) -> Watermark {
    match partition.bound {
        Some(bound) if !partition.followed => Watermark::Promised { bound, largest: EventTime::MIN },
        floor => Watermark::Following {
            floor: floor.unwrap_or(EventTime::MIN),
            largest: partition.largest_before.unwrap_or(EventTime::MIN),
            disorder: disorder(source, partition),
        },
    }
}
