//! The text that a test reads its events from, as a source.

use crate::flow::AllIdle;
use crate::{
    Duration, Durations, Error, EventTime, Listing, Next, Offset, Partition, PartitionReader, Record, Result, Scan,
    Source, SourceBatch, record,
};

/// An event of a script: `key:value@seconds`.
#[record]
pub struct Item {
    /// When it happened.
    #[event_time]
    pub time: EventTime,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: i64,
}

/// A line that a flow under test writes.
#[record]
pub struct Line {
    /// Its event time.
    #[event_time]
    pub time: EventTime,
    /// What it says.
    pub text: String,
}

/// An event time as the seconds of a script: `10`, `-5`, `9.999999`.
pub fn seconds(time: EventTime) -> String {
    match time {
        EventTime::MIN => "start".to_string(),
        EventTime::MAX => "end".to_string(),
        time => {
            let micros = time.as_micros();
            let sign = if micros < 0 { "-" } else { "" };
            let (whole, part) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
            let part = if part == 0 { String::new() } else { format!(".{part:06}").trim_end_matches('0').to_string() };
            format!("{sign}{whole}{part}")
        }
    }
}

/// What a test reads: partitions, each a list of steps.
///
/// Written as a text, each line is a partition of tokens: `key:value@seconds` an event, `|` the end of a batch, `~20` the
/// end of a batch after which the source promises that nothing below 20 s follows, `_` a moment with nothing to read,
/// `+5s` a moment in which the clock of a [stepped run](super::check_when) moves on, `.` the end of the partition, and
/// `...` at the end a partition that has nothing more and does not end. First lines `disorder 5s` and `idle 5s` set the
/// disorder and how long a partition may be silent before it holds nothing; `all idle greatest` and `all idle clock` say what
/// the watermark does when all are.
#[derive(Clone, Debug)]
pub struct Script {
    pub(super) partitions: Vec<Vec<Step>>,
    pub(super) disorder: Duration,
    pub(super) idle_after: Option<Duration>,
    pub(super) all_idle: AllIdle,
    pub(super) promised: bool,
}

/// What a partition has when the source asks it.
#[derive(Clone, Debug)]
pub enum Step {
    /// Events, and the watermark that the source gives after them.
    Batch(Vec<Item>, Option<EventTime>),
    /// Nothing now.
    Pending,
    /// Nothing now, and the clock of a stepped run moves on.
    Wait(Duration),
    /// Nothing more: the partition has ended, whatever follows.
    End,
    /// Nothing, for as long as the job runs.
    Open,
}

impl Script {
    /// A script of these partitions.
    pub fn new(partitions: Vec<Vec<Step>>) -> Script {
        let all_idle = AllIdle::default();
        Script { partitions, disorder: Duration::ZERO, idle_after: None, all_idle, promised: false }
    }

    /// Events may be this far behind and still be on time.
    pub fn disorder(mut self, disorder: Duration) -> Script {
        self.disorder = disorder;
        self
    }

    /// A partition that is silent for this long no longer holds the watermark.
    pub fn idle_after(mut self, idle_after: Duration) -> Script {
        self.idle_after = Some(idle_after);
        self
    }

    /// What the watermark does when all partitions are idle.
    pub fn all_idle(mut self, policy: AllIdle) -> Script {
        self.all_idle = policy;
        self
    }

    /// Reads the partitions as history: each knows the least event time still to come in it, so that nothing is late.
    pub fn promised(mut self) -> Script {
        self.promised = true;
        self
    }
}

