//! The network between processes, where it can be cut: a proxy on the loopback between each two of them.
//!
//! A fault lies on one direction or both, and on the connections of data, of control, or all. How long one lasts is
//! counted in the heartbeats that come meanwhile.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread;

/// Bytes go there from who connects, and back to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    There,
    Back,
}

/// What a connection is for, as its hello says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Data,
    Control,
}

/// What becomes of the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weather {
    /// They arrive.
    #[default]
    Clear,
    /// What follows the first so many of a connection is lost, and neither side is told.
    SilentAfter(u64),
    /// They are held until so many heartbeats have come, or the sender has ended; then they arrive.
    Held { beats: u64 },
    /// The connection is closed with what has come unread, which resets it.
    Reset,
}

pub use Direction::{Back, There};
pub use Purpose::{Control, Data};

/// All is lost.
pub const SILENT: Weather = Weather::SilentAfter(0);

/// In the hello: two bytes of length, and eleven before the purpose.
const PURPOSE_AT: usize = 13;

/// The proxies between processes.
#[derive(Default)]
pub struct Network {
    /// By who connects and who listens.
    proxies: RefCell<BTreeMap<(usize, usize), Proxy>>,
    /// What they begin with.
    weather: [[Weather; 2]; 2],
}

impl Network {
    /// One that lies under this weather before anybody connects.
    pub fn under(directions: &[Direction], purposes: &[Purpose], weather: Weather) -> Network {
        let mut network = Network::default();
        lay(&mut network.weather, directions, purposes, weather);
        network
    }

    /// By which address one process reaches another, which listens at this one.
    pub fn reach(&self, from: usize, to: usize, address: SocketAddr) -> SocketAddr {
        // Those before it connect to a process, and it connects to those after it never.
        if from <= to {
            return address;
        }
        let proxy = || Proxy::before(address, self.weather);
        self.proxies.borrow_mut().entry((from, to)).or_insert_with(proxy).address
    }

    /// Lays the weather on all connections of a process, or on all.
    pub fn set(&self, of: Option<usize>, directions: &[Direction], purposes: &[Purpose], weather: Weather) {
        for proxy in self.of(of) {
            lay(&mut proxy.weather.lock().unwrap(), directions, purposes, weather);
        }
    }

    /// Waits until so many more heartbeats have come that go to a process.
    pub fn await_beats(&self, to: usize, count: u64) {
        let (at, direction) = if to == 0 { ((1, 0), There) } else { ((to, 0), Back) };
        let net = Arc::clone(&self.proxies.borrow()[&at].net);
        let mut seen = net.seen.lock().unwrap();
        let until = seen.beats[direction as usize] + count;
        while seen.beats[direction as usize] < until {
            seen = net.changed.wait(seen).unwrap();
        }
    }

    /// Waits until something was lost on so many connections.
    pub fn await_losses(&self, count: u64) {
        let net = Arc::clone(&self.proxies.borrow()[&(1, 0)].net);
        let mut seen = net.seen.lock().unwrap();
        while seen.losses < count {
            seen = net.changed.wait(seen).unwrap();
        }
    }

    fn of(&self, process: Option<usize>) -> Vec<Arc<Net>> {
        let proxies = self.proxies.borrow();
        let of =
            |(pair, _): &(&(usize, usize), _)| process.is_none_or(|process| pair.0 == process || pair.1 == process);
        proxies.iter().filter(of).map(|(_, proxy)| Arc::clone(&proxy.net)).collect()
    }
}

fn lay(all: &mut [[Weather; 2]; 2], directions: &[Direction], purposes: &[Purpose], weather: Weather) {
    for (direction, purpose) in directions.iter().flat_map(|&to| purposes.iter().map(move |&of| (to, of))) {
        all[direction as usize][purpose as usize] = weather;
    }
}

/// Stands before one process for another one.
struct Proxy {
    address: SocketAddr,
    net: Arc<Net>,
}

#[derive(Default)]
struct Net {
    /// By direction and purpose.
    weather: Mutex<[[Weather; 2]; 2]>,
    seen: Mutex<Seen>,
    changed: Condvar,
    pipes: Mutex<Vec<Weak<Pipe>>>,
    closing: AtomicBool,
}

#[derive(Default)]
struct Seen {
    /// By direction.
    beats: [u64; 2],
    /// Connections on which something was lost.
    losses: u64,
    /// Whoever is at the end of a silent connection is not told when the other side leaves.
    silent: Vec<Arc<Pipe>>,
}

/// One direction of a connection.
struct Pipe {
    direction: Direction,
    purpose: Purpose,
    from: Arc<TcpStream>,
    to: Arc<TcpStream>,
    flow: Mutex<Flow>,
}

#[derive(Default)]
struct Flow {
    passed: u64,
    held: Vec<u8>,
    ended: bool,
    lossy: bool,
}

