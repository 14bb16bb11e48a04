//! Processes that come through the handshake and then behave badly: silent, gone, or sending what cannot be.
//!
//! Process 0 is a whole job; process 1 is made here from the parts. Would catch: a generation that outlives one of its
//! processes, or carries on with bytes that nobody can have sent.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use super::bootstrap::{Connection, connect};
use super::handshake::{Identity, Purpose};
use super::links::Links;
use super::*;
use crate::run::Shared;
use crate::testing::{Item, Line, Lines, Script};
use crate::{Clock, Error, ErrorKind, Event, Job, Limits, SystemClock};

/// Runs process 0 of two, and `misbehave` with the connections of process 1 to it. Returns what ends process 0.
fn ends_process_0(misbehave: impl FnOnce(BTreeMap<(u16, Purpose), Connection>)) -> Error {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let hosts = vec![listener.local_addr().unwrap().to_string(), "127.0.0.1:1".to_string()];
    let secret = Secret::new("the secret of both").unwrap();
    let cluster = Cluster::new(0, hosts.clone(), secret.clone()).unwrap().listener(listener);
    let cluster = cluster.heartbeat(100.millis(), 1.seconds()).bootstrap(30.seconds());
    let job = Job::new(|flow| {
        let lines = flow.source::<Item>("items").transform(crate::flow::NodeSpec::stateless("copy"), |batch| {
            batch.transform(|event: Event<Item>, out| {
                out.push(Event::new(event.time, Line { time: event.time, text: event.data.key }));
            })
        });
        lines.sink("lines");
    });
    let job = job.source("items", Script::from("a:1@1 ...\nb:1@1 ...")).sink("lines", Lines::default());
    let terms = job.clone().bind().unwrap().terms_of_a_cluster().unwrap();
    let first = thread::spawn(move || job.cluster(cluster).run().unwrap_err());
    let identity = Identity { process: 1, processes: 2, attempt: 0, cluster: "dualgauge".to_string(), secret, terms };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    misbehave(connect(&identity, &hosts, None, timing(), &clock).unwrap());
    first.join().unwrap()
}

fn timing() -> Timing {
    Timing { handshake: 2.seconds(), bootstrap: 30.seconds(), heartbeat: 100.millis(), deadline: 60.seconds() }
}

/// Sends heartbeats as process 1 for as long as the result lives.
fn beating(
    mut connections: BTreeMap<(u16, Purpose), Connection>,
) -> (Arc<Links>, Vec<thread::JoinHandle<()>>, Connection) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let shared = Arc::new(Shared::new(Limits::default(), clock, true));
    let control = connections.remove(&(0, Purpose::Control));
    let hosts = vec!["zero".to_string(), "one".to_string()];
    let (links, threads) = Links::start(1, hosts, vec![control, None], &shared, timing()).unwrap();
    (links, threads, connections.remove(&(0, Purpose::Data)).unwrap())
}

/// Waits until process 0 has ended, and returns the reason it gave.
fn told(links: &Links) -> Error {
    links.wait(|_| None::<()>);
    links.shared.failed_with().unwrap()
}

#[test]
fn a_silent_process_is_lost_after_the_deadline() {
    let (hold, held) = std::sync::mpsc::channel();
    let error = ends_process_0(|connections| hold.send(connections).unwrap());
    assert_eq!(error.kind(), ErrorKind::Environment);
    assert!(error.to_string().contains("process 1 at 127.0.0.1:1 was lost: nothing was heard of it for 1s"), "{error}");
    drop(held);
}

#[test]
fn a_process_that_leaves_without_a_word_is_lost_at_once() {
    let error = ends_process_0(drop);
    assert!(error.to_string().contains("process 1 at 127.0.0.1:1 was lost: "), "{error}");
}

