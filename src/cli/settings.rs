//! What a run is bound to and limited by, whether set on the command line or in a job file.

use std::path::PathBuf;
use std::sync::Arc;

use dualgauge_connectors::binding::Registry;

use super::checkpoints::CheckpointSettings;
use crate::flow::SourceOptions;
use crate::{Error, EventTime, Job, Result, Sink, Source};

/// Bindings by name, and the run's options.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) sources: Vec<(String, Binding)>,
    pub(super) sinks: Vec<(String, Binding)>,
    pub(super) workers: Option<usize>,
    pub(super) from: Option<EventTime>,
    pub(super) to: Option<EventTime>,
    pub(super) until: Option<EventTime>,
    pub(super) seam: Option<EventTime>,
    pub(super) checkpoints: CheckpointSettings,
}

/// A binding as it was written: its text, and the options that a job file keeps beside it.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) text: String,
    pub(super) options: Vec<(String, String)>,
    /// The job file that it comes from.
    pub(super) file: Option<PathBuf>,
}

impl Binding {
    pub(super) fn from_text(text: String) -> Binding {
        Binding { text, options: Vec::new(), file: None }
    }

    /// All of it as the text of a binding; the options beside a list belong to its last part.
    fn whole(&self, registry: &Registry) -> Result<String> {
        let mut text = self.text.clone();
        for (key, value) in &self.options {
            if value.contains('&') {
                return Err(Error::usage(format!("option `{key}`: `{value}` has a `&`, which separates options")));
            }
            let last = registry.parts(&text).pop().unwrap_or_default();
            text.push(if last.contains('?') && last.contains('=') { '&' } else { '?' });
            text += &format!("{key}={value}");
        }
        Ok(text)
    }

    fn sink(&self, registry: &Registry) -> Result<Arc<dyn Sink>> {
        let text = self.whole(registry)?;
        match registry.parts(&text).as_slice() {
            [one] => Ok(registry.sink(one)?.into()),
            _ => Err(Error::usage(format!("`{text}`: a sink is bound to one place"))),
        }
    }

    /// An error of what it is bound to, with the place where the binding was given.
    fn told(&self, what: &str, name: &str, error: Error) -> Error {
        let error = error.at(format_args!("{what} {name}"));
        match &self.file {
            Some(file) => error.at(format_args!("job file {}", file.display())),
            None => error,
        }
    }
}

impl Settings {
    /// These settings where they are set, otherwise `below`. A name that is bound here overrides its binding there.
    pub(super) fn over(mut self, below: Settings) -> Settings {
        merge(&mut self.sources, below.sources);
        merge(&mut self.sinks, below.sinks);
        Settings {
            workers: self.workers.or(below.workers),
            from: self.from.or(below.from),
            to: self.to.or(below.to),
            until: self.until.or(below.until),
            seam: self.seam.or(below.seam),
            checkpoints: self.checkpoints.over(below.checkpoints),
            ..self
        }
    }

    /// The job with everything bound and set.
    pub(super) fn apply(&self, mut job: Job, registry: &Registry) -> Result<Job> {
        self.check_names(&job)?;
        for (name, binding) in &self.sources {
            let bound = self.source(binding, registry).map_err(|error| self.checkpoints.told_of_gap(name, error));
            let (source, options) = bound.map_err(|error| binding.told("source", name, error))?;
            job = job.source_with(name, source, options);
        }
        for (name, binding) in &self.sinks {
            let sink = binding.sink(registry).map_err(|error| binding.told("sink", name, error))?;
            job = job.sink_with(name, sink);
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && to <= from
        {
            return Err(Error::usage(format!("nothing is from {from} to {to}; `to` is after `from`")));
        }
        if self.seam.is_some() && !self.sources.iter().any(|(_, binding)| registry.parts(&binding.text).len() == 2) {
            let example = "such as bids=parquet:data/bids/,log:data/live/bids";
            return Err(Error::usage(format!("a seam is for a source of history and live, {example}; there is none")));
        }
        job = self.from.into_iter().fold(job, Job::from);
        job = self.to.into_iter().fold(job, Job::to);
        job = self.until.into_iter().fold(job, Job::until);
        Ok(self.workers.into_iter().fold(job, Job::workers))
    }

    /// Several processes on one machine cannot all read standard input, and each would try.
    pub(super) fn refuse_standard_input(&self, registry: &Registry) -> Result<()> {
        let reads = |text: &str| registry.parts(text).iter().any(|part| registry.reads_standard_input(part));
        match self.sources.iter().find(|(_, binding)| reads(&binding.text)) {
            None => Ok(()),
            Some((name, _)) => Err(Error::usage(format!(
                "source {name}: several processes cannot share standard input; put it into a file or a log"
            ))),
        }
    }

    /// Refuses before any process is started.
    pub(super) fn refuse_too_many(&self, processes: usize) -> Result<()> {
        let workers = processes.saturating_mul(self.workers.unwrap_or(1));
        match workers {
            1..=256 => Ok(()),
            _ => Err(Error::usage(format!("--processes {processes} makes {workers} workers: a job has 1 to 256"))),
        }
    }

    /// Checks names first, before a mistyped one costs a look at the disk.
    fn check_names(&self, job: &Job) -> Result<()> {
        let (sources, sinks) = job.names()?;
        for (what, bound, declared) in [("source", &self.sources, sources), ("sink", &self.sinks, sinks)] {
            if let Some((name, _)) = bound.iter().find(|(name, _)| !declared.contains(name)) {
                let declared = if declared.is_empty() { "none".to_string() } else { declared.join(", ") };
                return Err(Error::usage(format!("unknown {what} {name}; the graph has the {what}s: {declared}")));
            }
        }
        Ok(())
    }

    /// One source, or history and then live.
    fn source(&self, binding: &Binding, registry: &Registry) -> Result<(Arc<dyn Source>, SourceOptions)> {
        let text = binding.whole(registry)?;
        match registry.parts(&text).as_slice() {
            [one] => Ok((registry.source(one)?.into(), registry.source_options(one)?)),
            [history, live] => {
                let source = registry.hybrid(history, live, self.seam)?;
                Ok((source.into(), registry.hybrid_options(history, live)?))
            }
            parts => {
                let count = parts.len();
                Err(Error::usage(format!("`{text}` is {count} sources; expected one, or history and live")))
            }
        }
    }
}

fn merge(over: &mut Vec<(String, Binding)>, below: Vec<(String, Binding)>) {
    let kept: Vec<_> = below.into_iter().filter(|(name, _)| !over.iter().any(|bound| bound.0 == *name)).collect();
    over.extend(kept);
}
