//! Who may take the next step: a parameter, so that a test can choose the order.

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
