//! How much a run says on standard error, and in what form.

use std::io::Write;

use super::json;

/// What `--progress` and `--quiet` choose, from the most to the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// A bar on a terminal, and lines elsewhere.
    Auto,
    /// Lines, also on a terminal.
    Lines,
    /// One JSON object a line, for programs.
    Json,
    /// No progress; what should be known, and the last words.
    Off,
    /// What should be known alone.
    Notes,
    /// Nothing but errors.
    Quiet,
}

impl Level {
    /// The words of `--progress`.
    pub(crate) const WORDS: [&str; 5] = ["auto", "lines", "json", "off", "notes"];

    /// The level that one of those words means.
    pub(crate) fn of(word: &str) -> Level {
        let all = [Level::Auto, Level::Lines, Level::Json, Level::Off, Level::Notes];
        let at = Level::WORDS.iter().position(|known| *known == word);
        all[at.expect("the command line takes no other")]
    }

    /// Whether the run ends with words for a person.
    pub(crate) fn has_last_words(self) -> bool {
        matches!(self, Level::Auto | Level::Lines | Level::Off)
    }

    /// Says something that should be known, in the form that all has.
    pub(crate) fn say(self, words: &str, err: &mut dyn Write) {
        // Whoever closed it does not want to read it.
        let _ = match self {
            Level::Quiet => Ok(()),
            Level::Json => writeln!(err, "{}", json::said(words)),
            _ => writeln!(err, "{words}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_says_its_notes_in_its_form_and_the_last_words_where_people_read() {
        let all = Level::WORDS.map(Level::of);
        let said = all.map(Level::has_last_words);
        assert_eq!(said, [true, true, false, true, false]);
        for (level, right) in [
            (Level::Auto, "note: a\n"),
            (Level::Notes, "note: a\n"),
            (Level::Json, "{\"said\":\"note: a\"}\n"),
            (Level::Quiet, ""),
        ] {
            let mut err = Vec::new();
            level.say("note: a", &mut err);
            assert_eq!(String::from_utf8(err).unwrap(), right);
        }
    }
}
