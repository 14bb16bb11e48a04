//! Remedies for the command line: the engine says what fixes an error, and this names the option that does it.

use crate::{Error, Remedy};

/// The text of an error for a user of the command line: what can be done about it is given as an option, not as a call.
///
/// ```
/// use dualgauge::cli::words_of;
/// use dualgauge::{Error, Remedy};
///
/// let error = Error::usage("there is a checkpoint already").with_remedy(Remedy::LeaveOutFresh);
/// let text = "there is a checkpoint already; leave out --fresh to go on from it, or use an empty place";
/// assert_eq!(words_of(&error), text);
/// ```
pub fn words_of(error: &Error) -> String {
    let said = error.without_remedy();
    match error.remedy() {
        Some(remedy) => format!("{said}; {}", remedy.advice(&option(remedy))),
        None => said,
    }
}

/// The option to use, or to leave out.
fn option(remedy: &Remedy) -> String {
    match remedy {
        Remedy::TakeCheckpoints => "--checkpoint PLACE".to_string(),
        Remedy::LeaveOutRestart => "--restart".to_string(),
        Remedy::LeaveOutFresh => "--fresh".to_string(),
        Remedy::OlderCheckpoint => "--from-checkpoint EPOCH".to_string(),
        Remedy::ReplaceOutput => "--replace-output".to_string(),
        Remedy::DropState(step) => format!("--drop-state {}", shell_word(step)),
        Remedy::LookAtEpoch => "--epoch EPOCH".to_string(),
        Remedy::Seam => "--seam TIME".to_string(),
        // A remedy that is newer than this command line is given as its call.
        other => format!("`{}`", other.call()),
    }
}

/// A word, quoted for a shell.
fn shell_word(word: &str) -> String {
    let plain = word.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
    if plain { word.to_string() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args;

    #[test]
    fn each_remedy_is_an_option_here_and_a_call_elsewhere() {
        let told: Vec<_> = Remedy::examples()
            .into_iter()
            .map(|remedy| {
                let error = Error::usage("no").with_remedy(remedy);
                [error.to_string(), words_of(&error)]
            })
            .collect();
        let right = [
            [
                "no; give it a place for checkpoints with `Job::checkpoints`, or do not ask for restarts",
                "no; give it a place for checkpoints with --checkpoint PLACE, or do not ask for restarts",
            ],
            ["no; leave out `Job::restart`", "no; leave out --restart"],
            [
                "no; leave out `Checkpoints::fresh` to go on from it, or use an empty place",
                "no; leave out --fresh to go on from it, or use an empty place",
            ],
            [
                "no; bring the file back from a copy, or resume from an older checkpoint with `Checkpoints::from`",
                "no; bring the file back from a copy, or resume from an older checkpoint with --from-checkpoint EPOCH",
            ],
            [
                "no; resume from the newest checkpoint, or say `Checkpoints::replace_output`: what was published since is \
                 replaced, and nothing else",
                "no; resume from the newest checkpoint, or say --replace-output: what was published since is replaced, and \
                 nothing else",
            ],
            [
                "no; to forget what it kept, say `Checkpoints::drop_state(\"totals\")`",
                "no; to forget what it kept, say --drop-state totals",
            ],
            [
                "no; look at another checkpoint, by its epoch, with `look_at`",
                "no; look at another checkpoint, by its epoch, with --epoch EPOCH",
            ],
            [
                "no; give the seam as an event time, with `Hybrid::cut_at`",
                "no; give the seam as an event time, with --seam TIME",
            ],
        ];
        assert_eq!(told, right);
    }

    #[test]
    fn each_option_is_in_the_help_of_run() {
        // `--epoch` is an option of the commands that look at checkpoints without a graph.
        let elsewhere = ["--epoch"];
        let help = args::help_of_run();
        let all = Remedy::examples();
        let options = all.iter().map(|remedy| option(remedy).split(' ').next().unwrap_or_default().to_string());
        for option in options.filter(|option| !elsewhere.contains(&option.as_str())) {
            let is_there = help.split([' ', '\n']).any(|word| word == option);
            assert!(option.starts_with("--") && is_there, "{option} is not in {help}");
        }
    }

    #[test]
    fn a_name_is_a_word_of_a_shell() {
        let words = ["hot_items", "sink sums", "it's"].map(shell_word);
        assert_eq!(words, ["hot_items", "'sink sums'", r"'it'\''s'"]);
    }
}
