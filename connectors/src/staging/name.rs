//! The names of staged files: `b0.g3.17.WHAT`, the 17th that bucket 0 gave in generation 3 of the job.
//!
//! A checkpoint names files that are linked and removed later. Each name becomes a [`StagedName`] when it is read, or
//! is refused; so it can only lead to what a bucket has staged.

use std::fmt;

use dualgauge_engine::fs::PlainName;
use dualgauge_engine::{Error, Result};
use serde::{Deserialize, Serialize};

/// How many bytes of `WHAT` are kept: with the numbers before it and an ending, the name fits everywhere.
const WHAT_BYTES_MAX: usize = 150;

/// The name of a file in a staging directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "PlainName", into = "PlainName")]
pub(crate) struct StagedName {
    name: PlainName,
    bucket: usize,
    generation: u64,
}

impl StagedName {
    /// The name number `number` of a bucket in a generation. `what` is for people, and may be any text.
    pub(super) fn new(bucket: usize, generation: u64, number: u64, what: &str, ending: &str) -> StagedName {
        let mut kept = String::new();
        for c in what.chars() {
            let plain = c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            let next = if plain { c.to_string() } else { format!("={:x}=", c as u32) };
            if kept.len() + next.len() > WHAT_BYTES_MAX {
                break;
            }
            kept.push_str(&next);
        }
        let name = PlainName::parse(format!("b{bucket}.g{generation}.{number}.{kept}.{ending}"));
        StagedName { name: name.expect("digits, letters and dots are plain"), bucket, generation }
    }

    /// The same with `more` at the end, for what lies beside a staged file.
    pub(crate) fn beside(&self, more: &str) -> StagedName {
        let name = PlainName::parse(format!("{}.{more}", self.name)).expect("a short word at the end leaves it plain");
        StagedName { name, ..*self }
    }

    /// The name, if a bucket has given it.
    pub(super) fn of(name: &str) -> Option<StagedName> {
        PlainName::parse(name).ok()?.try_into().ok()
    }

    pub(super) fn bucket(&self) -> usize {
        self.bucket
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn plain(&self) -> &PlainName {
        &self.name
    }
}

impl TryFrom<PlainName> for StagedName {
    type Error = Error;

    fn try_from(name: PlainName) -> Result<StagedName> {
        let parsed = || {
            let mut parts = name.as_str().splitn(4, '.');
            let mut number = |letter: &str| parts.next()?.strip_prefix(letter)?.parse::<u64>().ok();
            let (bucket, generation, _) = (number("b")?, number("g")?, number("")?);
            parts.next().filter(|what| !what.is_empty())?;
            Some((usize::try_from(bucket).ok()?, generation))
        };
        match parsed() {
            Some((bucket, generation)) => Ok(StagedName { name, bucket, generation }),
            None => Err(Error::data(format!("`{name}` is not the name of a staged file"))),
        }
    }
}

impl From<StagedName> for PlainName {
    fn from(name: StagedName) -> PlainName {
        name.name
    }
}

impl fmt::Display for StagedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_bucket_gives_is_read_back_and_nothing_else_is() {
        let name = StagedName::new(0, 3, 17, "my file (ä).csv", "part");
        assert_eq!(name.to_string(), "b0.g3.17.my=20=file=20==28==e4==29=.csv.part");
        assert_eq!(StagedName::of(&name.to_string()), Some(name.clone()));
        assert_eq!(StagedName::of(&name.beside("times").to_string()), Some(name.beside("times")));
        assert_eq!(StagedName::new(0, 1, 1, &"ä".repeat(300), "ready").to_string().len(), 8 + 148 + 6);
        for text in
            ["../../victim/diary.txt", "/etc/passwd", "diary.txt", "b0.g3.17", "b0.g3.17.", "b0.g3.x.csv", "b.g3.1.a"]
        {
            assert_eq!(StagedName::of(text), None, "{text}");
        }
    }
}
