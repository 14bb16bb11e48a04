//! The command line of any graph: `run`, `plan` and `graph`.
//!
//! ```no_run
//! use dualgauge::prelude::*;
//!
//! #[record]
//! struct Bid {
//!     auction: u64,
//!     #[event_time]
//!     date_time: EventTime,
//! }
//!
//! fn dear(flow: &Flow<'_>) {
//!     flow.source::<Bid>("bids").filter(|bid| bid.auction == 1007).sink("followed");
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     dualgauge::main(dear)
//! }
//! ```
//!
//! ```text
//! dear run --source bids=parquet:data/bids/ --sink followed=csv:out/
//! dear plan --source bids=parquet:data/bids/ --from 2026-01-01
//! dear graph --format svg > dear.svg
//! ```

mod args;
mod checkpoints;
mod cluster;
mod exit;
mod figures;
mod graph;
mod interrupt;
mod job_file;
mod many;
mod outside;
mod panics;
mod plan;
mod progress;
mod remedy;
mod run;
mod settings;
mod signals;
mod stopping;
mod supervise;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use dualgauge_connectors::binding::{Connector, Registry};

use args::{Call, NoCall};
use cluster::Part;
pub use exit::{Exit, is_enough};
pub use interrupt::Interrupt;
use many::Graphs;
pub use many::{Named, main_of, new_of, run_of_from};
pub use outside::Outside;
pub use remedy::words_of;
use supervise::Supervisor;

use crate::{Durations, Error, ErrorKind, Flow, Job, Result};

/// Where a call writes to, and who may stop it.
pub struct Console<'a> {
    /// Standard output: what was asked for. Control characters are made visible, here and on standard error.
    pub out: &'a mut dyn Write,
    /// Standard error: progress and errors.
    pub err: &'a mut dyn Write,
    /// Whether progress is drawn as a bar, on the process's own standard error.
    pub terminal: bool,
    /// The request to stop.
    pub interrupt: Interrupt,
}

