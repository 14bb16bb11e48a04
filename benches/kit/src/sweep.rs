//! What is varied: one thing at a time around a base, and the patterns of the literature.
//!
//! The base is 200,000 events a second, half of them on each side, in windows of 100 ms: 20,000 events a window, with
//! as many keys as a side has rows in it, so that on average a row finds one on the other side. One worker, from
//! history.

use super::contestant::{Feed, Setting};
use super::keys::Keys;
use super::windows::Windows;
use super::workload::{Ratio, Workload};
use dualgauge::{Duration, Durations};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A few hundred events a side, for the oracle.
    Verify,
    /// Thousands: to see that everything works. Rates and keys are a hundredth, so that windows are as full.
    Quick,
    /// A million, in a few minutes.
    Standard,
    /// Ten million, and live runs of twenty seconds.
    Full,
}

/// One thing that is varied.
#[derive(Clone, Debug)]
pub struct Dimension {
    /// Its name on the command line, in file names and in the CSV.
    pub name: &'static str,
    /// What its values are.
    pub axis: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// Its values, in the order in which they are drawn.
    pub points: Vec<Point>,
}

/// One value of a dimension.
#[derive(Clone, Debug)]
pub struct Point {
    /// What plots and tables call it.
    pub label: String,
    /// The whole setting at this value.
    pub setting: Setting,
}

impl Dimension {
    /// Whether its values are kinds of workload, rather than more or less of something.
    pub fn is_patterns(&self) -> bool {
        self.name == PATTERNS
    }

    /// Whether its runs are live, and have latencies.
    pub fn is_live(&self) -> bool {
        self.points.iter().all(|point| point.setting.feed == Feed::Live)
    }
}

const PATTERNS: &str = "patterns";

impl Size {
    /// How many events a history has, unless they make too many pairs.
    fn events(self) -> u64 {
        match self {
            Size::Verify => 400,
            Size::Quick => 2_000,
            Size::Standard => 1_000_000,
            Size::Full => 10_000_000,
        }
    }

    /// How many pairs are too many.
    fn pairs_max(self) -> f64 {
        match self {
            Size::Verify => 5e3,
            Size::Quick => 2e4,
            Size::Standard => 1e7,
            Size::Full => 1e8,
        }
    }

    /// What rates and keys are divided by.
    fn divisor(self) -> u64 {
        match self {
            Size::Verify | Size::Quick => 100,
            Size::Standard | Size::Full => 1,
        }
    }

    /// How long a live run lasts, in milliseconds.
    fn live_ms(self) -> u64 {
        match self {
            Size::Verify => 200,
            Size::Quick => 300,
            Size::Standard => 4_000,
            Size::Full => 20_000,
        }
    }

    /// How often each history is measured. A live run is measured once: its windows are many measurements.
    pub fn repeats(self) -> usize {
        match self {
            Size::Verify | Size::Quick => 1,
            Size::Standard => 3,
            Size::Full => 5,
        }
    }

    /// The name of the option that asks for it.
    pub fn name(self) -> &'static str {
        match self {
            Size::Verify => "verify",
            Size::Quick => "quick",
            Size::Standard => "standard",
            Size::Full => "full",
        }
    }
}

/// Everything that is varied.
pub fn sweep(size: Size, seed: u64) -> Vec<Dimension> {
    let sweep = Sweep { size, seed };
    let mut all = sweep.history();
    all.push(sweep.patterns());
    all.extend(sweep.live());
    all
}

struct Sweep {
    size: Size,
    seed: u64,
}

impl Sweep {
    fn workload(&self) -> Workload {
        Workload {
            seed: self.seed,
            events: self.size.events(),
            rate: 200_000,
            ratio: Ratio { left: 1, right: 1 },
            keys: 10_000,
            left_keys: Keys::Uniform,
            right_keys: Keys::Uniform,
            selectivity: 1.0,
            payload: 16,
        }
    }

    fn setting(&self) -> Setting {
        let windows = Windows::tumbling(100.millis());
        Setting { workload: self.workload(), windows, workers: 1, feed: Feed::History }
    }

    /// A setting at this size: rates and keys divided, and no more pairs than is bearable.
    fn point(&self, label: impl ToString, mut setting: Setting) -> Point {
        let workload = &mut setting.workload;
        let divisor = self.size.divisor();
        workload.rate = (workload.rate / divisor).max(1);
        workload.keys = (workload.keys / divisor).max(1);
        if setting.feed == Feed::Live {
            let events = workload.rate * self.size.live_ms() / 1000;
            // A live run that is to last keeps to its rate.
            workload.events = if self.size == Size::Verify { events.min(self.size.events()) } else { events };
        } else {
            *workload = workload.bounded(setting.windows, self.size.pairs_max());
        }
        Point { label: label.to_string(), setting }
    }

