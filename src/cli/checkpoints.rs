//! Checkpoints as options of a run: where they are stored, how often, from which one the run resumes, and how often it
//! is restarted.

use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::figures;
use crate::checkpoint::{CommitName, open_existing_store, open_store};
use crate::job::Restart;
use crate::{Checkpoints, Duration, Error, Job, Limits, Result};

/// What the command line or a job file says about checkpoints.
#[derive(Clone, Debug, Default)]
pub(super) struct CheckpointSettings {
    /// The place: a directory, or a URL.
    pub(super) checkpoint: Option<String>,
    pub(super) every: Option<Duration>,
    pub(super) fresh: bool,
    pub(super) from_checkpoint: Option<CommitName>,
    pub(super) replace_output: bool,
    pub(super) drop_state: Vec<String>,
    pub(super) restart: Option<u32>,
    pub(super) state_max: Option<u64>,
}

/// The options of `run`.
pub(super) fn args() -> Vec<Arg> {
    vec![
        Arg::new("checkpoint")
            .long("checkpoint")
            .value_name("PLACE")
            .help("Take checkpoints in this directory, or at this URL, and go on from the newest one that is there"),
        Arg::new("every")
            .long("every")
            .value_name("TIME")
            .value_parser(value_parser!(Duration))
            .help("How long after one checkpoint the next one is due [default: 10s]"),
        Arg::new("fresh")
            .long("fresh")
            .action(ArgAction::SetTrue)
            .help("Start anew; refused where there is a checkpoint already"),
        Arg::new("from-checkpoint")
            .long("from-checkpoint")
            .value_name("EPOCH")
            .value_parser(value_parser!(CommitName))
            .help("Go on from the checkpoint of this epoch, and not from the newest; 310@2 is the one that generation 2 took"),
        Arg::new("replace-output")
            .long("replace-output")
            .action(ArgAction::SetTrue)
            .help("Replace what was published since the checkpoint that the run goes back to, and nothing else"),
        Arg::new("drop-state")
            .long("drop-state")
            .value_name("STEP")
            .action(ArgAction::Append)
            .help("Forget what a step kept that is no longer in the graph; once for each"),
        Arg::new("restart")
            .long("restart")
            .value_name("COUNT")
            .value_parser(value_parser!(u32))
            .help("Start again from the last checkpoint after a failure, so often in a row without a new one"),
        Arg::new("state-max")
            .long("state-max")
            .value_name("BYTES")
            .value_parser(figures::parse_bytes)
            .help("Stop after the first checkpoint whose state is larger, such as 512MiB [default: no limit]"),
    ]
}

impl CheckpointSettings {
    /// What a call says.
    pub(super) fn called(matches: &ArgMatches) -> CheckpointSettings {
        // `plan` has none of these options.
        let text = |name: &str| matches.try_get_one::<String>(name).ok().flatten().cloned();
        let dropped = matches.try_get_many::<String>("drop-state").ok().flatten();
        CheckpointSettings {
            checkpoint: text("checkpoint"),
            every: matches.try_get_one("every").ok().flatten().copied(),
            fresh: matches.try_get_one("fresh").ok().flatten().copied().unwrap_or(false),
            from_checkpoint: matches.try_get_one("from-checkpoint").ok().flatten().copied(),
            replace_output: matches.try_get_one("replace-output").ok().flatten().copied().unwrap_or(false),
            drop_state: dropped.into_iter().flatten().cloned().collect(),
            restart: matches.try_get_one("restart").ok().flatten().copied(),
            state_max: matches.try_get_one("state-max").ok().flatten().copied(),
        }
    }

    /// These settings where they are set, otherwise `below`.
    pub(super) fn over(self, below: CheckpointSettings) -> CheckpointSettings {
        CheckpointSettings {
            checkpoint: self.checkpoint.or(below.checkpoint),
            every: self.every.or(below.every),
            fresh: self.fresh || below.fresh,
            from_checkpoint: self.from_checkpoint.or(below.from_checkpoint),
            replace_output: self.replace_output || below.replace_output,
            drop_state: self.drop_state.into_iter().chain(below.drop_state).collect(),
            restart: self.restart.or(below.restart),
            state_max: self.state_max.or(below.state_max),
        }
    }

