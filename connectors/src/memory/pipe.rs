//! A bounded queue between a job and the program around it: one side waits while it is full, the other while it is empty.
//!
//! Both sides may block a thread or await, and neither needs an executor of a certain kind. Whoever waits hears of every
//! change, so that one who gives up waiting takes nobody's turn.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// How long it takes at most to see that there is no waiting any more.
const LOOK: Duration = Duration::from_millis(20);

/// The queue, shared by its two sides.
#[derive(Debug)]
pub(super) struct Pipe<T> {
    state: Mutex<State<T>>,
    /// Something was put, taken or closed.
    moved: Condvar,
}

/// What lies in it.
#[derive(Debug)]
pub(super) struct State<T> {
    /// Each with what it weighs.
    items: VecDeque<(T, usize)>,
    /// What all of them weigh.
    weight: usize,
    capacity: usize,
    /// Whether nothing will be put any more.
    pub(super) ended: bool,
    /// Whether nobody will take anything any more.
    pub(super) deserted: bool,
    /// The number of the first item, where items are numbered.
    pub(super) first: u64,
    /// At which number the taking side was opened first; `None` where it was not.
    pub(super) opened: Option<u64>,
    /// Who awaits a change, by the number of its turn.
    wakers: Vec<(u64, Waker)>,
    turns: u64,
}

/// One who awaits a pipe. Given up, it leaves nothing behind there.
#[derive(Debug)]
pub(super) struct Turn<T> {
    pipe: Arc<Pipe<T>>,
    number: u64,
}

impl<T> Turn<T> {
    pub(super) fn at(pipe: &Arc<Pipe<T>>) -> Turn<T> {
        let number = {
            let mut state = pipe.lock();
            state.turns += 1;
            state.turns
        };
        Turn { pipe: Arc::clone(pipe), number }
    }

    /// Whether it is so; then the waker is woken when something has changed.
    pub(super) fn waits(&self, waker: &Waker, is_so: impl Fn(&State<T>) -> bool) -> bool {
        let mine = waker.clone();
        let mut state = self.pipe.lock();
        let waits = is_so(&state);
        let before = state.leave(self.number);
        if waits {
            state.wakers.push((self.number, mine));
        }
        drop(state);
        drop(before);
        waits
    }
}

impl<T> Drop for Turn<T> {
    fn drop(&mut self) {
        // A waker may own what comes back to this pipe when it goes: so it goes behind the lock.
        let mine = self.pipe.lock().leave(self.number);
        drop(mine);
    }
}

/// Why an item was not put, and the item.
#[derive(Debug)]
pub(super) enum NotPut<T> {
    Full(T),
    Deserted(T),
}

impl<T> Pipe<T> {
    /// A queue that is full when it holds `capacity`; at least one item always fits.
    pub(super) fn new(capacity: usize) -> Pipe<T> {
        let (items, wakers) = (VecDeque::new(), Vec::new());
        let state = State {
            items,
            weight: 0,
            capacity: capacity.max(1),
            ended: false,
            deserted: false,
            first: 0,
            opened: None,
            wakers,
            turns: 0,
        };
        Pipe { state: Mutex::new(state), moved: Condvar::new() }
    }

