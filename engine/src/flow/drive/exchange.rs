//! Dealing batches to the workers that own their keys.

use timely::communication::Push;
use timely::dataflow::channels::Message;
use timely::dataflow::channels::pact::DistributorPact;
use timely::dataflow::channels::pushers::exchange::Distributor;
use timely::progress::Stamp as Stamps;

use crate::flow::graph::NodeId;
use crate::flow::step::within;
use crate::{Batch, Data};

/// A part is sent on when it has this many events; smaller ones wait for the end of the stamp. It is less than one of
/// two workers' share of a batch, so that their batch is on its way as soon as it is dealt.
const PART: usize = 3072;

/// The pact that deals each event to the worker that `owner(data, workers)` names, on behalf of `node`.
///
/// One worker gets its batches as they are: timely then never asks the distributor.
pub(crate) fn by_owner<D: Data>(
    node: NodeId,
    owner: impl Fn(&D, usize) -> usize + 'static,
) -> DistributorPact<impl FnOnce(usize) -> Dealer<D, DealBy<D>>> {
    let deal = move |batch: &mut Batch<D>, parts: &mut [Batch<D>]| {
        let workers = parts.len();
        batch.deal(|data| owner(data, workers), parts)
    };
    dealing(node, Box::new(deal))
}

/// The pact that deals each row of an upsert stream, and each retraction, by its identity.
pub(crate) fn by_identity<D: Data>(node: NodeId) -> DistributorPact<impl FnOnce(usize) -> Dealer<D, DealBy<D>>> {
    dealing(node, Box::new(|batch: &mut Batch<D>, parts: &mut [Batch<D>]| batch.deal_by_identity(parts)))
}

/// The pact that gives a copy of each event to every worker.
pub(crate) fn to_all<D: Data>(node: NodeId) -> DistributorPact<impl FnOnce(usize) -> Dealer<D, DealBy<D>>> {
    dealing(node, Box::new(|batch: &mut Batch<D>, parts: &mut [Batch<D>]| batch.copy_to(parts)))
}

/// The pact that leaves every batch where it is.
pub(crate) fn staying<D: Data>(
    node: NodeId,
    here: usize,
) -> DistributorPact<impl FnOnce(usize) -> Dealer<D, DealBy<D>>> {
    let stay = move |batch: &mut Batch<D>, parts: &mut [Batch<D>]| match parts[here].is_empty() {
        true => std::mem::swap(batch, &mut parts[here]),
        false => batch.deal(|_| here, parts),
    };
    dealing(node, Box::new(stay))
}

/// How one batch is dealt into parts; boxed, since it is called once a batch.
type DealBy<D> = Box<dyn FnMut(&mut Batch<D>, &mut [Batch<D>])>;

fn dealing<D: Data>(node: NodeId, deal: DealBy<D>) -> DistributorPact<impl FnOnce(usize) -> Dealer<D, DealBy<D>>> {
    DistributorPact(move |workers| Dealer { node, parts: (0..workers).map(|_| Batch::default()).collect(), deal })
}

/// Keeps a part per worker and sends it when it is full.
pub(crate) struct Dealer<D, F> {
    /// The node on whose behalf we deal; meanwhile the one before it runs.
    node: NodeId,
    parts: Vec<Batch<D>>,
    deal: F,
}

impl<D: Data, F: FnMut(&mut Batch<D>, &mut [Batch<D>])> Distributor<Batch<D>> for Dealer<D, F> {
    fn partition<T: Clone, P: Push<Message<T, Batch<D>>>>(
        &mut self,
        batch: &mut Batch<D>,
        stamp: &Stamps<T>,
        pushers: &mut [P],
    ) {
        within(self.node, || (self.deal)(batch, &mut self.parts));
        for (part, pusher) in self.parts.iter_mut().zip(pushers) {
            if part.len() >= PART {
                Message::push_at(part, stamp.clone(), pusher);
                *part = Batch::default();
            }
        }
    }

    fn flush<T: Clone, P: Push<Message<T, Batch<D>>>>(&mut self, stamp: &Stamps<T>, pushers: &mut [P]) {
        for (part, pusher) in self.parts.iter_mut().zip(pushers) {
            if !part.is_empty() {
                Message::push_at(part, stamp.clone(), pusher);
                *part = Batch::default();
            }
        }
    }
}
