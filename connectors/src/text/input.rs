//! Where the bytes of a partition come from, a block at a time and without ever waiting.

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;

use dualgauge_engine::{Error, Offset, Result, Waker};

use super::coded::{Coded, Decoded, decoded, not_text};
use super::follow::Watch;
use super::plain::Plain;

/// How many blocks may wait between the thread that reads a pipe and the reader.
const BLOCKS_WAITING_MAX: usize = 4;

/// An open file or pipe.
pub(super) enum Input {
    /// A file of plain text; followed ones never end.
    Plain(Box<Plain>),
    /// A file that is decoded while it is read.
    Coded(Box<Coded>),
    /// What a thread reads from standard input.
    Pipe { blocks: Receiver<Block>, ended: bool, waker: Arc<OnceLock<Waker>> },
}

/// What one read of a pipe gave.
type Block = std::io::Result<Vec<u8>>;

/// What there was to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// Some more bytes.
    Bytes,
    /// Nothing now.
    Nothing,
    /// Nothing ever again.
    End,
}

impl Input {
    /// A file after an offset; at its end it waits for more if its path is watched.
    pub(super) fn file(path: &Path, offset: &Offset, watch: Option<Watch>) -> Result<Input> {
        Plain::open(path, offset, watch)
    }

    /// A followed file after an offset, which lies at a different path from its successor's.
    pub(super) fn renamed(path: &Path, at: &Path, offset: &Offset, watch: Watch) -> Result<Input> {
        Plain::open_at(path, at, offset, Some(watch))
    }

    /// How many bytes the files before it had, which were read under its name; offsets count on from there.
    pub(super) fn base(&self) -> u64 {
        match self {
            Input::Plain(plain) => plain.base(),
            Input::Coded(_) | Input::Pipe { .. } => 0,
        }
    }

    /// What to read when this one has ended.
    pub(super) fn successor(&mut self) -> Result<Option<Input>> {
        match self {
            Input::Plain(plain) => plain.successor(),
            Input::Coded(_) | Input::Pipe { .. } => Ok(None),
        }
    }

    /// What an offset carries to recognise its file: a hash of all bytes before it. A pipe has none.
    pub(super) fn proof(&self, position: u64) -> Option<[u8; 32]> {
        match self {
            Input::Plain(plain) => plain.proof(position),
            Input::Coded(coded) => coded.proof(position),
            Input::Pipe { .. } => None,
        }
    }

    /// Refuses a file that is not the one that was read up to this offset: all of that is read once more.
    pub(super) fn check_proof(&self, offset: &Offset) -> Result<()> {
        match self {
            Input::Plain(plain) => plain.check_proof(offset),
            Input::Coded(coded) => coded.check_proof(offset),
            Input::Pipe { .. } => Ok(()),
        }
    }

    /// A pipe, read by a thread of its own, since a read from it may wait for ever.
    ///
    /// The thread ends with the pipe, or at its first block after the input was dropped.
    pub(super) fn pipe(pipe: impl Read + Send + 'static, block_bytes: usize) -> Input {
        let (sender, blocks) = sync_channel(BLOCKS_WAITING_MAX);
        let (says, waker) = (sender.clone(), Arc::<OnceLock<Waker>>::default());
        let woken = Arc::clone(&waker);
        let read_on = move || {
            let wake = || woken.get().into_iter().for_each(Waker::wake);
            read_pipe(pipe, block_bytes, &sender, &wake);
            drop(sender); // so that whoever is woken sees that it has ended
            wake();
        };
        if let Err(cause) = thread::Builder::new().name("stdin".to_string()).spawn(read_on) {
            let _ = says.send(Err(std::io::Error::new(cause.kind(), format!("its thread does not start: {cause}"))));
        }
        Input::Pipe { blocks, ended: false, waker }
    }

    /// Wakes a worker when more has come. Returns whether this input can tell, as a pipe can.
    pub(super) fn wake_by(&mut self, wanted: &Waker) -> bool {
        match self {
            Input::Plain(_) | Input::Coded(_) => false,
            Input::Pipe { waker, .. } => waker.set(wanted.clone()).is_ok(),
        }
    }

    /// Appends at most `block_bytes` to `buffer` (a pipe's block has its own size).
    pub(super) fn read(&mut self, buffer: &mut Vec<u8>, block_bytes: usize) -> Result<Got> {
        match self {
            Input::Plain(plain) => plain.read(buffer, block_bytes),
            Input::Coded(coded) => coded.read(buffer, block_bytes),
            Input::Pipe { ended: true, .. } => Ok(Got::End),
            Input::Pipe { blocks, ended, .. } => match blocks.try_recv() {
                Ok(Ok(block)) => {
                    buffer.extend_from_slice(&block);
                    Ok(Got::Bytes)
                }
                Ok(Err(cause)) => Err(Error::io("cannot read standard input", cause)),
                Err(TryRecvError::Empty) => Ok(Got::Nothing),
                Err(TryRecvError::Disconnected) => {
                    *ended = true;
                    Ok(Got::End)
                }
            },
        }
    }
}

/// Reads a pipe to its end, or until nobody wants it any more.
fn read_pipe(pipe: impl Read + Send + 'static, block_bytes: usize, sender: &SyncSender<Block>, wake: &impl Fn()) {
    let mut pipe: Box<dyn Read> = match decoded(pipe) {
        Ok(Decoded::Plain(pipe)) => Box::new(pipe),
        Ok(Decoded::Text(_, text)) => text,
        Ok(Decoded::No(what)) => {
            let cause = std::io::Error::other(not_text("it", what));
            return drop(sender.send(Err(cause)));
        }
        Err(cause) => return drop(sender.send(Err(cause))),
    };
    loop {
        let mut block = vec![0; block_bytes];
        let outcome = match pipe.read(&mut block) {
            Ok(0) => return,
            Ok(length) => {
                block.truncate(length);
                Ok(block)
            }
            Err(cause) if cause.kind() == ErrorKind::Interrupted => continue,
            Err(cause) => Err(cause),
        };
        let failed = outcome.is_err();
        if sender.send(outcome).is_err() || failed {
            return;
        }
        wake();
    }
}
