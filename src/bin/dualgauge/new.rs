//! `dualgauge new`: a crate with one graph, one test, and data to run it on.
//!
//! The graph that is written is `new/graph.rs`, and its test is one of this program: what is given away compiles.

#[cfg(test)]
#[expect(dead_code, reason = "it is a program of its own")]
mod graph;

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, value_parser};
use dualgauge::{Error, Result};

use crate::print::answer;

const GRAPH: &str = include_str!("new/graph.rs");
const VISITS: &str = include_str!("new/visits.csv");

/// What no crate can be called that depends on this one: the crates that it would hide, and the directories of `target`, which
/// cargo refuses as names of binaries.
const TAKEN: &[&str] =
    &["dualgauge", "std", "core", "alloc", "test", "proc_macro", "build", "deps", "examples", "incremental"];

/// Words of the language, which cargo refuses as names.
const KEYWORDS: &str = "abstract as async await become box break const continue crate do dyn else enum extern false final fn \
                        for gen if impl in let loop macro match mod move mut override priv pub ref return self static \
                        struct super trait true try type typeof unsafe unsized use virtual where while yield";

pub(crate) fn command() -> Command {
    Command::new("new")
        .about("Make a crate with one graph, one test, and data to run it on")
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The directory to make, whose last part is the name of the crate"),
        )
        .arg(
            Arg::new("path")
                .long("path")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("Take dualgauge from this directory, and not from its repository"),
        )
}

pub(crate) fn call(matches: &ArgMatches) -> Result<()> {
    let dir = matches.get_one::<PathBuf>("name").expect("clap requires it");
    let name = crate_name(dir)?;
    let from = match matches.get_one::<PathBuf>("path") {
        Some(path) => format!("path = {}", quoted(&crate_at(path)?)),
        None => format!("git = {}", quoted(env!("CARGO_PKG_REPOSITORY"))),
    };
    if dir.exists() {
        return Err(Error::usage(format!("{} is there already; say another name", dir.display())));
    }
    for (file, text) in [
        ("Cargo.toml", manifest(name, &from)),
        (".gitignore", "/target\n/out\n".to_string()),
        ("README.md", readme(name)),
        ("src/main.rs", GRAPH.to_string()),
        ("data/visits.csv", VISITS.to_string()),
    ] {
        let path = dir.join(file);
        let parent = path.parent().expect("it has a directory");
        let written = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, text));
        written.map_err(|cause| Error::io(format!("cannot write {}", path.display()), cause))?;
    }
    answer!("{}: a graph, a test and data. Next:\n\n{}", dir.display(), commands(&format!("cd {}\n", dir.display())));
    Ok(())
}

/// The name of the crate at `dir`.
fn crate_name(dir: &Path) -> Result<&str> {
    let refused = |why: &str| {
        let dir = dir.display();
        Error::usage(format!("{dir}: {why}; expected a name of letters, digits, `-` and `_`, such as hot-pages"))
    };
    let name = dir.file_name().and_then(|name| name.to_str()).ok_or_else(|| refused("that is no name"))?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(fits) {
        return Err(refused("cargo takes no such name for a crate"));
    }
    if TAKEN.contains(&name) || KEYWORDS.split_whitespace().any(|word| word == name) {
        return Err(refused("the name is taken"));
    }
    Ok(name)
}

/// The whole path of the crate `dualgauge` in a directory.
fn crate_at(path: &Path) -> Result<String> {
    let manifest = path.join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).unwrap_or_default();
    if !text.contains("\nname = \"dualgauge\"\n") {
        return Err(Error::usage(format!("--path {}: there is no crate `dualgauge`", path.display())));
    }
    let whole = path.canonicalize().map_err(|cause| Error::io(path.display(), cause))?;
    let whole = whole.to_str().map(str::to_string);
    whole.ok_or_else(|| Error::usage(format!("--path {}: a manifest holds text, and that is none", path.display())))
}

/// As TOML writes text.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted += &format!("\\u{:04X}", c as u32),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

fn manifest(name: &str, from: &str) -> String {
    let rust = env!("CARGO_PKG_RUST_VERSION");
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\nrust-version = \"{rust}\"\n\n\
         [dependencies]\ndualgauge = {{ {from} }}\n\n\
         # The crate is a workspace of its own, wherever it lies; leave this out to make it a member of another.\n\
         [workspace]\n"
    )
}

/// What to do with the crate, behind `first`.
fn commands(first: &str) -> String {
    format!(
        "{first}cargo test\n\
         cargo run --release -- plan --source visits=csv:data/visits.csv\n\
         cargo run --release -- run --source visits=csv:data/visits.csv --sink counts=csv:-\n"
    )
}

fn readme(name: &str) -> String {
    format!(
        "# {name}\n\nHow often each page is visited, in windows of ten seconds: a graph of dualgauge.\n\n```sh\n{}```\n\n\
         The graph is `src/main.rs`. It does not know where its rows come from: `cargo run -- run --help` says what can stand \
         behind a name.\n",
        commands("")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_one_that_cargo_takes() {
        for (dir, name) in [("hot", Some("hot")), ("a/hot-pages_2", Some("hot-pages_2")), ("a/..", None), ("", None)]
            .into_iter()
            .chain(["2hot", "hot pages", "h\u{f6}t", "fn", "-hot", "hot.rs"].map(|name| (name, None)))
            .chain(TAKEN.iter().map(|name| (*name, None)))
        {
            let found = crate_name(Path::new(dir)).map_err(|error| error.to_string());
            assert_eq!(found.as_deref().ok(), name, "{dir}: {found:?}");
        }
    }

    #[test]
    fn text_is_quoted_as_toml_reads_it() {
        for text in ["/home", "a \"b\" \\c", "new\nline"] {
            let table: toml::Table = format!("path = {}", quoted(text)).parse().unwrap();
            assert_eq!(table["path"].as_str(), Some(text));
        }
    }
}
