//! Who is measured: a name, and how it joins.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::strategy::{self, PaneJoin};
use super::symmetric::SymmetricHash;
use super::windows::Windows;
use super::workload::Workload;
use super::{floor, library};
use dualgauge::flow::SourceOptions;
use dualgauge::{Flow, Job, Result, Sink, Source};

/// What is measured once: what is joined, and how.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The two streams.
    pub workload: Workload,
    /// The windows in which they are joined.
    pub windows: Windows,
    /// How many worker threads.
    pub workers: usize,
    /// Where the streams come from.
    pub feed: Feed,
}

/// Where the streams come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Feed {
    /// One Parquet file per side, read as fast as possible.
    History,
    /// One log per side, followed while rows are appended by the clock.
    Live,
}

impl Feed {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Feed::History => "history",
            Feed::Live => "live",
        }
    }
}

/// Both streams of a run, and where the pairs go.
#[derive(Clone)]
pub struct Ends {
    /// Where the left rows come from.
    pub left: Arc<dyn Source>,
    /// Where the right rows come from.
    pub right: Arc<dyn Source>,
    /// Where the pairs go.
    pub sink: Arc<dyn Sink>,
}

/// Someone who joins: a strategy of the library, one of your own, or a whole program.
#[derive(Clone)]
pub struct Contestant {
    name: String,
    about: String,
    joins: Joins,
}

/// Builds the graph for windows.
type GraphFn = dyn Fn(&Flow<'_>, Windows) + Send + Sync;

#[derive(Clone)]
enum Joins {
    /// A graph from the sources `left` and `right` to the sink `joined`.
    Graph(Arc<GraphFn>),
    /// Anything that reads and writes by itself.
    Program(fn(&Setting, &Ends) -> Result<()>),
}

impl Contestant {
    /// A graph that joins the [`Row`](super::Row)s of its sources `left` and `right` and gives its sink `joined` a
    /// [`Joined`](super::Joined) for each pair.
    ///
    /// ```
    /// use dualgauge_kit::{Contestant, Joined, Row, Windows, verify};
    /// use dualgauge::prelude::*;
    ///
    /// fn forgets(flow: &Flow<'_>, _: Windows) {
    ///     let right = flow.source::<Row>("right");
    ///     let rows = flow.source::<Row>("left").union(right).filter(|_| false);
    ///     rows.map(|row| Joined::of(row.time, row.time, &row, &row)).sink("joined");
    /// }
    ///
    /// let contestant = Contestant::graph("forgetful", "finds nothing", forgets);
    /// assert!(verify(&[contestant], 42).unwrap_err().to_string().contains("forgetful"));
    /// ```
    pub fn graph(
        name: impl Into<String>,
        about: impl Into<String>,
        graph: impl Fn(&Flow<'_>, Windows) + Send + Sync + 'static,
    ) -> Contestant {
        Contestant { name: name.into(), about: about.into(), joins: Joins::Graph(Arc::new(graph)) }
    }

    /// A strategy of your own: you only write what happens inside a window. See [`PaneJoin`].
    pub fn strategy<J: PaneJoin>(name: impl Into<String>, about: impl Into<String>) -> Contestant {
        Contestant::graph(name, about, strategy::graph::<J>)
    }

    /// A program of its own, which opens the sources and writes to the sink by itself.
    pub fn program(
        name: impl Into<String>,
        about: impl Into<String>,
        program: fn(&Setting, &Ends) -> Result<()>,
    ) -> Contestant {
        Contestant { name: name.into(), about: about.into(), joins: Joins::Program(program) }
    }

    /// What tables and plots call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does, in a sentence without a full stop.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// Joins.
    ///
    /// # Errors
    /// What the sources, the sink or the job say.
    pub(super) fn run(&self, setting: &Setting, ends: Ends) -> Result<()> {
        match &self.joins {
            Joins::Program(program) => program(setting, &ends),
            Joins::Graph(graph) => {
                let (graph, windows) = (Arc::clone(graph), setting.windows);
                let job = Job::new(move |flow| graph(flow, windows))
                    .source_with("left", ends.left, SourceOptions::default())
                    .source_with("right", ends.right, SourceOptions::default())
                    .sink_with("joined", ends.sink)
                    .workers(setting.workers);
                job.run().map(drop)
            }
        }
    }
}

impl fmt::Debug for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contestant").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Those that come with the library: its own strategies, the symmetric hash join, and the floor.
pub fn contestants() -> Vec<Contestant> {
    let eager = "eager: each row is looked up among those of the other side as it comes";
    let symmetric = Contestant::strategy::<SymmetricHash>("symmetric hash", eager);
    let by_hand = Contestant::program("by hand", "the floor: this one join as a timely program", floor::join);
    library::contestants().chain([symmetric, by_hand]).collect()
}
