//! Right first, then fast: every contestant against the oracle, at small sizes.

use std::sync::Arc;

use super::contestant::{Contestant, Feed, Setting};
use super::feed::{self, Appenders, Schedule};
use super::oracle::nested_loop;
use super::records::Joined;
use super::sweep::{Size, sweep};
use super::workload::Side;
use dualgauge::connectors::memory;
use dualgauge::{Clock, Duration, Error, Result, SystemClock};

/// Compares every contestant with the [nested loop](nested_loop) at every point of the sweep, each with few events and in
/// the same proportions. Returns how many answers were compared.
///
/// # Errors
/// A contestant that fails or gives a different answer; the message names it, the setting, and the first wrong pair.
pub fn verify(contestants: &[Contestant], seed: u64) -> Result<usize> {
    let mut seen: Vec<Setting> = Vec::new();
    for point in sweep(Size::Verify, seed).into_iter().flat_map(|dimension| dimension.points) {
        if !seen.contains(&point.setting) {
            verify_at(contestants, &point.setting)?;
            seen.push(point.setting);
        }
    }
    Ok(seen.len() * contestants.len())
}

fn verify_at(contestants: &[Contestant], setting: &Setting) -> Result<()> {
    let dir = tempfile::tempdir().map_err(|error| Error::io("a directory for small inputs", error))?;
    feed::prepare(setting, dir.path())?;
    if setting.feed == Feed::Live {
        // Everything arrived long ago.
        let (clock, schedule): (Arc<dyn Clock>, _) = (Arc::new(SystemClock::new()), Schedule { start: -Duration::MAX });
        Appenders::start(&setting.workload, dir.path(), schedule, &clock)?.join()?;
    }
    let rows = |side| setting.workload.side(side).all();
    let expected = nested_loop(&rows(Side::Left), &rows(Side::Right), setting.windows);
    for contestant in contestants {
        let joined = memory::collect::<Joined>();
        let place = || format!("{} at {setting:?}", contestant.name());
        contestant
            .run(setting, feed::ends(setting, dir.path(), Arc::new(joined.clone()))?)
            .map_err(|e| e.at(place()))?;
        if let Some(difference) = difference(&expected, &joined.rows()) {
            let message = format!("{difference}; nothing is timed before it is right");
            return Err(Error::data(message).at(place()));
        }
    }
    Ok(())
}

/// The first pair in which two sorted answers differ.
fn difference(expected: &[Joined], found: &[Joined]) -> Option<String> {
    let at = expected.iter().zip(found).position(|(expected, found)| expected != found);
    match at.unwrap_or(expected.len().min(found.len())) {
        at if at == expected.len() && at == found.len() => None,
        at if at == found.len() => Some(format!("the pair is missing: {:?}", expected[at])),
        at if at == expected.len() => Some(format!("there is no such pair: {:?}", found[at])),
        at if expected[at] < found[at] => Some(format!("the pair is missing: {:?}", expected[at])),
        at => Some(format!("there is no such pair: {:?}", found[at])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dualgauge::EventTime;

    #[test]
    fn a_difference_names_the_first_pair_that_is_wrong() {
        let pair = |left| Joined { time: EventTime::MIN, window: EventTime::MIN, key: 1, left, right: 0, bytes: 0 };
        let said = |expected: &[u64], found: &[u64]| {
            let pairs = |numbers: &[u64]| numbers.iter().map(|number| pair(*number)).collect::<Vec<_>>();
            difference(&pairs(expected), &pairs(found))
        };
        let names = |said: Option<String>, what: &str, left: u64| {
            let said = said.expect("they differ");
            assert!(said.starts_with(what) && said.contains(&format!("left: {left},")), "{said}");
        };
        assert_eq!(said(&[1, 2], &[1, 2]), None);
        names(said(&[1, 2, 3], &[1, 3]), "the pair is missing", 2);
        names(said(&[1, 2], &[1]), "the pair is missing", 2);
        names(said(&[1, 3], &[1, 2, 3]), "there is no such pair", 2);
        names(said(&[1], &[1, 1]), "there is no such pair", 1);
    }
}
