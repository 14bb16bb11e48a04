//! The listener of a start, and who stands before it.
//!
//! - **Strangers do not get in the way.** Of those who have not made themselves known, only a bounded number is kept,
//!   the youngest: whoever knows the secret says so at once. Each is closed after one frame or two seconds.
//! - **A recording decides nothing.** Whoever sends a hello has to confirm the answer before it counts. Until then it
//!   ends nothing and takes nobody's place: those who wait are bounded for each process separately, and no hello is
//!   accepted twice, so that recordings of one process or of earlier starts are soon used up.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use super::Timing;
use super::bootstrap::{Connection, Joined};
use super::frame::{Frames, Short};
use super::handshake::{Answer, Confirmation, Identity, Purpose};
use super::secret::{Seal, Secret, random};
use crate::{Clock, Duration, Error, Result};

/// How many connections are kept whose process is unknown.
const STRANGERS_MAX: usize = 256;

/// How many are accepted at once before those already in are heard.
const AT_ONCE: usize = 64;

/// How many are kept that claim to be the same process, for the same purpose. A process asks one at a time, and again
/// when its patience has run out.
const ALIKE_MAX: usize = 4;

/// How many are kept that were refused and may confirm that.
const MISFITS_MAX: usize = 64;

/// How many hellos are remembered, so that none is accepted twice; only someone who knows the secret can make another.
const HEARD_MAX: usize = 1 << 16;

/// The listener, and who stands before it.
pub(super) struct Door<'a> {
    identity: &'a Identity,
    listener: TcpListener,
    /// Nobody knows who these are; oldest first.
    strangers: Vec<Waiting<[u8; 16]>>,
    /// These were welcomed, and have to confirm that they are not a recording; oldest first.
    welcomed: BTreeMap<(u16, Purpose), Vec<Waiting<Welcomed>>>,
    /// These can never run together with this process, if they are who and where they say they are; oldest first.
    misfits: Vec<Waiting<(Confirmation, String)>>,
    heard: HashSet<[u8; Seal::BYTES]>,
    /// Why the last one was refused that has not confirmed it.
    doubt: Option<String>,
    timing: Timing,
    clock: &'a Arc<dyn Clock>,
}

/// What somebody has to confirm, and the secret of the connection from then on.
type Welcomed = (Confirmation, Secret);

/// Someone who owes a frame.
struct Waiting<T> {
    stream: TcpStream,
    since: Duration,
    frames: Frames<Short>,
    state: T,
}

impl<T> Waiting<T> {
    /// The frame, if it has come; otherwise whether to keep waiting.
    fn look(&mut self, now: Duration, patience: Duration) -> Result<Vec<u8>, bool> {
        match self.frames.next(&mut self.stream) {
            Ok(Some(body)) => Ok(body),
            Ok(None) => Err(now - self.since <= patience),
            Err(_) => Err(false),
        }
    }

    /// The same one, who now owes another frame.
    fn then<U>(self, now: Duration, state: U) -> Waiting<U> {
        Waiting { stream: self.stream, since: now, frames: self.frames, state }
    }
}

