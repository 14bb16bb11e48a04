//! How a sink breaks its contract: which rule, at which verb, in which run.

use std::fmt;

/// A rule of the contract of a [`Sink`](crate::Sink).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// No verb fails where nothing is wrong.
    Works,
    /// What was not committed is not seen.
    Invisible,
    /// What was seen stays.
    Stays,
    /// Exactly the committed rows are seen, each once.
    Once,
    /// Rows are seen in the order of their event times.
    Order,
    /// A commit that is repeated changes nothing.
    Twice,
    /// An older generation changes nothing once its successor has started.
    Fenced,
    /// An output that has ended can be read, even if no row came.
    Readable,
    /// Exactly what was published since a commit is taken back.
    Back,
}

impl Rule {
    /// The rule in words.
    fn says(self) -> &'static str {
        match self {
            Rule::Works => "no verb fails where nothing is wrong",
            Rule::Invisible => "what was not committed is not seen",
            Rule::Stays => "what was seen stays",
            Rule::Once => "exactly the committed rows are seen, each once",
            Rule::Order => "rows are seen in the order of their event times",
            Rule::Twice => "a commit that is repeated changes nothing",
            Rule::Fenced => "an older generation changes nothing once its successor has started",
            Rule::Readable => "an output that has ended can be read, also without a row",
            Rule::Back => "exactly what was published since a commit is taken back",
        }
    }

    /// The mistake that most often breaks it.
    fn mistake(self) -> &'static str {
        match self {
            Rule::Works => "it takes its own earlier start for a stranger, or an epoch without rows for an error",
            Rule::Invisible => "`write` or `prepare` gives rows the place where readers look",
            Rule::Stays => "a commit replaces what an earlier one has published",
            Rule::Once => "`recover` does not publish what it is given, or publishes what it is not given",
            Rule::Order => "rows of several buckets or epochs are mixed in one file",
            Rule::Twice => "`commit` does not look whether its epoch is there already",
            Rule::Fenced => {
                "generations share the names of what they stage, or a commit does not look who owns the place"
            }
            Rule::Readable => "only `write` creates the output; `finish` must, too",
            Rule::Back => "what is published does not say for which epoch",
        }
    }
}

/// A broken rule, and where it broke.
#[derive(Clone, PartialEq, Eq)]
pub struct Breach {
    /// The rule.
    pub rule: Rule,
    /// The verb at which it was seen to be broken: `commit of epoch 2 in bucket 0`.
    pub verb: String,
    /// What was done until then: `generation 2, after generation 1 had crashed before prepare of epoch 1 in bucket 0`.
    pub run: String,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Breach { rule, verb, run, why } = self;
        write!(f, "the sink breaks its contract ({}) at {verb}, {run}: {why}", rule.says())?;
        write!(f, "; likely mistake: {}", rule.mistake())
    }
}

/// The text that a person reads: an `unwrap` prints it.
impl fmt::Debug for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Breach {}
