//! Following a partition's indexes: which batches are committed after an offset, from segment to segment.
//!
//! **What is followed is what the path leads to.** Where there is nothing new, the open index must still be the one at
//! its path. If it is not, reading continues in what is there now if that has the same history up to the same offset,
//! which the chain hash proves: a copy of the log has taken its place. Otherwise the run ends with an error that names
//! it.
//!
//! An index that was closed meanwhile (see [`Pooled`]) is still followed if the entry before the next one to be read
//! has the same history; otherwise it is a different index, and the same is done.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use dualgauge_engine::{Code, Error, EventTime, Offset, Result};

use super::directory::Log;
use super::files::{on, segments};
use super::format::{Chain, ENTRY_LENGTH, Entry, HEADER_LENGTH, chain_start, index_name, segment_name};
use super::index::{End, Place, Run, read_entries, read_header};
use super::pooled::{OpenFile, Pooled};

/// How many bytes of an index are read at once.
const INDEX_BYTES: usize = 512 * ENTRY_LENGTH as usize;

/// Follows the indexes of one partition.
#[derive(Debug)]
pub(super) struct Follower {
    log: Log,
    partition: u32,
    dir: PathBuf,
    /// The offset that was asked for.
    wanted: u64,
    /// The chain hash that is expected there, until it is found.
    proof: Option<Chain>,
    /// The segment being followed; none yet in an empty partition.
    open: Option<Open>,
    /// After the last committed batch that was read.
    place: Place,
    end: Option<End>,
    /// Index entries are read into it, so that a look that finds nothing new allocates nothing.
    buffer: Vec<u8>,
}

/// A segment that is read, and its index.
#[derive(Debug)]
pub(super) struct Open {
    /// What is read from it is held to the checksums of the index, whichever file it comes from.
    pub segment: Pooled,
    index: Pooled,
    /// After the last commit entry that was read.
    index_position: u64,
}

/// What a look at the index found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Batches of the open segment, or none yet.
    Here,
    /// Nothing: the next segment is not there yet.
    Absent,
    /// The next segment was opened: the batches found before must have been taken by then.
    NextSegment,
    /// The partition has ended.
    Ended,
}

impl Follower {
    /// Starts at an offset, or at the partition's present front.
    pub fn open(log: &Log, partition: u32, from: Option<&Offset>, found: &mut VecDeque<Entry>) -> Result<Follower> {
        let dir = log.partition_dir(partition)?;
        let firsts = segments(&*log.fs, &dir)?;
        let chain = chain_start(&log.identity.id, partition);
        let mut follower = Follower {
            log: log.clone(),
            partition,
            dir,
            wanted: from.map_or_else(|| firsts.first().copied().unwrap_or(0), |from| from.position),
            proof: from.and_then(|from| from.proof),
            open: None,
            place: Place { offset: 0, position: log.schema_length(), chain, max_time: EventTime::MIN },
            end: None,
            buffer: vec![0; INDEX_BYTES],
        };
        if firsts.is_empty() && follower.wanted == 0 {
            follower.check_proof_here()?;
        } else {
            follower.seek(&firsts, found)?;
        }
        Ok(follower)
    }

    /// Where reading starts.
    pub fn wanted(&self) -> u64 {
        self.wanted
    }

    /// The segment that holds the batches found last.
    ///
    /// # Panics
    /// When none were found yet.
    pub fn segment(&self) -> &Open {
        self.open.as_ref().expect("batches that were found lie in an open segment")
    }

    /// The largest event time up to the last committed batch that was read.
    pub fn max_time(&self) -> EventTime {
        self.place.max_time
    }

    /// Whether the open segment is read to its end, and another follows.
    pub fn has_rolled(&self) -> bool {
        self.end == Some(End::Rolled)
    }

    /// The offset after the last row that is committed now.
    pub fn committed_end(&self) -> Result<u64> {
        match segments(&*self.log.fs, &self.dir)?.last() {
            Some(&last) => Ok(self.log.index(self.partition, &self.dir, last)?.run.place.offset),
            None => Ok(0),
        }
    }

    /// Adds to `found`, which is empty, what was committed since the last look.
    pub fn look(&mut self, found: &mut VecDeque<Entry>) -> Result<Look> {
        let mut look = Look::Here;
        if self.end == Some(End::Sealed) {
            return Ok(Look::Ended);
        }
        let index = match &self.open {
            Some(open) if self.end != Some(End::Rolled) => match open.index(&self.log, self.partition, &self.place)? {
                Some(index) => index,
                None => return self.open_again(found),
            },
            _ => match self.open_segment(self.place.offset)? {
                Some(index) => {
                    look = Look::NextSegment;
                    index
                }
                None => return self.check_absent().map(|()| Look::Absent),
            },
        };
        self.read_index(&index, found)?;
        let path = self.segment().index.path();
        match self.end {
            Some(End::Sealed) if found.is_empty() => Ok(Look::Ended),
            None if found.is_empty() && !on(path, index.is_at(path))? => self.open_again(found),
            _ => Ok(look),
        }
    }