impl<'a> Door<'a> {
    pub(super) fn new(
        identity: &'a Identity,
        listener: TcpListener,
        timing: Timing,
        clock: &'a Arc<dyn Clock>,
    ) -> Door<'a> {
        let (strangers, welcomed, misfits) = (Vec::new(), BTreeMap::new(), Vec::new());
        Door { identity, listener, strangers, welcomed, misfits, heard: HashSet::new(), doubt: None, timing, clock }
    }

    /// To be called before anybody is let in.
    pub(super) fn open(&self) -> io::Result<()> {
        self.listener.set_nonblocking(true)
    }

    /// Why somebody was refused who has not confirmed it.
    pub(super) fn doubt(&self) -> Option<&str> {
        self.doubt.as_deref()
    }

    /// Lets in those who have come and belong here.
    ///
    /// # Errors
    /// When one of the other processes can never run together with this one.
    pub(super) fn look(&mut self, joined: &mut Joined) -> Result<()> {
        let now = self.clock.elapsed();
        for _ in 0..AT_ONCE {
            // An error means that it has left again, or that too many files are open for now; both pass.
            let Ok((stream, _)) = self.listener.accept() else { break };
            if stream.set_nonblocking(true).is_ok() && stream.set_nodelay(true).is_ok() {
                let state = random()?;
                self.strangers.push(Waiting { stream, since: now, frames: Frames::new(), state });
            }
        }
        self.greet(now, joined);
        self.part(now)?;
        self.let_in(now, joined);
        Ok(())
    }

    /// Hears the strangers, and sends the oldest away where there are too many.
    fn greet(&mut self, now: Duration, joined: &Joined) {
        for mut one in std::mem::take(&mut self.strangers) {
            let body = match one.look(now, self.timing.handshake) {
                Ok(body) => body,
                Err(true) => {
                    self.strangers.push(one);
                    continue;
                }
                Err(false) => continue,
            };
            let answer = self.identity.answer(&body, one.state, |from, purpose| joined.contains_key(&(from, purpose)));
            if !matches!(answer, Answer::Close) && !self.is_new(&body) {
                continue;
            }
            match answer {
                Answer::Close => {}
                Answer::Refuse { frame, reason, fatal } => {
                    if let (Ok(()), Some(expected)) = (one.stream.write_all(&frame), fatal) {
                        self.doubt = Some(reason.clone());
                        self.misfits.push(one.then(now, (expected, reason)));
                        keep_youngest(&mut self.misfits, MISFITS_MAX);
                    }
                }
                Answer::Welcome { hello, frame, expected, session } => {
                    if one.stream.write_all(&frame).is_ok() {
                        let alike = self.welcomed.entry((hello.from, hello.purpose)).or_default();
                        alike.push(one.then(now, (expected, session)));
                        keep_youngest(alike, ALIKE_MAX);
                    }
                }
            }
        }
        keep_youngest(&mut self.strangers, STRANGERS_MAX);
    }

    /// Whether a hello is new, judged by its seal.
    fn is_new(&mut self, hello: &[u8]) -> bool {
        let seal = hello.last_chunk().expect("it was sealed");
        if self.heard.len() == HEARD_MAX {
            self.heard.clear();
        }
        self.heard.insert(*seal)
    }

    /// Hears those who were refused: whoever confirms it can never run together with this process.
    fn part(&mut self, now: Duration) -> Result<()> {
        for mut one in std::mem::take(&mut self.misfits) {
            match one.look(now, self.timing.handshake) {
                Ok(body) if one.state.0.is(&body) => {
                    return Err(Error::usage(format!("the processes do not fit together: {}", one.state.1)));
                }
                Ok(_) | Err(false) => {}
                Err(true) => self.misfits.push(one),
            }
        }
        Ok(())
    }

    /// Hears those who were welcomed: whoever confirms it is in.
    fn let_in(&mut self, now: Duration, joined: &mut Joined) {
        // Whoever waits here believes it is connected: on a bad network its last message takes its time.
        let patience = self.timing.handshake.max(self.timing.deadline);
        let encrypted = self.identity.terms.encrypted;
        for (who, alike) in &mut self.welcomed {
            for mut one in std::mem::take(alike) {
                match one.look(now, patience) {
                    Ok(body) if one.state.0.is(&body) && one.stream.set_nonblocking(false).is_ok() => {
                        let (stream, session) = (one.stream, one.state.1);
                        joined.entry(*who).or_insert(Connection { stream, session, encrypted });
                    }
                    Ok(_) | Err(false) => {}
                    Err(true) => alike.push(one),
                }
            }
        }
    }
}

/// Sends the oldest away where there are too many.
fn keep_youngest<T>(waiting: &mut Vec<T>, most: usize) {
    waiting.drain(..waiting.len().saturating_sub(most));
}

#[cfg(test)]
mod tests {
    use super::super::handshake::Reply;
    use super::super::terms::Terms;
    use super::*;
    use crate::{Durations, SystemClock};

    fn identity(process: u16) -> Identity {
        Identity {
            process,
            processes: 3,
            attempt: 0,
            cluster: "cluster".to_string(),
            secret: Secret::new("the secret of all").unwrap(),
            terms: Terms::new(1, [""; Terms::SUBJECTS.len()]),
        }
    }

    fn timing() -> Timing {
        Timing { handshake: 60.seconds(), bootstrap: 60.seconds(), heartbeat: 1.seconds(), deadline: 60.seconds() }
    }

