//! One play: generations of a job that write to one place, and what a reader sees there after each verb.

use std::collections::BTreeMap;

use super::SinkPlace;
use super::breach::{Breach, Rule};
use super::generation::{Generation, Manifest, Verb, Way};
use super::rows::{self, counted, named, rows};
use crate::sink::Delivery;
use crate::testing::Item;
use crate::{Error, Since};

/// Where a generation has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Where it was meant to.
    There,
    /// After its last verb, which came first.
    End,
}

/// A place, and what has been done there.
pub(super) struct Play<'a, P> {
    place: &'a P,
    way: Way<'a>,
    /// Whether to look after every verb.
    watch: bool,
    buckets: usize,
    once: bool,
    ordered: bool,
    /// The manifests that are stored; the newest is where the next generation resumes.
    stored: Vec<Manifest>,
    /// How many generations have started.
    generations: u64,
    /// The newest epoch of each bucket that may be seen.
    committed: Vec<Option<usize>>,
    /// What was seen last.
    before: BTreeMap<Item, usize>,
    /// What has happened, in words.
    story: Vec<String>,
}

impl<'a, P: SinkPlace> Play<'a, P> {
    pub(super) fn new(place: &'a P, way: Way<'a>, watch: bool) -> Play<'a, P> {
        let sink = place.sink();
        let buckets = sink.buckets();
        Play {
            place,
            way,
            watch,
            buckets,
            once: sink.delivery() == Delivery::Committed,
            ordered: sink.wants_order() && !sink.writes_at_once(),
            stored: Vec::new(),
            generations: 0,
            committed: vec![None; buckets],
            before: BTreeMap::new(),
            story: Vec::new(),
        }
    }

    /// The next generation, which resumes from the newest manifest.
    pub(super) fn start(&mut self) -> Generation<'a> {
        self.generations += 1;
        Generation::new(self.place.sink(), self.way, self.generations, self.stored.last().cloned())
    }

    /// Runs a generation up to, but not including, its verb of this number.
    pub(super) fn run(&mut self, generation: &mut Generation<'a>, upto: usize) -> Result<Stop, Breach> {
        self.run_these(generation, generation.verbs(false), upto)
    }

    /// Runs a generation that takes back what was published since.
    pub(super) fn run_back(&mut self, generation: &mut Generation<'a>) -> Result<(), Breach> {
        self.run_these(generation, generation.verbs(true), usize::MAX).map(drop)
    }

    fn run_these(&mut self, generation: &mut Generation<'a>, verbs: Vec<Verb>, upto: usize) -> Result<Stop, Breach> {
        for verb in verbs.iter().take(upto).skip(generation.done) {
            self.act(generation, *verb)?;
        }
        generation.done = upto.min(verbs.len());
        let Some(verb) = verbs.get(upto) else { return Ok(Stop::End) };
        let what = format!("generation {}", generation.number);
        self.story.retain(|earlier| !earlier.starts_with(&what));
        self.story.push(format!("{what} had stopped before {verb}"));
        Ok(Stop::There)
    }

    fn act(&mut self, generation: &mut Generation<'a>, verb: Verb) -> Result<(), Breach> {
        match verb {
            Verb::Commit(epoch, bucket) => self.committed[bucket] = self.committed[bucket].max(Some(epoch)),
            Verb::Recover(bucket) => {
                let stored = self.stored.last().map(|manifest| manifest.epoch);
                self.committed[bucket] = self.committed[bucket].max(stored);
            }
            Verb::TakeBack => {
                let stored = self.stored.last().map(|manifest| manifest.epoch);
                self.committed.fill(stored);
                self.before.retain(|row, _| stored.is_some_and(|stored| row.value < (stored as i64 + 1) * 100));
            }
            _ => {}
        }
        let number = generation.number;
        let stored = generation.act(verb);
        let stored = stored.map_err(|error| self.breach(Rule::Works, verb, number, error.to_string()))?;
        self.stored.extend(stored);
        let ends = verb == Verb::Finish;
        if self.watch || ends || matches!(verb, Verb::Recover(_) | Verb::TakeBack) {
            let twice = self.way.twice;
            self.look(&verb.to_string(), number, ends, |rule| match (verb, rule) {
                (Verb::TakeBack, _) => Rule::Back,
                (Verb::Commit(..), Rule::Once) if twice => Rule::Twice,
                (_, rule) => rule,
            })?;
        }
        Ok(())
    }

    /// Wakes a generation that has a successor; nothing of what it does may be seen.
    pub(super) fn wake(&mut self, elder: &mut Generation<'a>) -> Result<(), Breach> {
        elder.wakes(&self.stored);
        self.look("the waking of an older generation", elder.number, false, |_| Rule::Fenced)
    }

    /// The job goes back to the manifest of this number.
    pub(super) fn goes_back_to(&mut self, number: usize) {
        self.stored.truncate(number + 1);
        self.story.push(format!("the job went back to epoch {}", self.stored[number].epoch));
    }

    /// What the sink has published since the manifest from which a generation resumes.
    pub(super) fn since(&mut self, generation: &mut Generation<'a>) -> Result<Since, Breach> {
        let verb = "published_since";
        let refused = |error: Error| self.breach(Rule::Works, verb, generation.number, error.to_string());
        let since = generation.since().map_err(refused)?;
        let resumed = self.stored.last().map_or(0, |manifest| manifest.epoch as i64);
        let later: Vec<_> = self.before.keys().filter(|row| row.value >= (resumed + 1) * 100).collect();
        if since == Since::Nothing && !later.is_empty() {
            let why = format!("it says that it has published nothing since, and these rows are seen: {}", named(later));
            return Err(self.breach(Rule::Back, verb, generation.number, why));
        }
        Ok(since)
    }

    /// Everything is over: exactly the rows are there.
    pub(super) fn ends(&mut self) -> Result<(), Breach> {
        let number = self.generations;
        self.look("the end", number, true, |rule| rule)?;
        let missing: Vec<_> = self.allowed().into_keys().filter(|row| !self.before.contains_key(row)).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => {
                let why = format!("rows are missing: {}", named(&missing));
                Err(self.breach(Rule::Once, "the end", number, why))
            }
        }
    }

    /// The rows that may be seen.
    fn allowed(&self) -> BTreeMap<Item, usize> {
        let upto = |bucket: usize| self.committed[bucket].map_or(0, |epoch| epoch + 1);
        let of = |bucket| (0..upto(bucket)).flat_map(move |epoch| rows(self.way.counts, epoch, bucket, self.buckets));
        counted(&(0..self.buckets).flat_map(of).collect::<Vec<_>>())
    }

    /// Looks at what is seen; if nothing can be read, that is no rows, unless some were seen before or `must` be there.
    fn look(&mut self, verb: &str, generation: u64, must: bool, as_rule: impl Fn(Rule) -> Rule) -> Result<(), Breach> {
        let breach = |rule: Rule, why: String| Err(self.breach(as_rule(rule), verb, generation, why));
        let lists = match self.place.seen() {
            Ok(lists) => lists,
            Err(_) if !must && self.before.is_empty() => return Ok(()),
            Err(error) => return breach(Rule::Readable, error.to_string()),
        };
        let (seen, allowed) = (counted(lists.iter().flatten()), self.allowed());
        let early: Vec<_> = seen.keys().filter(|row| !allowed.contains_key(row)).collect();
        if early.iter().any(|row| rows::is_ghost(row)) {
            let why = format!("rows of an older generation are seen: {}", named(early));
            return Err(self.breach(Rule::Fenced, verb, generation, why));
        }
        if !early.is_empty() {
            return breach(Rule::Invisible, format!("rows are seen that are not committed: {}", named(early)));
        }
        let often: Vec<_> = seen.iter().filter(|(_, count)| **count > 1).map(|(row, _)| row).collect();
        if self.once && !often.is_empty() {
            return breach(Rule::Once, format!("rows are seen more than once: {}", named(often)));
        }
        let gone: Vec<_> = self.before.keys().filter(|row| !seen.contains_key(row)).collect();
        if !gone.is_empty() {
            return breach(Rule::Stays, format!("rows are no longer seen: {}", named(gone)));
        }
        if self.ordered && self.once {
            for list in &lists {
                if let Some(pair) = list.windows(2).find(|pair| pair[1].time < pair[0].time) {
                    let why = format!("row {} is seen before row {}, which is earlier", pair[0].value, pair[1].value);
                    return breach(Rule::Order, why);
                }
            }
        }
        self.before = seen;
        Ok(())
    }

    fn breach(&self, rule: Rule, verb: impl ToString, generation: u64, why: String) -> Breach {
        let mode = if self.way.durable { "" } else { " of a job without checkpoints" };
        let after = self.story.iter().map(|what| format!(", after {what}")).collect::<String>();
        Breach { rule, verb: verb.to_string(), run: format!("in generation {generation}{mode}{after}"), why }
    }
}