    /// Continues in the log that has taken the place of this one, if it has the same history.
    fn open_again(&mut self, found: &mut VecDeque<Entry>) -> Result<Look> {
        let gone = |error: Error| {
            let (dir, partition, offset) = (self.log.dir.display(), self.partition, self.place.offset);
            let what = format!(
                "log {dir}: partition {partition}: it was moved, removed or replaced while it was followed (it was read to \
                 offset {offset}). Put it back, with what was appended to it"
            );
            Code::SourceGap.error(what).caused_by(error)
        };
        let log = Log::open_on(self.log.fs.clone(), &self.log.dir).map_err(gone)?;
        let offset = Offset { position: self.place.offset, proof: Some(self.place.chain) };
        let max_time = self.place.max_time;
        let mut follower = Follower::open(&log, self.partition, Some(&offset), found).map_err(gone)?;
        follower.place.max_time = follower.place.max_time.max(max_time);
        *self = follower;
        Ok(Look::NextSegment)
    }

    /// Opens the segment that holds `wanted`, and skips to it.
    fn seek(&mut self, firsts: &[u64], found: &mut VecDeque<Entry>) -> Result<()> {
        let Some(&first) = firsts.iter().rfind(|&&first| first <= self.wanted) else {
            return Err(self.gap(firsts));
        };
        let Some(index) = self.open_segment(first)? else {
            return Err(self.gap(&segments(&*self.log.fs, &self.dir)?));
        };
        if first == self.wanted {
            self.check_proof_here()?;
        }
        let reachable = self.read_index(&index, found)?;
        if self.wanted > reachable {
            let message = format!(
                "partition {}: offset {} is wanted, and the log ends at {reachable}; was the log replaced, or is the offset another log's?",
                self.partition, self.wanted
            );
            return Err(Error::data(message).at(self.log.dir.display()));
        }
        Ok(())
    }

    /// Goes to the front of a segment and returns its index; `None` if it is not there.
    fn open_segment(&mut self, first: u64) -> Result<Option<OpenFile>> {
        let (index_path, segment_path) = (self.dir.join(index_name(first)), self.dir.join(segment_name(first)));
        let (segment, pooled_index) =
            (Pooled::new(&self.log.fs, &segment_path), Pooled::new(&self.log.fs, &index_path));
        match segment.file() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => on(&segment_path, opened)?,
        };
        let (index, _) = match pooled_index.file() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Retention may have just deleted both; a segment that stays has lost its index.
                if self.log.fs.open(&segment_path).is_ok() {
                    self.log.index(self.partition, &self.dir, first)?;
                }
                return Ok(None);
            }
            opened => on(&index_path, opened)?,
        };
        let mut header = [0; HEADER_LENGTH as usize];
        let read = on(&index_path, index.read_at(0, &mut header))?;
        let header = read_header(&header[..read], first, &self.log.owner(self.partition))
            .map_err(|error| error.at(index_path.display()))?;
        if self.open.is_some() && header.chain != self.place.chain {
            return Err(Error::data(format!(
                "{}: it does not continue the segment before it (another chain hash)",
                segment_path.display()
            )));
        }
        self.place = Place::front(&header, self.log.schema_length());
        self.open = Some(Open { segment, index: pooled_index, index_position: HEADER_LENGTH });
        self.end = None;
        Ok(Some(index))
    }

    /// Reads what was committed since the last look. Returns the offset up to which there are rows, committed or not.
    fn read_index(&mut self, index: &OpenFile, found: &mut VecDeque<Entry>) -> Result<u64> {
        let mut reachable = self.place.offset;
        while let Some(open) = &mut self.open
            && self.end.is_none()
        {
            let (run, read) = open.read_entries(index, &mut self.buffer, &self.place)?;
            let nothing_new = run.index_length == open.index_position;
            open.index_position = run.index_length;
            reachable = run.waiting.last().map_or(run.place.offset, Entry::end);
            self.place = run.place;
            self.end = run.end;
            self.check_proof(&run.committed)?;
            let wanted = self.wanted;
            found.extend(run.committed.into_iter().filter(|entry| entry.end() > wanted));
            if read < self.buffer.len() {
                break;
            }
            if nothing_new {
                self.buffer.resize(self.buffer.len() * 2, 0); // more batches wait for their commit entry than fit
            }
        }
        Ok(reachable)
    }

    /// Compares the proof with the place, which is where reading starts.
    fn check_proof_here(&mut self) -> Result<()> {
        match self.proof.take() {
            Some(proof) if proof != self.place.chain => Err(self.other_history()),
            _ => Ok(()),
        }
    }

    /// Compares the proof with the batches, if one of them ends where reading starts, or goes past it.
    fn check_proof(&mut self, batches: &[Entry]) -> Result<()> {
        let Some(proof) = self.proof else { return Ok(()) };
        match batches.iter().find(|batch| batch.end() >= self.wanted) {
            Some(batch) if batch.end() == self.wanted && batch.chain == proof => self.proof = None,
            Some(_) => return Err(self.other_history()),
            None => {}
        }
        Ok(())
    }

    /// The next segment is not there: it will come, unless retention has deleted it while we were away.
    fn check_absent(&self) -> Result<()> {
        let firsts = segments(&*self.log.fs, &self.dir)?;
        match firsts.last() {
            Some(&last) if last > self.place.offset => {
                Err(Follower::gap_at(&self.log, self.partition, self.place.offset, &firsts))
            }
            _ => Ok(()),
        }
    }

    fn gap(&self, firsts: &[u64]) -> Error {
        Follower::gap_at(&self.log, self.partition, self.wanted, firsts)
    }

    fn gap_at(log: &Log, partition: u32, wanted: u64, firsts: &[u64]) -> Error {
        let available = match firsts.first() {
            Some(first) => format!("the log starts at {first}: retention has deleted what came before"),
            None => "the log is empty: was it replaced?".to_string(),
        };
        let message = format!("partition {partition}: offset {wanted} is wanted, and {available}");
        Error::data(message).at(log.dir.display())
    }

    fn other_history(&self) -> Error {
        let message = format!(
            "partition {}: offset {} was read from a log with another history (its chain hash is not found here); was the log deleted and created anew?",
            self.partition, self.wanted
        );
        Error::data(message).at(self.log.dir.display())
    }
}

