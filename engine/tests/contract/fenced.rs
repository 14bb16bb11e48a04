//! The writer over fenced stores, on a store in memory that refuses, loses answers and dies at every call.
//!
//! Would catch: an epoch that is written again after a crash between its commit and the next manifest, one that is lost, half an
//! epoch that stays half, a lost answer that is taken for a no, and an elder that writes beside its successor.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use dualgauge_engine::arrow::{RecordBatch, SchemaRef};
use dualgauge_engine::sink::{After, Fence, FenceOwner, Fenced, FencedStore};
use dualgauge_engine::testing::{Item, Line, Random, SinkPlace, Survived, seconds, sink_contract, survive};
use dualgauge_engine::{
    Code, Epoch, Error, Event, EventTime, Job, Prepared, Record, Result, Retry, Sink, SinkWriter, Writing,
};

/// What a store does at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// What it is asked.
    Does,
    /// Nothing, and says so.
    Refuses,
    /// What it is asked, and says that it does not.
    Loses,
}

/// A table that knows transactions, the bucket of whoever writes to it, and whether rows come without the watermark.
#[derive(Clone, Default)]
struct Table(Arc<Mutex<Stored>>, usize, bool);

#[derive(Default)]
struct Stored {
    rows: Vec<(usize, RecordBatch)>,
    fences: BTreeMap<String, Fence>,
    claimed: BTreeMap<String, u64>,
    calls: u64,
    /// How many rows the largest transaction had.
    largest: usize,
    /// Draws trouble, where it is to be.
    trouble: Option<Random>,
    /// The one call at which there is trouble, and what.
    at: Option<(u64, Answer)>,
}

impl Stored {
    fn answer(&mut self) -> Answer {
        self.calls += 1;
        if let Some((call, answer)) = self.at {
            return if call == self.calls { answer } else { Answer::Does };
        }
        match self.trouble.as_mut().map(|random| random.below(6)) {
            Some(0) => Answer::Refuses,
            Some(1) => Answer::Loses,
            _ => Answer::Does,
        }
    }

    fn call<T>(&mut self, work: impl FnOnce(&mut Stored) -> Result<T>) -> Result<T> {
        let lost = || Err(Error::environment("the connection is gone"));
        match self.answer() {
            Answer::Does => work(self),
            Answer::Refuses => lost(),
            Answer::Loses => work(self).and_then(|_| lost()),
        }
    }

    fn refuse_elder(&self, owner: &FenceOwner) -> Result<()> {
        let claimed = self.claimed.get(&owner.key()).copied().unwrap_or_default();
        if claimed > owner.generation { Err(owner.fenced()) } else { Ok(()) }
    }
}

impl FencedStore for Table {
    fn claim(&mut self, owner: &FenceOwner) -> Result<Option<Fence>> {
        self.stored().call(|stored| {
            stored.refuse_elder(owner)?;
            stored.claimed.insert(owner.key(), owner.generation);
            Ok(stored.fences.get(&owner.key()).copied())
        })
    }

    fn write(&mut self, rows: &[RecordBatch], fence: Option<(&FenceOwner, Fence)>) -> Result<()> {
        let bucket = self.1;
        self.stored().call(|stored| {
            assert!(!rows.is_empty(), "some stores know no empty transaction");
            if let Some((owner, fence)) = fence {
                stored.refuse_elder(owner)?;
                let before = stored.fences.insert(owner.key(), fence);
                assert!(before < Some(fence), "{fence:?} is written behind {before:?}");
            }
            stored.largest = stored.largest.max(rows.iter().map(RecordBatch::num_rows).sum());
            stored.rows.extend(rows.iter().map(|rows| (bucket, rows.clone())));
            Ok(())
        })
    }
}

impl Table {
    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.0.lock().unwrap()
    }

    fn in_trouble(seed: u64) -> Table {
        let table = Table::default();
        table.stored().trouble = Some(Random(seed));
        table
    }

    /// The rows of each bucket.
    fn rows<D: Record>(&self) -> Vec<Vec<D>> {
        let mut all = BTreeMap::<usize, Vec<Event<D>>>::new();
        for (bucket, rows) in &self.stored().rows {
            D::decode(rows, all.entry(*bucket).or_default()).unwrap();
        }
        all.into_values().map(|rows| rows.into_iter().map(|row| row.data).collect()).collect()
    }

    fn writer(&self, writing: &Writing) -> Fenced<Table> {
        Fenced::new(self.clone(), 0, writing).part_rows(2)
    }
}

impl Sink for Table {
    fn describe(&self) -> String {
        "table".to_string()
    }

