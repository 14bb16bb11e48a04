//! q5: the auctions with the most bids in ten seconds, every two; first each worker's own, then the most among those.
//!
//! Bids are counted in tables of two seconds, the last five of which are the window: what enters it is added to its
//! totals, and what leaves is subtracted.

use std::collections::VecDeque;

use dualgauge::prelude::*;
use dualgauge::timely::container::CapacityContainerBuilder;
use dualgauge::timely::dataflow::StreamVec;
use dualgauge::timely::dataflow::channels::pact::Exchange;
use dualgauge::timely::dataflow::operators::Capability;
use dualgauge::timely::dataflow::operators::generic::Operator;
use dualgauge::{Event, Result};
use dualgauge_nexmark::Table;
use foldhash::HashMap;

use super::Tables;
use super::panes::{Panes, watermark};

/// How far one window is from the next, in microseconds, and how many of these steps a window spans.
const SLIDE: i64 = 2_000_000;
const SLIDES: usize = 5;

#[record]
struct Bid {
    auction: u64,
    #[event_time]
    date_time: EventTime,
}

#[record]
pub struct HotItem {
    auction: u64,
    bids: u64,
    window_end: EventTime,
    #[event_time]
    time: EventTime,
}

pub fn graph<'s>(tables: &mut Tables<'s>) -> Result<StreamVec<'s, i64, HotItem>> {
    let bids = tables.read::<Bid>(Table::Bids)?;
    let by_auction = Exchange::new(|bid: &Event<Bid>| bid.data.auction);
    let own =
        bids.unary_frontier::<CapacityContainerBuilder<Vec<Event<HotItem>>>, _, _, _>(by_auction, "own", |_, _| {
            let mut panes = Panes::<HashMap<u64, u64>>::new(SLIDE);
            let mut window = Window::default();
            let mut last: Option<(i64, Capability<i64>)> = None;
            move |(input, frontier), output| {
                input.for_each(|cap, bids| {
                    panes.add(bids, &cap, |counts, bid| *counts.entry(bid.data.auction).or_default() += 1)
                });
                let watermark = watermark(frontier);
                while let Some((start, cap, counts)) = panes.close(watermark) {
                    let hottest = window.slide(counts, start + SLIDE);
                    output.session(&cap).give_iterator(hottest.into_iter());
                    last = Some((start, cap));
                }
                // The windows to which nothing is added any more.
                if watermark == i64::MAX
                    && let Some((start, mut cap)) = last.take()
                {
                    for slide in 1..SLIDES as i64 {
                        let end = start + SLIDE + slide * SLIDE;
                        cap.downgrade(&(end - 1));
                        output.session(&cap).give_iterator(window.slide(HashMap::default(), end).into_iter());
                    }
                }
            }
        });
    let to_one = Exchange::new(|_: &Event<HotItem>| 0);
    Ok(own.unary_frontier::<CapacityContainerBuilder<Vec<HotItem>>, _, _, _>(to_one, "all", |_, _| {
        let mut panes = Panes::<Vec<HotItem>>::new(SLIDE);
        move |(input, frontier), output| {
            input.for_each(|cap, items| panes.add(items, &cap, |hottest, item| keep_hottest(hottest, item.data)));
            while let Some((_, cap, hottest)) = panes.close(watermark(frontier)) {
                output.session(&cap).give_iterator(hottest.into_iter());
            }
        }
    }))
}

/// The counts of the last ten seconds.
#[derive(Default)]
struct Window {
    slides: VecDeque<HashMap<u64, u64>>,
    totals: HashMap<u64, u64>,
}

impl Window {
    /// The window that ends with `counts`, at `end`.
    fn slide(&mut self, counts: HashMap<u64, u64>, end: i64) -> Vec<Event<HotItem>> {
        counts.iter().for_each(|(auction, bids)| *self.totals.entry(*auction).or_default() += bids);
        self.slides.push_back(counts);
        if self.slides.len() > SLIDES {
            for (auction, bids) in self.slides.pop_front().expect("there are some") {
                let total = self.totals.get_mut(&auction).expect("it was added");
                *total -= bids;
                if *total == 0 {
                    self.totals.remove(&auction);
                }
            }
        }
        let (window_end, time) = (EventTime::from_micros(end), EventTime::from_micros(end - 1));
        let mut hottest = Vec::new();
        for (&auction, &bids) in &self.totals {
            keep_hottest(&mut hottest, HotItem { auction, bids, window_end, time });
        }
        hottest.into_iter().map(|item| Event::new(time, item)).collect()
    }
}

#[inline]
fn keep_hottest(hottest: &mut Vec<HotItem>, item: HotItem) {
    let bids = hottest.first().map_or(0, |first| first.bids);
    if item.bids > bids {
        hottest.clear();
    }
    if item.bids >= bids {
        hottest.push(item);
    }
}
