//! What falls idle, comes back and ends: when each row is seen, and what is late, on any number of workers.
//!
//! What this would catch: a watermark that depends on which worker looks first. Every run is compared with a model that knows
//! no workers: it goes through the moments at which partitions fall idle in their order, however seldom the clock moves.

use std::sync::{Arc, Mutex};

use dualgauge_engine::flow::{AllIdle, NodeSpec};
use dualgauge_engine::testing::{Item, Script, Seen, Step, check_when, moments, run_when, seconds};
use dualgauge_engine::{Duration, Durations, Event, EventTime, Stream};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed};

use super::{at, judged_by};

/// What a source on its own would do.
#[derive(Clone, Debug)]
struct Drawn {
    idle_after: Option<i64>,
    all_idle: AllIdle,
    partitions: Vec<Vec<Do>>,
}

#[derive(Clone, Copy, Debug)]
enum Do {
    Row(i64),
    Wait(i64),
    Nothing,
    End,
    Open,
}

impl Drawn {
    fn script(&self) -> Script {
        let step = |what: &Do| match *what {
            Do::Row(second) => Step::Batch(vec![Item { time: at(second), key: "a".to_string(), value: 1 }], None),
            Do::Wait(seconds) => Step::Wait(seconds.seconds()),
            Do::Nothing => Step::Pending,
            Do::End => Step::End,
            Do::Open => Step::Open,
        };
        let partitions = self.partitions.iter().map(|steps| steps.iter().map(step).collect()).collect();
        let script = Script::new(partitions).all_idle(self.all_idle);
        match self.idle_after {
            Some(idle_after) => script.idle_after(idle_after.seconds()),
            None => script,
        }
    }
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let what = prop_oneof![
        6 => (0..40_i64).prop_map(Do::Row),
        4 => (1..8_i64).prop_map(Do::Wait),
        3 => Just(Do::Nothing),
        1 => Just(Do::End),
        1 => Just(Do::Open),
    ];
    let idle_after = prop_oneof![1 => Just(None), 4 => Just(Some(5)), 3 => Just(Some(3))];
    let all_idle = prop_oneof![2 => Just(AllIdle::Stay), 1 => Just(AllIdle::Greatest), 1 => Just(AllIdle::Clock)];
    let partitions = prop::collection::vec(prop::collection::vec(what, 1..9), 1..5);
    (idle_after, all_idle, partitions).prop_map(|(idle_after, all_idle, partitions)| Drawn {
        idle_after,
        all_idle,
        partitions,
    })
}

/// A partition, as the model knows it.
#[derive(Clone)]
struct Partition {
    source: usize,
    /// The largest event time so far, which is the watermark: nothing is out of order but what is late.
    reached: EventTime,
    silent_since: Duration,
    idle: bool,
    ended: bool,
    /// Whether it ends when all has happened.
    open: bool,
}

/// All sources, without workers.
struct Model<'d> {
    drawn: &'d [Drawn],
    partitions: Vec<Partition>,
    now: Duration,
    watermarks: Vec<EventTime>,
}