impl Open {
    /// Closes both files, as the pool does when it is full.
    #[cfg(test)]
    pub fn shut(&self) {
        self.segment.shut();
        self.index.shut();
    }

    /// The index, if it is the one that was read up to this place; not if a different one, or none, is at its path by
    /// now.
    fn index(&self, log: &Log, partition: u32, place: &Place) -> Result<Option<OpenFile>> {
        let path = self.index.path();
        match self.index.file() {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            opened => match on(path, opened)? {
                (index, false) => Ok(Some(index)),
                (index, true) if on(path, self.is_read_to(&index, log, partition, place))? => {
                    self.segment.shut(); // what the index names is read from the segment beside it
                    Ok(Some(index))
                }
                _ => {
                    self.index.shut();
                    Ok(None)
                }
            },
        }
    }

    /// Whether an index has the same history up to the position that was read.
    fn is_read_to(&self, index: &OpenFile, log: &Log, partition: u32, place: &Place) -> io::Result<bool> {
        let Some(at) = self.index_position.checked_sub(ENTRY_LENGTH).filter(|at| *at >= HEADER_LENGTH) else {
            let mut header = [0; HEADER_LENGTH as usize];
            let read = index.read_at(0, &mut header)?;
            let header = read_header(&header[..read], place.offset, &log.owner(partition));
            return Ok(header.is_ok_and(|header| header.chain == place.chain));
        };
        let mut slot = [0; ENTRY_LENGTH as usize];
        let read = index.read_at(at, &mut slot)?;
        let entry = Entry::decode(&slot).filter(|_| read == slot.len());
        Ok(entry.is_some_and(|entry| (entry.end(), entry.chain) == (place.offset, place.chain)))
    }

    /// The entries after the last commit that was read, as many as fit, and how many bytes were read.
    fn read_entries(&self, index: &OpenFile, buffer: &mut [u8], place: &Place) -> Result<(Run, usize)> {
        // A writer that undoes a failed commit may be caught in the middle of it, so a torn entry is looked at again.
        let mut looks = 0;
        loop {
            let read = on(self.index.path(), index.read_at(self.index_position, buffer))?;
            let run = read_entries(&buffer[..read], self.index_position, place.clone());
            looks += 1;
            match run {
                Ok(Run { torn: None, .. }) => return run.map(|run| (run, read)),
                _ if looks < 3 => {}
                Ok(Run { torn, place, .. }) => {
                    let message = format!(
                        "the entry at byte {}, after offset {}, is damaged; if the machine lost power, the next writer of the partition mends this",
                        torn.unwrap_or_default(),
                        place.offset
                    );
                    return Err(Error::data(message).at(self.index.path().display()));
                }
                Err(error) => return Err(error.at(self.index.path().display())),
            }
        }
    }
}