    /// A panic elsewhere leaves no item half put.
    pub(super) fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and lets everybody who waits look at it.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut State<T>) -> R) -> R {
        let mut state = self.lock();
        let changed = change(&mut state);
        self.moved_on(state);
        changed
    }

    /// Lets everybody who waits look at what has changed, behind the lock.
    fn moved_on(&self, mut state: MutexGuard<'_, State<T>>) {
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.moved.notify_all();
        wakers.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Puts an item, if there is room for it now.
    pub(super) fn try_put(&self, item: T, weight: usize) -> Result<(), NotPut<T>> {
        let mut state = self.lock();
        if state.deserted {
            return Err(NotPut::Deserted(item));
        }
        if state.is_full() {
            return Err(NotPut::Full(item));
        }
        state.push(item, weight);
        self.moved_on(state);
        Ok(())
    }

    /// Puts an item as soon as there is room, or without room as soon as there is no waiting any more; gives it back where
    /// nobody will take it.
    pub(super) fn put_unless(&self, mut item: T, weight: usize, no_waiting: impl Fn() -> bool) -> Result<(), T> {
        loop {
            match self.try_put(item, weight) {
                Ok(()) => return Ok(()),
                Err(NotPut::Deserted(back)) => return Err(back),
                Err(NotPut::Full(back)) => item = back,
            }
            if no_waiting() {
                return self.change(|state| {
                    if state.deserted {
                        return Err(item);
                    }
                    state.push(item, weight);
                    Ok(())
                });
            }
            let waited = self.moved.wait_timeout_while(self.lock(), LOOK, |state| state.waits_for_room());
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Puts an item as soon as there is room; gives it back where nobody will take it.
    pub(super) fn put(&self, mut item: T, weight: usize) -> Result<(), T> {
        loop {
            match self.try_put(item, weight) {
                Ok(()) => return Ok(()),
                Err(NotPut::Deserted(back)) => return Err(back),
                Err(NotPut::Full(back)) => item = back,
            }
            self.wait_while(State::waits_for_room);
        }
    }

    /// The same for whoever awaits. The item is taken out of `item` where this is done with it.
    pub(super) fn poll_put(
        &self,
        turn: &Turn<T>,
        context: &Context<'_>,
        item: &mut Option<T>,
        weight: usize,
    ) -> Poll<Result<(), T>> {
        loop {
            match self.try_put(item.take().expect("what is put is not polled again"), weight) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(NotPut::Deserted(back)) => return Poll::Ready(Err(back)),
                Err(NotPut::Full(back)) => *item = Some(back),
            }
            if turn.waits(context.waker(), State::waits_for_room) {
                return Poll::Pending;
            }
        }
    }

    /// The next item, if there is one now.
    pub(super) fn try_take(&self) -> Option<T> {
        self.lock().items.front()?;
        self.change(State::take_one)
    }

    /// The next item as soon as there is one; none where none will come.
    pub(super) fn take(&self) -> Option<T> {
        loop {
            if let Some(item) = self.try_take() {
                return Some(item);
            }
            if self.is_over() {
                return None;
            }
            self.wait_while(|state| state.items.is_empty() && !state.ended);
        }
    }

    /// The same for whoever awaits.
    pub(super) fn poll_take(&self, turn: &Turn<T>, context: &Context<'_>) -> Poll<Option<T>> {
        loop {
            if let Some(item) = self.try_take() {
                return Poll::Ready(Some(item));
            }
            if self.is_over() {
                return Poll::Ready(None);
            }
            if turn.waits(context.waker(), |state| state.items.is_empty() && !state.ended) {
                return Poll::Pending;
            }
        }
    }

    /// Waits as long as it is so.
    pub(super) fn wait_while(&self, is_so: impl Fn(&State<T>) -> bool) {
        let waited = self.moved.wait_while(self.lock(), |state| is_so(state));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether nothing lies in it, and nothing will.
    fn is_over(&self) -> bool {
        let state = self.lock();
        state.ended && state.items.is_empty()
    }
}

impl<T> State<T> {
    fn push(&mut self, item: T, weight: usize) {
        self.items.push_back((item, weight));
        self.weight += weight;
    }

    fn is_full(&self) -> bool {
        self.weight >= self.capacity
    }

    /// Whether whoever puts an item waits for somebody to take one.
    fn waits_for_room(&self) -> bool {
        self.is_full() && !self.deserted
    }

    /// Takes out who awaits by this number.
    fn leave(&mut self, number: u64) -> Option<Waker> {
        let at = self.wakers.iter().position(|(of, _)| *of == number)?;
        Some(self.wakers.swap_remove(at).1)
    }

    fn take_one(&mut self) -> Option<T> {
        let (item, weight) = self.items.pop_front()?;
        self.weight -= weight;
        self.first += 1;
        Some(item)
    }

    /// The items behind the first `from`, at most so many.
    pub(super) fn behind(&self, from: usize, most: usize) -> impl Iterator<Item = &T> + Clone {
        self.items.range(from.min(self.items.len())..).take(most).map(|(item, _)| item)
    }

    /// Takes away the first `count` items.
    pub(super) fn skip(&mut self, count: usize) {
        (0..count).for_each(|_| drop(self.take_one()));
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }
}
