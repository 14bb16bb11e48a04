//! A seeded scheduler: one worker steps at a time, the next is drawn by chance.

use std::sync::{Condvar, Mutex};

use crate::run::Turns;

/// Lets one worker step at a time, in an order that its seed decides: the same seed, the same order.
pub struct Baton {
    state: Mutex<State>,
    passed: Condvar,
}

struct State {
    holder: usize,
    random: u64,
    alive: Vec<bool>,
    turns: u64,
    last_turn: u64,
}

impl Baton {
    /// A baton for this many workers.
    pub fn new(workers: usize, seed: u64) -> Baton {
        let random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let state = State { holder: 0, random, alive: vec![true; workers], turns: 0, last_turn: u64::MAX };
        Baton { state: Mutex::new(state), passed: Condvar::new() }
    }

    /// Kills the job at this turn.
    pub fn kill_at(self, turn: u64) -> Baton {
        self.state.lock().expect("no panic holds it").last_turn = turn;
        self
    }

    /// How many steps have been taken: the same for the same seed.
    pub fn turns(&self) -> u64 {
        self.state.lock().expect("no panic holds it").turns
    }
}

impl Turns for Baton {
    fn take(&self, worker: usize) {
        let mut state = self.state.lock().expect("no panic holds it");
        while state.holder != worker {
            state = self.passed.wait(state).expect("no panic holds it");
        }
    }

    fn pass(&self, worker: usize, done: bool) {
        let mut state = self.state.lock().expect("no panic holds it");
        state.alive[worker] &= !done;
        if state.holder == worker {
            state.turns += u64::from(!done);
            // Xorshift: all that is asked of it is that another seed gives another order.
            state.random ^= state.random << 13;
            state.random ^= state.random >> 7;
            state.random ^= state.random << 17;
            let alive: Vec<_> = (0..state.alive.len()).filter(|&worker| state.alive[worker]).collect();
            if !alive.is_empty() {
                state.holder = alive[state.random as usize % alive.len()];
            }
        }
        self.passed.notify_all();
    }

    fn killed(&self) -> bool {
        let state = self.state.lock().expect("no panic holds it");
        state.turns >= state.last_turn
    }

    fn may_park(&self) -> bool {
        false
    }
}
