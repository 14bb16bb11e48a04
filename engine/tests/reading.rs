//! How sources are read: idleness, lockstep, flow control, bad records, and which events are wanted at all.
//!
//! What this would catch: a watermark that an idle partition holds back, or that runs off when all are idle; a source
//! that leaves another behind, or its own sinks; a bad record that passes, or that cannot be found by the message. The
//! source does what its script says and moves the clock itself, so that nothing here depends on how fast anything runs.

#[path = "reading/committed.rs"]
mod committed;
#[path = "reading/idle.rs"]
mod idle;
#[path = "reading/listed_once.rs"]
mod listed_once;
#[path = "reading/options.rs"]
mod options;
#[path = "reading/source_contract.rs"]
mod source_contract;
#[path = "reading/standing.rs"]
mod standing;

use std::sync::{Arc, Condvar, Mutex};

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use dualgauge_engine::flow::{AllIdle, BadRecords, NodeSpec, Outputs, SourceOptions, source};
use dualgauge_engine::job::Turns;
use dualgauge_engine::state::Parts;
use dualgauge_engine::testing::{Baton, Item, Line, Lines, seconds};
use dualgauge_engine::{
    Batch, Duration, Durations, Error, ErrorKind, EventTime, Flow, Job, KeyGroup, Limits, Listing, Next, Offset,
    Partition, PartitionReader, Record, Result, Scan, Source, SourceBatch, Step, Stream, VirtualClock,
};

fn at(seconds: i64) -> EventTime {
    EventTime::default() + seconds.seconds()
}

/// What a partition does when it is asked.
#[derive(Clone)]
enum Do {
    /// Gives a batch of rows, at these seconds.
    Rows(Vec<i64>),
    /// Gives this batch.
    Raw(RecordBatch),
    /// Has nothing, and moves the clock on.
    Tick(Duration),
    /// Has nothing until another one waits for something.
    UntilWaiting,
    /// Has nothing until so many lines are written.
    UntilWritten(usize),
    /// Has nothing for so many turns, and then notes what has been written.
    Note(usize),
    /// Has nothing until another one has noted something.
    UntilNoted,
    /// Has nothing, and does not end.
    Forever,
}

fn rows(times: impl IntoIterator<Item = i64>) -> Do {
    Do::Rows(times.into_iter().collect())
}

/// A source that does what it is told.
#[derive(Clone)]
struct Feed {
    partitions: Vec<Vec<Do>>,
    /// Whether the partitions are history and know their bounds.
    history: bool,
    clock: Arc<VirtualClock>,
    lines: Lines,
    log: Arc<Mutex<Vec<Log>>>,
}

/// What happened, in its order.
#[derive(Clone, Debug)]
enum Log {
    Given(Given),
    /// A partition was asked while it waited for others.
    Waited,
    /// What had been written.
    Noted(Vec<String>),
    /// Another worker than the first has taken a step.
    OtherWorker,
}

