//! Every graph of the examples runs three ways against one answer: straight; with checkpoints on two workers; killed with a
//! loss of power, and resumed on three. Over history and over the live log, and all must write the same files, byte for
//! byte.
//!
//! Would catch: an operator, an aggregate or a sink that some example is the first to combine, and whose state does not
//! survive, or whose answer depends on workers, epochs, or where the events lie.
//!
//! `corpus.rs` has the graphs and their events, `ways.rs` the ways. The environment can ask for more kills:
//! `DUALGAUGE_SEEDS`.

mod corpus;
mod ways;

use corpus::{Corpus, Program, Way};
use ways::{Ran, Three};

/// Runs the program both over history and over the live log.
fn both(program: &Program, corpus: &Corpus) {
    let [history, live] = [Way::History, Way::Live].map(|way| {
        let three = Three::of(program, corpus, way);
        let what = format!("{} over {way:?}", program.name);
        assert!(three.straight.files.len() > 1, "{what}: an answer of a file or less says little");
        same(&format!("{what}, with checkpoints on two workers"), &three.straight, &three.checkpointed);
        for (seed, crashed) in three.crashed.iter().enumerate() {
            same(&format!("{what}, killed by seed {seed} and resumed on three workers"), &three.straight, crashed);
        }
        three.straight
    });
    assert!(history.late.is_empty(), "{}: history is read in the order of its times", program.name);
    assert_eq!(!live.late.is_empty(), program.late.is_some(), "{}: late over live", program.name);
    match program.has_late {
        true => assert!(history.files != live.files, "{}: nothing was late", program.name),
        false => same(&format!("{} over live", program.name), &history, &live),
    }
}

/// Compares what was written, file by file and row by row.
fn same(what: &str, expected: &Ran, found: &Ran) {
    let names = |ran: &Ran| ran.files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected), "{what}");
    assert!(found.files == expected.files, "{what}: other bytes");
    assert_eq!(found.late, expected.late, "{what}: other rows are late");
}

#[test]
fn every_example_gives_one_answer() {
    let corpus = Corpus::new();
    corpus::examples().iter().for_each(|program| both(program, &corpus));
}

#[test]
fn every_query_of_nexmark_gives_one_answer() {
    let corpus = Corpus::new();
    let programs = corpus::nexmark();
    assert_eq!(programs.len(), 17);
    programs.iter().for_each(|program| both(program, &corpus));
}
