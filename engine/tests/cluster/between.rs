//! Somebody between two processes who does not know their secret: he changes bits, leaves frames out, repeats them, turns
//! them round, cuts them.
//!
//! Would catch: a changed byte that becomes a wrong answer, a panic of the thread that reads it, or a wait without end.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use dualgauge_engine::Durations;
use dualgauge_engine::cluster::Cluster;
use dualgauge_engine::testing::{Lines, Random};
use dualgauge_engine::{Error, ErrorKind, Outcome, Result};

use super::{job, plan, secret};

/// What he does to one frame.
#[derive(Clone, Copy, Debug)]
enum Deed {
    /// Changes one bit, so far into the frame in thousandths.
    Flip {
        at: u64,
        bit: u8,
    },
    /// Changes one bit of its length.
    FlipLength {
        bit: u8,
    },
    LeaveOut,
    Repeat,
    /// Lets the next one pass before it.
    TurnRound,
    /// Leaves its second half out.
    Cut,
    /// Lets its first half pass, and ends the connection.
    End,
    /// Sends it back to where it came from, in place of what comes from there next.
    Reflect,
}

/// Where he sits: on one direction of one connection, at a frame.
#[derive(Clone, Copy, Debug)]
struct Attack {
    data: bool,
    up: bool,
    frame: u64,
    deed: Deed,
}

impl Attack {
    fn of(seed: u64) -> Attack {
        let mut random = Random(seed);
        let (at, bit) = (random.below(1000), random.below(8) as u8);
        let deed = match random.below(12) {
            0 => Deed::FlipLength { bit: random.below(32) as u8 },
            1 => Deed::LeaveOut,
            2 => Deed::Repeat,
            3 => Deed::TurnRound,
            4 => Deed::Cut,
            5 => Deed::End,
            6 => Deed::Reflect,
            _ => Deed::Flip { at, bit },
        };
        let data = random.below(4) > 0;
        // Control connections say little in a short run.
        let frame = random.below(if data { 12 } else { 3 });
        Attack { data, up: random.below(2) == 0, frame, deed }
    }
}

/// All that he has seen and done.
#[derive(Default)]
pub struct Between {
    attack: Option<Attack>,
    touched: AtomicBool,
    seen: Mutex<Vec<u8>>,
    /// What was said first on each connection.
    pub hellos: Mutex<Vec<Vec<u8>>>,
    reflected: Mutex<Option<Vec<u8>>>,
}