/// A batch was given: by which partition of which source, and its event times in seconds.
#[derive(Clone, Debug)]
struct Given {
    place: (&'static str, usize),
    times: Vec<i64>,
}

/// How often a partition may be asked in vain before the test has failed: a job that hangs helps nobody.
const IN_VAIN: usize = 200_000;

struct FeedReader {
    place: (&'static str, usize),
    feed: Feed,
    steps: std::vec::IntoIter<Do>,
    now: Option<Do>,
    asked: usize,
    rows: u64,
}

/// A source with its name in the log.
struct Named(&'static str, Feed);

impl Source for Named {
    fn describe(&self) -> String {
        format!("feed {}", self.0)
    }

    fn bounded(&self) -> bool {
        self.1.history
    }

    fn partitions(&self, _: &Scan) -> Result<Listing> {
        let first = |steps: &Vec<Do>| {
            let times =
                steps.iter().flat_map(|step| if let Do::Rows(times) = step { times.clone() } else { Vec::new() });
            times.min().map(at)
        };
        let partition = |(number, steps)| {
            let bound = if self.1.history { first(steps) } else { None };
            Partition { bound, followed: !self.1.history, ..Partition::new(format!("p{number}")) }
        };
        let partitions = self.1.partitions.iter().enumerate().map(partition).collect();
        Ok(Listing { partitions, ..Listing::default() })
    }

    fn open(&self, partition: &Partition, _: Option<&Offset>, _: &Scan) -> Result<Box<dyn PartitionReader>> {
        let number: usize = partition.id.0[1..].parse().map_err(|_| Error::usage("not a partition of this feed"))?;
        let steps = self.1.partitions[number].clone().into_iter();
        Ok(Box::new(FeedReader { place: (self.0, number), feed: self.1.clone(), steps, now: None, asked: 0, rows: 0 }))
    }
}

impl FeedReader {
    fn waited(&self) {
        if self.asked == 1 {
            self.feed.note(Log::Waited);
        }
    }

    fn batch(&mut self, rows: RecordBatch, bound_after: Option<EventTime>) -> Next {
        self.now = None;
        self.rows += rows.num_rows() as u64;
        Next::Batch(SourceBatch { rows, offset_after: Offset::at(self.rows), bound_after })
    }
}

impl PartitionReader for FeedReader {
    fn next(&mut self) -> Result<Next> {
        if self.now.is_none() {
            self.now = self.steps.next();
            self.asked = 0;
        }
        self.asked += 1;
        assert!(self.asked < IN_VAIN, "waited in vain; written is {:?}", self.feed.lines.text());
        let done = match self.now.clone() {
            None => return Ok(Next::End),
            Some(Do::Rows(times)) => {
                let item = |&time: &i64| Item { time: at(time), key: "items".to_string(), value: time };
                let items: Vec<_> = times.iter().map(item).collect();
                let bound = items.iter().map(|item| item.time).max().filter(|_| self.feed.history);
                self.feed.note(Log::Given(Given { place: self.place, times }));
                return Ok(self.batch(Item::encode(items.iter()), bound));
            }
            Some(Do::Raw(rows)) => return Ok(self.batch(rows, None)),
            Some(Do::Tick(step)) => {
                self.feed.clock.advance(step);
                true
            }
            Some(Do::UntilWaiting) => self.feed.happened(|log| matches!(log, Log::Waited)),
            Some(Do::UntilWritten(count)) => {
                self.waited();
                self.feed.lines.text().len() >= count
            }
            Some(Do::Note(turns)) => {
                let over = self.asked >= turns;
                if over {
                    self.feed.note(Log::Noted(self.feed.lines.text()));
                }
                over
            }
            Some(Do::UntilNoted) => {
                self.waited();
                self.feed.happened(|log| matches!(log, Log::Noted(_)))
            }
            Some(Do::Forever) => {
                self.waited();
                self.asked = 1; // waits, and is never said to have waited in vain
                false
            }
        };
        if done {
            self.now = None;
        }
        Ok(Next::Pending)
    }
}

impl Feed {
    fn new<const N: usize>(partitions: [Vec<Do>; N]) -> Feed {
        Feed {
            partitions: partitions.to_vec(),
            history: false,
            clock: Arc::new(VirtualClock::at(EventTime::default())),
            lines: Lines::default(),
            log: Arc::default(),
        }
    }

    fn history(mut self) -> Feed {
        self.history = true;
        self
    }

    fn note(&self, what: Log) {
        self.log.lock().unwrap().push(what);
    }

    fn happened(&self, what: impl Fn(&Log) -> bool) -> bool {
        self.log.lock().unwrap().iter().any(what)
    }

    fn given(&self) -> Vec<Given> {
        let log = self.log.lock().unwrap();
        log.iter().filter_map(|log| if let Log::Given(given) = log { Some(given.clone()) } else { None }).collect()
    }

    fn noted(&self) -> Vec<Vec<String>> {
        let log = self.log.lock().unwrap();
        log.iter().filter_map(|log| if let Log::Noted(lines) = log { Some(lines.clone()) } else { None }).collect()
    }

    /// A job that writes what it reads, and against which watermark each record is judged when that makes it late.
    fn job(&self, options: SourceOptions) -> Job {
        let graph = move |flow: &Flow<'_>| judged(flow.source(options.clone())).sink("lines");
        Job::new(graph)
            .source("items", Named("items", self.clone()))
            .sink("lines", self.lines.clone())
            .clock(self.clock())
    }

    fn clock(&self) -> Arc<VirtualClock> {
        Arc::clone(&self.clock)
    }
}

/// Tells which records are below the watermark they are judged against.
struct Judge;

impl Step for Judge {
    type In = Item;
    type Out = Line;
    type Late = Line;

    fn apply(&mut self, mut batch: Batch<Item>, watermark: EventTime, out: &mut Outputs<Line, Line>) {
        batch.drain_judged(watermark, |event, watermark| {
            let late = event.time < watermark;
            let text = if late { format!("below {}", seconds(watermark)) } else { String::new() };
            let line = Line { time: event.time, text };
            match late {
                true => out.late.give_behind(event.time, line, watermark),
                false => out.emit.give(event.time, line),
            }
        });
    }

    fn advance(&mut self, _: EventTime, _: &mut Outputs<Line, Line>) {}

    fn kept(&mut self) -> Parts<'_> {
        Vec::new()
    }

    fn holds(&self) -> Option<EventTime> {
        None
    }
}

fn judged(items: Stream<'_, Item>) -> Stream<'_, Line> {
    judged_by("judge", items)
}

fn judged_by<'s>(name: &'static str, items: Stream<'s, Item>) -> Stream<'s, Line> {
    let judged = items.step(NodeSpec::stateful("judge", name), |item| KeyGroup::of(&item.key), Judge);
    let late = judged.late();
    judged.concat(NodeSpec::stateless("union"), late)
}

/// Runs `test` on one to three workers, under several schedules.
fn in_every_way(test: impl Fn(usize, Arc<dyn Turns>)) {
    for workers in 1..=3 {
        for seed in 1..=5 {
            test(workers, Arc::new(Baton::new(workers, seed)));
        }
    }
}

#[test]
fn an_idle_partition_holds_nothing_and_what_it_resumes_with_is_judged_by_the_capability() {
    in_every_way(|workers, turns| {
        // When p0 moves the clock on, p1 has waited for too long; p0 itself has only just begun to.
        let p0 =
            [rows([1]), rows([5]), Do::UntilWaiting, rows([9]), Do::Tick(11.seconds()), Do::UntilNoted, rows([10])];
        let p1 = [rows([2]), Do::UntilWritten(3), rows([6, 3, 9]), rows([7]), Do::Note(1), rows([12])];
        let feed = Feed::new([p0.to_vec(), p1.to_vec()]);
        feed.job(source("items").idle_after(10.seconds())).workers(workers).turns(turns).run().unwrap();
        let expected =
            ["1", "2", "3 below 9", "5", "6 below 9", "7 below 9", "9", "9", "10", "12"].map(|line| line.to_string());
        assert_eq!(feed.lines.text(), expected, "{workers} workers");
    });
}

#[test]
fn one_that_waits_less_than_that_still_holds_the_watermark() {
    in_every_way(|workers, turns| {
        let p0 = [rows([1]), rows([5]), Do::UntilWaiting, rows([9]), Do::Tick(9.seconds()), Do::Note(100)];
        let p1 = [rows([2]), Do::UntilNoted, rows([3])];
        let feed = Feed::new([p0.to_vec(), p1.to_vec()]);
        feed.job(source("items").idle_after(10.seconds())).workers(workers).turns(turns).run().unwrap();
        assert_eq!(feed.lines.text(), ["1", "2", "3", "5", "9"], "{workers} workers");
        assert_eq!(feed.noted(), [["1"]], "{workers} workers");
    });
}

#[test]
fn when_all_are_idle_the_watermark_stays() {
    in_every_way(|workers, turns| {
        let p0 = [rows([1]), rows([5]), Do::UntilWaiting, rows([9]), Do::Tick(11.seconds()), Do::UntilWritten(3)];
        let then = [Do::Tick(11.seconds()), Do::Note(300), rows([9]), rows([8])];
        let p1 = [rows([2]), Do::UntilWritten(4)];
        let feed = Feed::new([[p0.as_slice(), then.as_slice()].concat(), p1.to_vec()]);
        feed.job(source("items").idle_after(10.seconds())).workers(workers).turns(turns).run().unwrap();
        assert_eq!(feed.noted(), [["1", "2", "5"]], "{workers} workers");
        assert_eq!(feed.lines.text(), ["1", "2", "5", "8 below 9", "9", "9"], "{workers} workers");
    });
}

#[test]
fn what_an_idle_partition_is_judged_by_does_not_depend_on_the_worker_that_has_it() {
    in_every_way(|workers, turns| {
        // On two workers p0 at 10 and the idle p2 are on one, and p1, which holds the source at 7, is on the other.
        let p0 = [rows([2]), Do::UntilNoted, rows([10]), Do::Note(1000)];
        let p1 = [rows([1]), Do::UntilWaiting, Do::Tick(11.seconds()), rows([7]), Do::Note(5), Do::Note(1000)];
        let p2 = [Do::UntilNoted, Do::Note(300), rows([8])];
        let feed = Feed::new([p0.to_vec(), p1.to_vec(), p2.to_vec()]);
        feed.job(source("items").idle_after(10.seconds())).workers(workers).turns(turns).run().unwrap();
        assert_eq!(feed.lines.text(), ["1", "2", "7", "8", "10"], "{workers} workers");
    });
}

/// A partition that gives these rows, is idle, and then does as it is told.
fn silent_after(row: i64, then: Do) -> Vec<Do> {
    vec![rows([row]), Do::Tick(11.seconds()), Do::Tick(11.seconds()), then]
}

#[test]
fn an_idle_partition_passes_what_those_that_have_ended_have_reached() {
    in_every_way(|workers, turns| {
        let feed = Feed::new([vec![rows([1]), rows([5])], silent_after(2, Do::Note(300))]);
        feed.job(source("items").idle_after(10.seconds())).workers(workers).turns(turns).run().unwrap();
        assert_eq!(feed.noted(), [["1", "2", "5"]], "{workers} workers");
    });
}

#[test]
fn an_idle_partition_beside_one_that_has_ended_is_not_waited_for_where_what_is_wanted_lies_in_the_past() {
    in_every_way(|workers, turns| {
        let feed = Feed::new([vec![rows([1]), rows([5])], silent_after(2, Do::Forever)]);
        let job = feed.job(source("items").idle_after(10.seconds())).until(at(6));
        job.workers(workers).turns(turns).run().unwrap();
        assert_eq!(feed.lines.text(), ["1", "2", "5"], "{workers} workers");
    });
}

#[test]
fn when_all_are_idle_the_watermark_goes_where_it_is_told() {
    for (policy, written) in [(AllIdle::Greatest, vec!["2"]), (AllIdle::Clock, vec!["2", "9"])] {
        in_every_way(|workers, turns| {
            let feed = Feed::new([silent_after(9, Do::Note(300)), silent_after(2, Do::UntilNoted)]);
            let options = source("items").idle_after(10.seconds()).all_idle(policy);
            let outcome = feed.job(options).workers(workers).turns(turns).run().unwrap();
            assert_eq!(feed.noted(), std::slice::from_ref(&written), "{policy:?}, {workers} workers");
            assert!(outcome.metrics.source("items").fell_idle >= 2, "each falling idle is counted");
        });
    }
}

/// How far the sources of a job ran ahead of each other that may be 5 minutes and so many rows ahead: the most rows of one
/// source on one worker that were further ahead than the 5 minutes.
fn rows_ahead(lockstep_rows: usize, workers: usize, turns: Arc<dyn Turns>) -> usize {
    let partition = |first: i64, step: usize| (first..10_800).step_by(step).map(|time| rows([time])).collect();
    let slow = Feed::new([partition(0, 120), partition(60, 120), partition(30, 300)]).history();
    let fast = Feed { partitions: vec![partition(7_200, 60), partition(7_230, 60)], ..slow.clone() };
    let graph = |flow: &Flow<'_>| {
        let both = flow.source("slow").concat(NodeSpec::stateless("union"), flow.source("fast"));
        judged(both).sink("lines");
    };
    let limits = Limits { lockstep: 5.minutes(), lockstep_rows, epoch_rows: 7, ..Limits::default() };
    let job = Job::new(graph).source("slow", Named("slow", slow.clone())).source("fast", Named("fast", fast.clone()));
    let job = job.sink("lines", slow.lines.clone()).clock(slow.clock()).limits(limits);
    job.workers(workers).turns(turns).run().unwrap();

    // What each partition had given, as far as it knew itself: its bound, and then its latest row.
    let given = slow.given();
    let places = [("slow", 0), ("slow", 1), ("slow", 2), ("fast", 0), ("fast", 1)];
    let mut progress: Vec<_> = vec![0, 60, 30, 7_200, 7_230];
    let last: Vec<_> = places.iter().map(|place| given.iter().rposition(|given| given.place == *place)).collect();
    let (mut ahead, mut most) = (Vec::new(), 0);
    for (turn, Given { place, times }) in given.iter().enumerate() {
        let who = places.iter().position(|other| other == place).unwrap();
        let others = (0..places.len()).filter(|&other| last[other].is_some_and(|last| last >= turn));
        let limit = others.map(|other| progress[other]).min().unwrap() + 300;
        let driver = (place.0, place.1 % workers);
        ahead.push((driver, progress[who]));
        most = most.max(ahead.iter().filter(|&&(whose, at)| whose == driver && at > limit).count());
        progress[who] = times[0];
    }
    assert_eq!(given.len(), slow.lines.text().len());
    assert_eq!(given.len(), 90 + 90 + 36 + 60 + 60);
    most
}

#[test]
fn no_source_runs_further_ahead_of_another_than_the_lockstep() {
    in_every_way(|workers, turns| {
        let most = rows_ahead(0, workers, turns);
        assert_eq!(most, 0, "rows of one source were further ahead; {workers} workers");
    });
}

#[test]
fn beyond_the_lockstep_a_source_reads_no_more_rows_than_it_may() {
    in_every_way(|workers, turns| {
        let most = rows_ahead(10, workers, turns);
        assert!((1..=10).contains(&most), "{most} rows of one source were further ahead; {workers} workers");
    });
}

/// Lets worker 0 take many steps for each one of worker 1, and notes when that is.
struct Lopsided {
    feed: Feed,
    state: Mutex<(usize, [bool; 2])>,
    passed: Condvar,
}

impl Lopsided {
    fn holder((turn, done): (usize, [bool; 2])) -> usize {
        let wanted = usize::from(turn % 300 == 299);
        if done[wanted] { 1 - wanted } else { wanted }
    }
}

impl Turns for Lopsided {
    fn take(&self, worker: usize) {
        let mut state = self.state.lock().unwrap();
        while Lopsided::holder(*state) != worker {
            state = self.passed.wait(state).unwrap();
        }
    }

