//! The watermark of a partition, record by record: a pure function of the partition's content.
//!
//! What is late is decided where it is read, by its own partition's order. What other partitions, workers and steps know at
//! that moment has no say.

use crate::{Batch, Duration, Event, EventTime};

/// The least and the greatest event time of some events; for none, the two ends of time swapped.
///
/// Every event that is read passes here once, so there is no branch per event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) least: EventTime,
    pub(crate) greatest: EventTime,
}

impl Extent {
    pub(crate) fn of<D>(events: &[Event<D>]) -> Extent {
        let none = Extent { least: EventTime::MAX, greatest: EventTime::MIN };
        events.iter().fold(none, |Extent { least, greatest }, event| Extent {
            least: least.min(event.time),
            greatest: greatest.max(event.time),
        })
    }
}

/// What is known about the event times still to come in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watermark {
    /// The source promises it; a record below it is a broken promise.
    Promised {
        /// No event time below it follows.
        bound: EventTime,
        /// The largest event time so far.
        largest: EventTime,
    },
    /// It follows the largest event time so far at a distance, or stands at `floor` until that passes it.
    Following {
        /// Where it starts: the beginning of time, or the seam of a hybrid source.
        floor: EventTime,
        /// The largest event time so far.
        largest: EventTime,
        /// How far behind it a record may be and still be on time.
        disorder: Duration,
    },
}

impl Watermark {
    /// The watermark just before the next record.
    pub(crate) fn now(&self) -> EventTime {
        match *self {
            Watermark::Promised { bound, .. } => bound,
            Watermark::Following { floor, largest, disorder } => floor.max(largest - disorder),
        }
        .min(EventTime::LAST) // only what has ended reaches the end of time
    }

    /// How far the partition has been read, in event time: what lockstep compares.
    pub(crate) fn progress(&self) -> EventTime {
        match *self {
            Watermark::Promised { bound, .. } => bound,
            Watermark::Following { floor, largest, .. } => floor.max(largest),
        }
    }

    /// The largest event time so far; [`EventTime::MIN`] before the first. It follows from the partition alone, whereas
    /// the watermark itself also depends on what was promised when.
    pub(crate) fn largest(&self) -> EventTime {
        match *self {
            Watermark::Promised { largest, .. } | Watermark::Following { largest, .. } => largest,
        }
    }

    /// The source says that nothing below `bound` will follow.
    pub(crate) fn raise(&mut self, bound: EventTime) {
        match self {
            Watermark::Promised { bound: promised, .. } => *promised = bound.max(*promised),
            Watermark::Following { floor, .. } => *floor = bound.max(*floor),
        }
    }

    /// What a checkpoint needs in order to resume: the largest event time so far, and the least that will be sent when
    /// the source can still send at `held`.
    pub(crate) fn cut(&self, held: EventTime) -> (EventTime, EventTime) {
        match *self {
            Watermark::Promised { bound, largest } => (largest, bound),
            Watermark::Following { floor, largest, .. } => (largest, floor.max(held)),
        }
    }

    /// Resumes from a cut of the same partition.
    pub(crate) fn go_on(&mut self, seen: EventTime, held: EventTime) {
        match self {
            Watermark::Promised { bound, largest } => (*bound, *largest) = (held.max(*bound), seen.max(*largest)),
            Watermark::Following { floor, largest, .. } => (*floor, *largest) = (held.max(*floor), seen.max(*largest)),
        }
    }

    /// Moves past the events of `batch`, whose times have this `extent`, notes those that are behind, and returns the
    /// first that breaks a promise. The watermark noted is never below `capability`, under which the source could still
    /// send.
    ///
    /// It does not depend on where one batch ends and the next begins.
    pub(crate) fn pass<D>(&mut self, batch: &mut Batch<D>, extent: Extent, capability: EventTime) -> Result<(), usize> {
        let reached = extent.greatest.max(self.largest());
        match self {
            Watermark::Promised { bound, largest } => {
                if extent.least < *bound {
                    let breaks = |event: &Event<D>| event.time < *bound;
                    return Err(batch.events.iter().position(breaks).expect("the least of them is one"));
                }
                *largest = reached;
            }
            // The watermark behind the last of them is the highest: what is not below that is not late.
            Watermark::Following { floor, largest, disorder } if extent.least >= (reached - *disorder).max(*floor) => {
                *largest = reached;
            }
            Watermark::Following { floor, largest, disorder } => {
                for position in 0..batch.events.len() {
                    let time = batch.events[position].time;
                    let watermark = (*largest - *disorder).max(*floor).min(EventTime::LAST);
                    if time < watermark {
                        batch.set_behind(position, watermark.max(capability));
                    }
                    *largest = time.max(*largest);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Durations;

    fn at(seconds: i64) -> EventTime {
        EventTime::default() + seconds.seconds()
    }

    fn batch(times: &[i64]) -> Batch<()> {
        Batch::from(times.iter().map(|&time| Event::new(at(time), ())).collect::<Vec<_>>())
    }

    fn following(disorder: i64) -> Watermark {
        Watermark::Following { floor: EventTime::MIN, largest: EventTime::MIN, disorder: disorder.seconds() }
    }

    fn pass(watermark: &mut Watermark, batch: &mut Batch<()>, capability: EventTime) -> Result<(), usize> {
        let extent = Extent::of(&batch.events);
        watermark.pass(batch, extent, capability)
    }

    #[test]
    fn an_event_exactly_disorder_behind_is_on_time() {
        let (mut watermark, mut batch) = (following(3), batch(&[10, 7, 6]));
        pass(&mut watermark, &mut batch, EventTime::MIN).unwrap();
        assert_eq!(batch.behind(), [(2, at(7))]);
        assert_eq!(watermark.now(), at(7));
    }

    #[test]
    fn the_watermark_does_not_depend_on_batch_borders() {
        let times = [5, 9, 2, 9, 12, 1, 8, 20, 3];
        let (mut whole, mut all) = (following(3), batch(&times));
        pass(&mut whole, &mut all, EventTime::MIN).unwrap();
        for cut in 0..=times.len() {
            let (mut parts, mut first, mut second) = (following(3), batch(&times[..cut]), batch(&times[cut..]));
            pass(&mut parts, &mut first, EventTime::MIN).unwrap();
            pass(&mut parts, &mut second, EventTime::MIN).unwrap();
            let shifted = second.behind().iter().map(|&(position, mark)| (position + cut as u32, mark));
            let behind: Vec<_> = first.behind().iter().copied().chain(shifted).collect();
            assert_eq!((parts, behind.as_slice()), (whole, all.behind()), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_behind_is_judged_by_the_capability_where_that_is_higher() {
        let (mut watermark, mut batch) = (following(0), batch(&[5, 1]));
        pass(&mut watermark, &mut batch, at(50)).unwrap();
        assert_eq!(batch.behind(), [(1, at(50))]);
    }

    #[test]
    fn a_broken_promise_is_pointed_at() {
        let mut watermark = Watermark::Promised { bound: at(5), largest: EventTime::MIN };
        assert_eq!(pass(&mut watermark, &mut batch(&[5, 9]), EventTime::MIN), Ok(()));
        assert_eq!(pass(&mut watermark, &mut batch(&[9, 4]), EventTime::MIN), Err(1));
    }
}