    /// The same for the `attempt`-th start by a supervisor, counted from 1, or 0 if there is none. Only the first start
    /// is fresh, and the supervisor does the restarting.
    pub(super) fn in_start(&self, attempt: u64) -> CheckpointSettings {
        match attempt {
            0 => self.clone(),
            _ => CheckpointSettings { fresh: self.fresh && attempt == 1, restart: None, ..self.clone() },
        }
    }

    /// How often a supervisor restarts all processes; `None` if not set.
    pub(super) fn restarts(&self) -> Option<u32> {
        // A job told to resume from an older checkpoint would go back to it each time, behind what was published since.
        if self.from_checkpoint.is_some() { Some(0) } else { self.restart }
    }

    /// Refuses what does not go together.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(option) = self.useless().filter(|_| self.checkpoint.is_none()) {
            return Err(Error::usage(format!("{option} is for a run with checkpoints; add --checkpoint PLACE")));
        }
        if self.fresh && self.from_checkpoint.is_some() {
            return Err(Error::usage("--fresh starts anew and --from-checkpoint goes on; leave one of them out"));
        }
        if self.state_max == Some(0) {
            return Err(Error::usage(
                "--state-max 0: no job has so little state; without the option there is no limit",
            ));
        }
        if let Some(every) = self.every.filter(|every| !every.is_positive()) {
            return Err(Error::usage(format!(
                "--every {every}: the time between two checkpoints is more than nothing"
            )));
        }
        Ok(())
    }

    /// An error of a source that could not be bound, reported as a gap if a job that resumes has read from it.
    pub(super) fn told_of_gap(&self, source: &str, error: Error) -> Error {
        let existing = self.checkpoint.as_ref().filter(|_| error.is_absent() && !self.fresh);
        let Some(Ok(store)) = existing.map(|place| open_existing_store(place)) else { return error };
        let checkpoints = self.from_checkpoint.into_iter().fold(Checkpoints::in_store(store), Checkpoints::from);
        checkpoints.told_of_gap(source, error)
    }

    /// The job with its checkpoints; the place is opened here, and a directory created if missing.
    pub(super) fn apply(&self, job: Job) -> Result<Job> {
        let Some(place) = &self.checkpoint else { return Ok(job) };
        let checkpoints = Checkpoints::in_store(open_store(place)?);
        let checkpoints = self.every.into_iter().fold(checkpoints, Checkpoints::every);
        let checkpoints = if self.fresh { checkpoints.fresh() } else { checkpoints };
        let checkpoints = self.from_checkpoint.into_iter().fold(checkpoints, Checkpoints::from);
        let checkpoints = if self.replace_output { checkpoints.replace_output() } else { checkpoints };
        let checkpoints = self.drop_state.iter().fold(checkpoints, Checkpoints::drop_state);
        let limit = |state_bytes_max| Limits { state_bytes_max, ..Limits::default() };
        let job = self.state_max.map(limit).into_iter().fold(job.checkpoints(checkpoints), Job::limits);
        Ok(self.restart.map(Restart::times).into_iter().fold(job, Job::restart))
    }

    /// An option that has no meaning without a place for checkpoints.
    fn useless(&self) -> Option<&'static str> {
        let given = [
            (self.every.is_some(), "--every"),
            (self.fresh, "--fresh"),
            (self.from_checkpoint.is_some(), "--from-checkpoint"),
            (self.replace_output, "--replace-output"),
            (!self.drop_state.is_empty(), "--drop-state"),
            (self.restart.is_some(), "--restart"),
            (self.state_max.is_some(), "--state-max"),
        ];
        given.iter().find(|(given, _)| *given).map(|(_, option)| *option)
    }
}
