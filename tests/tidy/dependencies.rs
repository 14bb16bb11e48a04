//! The tree of dependencies: whose licences it has, what is in it twice, and what is in it although nobody keeps it.
//!
//! Would catch: a new dependency under a licence that the users of this one cannot meet, a second copy that comes with an
//! update, and a package that the table excuses and nobody needs any more. What is allowed is in `dependencies.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde::Deserialize;

use super::{read, root};

/// What is allowed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    licences: Vec<String>,
    double: Vec<Double>,
    kept: Vec<Kept>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Double {
    name: String,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    name: String,
    version: String,
    through: Vec<String>,
    why: String,
}

/// What cargo says.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

fn allowed() -> Allowed {
    toml::from_str(&read("dependencies.toml")).unwrap_or_else(|error| panic!("dependencies.toml: {error}"))
}

/// The whole tree; from the network only what is not on this machine yet.
fn tree() -> Metadata {
    let ask = |more: &[&str]| {
        let words = ["metadata", "--format-version", "1", "--locked", "--all-features"];
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(root()).args(words).args(more).output().unwrap()
    };
    let mut said = ask(&["--offline"]);
    if !said.status.success() {
        said = ask(&[]);
    }
    assert!(said.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).unwrap()
}

/// Whether a licence, in the words of SPDX, can be met with those in the list. `AND` binds more than `OR`.
fn is_met(licence: &str, list: &[String]) -> bool {
    // Of old, a stroke was an `OR`.
    let words = licence.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = words.split_whitespace().collect();
    let (met, rest) = any(&words, list);
    assert!(rest.is_empty(), "`{licence}` cannot be read from `{}` on", rest.join(" "));
    met
}

fn any<'a, 'b>(words: &'a [&'b str], list: &[String]) -> (bool, &'a [&'b str]) {
    let (mut met, mut rest) = all(words, list);
    while let Some(("OR", more)) = rest.split_first().map(|(word, more)| (*word, more)) {
        let (other, behind) = all(more, list);
        (met, rest) = (met | other, behind);
    }
    (met, rest)
}

fn all<'a, 'b>(words: &'a [&'b str], list: &[String]) -> (bool, &'a [&'b str]) {
    let (mut met, mut rest) = one(words, list);
    while let Some(("AND", more)) = rest.split_first().map(|(word, more)| (*word, more)) {
        let (other, behind) = one(more, list);
        (met, rest) = (met & other, behind);
    }
    (met, rest)
}

fn one<'a, 'b>(words: &'a [&'b str], list: &[String]) -> (bool, &'a [&'b str]) {
    match words {
        ["(", inner @ ..] => {
            let (met, rest) = any(inner, list);
            assert_eq!(rest.first(), Some(&")"), "a parenthesis is closed");
            (met, &rest[1..])
        }
        [licence, "WITH", exception, rest @ ..] => (list.contains(&format!("{licence} WITH {exception}")), rest),
        [licence, rest @ ..] => (list.iter().any(|one| one == licence), rest),
        [] => panic!("a licence is missing"),
    }
}

#[test]
fn a_licence_is_met_as_it_is_written() {
    let list = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_string);
    for (licence, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT/Apache-2.0", true),
        ("MIT AND GPL-3.0", false),
        ("GPL-3.0 OR MIT AND ISC", true),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("(GPL-3.0 OR MIT) AND BSD-3-Clause", false),
        ("Apache-2.0", false),
        ("Apache-2.0 WITH LLVM-exception", true),
    ] {
        assert_eq!(is_met(licence, &list), met, "{licence}");
    }
}

#[test]
fn dependencies_have_licences_that_can_be_met() {
    let (allowed, tree) = (allowed(), tree());
    for Package { name, version, license, .. } in &tree.packages {
        let licence = license.as_deref().unwrap_or_else(|| panic!("{name} {version} names no licence"));
        assert!(is_met(licence, &allowed.licences), "{name} {version} is under {licence}");
    }
}

#[test]
fn dependencies_are_there_once_or_excused() {
    let (allowed, tree) = (allowed(), tree());
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in &tree.packages {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    for (name, versions) in &versions {
        let excused = allowed.double.iter().any(|double| double.name == *name);
        assert!(versions.len() == 1 || excused, "{name} is there in versions {versions:?}");
        assert!(versions.len() > 1 || !excused, "{name} is excused and there once");
    }
    for Double { name, why } in &allowed.double {
        assert!(versions.contains_key(&name[..]) && !why.is_empty(), "{name} is excused and not there");
    }
}

#[test]
fn dependencies_that_nobody_keeps_come_through_those_that_are_named() {
    let (allowed, tree) = (allowed(), tree());
    let name =
        |id: &str| tree.packages.iter().find(|package| package.id == id).map(|package| &package.name[..]).unwrap();
    for Kept { name: kept, version, through, why } in &allowed.kept {
        let package = tree.packages.iter().find(|package| package.name == *kept);
        let package = package.unwrap_or_else(|| panic!("{kept} is excused and not there"));
        assert_eq!(&package.version, version, "{kept}");
        let users = tree.resolve.nodes.iter().filter(|node| node.dependencies.contains(&package.id));
        let users: BTreeSet<&str> = users.map(|node| name(&node.id)).collect();
        assert_eq!(users, through.iter().map(String::as_str).collect(), "who uses {kept}");
        assert!(!why.is_empty());
    }
}
