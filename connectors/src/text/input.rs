//! Where the bytes of a partition come from, a block at a time and without ever waiting.

use std::cell::RefCell;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;

use dualgauge_engine::{Error, Offset, Result};

use super::coded::{Coded, Decoded, decoded, not_text};
use super::prefix::{Prefix, is_proved};

/// How many blocks may wait between the thread that reads a pipe and the reader.
const BLOCKS_WAITING_MAX: usize = 4;

/// An open file or pipe.
pub(super) enum Input {
    /// A file and how far it has been read; followed ones never end.
    File { file: File, name: String, position: u64, followed: bool, prefix: Box<RefCell<Prefix>> },
    /// A file that is decoded while it is read.
    Coded(Box<Coded>),
    /// What a thread reads from standard input.
    Pipe { blocks: Receiver<std::io::Result<Vec<u8>>>, ended: bool },
}

/// What there was to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// Some bytes more.
    Bytes,
    /// Nothing now.
    Nothing,
    /// Nothing ever again.
    End,
}

impl Input {
    /// A file from `position` on.
    pub(super) fn file(path: &Path, position: u64, followed: bool) -> Result<Input> {
        let name = path.display().to_string();
        let failed = |cause| Error::io(format!("cannot open file {name}"), cause);
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let length = metadata.len();
        if metadata.is_file()
            && let Some(coded) = Coded::open(&file, &name, position, followed)?
        {
            return Ok(Input::Coded(Box::new(coded)));
        }
        if length < position {
            return Err(Error::data(shorter(&name, length, position).to_string()));
        }
        file.seek(SeekFrom::Start(position)).map_err(failed)?;
        Ok(Input::File { file, name, position, followed, prefix: Box::new(RefCell::new(Prefix::new())) })
    }

    /// What an offset carries to recognise its file again: a hash of all bytes before it. A pipe has none.
    pub(super) fn proof(&self, position: u64) -> Option<[u8; 32]> {
        if let Input::Coded(coded) = self {
            return coded.proof(position);
        }
        let Input::File { file, prefix, .. } = self else { return None };
        if let Some(proof) = prefix.borrow_mut().proof(position) {
            return Some(proof);
        }
        // An offset before the last one. What cannot be read now is missed when it is read: no proof is better than no row.
        Prefix::of(file, position).ok()?.proof(position)
    }

    /// Refuses a file that is not the one which was read up to this offset: all of it is read once more.
    pub(super) fn check_proof(&self, offset: &Offset) -> Result<()> {
        if let Input::Coded(coded) = self {
            return coded.check_proof(offset);
        }
        let Input::File { file, name, prefix, .. } = self else { return Ok(()) };
        let failed = |cause| Error::io(format!("cannot read file {name} again up to byte {offset}"), cause);
        let mut read = Prefix::of(file, offset.position).map_err(failed)?;
        let proved = |proof| is_proved(file, &mut read, offset.position, proof).map_err(failed);
        if offset.proof.as_ref().map_or(Ok(true), proved)? {
            *prefix.borrow_mut() = read;
            return Ok(());
        }
        Err(Error::data(format!(
            "file {name}: what stands before byte {offset} is not what was read there. Was the file edited, replaced or \
             written anew since the checkpoint? Put back what was read; or start from the beginning, with a new place for \
             checkpoints and for the output"
        )))
    }

    /// A pipe, read by a thread of its own, since a read from it may wait for ever.
    ///
    /// The thread ends with the pipe, or at its first block after the input was dropped.
    pub(super) fn pipe(pipe: impl Read + Send + 'static, block_bytes: usize) -> Input {
        let (sender, blocks) = sync_channel(BLOCKS_WAITING_MAX);
        let read_on = move || {
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
            }
        };
        thread::Builder::new().name("stdin".to_string()).spawn(read_on).expect("a thread can be started");
        Input::Pipe { blocks, ended: false }
    }

    /// Appends at most `block_bytes` to `buffer` (a pipe's block has its own size).
    pub(super) fn read(&mut self, buffer: &mut Vec<u8>, block_bytes: usize) -> Result<Got> {
        match self {
            Input::File { file, name, position, followed, prefix } => {
                let failed = |cause| Error::io(format!("cannot read file {name} at byte {position}"), cause);
                let before = buffer.len();
                let length = file.take(block_bytes as u64).read_to_end(buffer).map_err(failed)?;
                prefix.borrow_mut().take(&buffer[before..]);
                *position += length as u64;
                if length > 0 {
                    return Ok(Got::Bytes);
                }
                let now =
                    file.metadata().map_err(|cause| Error::io(format!("cannot look at file {name}"), cause))?.len();
                if now < *position {
                    return Err(shorter(name, now, *position));
                }
                Ok(if *followed { Got::Nothing } else { Got::End })
            }
            Input::Coded(coded) => coded.read(buffer, block_bytes),
            Input::Pipe { ended: true, .. } => Ok(Got::End),
            Input::Pipe { blocks, ended } => match blocks.try_recv() {
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

/// The world has taken back what was already read.
fn shorter(name: &str, length: u64, position: u64) -> Error {
    Error::environment(format!(
        "file {name} has {length} bytes, but was read to byte {position} before; likely mistake: it was replaced or \
         cut off while a job follows it (write on at its end, or write a new file)"
    ))
}
