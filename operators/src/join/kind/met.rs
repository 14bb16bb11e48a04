//! Semi and anti joins: the left rows that meet a row of the right side, or those that meet none.

use dualgauge_engine::flow::Emitter;
use dualgauge_engine::{Data, Key};

use super::{JoinKind, Rows, Sides};
use crate::join::strategy::Numbers;
use crate::key_fn::KeyFn;
use crate::window::Window;

/// Lets a left row pass, as it is and once, if it has met any row of the right side exactly if `MET`.
#[derive(Default)]
pub struct Met<const MET: bool> {
    /// Whether the right side has the key, by its number.
    right_has: Vec<bool>,
}

impl<K: Key, L: Data, R: Data, const MET: bool> JoinKind<K, L, R> for Met<MET> {
    type Out = L;

    fn wants(left_is_empty: bool, right_is_empty: bool) -> bool {
        !(left_is_empty || MET && right_is_empty)
    }

    fn join<A: Rows<L>, B: Rows<R>, F: KeyFn<L, Key = K>, G: KeyFn<R, Key = K>>(
        &mut self,
        window: Window,
        sides: Sides<'_, A, B, F, G>,
        numbers: &Numbers,
        out: &mut Emitter<L>,
    ) {
        self.right_has.clear();
        self.right_has.resize(numbers.count as usize, false);
        for number in &numbers.right {
            // The number of a row that meets nobody is beyond them all.
            if let Some(has) = self.right_has.get_mut(*number as usize) {
                *has = true;
            }
        }
        for (event, number) in sides.left.take().zip(&numbers.left) {
            if self.right_has.get(*number as usize).is_some_and(|has| *has) == MET {
                out.give(window.last_instant(), event.data);
            }
        }
    }
}
