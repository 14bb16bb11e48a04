//! The words of other engines: whoever searches the API documentation for one finds what it is called here.
//!
//! Would catch: an operator that was renamed or moved and has left its aliases behind.

use super::{files, read};

/// A word of Flink, Beam, Kafka Streams, Spark, timely or bytewax, and the file of what is meant here.
const WORDS: &[(&str, &str)] = &[
    ("assignTimestampsAndWatermarks", "engine/src/flow/read/handle.rs"),
    ("forBoundedOutOfOrderness", "engine/src/flow/read/handle.rs"),
    ("timestamp extractor", "engine/src/flow/read/handle.rs"),
    ("withIdleness", "engine/src/flow/read/handle.rs"),
    ("sideOutputLateData", "engine/src/flow/stream.rs"),
    ("sinkTo", "engine/src/flow/stream.rs"),
    ("fromSource", "engine/src/flow/context.rs"),
    ("parallelism", "engine/src/job/run.rs"),
    ("enableCheckpointing", "engine/src/job/run.rs"),
    ("ParDo", "operators/src/map.rs"),
    ("peek", "operators/src/inspect.rs"),
    ("branch", "operators/src/split.rs"),
    ("concatenate", "operators/src/union.rs"),
    ("keyBy", "operators/src/key_by.rs"),
    ("exchange", "operators/src/key_by.rs"),
    ("grace", "operators/src/window/windowed.rs"),
    ("trigger", "operators/src/window/windowed.rs"),
    ("windowedBy", "operators/src/window/windowed.rs"),
    ("tumble", "operators/src/window/kind.rs"),
    ("hop", "operators/src/window/kind.rs"),
    ("SessionWindows", "operators/src/window/kind.rs"),
    ("GlobalWindows", "operators/src/window/kind.rs"),
    ("row_number", "operators/src/window/top_n.rs"),
    ("scan", "operators/src/keyed/fold.rs"),
    ("KeyedProcessFunction", "operators/src/keyed/process.rs"),
    ("registerEventTimeTimer", "operators/src/keyed/process.rs"),
    ("dropDuplicates", "operators/src/deduplicate.rs"),
    ("GlobalKTable", "operators/src/lookup.rs"),
    ("CoGroupByKey", "operators/src/join/window/mod.rs"),
    ("asof_join", "operators/src/join/temporal/mod.rs"),
    ("broadcast_state", "operators/src/join/broadcast/mod.rs"),
    ("avg", "operators/src/aggregate/mean.rs"),
];

#[test]
fn the_words_of_other_engines_lead_to_ours() {
    for (word, file) in WORDS {
        let alias = format!("#[doc(alias = \"{word}\")]");
        assert!(read(file).contains(&alias), "whoever looks for `{word}` does not find {file}");
    }
}

#[test]
fn an_alias_is_said_once_of_a_thing() {
    for file in files(&["engine/src", "operators/src", "connectors/src", "src"], ".rs") {
        let text = read(&file);
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("#[doc(alias")) {
            let block = lines[at + 1..].iter().take_while(|line| line.starts_with("#["));
            assert!(!block.into_iter().any(|other| other == line), "{file}: {line} is there twice");
        }
    }
}
