//! What the commands print: answers on standard output, everything else on standard error.
//!
//! A reader that has seen enough (`| head`) ends the command quietly, as it ends `cat`. Control characters found in
//! logs and checkpoints are made visible.

use std::fmt;
use std::io::{ErrorKind, Write, stderr, stdout};
use std::process::exit;

use dualgauge::cli::{Exit, Outside};

/// Prints a part of an answer.
macro_rules! answer {
    ($($what:tt)*) => { $crate::print::write_answer(format_args!($($what)*)) };
}

/// Prints a line of an answer.
macro_rules! answer_line {
    ($($what:tt)*) => { $crate::print::write_answer(format_args!("{}\n", format_args!($($what)*))) };
}

/// Prints a line that is not part of the answer.
macro_rules! remark {
    ($($what:tt)*) => { $crate::print::write_remark(format_args!($($what)*)) };
}

pub(crate) use {answer, answer_line, remark};

pub(crate) fn write_answer(what: fmt::Arguments<'_>) {
    if let Err(cause) = Outside(stdout().lock()).write_fmt(what) {
        if cause.kind() == ErrorKind::BrokenPipe {
            exit(Exit::Done.code().into());
        }
        write_remark(format_args!("error: cannot write to standard output: {cause}"));
        exit(Exit::Failed.code().into());
    }
}

/// Prints what clap has to say about a call: the help that was asked for, or what is wrong.
pub(crate) fn told(said: &clap::Error) -> Exit {
    if said.use_stderr() {
        let _ = write!(Outside(stderr().lock()), "{}", said.render());
        return Exit::Usage;
    }
    write_answer(format_args!("{}", said.render()));
    Exit::Done
}

pub(crate) fn write_remark(what: fmt::Arguments<'_>) {
    let _ = writeln!(Outside(stderr().lock()), "{what}"); // if it is closed, nobody is left to read this
}
