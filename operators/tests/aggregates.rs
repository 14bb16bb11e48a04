//! Every aggregate against a naive oracle, over permutations and trees of merges.
//!
//! What this would catch: an answer that depends on the order of records or on how partial accumulators were merged
//! (then history and live would differ), an accumulator that does not survive a checkpoint half-way, and a wrong answer.
//! Answers are compared by their bytes, since `NaN` is not equal to itself and `-0.0` is equal to `0.0`.

use std::fmt::Debug;

use dualgauge_engine::state::Fingerprint;
use dualgauge_engine::{Data, EventTime};
use dualgauge_operators::aggregate::{self, *};
use proptest::prelude::*;

/// A record: what it is, and when it happened.
type Timed<D> = (EventTime, D);

fn at(micros: i64) -> EventTime {
    EventTime::from_micros(micros)
}

fn bytes<T: Data>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap()
}

/// As if it had been stored in a checkpoint and loaded.
fn stored<T: Data>(value: &T) -> T {
    postcard::from_bytes(&bytes(value)).unwrap()
}

/// A way to add and merge records: each number decides one thing, and they repeat when they run out.
#[derive(Clone, Debug)]
struct Way(Vec<usize>, usize);

impl Way {
    fn below(&mut self, end: usize) -> usize {
        self.1 += 1;
        self.0[self.1 % self.0.len()].wrapping_add(self.1 / self.0.len()) % end
    }
}

fn ways() -> impl Strategy<Value = Way> {
    prop::collection::vec(any::<usize>(), 1..40).prop_map(|choices| Way(choices, 0))
}

/// The records in some order, dealt to some accumulators, which are stored, loaded and merged in some order.
fn some_way<D: Clone, A: Aggregate<D>>(aggregate: &A, records: &[Timed<D>], way: &mut Way) -> A::Out {
    let mut records = records.to_vec();
    let mut pool = vec![aggregate.start()];
    while !records.is_empty() {
        let (time, data) = records.swap_remove(way.below(records.len()));
        let which = way.below(pool.len() + 1);
        if which == pool.len() {
            pool.push(aggregate.start());
        }
        aggregate.add(&mut pool[which], time, &data);
        if way.below(3) == 0 {
            pool[which] = stored(&pool[which]);
        }
    }
    while pool.len() > 1 {
        let other = pool.swap_remove(way.below(pool.len()));
        let into = way.below(pool.len());
        aggregate.merge(&mut pool[into], &other);
        pool[into] = stored(&pool[into]);
        let _ = aggregate.finish(&pool[into]); // an early answer must not change the last one
    }
    aggregate.finish(&pool[0])
}

/// Every way of adding gives the oracle's answer.
#[track_caller]
fn check<D, A>(aggregate: &A, records: &[Timed<D>], way: &mut Way, expected: A::Out)
where
    D: Clone,
    A: Aggregate<D>,
    A::Out: Debug,
{
    let straight = aggregate::of(aggregate, records.iter().cloned());
    assert_eq!(bytes(&straight), bytes(&expected), "in order: {straight:?}, but the oracle says {expected:?}");
    for _ in 0..4 {
        let merged = some_way(aggregate, records, way);
        assert_eq!(bytes(&merged), bytes(&expected), "some way: {merged:?}, but the oracle says {expected:?}");
    }
}

/// Few times and few values, so that there are ties.
fn records() -> impl Strategy<Value = Vec<Timed<(i32, u8)>>> {
    prop::collection::vec((-3_i64..3, -4_i32..4, 0_u8..3), 0..24)
        .prop_map(|records| records.into_iter().map(|(time, a, b)| (at(time), (a, b))).collect())
}

