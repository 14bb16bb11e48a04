//! One partition as it is read, with what it has promised so far.

use super::{IDLE_MAX, pause};
use crate::{
    Error, Event, EventTime, Next, Offset, Partition, PartitionReader, Record, Result, Scan, Source, SourceBatch,
    Unreadable, Waker,
};

/// How often a wake is waited for that is late, with a millisecond behind each look.
const LATE_MAX: usize = 1_000;

/// A partition that is read, and all that it has given.
pub(super) struct Reading<D> {
    pub(super) partition: Partition,
    /// Where it was opened.
    pub(super) from: Option<Offset>,
    pub(super) rows: Vec<Row<D>>,
    pub(super) marks: Vec<Mark>,
    /// What it said when it was asked last.
    pub(super) said: Said,
    /// No row below it may follow.
    bound: EventTime,
    scan: Scan,
    reader: Box<dyn PartitionReader>,
    /// What the reader wakes, where it says that it will.
    waker: Option<Waker>,
}

/// A row, or a record that cannot be one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Row<D> {
    Good(D),
    Bad(String),
}

/// An offset that was handed out.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) offset: Offset,
    /// How many rows have come before it since the partition was opened.
    pub(super) rows: usize,
    /// The bound behind it.
    pub(super) bound: EventTime,
}

/// What a reader has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A batch, which may have been empty.
    Rows,
    Pending,
    End,
}

impl<D: Record> Reading<D> {
    /// Opens a partition where it starts, or behind a mark of an earlier reading.
    pub(super) fn open(
        source: &dyn Source,
        partition: &Partition,
        behind: Option<&Mark>,
        scan: &Scan,
    ) -> Result<Reading<D>> {
        let from = behind.map(|mark| mark.offset.clone());
        let reader = source.open(partition, from.as_ref().or(partition.start.as_ref()), scan);
        let (mut reader, waker) = (reader?, Waker::new(|| {}));
        let waker = reader.wake_by(&waker).then_some(waker);
        let mut bound = partition.bound.unwrap_or(EventTime::MIN);
        if let Some(mark) = behind {
            bound = bound.max(mark.bound); // a checkpoint has it
        }
        Ok(Reading {
            reader,
            waker,
            partition: partition.clone(),
            from,
            rows: Vec::new(),
            marks: Vec::new(),
            said: Said::Rows,
            bound,
            scan: scan.clone(),
        })
    }

    /// Asks for the next batch, and holds it to what was promised.
    pub(super) fn ask(&mut self) -> Result<Said> {
        let woken = self.waker.as_ref().is_none_or(Waker::is_called);
        self.waker.iter().for_each(Waker::begin);
        let next = self.next()?;
        if self.said == Said::Pending && !woken && !matches!(next, Next::Pending) {
            self.await_wake()?;
        }
        if self.said == Said::End && !matches!(next, Next::End) {
            return Err(Error::usage("it has ended, and then gives something more; expected that it ends for good"));
        }
        self.said = match next {
            Next::Pending => Said::Pending,
            Next::End => Said::End,
            Next::Batch(batch) => self.take(batch, Vec::new())?,
            Next::Mixed(batch, bad) => self.take(batch, bad)?,
        };
        Ok(self.said)
    }

    /// Waits for the wake of what has come already: the thread that brings it may be about to call.
    fn await_wake(&self) -> Result<()> {
        let called = || self.waker.as_ref().is_none_or(Waker::is_called);
        for _ in 0..LATE_MAX {
            if called() {
                return Ok(());
            }
            pause(IDLE_MAX + 1);
        }
        Err(Error::usage(format!(
            "{}: it was pending, has more to say, and has woken nobody; expected that it wakes its worker, as it says at `wake_by`",
            self.place()
        )))
    }

    fn next(&mut self) -> Result<Next> {
        let behind = self.place();
        self.reader.next().map_err(|error| error.at(behind))
    }

    /// Tells the reader that all is committed up to the last offset.
    pub(super) fn commit(&mut self) -> Result<()> {
        match self.marks.last().map(|mark| &mark.offset).or(self.from.as_ref()).cloned() {
            Some(offset) => {
                self.reader.committed(&offset).map_err(|error| error.at(format_args!("committed at {offset}")))
            }
            None => Ok(()),
        }
    }

    /// Where it is, in words.
    fn place(&self) -> String {
        let rows = self.marks.last().map_or(0, |mark| mark.rows);
        match self.reached() {
            Some(offset) => format!("at offset {offset}, behind {rows} rows"),
            None => "at its start".to_string(),
        }
    }

    /// The last offset that it handed out, or the one that it was opened at.
    fn reached(&self) -> Option<&Offset> {
        self.marks.last().map(|mark| &mark.offset).or(self.from.as_ref()).or(self.partition.start.as_ref())
    }

