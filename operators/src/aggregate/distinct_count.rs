//! How many different values there are, exactly.

use std::collections::HashSet;

use dualgauge_engine::{EventTime, Key};
use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize, Serializer};

use super::Aggregate;

/// How many different values the records have, exactly.
///
/// In: anything; out: `u64`, zero for nothing. It remembers every different value; where that is too much, see
/// [`distinct_count_approx`](super::distinct_count_approx).
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, distinct_count};
///
/// let at = EventTime::from_micros;
/// assert_eq!(aggregate::of(&distinct_count(|n: &u64| n % 10), [(at(0), 7), (at(1), 17), (at(2), 8)]), 2);
/// ```
pub fn distinct_count<D, V, F>(f: F) -> DistinctCount<F>
where
    V: Key,
    F: Fn(&D) -> V + Clone + 'static,
{
    DistinctCount { f }
}

/// What [`distinct_count`] makes.
#[derive(Clone, Debug)]
pub struct DistinctCount<F> {
    f: F,
}

/// The different values, stored in order, so that equal sets have equal bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent, bound = "V: Key")]
pub struct Distinct<V> {
    #[serde(serialize_with = "in_order")]
    values: HashSet<V, RandomState>,
}

impl<D, V, F> Aggregate<D> for DistinctCount<F>
where
    V: Key,
    F: Fn(&D) -> V + Clone + 'static,
{
    type Acc = Distinct<V>;
    type Out = u64;

    fn start(&self) -> Distinct<V> {
        Distinct { values: HashSet::default() }
    }

    #[inline]
    fn add(&self, acc: &mut Distinct<V>, _: EventTime, data: &D) {
        acc.values.insert((self.f)(data));
    }

    fn merge(&self, acc: &mut Distinct<V>, other: &Distinct<V>) {
        for value in &other.values {
            if !acc.values.contains(value) {
                acc.values.insert(value.clone());
            }
        }
    }

    fn finish(&self, acc: &Distinct<V>) -> u64 {
        acc.values.len() as u64
    }
}

fn in_order<V: Key, S: Serializer>(values: &HashSet<V, RandomState>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut order: Vec<_> = values.iter().collect();
    order.sort_unstable();
    serializer.collect_seq(order)
}