    /// The door of process 0, and what has come in.
    struct Before<'a> {
        door: Door<'a>,
        joined: Joined,
        address: std::net::SocketAddr,
    }

    /// Somebody who has said something there.
    struct Caller {
        stream: TcpStream,
        frames: Frames<Short>,
    }

    impl<'a> Before<'a> {
        fn new(own: &'a Identity, clock: &'a Arc<dyn Clock>) -> Before<'a> {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let door = Door::new(own, listener, timing(), clock);
            door.open().unwrap();
            Before { door, joined: Joined::new(), address }
        }

        fn call(&self, hello: &[u8]) -> Caller {
            let mut stream = TcpStream::connect(self.address).unwrap();
            stream.write_all(hello).unwrap();
            stream.set_nonblocking(true).unwrap();
            Caller { stream, frames: Frames::new() }
        }

        /// What the caller hears; `None` when it is closed without a word.
        fn told(&mut self, caller: &mut Caller) -> Option<Vec<u8>> {
            loop {
                self.door.look(&mut self.joined).unwrap();
                match caller.frames.next(&mut caller.stream) {
                    Ok(None) => {}
                    Ok(said) => return said,
                    Err(_) => return None,
                }
            }
        }
    }

    #[test]
    fn who_does_not_confirm_takes_nobody_elses_place() {
        let (own, clock): (_, Arc<dyn Clock>) = (identity(0), Arc::new(SystemClock::new()));
        let mut before = Before::new(&own, &clock);
        let honest = identity(2);
        let (hello, seal) = honest.hello(0, Purpose::Data, random().unwrap());
        let mut caller = before.call(&hello);
        let welcome = before.told(&mut caller).expect("it is welcome");
        let Ok(Reply::Welcome { confirmation, .. }) = honest.read_reply(&welcome, &seal) else { panic!("a welcome") };
        // Everything that was ever recorded of process 1.
        let held: Vec<_> = (0..300)
            .map(|_| {
                let (hello, _) = identity(1).hello(0, Purpose::Data, random().unwrap());
                let mut caller = before.call(&hello);
                assert!(before.told(&mut caller).is_some(), "it may be honest");
                caller
            })
            .collect();
        caller.stream.write_all(&confirmation).unwrap();
        while before.joined.is_empty() {
            before.door.look(&mut before.joined).unwrap();
            assert!(matches!(caller.frames.next(&mut caller.stream), Ok(None)), "it was sent away");
        }
        assert!(before.joined.contains_key(&(2, Purpose::Data)));
        assert!(before.door.welcomed[&(1, Purpose::Data)].len() <= ALIKE_MAX);
        drop(held);
    }

    #[test]
    fn a_hello_is_heard_once() {
        let (own, clock): (_, Arc<dyn Clock>) = (identity(0), Arc::new(SystemClock::new()));
        let mut before = Before::new(&own, &clock);
        let (hello, _) = identity(1).hello(0, Purpose::Data, random().unwrap());
        let (mut first, mut second) = (before.call(&hello), before.call(&hello));
        let told = [before.told(&mut first).is_some(), before.told(&mut second).is_some()];
        assert!(told.contains(&true) && told.contains(&false), "{told:?}");
    }

    #[test]
    fn a_misfit_ends_the_start_when_it_has_confirmed_and_not_before() {
        let (own, clock): (_, Arc<dyn Clock>) = (identity(0), Arc::new(SystemClock::new()));
        let mut before = Before::new(&own, &clock);
        let misfit = Identity { terms: Terms::new(2, [""; Terms::SUBJECTS.len()]), ..identity(1) };
        let (hello, seal) = misfit.hello(0, Purpose::Data, random().unwrap());
        let mut caller = before.call(&hello);
        let refusal = before.told(&mut caller).expect("it is told why");
        let Ok(Reply::Refused { confirmation, again: false, .. }) = misfit.read_reply(&refusal, &seal) else {
            panic!("a refusal")
        };
        for _ in 0..10 {
            before.door.look(&mut before.joined).unwrap();
        }
        assert!(before.door.doubt().unwrap().contains("process 1 has 2 workers"));
        caller.stream.write_all(&confirmation).unwrap();
        let error = loop {
            if let Err(error) = before.door.look(&mut before.joined) {
                break error;
            }
        };
        assert!(error.to_string().contains("the processes do not fit together: process 1 has 2 workers"), "{error}");
    }
}