    fn pass(&self, worker: usize, done: bool) {
        let mut state = self.state.lock().unwrap();
        if Lopsided::holder(*state) == worker {
            state.0 += 1;
        }
        if worker == 1 {
            self.feed.log.lock().unwrap().push(Log::OtherWorker);
        }
        state.1[worker] |= done;
        self.passed.notify_all();
    }

    fn may_park(&self) -> bool {
        false
    }
}

#[test]
fn a_source_never_reads_more_epochs_than_allowed_ahead_of_what_is_closed() {
    let feed = Feed::new([(0..100).map(|batch| rows((0..10).map(|row| batch * 10 + row))).collect()]);
    let limits = Limits { epochs_ahead: 4, epoch_rows: 10, epoch_interval: Duration::MAX, ..Limits::default() };
    let turns = Lopsided { feed: feed.clone(), state: Mutex::default(), passed: Condvar::new() };
    feed.job(source("items")).limits(limits).workers(2).turns(Arc::new(turns)).run().unwrap();
    let log = feed.log.lock().unwrap();
    // While the other worker stands still nothing is closed.
    let stretches: Vec<usize> = log
        .split(|log| matches!(log, Log::OtherWorker))
        .map(|stretch| stretch.iter().filter(|log| matches!(log, Log::Given(_))).count())
        .collect();
    assert_eq!(stretches.iter().max(), Some(&4), "four epochs of one batch each: {stretches:?}");
    assert_eq!(stretches.iter().sum::<usize>(), 100, "{stretches:?}");
}

#[test]
fn an_event_too_far_ahead_of_the_clock_ends_the_job_with_its_place_or_is_dropped_and_counted() {
    let day = 86_400;
    let far = || Feed::new([vec![rows([1, 2]), rows([3, day, day + 1, day + 2])], vec![rows([5]), rows([4])]]);
    let error = far().job(source("items")).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
    assert_eq!(
        error.to_string(),
        "source items: p0: row 4 has event time 1970-01-02T00:00:01Z, more than 1d ahead of the clock; it would make \
         everything after it late. Raise `max_ahead`, or drop bad records"
    );
    let feed = far();
    let outcome = feed.job(source("items").on_bad_records(BadRecords::Drop)).run().unwrap();
    assert_eq!(feed.lines.text(), ["1", "2", "3", "4 below 5", "5", "86400"]);
    assert_eq!(outcome.metrics.source("items").bad, 2);
    let feed = far();
    feed.job(source("items").max_ahead(2.days())).run().unwrap();
    assert_eq!(feed.lines.text().len(), 8);
    let feed = far().history();
    let error = feed.job(source("items").max_ahead(1.days())).run().unwrap_err();
    assert!(error.to_string().contains("ahead of the clock"), "asked for, it holds for history too: {error}");
}

/// A batch of rows with these values; none where there is none.
fn with_values(first: i64, values: &[Option<i64>]) -> RecordBatch {
    let items = (0..).zip(values).map(|(row, _)| Item { time: at(first + row), key: "items".into(), value: 0 });
    let good = Item::encode(items.collect::<Vec<_>>().iter());
    let number = good.schema().index_of("value").unwrap();
    let mut fields: Vec<_> = good.schema().fields().iter().cloned().collect();
    fields[number] = Arc::new(Field::new("value", DataType::Int64, true));
    let mut columns = good.columns().to_vec();
    columns[number] = Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

#[test]
fn a_record_that_cannot_be_decoded_ends_the_job_with_its_place_or_is_dropped_and_counted() {
    let bad = || {
        let second = with_values(10, &[Some(1), Some(2), None, Some(4), None]);
        Feed::new([vec![rows([1, 2, 3]), Do::Raw(second), rows([20])], vec![rows([7])]])
    };
    let error = bad().job(source("items")).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
    let message = error.to_string();
    assert!(message.starts_with("source items: p0: column `value`, row 5: found "), "{message}");
    in_every_way(|workers, turns| {
        let feed = bad();
        let job = feed.job(source("items").on_bad_records(BadRecords::Drop));
        let outcome = job.workers(workers).turns(turns).run().unwrap();
        assert_eq!(feed.lines.text(), ["1", "2", "3", "7", "10", "11", "13", "20"]);
        assert_eq!(outcome.metrics.source("items").bad, 2);
    });
}

#[test]
fn a_column_of_the_wrong_type_is_no_bad_record_and_ends_the_job_in_any_case() {
    let times = Item::encode([Item { time: at(1), key: "a".into(), value: 1 }].iter()).column(0).clone();
    let rows = RecordBatch::try_from_iter([("time", times.clone()), ("key", times.clone()), ("value", times)]).unwrap();
    let feed = Feed::new([vec![Do::Raw(rows)]]);
    let error = feed.job(source("items").on_bad_records(BadRecords::Drop)).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
    assert!(error.to_string().starts_with("source items: p0: E-SCHEMA: column `key`: found "), "{error}");
}

#[test]
fn history_that_breaks_its_own_bound_ends_the_job_with_its_place() {
    let error = Feed::new([vec![rows([4, 5]), rows([6, 3])]]).history().job(source("items")).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
    assert_eq!(
        error.to_string(),
        "source items: p0: row 3 has event time 1970-01-01T00:00:03Z, below the bound 1970-01-01T00:00:05Z that the \
         source itself gave; its statistics are wrong"
    );
}

#[test]
fn events_outside_from_and_to_are_left_out_of_history_and_of_what_is_followed() {
    for history in [false, true] {
        in_every_way(|workers, turns| {
            let feed = Feed::new([vec![rows([1, 4, 5]), rows([9]), rows([10, 11])], vec![rows([3, 10])]]);
            let feed = Feed { history, ..feed };
            feed.job(source("items")).from(at(4)).to(at(10)).workers(workers).turns(turns).run().unwrap();
            assert_eq!(feed.lines.text(), ["4", "5", "9"], "history: {history}");
        });
    }
}

#[test]
fn a_followed_source_ends_when_its_watermark_reaches_the_end_that_was_asked_for() {
    in_every_way(|workers, turns| {
        // With a disorder of 3 s the row at 12 leaves room for one at 9, and the row at 13 does not.
        let p0 = [rows([1]), rows([12]), rows([9]), rows([13]), Do::Forever];
        let p1 = [rows([2, 20]), Do::Forever];
        let feed = Feed::new([p0.to_vec(), p1.to_vec()]);
        let job = feed.job(source("items").disorder(3.seconds())).to(at(10));
        job.workers(workers).turns(turns).run().unwrap();
        assert_eq!(feed.lines.text(), ["1", "2", "9"]);
    });
}

#[test]
fn a_followed_source_that_has_passed_what_is_wanted_does_not_wait_for_an_idle_partition() {
    in_every_way(|workers, turns| {
        let p0 = [rows([1]), rows([5]), Do::UntilWaiting, Do::Tick(11.seconds()), rows([12]), Do::Forever];
        let p1 = [rows([2]), Do::Forever];
        let feed = Feed::new([p0.to_vec(), p1.to_vec()]);
        let job = feed.job(source("items").idle_after(10.seconds())).to(at(10));
        job.workers(workers).turns(turns).run().unwrap();
        assert_eq!(feed.lines.text(), ["1", "2", "5"]);
    });
}
