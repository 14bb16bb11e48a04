//! How much all open spans of a process hold in memory, and which bucket stages when it is too much.
//!
//! Each span has a bound of its own, beyond which it is staged; but there may be thousands of them. So what they hold
//! is counted together. The bucket that gets rows when it is too much stages its own spans, the largest first, until it
//! holds half of what it did. A bucket that holds little has little to stage, and the next one takes over.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many bytes all buckets of a process may hold together before one of them stages.
const HELD_BYTES_MAX: usize = 64 << 20;

/// A bucket that holds less than this stages nothing: it would make a small piece of each batch.
const SHARE_BYTES_MIN: usize = 1 << 20;

static HELD: AtomicUsize = AtomicUsize::new(0);

/// What one bucket holds, in bytes.
#[derive(Debug, Default)]
pub(super) struct Share(usize);

impl Share {
    /// A part of it has changed from `before` bytes to `now`.
    pub(super) fn change(&mut self, before: usize, now: usize) {
        self.0 = self.0 + now - before;
        HELD.fetch_add(now, Relaxed);
        HELD.fetch_sub(before, Relaxed);
    }

    /// How much the bucket should hold at most: half of what it has, if all together hold too much.
    pub(super) fn goal(&self) -> Option<usize> {
        (HELD.load(Relaxed) > HELD_BYTES_MAX && self.0 > SHARE_BYTES_MIN).then_some(self.0 / 2)
    }

    pub(super) fn bytes(&self) -> usize {
        self.0
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0, Relaxed);
    }
}
