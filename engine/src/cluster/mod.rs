//! Several processes as one job: how they find each other, recognise each other, and end together.
//!
//! - **One generation, one fate.** What ends the job in one process ends it in all, within a second, with the same
//!   words; a process that is lost or silent, or whose data does not arrive, ends it too. Nothing goes on with only
//!   some of the processes.
//! - **No bytes of strangers.** A connection is handed on only after a handshake in which both sides have shown that
//!   they know the secret, and no frame counts unless the other side sealed it. Frames are encrypted where that is
//!   asked for.
//! - **Process 0 speaks for all.** It starts the generation in the checkpoint store, checks the sinks before the run
//!   and finishes them after it; it tells the others where to resume.

mod arrivals;
mod bootstrap;
mod door;
mod failure;
mod frame;
mod handshake;
mod links;
mod member;
mod pieces;
mod secret;
mod stream;
mod terms;
#[cfg(test)]
mod tests;
mod way;

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

pub(crate) use links::{Generation, Start};
pub(crate) use member::Member;
pub use secret::Secret;
pub(crate) use terms::Terms;

use crate::data::KEY_GROUPS;
use crate::{Duration, Durations, Error, Result};

/// The words for something between two processes having touched what one has sent.
const WRONG_SEAL: &str = "what came from it is not its own: its seal is wrong; something between the processes changes, repeats \
                          or leaves out what they send";

/// The words for a process having said, with the right seal, what it cannot have said.
const NO_WORD: &str =
    "what it has said is no word of the protocol, or not its own to say; do all processes run the same program?";

/// The processes that run a job together, and which of them this one is.
///
/// All are started with the same graph, bindings and options; they differ in their number only. Each has the job's
/// workers, so that three processes of a job with two workers have six.
///
/// ```
/// use dualgauge_engine::cluster::{Cluster, Secret};
/// use dualgauge_engine::testing::Item;
/// use dualgauge_engine::Job;
///
/// let secret = Secret::new(Secret::generate()?)?;
/// let hosts = ["10.0.0.1:4400", "10.0.0.2:4400"];
/// let second = Cluster::new(1, hosts, secret.clone())?;
/// assert_eq!((second.process(), second.processes()), (1, 2));
/// let third = Cluster::new(2, hosts, secret).unwrap_err();
/// assert!(third.to_string().contains("there is no process 2"));
/// # let job = Job::new(|flow| flow.source::<Item>("items").sink("copies"));
/// let _job = job.cluster(second); // `run` connects the two
/// # Ok::<_, dualgauge_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cluster {
    process: usize,
    hosts: Vec<String>,
    secret: Secret,
    name: String,
    attempt: u64,
    encrypted: bool,
    listener: Arc<Mutex<Option<TcpListener>>>,
    timing: Timing,
}

/// How long each thing takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// A handshake.
    pub(crate) handshake: Duration,
    /// From the first attempt until all are connected.
    pub(crate) bootstrap: Duration,
    /// From one heartbeat to the next.
    pub(crate) heartbeat: Duration,
    /// The silence after which a process is lost.
    pub(crate) deadline: Duration,
}

impl Cluster {
    /// The processes at these addresses, `host:port` each, in the order of their numbers; this one is `process`.
    ///
    /// # Errors
    /// When there is no such process, when there are fewer than two, or more than a job has workers.
    pub fn new(process: usize, hosts: impl IntoIterator<Item = impl Into<String>>, secret: Secret) -> Result<Cluster> {
        let hosts: Vec<String> = hosts.into_iter().map(Into::into).collect();
        let count = hosts.len();
        if count < 2 || count > KEY_GROUPS as usize {
            return Err(Error::usage(format!("{count} hosts: a cluster has 2 to {KEY_GROUPS} processes")));
        }
        if process >= count {
            let last = count - 1;
            return Err(Error::usage(format!(
                "there is no process {process}: {count} hosts are processes 0 to {last}"
            )));
        }
        if let Some(twice) = (1..count).find(|at| hosts[..*at].contains(&hosts[*at])) {
            return Err(Error::usage(format!("two processes have the address {}", hosts[twice])));
        }
        let timing =
            Timing { handshake: 2.seconds(), bootstrap: 60.seconds(), heartbeat: 1.seconds(), deadline: 10.seconds() };
        let (name, listener) = ("dualgauge".to_string(), Arc::default());
        Ok(Cluster { process, hosts, secret, name, attempt: 0, encrypted: false, listener, timing })
    }

    /// The cluster's name; processes of a cluster with another name are refused.
    pub fn name(mut self, name: impl Into<String>) -> Cluster {
        self.name = name.into();
        self
    }

    /// Which start of the cluster this is, as its supervisor counts; processes of an earlier one are refused.
    pub fn attempt(mut self, attempt: u64) -> Cluster {
        self.attempt = attempt;
        self
    }

    /// Whether what the processes send each other is encrypted; by default it is not. All of them must say the same.
    ///
    /// Either way, nobody between them can change, repeat or leave out what they send.
    ///
    /// ```
    /// # use dualgauge_engine::cluster::{Cluster, Secret};
    /// let secret = Secret::new(Secret::generate()?)?;
    /// let first = Cluster::new(0, ["10.0.0.1:4400", "10.0.0.2:4400"], secret)?.encrypted(true);
    /// assert!(format!("{first:?}").contains("encrypted: true"));
    /// # Ok::<_, dualgauge_engine::Error>(())
    /// ```
    pub fn encrypted(mut self, encrypted: bool) -> Cluster {
        self.encrypted = encrypted;
        self
    }

    /// Listens with `listener`, not at the address in the list.
    pub fn listener(self, listener: TcpListener) -> Cluster {
        Cluster { listener: Arc::new(Mutex::new(Some(listener))), ..self }
    }

    /// How long to wait for the other processes at the start; a minute by default.
    pub fn bootstrap(mut self, bootstrap: Duration) -> Cluster {
        self.timing.bootstrap = bootstrap;
        self
    }

    /// How often processes show each other that they live, and after what silence one is lost; one second and ten by
    /// default.
    ///
    /// # Panics
    /// When the deadline is less than twice the interval: a single late heartbeat would end the job.
    #[track_caller]
    pub fn heartbeat(mut self, interval: Duration, deadline: Duration) -> Cluster {
        assert!(
            interval.is_positive() && deadline >= interval + interval,
            "a deadline of {deadline} is too short for a heartbeat every {interval}"
        );
        (self.timing.heartbeat, self.timing.deadline) = (interval, deadline);
        self
    }

    /// Which one this is.
    pub fn process(&self) -> usize {
        self.process
    }

    /// How many there are.
    pub fn processes(&self) -> usize {
        self.hosts.len()
    }
}