fn numbers<T: Debug + Clone>(number: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<Timed<T>>> {
    prop::collection::vec(number.prop_map(|number| (at(0), number)), 0..24)
}

/// Floats of every kind, with some that cancel and some of like size.
fn floats() -> impl Strategy<Value = Vec<Timed<f64>>> {
    let finite = prop_oneof![
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |number| number.is_finite()),
        -100.0..100.0_f64,
        (-4_i64..4).prop_map(|units| units as f64 * f64::from_bits(1)),
        prop::sample::select(vec![1e300, -1e300, 1.0, -0.0, 0.1, f64::MAX, f64::MIN, f64::MIN_POSITIVE]),
    ];
    numbers(finite).prop_map(|mut numbers| {
        let cancelling: Vec<_> = numbers.iter().step_by(3).map(|(time, number)| (*time, -number)).collect();
        numbers.extend(cancelling);
        numbers
    })
}

proptest! {
    #[test]
    fn count_is_the_number_of_records(records in records(), mut way in ways()) {
        check(&count(), &records, &mut way, records.len() as u64);
    }

    #[test]
    fn sums_of_integers_are_those_in_128_bits(
        unsigned in numbers(0..u64::MAX / 64),
        signed in numbers(any::<i64>()),
        small in numbers(any::<i8>()),
        mut way in ways(),
    ) {
        let total = unsigned.iter().map(|(_, n)| u128::from(*n)).sum::<u128>();
        check(&sum(|n: &u64| *n), &unsigned, &mut way, total as u64);
        check(&sum(|n: &u64| u128::from(*n)), &unsigned, &mut way, total);
        let total = signed.iter().map(|(_, n)| i128::from(*n)).sum::<i128>();
        check(&sum(|n: &i64| i128::from(*n)), &signed, &mut way, total);
        let total = signed.iter().map(|(_, n)| n / 64).sum();
        check(&sum(|n: &i64| n / 64), &signed, &mut way, total);
        check(&sum(|n: &i8| *n), &small, &mut way, small.iter().map(|(_, n)| i64::from(*n)).sum());
    }

    #[test]
    fn extremes_are_those_of_a_sorted_list(records in records(), mut way in ways()) {
        let mut sorted: Vec<_> = records.iter().map(|(_, record)| *record).collect();
        sorted.sort();
        check(&min(|record: &(i32, u8)| *record), &records, &mut way, sorted.first().copied());
        check(&max(|record: &(i32, u8)| *record), &records, &mut way, sorted.last().copied());
        sorted.sort_by_key(|(a, b)| (*b, *a));
        check(&min_by_key(|(_, b): &(i32, u8)| *b), &records, &mut way, sorted.first().copied());
        check(&max_by_key(|(_, b): &(i32, u8)| *b), &records, &mut way, sorted.last().copied());
    }

    #[test]
    fn first_and_last_and_all_are_by_event_time(records in records(), mut way in ways()) {
        let mut sorted = records.clone();
        sorted.sort();
        let sorted: Vec<_> = sorted.into_iter().map(|(_, record)| record).collect();
        check(&first(), &records, &mut way, sorted.first().copied());
        check(&last(), &records, &mut way, sorted.last().copied());
        check(&collect(), &records, &mut way, sorted);
        let mut floats: Vec<_> = records.iter().map(|(time, (a, _))| (*time, *a)).collect();
        floats.sort();
        let floats = floats.into_iter().map(|(_, a)| f64::from(a)).collect();
        check(&collect_values(|(a, _): &(i32, u8)| f64::from(*a)), &records, &mut way, floats);
    }

    #[test]
    fn top_k_is_the_head_of_a_sorted_list(records in records(), k in 0_usize..6, mut way in ways()) {
        let mut sorted: Vec<_> = records.iter().map(|(_, record)| *record).collect();
        sorted.sort_by_key(|(a, b)| std::cmp::Reverse((*b, *a)));
        sorted.truncate(k);
        check(&top_k(k, |(_, b): &(i32, u8)| f64::from(*b)), &records, &mut way, sorted);
    }

    #[test]
    fn distinct_counts_are_those_of_a_set(records in records(), mut way in ways()) {
        let set: std::collections::BTreeSet<_> = records.iter().map(|(_, record)| *record).collect();
        check(&distinct_count(|record: &(i32, u8)| *record), &records, &mut way, set.len() as u64);
        // So few values hardly ever share a register, so that the estimate is exact: none of these do.
        check(&distinct_count_approx(|record: &(i32, u8)| *record), &records, &mut way, set.len() as u64);
    }

    #[test]
    fn quantiles_are_close_to_those_of_a_sorted_list(floats in floats(), q in 0.0..=1.0, mut way in ways()) {
        let mut sorted: Vec<_> = floats.iter().map(|(_, number)| *number).collect();
        sorted.sort_by(f64::total_cmp);
        let answer = aggregate::of(&quantile(q, |n: &f64| *n), floats.clone());
        match sorted.get((q * sorted.len().saturating_sub(1) as f64) as usize) {
            Some(exact) => {
                let bound = (exact.abs() / 256.0).max(f64::MIN_POSITIVE / 128.0);
                prop_assert!((answer - exact).abs() <= bound, "{answer:e} for {exact:e}");
            }
            None => prop_assert!(answer.is_nan()),
        }
        check(&quantile(q, |n: &f64| *n), &floats, &mut way, answer);
        check(&quantiles(&[q, q], |n: &f64| *n), &floats, &mut way, vec![answer, answer]);
    }

    #[test]
    fn what_is_filtered_and_then_changed_is_as_if_done_by_hand(records in records(), mut way in ways()) {
        let even = then(filtered(|(a, _): &(i32, u8)| a % 2 == 0, sum(|(_, b): &(i32, u8)| *b)), |total: u64| total + 1);
        let expected = records.iter().filter(|(_, (a, _))| a % 2 == 0).map(|(_, (_, b))| u64::from(*b)).sum::<u64>() + 1;
        check(&even, &records, &mut way, expected);
    }

    #[test]
    fn a_tuple_answers_what_its_parts_answer(records in records(), mut way in ways()) {
        let parts = (count(), sum(|(a, _): &(i32, u8)| *a), max(|(a, _): &(i32, u8)| *a), mean(|(_, b): &(i32, u8)| *b));
        let expected = (
            aggregate::of(&parts.0, records.clone()),
            aggregate::of(&parts.1, records.clone()),
            aggregate::of(&parts.2, records.clone()),
            aggregate::of(&parts.3, records.clone()),
        );
        check(&parts, &records, &mut way, expected);
    }

    #[test]
    fn floats_are_summed_and_averaged_as_by_long_arithmetic(floats in floats(), mut way in ways()) {
        let mut long = Long::ZERO;
        floats.iter().for_each(|(_, number)| long.add(*number, 1));
        let total = aggregate::of(&sum(|n: &f64| *n), floats.clone());
        prop_assert!(long.is_nearest(total, 1), "{total:e}");
        check(&sum(|n: &f64| *n), &floats, &mut way, total);

        let average = aggregate::of(&mean(|n: &f64| *n), floats.clone());
        prop_assert!(floats.is_empty() || long.is_nearest(average, floats.len() as i64), "{average:e}");
        check(&mean(|n: &f64| *n), &floats, &mut way, average);
    }

    #[test]
    fn an_exact_sum_is_divided_by_any_count(floats in floats(), count in prop_oneof![1..100_i64, 1..i64::MAX / 4]) {
        let (mut long, mut sum) = (Long::ZERO, ExactSum::default());
        for (_, number) in floats {
            long.add(number, 1);
            sum.add(number);
        }
        let mean = sum.mean(count as u64);
        prop_assert!(long.is_nearest(mean, count), "{mean:e}");
    }

    #[test]
    fn means_of_integers_are_rounded_once(signed in numbers(any::<i64>()), unsigned in numbers(any::<u64>()), mut way in ways()) {
        let nearest = |total, count: usize, mean: f64| {
            if count == 0 { mean.is_nan() } else { Long::of_integer(total).is_nearest(mean, count as i64) }
        };
        let total = signed.iter().map(|(_, n)| i128::from(*n)).sum();
        let average = aggregate::of(&mean(|n: &i64| *n), signed.clone());
        prop_assert!(nearest(total, signed.len(), average), "{average}");
        check(&mean(|n: &i64| *n), &signed, &mut way, average);
        let total = unsigned.iter().map(|(_, n)| i128::from(*n)).sum();
        let average = aggregate::of(&mean(|n: &u64| *n), unsigned.clone());
        prop_assert!(nearest(total, unsigned.len(), average), "{average}");
        check(&mean(|n: &u64| *n), &unsigned, &mut way, average);
    }
}

