//! The command line of several graphs in one program: the first word says which one.
//!
//! ```text
//! shop clicks run --source clicks=log:data/clicks --sink hot=csv:hot/
//! shop orders plan --source orders=parquet:data/orders/
//! shop --help
//! ```

use std::ffi::OsString;
use std::process::ExitCode;

use dualgauge_connectors::binding::Registry;

use super::args::{self, Call, NoCall};
use super::{Cli, Console, Exit};
use crate::{Error, Flow, Job, Result};

/// A graph of a program that has several, with its name on the command line.
pub type Named = (&'static str, fn(&Flow<'_>));

/// A whole command line for several graphs, each with its name: as [`main`](super::main), with the name of a graph before
/// `run`, `plan` and `graph`.
///
/// `--help` lists them. A checkpoint belongs to one of them: another one that tries to resume from it is refused, as
/// any graph with other sources, steps and sinks is.
///
/// ```no_run
/// use dualgauge::prelude::*;
///
/// #[record]
/// struct Click {
///     page: String,
///     #[event_time]
///     time: EventTime,
/// }
///
/// fn clicks(flow: &Flow<'_>) {
///     flow.source::<Click>("clicks").sink("copies");
/// }
///
/// fn first_pages(flow: &Flow<'_>) {
///     flow.source::<Click>("clicks").filter(|click| click.page == "/").sink("first_pages");
/// }
///
/// fn main() -> std::process::ExitCode {
///     dualgauge::main_of(&[("clicks", clicks), ("first_pages", first_pages)])
/// }
/// ```
pub fn main_of(graphs: &[Named]) -> ExitCode {
    new_of(graphs).main()
}

/// The command line of several graphs, to which the program can add its own connectors, as with [`new`](super::new).
pub fn new_of(graphs: &[Named]) -> Cli {
    Cli { graphs: Graphs::Named(graphs.to_vec()), registry: Registry::new() }
}

/// As [`main_of`], with the arguments (the program's name first) and the console from the caller.
///
/// ```
/// use dualgauge::cli::{Console, Exit, Interrupt, run_of_from};
/// use dualgauge::prelude::*;
/// use dualgauge::testing::Item;
///
/// fn copies(flow: &Flow<'_>) {
///     flow.source::<Item>("items").sink("copies");
/// }
///
/// fn large(flow: &Flow<'_>) {
///     flow.source::<Item>("items").filter(|item| item.value > 9).sink("large");
/// }
///
/// let (mut out, mut err) = (Vec::new(), Vec::new());
/// let console = Console { out: &mut out, err: &mut err, terminal: false, interrupt: Interrupt::default() };
/// let graphs: &[(&str, fn(&Flow<'_>))] = &[("copies", copies), ("large", large)];
/// assert_eq!(run_of_from(graphs, ["items", "copies", "graph"], console), Exit::Done);
/// assert_eq!(String::from_utf8(out).unwrap(), "  0  source items\n  1  sink copies <- 0\n");
/// ```
pub fn run_of_from(
    graphs: &[Named],
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    console: Console<'_>,
) -> Exit {
    new_of(graphs).run_from(args, console)
}

/// What a command line can run.
pub(super) enum Graphs {
    /// This.
    One(Box<Job>),
    /// The one that is named first.
    Named(Vec<Named>),
}

impl Graphs {
    /// What the words of a call ask for, and from which graph.
    pub(super) fn called(self, words: &[OsString], registry: &Registry) -> Result<(Job, Call), NoCall> {
        match self {
            Graphs::One(job) => Ok((*job, args::parse(words, registry)?)),
            Graphs::Named(graphs) => {
                let names = check(&graphs, words).map_err(NoCall::Error)?;
                let (at, call) = args::parse_of(&names, words, registry)?;
                Ok((Job::new(graphs[at].1), call))
            }
        }
    }
}

/// Checks that the names of the graphs differ, and that the call has not left the name out.
fn check(graphs: &[Named], words: &[OsString]) -> Result<Vec<&'static str>> {
    let names: Vec<_> = graphs.iter().map(|graph| graph.0).collect();
    if names.is_empty() {
        return Err(Error::usage("this program has no graph: name at least one to `main_of`"));
    }
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) {
            return Err(Error::usage(format!("two graphs of this program are called {name}: give each its own name")));
        }
        if name.is_empty() || name.starts_with('-') || name.contains(char::is_whitespace) {
            return Err(Error::usage(format!("`{name}` is no name of a graph: it is one word of the command line")));
        }
    }
    let first = words.get(1).and_then(|word| word.to_str());
    match first.filter(|first| args::VERBS.contains(first) && !names.contains(first)) {
        None => Ok(names),
        Some(verb) => {
            let (example, all) = (names[0], names.join(", "));
            Err(Error::usage(format!("say which graph: `{example} {verb} …`; the graphs are: {all}")))
        }
    }
}
