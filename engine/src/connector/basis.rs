//! A basis: what the meaning of stored bytes depends on besides themselves, as options and their values.
//!
//! An offset of a text file means another record under another header, a staged row is written with the delimiter of
//! its time, and an open window has the size that the graph gave it. So a source, a sink and a step each say what they
//! depend on; it is stored with every commit, and compared when a job resumes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Options and their values, in the order in which a person should read them.
///
/// ```
/// use dualgauge_engine::Basis;
///
/// let before = Basis::new().with("format", "csv").with("delimiter", ',');
/// let now = Basis::new().with("format", "csv").with("delimiter", ';');
/// let changes: Vec<_> = before.changes(&now).iter().map(|change| change.to_string()).collect();
/// assert_eq!(changes, ["`delimiter` was `,` and is `;`"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis(Vec<(String, String)>);

/// An option that has another value than when something was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The option.
    pub option: String,
    /// Its value then; `None` where there was no such option.
    pub before: Option<String>,
    /// Its value now; `None` where there is no such option.
    pub now: Option<String>,
}

impl Basis {
    /// No options: what is stored means the same whatever is said.
    pub fn new() -> Basis {
        Basis::default()
    }

    /// Adds an option.
    pub fn with(mut self, option: &str, value: impl ToString) -> Basis {
        self.0.push((option.to_string(), value.to_string()));
        self
    }

    /// Adds the options of another one, each prefixed by `prefix`.
    pub fn and(mut self, prefix: &str, other: Basis) -> Basis {
        self.0.extend(other.0.into_iter().map(|(option, value)| (format!("{prefix}{option}"), value)));
        self
    }

    /// The same without the dashes that older versions wrote in front of a job's options other than its bindings.
    pub(crate) fn without_dashes(&self) -> Basis {
        let plain = |(option, value): &(String, String)| (option.trim_start_matches('-').to_string(), value.clone());
        Basis(self.0.iter().map(plain).collect())
    }

    /// The value of an option.
    pub fn get(&self, option: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == option).map(|(_, value)| value.as_str())
    }

    /// The options whose values differ `now`.
    pub fn changes(&self, now: &Basis) -> Vec<Change> {
        let added = now.0.iter().filter(|(option, _)| self.get(option).is_none());
        let options = self.0.iter().chain(added).map(|(option, _)| option);
        let change = |option: &String| Change {
            option: option.clone(),
            before: self.get(option).map(str::to_string),
            now: now.get(option).map(str::to_string),
        };
        options.map(change).filter(|change| change.before != change.now).collect()
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value =
            |value: &Option<String>| value.as_ref().map_or("not there".to_string(), |value| format!("`{value}`"));
        write!(f, "`{}` was {} and is {}", self.option, value(&self.before), value(&self.now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_older_versions_wrote_with_dashes_is_the_same_option() {
        let stored = Basis::new().with("place", "in/--old").with("--from", "not set").with("--to", "7");
        let changes = stored.without_dashes().changes(&Basis::new().with("place", "in/--old").with("from", "not set"));
        assert_eq!(changes.iter().map(Change::to_string).collect::<Vec<_>>(), ["`to` was `7` and is not there"]);
    }
}