    fn check(&self, _: &SchemaRef, _: &Writing) -> Result<()> {
        Ok(())
    }

    fn buckets(&self) -> usize {
        2
    }

    fn keeps_rows(&self) -> bool {
        true
    }

    fn writes_at_once(&self) -> bool {
        self.2
    }

    fn open(&self, bucket: usize, _: &SchemaRef, writing: &Writing) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Fenced::new(Table(self.0.clone(), bucket, self.2), bucket, writing).part_rows(2)))
    }
}

impl SinkPlace for Table {
    fn sink(&self) -> Box<dyn Sink> {
        Box::new(self.clone())
    }

    fn seen(&self) -> Result<Vec<Vec<Item>>> {
        Ok(self.rows())
    }
}

#[test]
fn a_fenced_sink_keeps_its_contract() {
    sink_contract(Table::default).unwrap();
    sink_contract(|| Table(Arc::default(), 0, true)).unwrap();
}

/// The rows of three epochs, five each; the second has none.
fn batch(epoch: u64) -> RecordBatch {
    let item = |n: i64| Item {
        time: EventTime::from_micros(epoch as i64 * 1000 + n),
        key: "k".to_string(),
        value: epoch as i64 * 10 + n,
    };
    Item::encode((0..5).map(item).collect::<Vec<_>>().iter())
}

/// What a generation leaves that dies: the manifest's epoch and what it has prepared, if any.
type Left = Option<(Epoch, Vec<Prepared>)>;

/// Runs epochs from behind what was left, each of which becomes part of `left` when its manifest is stored.
fn generation(table: &Table, number: u64, left: &mut Left, retry: Retry) -> Result<()> {
    let mut writing = Writing::of("job", number).retrying(retry);
    if let Some((epoch, _)) = left {
        writing = writing.resuming(After { epoch: *epoch, generation: 1 });
    }
    let mut writer = table.writer(&writing);
    let prepared = left.as_ref().map(|(_, prepared)| prepared.clone()).unwrap_or_default();
    for one in prepared.iter().filter(|one| !one.bytes.is_empty()) {
        writer.restore(one.epoch, batch(one.epoch.0))?;
    }
    writer.recover(&prepared)?;
    let first = left.as_ref().map_or(0, |(epoch, _)| epoch.0 + 1);
    for epoch in first..3 {
        if epoch != 1 {
            writer.write(&[], &batch(epoch))?;
        }
        let bytes = writer.prepare(Epoch(epoch), EventTime::MIN)?;
        *left = Some((Epoch(epoch), vec![Prepared { epoch: Epoch(epoch), bytes: bytes.clone() }]));
        writer.commit(Epoch(epoch), &bytes)?;
    }
    Ok(())
}

fn values(table: &Table) -> Vec<i64> {
    table.rows::<Item>().into_iter().flatten().map(|row| row.value).collect()
}

const ALL: [i64; 10] = [0, 1, 2, 3, 4, 20, 21, 22, 23, 24];

#[test]
fn a_generation_that_dies_at_any_call_is_completed_by_the_next_and_nothing_is_there_twice() {
    for answer in [Answer::Refuses, Answer::Loses] {
        let mut died = 0;
        for call in 1.. {
            let (table, mut left) = (Table::default(), None);
            table.stored().at = Some((call, answer));
            if generation(&table, 1, &mut left, Retry::default()).is_ok() {
                break;
            }
            died += 1;
            generation(&table, 2, &mut left, Retry::default()).unwrap();
            assert_eq!(values(&table), ALL, "{answer:?} at call {call}");
            assert_eq!(table.stored().largest, 2, "an epoch is split");
        }
        assert_eq!(died, 1 + 3 + 3, "a claim, and three parts of two epochs");
    }
}

#[test]
fn what_is_refused_or_answered_by_nobody_is_tried_again_and_written_once() {
    for seed in 0..200 {
        let (table, mut left) = (Table::in_trouble(seed), None);
        generation(&table, 1, &mut left, Retry::times(50)).unwrap();
        assert_eq!(values(&table), ALL, "seed {seed}");
    }
}

#[test]
fn an_elder_that_wakes_is_refused_by_its_code_and_writes_nothing() {
    let table = Table::default();
    let mut elder = table.writer(&Writing::of("job", 1).retrying(Retry::times(5)));
    elder.recover(&[]).unwrap();
    elder.write(&[], &batch(0)).unwrap();
    let bytes = elder.prepare(Epoch(0), EventTime::MIN).unwrap();
    let mut left = Some((Epoch(0), vec![Prepared { epoch: Epoch(0), bytes: bytes.clone() }]));
    generation(&table, 2, &mut left, Retry::default()).unwrap();
    let error = elder.commit(Epoch(0), &bytes).unwrap_err();
    assert_eq!(error.code(), Some(Code::Fenced), "{error}");
    assert!(!error.may_be_retried(), "{error}");
    assert_eq!(values(&table), ALL);
}

