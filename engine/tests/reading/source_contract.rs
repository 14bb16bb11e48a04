//! The source contract against sources that break it, one rule each.
//!
//! Would catch: a rule that is looked at nowhere, so that a source which breaks it passes; and words that do not lead to the place.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arrow_array::RecordBatch;
use dualgauge_engine::testing::{Item, Script, source_contract};
use dualgauge_engine::{
    Durations, Error, EventTime, Listing, Next, Offset, Partition, PartitionReader, Record, Result, Scan, Source,
    SourceBatch, Waker,
};

/// How many rows each of the two partitions has.
const ROWS: u64 = 7;

/// What a source does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Nothing,
    /// Allowed: opened again, it begins at its start, and gives whole batches once more.
    GivesBatchesAgain,
    ListsOtherwise,
    HasOneNameTwice,
    FollowsThoughBounded,
    CountsOneRowMore,
    LeavesAColumnOut,
    StandsStill,
    GoesBackWithoutRows,
    LosesARow,
    SwapsRows,
    StraddlesTheOffset,
    CannotOpenAgain,
    OpensWithAnError,
    IsReadOnce,
    GoesOnWhereOthersWere,
    ChangesTheProof,
    ChangesTheWatermark,
    ShiftsItsOffsets,
    BreaksItsBound,
    BreaksItsWatermark,
    BreaksItsUpper,
    NeverEnds,
    GoesOnBehindItsEnd,
    RefusesACommit,
    SkipsBehindACommit,
    WakesNobody,
    /// Allowed.
    PausesAndWakes,
}

use Fault::*;

/// A bounded source of two partitions, at a row each second.
struct Faulty {
    fault: Fault,
    opened: Arc<AtomicUsize>,
    /// How far all readers together are.
    shared: Arc<AtomicU64>,
    listed: AtomicUsize,
}

struct Reader {
    fault: Fault,
    partition: u64,
    from: u64,
    next: u64,
    /// The rows that were lost before.
    skipped: u64,
    batch_rows: u64,
    shared: Arc<AtomicU64>,
    ended: bool,
    paused: bool,
    waker: Option<Waker>,
}

fn time(partition: u64, row: u64) -> EventTime {
    EventTime::default() + ((partition * 100 + row) as i64).seconds()
}

impl Source for Faulty {
    fn describe(&self) -> String {
        "faulty".to_string()
    }

    fn bounded(&self) -> bool {
        true
    }

    fn partitions(&self, _: &Scan) -> Result<Listing> {
        let partition = |number: u64| {
            let name = if self.fault == HasOneNameTwice { "p".to_string() } else { format!("p{number}") };
            let late = if self.fault == BreaksItsBound { 1 } else { 0 };
            Partition {
                bound: Some(time(number, late)),
                upper: Some(time(number, ROWS - 1 - u64::from(self.fault == BreaksItsUpper))),
                rows: Some(ROWS + u64::from(self.fault == CountsOneRowMore)),
                followed: self.fault == FollowsThoughBounded,
                ..Partition::new(name)
            }
        };
        let mut partitions = vec![partition(0), partition(1)];
        if self.fault == ListsOtherwise && self.listed.fetch_add(1, Ordering::SeqCst) % 2 == 1 {
            partitions.reverse();
        }
        Ok(Listing { partitions, ..Listing::default() })
    }

    fn open(&self, partition: &Partition, offset: Option<&Offset>, scan: &Scan) -> Result<Box<dyn PartitionReader>> {
        let number = partition.id.0.trim_start_matches('p').parse().unwrap_or(0);
        let (from, batch_rows) = (offset.map_or(0, |offset| offset.position), scan.batch_rows as u64);
        let opened = self.opened.fetch_add(1, Ordering::SeqCst);
        let again = from > 0;
        let next = match self.fault {
            OpensWithAnError if again => return Err(Error::data("no such offset")),
            CannotOpenAgain if again => ROWS,
            IsReadOnce if opened >= 2 => ROWS,
            GoesOnWhereOthersWere if opened >= 2 => self.shared.load(Ordering::SeqCst) % ROWS,
            GivesBatchesAgain => 0,
            StraddlesTheOffset if again && batch_rows > 1 => from - 1,
            _ => from,
        };
        let skipped = u64::from(self.fault == LosesARow && again && from < ROWS);
        let (fault, shared) = (self.fault, Arc::clone(&self.shared));
        Ok(Box::new(Reader {
            fault,
            partition: number,
            from,
            next,
            skipped,
            batch_rows,
            shared,
            ended: false,
            paused: false,
            waker: None,
        }))
    }
}