    /// Notes a batch, or drops one that is a repeat.
    fn take(&mut self, batch: SourceBatch, bad: Vec<Unreadable>) -> Result<Said> {
        let given = batch.rows.num_rows() + bad.len();
        let SourceBatch { rows, offset_after: offset, bound_after } = batch;
        let reached = self.reached().map(|offset| offset.position);
        let grows = reached.is_none_or(|reached| offset.position > reached);
        if given > 0 && !grows {
            if self.marks.is_empty() {
                return Ok(Said::Rows); // of what was read before it was opened here
            }
            return Err(Error::usage(format!(
                "a batch of {given} rows ends at offset {offset}, and {} before it; expected a greater one: its rows would be dropped \
                 as a repeat",
                self.place()
            )));
        }
        if reached.is_some_and(|reached| offset.position < reached) {
            let place = self.place();
            return Err(Error::usage(format!(
                "an empty batch ends at offset {offset}, {place}; expected none before it"
            )));
        }
        let first = self.rows.len();
        self.add(&rows, bad)?;
        self.check_times(first)?;
        self.bound = bound_after.map_or(self.bound, |bound| bound.max(self.bound));
        self.marks.push(Mark { offset, rows: self.rows.len(), bound: self.bound });
        Ok(Said::Rows)
    }

    /// Adds rows, with the bad records at their places among them.
    fn add(&mut self, rows: &arrow_array::RecordBatch, bad: Vec<Unreadable>) -> Result<()> {
        let mut bad = bad.into_iter().peekable();
        for row in 0..=rows.num_rows() {
            while let Some(found) = bad.next_if(|found| found.before <= row || row == rows.num_rows()) {
                let (before, position) = (found.before, found.position);
                if before > rows.num_rows() {
                    return Err(Error::usage(format!(
                        "the bad record at offset {position} has {before} rows of its batch before it, and the batch has {}",
                        rows.num_rows()
                    )));
                }
                self.rows.push(Row::Bad(format!("{}: {}", position, found.reason())));
            }
            if row < rows.num_rows() {
                let mut decoded: Vec<Event<D>> = Vec::new();
                let row = match D::decode(&rows.slice(row, 1), &mut decoded) {
                    Ok(()) => Row::Good(decoded.remove(0).data),
                    Err(error) if error.row.is_some() => Row::Bad(error.to_string()),
                    Err(error) => return Err(Error::usage(format!("{}: {error}", self.place()))),
                };
                self.rows.push(row);
            }
        }
        Ok(())
    }

    /// Holds the rows from the `first` on to the bounds.
    fn check_times(&self, first: usize) -> Result<()> {
        for (number, row) in self.rows.iter().enumerate().skip(first) {
            let Some(time) = self.time_wanted(row) else { continue };
            if time < self.bound {
                return Err(Error::usage(format!(
                    "{}: row {number} is {row:?}, at {time}; expected none below {}, which was promised before it",
                    self.place(),
                    self.bound
                )));
            }
            if let Some(upper) = self.partition.upper.filter(|upper| time > *upper) {
                return Err(Error::usage(format!(
                    "{}: row {number} is {row:?}, at {time}; expected none above {upper}, the partition's `upper`",
                    self.place()
                )));
            }
        }
        Ok(())
    }

    /// The event time of a row that a job gets.
    fn time_wanted(&self, row: &Row<D>) -> Option<EventTime> {
        let Row::Good(row) = row else { return None };
        row.event_time().filter(|time| time.is_instant() && self.partition.wants(&self.scan, *time))
    }

    /// How many rows a job gets of what has come, bad ones among them.
    pub(super) fn wanted(&self) -> usize {
        let is_wanted = |row: &&Row<D>| matches!(row, Row::Bad(_)) || self.time_wanted(row).is_some();
        self.rows.iter().filter(is_wanted).count()
    }

    /// Whether it has said what a partition of its kind says when all is read.
    pub(super) fn is_read(&self) -> bool {
        self.said == Said::End || self.partition.followed && self.said == Said::Pending
    }

    pub(super) fn never_ends(&self) -> Error {
        Error::usage(format!("{}: it is not followed and stays pending; expected its end", self.place()))
    }

    /// Compares how many rows there are with how many were announced.
    pub(super) fn check_rows(&self) -> Result<()> {
        let (found, announced) = (self.rows.len() as u64, self.partition.rows);
        match announced.filter(|rows| *rows != found && self.partition.wants_all(&self.scan)) {
            Some(rows) => Err(Error::usage(format!("it has {found} rows, expected the {rows} of its `rows`"))),
            None => Ok(()),
        }
    }
}
