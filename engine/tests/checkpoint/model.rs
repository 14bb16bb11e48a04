//! The protocol itself, in every order of its operations: up to three generations, each of which may stall or crash before
//! any operation, and wake up at any time, also when another has long taken over.
//!
//! The model keeps only what the promise is about: which input a commit covers, what it prepared, and what is published.
//! Where to go on and what follows an append are asked of the engine's own decisions. Checked in every state:
//!
//! - **No lost and no double commit.** Each commit of the log begins where the one before it ended.
//! - **Nothing published that is not in the log**, and nothing of a commit that can no longer be published.
//! - **The newest commit can be loaded.** Its layer is there.
//!
//! The log is shortened as it goes: a mark is raised, and entries below it are gone, so that a generation that is over may
//! create one of them again. What was ever rightly appended is remembered beside the model, and what a reader finds must agree
//! with it.
//!
//! The controls take the fence out, publish before the append, or do not look at the mark after it, and must find a history
//! that breaks it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use dualgauge_engine::Epoch;
use dualgauge_engine::checkpoint::protocol::{AfterAppend, Asked, CommitFact, Layers, Resume, after_append, resume};
use dualgauge_engine::checkpoint::{Appended, CommitKind, StoreError};

const GENERATIONS: usize = 3;
/// How many commits each generation makes: the last one only has to find what the others have left.
const COMMITS: [u64; GENERATIONS] = [2, 1, 1];

/// An entry of the log, told by who wrote it; a commit covers the input from `from` to its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Entry {
    Fence { by: usize },
    Commit { by: usize, from: u64, epoch: u64 },
}

/// What a generation does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    /// It has not started.
    Absent,
    /// It reads the log.
    Read,
    /// It reads the entries from the floor on that it has found, unless the floor has been raised meanwhile.
    List,
    /// It creates its fence at the number that it found free.
    Fence,
    /// It looks whether the number of its fence is above the floor.
    CheckFence,
    /// It decides where to go on, among the entries before its fence.
    Decide,
    /// It publishes what the log allows.
    Recover,
    /// It removes what was staged and is in no commit.
    Discard,
    /// It loads the layer of the commit from which it goes on.
    Load,
    /// It writes a layer, and stages output.
    Stage,
    /// It appends the commit, and may try so many times again when the answer is lost.
    Append { tries: usize },
    /// It looks whether the number of its commit is above the floor.
    Check { tries: usize },
    /// It publishes the commit.
    Publish,
    /// It collects what the commits that it knows need no more.
    Collect,
    /// It raises the floor of the log to its newest commit.
    Raise,
    /// It removes the entries below a floor that it has raised.
    Remove { floor: usize },
    /// It is over: crashed, fenced, or done.
    Over,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Generation {
    step: Step,
    /// The floor of the log, as it has read.
    floor: usize,
    /// The commits that it has read.
    read: Vec<(Name, u64)>,
    /// The next number of the log, as it believes.
    next: usize,
    /// The end of what is committed, as it believes.
    at: u64,
    /// Whose layer holds the state up to `at`, where there is any.
    layer: Option<Name>,
    commits: u64,
}

/// Layers and staged output carry their generation and epoch.
type Name = (usize, u64);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    /// What was rightly appended, ever: nobody has it, and everything is held to it.
    log: Vec<Entry>,
    /// The entries that are there.
    stored: BTreeMap<usize, Entry>,
    /// The highest mark.
    floor: usize,
    layers: BTreeSet<Name>,
    staged: BTreeSet<Name>,
    /// The input that readers have seen, and by which commit.
    published: BTreeSet<(Name, u64)>,
    generations: Vec<Generation>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rules {
    without_fence: bool,
    publishes_early: bool,
    ignores_the_floor: bool,
}

fn commits_of(log: &[Entry]) -> impl DoubleEndedIterator<Item = (Name, u64)> {
    log.iter().filter_map(|entry| match *entry {
        Entry::Commit { by, from, epoch } => Some(((by, epoch), from)),
        Entry::Fence { .. } => None,
    })
}

impl World {
    fn new() -> World {
        let generation =
            Generation { step: Step::Absent, floor: 0, read: Vec::new(), next: 0, at: 0, layer: None, commits: 0 };
        World {
            log: Vec::new(),
            stored: BTreeMap::new(),
            floor: 0,
            layers: BTreeSet::new(),
            staged: BTreeSet::new(),
            published: BTreeSet::new(),
            generations: vec![generation; GENERATIONS],
        }
    }

    fn commits(&self) -> impl DoubleEndedIterator<Item = (Name, u64)> {
        commits_of(&self.log)
    }

