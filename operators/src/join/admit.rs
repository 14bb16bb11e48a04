//! Which events of a batch may wait for partners: those that are not late and whose key could match.

use dualgauge_engine::{Batch, Duration, Event, EventTime};

/// The events of `batch` that may wait. `null` gets those for which `is_null` says that nothing matches them, and
/// `late` those more than `lateness` behind the watermark they are judged against, with that watermark.
#[inline]
pub(super) fn admit<D>(
    mut batch: Batch<D>,
    lateness: Duration,
    watermark: EventTime,
    is_null: impl Fn(&D) -> bool,
    mut null: impl FnMut(Event<D>),
    mut late: impl FnMut(Event<D>, EventTime),
) -> Vec<Event<D>> {
    let waits = |event: &Event<D>| event.time + lateness >= watermark && !is_null(&event.data);
    if batch.all_on_time() && batch.events.iter().all(waits) {
        return batch.events; // as most batches are: whole
    }
    let mut admitted = Vec::with_capacity(batch.len());
    batch.drain_judged(watermark, |event, judged| {
        if event.time + lateness < judged {
            late(event, judged);
        } else if is_null(&event.data) {
            null(event);
        } else {
            admitted.push(event);
        }
    });
    admitted
}