impl Proxy {
    fn before(address: SocketAddr, weather: [[Weather; 2]; 2]) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let net = Arc::new(Net { weather: Mutex::new(weather), ..Net::default() });
        let proxy = Proxy { address: listener.local_addr().unwrap(), net: Arc::clone(&net) };
        thread::spawn(move || {
            for client in listener.incoming() {
                if net.closing.load(Ordering::SeqCst) {
                    return;
                }
                let net = Arc::clone(&net);
                thread::spawn(move || net.carry(client.unwrap(), address));
            }
        });
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.net.closing.store(true, Ordering::SeqCst);
        self.net.seen.lock().unwrap().silent.clear();
        let _ = TcpStream::connect(self.address); // so that it looks
    }
}

impl Net {
    /// Carries what one connection says to `address`, and what it hears.
    fn carry(self: Arc<Net>, client: TcpStream, address: SocketAddr) {
        let mut hello = [0; PURPOSE_AT + 1];
        loop {
            match client.peek(&mut hello) {
                Ok(seen) if seen == hello.len() => break,
                Ok(0) | Err(_) => return,
                Ok(_) => thread::yield_now(),
            }
        }
        let purpose = if hello[PURPOSE_AT] == 1 { Data } else { Control };
        let Ok(server) = TcpStream::connect(address) else { return };
        [&client, &server].iter().for_each(|stream| stream.set_nodelay(true).unwrap());
        let (client, server) = (Arc::new(client), Arc::new(server));
        let pipe = |direction, from: &Arc<TcpStream>, to: &Arc<TcpStream>| {
            let (from, to) = (Arc::clone(from), Arc::clone(to));
            Arc::new(Pipe { direction, purpose, from, to, flow: Mutex::default() })
        };
        let (there, back) = (pipe(There, &client, &server), pipe(Back, &server, &client));
        self.pipes.lock().unwrap().extend([&there, &back].map(Arc::downgrade));
        drop((client, server));
        let net = Arc::clone(&self);
        thread::spawn(move || net.pump(there));
        self.pump(back);
    }

    /// Passes bytes on, as the weather lets it.
    fn pump(&self, pipe: Arc<Pipe>) {
        let mut bytes = [0; 16 * 1024];
        loop {
            // Looked at before they are taken, so that a reset finds them unread.
            let seen = pipe.from.peek(&mut bytes).unwrap_or(0);
            let mut flow = pipe.flow.lock().unwrap();
            let weather = self.weather.lock().unwrap()[pipe.direction as usize][pipe.purpose as usize];
            if seen > 0 && weather == Weather::Reset {
                return;
            }
            let read = (&*pipe.from).read(&mut bytes[..seen]).unwrap_or(0);
            let went_on = match weather {
                _ if flow.lossy => true,
                Weather::SilentAfter(most) if read == 0 || flow.passed + read as u64 > most => {
                    let through = most.saturating_sub(flow.passed).min(read as u64) as usize;
                    let _ = (&*pipe.to).write_all(&bytes[..through]);
                    flow.lossy = true;
                    let mut seen = self.seen.lock().unwrap();
                    seen.losses += 1;
                    seen.silent.push(Arc::clone(&pipe));
                    true
                }
                Weather::Held { .. } => {
                    flow.held.extend(&bytes[..read]);
                    flow.ended |= read == 0;
                    true
                }
                Weather::Clear | Weather::Reset | Weather::SilentAfter(_) => {
                    flow.ended |= read == 0;
                    flow.held.extend(&bytes[..read]);
                    flow.release(&pipe.to)
                }
            };
            flow.passed += read as u64;
            drop(flow);
            self.look(&pipe, read);
            if read == 0 || !went_on {
                return;
            }
        }
    }

    /// Counts a heartbeat, and lets go what is held where it was the last that was waited for, or where the sender ends.
    fn look(&self, pipe: &Pipe, read: usize) {
        let mut all = self.weather.lock().unwrap();
        let of_direction = &mut all[pipe.direction as usize];
        let mut is_over = false;
        if let Weather::Held { beats } = &mut of_direction[pipe.purpose as usize] {
            *beats -= u64::from(pipe.purpose == Control);
            is_over = *beats == 0 || read == 0;
        }
        if is_over {
            *of_direction = [Weather::Clear; 2];
        }
        drop(all);
        if is_over {
            let pipes: Vec<_> = self.pipes.lock().unwrap().iter().filter_map(Weak::upgrade).collect();
            for held in pipes.iter().filter(|held| held.direction == pipe.direction) {
                held.flow.lock().unwrap().release(&held.to);
            }
        }
        let mut seen = self.seen.lock().unwrap();
        seen.beats[pipe.direction as usize] += u64::from(pipe.purpose == Control);
        drop(seen);
        self.changed.notify_all();
    }
}

impl Flow {
    /// Sends what is held, and the end if it has come. Whether there is somebody.
    fn release(&mut self, to: &TcpStream) -> bool {
        let mut to = to;
        let sent = to.write_all(&std::mem::take(&mut self.held)).is_ok();
        if self.ended {
            let _ = to.shutdown(Shutdown::Write);
        }
        sent
    }
}