impl From<&str> for Script {
    /// Reads a script.
    ///
    /// # Panics
    /// When the text is not a script.
    fn from(text: &str) -> Script {
        let mut script = Script::new(Vec::new());
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(disorder) = line.strip_prefix("disorder ") {
                script.disorder = disorder.parse().expect("a length of time");
                continue;
            }
            if let Some(policy) = line.strip_prefix("all idle ") {
                script.all_idle = match policy {
                    "stay" => AllIdle::Stay,
                    "greatest" => AllIdle::Greatest,
                    "clock" => AllIdle::Clock,
                    other => panic!("`{other}` is not stay, greatest or clock"),
                };
                continue;
            }
            if let Some(idle_after) = line.strip_prefix("idle ") {
                script.idle_after = Some(idle_after.parse().expect("a length of time"));
                continue;
            }
            let mut steps = Vec::new();
            let mut items = Vec::new();
            for token in line.split_whitespace() {
                match (token, token.strip_prefix('~')) {
                    (_, Some(at)) => {
                        let watermark = Some(EventTime::default() + at.parse::<i64>().expect("seconds").seconds());
                        steps.push(Step::Batch(std::mem::take(&mut items), watermark));
                    }
                    ("|", _) => steps.push(Step::Batch(std::mem::take(&mut items), None)),
                    ("_", _) => steps.extend([Step::Batch(std::mem::take(&mut items), None), Step::Pending]),
                    (".", _) => steps.extend([Step::Batch(std::mem::take(&mut items), None), Step::End]),
                    (_, None) if token.starts_with('+') => {
                        let wait = Step::Wait(token[1..].parse().expect("a length of time"));
                        steps.extend([Step::Batch(std::mem::take(&mut items), None), wait]);
                    }
                    ("...", _) => steps.extend([Step::Batch(std::mem::take(&mut items), None), Step::Open]),
                    _ => items.push(item(token)),
                }
            }
            steps.push(Step::Batch(items, None));
            script.partitions.push(steps);
        }
        script
    }
}

/// The least event time in these steps.
pub(super) fn bound<'a>(steps: impl IntoIterator<Item = &'a Step>) -> EventTime {
    let times = steps.into_iter().flat_map(|step| match step {
        Step::Batch(items, _) => items.as_slice(),
        Step::Pending | Step::Wait(_) | Step::End | Step::Open => &[],
    });
    times.map(|item| item.time).min().unwrap_or(EventTime::MAX)
}

fn item(token: &str) -> Item {
    let parts = token.split_once(':').and_then(|(key, rest)| Some((key, rest.split_once('@')?)));
    let (key, (value, at)) = parts.unwrap_or_else(|| panic!("`{token}` is not key:value@seconds"));
    let at: f64 = at.parse().expect("seconds");
    Item {
        time: EventTime::from_micros((at * 1e6).round() as i64),
        key: key.to_string(),
        value: value.parse().expect("a whole number"),
    }
}

impl Source for Script {
    fn describe(&self) -> String {
        "script".to_string()
    }

    fn bounded(&self) -> bool {
        false
    }

    fn partitions(&self, _: &Scan) -> Result<Listing> {
        let partition = |(number, steps): (usize, &Vec<Step>)| {
            let bound = self.promised.then(|| bound(steps));
            Partition { bound, followed: !self.promised, ..Partition::new(format!("{number:03}")) }
        };
        Ok(Listing { partitions: self.partitions.iter().enumerate().map(partition).collect(), ..Listing::default() })
    }

    fn open(&self, partition: &Partition, offset: Option<&Offset>, _: &Scan) -> Result<Box<dyn PartitionReader>> {
        let number: usize = partition.id.0.parse().map_err(|_| Error::usage("not a partition of this script"))?;
        let steps = self.partitions[number].clone();
        let mut reader = ScriptReader { steps, promised: self.promised, at: 0 };
        // A batch that says only how far time has come has an offset of its own.
        reader.at = offset.map_or(0, |offset| offset.position as usize);
        Ok(Box::new(reader))
    }
}

struct ScriptReader {
    steps: Vec<Step>,
    promised: bool,
    at: usize,
}

impl PartitionReader for ScriptReader {
    fn next(&mut self) -> Result<Next> {
        let step = self.steps.get(self.at).filter(|step| !matches!(step, Step::End));
        let Some(step) = step else { return Ok(Next::End) };
        self.at += usize::from(!matches!(step, Step::Open));
        let Step::Batch(items, watermark) = step else { return Ok(Next::Pending) };
        let bound_after = if self.promised { Some(bound(&self.steps[self.at..])) } else { *watermark };
        Ok(Next::Batch(SourceBatch {
            rows: Item::encode(items.iter()),
            offset_after: Offset::at(self.at as u64),
            bound_after,
        }))
    }
}
