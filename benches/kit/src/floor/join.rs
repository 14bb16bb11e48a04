//! This one join as a program.

use super::panes::Panes;
use super::{Failure, Sources, run, write};
use crate::contestant::{Ends, Setting};
use crate::records::{Joined, Row};
use crate::workload::Side;
use dualgauge::sink::Writing;
use dualgauge::timely::container::CapacityContainerBuilder;
use dualgauge::timely::dataflow::channels::pact::Exchange;
use dualgauge::timely::dataflow::operators::generic::Operator;
use dualgauge::timely::worker::Worker;
use dualgauge::{Event, EventTime, Record, Result};

/// Joins the streams of `setting`.
pub(crate) fn join(setting: &Setting, ends: &Ends) -> Result<()> {
    let (setting, ends) = (*setting, ends.clone());
    run(setting.workers, move |worker, failure| dataflow(worker, &setting, &ends, failure))
}

fn dataflow(worker: &mut Worker, setting: &Setting, ends: &Ends, failure: &Failure) -> Result<()> {
    let writer = ends.sink.open(worker.index(), &Joined::schema(), &Writing::default())?;
    let windows = setting.windows;
    worker.dataflow::<i64, _, _>(|scope| {
        let mut sources = Sources::new(scope, windows.size, failure);
        let (left, right) = (sources.read::<Row>(&ends.left)?, sources.read::<Row>(&ends.right)?);
        // A key of the bench is already a random number, of which timely takes the low bits.
        let by_key = || Exchange::new(|event: &Event<Row>| event.data.key);
        let pairs = left.binary_frontier::<_, CapacityContainerBuilder<Vec<Joined>>, _, _, _, _>(
            right,
            by_key(),
            by_key(),
            "join",
            |_, _| {
                let mut panes = Panes::new(windows);
                move |(left, left_frontier), (right, right_frontier), output| {
                    let port = output.output_index();
                    left.for_each(|cap, rows| panes.add(Side::Left, rows, |time| cap.delayed(&time, port)));
                    right.for_each(|cap, rows| panes.add(Side::Right, rows, |time| cap.delayed(&time, port)));
                    let both = left_frontier.frontier().iter().chain(right_frontier.frontier().iter()).min().copied();
                    panes.close(EventTime::from_micros(both.unwrap_or(i64::MAX)), |cap, pairs| {
                        let mut session = output.session(cap);
                        pairs.for_each(|pair| session.give(pair));
                    });
                }
            },
        );
        write(pairs, writer, failure);
        Ok(())
    })
}
