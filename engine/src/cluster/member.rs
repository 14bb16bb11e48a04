//! One process of a cluster, from the first connection to the last goodbye.

use std::any::Any;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;

use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::communication::{Hooks, WorkerGuards};
use timely::worker::Worker;

use super::bootstrap::{self, Connection};
use super::handshake::{Identity, Purpose};
use super::links::{Links, Start};
use super::stream::{DataStream, Ends};
use super::terms::Terms;
use super::{Cluster, Timing};
use crate::run::Shared;
use crate::{Error, ErrorKind, Result};

/// How often to check whether the workers have ended.
const LOOK: std::time::Duration = std::time::Duration::from_millis(2);

/// This process among the others, connected to all of them.
pub(crate) struct Member {
    me: usize,
    workers: usize,
    timing: Timing,
    links: Arc<Links>,
    /// The data connections, by process, until the workers start.
    data: Vec<Option<Connection>>,
    /// The same, to be shut down when the job fails.
    shut: Vec<TcpStream>,
    /// Timely's threads for the connections, which end when this is dropped.
    comms: Option<Box<dyn Any + Send>>,
    threads: Vec<thread::JoinHandle<()>>,
    left: bool,
    /// Workers are still running that nobody waits for any more.
    abandoned: bool,
}

impl Member {
    /// Connects to the other processes; whatever ends the job in one of them from now on also ends it in `shared`.
    ///
    /// # Errors
    /// When not all are there in time, or they do not fit together.
    pub(crate) fn join(cluster: &Cluster, terms: Terms, workers: usize, shared: &Arc<Shared>) -> Result<Member> {
        let timing = cluster.timing;
        let identity = Identity {
            process: cluster.process as u16,
            processes: cluster.processes() as u16,
            attempt: cluster.attempt,
            cluster: cluster.name.clone(),
            secret: cluster.secret.clone(),
            terms: Terms { encrypted: cluster.encrypted, ..terms },
        };
        let listener = cluster.listener.lock().expect("no panic holds it").take();
        let mut joined = bootstrap::connect(&identity, &cluster.hosts, listener, timing, &shared.clock)?;
        let mut of = |purpose| -> Vec<Option<Connection>> {
            (0..identity.processes).map(|process| joined.remove(&(process, purpose))).collect()
        };
        let (data, control) = (of(Purpose::Data), of(Purpose::Control));
        let failed = |cause| Error::io("the connections to the other processes cannot be used", cause);
        let shut = data
            .iter()
            .flatten()
            .map(|connection| connection.stream.try_clone())
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        let (links, threads) =
            Links::start(identity.process, cluster.hosts.clone(), control, shared, timing).map_err(failed)?;
        Ok(Member {
            me: cluster.process,
            workers,
            timing,
            links,
            data,
            shut,
            comms: None,
            threads,
            left: false,
            abandoned: false,
        })
    }

    /// Whether this is process 0, which speaks for all.
    pub(crate) fn is_first(&self) -> bool {
        self.me == 0
    }

    /// Announces to the others where to start.
    pub(crate) fn say_start(&self, start: Start) {
        self.links.say_start(start);
    }

    /// Waits until process 0 says where to start.
    pub(crate) fn hear_start(&self) -> Result<Start> {
        self.links.wait(Links::started).ok_or_else(|| self.failure())
    }

    /// Why the job ends, in this process or another.
    fn failure(&self) -> Error {
        self.links.shared.failed_with().expect("a job that is stopping has failed")
    }

    /// Leaves the others with an error that came up before the workers ran; returns what ends the job.
    pub(crate) fn fail(mut self, error: Error) -> Error {
        self.links.shared.fail(error);
        self.leave();
        self.failure()
    }

    /// Starts the workers of this process.
    pub(crate) fn execute(&mut self, run: impl Fn(&mut Worker) + Send + Sync + 'static) -> Result<WorkerGuards<()>> {
        let of = |process: usize| (process * self.workers) as u64..((process + 1) * self.workers) as u64;
        let to = of(self.me);
        let me = self.me as u16;
        let sockets = self.data.drain(..).enumerate().map(|(process, connection)| {
            let ends = Ends { from: of(process), to: to.clone() };
            connection.map(|connection| DataStream::new(connection, (me, process), ends, Arc::clone(&self.links)))
        });
        let hooks = Hooks::default();
        let local = ProcessBuilder::new_typed_vector(self.workers, hooks.refill.clone(), None);
        let (builders, comms) =
            initialize_networking_from_sockets(local, sockets.collect(), self.me, self.workers, hooks)
                .map_err(|cause| Error::io("the connections to the other processes cannot be used", cause))?;
        self.comms = Some(Box::new(comms));
        let builders = builders.into_iter().map(AllocatorBuilder::Tcp).collect();
        timely::execute::execute_from(builders, Box::new(()), timely::WorkerConfig::default(), run)
            .map_err(|error| Error::environment("the worker threads do not start").caused_by(error))
    }

    /// Waits for the workers of this process. When the job fails they have the heartbeat's deadline to end; then they
    /// are left behind.
    pub(crate) fn await_workers(&mut self, workers: WorkerGuards<()>) {
        let (shared, mut failing) = (Arc::clone(&self.links.shared), None);
        while !workers.guards().iter().all(thread::JoinHandle::is_finished) {
            if shared.stopping() {
                let now = shared.clock.elapsed();
                if now - *failing.get_or_insert(now) > self.timing.deadline {
                    let stuck = workers.guards().iter().filter(|guard| !guard.is_finished()).count();
                    shared.note(format!(
                        "{stuck} of its workers did not end within {} and are left behind",
                        self.timing.deadline
                    ));
                    // Dropping these would wait for them.
                    std::mem::forget((workers, self.comms.take()));
                    self.abandoned = true;
                    return;
                }
            }
            thread::sleep(LOOK);
        }
        for outcome in workers.join() {
            if let Err(message) = outcome {
                shared.fail(Error::new(ErrorKind::Panic, format!("a worker died: {message}")));
            }
        }
    }

    /// Ends together with the others, after the workers have ended: process 0 calls `finish` when all have, unless the
    /// job was `stopped`, to resume another time. Returns whether it was.
    pub(crate) fn end(mut self, stopped: bool, finish: impl FnOnce() -> Result<()>) -> Result<bool> {
        let stopped = self.agree(stopped, finish);
        self.leave();
        match stopped {
            Some(stopped) => Ok(stopped),
            None => Err(self.failure()),
        }
    }

    fn agree(&self, stopped: bool, finish: impl FnOnce() -> Result<()>) -> Option<bool> {
        if self.links.shared.stopping() {
            return None;
        }
        if !self.is_first() {
            self.links.say_done();
            return self.links.wait(Links::finished);
        }
        self.links.wait(|links| links.all_done().then_some(()))?;
        if !stopped && let Err(error) = finish() {
            self.links.shared.fail(error);
            return None;
        }
        self.links.say_finished(stopped);
        Some(stopped)
    }

    fn leave(&mut self) {
        if std::mem::replace(&mut self.left, true) {
            return;
        }
        self.links.leave();
        if !self.abandoned {
            self.links.note_workers_gone();
        }
        if self.links.shared.stopping() {
            for stream in &self.shut {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        self.comms = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Member {
    /// A job that is not waited for ends in all processes.
    fn drop(&mut self) {
        if !self.left {
            self.links.shared.fail(Error::new(ErrorKind::Stopped, "nobody waits for the job any more"));
        }
        self.leave();
    }
}
