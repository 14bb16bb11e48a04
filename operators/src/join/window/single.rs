//! Joins in windows where each event belongs to exactly one: tumbling, the calendar's, and the whole of time.
//!
//! It remembers the rows of open windows, each once, until the watermark passes the window's end by the allowed
//! lateness; then the window is joined, and its memory is reused for the next.

use dualgauge_engine::flow::{NodeSpec, Outputs};
use dualgauge_engine::state::{Buffers, Parts};
use dualgauge_engine::{Batch, Data, Duration, EventTime, Key, TwoInputStep};

use super::build::{Build, With};
use super::sides::SidesKept;
use crate::join::joiner::Joiner;
use crate::join::kind::JoinKind;
use crate::key_fn::KeyFn;
use crate::split::Either;
use crate::window::{Calendar, Firing, Single, SingleWindow, Tumbling, Whole};

macro_rules! single {
    ($window:ident) => {
        impl Build for $window {
            fn spec(&self, spec: NodeSpec, lateness: Duration) -> NodeSpec {
                let any = self.window_of(EventTime::default());
                spec.windows(any.end - any.start + lateness, any.end - any.start)
            }

            fn fault(&self) -> Option<String> {
                SingleWindow::fault(self)
            }

            fn step<K, L, R, F, G, J>(
                self,
                with: With<K, F, G, J>,
            ) -> impl TwoInputStep<Left = L, Right = R, Out = J::Out, Late = Either<L, R>>
            where
                K: Key,
                L: Data,
                R: Data,
                F: KeyFn<L, Key = K>,
                G: KeyFn<R, Key = K>,
                J: JoinKind<K, L, R>,
            {
                InSingle::new(self, with)
            }
        }
    };
}

single!(Calendar);
single!(Tumbling);
single!(Whole);

struct InSingle<W: SingleWindow, K, L, R, F, G, J> {
    rows: SidesKept<Single<W>, L, R>,
    joiner: Joiner<K, F, G, J>,
}

impl<W, K, L, R, F, G, J> InSingle<W, K, L, R, F, G, J>
where
    W: SingleWindow,
    K: Key,
    L: Data,
    R: Data,
    F: KeyFn<L, Key = K>,
    G: KeyFn<R, Key = K>,
{
    fn new(window: W, with: With<K, F, G, J>) -> Self {
        let assign = Single { window, firing: Firing::new(&with.name, with.lateness, None) };
        let (left_key, right_key) = (with.joiner.left_key.clone(), with.joiner.right_key.clone());
        let left = Buffers::new(move |row: &L| left_key.group(row));
        let right = Buffers::new(move |row: &R| right_key.group(row));
        InSingle { rows: SidesKept { assign, left, right }, joiner: with.joiner }
    }
}

impl<W, K, L, R, F, G, J> TwoInputStep for InSingle<W, K, L, R, F, G, J>
where
    W: SingleWindow,
    K: Key,
    L: Data,
    R: Data,
    F: KeyFn<L, Key = K>,
    G: KeyFn<R, Key = K>,
    J: JoinKind<K, L, R>,
{
    type Left = L;
    type Right = R;
    type Out = J::Out;
    type Late = Either<L, R>;

    fn apply_left(&mut self, batch: Batch<L>, watermark: EventTime, out: &mut Outputs<J::Out, Self::Late>) {
        self.rows.take_left(batch, watermark, out);
    }

    fn apply_right(&mut self, batch: Batch<R>, watermark: EventTime, out: &mut Outputs<J::Out, Self::Late>) {
        self.rows.take_right(batch, watermark, out);
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outputs<J::Out, Self::Late>) {
        while let Some(place) = self.rows.first() {
            let window = self.rows.assign.window.window_of(place);
            if !self.rows.assign.firing.is_closed(window, watermark) {
                break;
            }
            let (mut left, mut right) = (self.rows.left.take(place), self.rows.right.take(place));
            self.joiner.join(window, &mut left, &mut right, &mut out.emit);
            self.rows.left.reuse(left);
            self.rows.right.reuse(right);
        }
    }

    fn holds(&self) -> Option<EventTime> {
        self.rows.first().map(|place| self.rows.assign.window.window_of(place).last_instant())
    }

    fn lag(&self) -> Duration {
        self.rows.assign.firing.lateness
    }

    fn kept(&mut self) -> Parts<'_> {
        self.rows.kept()
    }
}