impl PartitionReader for Reader {
    fn next(&mut self) -> Result<Next> {
        let fault = self.fault;
        if let Some(waker) = self.waker.as_ref().filter(|_| !self.paused) {
            if fault == PausesAndWakes {
                waker.wake();
            }
            self.paused = true;
            return Ok(Next::Pending);
        }
        if self.next == ROWS {
            let more = fault == GoesOnBehindItsEnd && std::mem::replace(&mut self.ended, true);
            return Ok(match fault {
                NeverEnds => Next::Pending,
                _ if more => self.batch(ROWS - 1, ROWS),
                _ => Next::End,
            });
        }
        let (first, end) = (self.next, (self.next + self.batch_rows).min(ROWS));
        self.next = end;
        self.shared.store(end, Ordering::SeqCst);
        Ok(self.batch(first, end))
    }

    fn wake_by(&mut self, waker: &Waker) -> bool {
        self.waker = matches!(self.fault, WakesNobody | PausesAndWakes).then(|| waker.clone());
        self.waker.is_some()
    }

    fn committed(&mut self, offset: &Offset) -> Result<()> {
        match self.fault {
            RefusesACommit => Err(Error::data(format!("nobody knows {offset}"))),
            SkipsBehindACommit => {
                self.next = (offset.position + 1).min(ROWS);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Reader {
    fn batch(&mut self, first: u64, end: u64) -> Next {
        let again = self.from > 0;
        let row = |row: u64| {
            let time = time(self.partition, row);
            Item { time, key: format!("p{}", self.partition), value: row as i64 }
        };
        let mut rows: Vec<_> = (first + std::mem::take(&mut self.skipped)..end).map(row).collect();
        if self.fault == SwapsRows && again {
            rows.reverse();
        }
        let rows = Item::encode(rows.iter());
        let rows = match self.fault {
            LeavesAColumnOut => {
                RecordBatch::try_from_iter([("time", rows.column_by_name("time").unwrap().clone())]).unwrap()
            }
            _ => rows,
        };
        let mut proof = [0; 32];
        proof[0] = u8::from(self.fault == ChangesTheProof && again);
        let position = match self.fault {
            StandsStill => ROWS,
            ShiftsItsOffsets if again => end + 1,
            GoesBackWithoutRows if end == ROWS && first > 0 => 1,
            _ => end,
        };
        let rows = if self.fault == GoesBackWithoutRows && end == ROWS && first > 0 { rows.slice(0, 0) } else { rows };
        let bound = match self.fault {
            ChangesTheWatermark if again => None,
            StraddlesTheOffset => None,
            BreaksItsWatermark if end < ROWS => Some(time(self.partition, end + 1)),
            _ => Some(time(self.partition, end)),
        };
        Next::Batch(SourceBatch { rows, offset_after: Offset { position, proof: Some(proof) }, bound_after: bound })
    }
}

fn tried(fault: Fault) -> Result<usize> {
    let (opened, shared) = (Arc::<AtomicUsize>::default(), Arc::<AtomicU64>::default());
    let make = || {
        let (opened, shared) = (Arc::clone(&opened), Arc::clone(&shared));
        Box::new(Faulty { fault, opened, shared, listed: AtomicUsize::new(0) }) as Box<dyn Source>
    };
    source_contract::<Item>(2 * ROWS as usize, make).map(|upheld| upheld.offsets)
}

#[test]
fn what_keeps_the_contract_passes() {
    // Of batches of 8192 rows, of 1 and of 3: one offset, seven and three in each partition.
    assert_eq!(tried(Nothing).unwrap(), 2 * (1 + 7 + 3));
    assert_eq!(tried(GivesBatchesAgain).unwrap(), 2 * (1 + 7 + 3));
    assert_eq!(tried(PausesAndWakes).unwrap(), 2 * (1 + 7 + 3));
}

#[test]
fn each_rule_that_is_broken_is_found_and_named() {
    let cases: &[(Fault, &[&str])] = &[
        (ListsOtherwise, &["listed again by the same source, partition 0"]),
        (HasOneNameTwice, &["two partitions are called `p`"]),
        (FollowsThoughBounded, &["p0", "followed, and its source says that it is bounded"]),
        (CountsOneRowMore, &["p0", "it has 7 rows, expected the 8"]),
        (LeavesAColumnOut, &["p0", "at its start", "`key`"]),
        (StandsStill, &["batches of 1 rows", "a batch of 1 rows ends at offset 7", "expected a greater one"]),
        (GoesBackWithoutRows, &["batches of 1 rows", "an empty batch ends at offset 1", "at offset 6"]),
        (
            LosesARow,
            &["p0", "opened again at offset 1", "row 1 is Good(Item", "value: 2", "expected Good(Item", "value: 1"],
        ),
        (SwapsRows, &["batches of 3 rows", "opened again at offset 3", "row 3", "value: 5", "expected", "value: 3"]),
        (StraddlesTheOffset, &["opened again at offset 3", "row 3 is Good(Item", "row 2 comes again", "both sides"]),
        (CannotOpenAgain, &["opened again at offset 1", "row 1 is none, expected Good(Item"]),
        (OpensWithAnError, &["opened again at offset 7", "no such offset"]),
        (IsReadOnce, &["opened again at its start", "row 0 is none"]),
        (GoesOnWhereOthersWere, &["opened again at its start", "row 0 is"]),
        (ChangesTheProof, &["opened again at offset 1", "offset 2 has", "as its proof"]),
        (ChangesTheWatermark, &["opened again at offset 1", "offset 2 has", "as the watermark behind it"]),
        (ShiftsItsOffsets, &["opened again at offset 1", "offset 3 has 2 rows before it, expected 3"]),
        (BreaksItsBound, &["p0", "row 0 is Good(Item", "expected none below 1970-01-01T00:00:01Z"]),
        (BreaksItsWatermark, &["p0", "at offset 1, behind 1 rows: row 1", "expected none below 1970-01-01T00:00:02Z"]),
        (BreaksItsUpper, &["p0", "row 6", "expected none above 1970-01-01T00:00:05Z"]),
        (NeverEnds, &["p0", "at offset 7, behind 7 rows", "stays pending; expected its end"]),
        (GoesOnBehindItsEnd, &["p0", "it has ended, and then gives something more"]),
        (RefusesACommit, &["p0", "told of each offset that is committed", "committed at 7", "nobody knows 7"]),
        (
            SkipsBehindACommit,
            &["batches of 1 rows", "told of each offset", "row 1 is Good(Item", "value: 2", "expected"],
        ),
        (WakesNobody, &["p0", "at its start", "was pending, has more to say, and has woken nobody", "`wake_by`"]),
    ];
    for (fault, words) in cases {
        let error = tried(*fault).expect_err(&format!("{fault:?} passes")).to_string();
        for word in words.iter().chain(&["faulty"]) {
            assert!(error.contains(word), "{fault:?}: {error}\nlacks `{word}`");
        }
    }
}

#[test]
fn another_number_of_rows_is_found() {
    let make = || Box::new(Script::from("a:1@10 .\n b:1@11 | b:2@12 .")) as Box<dyn Source>;
    assert_eq!(source_contract::<Item>(3, make).unwrap().partitions, 2);
    for rows in [2, 4] {
        let error = source_contract::<Item>(rows, make).unwrap_err().to_string();
        assert!(error.contains(&format!("give 3 rows together, expected {rows}")), "{error}");
    }
}

#[test]
fn a_followed_partition_is_pending_behind_its_rows() {
    let make = || Box::new(Script::from("a:1@10 _ a:2@12 | a:3@11 ...\n b:1@11 ~11 b:2@12 .")) as Box<dyn Source>;
    assert_eq!(source_contract::<Item>(5, make).unwrap().partitions, 2);
}
