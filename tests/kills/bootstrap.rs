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
    let before = memory(processes.id(0));
    let come = |number: usize| {
        let mut stream = TcpStream::connect(door).unwrap();
        let _ = stream.write_all(&[170, 0, b'D'][..number % 4]);
        stream
    };
    let mut strangers: Vec<_> = (0..STRANGERS).map(come).collect();
    // The eldest is sent away when there are too many.
    let _ = strangers[0].read(&mut [0]);
    let (after, files) =
        (memory(processes.id(0)), fs::read_dir(format!("/proc/{}/fd", processes.id(0))).unwrap().count());
    assert!(files < 400, "{files} files are open in the process at whose door {STRANGERS} stand");
    assert!(after < before + (8 << 10), "{after} KiB are held, and before they came {before}");

    let is_over = AtomicBool::new(false);
    let again = thread::scope(|scope| {
        let coming = scope.spawn(|| {
            let mut again = 0_u64;
            for number in (0..STRANGERS).cycle() {
                if is_over.load(Ordering::SeqCst) {
                    return again;
                }
                if strangers[number].write_all(b"G").is_err() {
                    strangers[number] = come(number);
                    again += 1;
                }
            }
            unreachable!("a cycle does not end")
        });
        network.set(None, &[There, Back], &[Data, Control], Weather::Clear);
        let mut processes = processes;
        processes.lines(1);
        is_over.store(true, Ordering::SeqCst);
        let again = coming.join().unwrap();
        let ended = processes.wait();
        assert!(ended.is_well(), "{}", ended.said());
        again
    });
    golden.check(&run, "among strangers");
    format!(
        "{STRANGERS} strangers, who came again {again} times; {before} KiB held before, {after} with them; {files} files open"
    )
}

/// What a process holds, in KiB.
fn memory(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
