//! The library's window join: as it chooses by itself, and with each of its strategies.

use super::contestant::Contestant;
use super::records::{Joined, Row};
use super::windows::Windows;
use dualgauge::Flow;
use dualgauge::operators::KeyBy;
use dualgauge::operators::join::JoinStrategy;
use dualgauge::operators::window::{InWindow, Window, sliding, tumbling};

/// One that chooses, and one for each strategy: a strategy that is added to the library is measured without a change
/// here.
pub(super) fn contestants() -> impl Iterator<Item = Contestant> {
    let chosen =
        Contestant::graph("by size", "the library's choice for each window", |flow, windows| join(flow, windows, None));
    let forced = JoinStrategy::ALL.iter().map(|&strategy| {
        let name = words(&format!("{strategy:?}"));
        let about = format!("the library's strategy {strategy:?} for every window");
        Contestant::graph(name, about, move |flow, windows| join(flow, windows, Some(strategy)))
    });
    std::iter::once(chosen).chain(forced)
}

/// The name of a strategy in words: `sort merge` of `SortMerge`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

fn join(flow: &Flow<'_>, windows: Windows, strategy: Option<JoinStrategy>) {
    let left = flow.source::<Row>("left").key_by(|row| row.key);
    let right = flow.source::<Row>("right").key_by(|row| row.key);
    let make = |window: Window, left: &Row, right: &Row| Joined::of(window.start, window.last_instant(), left, right);
    if windows.is_tumbling() {
        let join = left.window(tumbling(windows.size)).join(right);
        let join = if let Some(strategy) = strategy { join.strategy(strategy) } else { join };
        join.inner("join", make).sink("joined");
    } else {
        let join = left.window(sliding(windows.size, windows.slide)).join(right);
        let join = if let Some(strategy) = strategy { join.strategy(strategy) } else { join };
        join.inner("join", make).sink("joined");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_strategy_is_a_contestant_by_its_name_in_words() {
        let names: Vec<String> = super::contestants().map(|one| one.name().to_string()).collect();
        assert_eq!(names, ["by size", "hash", "sort merge"]);
    }
}
