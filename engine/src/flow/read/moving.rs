//! How far a source moves its capability, and what it tells the others of that.
//!
//! A partition that is idle holds nothing, and follows the others. How far does not depend on the worker that has it: while
//! any partition of a source is idle, what is sent of the source goes under the least watermark that its other partitions
//! hold, on whatever worker; where none of them holds, under that of the other sources; and where nothing holds any more,
//! as far as those that have ended and [`AllIdle`] say.

use super::{SourceDriver, Turn};
use crate::commit::{Control, Report, State};
use crate::flow::options::AllIdle;
use crate::run::Limit;
use crate::time::Stamp;
use crate::{Duration, EventTime};

/// The step of event time: a watermark one further than an event has passed it.
const STEP: Duration = Duration::from_micros(1);

impl SourceDriver {
    /// Moves the capability to what this source can still send, and tells the others.
    pub(super) fn move_on(&mut self, turn: Turn) {
        let next = self.unopened.front().map(|next| next.bound.unwrap_or(EventTime::MIN));
        if self.open.is_empty() && next.is_none() {
            return self.end();
        }
        let (now, idle_after) = (self.shared.clock.elapsed(), self.source.options.idle_after);
        let fallen = self.open.iter_mut().filter_map(|open| open.falls_idle(now, idle_after).then_some(())).count();
        if fallen > 0 {
            self.fell_idle.add(fallen as u64);
        }
        let idle = self.open.iter().any(|open| open.idle);
        let holding = || self.open.iter().filter(|open| !open.idle);
        let own = holding().map(|open| open.watermark.now()).chain(next).min();
        let progress = holding().map(|open| open.watermark.progress()).chain(next).min();
        let reached = self.open.iter().map(|open| open.watermark.now()).max().unwrap_or(EventTime::MIN);
        let (highest, followed, over) = {
            let control = self.context.control.borrow();
            let followed = if idle { self.followed(own, &control) } else { own };
            (control.highest_epoch(), followed, own.is_none() && self.is_over(&control))
        };
        if over {
            return self.end();
        }
        let state = match turn {
            _ if own.is_none() => State::Idle,
            Turn::Waiting => State::Waiting,
            Turn::Read | Turn::Blocked => State::Active,
        };
        if turn != Turn::Read && highest > self.epoch() && self.may_open(highest) {
            self.open_epoch(highest);
        }
        self.tell_standing(own);
        let hold = self.hold.as_mut().expect("only its end takes it");
        let Stamp { epoch, event_time: held } = hold.stamp();
        // The end of time is reached by a source that has ended, and by no other: there everything is over.
        let watermark = followed.unwrap_or(held).min(EventTime::LAST).max(held);
        hold.downgrade(&Stamp::new(epoch, watermark));
        self.watermark.set(watermark);
        let progress = progress.unwrap_or(watermark);
        // Others are told what is held here by itself: two that follow each other would stand still.
        let watermark = own.unwrap_or(watermark).min(EventTime::LAST).max(watermark);
        let (reached, ended) = (reached.max(self.ended_at), self.ended_at);
        self.tell(Report { epoch, progress, watermark, reached, ended, idle, state });
    }

    /// Notes what it waits for: a limit that it has met, or a partition from which nothing comes and that holds the
    /// watermark, or nothing.
    fn tell_standing(&mut self, own: Option<EventTime>) {
        let options = &self.source.options;
        let mut since = None;
        if self.standing.is_free() {
            let held_by = own.and_then(|own| {
                let silent = self.open.iter().filter(|open| !open.idle && open.watermark.now() == own);
                silent.filter_map(|open| Some((open.waiting_since?, open))).min_by_key(|(since, _)| *since)
            });
            match held_by {
                Some((waits, open)) => {
                    since = Some(waits);
                    self.standing.waits_for(&open.partition.id, own.expect("it is held"), options.idle_after);
                }
                None if own.is_none() && options.all_idle.unwrap_or_default() == AllIdle::Stay => {
                    let watermark = self.hold.as_ref().expect("only its end takes it").event_time();
                    self.standing.meets(Some(Limit::AllIdle { watermark }));
                }
                None => {}
            }
        }
        self.standing.end_turn(&options.name, since, &self.shared);
    }

    /// Up to where this source may go while one of its partitions is idle, and those that are not hold `own` here.
    fn followed(&self, own: Option<EventTime>, control: &Control) -> Option<EventTime> {
        let of_source = own.into_iter().chain(control.held_elsewhere(self.index)).min();
        of_source.or_else(|| control.held_watermark()).or_else(|| {
            let ended = control.ended_at();
            let ended = (ended > EventTime::MIN).then(|| ended + STEP);
            let chosen = match self.source.options.all_idle.unwrap_or_default() {
                AllIdle::Stay => None,
                AllIdle::Greatest => Some(control.reached(self.index)),
                AllIdle::Clock => Some(self.shared.clock.now()),
            };
            ended.max(chosen)
        })
    }

    /// Whether no partition here need be waited for: all are idle, and the source has passed what is wanted of it; or all
    /// that is not idle has ended, and what is wanted ends before that, or lies in the past.
    fn is_over(&self, control: &Control) -> bool {
        if self.passed || control.has_passed(self.index) {
            return true;
        }
        let Some(until) = self.source.until else { return false };
        let ended = control.ended_at();
        let alone = control.held_watermark().is_none() && ended > EventTime::MIN;
        alone && (until <= ended + STEP || until <= self.shared.clock.now())
    }

    /// Tells the others when it makes a difference to them. Of a source without an idle partition they need not know every
    /// batch; where one is idle they judge by what they know.
    pub(super) fn tell(&mut self, report: Report) {
        let grain = Duration::from_micros(self.shared.limits.lockstep.as_micros() / 8);
        let news = self.reported.is_none_or(|last| {
            last.state != report.state
                || last.epoch != report.epoch
                || last.idle != report.idle
                || report.progress - last.progress >= grain
                || report.watermark - last.watermark >= grain
                || last != report && (report.idle || self.context.control.borrow().has_idle(self.index))
        });
        if news {
            self.reported = Some(report);
            self.context.control.borrow_mut().report(self.index, report);
        }
    }
}
