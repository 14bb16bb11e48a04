//! Options of files that mean nothing for standard input and output: there each is refused by name.

use dualgauge_engine::Result;

use super::Binding;

/// What sources of files take and standard input does not, and why.
const OF_SOURCES: &[(&str, &str)] = &[
    ("hive", "standard input has no directories whose names could be columns"),
    ("allow_empty", "standard input is always there, and may have no row"),
    ("new_files", "no file comes to standard input"),
];

/// The same for sinks.
const OF_SINKS: &[(&str, &str)] = &[
    (
        "overwrite",
        "standard output has nothing that could be replaced; where it is led to a file, the shell replaces it",
    ),
    ("span", "standard output is not cut into files; rows are printed when an epoch ends"),
    ("buckets", "standard output is one"),
];

impl Binding {
    /// Refuses what standard input would take without effect.
    pub(super) fn refuse_of_stdin(&self) -> Result<()> {
        self.refuse_of_standard(OF_SOURCES)
    }

    /// Refuses what standard output would take without effect.
    pub(super) fn refuse_of_stdout(&self) -> Result<()> {
        self.refuse_of_standard(OF_SINKS)
    }

    fn refuse_of_standard(&self, options: &[(&str, &str)]) -> Result<()> {
        match self.path.as_str() {
            "-" => options.iter().try_for_each(|(name, why)| self.refuse(name, why)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::basis::{SHARED, SINKS, SOURCES};
    use super::super::{sink, source};
    use super::*;

    /// Every option of a text connector is either taken by standard input or output, or refused by its name.
    #[test]
    fn what_would_be_without_effect_is_refused_by_name_and_all_else_is_taken() {
        for scheme in ["csv", "json"] {
            let shared = SHARED.iter().map(|&(option, value, _)| (option, value));
            let own = SOURCES.iter().filter(|row| row.0 == scheme).map(|row| (row.1, row.2));
            for (option, value) in own.chain(shared) {
                let text = format!("{scheme}:-?{option}={value}");
                check(source(&text).map(drop), &text, option, OF_SOURCES);
                assert!(source(&text.replace('-', "a")).is_ok(), "{text} of a file");
            }
            for row in SINKS.iter().filter(|row| row.0 == scheme) {
                let text = format!("{scheme}:-?{}={}", row.1, row.2);
                check(sink(&text).map(drop), &text, row.1, OF_SINKS);
            }
        }
    }

    fn check(bound: Result<()>, text: &str, option: &str, refused: &[(&str, &str)]) {
        match (bound, refused.iter().find(|(name, _)| *name == option)) {
            (Ok(()), None) => {}
            (Err(error), Some((_, why))) => {
                assert_eq!(error.to_string(), format!("`{text}`: option `{option}`: {why}"));
            }
            (bound, _) => panic!("{text}: {bound:?}"),
        }
    }
}
