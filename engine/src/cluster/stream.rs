//! The data connection to another process, as timely reads and writes it.
//!
//! - **Timely's threads never see a failure.** All they can do is panic. What goes wrong here is reported to the links,
//!   which end the job; the thread is held until the workers are gone, and then given a clean end of the stream.
//! - **Only what was sent.** Timely gets the bytes of a piece only if its seal is right
//!   (`engine/src/cluster/pieces.rs`); a wrong seal ends the job at once.
//! - **Only valid frames.** The head of each is checked before timely sees it: one that is too long, or for a worker
//!   that is not here, ends the job.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use timely::communication::allocator::zero_copy::stream::Stream;

use super::bootstrap::Connection;
use super::links::Links;
use super::pieces::{Gone, Incoming, Outgoing};

/// The bytes of a frame's head, as timely writes it: channel, source, first and last target, length, number.
const HEAD: usize = 48;

/// The longest frame: a batch is far below it.
const LENGTH_MAX: u64 = 1 << 30;

/// The workers of two processes, by whom frames are sent and to whom.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    pub(super) from: Range<u64>,
    pub(super) to: Range<u64>,
}

/// A data connection.
pub(super) struct DataStream {
    stream: TcpStream,
    peer: usize,
    links: Arc<Links>,
    frames: Frames,
    /// Shared by all copies of this connection: two that sealed separately would use a number twice.
    pieces: Arc<(Mutex<Outgoing>, Mutex<Incoming>)>,
    /// Nothing that comes in counts any more.
    broken: bool,
}

impl DataStream {
    /// The connection of process `me` to another.
    pub(super) fn new(connection: Connection, (me, peer): (u16, usize), ends: Ends, links: Arc<Links>) -> DataStream {
        let outgoing = Outgoing::new(connection.way(me));
        let incoming = Incoming::new(connection.way(peer as u16));
        let pieces = Arc::new((Mutex::new(outgoing), Mutex::new(incoming)));
        DataStream { stream: connection.stream, peer, links, frames: Frames::new(ends), pieces, broken: false }
    }

    /// What timely still needs to end cleanly: the rest of the frame, then the frame that says so. Called when no
    /// worker reads it any more.
    fn wind_up(&mut self, into: &mut [u8]) -> usize {
        let wanted = match (self.frames.ended, self.frames.body, self.frames.head.len()) {
            (true, ..) => return 0,
            (false, 0, head) => HEAD - head,
            (false, body, _) => usize::try_from(body).unwrap_or(usize::MAX),
        };
        let most = wanted.min(into.len());
        into[..most].fill(0);
        let passed = self.frames.pass(&into[..most]);
        // Its workers come before its length, so where zeros make the rest of the workers, they make an empty frame.
        passed.expect("half a frame that could be one can be made a whole one");
        most
    }
}

impl Read for DataStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.broken {
            return Ok(self.wind_up(into));
        }
        let pieces = Arc::clone(&self.pieces);
        let mut incoming = pieces.1.lock().expect("no panic holds it");
        let data = self.links.data(self.peer);
        let (at_once, how) = loop {
            let opened = incoming.opened();
            if !opened.is_empty() && !into.is_empty() {
                let most = opened.len().min(into.len());
                let before = self.frames.clone();
                match self.frames.pass(&opened[..most]) {
                    Ok(()) => {
                        into[..most].copy_from_slice(&opened[..most]);
                        incoming.consume(most);
                        return Ok(most);
                    }
                    Err(how) => {
                        self.frames = before; // as timely knows it
                        break (true, how);
                    }
                }
            }
            data.note_reading();
            match incoming.advance(&mut self.stream) {
                Ok(came) => {
                    data.note_received(came.raw);
                    data.note_opened(came.opened);
                }
                Err(Gone::Broke(error)) if error.kind() == ErrorKind::Interrupted => {}
                Err(Gone::Ended | Gone::Broke(_)) if self.frames.ended => return Ok(0),
                Err(Gone::Ended) => break (false, "the data connection to it has ended".to_string()),
                Err(Gone::Broke(error)) => break (false, format!("the data connection to it broke: {error}")),
                Err(Gone::Forged(how)) => break (true, how),
            }
        };
        if at_once {
            self.links.lost(self.peer, &how);
        }
        // If the other side has ended, its reason may still be on its way.
        self.links.broken(self.peer, &how);
        self.broken = true;
        Ok(self.wind_up(into))
    }
}

