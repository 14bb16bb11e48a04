//! The aggregate of q5 and q7: all records that share the largest value.

use dualgauge::operators::aggregate::Aggregate;
use dualgauge::{Data, EventTime};
use serde::{Deserialize, Serialize};

/// Keeps the records for which `value` is largest: all of them, if several share it.
#[derive(Clone)]
pub struct Leaders<F> {
    value: F,
}

/// The records with the largest value of `value`, in their own order.
pub fn leaders<D, F: Fn(&D) -> u64 + Clone + 'static>(value: F) -> Leaders<F> {
    Leaders { value }
}

/// The largest value so far, and who has it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Leading<D> {
    value: u64,
    records: Vec<D>,
}

impl<D: Data + Ord, F: Fn(&D) -> u64 + Clone + 'static> Aggregate<D> for Leaders<F> {
    type Acc = Leading<D>;
    type Out = Vec<D>;

    fn start(&self) -> Leading<D> {
        Leading { value: 0, records: Vec::new() }
    }

    #[inline]
    fn add(&self, acc: &mut Leading<D>, _: EventTime, data: &D) {
        let value = (self.value)(data);
        if value > acc.value {
            acc.value = value;
            acc.records.clear();
        }
        if value == acc.value {
            acc.records.push(data.clone());
        }
    }

    fn merge(&self, acc: &mut Leading<D>, other: &Leading<D>) {
        if other.value > acc.value {
            acc.value = other.value;
            acc.records.clear();
        }
        if other.value == acc.value {
            acc.records.extend_from_slice(&other.records);
        }
    }

    fn finish(&self, acc: &Leading<D>) -> Vec<D> {
        let mut records = acc.records.clone();
        records.sort(); // they came in any order
        records
    }
}
