//! Patterns in paths: `*`, `?`, `[a-z]`, `{a,b}` within a part, and `**` for any number of parts. `?` and `[…]` each
//! stand for one character.

use std::path::{Path, PathBuf};

use dualgauge_engine::{Error, Result};

use super::glob::Glob;

/// Characters that a pattern has and a name seldom has.
const MARKS: [char; 4] = ['*', '?', '[', '{'];

/// Whether a text may be a pattern.
fn is_pattern(text: &str) -> bool {
    text.contains(MARKS)
}

/// A path with pattern marks in it.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    /// The directory before the first part with a mark.
    pub(crate) base: PathBuf,
    /// What follows, over all its parts.
    whole: Glob,
    /// Each part by itself; `None` if a mark spans several.
    parts: Option<Vec<Glob>>,
    /// The last part.
    last: String,
}

impl Pattern {
    /// The directory before the first part with a mark, and what follows; `None` for a path without a mark.
    pub(super) fn split(path: &Path) -> Option<(PathBuf, &str)> {
        let text = path.to_str()?;
        let start = text[..text.find(MARKS)?].rfind('/').map_or(0, |slash| slash + 1);
        let base = match text[..start].trim_end_matches('/') {
            "" if start == 0 => ".",
            "" => "/",
            base => base,
        };
        Some((PathBuf::from(base), &text[start..]))
    }

    /// The pattern that a path is, if it has a mark.
    ///
    /// # Errors
    /// Marks that make no pattern, such as a `[` that is never closed.
    pub(crate) fn of(path: &Path) -> Result<Option<Pattern>> {
        let Some((base, rest)) = Pattern::split(path) else { return Ok(None) };
        let rest: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
        let glob = |part: &str| {
            Glob::new(part).map_err(|why| {
                let text = path.display();
                Error::usage(format!("{text}: there is no file of this name, and it is no pattern: {why}"))
            })
        };
        let whole = glob(&rest.join("/"))?;
        let spans = |part: &&str| part.contains("**") || part.matches('{').count() != part.matches('}').count();
        let parts = match rest.iter().any(spans) {
            true => None,
            false => Some(rest.iter().map(|part| glob(part)).collect::<Result<_>>()?),
        };
        let last = rest.last().map(|part| part.to_string()).unwrap_or_default();
        Ok(Some(Pattern { base, whole, parts, last }))
    }

    /// Whether it stands for the file or the directory of this name, counted from the base.
    pub(crate) fn stands_for(&self, name: &str) -> bool {
        self.whole.is_match(name)
    }

    /// Whether it may stand for something below a directory, given the directory's own name and how many levels it lies
    /// below the base.
    pub(crate) fn goes_below(&self, own_name: &str, depth: usize) -> bool {
        let Some(parts) = &self.parts else { return true };
        depth + 1 < parts.len() && parts[depth].is_match(own_name)
    }

    /// Whether its last part stands for every name, so that the endings of names say what is data.
    pub(super) fn takes_every_name(&self) -> bool {
        self.last.chars().all(|c| c == '*')
    }

    /// Whether its last part explicitly means names that begin with `_`.
    pub(super) fn means_underscore(&self) -> bool {
        self.last.starts_with('_')
    }

    /// The ending that all its names have, where they lie side by side in the base: then it stands for files alone.
    pub(crate) fn is_flat(&self) -> bool {
        let ending = Path::new(&self.last).extension().and_then(|ending| ending.to_str());
        self.parts.as_ref().is_some_and(|parts| parts.len() == 1) && ending.is_some_and(|ending| !is_pattern(ending))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::of(Path::new(text)).unwrap().unwrap_or_else(|| panic!("{text} is a pattern"))
    }

    #[test]
    fn a_pattern_stands_for_what_the_shell_would_find() {
        for (text, base, names, others) in [
            ("d/*.csv", "d/", &["a.csv", "é.csv"][..], &["a.txt", "b/a.csv"][..]),
            ("*.csv", ".", &["a.csv"], &["a.csv.gz"]),
            ("d/a?.csv", "d/", &["ab.csv", "a-.csv", "aé.csv"], &["a.csv", "abc.csv"]),
            ("d/[à-ü]*.csv", "d/", &["é.csv"], &["e.csv"]),
            ("d/[a-c]*.csv", "d/", &["a.csv", "cx.csv"], &["d.csv"]),
            ("d/{a,b}.{csv,gz}", "d/", &["a.csv", "b.gz"], &["c.csv"]),
            ("d/day=*/x.csv", "d/", &["day=1/x.csv"], &["day=1/2/x.csv", "x.csv"]),
            ("d/**/x.csv", "d/", &["x.csv", "a/x.csv", "a/b/x.csv"], &["a/y.csv"]),
            ("d/{a/b,c}/x.csv", "d/", &["a/b/x.csv", "c/x.csv"], &["a/x.csv"]),
            ("/d//*/", "/d//", &["a"], &["a/b"]),
        ] {
            let pattern = pattern(text);
            assert_eq!(pattern.base, Path::new(base), "{text}");
            names.iter().for_each(|name| assert!(pattern.stands_for(name), "{text} {name}"));
            others.iter().for_each(|name| assert!(!pattern.stands_for(name), "{text} {name}"));
        }
    }

    #[test]
    fn directories_are_looked_into_only_where_something_may_be_found() {
        let days = pattern("d/day=*/x.csv");
        assert!(days.goes_below("day=1", 0) && !days.goes_below("other", 0) && !days.goes_below("day=1", 1));
        assert!(pattern("d/**/x.csv").goes_below("other", 7));
        assert!(pattern("d/{a/b,c}/x.csv").goes_below("a", 0));
    }

    #[test]
    fn marks_that_make_no_pattern_are_named() {
        let error = Pattern::of(Path::new("d/[a.csv")).unwrap_err().to_string();
        assert!(error.contains("d/[a.csv: there is no file of this name, and it is no pattern"), "{error}");
        assert!(Pattern::of(Path::new("d/a.csv")).unwrap().is_none());
    }
}