impl Write for DataStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let mut outgoing = self.pieces.0.lock().expect("no panic holds it");
        let (piece, taken) = outgoing.next(bytes);
        match self.stream.write_all(piece) {
            Ok(()) => self.links.data(self.peer).note_sent(piece.len()),
            // This goes to nobody, and so does all that follows.
            Err(_) => self.links.broken(self.peer, "the data connection to it broke"),
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for DataStream {
    fn try_clone(&self) -> io::Result<DataStream> {
        Ok(DataStream {
            stream: self.stream.try_clone()?,
            peer: self.peer,
            links: Arc::clone(&self.links),
            frames: Frames::new(self.frames.ends.clone()),
            pieces: Arc::clone(&self.pieces),
            broken: false,
        })
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.stream.set_nonblocking(nonblocking)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let _ = self.stream.shutdown(how); // what is already shut down need not be
        Ok(())
    }
}

/// Where the bytes are in the stream of frames.
#[derive(Clone)]
struct Frames {
    ends: Ends,
    /// The part of a head that has come.
    head: Vec<u8>,
    /// How much of a body is still to come.
    body: u64,
    /// The frame that says that nothing follows has come.
    ended: bool,
}

impl Frames {
    fn new(ends: Ends) -> Frames {
        Frames { ends, head: Vec::new(), body: 0, ended: false }
    }

    /// Follows the frames through `bytes`.
    fn pass(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            if self.ended {
                return Err("it has sent data after its end".to_string());
            }
            if self.body > 0 {
                let passed = self.body.min(bytes.len() as u64);
                self.body -= passed;
                bytes = &bytes[passed as usize..];
                continue;
            }
            let taken = (HEAD - self.head.len()).min(bytes.len());
            self.head.extend(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.head.len() == HEAD {
                self.begin()?;
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), String> {
        let number = |at: usize| u64::from_be_bytes(self.head[at * 8..][..8].try_into().expect("eight bytes"));
        let (source, first, last, length) = (number(1), number(2), number(3), number(4));
        let Ends { from, to } = &self.ends;
        if length > LENGTH_MAX {
            return Err(format!("it has sent a frame of {length} bytes, and {LENGTH_MAX} are the most"));
        }
        if length > 0 && !(from.contains(&source) && to.start <= first && first < last && last <= to.end) {
            return Err(format!("it has sent a frame from worker {source} to workers {first} to {last}"));
        }
        self.head.clear();
        (self.body, self.ended) = (length, length == 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Frames {
        Frames::new(Ends { from: 2..4, to: 0..2 })
    }

    fn frame(source: u64, first: u64, last: u64, length: u64) -> Vec<u8> {
        [0, source, first, last, length, 0].iter().flat_map(|number: &u64| number.to_be_bytes()).collect()
    }

    #[test]
    fn frames_are_followed_however_they_are_cut() {
        let stream =
            [frame(2, 0, 1, 5), b"abcde".to_vec(), frame(3, 0, 2, 1), b"f".to_vec(), frame(0, 0, 0, 0)].concat();
        for piece in 1..=stream.len() {
            let mut frames = frames();
            stream.chunks(piece).for_each(|bytes| frames.pass(bytes).unwrap());
            assert!(frames.ended, "cut into pieces of {piece}");
        }
    }

    #[test]
    fn what_cannot_be_a_frame_is_named() {
        let refused = |bytes: &[u8]| frames().pass(bytes).unwrap_err();
        assert!(refused(&frame(2, 0, 1, 1 << 63)).contains("9223372036854775808 bytes"));
        assert!(refused(&frame(2, 1, 3, 8)).contains("to workers 1 to 3"), "worker 2 is not here");
        assert!(refused(&frame(2, 1, 1, 8)).contains("to workers 1 to 1"), "for nobody");
        assert!(refused(&frame(1, 0, 1, 8)).contains("from worker 1"), "that is one of ours");
        assert!(refused(&[frame(0, 0, 0, 0), b"x".to_vec()].concat()).contains("after its end"));
        assert_eq!(frames().pass(&frame(3, 0, 2, 1 << 30)), Ok(()));
    }
}