impl Model<'_> {
    fn new(drawn: &[Drawn]) -> Model<'_> {
        let partition = |(source, steps): (usize, &Vec<Do>)| Partition {
            source,
            reached: EventTime::MIN,
            silent_since: Duration::ZERO,
            idle: false,
            ended: false,
            open: steps.iter().any(|step| matches!(step, Do::Open)),
        };
        let all =
            drawn.iter().enumerate().flat_map(|(source, one)| one.partitions.iter().map(move |all| (source, all)));
        let watermarks = vec![EventTime::MIN; drawn.len()];
        Model { drawn, partitions: all.map(partition).collect(), now: Duration::ZERO, watermarks }
    }

    /// What the partitions of a source hold, where any does: one that came back from behind holds from where it is judged.
    fn held_of(&self, source: usize) -> Option<EventTime> {
        let holding = self.partitions.iter().filter(|one| one.source == source && !one.idle && !one.ended);
        holding.map(|one| one.reached.max(self.watermarks[source])).min()
    }

    /// Moves the watermarks to where they are, now that something has happened.
    fn settle(&mut self) {
        let held: Vec<_> = (0..self.drawn.len()).map(|source| self.held_of(source)).collect();
        let ended = self.partitions.iter().filter(|one| one.ended).map(|one| one.reached).max();
        let ended = ended.filter(|ended| *ended > EventTime::MIN).map(|ended| ended + Duration::from_micros(1));
        for (source, drawn) in self.drawn.iter().enumerate() {
            let mut mine = self.partitions.iter().filter(|one| one.source == source);
            let chosen = match drawn.all_idle {
                AllIdle::Stay => EventTime::MIN,
                AllIdle::Greatest => mine.clone().map(|one| one.reached).max().unwrap(),
                AllIdle::Clock => EventTime::default() + self.now,
            };
            let to = match held[source].or_else(|| held.iter().flatten().copied().min()) {
                _ if mine.all(|one| one.ended) => EventTime::MAX,
                Some(held) => held,
                None => chosen.max(ended.unwrap_or(EventTime::MIN)),
            };
            self.watermarks[source] = self.watermarks[source].max(to);
        }
    }

    /// Moves the clock on, from one falling idle to the next.
    fn wait(&mut self, length: Duration) {
        let until = self.now + length;
        let limits: Vec<_> = self.drawn.iter().map(|one| one.idle_after.map(|limit| limit.seconds())).collect();
        let falls = |one: &Partition| limits[one.source].map(|limit| one.silent_since + limit);
        loop {
            let awake = self.partitions.iter().filter(|one| !one.idle && !one.ended);
            let Some(next) = awake.filter_map(falls).min().filter(|next| *next <= until) else { break };
            self.now = next;
            for one in self.partitions.iter_mut().filter(|one| falls(one) == Some(next)) {
                one.idle = true;
            }
            self.settle();
        }
        self.now = until;
        self.settle();
    }
}

/// A record that is late, and below what.
type Late = (EventTime, String);

/// What the model sees of each source: behind which moment the records that are on time, and which are late.
fn expected(drawn: &[Drawn]) -> Vec<(Vec<Seen>, Vec<Late>)> {
    let scripts: Vec<_> = drawn.iter().map(Drawn::script).collect();
    let all = moments(&scripts);
    let mut model = Model::new(drawn);
    let mut waiting = vec![Vec::new(); drawn.len()];
    let mut seen = vec![(Vec::new(), Vec::new()); drawn.len()];
    model.settle();
    for behind in 0..=all.len() {
        match all.get(behind) {
            Some(moment) => {
                let before: usize = drawn[..moment.input].iter().map(|one| one.partitions.len()).sum();
                let number = before + moment.partition;
                match &moment.what {
                    Step::Batch(items, _) if !model.partitions[number].ended => {
                        let partition = &mut model.partitions[number];
                        let below = model.watermarks[moment.input].max(partition.reached);
                        for item in items {
                            match item.time < below {
                                true => seen[moment.input].1.push((item.time, format!("below {}", seconds(below)))),
                                false => waiting[moment.input].push(item.time),
                            }
                            partition.reached = partition.reached.max(item.time);
                        }
                        (partition.silent_since, partition.idle) = (model.now, false);
                        model.settle();
                    }
                    Step::Wait(length) => model.wait(*length),
                    Step::End => {
                        model.partitions[number].ended = true;
                        model.settle();
                    }
                    _ => {}
                }
            }
            None => {
                model.partitions.iter_mut().for_each(|one| one.ended |= !one.open);
                model.settle();
            }
        }
        for (source, waiting) in waiting.iter_mut().enumerate() {
            waiting.retain(|time| {
                let is_seen = model.watermarks[source] > *time;
                if is_seen {
                    seen[source].0.push(Seen { behind, time: *time, text: String::new() });
                }
                !is_seen
            });
        }
    }
    for (seen, late) in &mut seen {
        seen.sort();
        late.sort();
    }
    seen
}

