//! Quantiles of a number taken from each record, to within half a percent.
//!
//! A sketch of the DDSketch family: numbers are counted in bins of bounded relative width, and a quantile is the middle
//! of the bin that holds it. Here a bin holds the floats that share sign, exponent and the first seven bits of the
//! fraction, so an octave has 128 bins; no logarithm is computed, so no bin depends on the machine. Bins are kept only
//! where there are numbers and are never collapsed into others: the state is a function of the numbers alone.

use dualgauge_engine::EventTime;

use super::Aggregate;

/// The number with a fraction `q` of the numbers below it: 0 for the least, 0.5 for the median, 1 for the greatest.
///
/// In: anything; out: `f64`, `NaN` for nothing. Of `n` sorted numbers it is the one at index `q * (n - 1)`, rounded down,
/// to within 0.4 % of its value (1/256). Numbers closer to zero than 2^-1022 are off by less than 2^-1029. Infinities are
/// themselves; `NaN` counts as the greatest number. It remembers 12 bytes for each of 128 bins an octave in which there
/// are numbers.
///
/// # Panics
/// When `q` is not between 0 and 1.
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, quantile};
///
/// let latencies = (1..=1000).map(|n| (EventTime::from_micros(n), n as f64));
/// let p99 = aggregate::of(&quantile(0.99, |latency: &f64| *latency), latencies);
/// assert!((p99 - 990.0).abs() <= 990.0 / 256.0, "{p99}");
/// ```
#[doc(alias = "percentile")]
#[doc(alias = "DDSketch")]
pub fn quantile<D, F>(q: f64, f: F) -> Quantile<F>
where
    F: Fn(&D) -> f64 + Clone + 'static,
{
    Quantile { all: quantiles(&[q], f) }
}

/// Several quantiles at once, as by [`quantile`], in the order in which they are asked for.
///
/// In: anything; out: a `Vec` of `f64`, each `NaN` for nothing. It remembers no more than for one quantile.
///
/// # Panics
/// When one of `qs` is not between 0 and 1.
///
/// ```
/// use dualgauge_engine::EventTime;
/// use dualgauge_operators::aggregate::{self, quantiles};
///
/// let at = EventTime::from_micros;
/// let ends = quantiles(&[1.0, 0.0], |n: &f64| *n);
/// assert_eq!(aggregate::of(&ends, [(at(0), f64::NEG_INFINITY), (at(1), 0.0)]), [0.0, f64::NEG_INFINITY]);
/// ```
pub fn quantiles<D, F>(qs: &[f64], f: F) -> Quantiles<F>
where
    F: Fn(&D) -> f64 + Clone + 'static,
{
    for q in qs {
        assert!(
            (0.0..=1.0).contains(q),
            "aggregate `quantile`: {q} is not between 0 and 1; 0.99 is the 99th percentile"
        );
    }
    Quantiles { qs: qs.to_vec(), f }
}

/// What [`quantile`] makes.
#[derive(Clone, Debug)]
pub struct Quantile<F> {
    all: Quantiles<F>,
}

/// What [`quantiles`] makes.
#[derive(Clone, Debug)]
pub struct Quantiles<F> {
    qs: Vec<f64>,
    f: F,
}

/// How many numbers each bin holds.
type Bins = Vec<(i32, u64)>;

impl<D, F> Aggregate<D> for Quantiles<F>
where
    F: Fn(&D) -> f64 + Clone + 'static,
{
    type Acc = Bins;
    type Out = Vec<f64>;

    fn start(&self) -> Bins {
        Vec::new()
    }

    #[inline]
    fn add(&self, acc: &mut Bins, _: EventTime, data: &D) {
        put(acc, bin((self.f)(data)), 1);
    }

    fn merge(&self, acc: &mut Bins, other: &Bins) {
        for (bin, count) in other {
            put(acc, *bin, *count);
        }
    }

    fn finish(&self, acc: &Bins) -> Vec<f64> {
        self.qs.iter().map(|q| find(acc, *q)).collect()
    }
}

impl<D, F> Aggregate<D> for Quantile<F>
where
    F: Fn(&D) -> f64 + Clone + 'static,
{
    type Acc = Bins;
    type Out = f64;

    fn start(&self) -> Bins {
        Vec::new()
    }

    #[inline]
    fn add(&self, acc: &mut Bins, time: EventTime, data: &D) {
        self.all.add(acc, time, data);
    }

    fn merge(&self, acc: &mut Bins, other: &Bins) {
        Aggregate::<D>::merge(&self.all, acc, other);
    }

    fn finish(&self, acc: &Bins) -> f64 {
        find(acc, self.all.qs[0])
    }
}

/// The low bits of the fraction, which a bin ignores.
const OPEN: u32 = 45;
const NAN: i32 = i32::MAX;

/// In the order of the numbers; zero and its nearest neighbours are bin 0.
#[inline]
fn bin(number: f64) -> i32 {
    if number.is_nan() {
        return NAN;
    }
    let bin = (number.abs().to_bits() >> OPEN) as i32;
    if number < 0.0 { -bin } else { bin }
}

/// The number in the middle of a bin.
fn middle(bin: i32) -> f64 {
    const INFINITE: u32 = 0x7ff << (52 - OPEN);
    let size = match bin.unsigned_abs() {
        0 => return 0.0,
        _ if bin == NAN => return f64::NAN,
        INFINITE => f64::INFINITY,
        size => f64::from_bits((u64::from(size) << OPEN) + (1 << (OPEN - 1))),
    };
    if bin < 0 { -size } else { size }
}

#[inline]
fn put(bins: &mut Bins, bin: i32, count: u64) {
    match bins.binary_search_by_key(&bin, |(bin, _)| *bin) {
        Ok(at) => bins[at].1 += count,
        Err(at) => bins.insert(at, (bin, count)),
    }
}

fn find(bins: &Bins, q: f64) -> f64 {
    let count: u64 = bins.iter().map(|(_, count)| count).sum();
    // A product that is rounded up to the count would be past the end.
    let mut ahead = ((q * count.saturating_sub(1) as f64) as u64).min(count.saturating_sub(1));
    for (bin, count) in bins {
        if ahead < *count {
            return middle(*bin);
        }
        ahead -= count;
    }
    f64::NAN
}
