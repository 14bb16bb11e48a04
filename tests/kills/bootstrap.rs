//! The start of two processes over a network that is cut in the midst of a handshake, and with strangers at the door.

use std::cell::Cell;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use dualgauge::prelude::*;

use crate::network::{Back, Control, Data, Network, Purpose, SILENT, There, Weather};
use crate::supervisor::{Call, Run, Way};
use crate::{Golden, TWO, drawn, each_of, from_environment};

/// The bytes of a hello, of the hello and its confirmation, and of a welcome.
const HELLO: u64 = 174;
const CONFIRMED: u64 = 220;
const WELCOME: u64 = 62;

/// Bytes are lost from a drawn one of the handshake on. Where new connections are clear again, the processes find each
/// other, unless one believes that they have; where they are not, both say who is missing.
pub fn cut_short(golden: &Golden) -> String {
    let (found, lost) = (AtomicU64::new(0), AtomicU64::new(0));
    each_of(3, 0..from_environment("DUALGAUGE_CUTS", 10), |number, seed| {
        let way = Way { from: ["history", "live"][seed as usize % 2], to: "log", team: TWO };
        let run = Run::new(&golden.ground, &format!("bootstrap-{number}"), way);
        let direction = [There, Back][seed as usize / 2 % 2];
        let purposes: &[Purpose] = [&[Data, Control][..], &[Data], &[Control]][drawn(seed, 3) as usize];
        let at = drawn(seed + 1_000, if direction == There { CONFIRMED } else { WELCOME });
        let clears = seed % 5 < 3;
        let is_well = clears && (direction == Back || at < HELLO);
        let what = format!("{way:?}, {direction:?} of {purposes:?} cut at byte {at}, clear again: {clears}");

        let network = Network::under(&[direction], purposes, Weather::SilentAfter(at));
        let reach = |from, to, address| network.reach(from, to, address);
        let patience = if is_well { 120.seconds() } else { 2.seconds() };
        let call = Call { deadline: patience, bootstrap: patience, reach: &reach, ..Call::new(TWO, 0, "trace") };
        let processes = run.call(&call);
        if clears {
            network.await_losses(purposes.len() as u64);
            network.set(None, &[direction], purposes, Weather::Clear);
        }
        let ended = processes.wait();
        for (process, (status, error)) in ended.statuses.iter().zip(&ended.errors).enumerate() {
            let names = error.contains(&format!("process {} at 127.0.0.1:", 1 - process));
            assert!(if is_well { status.success() } else { !status.success() && names }, "{what}: {error}");
        }
        if is_well { &found } else { &lost }.fetch_add(1, Ordering::Relaxed);
        run.finish(way.team);
        golden.check(&run, &what);
    });
    let (found, lost) = (found.into_inner(), lost.into_inner());
    format!("{found} times the two found each other all the same, {lost} times both said who was missing")
}

/// A thousand who say a byte now and then, and come again when they are sent away.
const STRANGERS: usize = 1_000;

pub fn among_strangers(golden: &Golden) -> String {
    let way = Way { from: "live", to: "log", team: TWO };
    let run = Run::new(&golden.ground, "strangers", way);
    // Process 1 reaches nobody until the strangers are there.
    let (network, door) = (Network::under(&[There, Back], &[Data, Control], SILENT), Cell::new(None));
    let reach = |from, to, address: SocketAddr| {
        door.set(door.get().or((to == 0).then_some(address)));
        network.reach(from, to, address)
    };
    let processes = run.call(&Call { reach: &reach, ..Call::new(TWO, 0, "trace") });
    network.await_losses(2);
    let door = door.get().expect("process 0 listens");
    // It looks who is there once it closes on one who says a frame of an impossible length.
    let mut first = TcpStream::connect(door).unwrap();
    first.write_all(&[255, 255, 0]).unwrap();
    let _ = first.read(&mut [0]);
    let before = memory(processes.id(0));
    // Afterwards the door is shut, and whoever comes is not let in any more.
    let is_over = AtomicBool::new(false);
    let come = |number: usize| {
        // More than wait to be let in at once would have to try again, and the first be gone before the last are there.
        while number.is_multiple_of(32) && waiting_at(door) > 32 && !is_over.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        let mut stream = TcpStream::connect_timeout(&door, std::time::Duration::from_secs(1))?;
        let _ = stream.write_all(&[170, 0, b'D'][..number % 4]);
        Ok(stream)
    };
    let strangers: std::io::Result<Vec<TcpStream>> = (0..STRANGERS).map(come).collect();
    let mut strangers = strangers.unwrap();
    // The eldest is sent away when there are too many.
    let _ = strangers[0].read(&mut [0]);
    let (after, files) =
        (memory(processes.id(0)), fs::read_dir(format!("/proc/{}/fd", processes.id(0))).unwrap().count());
    assert!(files < 400, "{files} files are open in the process at whose door {STRANGERS} stand");
    assert!(after < before + (8 << 10), "{after} KiB are held, and before they came {before}");

    let (ended, again) = thread::scope(|scope| {
        let coming = scope.spawn(|| {
            let mut again = 0_u64;
            for number in (0..STRANGERS).cycle().take_while(|_| !is_over.load(Ordering::SeqCst)) {
                if strangers[number].write_all(b"G").is_err()
                    && let Ok(stream) = come(number)
                {
                    strangers[number] = stream;
                    again += 1;
                }
            }
            again
        });
        network.set(None, &[There, Back], &[Data, Control], Weather::Clear);
        let ended = {
            let _over = Over(&is_over);
            processes.wait()
        };
        (ended, coming.join().unwrap())
    });
    assert!(ended.is_well(), "{}", ended.said());
    golden.check(&run, "among strangers");
    format!(
        "{STRANGERS} strangers, who came again {again} times; {before} KiB held before, {after} with them; {files} files open"
    )
}

/// Says so when it goes, also where the check fails meanwhile.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// How many have connected to a listener and are not accepted yet.
fn waiting_at(door: SocketAddr) -> u64 {
    let listeners = fs::read_to_string("/proc/net/tcp").unwrap();
    let (at, listens) = (format!(":{:04X}", door.port()), "0A");
    let fields = listeners.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = fields.into_iter().find(|fields| fields[1].ends_with(&at) && fields[3] == listens);
    ours.map_or(0, |fields| u64::from_str_radix(fields[4].split(':').nth(1).unwrap(), 16).unwrap())
}

/// What a process holds, in KiB.
fn memory(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
