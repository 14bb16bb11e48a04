//! Who may take the next step: a parameter, so that a test can choose the order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use timely::logging::{TimelyEvent, TimelyEventBuilder, TimelyProgressEventBuilder};
use timely::worker::Worker;

use crate::Duration;
use crate::time::Stamp;

/// Decides when a worker may step.
pub trait Turns: Send + Sync {
    /// Waits until `worker` may take a step.
    fn take(&self, worker: usize);
    /// The step is over; `done` when the worker will take no other.
    fn pass(&self, worker: usize, done: bool);
    /// Whether the job is killed now: every worker stops where it stands, as if the process were gone.
    fn killed(&self) -> bool {
        false
    }
    /// Whether a worker with nothing to do may sleep. One that is scheduled may not: its turn would not end.
    fn may_park(&self) -> bool;
    /// How long a reader that says it wakes its worker is left alone while it does not; `None` means a second.
    fn left_alone(&self) -> Option<Duration> {
        None
    }
    /// What counts everything that moves between the workers and within them, if anybody wants to know.
    fn moves(&self) -> Option<Arc<AtomicU64>> {
        None
    }
}

/// Counts every message and every word of progress that `worker` sends or takes; called before its dataflows are built.
pub(crate) fn count_moves(worker: &Worker, moves: &Arc<AtomicU64>) {
    let Some(mut register) = worker.log_register() else { return };
    let count = |moves: &Arc<AtomicU64>| {
        let moves = Arc::clone(moves);
        move |events: usize| {
            moves.fetch_add(events as u64, Ordering::SeqCst);
        }
    };
    let each = count(moves);
    register.insert::<TimelyEventBuilder, _>("timely", move |_, events| {
        let moved = |event: &TimelyEvent| matches!(event, TimelyEvent::Messages(_) | TimelyEvent::PushProgress(_));
        each(events.iter().flatten().filter(|(_, event)| moved(event)).count());
    });
    let each = count(moves);
    let name = format!("timely/progress/{}", std::any::type_name::<Stamp>());
    register
        .insert::<TimelyProgressEventBuilder<Stamp>, _>(&name, move |_, events| each(events.iter().flatten().count()));
    let each = count(moves);
    let name = format!("timely/progress/{}", std::any::type_name::<u64>());
    register
        .insert::<TimelyProgressEventBuilder<u64>, _>(&name, move |_, events| each(events.iter().flatten().count()));
}

/// All workers step whenever they like.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyOrder;

impl Turns for AnyOrder {
    fn take(&self, _: usize) {}
    fn pass(&self, _: usize, _: bool) {}
    fn may_park(&self) -> bool {
        true
    }
}