#[test]
fn sums_of_floats_cancel_exactly() {
    let total = |numbers: &[f64]| aggregate::of(&sum(|n: &f64| *n), numbers.iter().map(|n| (at(0), *n)));
    let least = f64::from_bits(1);
    assert_eq!(total(&[1e300, 1.0, -1e300]), 1.0);
    assert_eq!(total(&[0.1; 10]), 1.0); // 0.9999999999999999 when rounded at each step
    assert_eq!(total(&[f64::MAX, f64::MAX, -f64::MAX]), f64::MAX);
    assert_eq!(total(&[f64::MAX, f64::MAX]), f64::INFINITY);
    assert_eq!(total(&[f64::MAX, least, -f64::MAX]), least);
    assert_eq!(total(&[f64::MIN_POSITIVE, -least]), f64::MIN_POSITIVE - least);
    assert_eq!(total(&[1.0, f64::EPSILON / 2.0]), 1.0); // a tie goes to the even one
    assert_eq!(total(&[1.0, f64::EPSILON / 2.0, least]), 1.0 + f64::EPSILON); // and this is no tie
    assert_eq!(total(&[-1.0, -f64::EPSILON / 2.0, -least]), -1.0 - f64::EPSILON);
    for nothing in [&[][..], &[-0.0], &[1.5, -1.5]] {
        assert_eq!(total(nothing).to_bits(), 0.0_f64.to_bits());
    }
    assert_eq!(aggregate::of(&sum(|n: &f32| *n), [(at(0), f32::MAX), (at(0), f32::MAX)]), 2.0 * f64::from(f32::MAX));
}

