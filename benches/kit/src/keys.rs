//! How keys are drawn: uniformly, by Zipf's law, with one hot key, or in turn.

use std::fmt;

use serde::{Deserialize, Serialize};

use dualgauge_nexmark::random::Random;

/// How often each key of a side occurs.
///
/// Keys are ranked from zero, the most frequent first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Keys {
    /// Each as often as any other.
    Uniform,
    /// The key of rank `r` in proportion to `1 / (r + 1)^s`: at 0 uniform, at 1 a web's pages, at 1.5 nearly one key.
    Zipf(f64),
    /// The first key has this share of all events, the others share the rest evenly.
    Hot(f64),
    /// One after the other: among as many events as there are keys, no two have the same key. A table's primary key.
    InTurn,
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Keys::Uniform => f.write_str("uniform"),
            Keys::Zipf(exponent) => write!(f, "zipf {exponent}"),
            Keys::Hot(share) => write!(f, "hot {share}"),
            Keys::InTurn => f.write_str("in turn"),
        }
    }
}

/// Draws ranks.
pub(super) struct Ranks {
    keys: Keys,
    count: u64,
    /// For Zipf: for each rank, its share and that of all before it, as a part of `u64::MAX`.
    ends: Vec<u64>,
}

impl Ranks {
    /// Ranks below `count`, which is above zero.
    pub(super) fn new(keys: Keys, count: u64) -> Ranks {
        let ends = match keys {
            Keys::Zipf(exponent) => {
                let weight = |rank: u64| ((rank + 1) as f64).powf(-exponent);
                let total: f64 = (0..count).map(weight).sum();
                let ends = (0..count).scan(0.0, |sum, rank| {
                    *sum += weight(rank);
                    Some((*sum / total * u64::MAX as f64) as u64)
                });
                ends.collect()
            }
            _ => Vec::new(),
        };
        Ranks { keys, count, ends }
    }

    /// The rank of event `number`, whose random numbers are `random`.
    pub(super) fn draw(&self, number: u64, random: &mut Random) -> u64 {
        match self.keys {
            Keys::Uniform => random.below(self.count),
            Keys::Zipf(_) => {
                let point = random.next();
                // The sum of shares may round to a little less than all.
                (self.ends.partition_point(|end| *end <= point) as u64).min(self.count - 1)
            }
            Keys::Hot(share) => {
                let hot = random.next() < (share * u64::MAX as f64) as u64;
                if hot || self.count == 1 { 0 } else { 1 + random.below(self.count - 1) }
            }
            Keys::InTurn => number % self.count,
        }
    }

    /// The share of events that have this rank.
    pub(super) fn share(&self, rank: u64) -> f64 {
        match self.keys {
            Keys::Uniform | Keys::InTurn => 1.0 / self.count as f64,
            Keys::Zipf(_) => {
                let before = if rank == 0 { 0 } else { self.ends[rank as usize - 1] };
                (self.ends[rank as usize] - before) as f64 / u64::MAX as f64
            }
            Keys::Hot(_) if self.count == 1 => 1.0,
            Keys::Hot(share) if rank == 0 => share,
            Keys::Hot(share) => (1.0 - share) / (self.count - 1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 100,000 draws from 10 keys, the share of each.
    fn drawn(keys: Keys) -> Vec<f64> {
        let ranks = Ranks::new(keys, 10);
        let mut counts = [0; 10];
        (0..100_000).for_each(|number| counts[ranks.draw(number, &mut Random::new(1, number)) as usize] += 1);
        counts.iter().map(|count| f64::from(*count) / 100_000.0).collect()
    }

    #[test]
    fn keys_come_as_often_as_their_share_says() {
        for keys in [Keys::Uniform, Keys::Zipf(0.0), Keys::Zipf(1.0), Keys::Zipf(1.5), Keys::Hot(0.5), Keys::InTurn] {
            let ranks = Ranks::new(keys, 10);
            let total: f64 = (0..10).map(|rank| ranks.share(rank)).sum();
            assert!((total - 1.0).abs() < 1e-9, "{keys}: {total}");
            for (rank, share) in drawn(keys).into_iter().enumerate() {
                let expected = ranks.share(rank as u64);
                assert!((share - expected).abs() < 0.01, "{keys}, rank {rank}: {share}, not {expected}");
            }
        }
    }

    #[test]
    fn shares_are_those_of_the_law() {
        let share = |keys, rank| Ranks::new(keys, 10).share(rank);
        assert!((share(Keys::Zipf(1.0), 0) / share(Keys::Zipf(1.0), 4) - 5.0).abs() < 1e-6);
        assert!((share(Keys::Zipf(1.5), 0) / share(Keys::Zipf(1.5), 3) - 8.0).abs() < 1e-6);
        assert_eq!(share(Keys::Hot(0.5), 0), 0.5);
        assert!((share(Keys::Hot(0.5), 9) - 0.5 / 9.0).abs() < 1e-9);
    }
}
