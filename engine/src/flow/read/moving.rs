//! How far a source moves its capability, and what it reports to the others about that.
//!
//! A partition that is idle holds nothing, and follows the others. How far does not depend on the worker that has it,
//! nor on who looks first ([`Holding`]). While any partition of a source is idle, what the source sends goes under the
//! least watermark that its other partitions hold, on whatever worker; where none of them holds, under that of the
//! other sources; and where nothing holds any more, where the last to fall idle left it, or as far as those that have
//! ended and [`AllIdle`] say.

use super::partition::OpenPartition;
use super::{SourceDriver, Turn};
use crate::commit::{Control, Holding, Report, State};
use crate::flow::options::AllIdle;
use crate::run::Limit;
use crate::time::Stamp;
use crate::{Duration, EventTime};

/// The smallest step of event time: a watermark this far beyond an event has passed it.
const STEP: Duration = Duration::from_micros(1);

impl SourceDriver {
    /// Moves the capability to what this source can still send, and reports that to the others.
    pub(super) fn move_on(&mut self, turn: Turn) {
        let next = self.unopened.front().map(|next| next.bound.unwrap_or(EventTime::MIN));
        let all_ended = self.open.is_empty() && next.is_none();
        // Where others of this source are idle, what ended here may be all that holds them where they fell idle: on
        // another worker their own watermark may be further on, and would then pass the rows that are held here.
        if all_ended && !self.context.control.borrow().has_idle_elsewhere(self.index) {
            return self.end();
        }
        let (idle_after, told) = (self.source.options.idle_after, self.holds_beyond);
        let held = self.hold.as_ref().expect("only its end takes it").event_time();
        let open = self.open.iter_mut();
        let fallen =
            open.filter_map(|open| open.falls_idle(idle_after, held, told, &self.shared).then_some(())).count();
        if fallen > 0 {
            self.counts.fell_idle.add(fallen as u64);
        }
        let idle = self.open.iter().any(OpenPartition::is_idle);
        let progress = self.open.iter().filter(|open| !open.is_idle()).map(|open| open.watermark.progress());
        let progress = progress.chain(next).min();
        let reached = self.open.iter().map(|open| open.watermark.now()).max().unwrap_or(EventTime::MIN);
        let mut own = self.holding(next);
        let (highest, followed, over, alone) = {
            let control = self.context.control.borrow();
            if !own.over {
                // A partition that has fallen idle must learn that something here still holds.
                self.holds_beyond = control.last_over().min(EventTime::LAST) + STEP;
                own.until = own.until.max(self.holds_beyond);
            }
            let followed = if idle || all_ended { self.followed(own, &control) } else { own.watermark };
            (control.highest_epoch(), followed, own.over && self.is_over(&control), control.nothing_holds())
        };
        if over {
            return self.end();
        }
        let state = match turn {
            _ if own.over => State::Idle,
            Turn::Waiting => State::Waiting,
            Turn::Read | Turn::Blocked => State::Active,
        };
        if turn != Turn::Read && highest > self.epoch() && self.may_open(highest) {
            self.open_epoch(highest);
        }
        self.tell_standing(own, alone);
        let hold = self.hold.as_mut().expect("only its end takes it");
        let Stamp { epoch, event_time: held } = hold.stamp();
        // Only a source that has ended reaches the end of time: there everything is over.
        let watermark = followed.min(EventTime::LAST).max(held);
        hold.downgrade(&Stamp::new(epoch, watermark));
        self.counts.watermark.set(watermark);
        let progress = progress.unwrap_or(watermark);
        if !own.over {
            own.watermark = own.watermark.max(watermark); // what came back from behind holds from where it is judged
        }
        let holding = own;
        let (reached, ended) = (reached.max(self.ended_at), self.ended_at);
        self.tell(Report { epoch, progress, holding, reached, ended, idle, state });
    }