impl Between {
    /// Sits down before a process. Where the other one is to connect.
    fn sit(self: &Arc<Self>, process: SocketAddr, encrypted: bool) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, between) = (listener.local_addr().unwrap(), Arc::clone(self));
        // The two connections of a start; what is refused is asked for again.
        thread::spawn(move || {
            for one in listener.incoming().take(20).flatten() {
                let other = TcpStream::connect(process).unwrap();
                let between = Arc::clone(&between);
                thread::spawn(move || between.pass(one, other, encrypted));
            }
        });
        address
    }

    fn pass(self: Arc<Self>, below: TcpStream, above: TcpStream, encrypted: bool) {
        let seal = if encrypted { 16 } else { 32 };
        let (mut from, mut to) = (below.try_clone().unwrap(), above.try_clone().unwrap());
        let Ok(hello) = short_frame(&mut from) else { return };
        let data = hello[13] == 1;
        self.hellos.lock().unwrap().push(hello.clone());
        let _ = to.write_all(&hello);
        let down = thread::spawn({
            let (between, mut from, mut to) = (Arc::clone(&self), to.try_clone().unwrap(), from.try_clone().unwrap());
            move || {
                let welcome = short_frame(&mut from).and_then(|welcome| to.write_all(&welcome));
                welcome.and_then(|()| between.direction((from, to), data, false, seal))
            }
        });
        let confirmation = short_frame(&mut from).and_then(|confirmation| to.write_all(&confirmation));
        let _ = confirmation.and_then(|()| self.direction((from, to), data, true, seal));
        let _ = down.join();
    }

    /// Lets the frames of one direction pass, all but one.
    fn direction(
        &self,
        (mut from, mut to): (TcpStream, TcpStream),
        data: bool,
        up: bool,
        seal: usize,
    ) -> io::Result<()> {
        let mine = self.attack.filter(|attack| (attack.data, attack.up) == (data, up));
        let mut number = 0;
        let outcome = loop {
            let Ok(mut frame) = long_frame(&mut from, data, seal) else { break Ok(()) };
            self.seen.lock().unwrap().extend(&frame);
            let reflected = self
                .reflected
                .lock()
                .unwrap()
                .take_if(|_| self.attack.is_some_and(|attack| attack.data == data && attack.up != up));
            if let Some(reflected) = reflected {
                self.touched.store(true, Ordering::SeqCst);
                frame = reflected;
            }
            let deed = mine.filter(|attack| attack.frame == number).map(|attack| attack.deed);
            number += 1;
            if deed.is_some_and(|deed| !matches!(deed, Deed::Reflect)) {
                self.touched.store(true, Ordering::SeqCst);
            }
            let sent = match deed {
                None => to.write_all(&frame),
                Some(Deed::Flip { at, bit }) => {
                    let at = frame.len() * at as usize / 1000;
                    frame[at] ^= 1 << bit;
                    to.write_all(&frame)
                }
                Some(Deed::FlipLength { bit }) => {
                    frame[bit as usize / 8] ^= 1 << (bit % 8);
                    to.write_all(&frame)
                }
                Some(Deed::LeaveOut) => Ok(()),
                Some(Deed::Repeat) => to.write_all(&frame).and_then(|()| to.write_all(&frame)),
                Some(Deed::TurnRound) => match long_frame(&mut from, data, seal) {
                    Ok(next) => to.write_all(&next).and_then(|()| to.write_all(&frame)),
                    Err(_) => break Ok(()),
                },
                Some(Deed::Cut) => to.write_all(&frame[..frame.len() / 2]),
                Some(Deed::End) => {
                    let _ = to.write_all(&frame[..frame.len() / 2]);
                    let _ = from.shutdown(Shutdown::Both);
                    break to.shutdown(Shutdown::Both);
                }
                Some(Deed::Reflect) => {
                    *self.reflected.lock().unwrap() = Some(frame.clone());
                    to.write_all(&frame)
                }
            };
            if sent.is_err() {
                break sent;
            }
        };
        let _ = to.shutdown(Shutdown::Write);
        outcome
    }
}

/// A frame of the handshake, with its length.
pub fn short_frame(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    from.read_exact(&mut length)?;
    let mut frame = vec![0; 2 + u16::from_le_bytes(length) as usize];
    frame[..2].copy_from_slice(&length);
    from.read_exact(&mut frame[2..])?;
    Ok(frame)
}

/// A frame after it, with its length and its seal.
fn long_frame(from: &mut TcpStream, data: bool, seal: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    let (bytes, seal) = if data { (4, seal) } else { (8, 0) };
    from.read_exact(&mut length[..bytes])?;
    let mut frame = vec![0; bytes + u64::from_le_bytes(length) as usize + seal];
    frame[..bytes].copy_from_slice(&length[..bytes]);
    from.read_exact(&mut frame[bytes..])?;
    Ok(frame)
}

/// Two partitions of so many rows that most pass from one process to the other in many frames.
pub fn script() -> String {
    let partition = |name| (0..60).map(|row| format!("openly-{name}{row}:1@{row} ")).collect::<String>();
    format!("{}\n{}", partition("a"), partition("b"))
}

