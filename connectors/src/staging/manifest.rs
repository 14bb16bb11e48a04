//! What a manifest keeps for one bucket: the parts of open spans, and the files that wait for their commit.

use dualgauge_engine::fs::PlainName;
use dualgauge_engine::{Code, Epoch, Error, Result};
use serde::{Deserialize, Serialize};

use super::{Part, StagedName};

/// The first byte of what `prepare` returns; JSON follows.
const FORMAT: u8 = 1;

/// What one `prepare` made durable.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The parts of the spans that were open, by their start in microseconds.
    pub(super) open: Vec<(i64, Vec<Part>)>,
    /// The files to be linked.
    pub(super) publish: Vec<Publish>,
}

/// A finished file and the name that it is to have.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Publish {
    pub(super) name: PlainName,
    pub(super) whole: Whole,
}

/// A staged file that is whole and durable.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Whole {
    /// Its staged name.
    pub(crate) staged: StagedName,
    /// The hash of its content, by which a second commit recognises what the first one published.
    pub(crate) blake3: String,
    /// The staged names of the files that it was made from, which are no longer needed once it is published.
    pub(crate) spent: Vec<StagedName>,
}

impl Manifest {
    /// The staged names of the parts of open spans.
    pub(super) fn parts(&self) -> impl Iterator<Item = &StagedName> {
        self.open.iter().flat_map(|(_, parts)| parts).map(|part| &part.name)
    }

    /// The bytes for the engine's manifest; none where there is nothing to keep.
    pub(super) fn encode(&self) -> Vec<u8> {
        if *self == Manifest::default() {
            return Vec::new();
        }
        let mut bytes = vec![FORMAT];
        serde_json::to_writer(&mut bytes, self).expect("names and numbers become JSON");
        bytes
    }

    /// Refuses staged names that this bucket cannot have given, and visible ones that the sink does not give.
    pub(super) fn check(self, epoch: Epoch, bucket: usize, gives: impl Fn(&str) -> bool) -> Result<Manifest> {
        let staged = self.publish.iter().flat_map(|file| file.whole.spent.iter().chain([&file.whole.staged]));
        let stranger = staged.chain(self.parts()).find(|name| name.bucket() != bucket).map(ToString::to_string);
        let visible = self.publish.iter().map(|file| &file.name).find(|name| !gives(name.as_str()));
        match stranger.or(visible.map(ToString::to_string)) {
            None => Ok(self),
            Some(name) => Err(Error::data(format!(
                "what epoch {epoch} prepared of bucket {bucket} names {name}, which this sink does not give there; was the \
                 checkpoint damaged or made up, or does the sink write to a file of another name?"
            ))),
        }
    }

    /// What was prepared, from its bytes. Names that no bucket gives are refused here, before anything is touched.
    pub(super) fn decode(epoch: Epoch, bytes: &[u8]) -> Result<Manifest> {
        match bytes.split_first() {
            None => Ok(Manifest::default()),
            Some((&FORMAT, json)) => serde_json::from_slice(json).map_err(|error| {
                Code::CheckpointCorrupt.error(format!("what epoch {epoch} prepared cannot be read")).caused_by(error)
            }),
            Some((format, _)) => Err(Error::data(format!(
                "what epoch {epoch} prepared has format {format}, and this build knows {FORMAT}. Was it written by a \
                 newer version?"
            ))),
        }
    }
}
