//! What the compiler says of the mistakes of a first hour: the mistake and its mend, in the first lines.
//!
//! Would catch: a bound that moves to where its message names a private type, a note that is lost with a change of a trait, a
//! method that is no longer found and therefore no longer explained, and a case that no example builds. Each file in `cases`
//! says in its head what is to be read: our own words as `says:`, an error of the compiler's own as `code:`, since its words
//! change from one compiler to the next. They are built as `cargo test --workspace` builds all else, so that nothing is
//! compiled a second time but they.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// How many lines of all that is said of a program are its first.
const FIRST_LINES: usize = 20;

/// What the head of a case promises; nothing if it compiles.
struct Case {
    says: Vec<String>,
    codes: Vec<String>,
}

/// What the compiler made of a program.
#[derive(Default)]
struct Heard {
    is_built: bool,
    text: String,
    codes: Vec<String>,
}

/// The mistakes by the names of their examples.
fn cases() -> BTreeMap<String, Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let case = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let after =
            |start: &str| text.lines().filter_map(|line| line.strip_prefix(start)).map(str::to_string).collect();
        let case = Case { says: after("//! says: "), codes: after("//! code: ") };
        let compiles = text.contains("\n//! compiles\n");
        assert_eq!(case.compiles(), compiles, "{path:?}: it compiles, or it says something");
        assert!(text.contains("\n#![cfg(refused)]\n"), "{path:?}: `--all-features` would build it");
        (format!("mistake_{}", path.file_stem().unwrap().to_str().unwrap()), case)
    };
    files.map(case).collect()
}

impl Case {
    fn compiles(&self) -> bool {
        self.says.is_empty() && self.codes.is_empty()
    }

    /// What of this case is not as its head says.
    fn differences(&self, heard: &Heard) -> Vec<String> {
        let lines: Vec<_> = heard.text.lines().take(FIRST_LINES).collect();
        let first = lines.join("\n");
        let mut wrong = Vec::new();
        if heard.is_built != self.compiles() {
            let is = if heard.is_built { "compiles" } else { "does not compile" };
            wrong.push(format!("{is}: say so in its head, and why\n{first}"));
        }
        for code in self.codes.iter().filter(|code| !heard.codes.contains(code)) {
            wrong.push(format!("is refused by {:?} and not by {code}\n{first}", heard.codes));
        }
        for word in self.says.iter().filter(|word| !first.contains(word.as_str())) {
            wrong.push(format!("does not say `{word}`, but\n{first}"));
        }
        wrong
    }
}

/// What the compiler makes of each program that it is given.
fn heard() -> BTreeMap<String, Heard> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).env("DUALGAUGE_MISTAKES", "1");
    cargo.args(["build", "--workspace", "--example", "mistake_*", "--features", "dualgauge-mistakes/mistakes"]);
    cargo.args(["--keep-going", "--message-format", "json", "--quiet"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.output().unwrap();
    let mut heard = BTreeMap::<String, Heard>::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        let Some(target) = message["target"]["name"].as_str().filter(|name| name.starts_with("mistake_")) else {
            continue;
        };
        let heard = heard.entry(target.to_string()).or_default();
        heard.is_built |= message["reason"] == "compiler-artifact";
        heard.text += message["message"]["rendered"].as_str().unwrap_or_default();
        heard.codes.extend(message["message"]["code"]["code"].as_str().map(str::to_string));
    }
    assert!(!heard.is_empty(), "nothing was compiled: {}", String::from_utf8_lossy(&output.stderr));
    heard
}

#[test]
fn the_first_lines_name_the_mistake_and_its_mend() {
    let (cases, heard) = (cases(), heard());
    let (files, examples): (Vec<_>, Vec<_>) = (cases.keys().collect(), heard.keys().collect());
    assert_eq!(files, examples, "each file in `cases` is an example in Cargo.toml");
    let wrong = cases.iter().flat_map(|(name, case)| {
        case.differences(&heard[name]).into_iter().map(move |difference| format!("{name} {difference}"))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_case_that_compiled_and_is_refused_now_is_told_and_so_is_the_reverse() {
    let (fine, refused) =
        (Case { says: vec![], codes: vec![] }, Case { says: vec![], codes: vec!["E0308".to_string()] });
    let built = Heard { is_built: true, ..Heard::default() };
    let not_built = Heard { codes: vec!["E0308".to_string()], ..Heard::default() };
    assert!(fine.differences(&built).is_empty() && refused.differences(&not_built).is_empty());
    assert_eq!(fine.differences(&Heard::default()).len(), 1, "not built, without a word");
    assert_eq!(refused.differences(&built).len(), 2, "built, and without the code");
}