#[test]
fn a_process_that_ends_for_the_failure_of_another_takes_its_leave() {
    // Otherwise a third, which hears of the failure later than of this end, would take it for the one that was lost.
    let error = ends_process_0(|connections| {
        let (links, threads, data) = beating(connections);
        links.shared.fail(Error::data("a row that cannot be read"));
        links.leave();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(links.has_left(0));
        drop(data);
    });
    assert_eq!(error.to_string(), "process 1: a row that cannot be read");
}

#[test]
fn a_frame_that_cannot_be_ends_the_job_in_all_processes() {
    let error = ends_process_0(|connections| {
        let (links, threads, mut data) = beating(connections);
        let head: Vec<u8> = [0, 1, 0, 1, 1 << 63, 0].iter().flat_map(|number: &u64| number.to_be_bytes()).collect();
        let mut outgoing = super::pieces::Outgoing::new(data.way(1));
        data.stream.write_all(outgoing.next(&head).0).unwrap();
        let error = told(&links);
        assert_eq!(error.kind(), ErrorKind::Environment);
        assert!(error.to_string().starts_with("process 0: process 1 at"), "{error}");
        links.leave();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert!(error.to_string().contains("it has sent a frame of 9223372036854775808 bytes"), "{error}");
}

#[test]
fn data_that_ends_while_the_process_lives_ends_the_job() {
    let error = ends_process_0(|connections| {
        let (links, threads, data) = beating(connections);
        drop(data);
        told(&links);
        links.leave();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert!(error.to_string().contains("was lost: the data connection to it "), "{error}");
}

#[test]
fn data_that_does_not_arrive_while_the_process_lives_ends_the_job() {
    let error = ends_process_0(|connections| {
        let (links, threads, data) = beating(connections);
        links.data(0).note_sent(100); // and something on the way keeps it
        told(&links);
        links.leave();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        drop(data);
    });
    assert!(error.to_string().contains("was lost: the data that it has sent has not arrived for 1s"), "{error}");
}

#[test]
fn a_word_with_a_wrong_seal_is_not_heard() {
    let error = ends_process_0(|mut connections| {
        let mut control = connections.remove(&(0, Purpose::Control)).unwrap();
        // Long enough to be a word and its seal.
        let frame = [&40_u64.to_le_bytes()[..], &[0; 40]].concat();
        control.stream.write_all(&frame).unwrap();
        // It is checked before the connection ends.
        let mut rest = Vec::new();
        let _ = std::io::Read::read_to_end(&mut control.stream, &mut rest);
    });
    assert!(error.to_string().contains("its seal is wrong"), "{error}");
}

#[test]
fn a_word_of_an_impossible_length_is_not_awaited() {
    let error = ends_process_0(|mut connections| {
        let mut control = connections.remove(&(0, Purpose::Control)).unwrap();
        control.stream.write_all(&(1_u64 << 63).to_le_bytes()).unwrap();
        let mut rest = Vec::new();
        let _ = std::io::Read::read_to_end(&mut control.stream, &mut rest);
    });
    assert!(error.to_string().contains("a frame of 9223372036854775808 bytes"), "{error}");
}

/// A properly sealed word.
fn said(way: &mut super::way::Way, word: &[u8]) -> Vec<u8> {
    let mut frame = word.to_vec();
    way.close(&mut frame, 0);
    [&(frame.len() as u64).to_le_bytes()[..], &frame].concat()
}

#[test]
fn sealed_words_that_are_none_end_the_job_in_order() {
    let failed = |kind: u8, length: &[u8]| [&[2, kind, 0, 0][..], length, b"text", &[0]].concat();
    for (what, word, expected) in [
        ("nothing", vec![], "is no word"),
        ("a word that there is not", vec![200], "is no word"),
        ("half a word", vec![0], "is no word"),
        ("more than a word", vec![3, 0], "is no word"),
        ("a text by the word of its length", failed(0, &[0xff, 0xff, 0xff, 0xff, 0x7f]), "is no word"),
        ("a failure of no kind", failed(255, &[4]), "text"),
        ("a failure of a code that there is not", [&[2, 0, 1, 200, 0, 4][..], b"text", &[0]].concat(), "is no word"),
        ("a remedy that there is not", [&[2, 0, 0, 1, 200, 4][..], b"text", &[0]].concat(), "is no word"),
        ("an end that is not its own to say", vec![8, 0], "is no word"),
        ("a start without its layers", [&[1][..], &[0xff; 9], &[1]].concat(), "is no word"),
        ("a beat from the end of numbers", [&[0][..], &[0xff; 9], &[1]].concat(), "was lost"),
    ] {
        let error = ends_process_0(|mut connections| {
            let mut control = connections.remove(&(0, Purpose::Control)).unwrap();
            let frame = said(&mut control.way(1), &word);
            control.stream.write_all(&frame).unwrap();
            let mut rest = Vec::new();
            let _ = std::io::Read::read_to_end(&mut control.stream, &mut rest);
        });
        assert!(error.to_string().contains(expected), "{what}: {error}");
    }
}

/// A message from worker 1 as timely writes it, for worker 0: how many stamps it claims to have, and its batch.
fn message(stamps: u64, batch: &[u8]) -> Vec<u8> {
    let numbers: Vec<u8> = [1, 0, stamps, 0, 0].iter().flat_map(|number: &u64| number.to_le_bytes()).collect();
    let rest = batch.len().next_multiple_of(8) - batch.len();
    [&numbers[..], batch, &[0; 8][..rest]].concat()
}

/// Sends process 0 a body behind a correct head and a correct seal. Returns what ends it.
fn ends_by_frame(channel: u64, body: &[u8]) -> Error {
    ends_process_0(|connections| {
        let (links, threads, mut data) = beating(connections);
        let head = [channel, 1, 0, 1, body.len() as u64, 0].map(u64::to_be_bytes).concat();
        let mut outgoing = super::pieces::Outgoing::new(data.way(1));
        data.stream.write_all(outgoing.next(&[&head[..], body].concat()).0).unwrap();
        drop(data); // if nobody reads the channel, this ends it
        told(&links);
        links.leave();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    })
}

#[test]
fn sealed_frames_that_hold_what_nobody_sent_end_the_job_in_order() {
    let batch = |length: u64, content: &[u8]| [&length.to_le_bytes()[..], content].concat();
    let endless = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let bodies = [
        ("a byte", vec![7]),
        ("zeros", vec![0; 64]),
        ("ones", vec![0xff; 64]),
        ("more stamps than there are bytes", message(1 << 60, &[])),
        ("no stamp", message(0, &batch(0, &[]))),
        ("a batch without a length", message(1, &[])),
        ("a batch that is longer than the frame", message(1, &batch(1 << 63, &[]))),
        ("more events than there are bytes", message(1, &batch(10, &endless))),
        ("half an event", message(1, &batch(2, &[1, 0]))),
        ("more than a batch", message(1, &batch(5, &[0, 0, 0, 0, 0]))),
        ("an event behind that is not there", message(1, &batch(5, &[0, 1, 9, 0, 0]))),
    ];
    // Those of the data, of the progress, and some that nobody has.
    let how = |what: &str, channel: u64, body: &[u8]| {
        let error = ends_by_frame(channel, body).to_string();
        let how = ["cannot be read", "was lost", "panicked"].into_iter().find(|how| error.contains(how));
        (channel, how.unwrap_or_else(|| panic!("{what}, channel {channel}: {error}")))
    };
    let mut seen = BTreeMap::new();
    for (what, body) in &bodies {
        let ended: Vec<_> = thread::scope(|scope| {
            let running: Vec<_> = (0..10).map(|channel| scope.spawn(move || how(what, channel, body))).collect();
            running.into_iter().map(|one| one.join().unwrap()).collect()
        });
        println!("{what}: {ended:?}");
        ended.into_iter().for_each(|(_, how)| *seen.entry(how).or_insert(0) += 1);
    }
    assert!(seen.contains_key("cannot be read") && seen.contains_key("panicked"), "not all was looked at: {seen:?}");
}
