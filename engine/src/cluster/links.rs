//! What the processes say to each other beside the data: that they are alive, that one has failed, where to resume,
//! that everything is done.
//!
//! ```text
//! frame: length, 8 bytes; what is said, postcard; seal     numbers little-endian
//! ```
//!
//! The seal is that of `engine/src/cluster/way.rs`: frames cannot be changed, repeated, left out or turned round. There
//! is one such connection between each two processes. One thread per connection reads; one more sends heartbeats and
//! passes on what has happened here.

use std::io::{ErrorKind as IoErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use serde::{Deserialize, Serialize};

use super::Timing;
use super::arrivals::{Arrivals, Passed};
use super::bootstrap::Connection;
use super::failure::Failure;
use super::frame::{Frames, Long};
use super::way::Way;
use crate::checkpoint::{Commit, KeptOutput};
use crate::run::Shared;
use crate::{Duration, Error, ErrorKind};

/// How often a process checks whether something has happened here that the others must know.
const LOOK: std::time::Duration = std::time::Duration::from_millis(20);

/// How long to listen to a process that has been told of this one's failure, until it ends too.
const LINGER: Duration = Duration::from_micros(1_000_000);

/// What process 0 announces to the others before they start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Start {
    /// None without checkpoints.
    pub(crate) generation: Option<Generation>,
}

/// A generation that process 0 has started in the checkpoint store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Generation {
    pub(crate) job: String,
    pub(crate) generation: u64,
    /// Where to resume.
    pub(crate) resume: Option<Commit>,
    /// What the commits to which the job may go back have prepared for the sinks.
    pub(crate) kept: Vec<KeptOutput>,
}

/// What one process says to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Word {
    /// I am alive, and have sent you this many bytes of data.
    Beat { sent: u64 },
    /// Start there. From process 0.
    Start(Box<Start>),
    /// It is over, and this is why.
    Failed(Failure),
    /// I was asked to stop after a checkpoint. To process 0.
    Stop,
    /// I was asked for a savepoint. To process 0.
    Savepoint,
    /// I was asked to stop without a checkpoint: nothing more is to be read. To all.
    Rest,
    /// My sinks have written what came before that. To process 0.
    Rested,
    /// My workers have ended, and what they had to publish is published. To process 0.
    Done,
    /// All have ended, and the sinks are finished; or the job was stopped, to resume another time. From process 0.
    Finished { stopped: bool },
    /// I leave; nothing more is expected of me.
    Goodbye,
}

/// The connections of this process to all others.
pub(super) struct Links {
    me: u16,
    hosts: Vec<String>,
    peers: Vec<Option<Peer>>,
    pub(super) shared: Arc<Shared>,
    timing: Timing,
    state: Mutex<State>,
    changed: Condvar,
}

/// The sending side of a connection.
struct Peer {
    stream: TcpStream,
    data: Passed,
    writer: Mutex<Writer>,
}

struct Writer {
    stream: TcpStream,
    way: Way,
}

#[derive(Default)]
struct State {
    start: Option<Start>,
    /// Whose workers have ended.
    done: Vec<bool>,
    /// Whose sinks have written what came before a stop.
    rested: Vec<bool>,
    /// Who has said goodbye.
    left: Vec<bool>,
    finished: Option<bool>,
    /// The others know that it is over.
    told: bool,
    /// Since when this process has been leaving.
    closing: Option<Duration>,
    /// No worker of this process reads or writes any more.
    workers_gone: bool,
}

