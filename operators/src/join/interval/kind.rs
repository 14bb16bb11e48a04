//! What a join makes of pairs and of events that have no partner.

use dualgauge_engine::{Data, EventTime};

/// What becomes of pairs, and of events alone.
///
/// A method returns `None` for no result. An event that is [`Kind::left_matched`] or the like has its result once,
/// however many partners it has. Every method gets the event time of the result.
pub(in crate::join) trait Kind<L, R> {
    /// A result.
    type Out: Data;
    /// Whether events of the left have a result of their own, with or without a partner.
    const LEFT_ALONE: bool = false;
    /// The same on the right.
    const RIGHT_ALONE: bool = false;

    #[inline]
    fn pair(&mut self, _time: EventTime, _left: &L, _right: &R) -> Option<Self::Out> {
        None
    }
    #[inline]
    fn left_matched(&mut self, _time: EventTime, _left: &L) -> Option<Self::Out> {
        None
    }
    #[inline]
    fn left_unmatched(&mut self, _time: EventTime, _left: &L) -> Option<Self::Out> {
        None
    }
    #[inline]
    fn right_matched(&mut self, _time: EventTime, _right: &R) -> Option<Self::Out> {
        None
    }
    #[inline]
    fn right_unmatched(&mut self, _time: EventTime, _right: &R) -> Option<Self::Out> {
        None
    }
}

/// Pairs alone.
pub(in crate::join) struct Inner<F>(pub(in crate::join) F);

impl<L, R, O: Data, F: Fn(EventTime, &L, &R) -> O> Kind<L, R> for Inner<F> {
    type Out = O;

    #[inline]
    fn pair(&mut self, time: EventTime, left: &L, right: &R) -> Option<O> {
        Some((self.0)(time, left, right))
    }
}

/// Pairs, and the events of the left that have no partner.
pub(in crate::join) struct Left<F>(pub(in crate::join) F);

impl<L, R, O: Data, F: Fn(EventTime, &L, Option<&R>) -> O> Kind<L, R> for Left<F> {
    type Out = O;
    const LEFT_ALONE: bool = true;

    #[inline]
    fn pair(&mut self, time: EventTime, left: &L, right: &R) -> Option<O> {
        Some((self.0)(time, left, Some(right)))
    }
    #[inline]
    fn left_unmatched(&mut self, time: EventTime, left: &L) -> Option<O> {
        Some((self.0)(time, left, None))
    }
}

/// Pairs, and the events of the right that have no partner.
pub(in crate::join) struct Right<F>(pub(in crate::join) F);

impl<L, R, O: Data, F: Fn(EventTime, Option<&L>, &R) -> O> Kind<L, R> for Right<F> {
    type Out = O;
    const RIGHT_ALONE: bool = true;

    #[inline]
    fn pair(&mut self, time: EventTime, left: &L, right: &R) -> Option<O> {
        Some((self.0)(time, Some(left), right))
    }
    #[inline]
    fn right_unmatched(&mut self, time: EventTime, right: &R) -> Option<O> {
        Some((self.0)(time, None, right))
    }
}

/// Pairs, and the events of both sides that have no partner.
pub(in crate::join) struct Full<F>(pub(in crate::join) F);

impl<L, R, O: Data, F: Fn(EventTime, Option<&L>, Option<&R>) -> O> Kind<L, R> for Full<F> {
    type Out = O;
    const LEFT_ALONE: bool = true;
    const RIGHT_ALONE: bool = true;

    #[inline]
    fn pair(&mut self, time: EventTime, left: &L, right: &R) -> Option<O> {
        Some((self.0)(time, Some(left), Some(right)))
    }
    #[inline]
    fn left_unmatched(&mut self, time: EventTime, left: &L) -> Option<O> {
        Some((self.0)(time, Some(left), None))
    }
    #[inline]
    fn right_unmatched(&mut self, time: EventTime, right: &R) -> Option<O> {
        Some((self.0)(time, None, Some(right)))
    }
}

/// The events of the left that have a partner.
pub(super) struct Semi;

impl<L: Data, R> Kind<L, R> for Semi {
    type Out = L;
    const LEFT_ALONE: bool = true;

    #[inline]
    fn left_matched(&mut self, _: EventTime, left: &L) -> Option<L> {
        Some(left.clone())
    }
}

/// The events of the left that have no partner.
pub(super) struct Anti;

impl<L: Data, R> Kind<L, R> for Anti {
    type Out = L;
    const LEFT_ALONE: bool = true;

    #[inline]
    fn left_unmatched(&mut self, _: EventTime, left: &L) -> Option<L> {
        Some(left.clone())
    }
}

/// A kind with left and right exchanged.
pub(super) struct Turned<'a, M>(pub(super) &'a mut M);

impl<L, R, M: Kind<L, R>> Kind<R, L> for Turned<'_, M> {
    type Out = M::Out;
    const LEFT_ALONE: bool = M::RIGHT_ALONE;
    const RIGHT_ALONE: bool = M::LEFT_ALONE;

    #[inline]
    fn pair(&mut self, time: EventTime, left: &R, right: &L) -> Option<M::Out> {
        self.0.pair(time, right, left)
    }
    #[inline]
    fn left_matched(&mut self, time: EventTime, left: &R) -> Option<M::Out> {
        self.0.right_matched(time, left)
    }
    #[inline]
    fn left_unmatched(&mut self, time: EventTime, left: &R) -> Option<M::Out> {
        self.0.right_unmatched(time, left)
    }
    #[inline]
    fn right_matched(&mut self, time: EventTime, right: &L) -> Option<M::Out> {
        self.0.left_matched(time, right)
    }
    #[inline]
    fn right_unmatched(&mut self, time: EventTime, right: &L) -> Option<M::Out> {
        self.0.left_unmatched(time, right)
    }
}
