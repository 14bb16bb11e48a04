//! `run`: from a bound job to its end, with reports meanwhile.
//!
//! The job is planned, started and waited for on a thread of its own, so that a request to stop is answered while a
//! file is slow to open, a pipe has no other end, or a worker is stuck in a read.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

use super::figures::plural;
use super::panics;
use super::progress::{Level, Progress, summary};
use super::settings::Settings;
use super::stopping::Stopping;
use super::{Console, is_enough};
use crate::job::{Metrics, Outcome, Plan, StopHandle};
use crate::{Clock, Epoch, Error, ErrorKind, Job, Result, SystemClock};

/// How often the progress is checked.
const TICK: std::time::Duration = std::time::Duration::from_millis(100);

/// What the thread of the job has to say, in this order.
enum News {
    Planned(Plan),
    Started { stop: StopHandle, notes: Vec<String> },
    Ended(Result<Outcome>),
}

/// Runs the job to its end, and reports as much as `level` says.
pub(super) fn run(job: Job, settings: &Settings, level: Level, console: &mut Console<'_>) -> Result<()> {
    let clock = SystemClock::new();
    let (sender, news) = channel();
    let (metrics, retries) = (Arc::<Metrics>::default(), &mut Retries { told: 0, level });
    let counted = Arc::clone(&metrics);
    let work = std::thread::Builder::new().name("job".to_string()).spawn(move || work(job, counted, &sender));
    work.map_err(|cause| Error::io("the thread that starts the job does not start", cause).for_good())?;
    let mut stopping = Stopping::new(settings.checkpoints.checkpoint.is_some());
    let mut next = |console: &mut Console<'_>| before_start(&news, &mut stopping, &metrics, retries, console);
    let News::Planned(plan) = next(console)? else { unreachable!("a plan comes first") };
    let News::Started { stop, notes } = next(console)? else { unreachable!("then the job starts") };
    console.interrupt.arm(stop.clone());
    let listings = plan.tables.iter().map(|table| &table.listing);
    let listings = plan.sources.iter().map(|source| &source.listing).chain(listings);
    for note in listings.flat_map(|listing| &listing.notes).chain(&notes) {
        level.say(&format!("note: {note}"), console.err);
    }
    let mut progress = Progress::new(&plan, (settings.from, settings.to), level, console.terminal);
    let checkpointed = settings.checkpoints.checkpoint.is_some();
    let mut events = Events { checkpointed, savepoint: None, restarts: 0, notes: 0 };
    let outcome = loop {
        // A short run ends as soon as it is done, and not at the next tick.
        let said = news.recv_timeout(TICK);
        events.tell(&metrics, &stop, console, level);
        retries.tell(&metrics, console);
        match said {
            Ok(News::Ended(outcome)) => break outcome,
            Ok(_) => unreachable!("a job starts once"),
            Err(RecvTimeoutError::Disconnected) => panic!("the thread that waits for the job ended without a word"),
            Err(RecvTimeoutError::Timeout) => {}
        }
        progress.tick(&metrics, stop.pulse(), (clock.elapsed(), clock.now()), console.err);
        if let Some(error) = stopping.worker_that_stands(console.interrupt.is_raised(), &stop) {
            break Err(error);
        }
    };
    progress.end(&metrics, console.err);
    let in_order = match &outcome {
        Ok(_) => Some("done in"),
        Err(error) if is_enough(error) => None,
        Err(error) if error.kind() == ErrorKind::Stopped => Some("stopped after"),
        Err(_) => None,
    };
    if let Some(words) = in_order.filter(|_| level.has_last_words()) {
        let _ = write!(console.err, "{words} {}", summary(&plan, &metrics, clock.elapsed()));
    }
    outcome.map(|_| ())
}

/// The next news of a job that does not run yet; an error if it never will, or if a stop was requested and it does not
/// get to starting.
fn before_start(
    news: &Receiver<News>,
    stopping: &mut Stopping,
    metrics: &Metrics,
    retries: &mut Retries,
    console: &mut Console<'_>,
) -> Result<News> {
    loop {
        match news.recv_timeout(TICK) {
            Ok(News::Ended(outcome)) => return Err(outcome.expect_err("a job ends behind its start")),
            Ok(news) => return Ok(news),
            Err(RecvTimeoutError::Disconnected) => panic!("the thread that starts the job ended without a word"),
            Err(RecvTimeoutError::Timeout) => {}
        }
        retries.tell(metrics, console);
        if let Some(error) = stopping.start_that_waits(console.interrupt.is_raised()) {
            return Err(error);
        }
    }
}

/// Binds, starts and waits, and reports how each went; the first failure is the last report.
fn work(job: Job, metrics: Arc<Metrics>, says: &Sender<News>) {
    // Nobody hears it if the process has been told to end.
    let say = |news| drop(says.send(news));
    let running = panics::told_elsewhere(|| {
        let bound = job.bind()?;
        say(News::Planned(bound.plan()));
        bound.start_counting(metrics)
    });
    match running {
        Ok(running) => {
            let notes = running.notes().to_vec();
            say(News::Started { stop: running.stop_handle(), notes });
            say(News::Ended(running.join()));
        }
        Err(error) => say(News::Ended(Err(error))),
    }
}

/// What the machine has refused and is retried, reported each time; also while the job starts.
struct Retries {
    told: u64,
    level: Level,
}

impl Retries {
    fn tell(&mut self, metrics: &Metrics, console: &mut Console<'_>) {
        let retries = metrics.retries();
        if retries.count > self.told {
            let times = plural(retries.count, "time");
            let words = format!("the job stands still and tries again (refused {times}): {}", retries.last);
            self.level.say(&words, console.err);
        }
        self.told = retries.count;
    }
}

/// What happens now and then in a run, each reported once.
struct Events {
    checkpointed: bool,
    savepoint: Option<Epoch>,
    restarts: u64,
    notes: usize,
}

impl Events {
    fn tell(&mut self, metrics: &Metrics, stop: &StopHandle, console: &mut Console<'_>, level: Level) {
        let mut words = Vec::new();
        if console.interrupt.takes_savepoint() {
            match self.checkpointed {
                true => stop.savepoint(),
                false => words.push("note: a savepoint was asked for, and this run has no --checkpoint".to_string()),
            }
        }
        let savepoint = metrics.savepoint();
        if let Some(epoch) = savepoint.filter(|_| savepoint != self.savepoint) {
            words.push(format!("savepoint of epoch {epoch}: it is kept; --from-checkpoint {epoch} goes on from it"));
            self.savepoint = savepoint;
        }
        let restarts = metrics.restarts();
        if restarts.count > self.restarts {
            words.push(format!("restart {}, after: {}", restarts.count, restarts.last));
            self.restarts = restarts.count;
        }
        let notes = metrics.notes();
        words.extend(notes[self.notes..].iter().map(|note| format!("note: {note}")));
        self.notes = notes.len();
        words.iter().for_each(|line| level.say(line, console.err));
    }
}
