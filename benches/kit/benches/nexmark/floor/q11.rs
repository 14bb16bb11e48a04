//! q11: how many bids each bidder makes until ten seconds pass without one.
//!
//! Bids are processed second by second, in the order of their times, so that a bidder has one open visit. Each visit is
//! in the list of the second in which it would end if no more bids came; there it is checked again.

use std::collections::BTreeMap;

use dualgauge::prelude::*;
use dualgauge::timely::container::CapacityContainerBuilder;
use dualgauge::timely::dataflow::StreamVec;
use dualgauge::timely::dataflow::channels::pact::Exchange;
use dualgauge::timely::dataflow::operators::Capability;
use dualgauge::timely::dataflow::operators::generic::Operator;
use dualgauge::{Event, Result};
use dualgauge_nexmark::Table;
use foldhash::HashMap;

use super::panes::{Panes, watermark};
use super::{TEN_SECONDS, Tables};

const SECOND: i64 = 1_000_000;

#[record]
struct Bid {
    bidder: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
pub struct Visit {
    bidder: u64,
    bids: u64,
    start: EventTime,
    end: EventTime,
    #[event_time]
    time: EventTime,
}

pub fn graph<'s>(tables: &mut Tables<'s>) -> Result<StreamVec<'s, i64, Visit>> {
    let bids = tables.read::<Bid>(Table::Bids)?;
    let by_bidder = Exchange::new(|bid: &Event<Bid>| bid.data.bidder);
    Ok(bids.unary_frontier::<CapacityContainerBuilder<Vec<Visit>>, _, _, _>(by_bidder, "q11", |_, _| {
        let mut panes = Panes::<Vec<Event<Bid>>>::new(SECOND);
        let mut visits = Visits::default();
        let mut last: Option<Capability<i64>> = None;
        move |(input, frontier), output| {
            input.for_each(|cap, bids| panes.add(bids, &cap, |pane, bid| pane.push(bid)));
            let watermark = watermark(frontier);
            while let Some((start, cap, mut bids)) = panes.close(watermark) {
                bids.sort_by_key(|bid| bid.time); // two runs, one of which is usually empty
                let mut session = output.session(&cap);
                bids.iter().for_each(|bid| visits.add(bid, |visit| session.give(visit)));
                visits.close(start + SECOND, |visit| session.give(visit));
                drop(session);
                last = Some(cap);
            }
            if watermark == i64::MAX
                && let Some(cap) = last.take()
            {
                let mut session = output.session(&cap);
                visits.close(i64::MAX, |visit| session.give(visit));
            }
        }
    }))
}

/// The visits that are open: first bid, last bid, how many.
#[derive(Default)]
struct Visits {
    open: HashMap<u64, (i64, i64, u64)>,
    /// Who is to be checked when the watermark passes a second.
    ends: BTreeMap<i64, Vec<u64>>,
}

impl Visits {
    #[inline]
    fn add(&mut self, bid: &Event<Bid>, ended: impl FnOnce(Visit)) {
        let (time, bidder) = (bid.time.as_micros(), bid.data.bidder);
        match self.open.get_mut(&bidder) {
            Some((_, last, bids)) if time - *last < TEN_SECONDS => (*last, *bids) = (time, *bids + 1),
            Some(visit) => ended(done(bidder, std::mem::replace(visit, (time, time, 1)))),
            None => {
                self.open.insert(bidder, (time, time, 1));
                self.ends.entry((time + TEN_SECONDS).div_euclid(SECOND)).or_default().push(bidder);
            }
        }
    }

    /// Ends the visits to which no bid can come, given that all before `end` have.
    fn close(&mut self, end: i64, mut ended: impl FnMut(Visit)) {
        while let Some(first) = self.ends.first_entry().filter(|first| *first.key() < end.div_euclid(SECOND)) {
            for bidder in first.remove() {
                let visit = self.open[&bidder];
                if visit.1 + TEN_SECONDS <= end {
                    self.open.remove(&bidder);
                    ended(done(bidder, visit));
                } else {
                    self.ends.entry((visit.1 + TEN_SECONDS).div_euclid(SECOND)).or_default().push(bidder);
                }
            }
        }
    }
}

fn done(bidder: u64, (start, last, bids): (i64, i64, u64)) -> Visit {
    let end = EventTime::from_micros(last + TEN_SECONDS);
    Visit { bidder, bids, start: EventTime::from_micros(start), end, time: end - 1.micros() }
}