    /// What breaks the promise.
    fn violation(&self) -> Option<String> {
        let mut end = 0;
        for ((by, epoch), from) in self.commits() {
            if from != end {
                return Some(format!("the commit of epoch {epoch} by {by} begins at {from}, and {end} was committed"));
            }
            end = epoch;
        }
        let committed: BTreeMap<Name, u64> = self.commits().collect();
        if let Some(row) = self.published.iter().find(|(name, _)| !committed.contains_key(name)) {
            return Some(format!("{row:?} is published, and in no commit"));
        }
        for name in committed.keys() {
            let published = self.published.iter().any(|(of, _)| of == name);
            if !published && !self.staged.contains(name) {
                return Some(format!("what {name:?} committed can never be published"));
            }
        }
        let newest = self.commits().next_back().filter(|(name, _)| !self.layers.contains(name));
        newest.map(|(name, _)| format!("the layer of the newest commit {name:?} is gone"))
    }

    fn publish(&mut self, name: Name, from: u64) {
        if self.staged.contains(&name) {
            self.published.extend((from..name.1).map(|row| (name, row)));
        }
    }

    /// Every world that one operation of one generation leads to.
    fn next(&self, rules: Rules) -> Vec<World> {
        let mut worlds = Vec::new();
        for by in 0..GENERATIONS {
            let step = self.generations[by].step;
            if step == Step::Over || (step == Step::Absent && by > 0 && self.generations[by - 1].step == Step::Absent) {
                continue;
            }
            worlds.extend(self.act(by, rules));
            if step != Step::Absent {
                let mut crashed = self.clone();
                crashed.generations[by].step = Step::Over;
                worlds.push(crashed);
            }
        }
        worlds
    }

    fn act(&self, by: usize, rules: Rules) -> Vec<World> {
        let mut world = self.clone();
        let Generation { step, floor, read, next, at, layer, commits } = self.generations[by].clone();
        let own = &mut world.generations[by];
        match step {
            Step::Absent => own.step = Step::Read,
            Step::Read
                if self.generations[by + 1..].iter().any(|later| !matches!(later.step, Step::Absent | Step::Read)) =>
            {
                // One that starts after another has a higher number: its histories are those of a later generation.
                own.step = Step::Over;
            }
            Step::Read => (own.floor, own.step) = (self.floor, Step::List),
            // What it reads is of one moment, or it reads again.
            Step::List if self.floor != floor => own.step = Step::Read,
            Step::List => {
                let found: Vec<_> = self.stored.range(floor..).map(|(_, entry)| *entry).collect();
                assert!(self.stored.range(floor..).map(|(number, _)| *number).eq(floor..floor + found.len()), "a gap");
                assert_eq!(found, self.log[floor..], "a reader finds what was appended");
                (own.read, own.next) = (commits_of(&found).collect(), floor + found.len());
                own.step = if rules.without_fence { Step::Decide } else { Step::Fence };
            }
            Step::Fence if self.log.iter().any(|entry| matches!(entry, Entry::Fence { by: of } if *of > by)) => {
                own.step = Step::Over;
            }
            Step::Fence if self.stored.contains_key(&next) => own.step = Step::Read,
            Step::Fence => {
                own.step = Step::CheckFence;
                world.create(next, Entry::Fence { by });
            }
            Step::CheckFence if next < self.floor && !rules.ignores_the_floor => own.step = Step::Read,
            Step::CheckFence => (own.next, own.step) = (next + 1, Step::Decide),
            Step::Decide => {
                let known = &read;
                let fact = |((_, epoch), _): &(Name, u64)| CommitFact {
                    read: Some((Epoch(*epoch), CommitKind::Checkpoint)),
                    layers: Layers::Whole,
                    published: true,
                    retained: true,
                };
                match resume(Asked::Newest, &known.iter().map(fact).collect::<Vec<_>>()) {
                    Resume::Start => {}
                    Resume::After(newest) => (own.at, own.layer) = (known[newest].0.1, Some(known[newest].0)),
                    other => panic!("{other:?} of whole commits"),
                }
                own.step = Step::Recover;
            }
            Step::Recover => {
                own.step = Step::Discard;
                for (name, from) in self.commits().filter(|(name, _)| name.1 <= at) {
                    world.publish(name, from);
                }
            }
            Step::Discard => {
                own.step = Step::Load;
                // Names carry the generation: what a later one stages is not touched.
                let known: BTreeSet<Name> =
                    self.commits().filter(|(name, _)| name.1 <= at).map(|(name, _)| name).collect();
                world.staged.retain(|name| name.0 > by || known.contains(name));
            }
            Step::Load => {
                // A zombie may find its layer gone; then it ends, with an error.
                let found = layer.is_none_or(|layer| self.layers.contains(&layer));
                own.step = if found { Step::Stage } else { Step::Over };
            }
            Step::Stage => {
                own.step = Step::Append { tries: 1 };
                let name = (by, at + 1);
                world.layers.insert(name);
                world.staged.insert(name);
                if rules.publishes_early {
                    world.publish(name, at);
                }
            }
            Step::Append { tries } => return self.append(by, tries),
            Step::Check { tries } => return self.check(by, tries, rules),
            Step::Publish => {
                own.step = Step::Collect;
                world.publish((by, at), at - 1);
            }
            Step::Collect => {
                own.step = Step::Raise;
                // As the engine does: none that it knows to be named still, and none of its own or a later generation
                // that is not named yet.
                let known: Vec<Name> = read.iter().map(|(name, _)| *name).collect();
                world.layers.retain(|name| {
                    Some(*name) == self.generations[by].layer || (name.0 >= by && !known.contains(name)) || name.0 > by
                });
            }
            // Its newest entry is its newest commit.
            Step::Raise => {
                own.step = Step::Remove { floor: next - 1 };
                world.floor = world.floor.max(next - 1);
            }
            Step::Remove { floor } => {
                own.step = if commits < COMMITS[by] { Step::Stage } else { Step::Over };
                world.stored = world.stored.split_off(&floor);
            }
            Step::Over => return Vec::new(),
        }
        vec![world]
    }