impl Links {
    /// Takes the connections, by process, and starts to listen and to send heartbeats.
    pub(super) fn start(
        me: u16,
        hosts: Vec<String>,
        connections: Vec<Option<Connection>>,
        shared: &Arc<Shared>,
        timing: Timing,
    ) -> std::io::Result<(Arc<Links>, Vec<thread::JoinHandle<()>>)> {
        let mut peers = Vec::new();
        let mut readers = Vec::new();
        for (process, connection) in connections.into_iter().enumerate() {
            let Some(connection) = connection else {
                peers.push(None);
                continue;
            };
            let (theirs, ours) = (connection.way(process as u16), connection.way(me));
            let stream = connection.stream;
            stream.set_write_timeout(Some(timing.deadline.to_std()))?;
            stream.set_read_timeout(Some(LOOK.max(timing.heartbeat.to_std() / 4)))?;
            readers.push((process, stream.try_clone()?, theirs));
            let writer = Mutex::new(Writer { stream: stream.try_clone()?, way: ours });
            peers.push(Some(Peer { stream, data: Passed::default(), writer }));
        }
        let none = || vec![false; peers.len()];
        let state = State { done: none(), rested: none(), left: none(), ..State::default() };
        shared.join_others();
        let links = Arc::new(Links {
            me,
            hosts,
            peers,
            shared: Arc::clone(shared),
            timing,
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let spawn = |name: String, run: Box<dyn FnOnce() + Send>| thread::Builder::new().name(name).spawn(run);
        let mut threads = Vec::new();
        for (process, stream, way) in readers {
            let links = Arc::clone(&links);
            threads
                .push(spawn(format!("cluster:hear-{process}"), Box::new(move || links.listen(process, stream, way)))?);
        }
        let beating = Arc::clone(&links);
        threads.push(spawn("cluster:beat".to_string(), Box::new(move || beating.beat()))?);
        Ok((links, threads))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic holds it")
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    /// Waits until `found` finds something, or the job fails.
    pub(super) fn wait<T>(&self, mut found: impl FnMut(&Links) -> Option<T>) -> Option<T> {
        loop {
            if let Some(found) = found(self) {
                return Some(found);
            }
            if self.shared.stopping() {
                return None;
            }
            let _ = self.changed.wait_timeout(self.state(), LOOK).expect("no panic holds it");
        }
    }

    pub(super) fn started(&self) -> Option<Start> {
        self.state().start.clone()
    }

    pub(super) fn finished(&self) -> Option<bool> {
        self.state().finished
    }

    /// Whether the workers of all other processes have ended.
    pub(super) fn all_done(&self) -> bool {
        let state = self.state();
        (0..self.peers.len()).all(|process| process == self.me as usize || state.done[process])
    }

    /// Whether a process has said that it leaves.
    #[cfg(test)]
    pub(super) fn has_left(&self, process: usize) -> bool {
        self.state().left[process]
    }

    /// What passed the data connection to a process.
    pub(super) fn data(&self, process: usize) -> &Passed {
        &self.peers[process].as_ref().expect("there is a connection to every other process").data
    }

    /// The process as a person knows it.
    fn name(&self, process: usize) -> String {
        format!("process {process} at {}", self.hosts[process])
    }

    /// Ends the job because a process is no longer there.
    pub(super) fn lost(&self, process: usize, how: &str) {
        self.shared.fail(Error::environment(format!(
            "{} was lost: {how}; the others cannot go on without it",
            self.name(process)
        )));
        self.changed.notify_all();
    }

    /// Says something to one process. Whether it hears it shows in whether it lives.
    fn say(&self, process: usize, word: &Word) {
        let Some(peer) = &self.peers[process] else { return };
        let writer = match word {
            // If something else is being said, that is a sign of life too.
            Word::Beat { .. } => peer.writer.try_lock().ok(),
            _ => Some(peer.writer.lock().expect("no panic holds it")),
        };
        let Some(mut writer) = writer else { return };
        let mut frame = postcard::to_stdvec(word).expect("words can be written");
        writer.way.close(&mut frame, 0);
        let length = frame.len() as u64;
        let _ = writer.stream.write_all(&[&length.to_le_bytes()[..], &frame].concat());
    }

    fn say_to_all(&self, word: &Word) {
        (0..self.peers.len()).for_each(|process| self.say(process, word));
    }

    pub(super) fn say_start(&self, start: Start) {
        self.say_to_all(&Word::Start(Box::new(start)));
    }

    pub(super) fn say_done(&self) {
        self.say(0, &Word::Done);
    }

    pub(super) fn say_finished(&self, stopped: bool) {
        self.say_to_all(&Word::Finished { stopped });
    }

    /// Reports to the others why it is over, unless they know.
    fn tell_failure(&self) {
        let Some(error) = self.shared.failed_with() else { return };
        if std::mem::replace(&mut self.state().told, true) {
            return;
        }
        self.say_to_all(&Word::Failed(Failure::of(&error)));
    }

    /// Leaves, in good order or because the job failed. The threads end when the others have left too, or soon after.
    pub(super) fn leave(&self) {
        if self.shared.stopping() {
            self.tell_failure();
        }
        // Said even if another process has reported the failure: one that hears of that failure later than of this end
        // must not take this process for the one that was lost.
        self.say_to_all(&Word::Goodbye);
        self.change(|state| state.closing = Some(self.shared.clock.elapsed()));
        for peer in self.peers.iter().flatten() {
            // What is on its way still arrives: only the sending side is closed.
            let _ = peer.stream.shutdown(Shutdown::Write);
        }
    }

    /// No worker of this process reads or writes any more.
    pub(super) fn note_workers_gone(&self) {
        self.change(|state| state.workers_gone = true);
    }

    /// Waits, after the data connection to `process` broke, until it is known why the job ends; if nobody says so in
    /// time, this is why. Returns when no worker will see what follows.
    pub(super) fn broken(&self, process: usize, how: &str) {
        let since = self.shared.clock.elapsed();
        while !self.shared.stopping() {
            let _ = self.changed.wait_timeout(self.state(), LOOK).expect("no panic holds it");
            if self.shared.clock.elapsed() - since > self.timing.deadline {
                self.lost(process, how);
            }
        }
        while !self.state().workers_gone {
            let _ = self.changed.wait_timeout(self.state(), LOOK).expect("no panic holds it");
        }
    }

    /// Sends heartbeats, and what happens in this process.
    fn beat(&self) {
        let (mut due, mut asked) = (Duration::ZERO, false);
        let (mut resting, mut rested) = (false, false);
        loop {
            let state = self.changed.wait_timeout(self.state(), LOOK).expect("no panic holds it").0;
            if state.closing.is_some() {
                return;
            }
            drop(state);
            if self.shared.stopping() {
                self.tell_failure();
            }
            if self.shared.resting() && !std::mem::replace(&mut resting, true) {
                self.say_to_all(&Word::Rest);
            }
            if self.shared.rested() && !std::mem::replace(&mut rested, true) {
                self.say(0, &Word::Rested);
                self.rests(self.me as usize);
            }
            if self.me != 0 {
                if self.shared.stop_asked() && !std::mem::replace(&mut asked, true) {
                    self.say(0, &Word::Stop);
                }
                if self.shared.savepoint_asked() {
                    self.shared.savepoint_taken();
                    self.say(0, &Word::Savepoint);
                }
            }
            let now = self.shared.clock.elapsed();
            if now >= due {
                due = now + self.timing.heartbeat;
                for (process, peer) in self.peers.iter().enumerate() {
                    let sent = peer.as_ref().map_or(0, |peer| peer.data.sent());
                    self.say(process, &Word::Beat { sent });
                }
            }
        }
    }

    /// Hears one process until it leaves.
    fn listen(&self, process: usize, mut stream: TcpStream, mut way: Way) {
        let mut frames = Frames::<Long>::new();
        let mut heard = self.shared.clock.elapsed();
        let mut arrivals = Arrivals::new(heard);
        loop {
            let next = frames.next(&mut stream);
            let now = self.shared.clock.elapsed();
            let (left, closing) = {
                let state = self.state();
                (state.left[process], state.closing)
            };
            // If all is well it has to hear so, and a socket that is closed with something unread in it would take back
            // what is on its way.
            let linger = if self.shared.stopping() { LINGER } else { self.timing.deadline };
            if closing.is_some_and(|since| now - since > linger) {
                return;
            }
            let expected = left || closing.is_some();
            let data = self.data(process);
            if arrivals.overdue(data.received(), data.opened(), now) > self.timing.deadline && !expected {
                let silence = self.timing.deadline;
                return self.lost(process, &format!("the data that it has sent has not arrived for {silence}"));
            }
            match next {
                Ok(Some(mut frame)) => {
                    heard = now;
                    match way.open(&mut frame).map(|said| self.understood(process, said)) {
                        Some(Some(Word::Beat { sent })) => arrivals.announce(sent),
                        Some(Some(word)) => self.hear(process, word),
                        _ if expected => return,
                        Some(None) => return self.lost(process, super::NO_WORD),
                        None => return self.lost(process, super::WRONG_SEAL),
                    }
                }
                Ok(None) if left || now - heard <= self.timing.deadline => {}
                Ok(None) if expected => return,
                Ok(None) => {
                    let silence = self.timing.deadline;
                    return self.lost(process, &format!("nothing was heard of it for {silence}"));
                }
                Err(_) if expected => return,
                Err(error) if error.kind() == IoErrorKind::UnexpectedEof => {
                    return self.lost(process, "it has ended, or the connection to it, without a word");
                }
                Err(error) => return self.lost(process, &format!("the connection to it broke: {error}")),
            }
        }
    }

    /// The sinks of a process have written what came. Process 0 ends the job when those of all have: one that ended
    /// sooner would take its data connections from the others.
    fn rests(&self, process: usize) {
        let all = {
            let mut state = self.state();
            state.rested[process] = true;
            // One whose input has ended has written everything.
            (0..self.peers.len()).all(|process| state.rested[process] || state.done[process])
        };
        if all && self.me == 0 {
            self.shared.end_rested();
        }
    }

    /// The word that a process has said, if it is one, and its own to say: only process 0 decides where the job starts
    /// and that it has ended.
    fn understood(&self, process: usize, said: &[u8]) -> Option<Word> {
        let Ok((word, [])) = postcard::take_from_bytes(said) else { return None };
        let decides = matches!(word, Word::Start(_) | Word::Finished { .. });
        (!decides || process == 0).then_some(word)
    }

    fn hear(&self, process: usize, word: Word) {
        match word {
            Word::Beat { .. } => {}
            Word::Start(start) => self.change(|state| state.start = Some(*start)),
            Word::Done => self.change(|state| state.done[process] = true),
            Word::Finished { stopped } => self.change(|state| {
                state.finished = Some(stopped);
                state.left[process] = true;
            }),
            Word::Goodbye => self.change(|state| state.left[process] = true),
            Word::Stop => self.shared.ask_stop(),
            Word::Rest => self.shared.rest(),
            Word::Rested => self.rests(process),
            Word::Savepoint => self.shared.ask_savepoint(),
            Word::Failed(failure) => {
                self.change(|state| {
                    state.left[process] = true;
                    // It has told all others itself.
                    state.told |= !self.shared.stopping();
                });
                let error = failure.into_error();
                self.shared.fail(match error.kind() {
                    ErrorKind::Stopped => error,
                    _ => error.at(format_args!("process {process}")),
                });
                self.changed.notify_all();
            }
        }
    }
}
