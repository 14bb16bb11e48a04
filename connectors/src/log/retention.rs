//! Forgetting the oldest segments.

use dualgauge_engine::{Duration, Result};

use super::directory::Log;
use super::files::{on, remove, segments};
use super::format::{index_name, segment_name};

/// What a partition may forget, by whole segments from the front.
///
/// A segment goes when the age or the size says so (with neither given, when it is archived), and never when it has rows
/// at or after the archived offset. The last segment stays.
///
/// ```
/// use dualgauge_connectors::log::Retention;
/// use dualgauge_engine::Durations;
///
/// // A week, but nothing that the archiver has not copied yet.
/// let retention = Retention::default().age(7.days()).archived(1_000_000);
/// # assert_ne!(retention, Retention::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    age: Option<Duration>,
    bytes: Option<u64>,
    archived: Option<u64>,
}

impl Retention {
    /// Forgets segments whose newest batch was appended longer ago than this.
    pub fn age(mut self, age: Duration) -> Retention {
        self.age = Some(age);
        self
    }

    /// Forgets the oldest segments for as long as those that stay have more bytes than this.
    pub fn bytes(mut self, bytes: u64) -> Retention {
        self.bytes = Some(bytes);
        self
    }

    /// Keeps what lies at or after this offset, whatever the age and the size say.
    pub fn archived(mut self, offset: u64) -> Retention {
        self.archived = Some(offset);
        self
    }
}

impl Log {
    /// Deletes the partition's oldest segments as far as `retention` allows, and returns the first offset that is left.
    ///
    /// A reader that wants an earlier one gets an error that names both offsets. Writers and readers may be at work
    /// meanwhile.
    ///
    /// # Errors
    /// A damaged index, or a disk that refuses.
    pub fn retain(&self, partition: u32, retention: &Retention) -> Result<u64> {
        let dir = self.own_partition_dir(partition)?;
        let firsts = segments(&*self.fs, &dir)?;
        let mut lengths = Vec::new();
        for &first in &firsts {
            let path = dir.join(segment_name(first));
            lengths.push(on(&path, self.fs.open(&path).and_then(|file| file.length()))?);
        }
        let mut left: u64 = lengths.iter().sum();
        let now = self.clock.0.now();
        for (pair, length) in firsts.windows(2).zip(lengths) {
            let &[first, next] = pair else { unreachable!("windows of two") };
            left -= length;
            let too_old = match retention.age {
                Some(age) => {
                    let index = self.index(partition, &dir, first)?;
                    index.run.committed.last().is_some_and(|newest| newest.appended < now - age)
                }
                None => false,
            };
            let too_much = retention.bytes.is_some_and(|bytes| left >= bytes);
            let only_archived = retention.age.is_none() && retention.bytes.is_none() && retention.archived.is_some();
            let archived = retention.archived.is_none_or(|archived| next <= archived);
            if !archived || !(too_old || too_much || only_archived) {
                return Ok(first);
            }
            // The segment first, and durably: an index alone is nothing, a segment alone asks for a repair.
            for name in [segment_name(first), index_name(first)] {
                let path = dir.join(name);
                remove(&*self.fs, &path)?;
                on(&dir, self.fs.sync_names(&dir))?;
            }
        }
        Ok(firsts.last().copied().unwrap_or(0))
    }
}