#[test]
fn a_mean_far_below_one_has_all_its_bits() {
    let records = (0..100_003).map(|n| (at(0), u8::from(n == 7)));
    assert_eq!(aggregate::of(&mean(|n: &u8| *n), records), 1.0 / 100_003.0);
    // A quotient that is above a tie by less than 2^-128 of the lowest digit.
    let (mut sum, digit, count) = (ExactSum::default(), 2_f64.powi(64 * 20 - 1074), 5507129841777263180_u64);
    // One unit of one digit alone: with these two no lower digit is touched.
    sum.add((2_f64.powi(52) + 1.0) * digit);
    sum.add(-(2_f64.powi(52)) * digit);
    assert_eq!(sum.mean(count), 7542653988864977_f64 * 2_f64.powi(91));
}

#[test]
fn what_is_not_finite_is_summed_by_rule() {
    let infinite = f64::INFINITY;
    for (numbers, expected) in [
        (vec![infinite, 1.0, f64::MIN], infinite),
        (vec![-infinite, infinite * 1.0, -1.0], f64::NAN),
        (vec![-infinite, -infinite], -infinite),
        (vec![f64::NAN, 1.0], f64::NAN),
        (vec![f64::NAN, infinite], f64::NAN),
    ] {
        let records: Vec<_> = numbers.into_iter().map(|number| (at(0), number)).collect();
        let mut way = Way(vec![5, 3, 8], 0);
        check(&sum(|n: &f64| *n), &records, &mut way, expected);
        check(&mean(|n: &f64| *n), &records, &mut way, expected);
    }
}

