//! What the compiler says of the mistakes of a first hour: the mistake and its mend, in the first lines.
//!
//! Would catch: a bound that moves to where its message names a private type, a note that is lost with a change of a trait, and a
//! method that is no longer found and therefore no longer explained. Each file in `cases` says in its head which words are to be
//! read. They are built as `cargo test --workspace` builds all else, so that nothing is compiled a second time but they.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// How many lines of all that is said of a program are its first.
const FIRST_LINES: usize = 20;

/// A mistake: its name, and the words that are to be read; none if it compiles.
fn cases() -> BTreeMap<String, Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let case = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let says =
            text.lines().filter_map(|line| line.strip_prefix("//! says: ")).map(str::to_string).collect::<Vec<_>>();
        assert_eq!(says.is_empty(), text.contains("\n//! compiles\n"), "{path:?}: it compiles, or it says something");
        (format!("mistake_{}", path.file_stem().unwrap().to_str().unwrap()), says)
    };
    files.map(case).collect()
}

/// What the compiler says of each program, in its order.
fn said() -> BTreeMap<String, String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    cargo.args(["build", "--workspace", "--example", "mistake_*", "--features", "dualgauge-mistakes/mistakes"]);
    cargo.args(["--keep-going", "--message-format", "json", "--quiet"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.output().unwrap();
    let mut said = BTreeMap::<String, String>::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        if let (Some(target), Some(text)) =
            (message["target"]["name"].as_str(), message["message"]["rendered"].as_str())
        {
            *said.entry(target.to_string()).or_default() += text;
        }
    }
    assert!(!said.is_empty(), "nothing was compiled: {}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn the_first_lines_name_the_mistake_and_its_mend() {
    let (cases, said) = (cases(), said());
    assert_eq!(cases.len(), 20);
    let mut wrong = Vec::new();
    for (name, words) in &cases {
        let said = said.get(name).map(String::as_str).unwrap_or_default();
        if words.is_empty() && said.contains("error") {
            wrong.push(format!("{name} compiled, and is now refused: say so in its head\n{said}"));
        }
        let first: Vec<_> = said.lines().take(FIRST_LINES).collect();
        let first = first.join("\n");
        for word in words.iter().filter(|word| !first.contains(word.as_str())) {
            wrong.push(format!("{name} does not say `{word}`, but\n{first}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
