//! A join strategy of your own: what is done with the rows of one window, and nothing else.
//!
//! Rows have already been dealt to the workers by their keys, and what a window emits carries its last instant. Nothing
//! is kept across a restart: a strategy is here to be measured, and becomes an operator when it has won.

use std::collections::BTreeMap;

use super::records::{Joined, Row};
use super::windows::Windows;
use dualgauge::flow::{Emitter, NodeSpec, Outputs, TwoInputStep};
use dualgauge::state::Parts;
use dualgauge::{Batch, EventTime, Flow, KeyGroup, Stream};

/// Joins the rows of one window on one worker: created when the first of them comes.
///
/// - **Every pair once.** Each left row and each right row with the same key are given to [`Pairs::pair`] once, at any of
///   the three calls, in any order.
/// - **A worker has its keys alone.** All rows of a key, from both sides, come to the same value.
///
/// An eager strategy finds pairs as rows come; a lazy one keeps the rows and works when the window closes. This lazy one
/// is the nested loop:
///
/// ```
/// use dualgauge_kit::{PaneJoin, Pairs, Row};
///
/// #[derive(Default)]
/// struct NestedLoop(Vec<Row>, Vec<Row>);
///
/// impl PaneJoin for NestedLoop {
///     fn left(&mut self, row: Row, _: &mut Pairs<'_>) {
///         self.0.push(row);
///     }
///     fn right(&mut self, row: Row, _: &mut Pairs<'_>) {
///         self.1.push(row);
///     }
///     fn close(self, pairs: &mut Pairs<'_>) {
///         for left in &self.0 {
///             self.1.iter().filter(|right| right.key == left.key).for_each(|right| pairs.pair(left, right));
///         }
///     }
/// }
///
/// let contestant = dualgauge_kit::Contestant::strategy::<NestedLoop>("nested loop", "every row with every row");
/// dualgauge_kit::verify(&[contestant], 42).unwrap(); // as every run of the bench does first
/// ```
pub trait PaneJoin: Default + 'static {
    /// A row of the left side, in no order that may be relied on.
    fn left(&mut self, row: Row, pairs: &mut Pairs<'_>);

    /// A row of the right side.
    fn right(&mut self, row: Row, pairs: &mut Pairs<'_>);

    /// All rows have come.
    fn close(self, pairs: &mut Pairs<'_>);
}

/// Where a strategy puts the pairs of a window.
#[derive(Debug)]
pub struct Pairs<'a> {
    start: EventTime,
    last: EventTime,
    emit: &'a mut Emitter<Joined>,
}

impl Pairs<'_> {
    /// A left row and a right row with the same key.
    #[inline]
    pub fn pair(&mut self, left: &Row, right: &Row) {
        self.emit.give(self.last, Joined::of(self.start, self.last, left, right));
    }
}

/// The graph of a strategy.
pub(super) fn graph<J: PaneJoin>(flow: &Flow<'_>, windows: Windows) {
    let (left, right) = (flow.source::<Row>("left"), flow.source::<Row>("right"));
    let spec = NodeSpec::stateful("strategy", "join").windows(windows.size, windows.slide);
    let group = |row: &Row| KeyGroup::of(&row.key);
    let step = JoinPanes::<J> { windows, open: BTreeMap::new() };
    let joined: Stream<'_, Joined, Row> = left.step_with(right, spec, group, group, step);
    joined.sink("joined");
}

/// The open windows of a worker, each with its own value of the strategy.
struct JoinPanes<J> {
    windows: Windows,
    open: BTreeMap<EventTime, J>,
}

impl<J: PaneJoin> JoinPanes<J> {
    fn apply(
        &mut self,
        mut batch: Batch<Row>,
        watermark: EventTime,
        out: &mut Outputs<Joined, Row>,
        side: impl Fn(&mut J, Row, &mut Pairs<'_>),
    ) {
        let windows = self.windows;
        batch.drain_judged(watermark, |event, watermark| {
            let mut starts = windows.starts(event.time).filter(|start| watermark < *start + windows.size).peekable();
            if starts.peek().is_none() {
                return out.late.give_behind(event.time, event.data, watermark);
            }
            let mut row = Some(event.data);
            while let Some(start) = starts.next() {
                // The last window gets the row itself.
                let row = if starts.peek().is_some() { row.clone() } else { row.take() };
                let mut pairs = Pairs { start, last: windows.last(start), emit: &mut out.emit };
                side(self.open.entry(start).or_default(), row.expect("taken by the last window alone"), &mut pairs);
            }
        });
    }
}

impl<J: PaneJoin> TwoInputStep for JoinPanes<J> {
    type Left = Row;
    type Right = Row;
    type Out = Joined;
    type Late = Row;

    fn apply_left(&mut self, batch: Batch<Row>, watermark: EventTime, out: &mut Outputs<Joined, Row>) {
        self.apply(batch, watermark, out, J::left);
    }

    fn apply_right(&mut self, batch: Batch<Row>, watermark: EventTime, out: &mut Outputs<Joined, Row>) {
        self.apply(batch, watermark, out, J::right);
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<Joined, Row>) {
        while let Some(first) = self.open.first_entry() {
            let start = *first.key();
            if watermark < start + self.windows.size {
                return;
            }
            first.remove().close(&mut Pairs { start, last: self.windows.last(start), emit: &mut out.emit });
        }
    }

    fn holds(&self) -> Option<EventTime> {
        self.open.keys().next().map(|start| self.windows.last(*start))
    }

    fn kept(&mut self) -> Parts<'_> {
        Vec::new()
    }
}
