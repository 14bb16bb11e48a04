//! What a join makes of pairs and of events that meet nobody.

use dualgauge_engine::Data;

/// What becomes of pairs, and of events alone.
///
/// What a method returns as `None` has no result. An event that is [`Kind::left_matched`] or the like has its result
/// once, whatever the number of its partners.
pub(super) trait Kind<L, R> {
    /// A result.
    type Out: Data;
    /// Whether events of the left have a result of their own, with or without a partner.
    const LEFT_ALONE: bool = false;
    /// The same on the right.
    const RIGHT_ALONE: bool = false;

    #[inline]
    fn pair(&mut self, _left: &L, _right: &R) -> Option<Self::Out> {
        None
    }
    #[inline]
    fn left_matched(&mut self, _left: &L) -> Option<Self::Out> {
        None
    }
    #[inline]
    fn left_unmatched(&mut self, _left: &L) -> Option<Self::Out> {
        None
    }
    #[inline]
    fn right_matched(&mut self, _right: &R) -> Option<Self::Out> {
        None
    }
    #[inline]
    fn right_unmatched(&mut self, _right: &R) -> Option<Self::Out> {
        None
    }
}

/// Pairs alone.
pub(super) struct Inner<F>(pub(super) F);

impl<L, R, O: Data, F: Fn(&L, &R) -> O> Kind<L, R> for Inner<F> {
    type Out = O;

    #[inline]
    fn pair(&mut self, left: &L, right: &R) -> Option<O> {
        Some((self.0)(left, right))
    }
}

/// Pairs, and the events of the left that meet nobody.
pub(super) struct Left<F>(pub(super) F);

impl<L, R, O: Data, F: Fn(&L, Option<&R>) -> O> Kind<L, R> for Left<F> {
    type Out = O;
    const LEFT_ALONE: bool = true;

    #[inline]
    fn pair(&mut self, left: &L, right: &R) -> Option<O> {
        Some((self.0)(left, Some(right)))
    }
    #[inline]
    fn left_unmatched(&mut self, left: &L) -> Option<O> {
        Some((self.0)(left, None))
    }
}

/// Pairs, and the events of the right that meet nobody.
pub(super) struct Right<F>(pub(super) F);

impl<L, R, O: Data, F: Fn(Option<&L>, &R) -> O> Kind<L, R> for Right<F> {
    type Out = O;
    const RIGHT_ALONE: bool = true;

    #[inline]
    fn pair(&mut self, left: &L, right: &R) -> Option<O> {
        Some((self.0)(Some(left), right))
    }
    #[inline]
    fn right_unmatched(&mut self, right: &R) -> Option<O> {
        Some((self.0)(None, right))
    }
}

/// Pairs, and the events of both sides that meet nobody.
pub(super) struct Full<F>(pub(super) F);

impl<L, R, O: Data, F: Fn(Option<&L>, Option<&R>) -> O> Kind<L, R> for Full<F> {
    type Out = O;
    const LEFT_ALONE: bool = true;
    const RIGHT_ALONE: bool = true;

    #[inline]
    fn pair(&mut self, left: &L, right: &R) -> Option<O> {
        Some((self.0)(Some(left), Some(right)))
    }
    #[inline]
    fn left_unmatched(&mut self, left: &L) -> Option<O> {
        Some((self.0)(Some(left), None))
    }
    #[inline]
    fn right_unmatched(&mut self, right: &R) -> Option<O> {
        Some((self.0)(None, Some(right)))
    }
}

/// The events of the left that meet somebody.
pub(super) struct Semi;

impl<L: Data, R> Kind<L, R> for Semi {
    type Out = L;
    const LEFT_ALONE: bool = true;

    #[inline]
    fn left_matched(&mut self, left: &L) -> Option<L> {
        Some(left.clone())
    }
}

/// The events of the left that meet nobody.
pub(super) struct Anti;

impl<L: Data, R> Kind<L, R> for Anti {
    type Out = L;
    const LEFT_ALONE: bool = true;

    #[inline]
    fn left_unmatched(&mut self, left: &L) -> Option<L> {
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
    fn pair(&mut self, left: &R, right: &L) -> Option<M::Out> {
        self.0.pair(right, left)
    }
    #[inline]
    fn left_matched(&mut self, left: &R) -> Option<M::Out> {
        self.0.right_matched(left)
    }
    #[inline]
    fn left_unmatched(&mut self, left: &R) -> Option<M::Out> {
        self.0.right_unmatched(left)
    }
    #[inline]
    fn right_matched(&mut self, right: &L) -> Option<M::Out> {
        self.0.left_matched(right)
    }
    #[inline]
    fn right_unmatched(&mut self, right: &L) -> Option<M::Out> {
        self.0.left_unmatched(right)
    }
}