    /// What the partitions here hold; `next` is the bound of those that are not open yet.
    fn holding(&self, next: Option<EventTime>) -> Holding {
        let open = self.open.iter().map(|open| open.holding(self.source.options.idle_after, &self.shared));
        let next = next.map(|watermark| Holding { over: false, until: EventTime::MAX, watermark });
        Holding::together(open.chain(next).chain([self.ended_holding]))
    }

    /// Notes what a partition that has ended held last.
    pub(super) fn no_longer_holds(&mut self, open: &OpenPartition) {
        let held = self.hold.as_ref().expect("a source that reads can send").event_time();
        self.ended_holding =
            Holding::together([self.ended_holding, open.ceases(held, self.holds_beyond, &self.shared)]);
    }

    /// Notes what it waits for: a limit that it has met, or a partition that is silent and holds the watermark, or
    /// nothing. It is `alone` where no other source holds anything either.
    fn tell_standing(&mut self, own: Holding, alone: bool) {
        let options = &self.source.options;
        let mut since = None;
        if self.standing.is_free() && !own.over {
            let silent = self.open.iter().filter(|open| !open.is_idle() && open.watermark.now() == own.watermark);
            let silent = silent.filter_map(|open| Some((open.waiting_since?, open)));
            if let Some((waits, open)) = silent.min_by_key(|(since, _)| *since) {
                since = Some(waits);
                self.standing.waits_for(&open.partition.id, own.watermark, options.idle_after);
            }
        } else if self.standing.is_free() && alone && options.all_idle.unwrap_or_default() == AllIdle::Stay {
            let watermark = self.hold.as_ref().expect("only its end takes it").event_time();
            self.standing.meets(Some(Limit::AllIdle { watermark }));
        }
        self.standing.end_turn(&options.name, since, &self.shared);
    }

    /// How far this source may go while one of its partitions is idle and those here hold `own`.
    fn followed(&self, own: Holding, control: &Control) -> EventTime {
        let source = control.held_of(self.index, own);
        if !source.over {
            return source.watermark;
        }
        let all = control.held_by_all(self.index, source);
        let reached = source.watermark.max(all.watermark);
        if !all.over {
            return reached;
        }
        let ended = control.ended_at();
        let ended = if ended > EventTime::MIN { ended + STEP } else { ended };
        let chosen = match self.source.options.all_idle.unwrap_or_default() {
            AllIdle::Stay => EventTime::MIN,
            AllIdle::Greatest => control.reached(self.index),
            AllIdle::Clock => self.shared.clock.now(),
        };
        reached.max(ended).max(chosen)
    }

    /// Whether no partition here need be waited for: all are idle, and the source has passed what is wanted of it; or
    /// all those that are not idle have ended, and what is wanted ends before that, or lies in the past.
    fn is_over(&self, control: &Control) -> bool {
        if self.passed || control.has_passed(self.index) {
            return true;
        }
        let Some(until) = self.source.until else { return false };
        let ended = control.ended_at();
        let alone = control.nothing_holds() && ended > EventTime::MIN;
        alone && (until <= ended + STEP || until <= self.shared.clock.now())
    }

    /// Reports to the others when it makes a difference to them. If nobody follows a source, they need not know every
    /// batch; a source that follows it judges by what is known. How long it holds matters only to those who wait for
    /// it.
    pub(super) fn tell(&mut self, report: Report) {
        let grain = Duration::from_micros(self.shared.limits.lockstep.as_micros() / 8);
        let news = self.reported.is_none_or(|last| {
            let mut as_long = report;
            if !report.holding.over {
                as_long.holding.until = last.holding.until;
            }
            let control = self.context.control.borrow();
            last.state != report.state
                || last.epoch != report.epoch
                || last.idle != report.idle
                || report.progress - last.progress >= grain
                || report.holding.watermark - last.holding.watermark >= grain
                || last != as_long && (report.idle || control.is_followed(self.index))
                || last.holding.until < report.holding.until && last.holding.until <= control.last_over()
        });
        if news {
            self.reported = Some(report);
            self.context.control.borrow_mut().report(self.index, report);
        }
    }
}