#[test]
fn extremes_of_floats_put_nan_last_whatever_its_sign() {
    let mut way = Way(vec![5, 3, 8], 0);
    let records: Vec<_> = [0.0, -0.0, f64::NEG_INFINITY, 3.0, -f64::NAN].map(|number| (at(0), number)).into();
    check(&min(|n: &f64| *n), &records, &mut way, Some(f64::NEG_INFINITY));
    check(&max(|n: &f64| *n), &records, &mut way, Some(-f64::NAN));
    check(&min(|n: &f64| *n), &records[..2], &mut way, Some(-0.0));
    check(&max(|n: &f64| *n), &records[..2], &mut way, Some(0.0));
    check(&min(|n: &f64| *n), &records[4..], &mut way, Some(-f64::NAN));
}

#[test]
fn approximate_counts_are_within_three_standard_errors_in_every_order() {
    let approx = distinct_count_approx(|n: &u64| *n);
    for (count, stride) in [(900_u64, 7), (2_000, 11), (50_000, 1), (200_000, 3)] {
        let value = |n: u64| (at(0), n * stride);
        let forwards = aggregate::of(&approx, (0..count).map(value));
        let error = forwards as f64 / count as f64 - 1.0;
        assert!(error.abs() < 3.0 * 0.0081, "{forwards} for {count}");
        // Backwards, with repeats, and in two parts of which one may still be sparse.
        let (mut one, mut other) = (Aggregate::<u64>::start(&approx), Aggregate::<u64>::start(&approx));
        (500..count).rev().for_each(|n| approx.add(&mut one, at(0), &value(n).1));
        (0..700).for_each(|n| approx.add(&mut other, at(0), &value(n).1));
        for (into, from) in [(&one, &other), (&other, &one)] {
            let mut merged = into.clone();
            Aggregate::<u64>::merge(&approx, &mut merged, &stored(from));
            assert_eq!(Aggregate::<u64>::finish(&approx, &merged), forwards);
        }
    }
}

#[test]
fn equal_sets_are_stored_as_equal_bytes() {
    let distinct = distinct_count(|n: &u64| *n);
    let set = |numbers: &mut dyn Iterator<Item = u64>| {
        let mut acc = Aggregate::<u64>::start(&distinct);
        numbers.for_each(|n| distinct.add(&mut acc, at(0), &n));
        bytes(&acc)
    };
    assert_eq!(set(&mut (0..100)), set(&mut (0..200).rev().map(|n| n % 100)));
}

#[test]
fn quantiles_of_what_is_not_finite() {
    let three = quantiles(&[0.0, 0.5, 1.0], |n: &f64| *n);
    let records = [f64::INFINITY, -f64::NAN, f64::NEG_INFINITY].map(|number| (at(0), number));
    let answer = aggregate::of(&three, records);
    assert_eq!(answer[..2], [f64::NEG_INFINITY, f64::INFINITY]);
    assert!(answer[2].is_nan());
}

#[test]
#[should_panic(expected = "99 is not between 0 and 1")]
fn a_quantile_beyond_one_is_refused() {
    quantile(99.0, |n: &f64| *n);
}

#[test]
fn a_signed_sum_may_leave_its_type_on_the_way() {
    let total = sum(|n: &i64| *n);
    for numbers in [[i64::MAX, 1, -1], [1, -1, i64::MAX], [-1, i64::MAX, 1]] {
        let mut acc = Aggregate::<i64>::start(&total);
        for number in numbers {
            let mut one = Aggregate::<i64>::start(&total);
            total.add(&mut one, at(0), &number);
            Aggregate::<i64>::merge(&total, &mut acc, &one);
        }
        assert_eq!(Aggregate::<i64>::finish(&total, &acc), i64::MAX);
    }
}

#[test]
#[should_panic(expected = "aggregate `sum`: the total does not fit in u64")]
fn a_sum_that_leaves_its_type_panics() {
    aggregate::of(&sum(|n: &u64| *n), [(at(0), u64::MAX), (at(0), 1)]);
}

#[test]
#[should_panic(expected = "aggregate `sum`: the total does not fit in i64")]
fn a_signed_sum_that_stays_beyond_its_type_panics_when_asked() {
    aggregate::of(&sum(|n: &i64| *n), [(at(0), i64::MIN), (at(0), -1)]);
}

