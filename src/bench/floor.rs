//! The floor: this one join as a program on timely, written by hand.
//!
//! It reads by the same connectors and writes to the same sink as a job, so that what lies between is compared. What it
//! leaves out is what a job is for: epochs, and with them checkpoints and flow control; late records; output in order.
//! Its timestamp is the watermark alone, in microseconds.

mod panes;
mod read;

use std::rc::Rc;
use std::sync::{Arc, Mutex};

use panes::Panes;
use read::{Pace, read};

use super::contestant::{Ends, Setting};
use super::records::{Joined, Row};
use super::workload::Side;
use crate::sink::{SinkWriter, Writing};
use crate::timely::container::CapacityContainerBuilder;
use crate::timely::dataflow::channels::pact::{Exchange, Pipeline};
use crate::timely::dataflow::operators::generic::Operator;
use crate::timely::worker::Worker;
use crate::timely::{Config, execute};
use crate::{Epoch, Error, ErrorKind, Event, EventTime, Record, Result};

/// How many pairs are encoded at once.
const ROWS: usize = 8192;

/// What went wrong first, on any worker.
type Failure = Arc<Mutex<Option<Error>>>;

/// Joins the streams of `setting`.
pub(super) fn join(setting: &Setting, ends: &Ends) -> Result<()> {
    let failure = Failure::default();
    let (setting, ends, failed) = (*setting, ends.clone(), Arc::clone(&failure));
    let config = if setting.workers == 1 { Config::thread() } else { Config::process(setting.workers) };
    let build = move |worker: &mut Worker| {
        if let Err(error) = dataflow(worker, &setting, &ends, &failed) {
            fail(&failed, error);
        }
    };
    let workers = execute(config, build).map_err(Error::environment)?;
    for worker in workers.join() {
        worker.map_err(|message| Error::new(ErrorKind::Panic, message))?;
    }
    let failure = failure.lock().expect("no panic holds it").take();
    failure.map_or(Ok(()), Err)
}

fn fail(failure: &Failure, error: Error) {
    failure.lock().expect("no panic holds it").get_or_insert(error);
}

fn dataflow(worker: &mut Worker, setting: &Setting, ends: &Ends, failure: &Failure) -> Result<()> {
    let (index, peers) = (worker.index(), worker.peers());
    let pace = Rc::new(Pace::new(setting.windows.size));
    let writer = ends.sink.open(index, &Joined::schema(), &Writing::default())?;
    let (windows, failure) = (setting.windows, Arc::clone(failure));
    worker.dataflow::<i64, _, _>(|scope| {
        let side = |source, side| read(scope, source, side, (index, peers), &pace, &failure);
        let (left, right) = (side(&ends.left, Side::Left)?, side(&ends.right, Side::Right)?);
        // A key of the bench is a random number already, of which timely takes the low bits.
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
        let mut rows = Vec::with_capacity(ROWS);
        let mut writer = Some(writer);
        pairs.sink(Pipeline, "joined", move |(input, frontier)| {
            let Some(open) = &mut writer else { return };
            let mut written = Ok(());
            input.for_each(|_, pairs| {
                rows.append(pairs);
                if rows.len() >= ROWS && written.is_ok() {
                    written = write(&mut **open, &mut rows);
                }
            });
            written = written.and_then(|()| write(&mut **open, &mut rows));
            if frontier.is_empty() {
                written = written.and_then(|()| publish(&mut **open));
                writer = None;
            }
            if let Err(error) = written {
                fail(&failure, error);
            }
        });
        Ok(())
    })
}

fn write(writer: &mut dyn SinkWriter, rows: &mut Vec<Joined>) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let times: Vec<EventTime> = rows.iter().map(|row| row.time).collect();
    writer.write(&times, &Joined::encode(rows.iter()))?;
    rows.clear();
    Ok(())
}

/// Makes visible what was written: at the end, since nothing is committed before.
fn publish(writer: &mut dyn SinkWriter) -> Result<()> {
    let prepared = writer.prepare(Epoch(0), EventTime::MAX)?;
    writer.commit(Epoch(0), &prepared)
}