    fn dimension<T: Copy + ToString>(
        &self,
        (name, axis, about): (&'static str, &'static str, &'static str),
        base: Setting,
        values: &[T],
        vary: impl Fn(&mut Setting, T),
    ) -> Dimension {
        let point = |value: &T| {
            let mut setting = base;
            vary(&mut setting, *value);
            self.point(value.to_string(), setting)
        };
        Dimension { name, axis, about, points: values.iter().map(point).collect() }
    }

    fn history(&self) -> Vec<Dimension> {
        let base = self.setting();
        let divisor = self.size.divisor();
        let rates = [10_000, 50_000, 200_000, 1_000_000, 4_000_000];
        let keys = [100, 1_000, 10_000, 100_000, 1_000_000];
        let mut rate = self.dimension(
            ("rate", "events a second of event time", "Windows of 100 ms from a thousand events to hundreds of thousands, from the same keys: more rows, and more pairs a row."),
            base,
            &rates,
            |setting, rate| setting.workload.rate = rate,
        );
        let mut key_count = self.dimension(
            ("keys", "keys", "From a hundred rows of a side on each key of a window to one in a hundred keys: the pairs, and the size of a table."),
            base,
            &keys,
            |setting, keys| setting.workload.keys = keys,
        );
        let labels = |dimension: &mut Dimension, values: &[u64]| {
            let values = values.iter().map(|value| short(value / divisor));
            dimension.points.iter_mut().zip(values).for_each(|(point, label)| point.label = label);
        };
        labels(&mut rate, &rates);
        labels(&mut key_count, &keys);
        vec![
            rate,
            self.dimension(
                ("window", "window length", "The same windows as by rate, in rows, but fewer or more of them a second: where the two differ, it is the windows that cost."),
                base,
                &[5.millis(), 25.millis(), 100.millis(), 500.millis(), 2.seconds()],
                |setting, size| setting.windows = Windows::tumbling(size),
            ),
            self.dimension(
                ("overlap", "windows that an event is in", "Sliding windows of 100 ms: each pair comes out as often as it shares a window."),
                base,
                &[1, 2, 4, 8],
                |setting, overlap| setting.windows.slide = Duration::from_micros(100_000 / overlap),
            ),
            key_count,
            self.dimension(
                ("skew", "exponent of Zipf's law on the left", "The right side stays uniform, so that there are as many pairs at every skew: what is seen is the skew alone."),
                base,
                &[0.0, 0.5, 1.0, 1.5],
                |setting, skew| setting.workload.left_keys = if skew == 0.0 { Keys::Uniform } else { Keys::Zipf(skew) },
            ),
            self.dimension(
                ("hot", "share of one key, on both sides", "A window of a thousand events in which one key has up to half of both sides: its pairs are the square of that."),
                Setting { workload: Workload { rate: 10_000, keys: 1_000, ..base.workload }, ..base },
                &[0.0, 0.1, 0.25, 0.5],
                |setting, share| {
                    let keys = if share == 0.0 { Keys::Uniform } else { Keys::Hot(share) };
                    (setting.workload.left_keys, setting.workload.right_keys) = (keys, keys);
                },
            ),
            self.dimension(
                ("selectivity", "share of the left keys that occur on the right", "What a row costs that finds nothing."),
                base,
                &[0.01, 0.1, 0.5, 1.0],
                |setting, selectivity| setting.workload.selectivity = selectivity,
            ),
            self.dimension(
                ("payload", "bytes a row carries", "What it costs to keep and move rows, beside joining them."),
                base,
                &[0, 16, 64, 256],
                |setting, payload| setting.workload.payload = payload,
            ),
            self.dimension(
                ("ratio", "left to right", "The same events, unevenly shared out: who builds on the smaller side has the smaller table."),
                base,
                &[(16, 1), (4, 1), (1, 1), (1, 4), (1, 16)].map(|(left, right)| Ratio { left, right }),
                |setting, ratio| setting.workload.ratio = ratio,
            ),
            self.dimension(
                ("workers", "workers", "Rows are dealt by key, each worker joins its own. As many as the machine has cores."),
                base,
                &workers(),
                |setting, workers| setting.workers = workers,
            ),
        ]
    }

    fn patterns(&self) -> Dimension {
        let Setting { workload, .. } = self.setting();
        let pattern = |label, workload, window| {
            let windows = Windows::tumbling(window);
            self.point(label, Setting { workload, windows, ..self.setting() })
        };
        let both = |keys| Workload { left_keys: keys, right_keys: keys, ..workload };
        // A whole input in one second, whatever its size.
        let at_once = self.size.events() * self.size.divisor();
        let points = vec![
            pattern("low rate, keys repeat", Workload { rate: 5_000, keys: 100, ..both(Keys::Zipf(0.5)) }, 1.seconds()),
            pattern("high rate, few keys", Workload { keys: 100, ..workload }, 100.millis()),
            pattern(
                "stream and small table",
                Workload { ratio: Ratio { left: 99, right: 1 }, keys: 200, right_keys: Keys::InTurn, ..workload },
                100.millis(),
            ),
            pattern("all in one window", Workload { rate: at_once, keys: at_once / 10, ..workload }, 1.seconds()),
            pattern("skewed on both sides", Workload { rate: 20_000, ..both(Keys::Zipf(1.0)) }, 100.millis()),
            pattern("one key is half", Workload { rate: 10_000, keys: 1_000, ..both(Keys::Hot(0.5)) }, 100.millis()),
        ];
        Dimension {
            name: PATTERNS,
            axis: "pattern",
            about: "The access patterns that intra-window joins are compared by: stock orders and quotes (low rate, keys that \
                    repeat), advertisements (high rate and duplication), a stream with a table (every key once on the right), \
                    data at rest (everything in one window), and skew where it multiplies.",
            points,
        }
    }

    fn live(&self) -> Vec<Dimension> {
        let base = self.setting();
        let base = Setting {
            workload: Workload { rate: 50_000, keys: 1_250, ..base.workload },
            windows: Windows::tumbling(50.millis()),
            feed: Feed::Live,
            ..base
        };
        let rates = [10_000, 50_000, 200_000, 800_000];
        let mut rate = self.dimension(
            ("live-rate", "events a second", "Windows of 50 ms over two logs that are appended to by the clock."),
            base,
            &rates,
            |setting, rate| setting.workload.rate = rate,
        );
        for (point, rate) in rate.points.iter_mut().zip(rates) {
            point.label = short(rate / self.size.divisor());
        }
        let window = self.dimension(
            (
                "live-window",
                "window length",
                "The longer a window, the more is left to do when it closes; unless it was done before.",
            ),
            base,
            &[10.millis(), 50.millis(), 250.millis()],
            |setting, size| setting.windows = Windows::tumbling(size),
        );
        vec![rate, window]
    }
}

/// One, two, four and so on, up to the cores of the machine; two at least.
fn workers() -> Vec<usize> {
    let cores = std::thread::available_parallelism().map_or(2, |count| count.get().clamp(2, 16));
    std::iter::successors(Some(1), |count| Some(count * 2)).take_while(|count| *count <= cores).collect()
}

/// A round number as people write it: `200 k`, `1 M`.
fn short(number: u64) -> String {
    match number {
        1_000_000.. if number.is_multiple_of(100_000) => format!("{} M", number as f64 / 1e6),
        1_000.. if number.is_multiple_of(100) => format!("{} k", number as f64 / 1e3),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_varied_at_a_time_and_the_base_is_in_every_dimension() {
        let all = sweep(Size::Standard, 42);
        let base = &all[0].points[2].setting;
        let of_history = all.iter().filter(|dimension| !dimension.is_live() && !dimension.is_patterns());
        for dimension in of_history.filter(|dimension| dimension.name != "hot") {
            let same = dimension.points.iter().filter(|point| point.setting == *base).count();
            assert_eq!(same, 1, "{}", dimension.name);
        }
    }

    #[test]
    fn no_history_makes_more_pairs_than_bearable() {
        for size in [Size::Verify, Size::Quick, Size::Standard, Size::Full] {
            for dimension in sweep(size, 42).into_iter().filter(|dimension| !dimension.is_live()) {
                for Point { label, setting } in dimension.points {
                    let pairs = setting.workload.expected_pairs(setting.windows);
                    assert!(pairs <= 1.5 * size.pairs_max(), "{size:?}, {} {label}: {pairs}", dimension.name);
                    assert!(setting.workload.events >= 100, "{size:?}, {} {label}", dimension.name);
                }
            }
        }
    }

    #[test]
    fn round_numbers_are_short() {
        let numbers = [7, 1_234, 1_250, 2_000, 12_500, 200_000, 1_000_000, 4_500_000];
        let texts = ["7", "1234", "1250", "2 k", "12.5 k", "200 k", "1 M", "4.5 M"];
        assert_eq!(numbers.map(short), texts);
    }
}
