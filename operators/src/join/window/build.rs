//! What a kind of window provides so that streams can be joined in it.

use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::{Data, Duration, Key, TwoInputStep};

use crate::join::joiner::Joiner;
use crate::join::kind::JoinKind;
use crate::key_fn::KeyFn;
use crate::split::Either;

/// What the step of a window join is made of, whatever its windows.
pub struct With<K, F, G, J> {
    pub(super) joiner: Joiner<K, F, G, J>,
    /// The step's durable name.
    pub(super) name: String,
    pub(super) lateness: Duration,
    pub(super) is_checkpointed: bool,
}

/// A kind of window that streams can be joined in.
pub trait Build: std::fmt::Display + 'static {
    /// The spec with what a plan should know of the windows.
    fn spec(&self, spec: NodeSpec, lateness: Duration) -> NodeSpec;

    /// Why such windows are impossible, if they are.
    fn fault(&self) -> Option<String> {
        None
    }

    /// The step.
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
        J: JoinKind<K, L, R>;
}