/// Runs two processes with somebody between them; what each says, and what they have written.
pub fn run_with(between: &Arc<Between>, encrypted: bool) -> ([Result<Outcome>; 2], Vec<String>) {
    let (plan, lines) = (plan(2), Lines::default());
    let address = between.sit(plan.address(0), encrypted);
    let second = [address.to_string(), plan.hosts[1].clone()];
    let second = Cluster::new(1, second, secret("the secret of all")).unwrap().bootstrap(30.seconds());
    let (said, saying) = mpsc::channel();
    for (process, cluster) in [plan.process(0), second].into_iter().enumerate() {
        let cluster = cluster.encrypted(encrypted).heartbeat(200.millis(), 4.seconds());
        let (job, said) = (job(&script(), &lines).cluster(cluster), said.clone());
        thread::spawn(move || said.send((process, job.run())));
    }
    let mut outcomes = [None, None];
    for _ in 0..2 {
        let (process, outcome) = saying.recv_timeout(Duration::from_secs(90)).expect("none waits without end");
        outcomes[process] = Some(outcome);
    }
    (outcomes.map(Option::unwrap), lines.text())
}

/// How many seeds are tried: many more where the environment asks for it.
fn seeds() -> u64 {
    std::env::var("DUALGAUGE_BETWEEN").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(70)
}

#[test]
fn somebody_between_two_processes_ends_them_and_changes_no_answer() {
    let (clean, expected) = run_with(&Arc::default(), false);
    drop(clean.map(Result::unwrap));
    assert_eq!(expected.len(), 120);
    let next = Mutex::new(0..seeds());
    let (touched, ended) = (Mutex::new(HashSet::new()), Mutex::new(HashSet::new()));
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(seed) = { next.lock().unwrap().next() } {
                    let attack = Attack::of(seed);
                    let between = Arc::new(Between { attack: Some(attack), ..Between::default() });
                    let (outcomes, text) = run_with(&between, seed % 2 == 1);
                    let is_touched = between.touched.load(Ordering::SeqCst);
                    let what = format!("seed {seed}, {attack:?}, touched: {is_touched}");
                    let errors: Vec<&Error> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
                    for error in &errors {
                        assert!(is_touched, "{what}: {error}");
                        assert_eq!(error.kind(), ErrorKind::Environment, "{what}: {error}");
                        assert!(error.to_string().contains(" was lost: "), "{what}: {error}");
                        assert!(error.may_be_retried(), "{what}: {error}");
                    }
                    match errors.is_empty() {
                        true => assert_eq!(text, expected, "{what}"),
                        false => drop(ended.lock().unwrap().insert(seed)),
                    }
                    if is_touched {
                        touched.lock().unwrap().insert(seed);
                    }
                }
            });
        }
    });
    // What is touched behind the last row may change nothing.
    let (touched, ended) = (touched.into_inner().unwrap().len(), ended.into_inner().unwrap().len());
    assert!(ended * 10 > touched * 6, "{ended} of {touched} that were touched have ended");
    assert!(touched as u64 * 2 > seeds(), "{touched} were touched");
}

#[test]
fn what_is_encrypted_cannot_be_read_on_the_way() {
    for encrypted in [false, true] {
        let between = Arc::new(Between::default());
        let (outcomes, text) = run_with(&between, encrypted);
        drop(outcomes.map(Result::unwrap));
        assert_eq!(text.len(), 120);
        let seen = between.seen.lock().unwrap();
        let is_read = seen.windows(7).any(|bytes| bytes == b"openly-");
        assert_eq!(is_read, !encrypted, "encrypted: {encrypted}");
    }
}

#[test]
fn processes_of_which_one_encrypts_say_so_at_once() {
    for encrypting in [0, 1] {
        let (plan, lines) = (plan(2), Lines::default());
        let jobs =
            [0, 1].map(|process| job("a:1@1", &lines).cluster(plan.process(process).encrypted(process == encrypting)));
        for error in super::errors(super::run(jobs)) {
            assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
            let expected =
                format!("process {encrypting} encrypts what it sends and process {} does not", 1 - encrypting);
            assert!(error.to_string().contains(&expected), "{error}");
        }
    }
}