/// A whole number of 2^-1074 in 2240 bits, added to bit by bit: slow, and nothing like what it checks.
#[derive(Clone)]
struct Long(Vec<bool>);

impl Long {
    const ZERO: Long = Long(Vec::new());
    const BITS: usize = 2240;

    /// Adds `bits`, whose lowest stands at `shift`, or takes them away.
    fn add_bits(&mut self, bits: u128, shift: usize, negative: bool) {
        self.0.resize(Long::BITS, false);
        let mut carry = false;
        for at in shift..Long::BITS {
            let bit = at - shift < 128 && bits >> (at - shift) & 1 == 1;
            let (old, sum) = (self.0[at], self.0[at] ^ bit ^ carry);
            carry =
                if negative { (!old & (bit | carry)) | (bit & carry) } else { (bit & carry) | (old & (bit | carry)) };
            self.0[at] = sum;
        }
    }

    /// Adds a finite number `times` times.
    fn add(&mut self, number: f64, times: i64) {
        let (exponent, fraction) = (number.to_bits() >> 52 & 0x7ff, number.to_bits() & ((1 << 52) - 1));
        let mantissa = if exponent == 0 { fraction } else { fraction | 1 << 52 };
        let negative = number.is_sign_negative() != (times < 0);
        let product = u128::from(mantissa) * u128::from(times.unsigned_abs());
        self.add_bits(product, exponent.saturating_sub(1) as usize, negative);
    }

    fn of_integer(number: i128) -> Long {
        let mut long = Long::ZERO;
        long.add_bits(number.unsigned_abs(), 1074, number < 0);
        long
    }

    fn is_negative(&self) -> bool {
        self.0.last() == Some(&true)
    }

    /// Whether `number` is the float nearest to `self / count`, ties to even.
    fn is_nearest(&self, number: f64, count: i64) -> bool {
        // Where twice this number lies beside the half-way points to the neighbours of `number`.
        let beside = |neighbour: f64| {
            let mut twice = self.clone();
            twice.0.resize(Long::BITS, false);
            twice.0.rotate_right(1);
            twice.0[0] = false;
            for half in [number, neighbour] {
                // The neighbour of the largest float, as rounding goes, is 2^1024.
                let (half, times) = if half.is_infinite() { (2_f64.powi(1023).copysign(half), 2) } else { (half, 1) };
                twice.add(half, -times * count);
            }
            if twice.is_negative() { -1 } else { i32::from(twice.0.contains(&true)) }
        };
        let even = number.to_bits() & 1 == 0;
        let below_upper = number == f64::INFINITY || beside(number.next_up()) < i32::from(even);
        let above_lower = number == f64::NEG_INFINITY || beside(number.next_down()) > -i32::from(even);
        below_upper && above_lower
    }
}

#[test]
fn the_stored_form_of_accumulators_changes_only_on_purpose() {
    fn shape<A: Aggregate<(u64, f64)>>(_: A) -> String {
        Fingerprint::of::<A::Acc>().to_string()
    }
    let exact = "struct ExactSum { low: u8, digits: seq<i128>, \
                 not_finite: struct NotFinite { nan: bool, positive: bool, negative: bool } }";
    let int = |record: &(u64, f64)| record.0;
    let float = |record: &(u64, f64)| record.1;
    assert_eq!(shape((count(), sum(int), max(float))), "(u64, u64, Option<f64>)");
    assert_eq!(shape(mean(int)), "(i128, u64)");
    assert_eq!(shape(mean(float)), format!("({exact}, u64)"));
    assert_eq!(shape(distinct_count(int)), "seq<u64>");
    assert_eq!(shape(distinct_count_approx(int)), "struct Registers(enum Form { Few(seq<(u16, u8)>), All(seq<u8>) })");
    assert_eq!(shape(quantile(0.5, float)), "seq<(i32, u64)>");
    assert_eq!(shape(collect_values(float)), "seq<(struct EventTime(i64), f64)>");
}
