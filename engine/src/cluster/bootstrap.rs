//! From a list of addresses to connections: each process connects to those before it and listens for those after it.
//!
//! - **It ends.** By its deadline all are connected, or an error names who is missing.
//! - **The door is shut.** The listener (`engine/src/cluster/door.rs`) is closed when all are connected.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use super::Timing;
use super::door::Door;
use super::frame::{Frames, Short};
use super::handshake::{Identity, Purpose, Reply};
use super::secret::{Secret, random};
use super::way::Way;
use crate::{Clock, Durations, Error, Result};

/// How often to check the listener while nothing comes.
const LOOK: std::time::Duration = std::time::Duration::from_millis(2);

/// A connection to a known process, and the secret that the two share from now on.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) session: Secret,
    /// Whether the two have agreed to encrypt.
    pub(super) encrypted: bool,
}

impl Connection {
    /// What process `from` sends here.
    pub(super) fn way(&self, from: u16) -> Way {
        Way::new(&self.session, from, self.encrypted)
    }
}

/// By process and purpose.
pub(super) type Joined = BTreeMap<(u16, Purpose), Connection>;

/// Connects this process to all others.
pub(super) fn connect(
    identity: &Identity,
    hosts: &[String],
    listener: Option<TcpListener>,
    timing: Timing,
    clock: &Arc<dyn Clock>,
) -> Result<Joined> {
    let me = identity.process;
    let listener = match listener {
        // Nobody connects to the last one.
        _ if me + 1 == identity.processes => None,
        Some(listener) => Some(listener),
        None => Some(TcpListener::bind(&hosts[me as usize]).map_err(|cause| {
            let place = &hosts[me as usize];
            Error::io(format!("process {me} cannot listen at {place}, its place in the list of hosts"), cause)
        })?),
    };
    let (sender, reached) = channel();
    let abandoned = Arc::new(AtomicBool::new(false));
    let excuses = Arc::new(Mutex::new(BTreeMap::new()));
    for to in 0..me {
        for purpose in [Purpose::Data, Purpose::Control] {
            let reach = Reach {
                identity: identity.clone(),
                to,
                address: hosts[to as usize].clone(),
                purpose,
                timing,
                clock: Arc::clone(clock),
                abandoned: Arc::clone(&abandoned),
                excuses: Arc::clone(&excuses),
            };
            let sender = sender.clone();
            let says = sender.clone();
            let run = move || reach.until_reached(&sender);
            if let Err(cause) = thread::Builder::new().name("cluster:connect".to_string()).spawn(run) {
                let error = Error::io("the thread that connects to another process does not start", cause);
                let _ = says.send(Err(error.for_good())); // it is received below
            }
        }
    }
    let door = listener.map(|listener| Door::new(identity, listener, timing, clock));
    let joined = wait(identity, hosts, door, &reached, timing, clock, &excuses);
    abandoned.store(true, Ordering::SeqCst);
    joined
}

/// Who has been reached, or why one will never be.
type Reached = Result<((u16, Purpose), Connection)>;

/// Waits until all are connected.
fn wait(
    identity: &Identity,
    hosts: &[String],
    mut door: Option<Door<'_>>,
    reached: &Receiver<Reached>,
    timing: Timing,
    clock: &Arc<dyn Clock>,
    excuses: &Mutex<BTreeMap<u16, String>>,
) -> Result<Joined> {
    let (me, started) = (identity.process, clock.elapsed());
    let others = || (0..identity.processes).filter(|process| *process != me);
    let mut joined = Joined::new();
    if let Some(door) = &door {
        door.open().map_err(|cause| Error::io(format!("process {me} cannot listen"), cause))?;
    }
    loop {
        while let Ok(one) = reached.try_recv() {
            let (who, connection) = one?;
            joined.insert(who, connection);
        }
        if let Some(door) = &mut door {
            door.look(&mut joined)?;
        }
        if joined.len() == 2 * others().count() {
            return Ok(joined);
        }
        if clock.elapsed() - started > timing.bootstrap {
            let excuses = excuses.lock().expect("no panic holds it");
            let complete =
                |process: &u16| [Purpose::Data, Purpose::Control].iter().all(|p| joined.contains_key(&(*process, *p)));
            let missing = others().filter(|process| !complete(process)).map(|process| {
                let excuse = excuses.get(&process).map(|excuse| format!(" ({excuse})")).unwrap_or_default();
                format!("process {process} at {}{excuse}", hosts[process as usize])
            });
            let missing = missing.collect::<Vec<_>>().join(", ");
            let doubt = door.as_ref().and_then(Door::doubt).map(|reason| format!("; one was refused: {reason}"));
            let doubt = doubt.unwrap_or_default();
            return Err(Error::environment(format!(
                "process {me} has waited {} for the others, and there is no {missing}; is it started, with the same list of \
                 hosts and the same secret?{doubt}",
                timing.bootstrap
            )));
        }
        thread::sleep(LOOK);
    }
}

