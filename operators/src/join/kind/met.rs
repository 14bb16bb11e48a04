//! Semi and anti joins: the left rows that match a row of the right side, or those that match none.

use dualgauge_engine::flow::Emitter;
use dualgauge_engine::{Data, Key};

use super::{JoinKind, Rows, Sides};
use crate::join::strategy::Numbers;
use crate::key_fn::KeyFn;
use crate::window::Window;

/// Makes one result of each left row that matches some right row if `MET`, or that matches none if not.
pub struct Met<F, const MET: bool> {
    make: F,
    /// Whether the right side has the key, by its number.
    right_has: Vec<bool>,
}

impl<F, const MET: bool> Met<F, MET> {
    pub(in crate::join) fn new(make: F) -> Self {
        Met { make, right_has: Vec::new() }
    }
}

impl<K, L, R, O, F, const MET: bool> JoinKind<K, L, R> for Met<F, MET>
where
    K: Key,
    L: Data,
    R: Data,
    O: Data,
    F: Fn(Window, L) -> O + 'static,
{
    type Out = O;

    fn wants(left_is_empty: bool, right_is_empty: bool) -> bool {
        !(left_is_empty || MET && right_is_empty)
    }

    fn join<A: Rows<L>, B: Rows<R>, P: KeyFn<L, Key = K>, Q: KeyFn<R, Key = K>>(
        &mut self,
        window: Window,
        sides: Sides<'_, A, B, P, Q>,
        numbers: &Numbers,
        out: &mut Emitter<O>,
    ) {
        self.right_has.clear();
        self.right_has.resize(numbers.count as usize, false);
        for number in &numbers.right {
            // The number of a row that matches nothing is beyond them all.
            if let Some(has) = self.right_has.get_mut(*number as usize) {
                *has = true;
            }
        }
        for (event, number) in sides.left.take().zip(&numbers.left) {
            if self.right_has.get(*number as usize).is_some_and(|has| *has) == MET {
                out.give(window.last_instant(), (self.make)(window, event.data));
            }
        }
    }
}