#[test]
fn a_job_that_goes_back_is_refused_since_nothing_can_be_taken_back() {
    let (table, mut left) = (Table::default(), None);
    generation(&table, 1, &mut left, Retry::default()).unwrap();
    for writing in [Writing::of("job", 2), Writing::of("job", 2).resuming(After { epoch: Epoch(0), generation: 1 })] {
        let error = table.writer(&writing).recover(&[]).unwrap_err();
        assert_eq!(error.code(), Some(Code::OutputAhead), "{error}");
    }
    assert_eq!(values(&table), ALL);
}

#[test]
fn an_epoch_is_refused_while_an_older_one_is_not_there() {
    for call in 2..=4 {
        let table = Table::default();
        let mut writer = table.writer(&Writing::of("job", 1));
        writer.recover(&[]).unwrap();
        let mut prepare = |epoch| {
            writer.write(&[], &batch(epoch)).unwrap();
            Prepared { epoch: Epoch(epoch), bytes: writer.prepare(Epoch(epoch), EventTime::MIN).unwrap() }
        };
        let both = [prepare(0), prepare(2)];
        table.stored().at = Some((call, Answer::Refuses));
        writer.commit(Epoch(0), &both[0].bytes).unwrap_err();
        let error = writer.commit(Epoch(2), &both[1].bytes).unwrap_err();
        assert!(error.to_string().contains("rows of epoch 0 are not in the store"), "{error}");

        let mut next = table.writer(&Writing::of("job", 2).resuming(After { epoch: Epoch(2), generation: 1 }));
        [0, 2].into_iter().for_each(|epoch| next.restore(Epoch(epoch), batch(epoch)).unwrap());
        next.recover(&both).unwrap();
        assert_eq!(values(&table), ALL, "refused at call {call}");
    }
}