    /// Creates an entry at a number that is free. It was rightly appended unless the number lies below the floor.
    fn create(&mut self, number: usize, entry: Entry) {
        self.stored.insert(number, entry);
        if number == self.log.len() {
            self.log.push(entry);
        }
    }

    /// The entry is created and that is answered, created and not answered, or neither; a decision follows from the answer.
    fn append(&self, by: usize, tries: usize) -> Vec<World> {
        let Generation { next, at, .. } = self.generations[by];
        let entry = Entry::Commit { by, from: at, epoch: at + 1 };
        let mut worlds = vec![self.clone().after(by, tries, Err(in_doubt()))];
        let mut done = self.clone();
        match self.stored.get(&next) {
            Some(found) if *found != entry => {
                worlds.push(done.after(by, tries, Ok(Appended::Fenced { by: None })));
                return worlds;
            }
            Some(_) => {}
            None => {
                done.create(next, entry);
                worlds.push(done.clone().after(by, tries, Err(in_doubt())));
            }
        }
        done.generations[by].step = Step::Check { tries };
        worlds.push(done);
        worlds
    }

    /// The floor is looked at, or the store does not answer.
    fn check(&self, by: usize, tries: usize, rules: Rules) -> Vec<World> {
        let next = self.generations[by].next;
        let outcome = match next < self.floor && !rules.ignores_the_floor {
            true => Appended::Fenced { by: None },
            false => Appended::Done(next as u64),
        };
        [Err(in_doubt()), Ok(outcome)].map(|outcome| self.clone().after(by, tries, outcome)).into()
    }

    /// The world after the writer of a commit has decided what follows from the outcome of its append.
    fn after(mut self, by: usize, tries: usize, outcome: Result<Appended, StoreError>) -> World {
        let own = &mut self.generations[by];
        match after_append(&outcome, tries) {
            AfterAppend::Publish => {
                own.step = Step::Publish;
                own.read.push(((by, own.at + 1), own.at));
                (own.next, own.at, own.commits) = (own.next + 1, own.at + 1, own.commits + 1);
                own.layer = Some((by, own.at));
            }
            AfterAppend::Again => own.step = Step::Append { tries: tries - 1 },
            AfterAppend::Stop | AfterAppend::End => own.step = Step::Over,
        }
        self
    }
}

fn in_doubt() -> StoreError {
    StoreError::Transient { place: String::new(), cause: std::io::Error::other("time-out") }
}

/// Every world that can be reached, and the first that breaks the promise with the way to it.
fn explore(rules: Rules) -> (usize, Option<String>) {
    let (mut seen, mut open) = (HashSet::from([World::new()]), vec![World::new()]);
    while let Some(world) = open.pop() {
        if let Some(violation) = world.violation() {
            return (seen.len(), Some(violation));
        }
        for next in world.next(rules) {
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    (seen.len(), None)
}

#[test]
fn no_order_of_operations_loses_or_doubles_a_commit_or_publishes_what_is_in_none() {
    let (worlds, violation) = explore(Rules::default());
    assert_eq!(violation, None);
    println!("{worlds} worlds");
    assert!(worlds > 10_000, "{worlds} worlds are too few to say anything");
}

#[test]
fn without_the_fence_a_zombie_wins() {
    let violation = explore(Rules { without_fence: true, ..Rules::default() }).1.unwrap();
    let lost = ["can never be published", "is gone"];
    assert!(lost.iter().any(|lost| violation.contains(lost)), "{violation}");
}

#[test]
fn without_a_look_at_the_floor_a_zombie_commits_at_a_number_that_is_free_again() {
    let violation = explore(Rules { ignores_the_floor: true, ..Rules::default() }).1.unwrap();
    assert!(violation.contains("in no commit"), "{violation}");
}

#[test]
fn publishing_before_the_append_shows_what_no_commit_holds() {
    let violation = explore(Rules { publishes_early: true, ..Rules::default() }).1.unwrap();
    assert!(violation.contains("in no commit"), "{violation}");
}
