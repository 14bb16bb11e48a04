//! Hello: the words of a stream, counted every minute.
//!
//! `cargo run --example hello`

use dualgauge::prelude::*;

#[record]
struct Word {
    word: String,
    #[event_time]
    at: EventTime,
}

#[record]
struct Count {
    word: String,
    count: u64,
    #[event_time]
    at: EventTime,
}

/// Counts the words of each minute.
pub fn counts(flow: &Flow) {
    flow.source::<Word>("words")
        .key_by(|word| word.word.clone())
        .window(tumbling(1.minutes()))
        .aggregate("counts", agg::count())
        .map(|pane| Count { at: pane.time, word: pane.key, count: pane.value })
        .sink("counts");
}

fn main() -> dualgauge::Result<()> {
    let words = ["hello", "past", "hello", "present", "hello", "world"];
    let noon: EventTime = "2026-01-01T12:00:00Z".parse()?;
    let said = |(nth, word): (i64, &str)| Word { word: word.to_string(), at: noon + (20 * nth).seconds() };
    let said = (0..).zip(words).map(said).collect();

    let out = memory::collect::<Count>();
    Job::new(counts).source("words", memory::rows(said)).sink("counts", out.clone()).run()?;

    for Count { word, count, at } in out.rows() {
        println!("until {}  {word:<8} {count}", at + 1.micros());
    }
    let counted: Vec<_> = out.rows().into_iter().map(|row| (row.word, row.count)).collect();
    let expected = [("hello", 2), ("past", 1), ("hello", 1), ("present", 1), ("world", 1)];
    assert_eq!(counted, expected.map(|(word, count)| (word.to_string(), count)));
    Ok(())
}