#[test]
fn a_fenced_writer_of_a_sink_that_keeps_no_rows_is_refused_when_it_is_opened() {
    use dualgauge_engine::Checkpoints;
    use dualgauge_engine::checkpoint::LocalStore;
    use dualgauge_engine::fs::FaultFs;

    struct Forgetful(Table);

    impl Sink for Forgetful {
        fn describe(&self) -> String {
            self.0.describe()
        }

        fn check(&self, _: &SchemaRef, _: &Writing) -> Result<()> {
            Ok(())
        }

        fn open(&self, _: usize, _: &SchemaRef, writing: &Writing) -> Result<Box<dyn SinkWriter>> {
            Ok(Box::new(self.0.writer(writing)))
        }
    }

    let job = || {
        let job = Job::new(|flow: &dualgauge_engine::Flow<'_>| flow.source::<Item>("items").sink("table"));
        job.source("items", crate::script(1)).sink("table", Forgetful(Table::default()))
    };
    let store = Arc::new(LocalStore::open(Arc::new(FaultFs::new()), "/job").unwrap());
    let error = job().checkpoints(Checkpoints::in_store(store)).run().unwrap_err();
    assert_eq!(error.kind(), dualgauge_engine::ErrorKind::Usage, "{error}");
    assert!(error.to_string().contains("`Fenced` without `Sink::keeps_rows`"), "{error}");
    job().run().unwrap(); // without checkpoints there is nothing to keep them in
}

/// The three tables of a job, and their lines as other tests have them.
fn run(seed: u64, at_once: bool) -> (Survived, [Vec<String>; 3], [Table; 3]) {
    let tables = [0, 1, 2].map(|number| Table(Table::in_trouble(seed * 3 + number).0, 0, at_once));
    let [sums, late, pairs] = tables.clone();
    let survived = survive(seed, || {
        let job = Job::new(crate::graph).source("items", crate::script(seed)).source("others", crate::script(seed + 1));
        job.sink("sums", sums.clone()).sink("late", late.clone()).sink("pairs", pairs.clone())
    });
    let lines = tables.each_ref().map(|table| {
        let mut lines: Vec<Line> = table.rows().into_iter().flatten().collect();
        lines.sort();
        lines.iter().map(|line| format!("{} {}", seconds(line.time), line.text)).collect()
    });
    (survived, lines, tables)
}

#[test]
fn a_job_over_fenced_stores_writes_every_row_once_through_kills_and_on_any_number_of_workers() {
    let (mut kills, mut commits) = (0, 0);
    for (seed, at_once) in (0..60).map(|seed| (seed, seed % 3 == 0)) {
        let (survived, lines, tables) = run(seed, at_once);
        assert_eq!(
            lines,
            crate::undisturbed(seed),
            "seed {seed}, at once: {at_once}: left with crashes, right without"
        );
        assert!(tables.iter().all(|table| table.stored().largest <= 2), "an epoch is split");
        kills += survived.kills;
        commits += survived.commits;
    }
    assert!(kills > 30 && commits > 150, "{kills} kills, {commits} commits");
}

#[test]
fn rows_leave_the_checkpoint_when_they_are_committed() {
    use dualgauge_engine::checkpoint::{ChainReader, Entry, LocalStore, ManifestLog};
    use dualgauge_engine::fs::FaultFs;
    use dualgauge_engine::testing::survive_on;

    let mut all_kept = 0;
    for seed in 1..=8 {
        let (fs, table) = (FaultFs::new(), Table(Arc::default(), 0, seed % 2 == 0));
        survive_on(&fs, seed, || {
            let graph = |flow: &dualgauge_engine::Flow<'_>| flow.source::<Item>("items").sink("table");
            Job::new(graph).source("items", crate::script(seed)).sink("table", table.clone())
        });
        let store = Arc::new(LocalStore::open(Arc::new(fs), "/job").unwrap());
        let entries = ManifestLog::read(&*store).unwrap();
        let commit = |(_, entry): &(_, Entry)| match entry {
            Entry::Commit(commit) => Some(commit.clone()),
            _ => None,
        };
        let last = entries.iter().rev().find_map(commit).expect("the job has committed");
        let mut kept = BTreeMap::<u64, usize>::new();
        for chain in &last.chains {
            let reader = ChainReader::open(store.clone(), &chain.layers).unwrap();
            let found = &mut |_, key: &[u8], _: &[u8]| {
                *kept.entry(u64::from_be_bytes(key[..8].try_into().unwrap())).or_default() += 1;
                Ok(())
            };
            reader.entries("sink table", "uncommitted", chain.groups, found).unwrap();
        }
        let newest: Vec<u64> =
            last.sinks["table"].iter().flat_map(|cut| &cut.prepared).map(|one| one.epoch.0).collect();
        assert!(kept.keys().all(|epoch| newest.contains(epoch)), "{kept:?} are kept, and {newest:?} are prepared");
        let bytes: usize = last.sinks["table"].iter().flat_map(|cut| &cut.prepared).map(|one| one.bytes.len()).sum();
        assert!(bytes < 100, "the manifest has no row: {bytes} bytes");
        all_kept += kept.len();
    }
    assert!(all_kept > 0, "no last checkpoint keeps a row: nothing was looked at");
}

#[test]
fn a_stream_whose_watermark_stands_still_is_written_epoch_by_epoch() {
    use dualgauge_engine::checkpoint::LocalStore;
    use dualgauge_engine::fs::FaultFs;
    use dualgauge_engine::{Checkpoints, Duration, Limits};

    // The second partition has nothing, and does not end: no watermark ever passes a row of the first.
    let script = "a:1@10 | a:2@11 | a:3@12 ...\n_ ...";
    for (at_once, expected) in [(false, vec![]), (true, vec![1, 2, 3])] {
        let table = Table(Arc::default(), 0, at_once);
        let store = LocalStore::open(Arc::new(FaultFs::new()), "/job").unwrap();
        let limits = Limits { epoch_rows: 1, epoch_interval: Duration::MAX, ..Limits::default() };
        let job = Job::new(|flow: &dualgauge_engine::Flow<'_>| flow.source::<Item>("items").sink("table"));
        let job = job.source("items", dualgauge_engine::testing::Script::from(script)).sink("table", table.clone());
        let checkpoints = Checkpoints::in_store(Arc::new(store)).every(Duration::ZERO);
        let running = job.workers(1).limits(limits).checkpoints(checkpoints).start().unwrap();
        let (metrics, stop) = (running.metrics(), running.stop_handle());
        while metrics.source("items").rows < 3 && !running.is_finished() {
            std::thread::yield_now();
        }
        stop.stop();
        assert_eq!(running.join().unwrap_err().kind(), dualgauge_engine::ErrorKind::Stopped);
        let mut rows: Vec<_> = table.rows::<Item>().into_iter().flatten().map(|row| row.value).collect();
        rows.sort();
        assert_eq!(rows, expected, "at once: {at_once}");
    }
}