/// The way to a process that listens.
struct Reach {
    identity: Identity,
    to: u16,
    address: String,
    purpose: Purpose,
    timing: Timing,
    clock: Arc<dyn Clock>,
    abandoned: Arc<AtomicBool>,
    /// Why the last attempt to reach a process failed.
    excuses: Arc<Mutex<BTreeMap<u16, String>>>,
}

/// Why a process was not reached.
enum Unreached {
    Yet(String),
    Ever(Error),
}

impl Reach {
    /// Tries, at longer and longer intervals, until it works or nobody waits for it any more.
    fn until_reached(self, sender: &Sender<Reached>) {
        let mut pause = 20.millis();
        while !self.abandoned.load(Ordering::SeqCst) {
            match self.attempt() {
                Ok(connection) => return drop(sender.send(Ok(((self.to, self.purpose), connection)))),
                Err(Unreached::Ever(error)) => return drop(sender.send(Err(error))),
                Err(Unreached::Yet(excuse)) => {
                    self.excuses.lock().expect("no panic holds it").insert(self.to, excuse);
                }
            }
            thread::sleep(pause.to_std());
            pause = (pause + pause).min(1.seconds());
        }
    }

    fn attempt(&self) -> Result<Connection, Unreached> {
        let yet = |what: &str| {
            let what = what.to_string();
            move |cause: std::io::Error| Unreached::Yet(format!("{what}: {cause}"))
        };
        let mut addresses = self.address.to_socket_addrs().map_err(yet("its name is not known"))?;
        let address = addresses.next().ok_or_else(|| Unreached::Yet("its name is not known".to_string()))?;
        let started = self.clock.elapsed();
        let mut stream = TcpStream::connect_timeout(&address, self.timing.handshake.to_std())
            .map_err(yet("it cannot be reached"))?;
        stream.set_nodelay(true).map_err(yet("it cannot be reached"))?;
        let nonce = random().map_err(Unreached::Ever)?;
        let (hello, seal) = self.identity.hello(self.to, self.purpose, nonce);
        stream.write_all(&hello).map_err(yet("it does not listen"))?;
        let mut frames = Frames::<Short>::new();
        let body = loop {
            let left = self.timing.handshake - (self.clock.elapsed() - started);
            if !left.is_positive() {
                return Err(Unreached::Yet("it does not answer".to_string()));
            }
            stream.set_read_timeout(Some(left.to_std())).map_err(yet("it cannot be reached"))?;
            match frames.next(&mut stream) {
                Ok(Some(body)) => break body,
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    return Err(Unreached::Yet("what is there is no process of this program".to_string()));
                }
                Err(_) => {
                    return Err(Unreached::Yet(
                        "it has closed the connection without a word; is the secret the same?".to_string(),
                    ));
                }
            }
        };
        match self.identity.read_reply(&body, &seal) {
            Ok(Reply::Welcome { confirmation, session }) => {
                stream.write_all(&confirmation).map_err(yet("it has left"))?;
                stream.set_read_timeout(None).map_err(yet("it has left"))?;
                Ok(Connection { stream, session, encrypted: self.identity.terms.encrypted })
            }
            Ok(Reply::Refused { reason, again: true, .. }) => Err(Unreached::Yet(reason)),
            Ok(Reply::Refused { reason, again: false, confirmation }) => {
                let _ = stream.write_all(&confirmation); // if it does not arrive, this is over anyway
                Err(Unreached::Ever(Error::usage(format!(
                    "process {} at {} does not take process {}: {reason}",
                    self.to, self.address, self.identity.process
                ))))
            }
            Err(_) => Err(Unreached::Yet("what is there does not know the secret".to_string())),
        }
    }
}
