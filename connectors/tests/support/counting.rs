//! An allocator that counts: how many bytes were allocated in all, and how many were held at most.
//!
//! What is counted is the whole program's, so that whoever looks at it takes the guard of [`alone`] first.

#![expect(unsafe_code, reason = "the trait of allocators is unsafe; this one only passes on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};

struct Counting;

static ALL: AtomicUsize = AtomicUsize::new(0);
static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn count(more: usize, less: usize) {
    ALL.fetch_add(more, Relaxed);
    let held = HELD.fetch_add(more, Relaxed) + more;
    HELD.fetch_sub(less, Relaxed);
    MOST.fetch_max(held, Relaxed);
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(0, layout.size());
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Held by each test: what others allocate is not to be counted.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What some work has taken.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// In all; a measure of work that no other process disturbs.
    #[allow(dead_code, reason = "not every program that counts asks for it")]
    pub allocated: usize,
    /// At most, beyond what was held before.
    pub held: usize,
}

/// What `work` gives, and what it has taken.
pub fn taken<T>(work: impl FnOnce() -> T) -> (T, Taken) {
    let (all, before) = (ALL.load(Relaxed), HELD.load(Relaxed));
    MOST.store(before, Relaxed);
    let done = work();
    let (allocated, held) = (ALL.load(Relaxed) - all, MOST.load(Relaxed).saturating_sub(before));
    (done, Taken { allocated, held })
}