fn told<'s>(name: &'static str, items: Stream<'s, Item>) -> Stream<'s, String> {
    judged_by(name, items).transform(NodeSpec::stateless("text"), |batch| {
        batch.transform(|event, out| out.push(Event::new(event.time, event.data.text)))
    })
}

fn is_as_expected<const M: usize>(drawn: &[Drawn; M]) {
    let expected = expected(drawn);
    for workers in [1, 2, 7] {
        for epoch_rows in [1, 1_000_000] {
            let late: [Arc<Mutex<Vec<Late>>>; M] = std::array::from_fn(|_| Arc::default());
            let noted = late.clone();
            // When a sink sees a record that is late, its epoch decides too; so these are noted where they are judged.
            let scripts = drawn.each_ref().map(Drawn::script);
            let seen = run_when(scripts, move |items| on_time(items, &noted), workers, epoch_rows);
            for (source, (seen, late)) in seen.into_iter().zip(&late).enumerate() {
                let mut late = late.lock().unwrap().clone();
                late.sort();
                let found = (seen, late);
                assert_eq!(found, expected[source], "source {source}, {workers} workers, epochs of {epoch_rows} rows");
            }
        }
    }
}

/// The records that are on time; the others are noted.
fn on_time<'s, const M: usize>(
    items: [Stream<'s, Item>; M],
    late: &[Arc<Mutex<Vec<Late>>>; M],
) -> [Stream<'s, String>; M] {
    let mut all = ["judge", "judge of the other"].into_iter().zip(late);
    items.map(|items| {
        let (name, late) = all.next().expect("there are no more than two");
        let late = Arc::clone(late);
        told(name, items).transform(NodeSpec::stateless("on time"), move |batch| {
            batch.transform(|event, out| match event.data.is_empty() {
                true => out.push(event),
                false => late.lock().unwrap().push((event.time, event.data)),
            })
        })
    })
}

/// The cases of one seed; `PROPTEST_RNG_SEED` draws others, and `PROPTEST_CASES` more of them.
fn config() -> ProptestConfig {
    let rng_seed = match ProptestConfig::default().rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        asked => asked,
    };
    ProptestConfig {
        rng_seed,
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(12),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn when_a_row_is_seen_and_who_is_late_is_the_same_on_any_number_of_workers(one in drawn()) {
        is_as_expected(&[one]);
    }

    #[test]
    fn so_it_is_beside_another_source(left in drawn(), right in drawn()) {
        is_as_expected(&[left, right]);
    }
}

#[test]
fn two_that_fall_idle_at_the_same_moment_do_not_follow_each_other() {
    let script = "idle 5s
        a:1@10 +6s _      a:2@20
        b:3@7  _   b:4@8  b:5@9";
    check_when(
        script,
        |items| told("judge", items),
        "7  behind b:4@8
         8  behind b:5@9
         9  behind end
         10  behind end
         20  behind end",
    );
}

#[test]
fn of_two_that_fall_idle_one_after_the_other_the_first_follows_the_second() {
    // The clock moves once, and passes both moments: that of b at 5 s and that of a at 6 s.
    check_when(
        "idle 5s
         _     +1s a:1@10 _ +8s
         b:3@7 _   _      _ _",
        |items| told("judge", items),
        "7  behind +8s
         10  behind end",
    );
}

#[test]
fn of_two_that_fall_idle_at_once_beside_a_source_that_says_nothing_none_follows_the_other() {
    use Do::{Nothing, Open, Row, Wait};
    let silent = Drawn { idle_after: None, all_idle: AllIdle::Stay, partitions: vec![vec![Open]] };
    let partitions = vec![vec![Row(0), Row(0), Row(0), Wait(5)], vec![Nothing, Wait(1), Row(25), Open]];
    is_as_expected(&[silent, Drawn { idle_after: Some(5), all_idle: AllIdle::Stay, partitions }]);
}
