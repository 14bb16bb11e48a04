//! Processes that come through the handshake and then behave badly: silent, gone, or sending what cannot be.
//!
//! Process 0 is a whole job; process 1 is made here of the parts. Would catch: a generation that outlives one of its
//! processes, or goes on with bytes that nobody can have sent.

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

/// Runs process 0 of two, and `misbehave` with the connections of process 1 to it. What ends process 0.
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
    let terms = job.terms_of_a_cluster().unwrap();
    let first = thread::spawn(move || job.cluster(cluster).run().unwrap_err());
    let identity = Identity { process: 1, processes: 2, attempt: 0, cluster: "dualgauge".to_string(), secret, terms };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    misbehave(connect(&identity, &hosts, None, timing(), &clock).unwrap());
    first.join().unwrap()
}

fn timing() -> Timing {
    Timing { handshake: 2.seconds(), bootstrap: 30.seconds(), heartbeat: 100.millis(), deadline: 60.seconds() }
}

/// Beats as process 1 as long as the answer lives.
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

/// Waits until process 0 has ended, and tells why it said so.
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
    // Else a third, which hears of the failure later than of this end, would take it for the one that was lost.
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
        // It is looked at before the connection ends.
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