/// A whole command line for a graph: reads the process's arguments, does what they say, and returns how it went.
///
/// The first Ctrl-C ends a run in order: no half-full window fires, rows that have come are settled and published, and
/// a run with checkpoints takes a last one instead, from which it resumes when it is next started. Whatever does not
/// return within a second (opening a pipe, a read, a closure) is left behind. The second Ctrl-C ends the process at
/// once. SIGTERM does what Ctrl-C does, and so does SIGHUP, unless the process was started under `nohup`. SIGUSR1 asks
/// a run with checkpoints for a savepoint: a checkpoint that is kept for ever. A panic in one of the graph's closures
/// is reported as an error, with exit code 70; to see where it came from, set `RUST_BACKTRACE=1`.
///
/// Returns 0 when done, and after a last checkpoint if SIGTERM asked for the stop, as service managers want it; 4 if
/// Ctrl-C did; 1 for an error or a stop without a checkpoint, 2 for a wrong call, 70 for a panic in the graph's
/// closures.
pub fn main(graph: impl Fn(&Flow<'_>) + Send + Sync + 'static) -> ExitCode {
    new(graph).main()
}

/// The command line of a graph, to which the program can add its own connectors.
///
/// ```no_run
/// use dualgauge::connectors::binding::{Binding, Connector};
/// use dualgauge::connectors::memory;
/// use dualgauge::prelude::*;
/// use dualgauge::{Result, Source};
///
/// #[record]
/// struct Tick {
///     #[event_time]
///     time: EventTime,
/// }
///
/// /// `ticks:CLOCK?count=10`, so that `--source ticks=ticks:sun?count=3` binds it.
/// struct Ticks;
///
/// impl Connector for Ticks {
///     fn scheme(&self) -> &str {
///         "ticks"
///     }
///
///     fn help(&self) -> (&str, &str) {
///         ("ticks:sun?count=10", "so many ticks, a second apart")
///     }
///
///     fn source(&self, binding: &mut Binding) -> Result<Box<dyn Source>> {
///         let count: i64 = binding.take("count", "a whole number")?.unwrap_or(1);
///         let tick = |second: i64| Tick { time: EventTime::default() + second.seconds() };
///         Ok(Box::new(memory::rows((0..count).map(tick).collect())))
///     }
/// }
///
/// fn main() -> std::process::ExitCode {
///     let copies = |flow: &Flow<'_>| flow.source::<Tick>("ticks").sink("copies");
///     dualgauge::cli::new(copies).connector(Ticks).main()
/// }
/// ```
pub fn new(graph: impl Fn(&Flow<'_>) + Send + Sync + 'static) -> Cli {
    Cli { graphs: Graphs::One(Box::new(Job::new(graph))), registry: Registry::new() }
}

/// The command line of a graph, or of several: see [`new`] and [`new_of`].
pub struct Cli {
    graphs: Graphs,
    registry: Registry,
}

impl Cli {
    /// Bindings may name this connector too.
    ///
    /// # Panics
    /// As [`Registry::with`]: when there already is one with its scheme.
    pub fn connector(self, connector: impl Connector + 'static) -> Cli {
        Cli { registry: self.registry.with(connector), ..self }
    }

    /// As [`main`](fn@main).
    pub fn main(self) -> ExitCode {
        panics::set_hook();
        let interrupt = Interrupt::default();
        let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
        if let Err(cause) = signals::listen(&interrupt) {
            return exit::told(&Error::io("the thread that hears signals does not start", cause), &mut err).into();
        }
        let terminal = err.is_terminal();
        let console = Console { out: &mut out, err: &mut err, terminal, interrupt };
        self.run_from(std::env::args_os(), console).into()
    }

    /// As [`run_from`].
    pub fn run_from(self, args: impl IntoIterator<Item = impl Into<OsString> + Clone>, console: Console<'_>) -> Exit {
        let Cli { graphs, registry } = self;
        let Console { out, err, terminal, interrupt } = console;
        let (mut out, mut err) = (Outside(out), Outside(err));
        let mut console = Console { out: &mut out, err: &mut err, terminal, interrupt };
        let words: Vec<OsString> = args.into_iter().map(Into::into).collect();
        let (job, call) = match graphs.called(&words, &registry) {
            Ok(called) => called,
            Err(NoCall::Error(error)) => return exit::told(&error, console.err),
            Err(NoCall::Clap(error)) => {
                let (to, exit) = match error.use_stderr() {
                    true => (console.err, Exit::Usage),
                    false => (console.out, Exit::Done),
                };
                let _ = write!(to, "{}", error.render()); // if it is closed, nobody wants to read this
                return exit;
            }
        };
        match answer(job, &registry, words, call, &mut console) {
            Ok(exit) => exit,
            Err(error) => match exit::told(&error, console.err) {
                Exit::Failed
                    if cluster::is_supervised() && error.kind() == ErrorKind::Environment && error.may_be_retried() =>
                {
                    Exit::Again
                }
                Exit::Stopped if console.interrupt.is_terminated() => Exit::Done,
                exit => exit,
            },
        }
    }
}

/// As [`main`], with the arguments (the program's name first) and the console from the caller.
///
/// ```
/// use dualgauge::cli::{Console, Exit, Interrupt, run_from};
/// use dualgauge::prelude::*;
///
/// #[record]
/// struct Bid {
///     auction: u64,
///     #[event_time]
///     date_time: EventTime,
/// }
///
/// let graph = |flow: &Flow<'_>| flow.source::<Bid>("bids").sink("copies");
/// let (mut out, mut err) = (Vec::new(), Vec::new());
/// let console = Console { out: &mut out, err: &mut err, terminal: false, interrupt: Interrupt::default() };
/// assert_eq!(run_from(graph, ["copy", "graph"], console), Exit::Done);
/// assert_eq!(String::from_utf8(out).unwrap(), "  0  source bids\n  1  sink copies <- 0\n");
/// ```
pub fn run_from(
    graph: impl Fn(&Flow<'_>) + Send + Sync + 'static,
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    console: Console<'_>,
) -> Exit {
    new(graph).run_from(args, console)
}

fn answer(job: Job, registry: &Registry, words: Vec<OsString>, call: Call, console: &mut Console<'_>) -> Result<Exit> {
    let graph = panics::told_elsewhere(|| job.graph())?;
    match call {
        Call::Graph { format } => print(console, &graph::show(&graph, &format))?,
        Call::Plan { settings } => {
            let plan = settings.apply(job, registry)?.plan()?;
            print(console, &plan::table(&plan))?;
        }
        Call::Run { settings, cluster, level } => {
            let part = cluster.part()?;
            let job = settings.apply(job, registry)?;
            let checkpoints = settings.checkpoints.in_start(cluster::attempt());
            checkpoints.check()?;
            let job = match part {
                Part::Alone => checkpoints.apply(job)?,
                Part::Member(cluster) => checkpoints.apply(job)?.cluster(cluster),
                Part::Supervisor(processes) => {
                    settings.refuse_standard_input(registry)?;
                    settings.refuse_too_many(processes)?;
                    let patience = cluster.lost_after.unwrap_or(10.seconds()) + 2.seconds();
                    let (restarts, checkpoints) = (checkpoints.restarts(), checkpoints.checkpoint.clone());
                    let supervisor = Supervisor { call: words, processes, restarts, checkpoints, patience, level };
                    return supervisor.run(console);
                }
            };
            if cluster::is_supervised() {
                cluster::obey(console.interrupt.clone())?;
            }
            run::run(job, &settings, level, console)?;
        }
    }
    Ok(Exit::Done)
}

fn print(console: &mut Console<'_>, text: &str) -> Result<()> {
    match console.out.write_all(text.as_bytes()).and_then(|()| console.out.flush()) {
        // `graph | head` has seen enough.
        Err(cause) if cause.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed.map_err(|cause| Error::io("cannot write to standard output", cause)),
    }
}
