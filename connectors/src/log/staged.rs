//! The names of what a sink has prepared and the log does not have yet: `g0000000003-00000000000000000017-9f….arrows`, by
//! the generation, the epoch and the tag of the batch.
//!
//! A checkpoint names such a file, which is read and then removed; so the name is checked when it is read.

use std::path::{Path, PathBuf};

use dualgauge_engine::fs::PlainName;
use dualgauge_engine::{Epoch, Error, Result};
use serde::{Deserialize, Serialize};

/// The name of staged rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PlainName", into = "PlainName")]
pub(super) struct StagedRows {
    name: PlainName,
    generation: u64,
}

impl StagedRows {
    pub fn new(generation: u64, epoch: Epoch, tag: u64) -> StagedRows {
        let name = PlainName::parse(format!("g{generation:010}-{epoch:020}-{tag:016x}.arrows", epoch = epoch.0));
        StagedRows { name: name.expect("digits are plain"), generation }
    }

    /// The name, if a sink has given it.
    pub fn of(name: &str) -> Option<StagedRows> {
        PlainName::parse(name).ok()?.try_into().ok()
    }

    pub fn generation(&self) -> u64 {
        self.generation
    }

    pub fn within(&self, stage: &Path) -> PathBuf {
        self.name.within(stage)
    }
}

impl TryFrom<PlainName> for StagedRows {
    type Error = Error;

    fn try_from(name: PlainName) -> Result<StagedRows> {
        let parsed = || {
            let text = name.as_str().strip_prefix('g')?.strip_suffix(".arrows")?;
            let mut parts = text.splitn(3, '-');
            let digits = |text: &str, radix| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
            let generation = parts.next().filter(|text| digits(text, 10))?.parse().ok()?;
            parts.next().filter(|epoch| digits(epoch, 10))?;
            parts.next().filter(|tag| tag.len() == 16 && digits(tag, 16))?;
            Some(generation)
        };
        match parsed() {
            Some(generation) => Ok(StagedRows { name, generation }),
            None => Err(Error::data(format!("`{name}` is not the name of staged rows"))),
        }
    }
}

impl From<StagedRows> for PlainName {
    fn from(name: StagedRows) -> PlainName {
        name.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sink_gives_is_read_back_and_nothing_else_is() {
        let name = StagedRows::new(3, Epoch(17), 0x9f);
        assert_eq!(name.name.as_str(), "g0000000003-00000000000000000017-000000000000009f.arrows");
        assert_eq!(StagedRows::of(name.name.as_str()), Some(name));
        for text in ["../../log.json", "/etc/passwd", "writer.lock", "g3-17-9f.arrows", "g-1-000000000000009f.arrows"] {
            assert_eq!(StagedRows::of(text), None, "{text}");
        }
    }
}
