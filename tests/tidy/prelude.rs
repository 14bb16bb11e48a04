//! The prelude, kept free of names that people bring from elsewhere.
//!
//! Would catch: a `min` or a `log` in the prelude, which takes the place of a crate's name or stands beside a function of the
//! same name, so that a program which imports both by `*` no longer compiles.

use super::read;

/// Functions, macros, modules and traits of the standard library and of crates in wide use that programs import, also by `*`;
/// and the names of crates that a program may depend on.
const TAKEN: &[&str] = &[
    // std::cmp, std::iter, std::mem, std::fs, std::io, std::array
    "max",
    "max_by",
    "max_by_key",
    "min",
    "min_by",
    "min_by_key",
    "minmax",
    "Ordering",
    "Reverse",
    "empty",
    "from_fn",
    "once",
    "once_with",
    "repeat",
    "repeat_n",
    "repeat_with",
    "successors",
    "zip",
    "Filter",
    "FilterMap",
    "FlatMap",
    "Inspect",
    "Map",
    "Sum",
    "Product",
    "drop",
    "replace",
    "swap",
    "take",
    "copy",
    "read",
    "write",
    "rename",
    "stdin",
    "stdout",
    "from_ref",
    "Context",
    "Add",
    "Not",
    "Index",
    "Display",
    // anyhow, log, tracing, itertools, rand, rayon, futures
    "anyhow",
    "bail",
    "ensure",
    "Chain",
    "debug",
    "error",
    "info",
    "trace",
    "warn",
    "log",
    "logger",
    "max_level",
    "set_logger",
    "Level",
    "LevelFilter",
    "Log",
    "event",
    "span",
    "Span",
    "Event",
    "Metadata",
    "Value",
    "all",
    "any",
    "chain",
    "cloned",
    "concat",
    "enumerate",
    "equal",
    "fold",
    "join",
    "partition",
    "process_results",
    "rev",
    "sorted",
    "Itertools",
    "random",
    "rng",
    "thread_rng",
    "Rng",
    "Distribution",
    "split",
    "select",
    "sink",
    "source",
    "channel",
    // Names that programs give their own functions and modules.
    "of",
    "count",
    "sum",
    "mean",
    "first",
    "last",
    "collect",
    "then",
    "filtered",
    "quantile",
    "top_k",
    "run",
    "main",
    // Crates.
    "arrow",
    "bytes",
    "chrono",
    "csv",
    "futures",
    "itertools",
    "jiff",
    "json",
    "parquet",
    "rand",
    "rayon",
    "regex",
    "serde",
    "serde_json",
    "time",
    "tokio",
    "tracing",
    "url",
];

/// What the prelude exports, by the names that a program sees.
fn exported() -> Vec<String> {
    let file = read("src/lib.rs");
    let (_, prelude) = file.split_once("pub mod prelude {").expect("the prelude stands in src/lib.rs");
    let (prelude, _) = prelude.split_once("\n}").expect("the prelude ends");
    let uses = prelude.split("pub use ").skip(1).filter_map(|one| one.split_once(';')).map(|(one, _)| one);
    let names = uses.flat_map(|one| {
        let list = one.split_once('{').map_or_else(|| one.rsplit("::").next().unwrap_or(one), |(_, list)| list);
        list.trim_end_matches('}').split(',').map(str::trim).filter(|name| !name.is_empty()).collect::<Vec<_>>()
    });
    let seen = names.map(|name| name.rsplit(" as ").next().unwrap_or(name).to_string());
    seen.filter(|name| name != "_").collect()
}

#[test]
fn the_prelude_takes_no_name_that_others_have() {
    let exported = exported();
    assert!(exported.iter().any(|name| name == "agg") && exported.len() > 20, "read wrongly: {exported:?}");
    let taken: Vec<_> = exported.iter().filter(|name| TAKEN.contains(&name.as_str()) || *name == "*").collect();
    assert!(taken.is_empty(), "the prelude exports {taken:?}: let a path lead there instead");
}
