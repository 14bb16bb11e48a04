//! Joins by pairs: inner, left, right and full outer.

use std::borrow::Borrow;

use dualgauge_engine::flow::Emitter;
use dualgauge_engine::{Data, Event, Key};

use super::{JoinKind, Rows, Sides};
use crate::join::strategy::{NONE, Numbers};
use crate::key_fn::KeyFn;
use crate::window::Window;

/// Makes a result of each pair of rows; with `LEFT`, also of each left row that matches nothing; likewise with `RIGHT`.
pub struct Pairs<F, const LEFT: bool, const RIGHT: bool> {
    make: F,
    room: Room,
}

impl<F, const LEFT: bool, const RIGHT: bool> Pairs<F, LEFT, RIGHT> {
    pub(in crate::join) fn new(make: F) -> Self {
        Pairs { make, room: Room::default() }
    }
}

impl<K, L, R, O, F, const LEFT: bool, const RIGHT: bool> JoinKind<K, L, R> for Pairs<F, LEFT, RIGHT>
where
    K: Key,
    L: Data,
    R: Data,
    O: Data,
    F: Fn(Window, Option<&L>, Option<&R>) -> O + 'static,
{
    type Out = O;

    fn wants(left_is_empty: bool, right_is_empty: bool) -> bool {
        match (left_is_empty, right_is_empty) {
            (false, false) => true,
            (false, true) => LEFT,
            (true, false) => RIGHT,
            (true, true) => false,
        }
    }

    fn join<A: Rows<L>, B: Rows<R>, P: KeyFn<L, Key = K>, Q: KeyFn<R, Key = K>>(
        &mut self,
        window: Window,
        sides: Sides<'_, A, B, P, Q>,
        numbers: &Numbers,
        out: &mut Emitter<O>,
    ) {
        let (left, right, count) = (sides.left.rows(), sides.right.rows(), numbers.count as usize);
        let time = window.last_instant();
        // The smaller side is put in order, so that the larger is walked as it lies.
        if left.len() <= right.len() {
            let (ordered, walked) = ((left, &numbers.left[..]), (right, &numbers.right[..]));
            pair_up::<LEFT, RIGHT, L, R, _, _>(&mut self.room, count, ordered, walked, |left, right| {
                out.give(time, (self.make)(window, left, right))
            });
        } else {
            let (ordered, walked) = ((right, &numbers.right[..]), (left, &numbers.left[..]));
            pair_up::<RIGHT, LEFT, R, L, _, _>(&mut self.room, count, ordered, walked, |right, left| {
                out.give(time, (self.make)(window, left, right))
            });
        }
    }
}

/// The rows of one side by the number of their key.
#[derive(Default)]
struct Room {
    /// Where the rows of each number start; the last is where all end.
    starts: Vec<u32>,
    rows: Vec<u32>,
    /// Whether the other side has the key, by its number.
    met: Vec<bool>,
}

impl Room {
    /// Puts rows of equal numbers next to each other.
    fn order(&mut self, numbers: &[u32], count: usize) {
        self.starts.clear();
        self.starts.resize(count + 1, 0);
        let known = || numbers.iter().filter(|number| **number != NONE);
        known().for_each(|number| self.starts[*number as usize] += 1);
        let mut end = 0;
        for start in &mut self.starts {
            end += *start;
            *start = end;
        }
        self.rows.clear();
        self.rows.resize(end as usize, 0);
        // From the back, so that each number's end becomes its start, and its rows stay in their order.
        for (row, number) in numbers.iter().enumerate().rev().filter(|(_, number)| **number != NONE) {
            let start = &mut self.starts[*number as usize];
            *start -= 1;
            self.rows[*start as usize] = row as u32;
        }
    }

    /// The rows of a number.
    #[inline]
    fn of(&self, number: u32) -> &[u32] {
        match number {
            NONE => &[],
            number => &self.rows[self.starts[number as usize] as usize..self.starts[number as usize + 1] as usize],
        }
    }
}

/// Gives each pair of rows to `give`, and rows that match nothing alone, where they are wanted.
#[inline]
fn pair_up<const A_ALONE: bool, const B_ALONE: bool, A, B, E: Borrow<Event<A>>, F: Borrow<Event<B>>>(
    room: &mut Room,
    count: usize,
    (ordered, ordered_numbers): (&[E], &[u32]), // the rows that are put in order
    (walked, walked_numbers): (&[F], &[u32]),   // the rows that are walked as they lie
    mut give: impl FnMut(Option<&A>, Option<&B>),
) {
    room.order(ordered_numbers, count);
    if A_ALONE {
        room.met.clear();
        room.met.resize(count, false);
    }
    for (row, number) in walked.iter().zip(walked_numbers) {
        let row = &row.borrow().data;
        let met = room.of(*number);
        met.iter().for_each(|at| give(Some(&ordered[*at as usize].borrow().data), Some(row)));
        if B_ALONE && met.is_empty() {
            give(None, Some(row));
        }
        if A_ALONE && *number != NONE {
            room.met[*number as usize] = true;
        }
    }
    if A_ALONE {
        for (row, number) in ordered.iter().zip(ordered_numbers) {
            if *number == NONE || !room.met[*number as usize] {
                give(Some(&row.borrow().data), None);
            }
        }
    }
}
