//! What whoever adds one of our crates is told of it, and what cargo needs to package it.
//!
//! Would catch: a crate that names a sister by its path alone, so that it cannot be published; a page, a licence or a lint
//! that a new crate came without; a library in which `unsafe` could be allowed; a package without a page that its sources read.

use toml::{Table, Value};

use super::{read, root};

/// The folders of our crates, that of the façade first.
const CRATES: &[&str] = &["", "engine/", "engine/derive/", "operators/", "connectors/"];

fn manifest(dir: &str) -> Table {
    let name = format!("{dir}Cargo.toml");
    read(&name).parse().unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What stands at a path of keys.
fn at<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let value = table.get(*first)?;
    if rest.is_empty() { Some(value) } else { at(value.as_table()?, rest) }
}

#[test]
fn every_crate_of_ours_is_in_the_table() {
    let whole = manifest("");
    let members = at(&whole, &["workspace", "members"]).and_then(Value::as_array).unwrap();
    let members: Vec<_> = members.iter().map(|member| format!("{}/", member.as_str().unwrap())).collect();
    // What is not published needs none of it.
    let published: Vec<_> = members
        .iter()
        .filter(|dir| at(&manifest(dir), &["package", "publish"]).is_none())
        .map(String::as_str)
        .collect();
    assert_eq!(published, CRATES[1..]);
}

#[test]
fn a_crate_of_ours_is_named_by_path_and_by_the_version_that_it_has() {
    let whole = manifest("");
    let version = at(&whole, &["workspace", "package", "version"]).and_then(Value::as_str).unwrap();
    let all = at(&whole, &["workspace", "dependencies"]).and_then(Value::as_table).unwrap();
    let is_published = |value: &Value| {
        let path = value.get("path").and_then(Value::as_str);
        path.is_some_and(|path| at(&manifest(&format!("{path}/")), &["package", "publish"]).is_none())
    };
    let ours: Vec<_> = all.iter().filter(|(_, value)| is_published(value)).collect();
    assert_eq!(ours.len(), CRATES.len());
    for (name, value) in ours {
        assert_eq!(value.get("version").and_then(Value::as_str), Some(version), "{name}");
    }
    for dir in CRATES {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, value) in at(&manifest(dir), &[section]).and_then(Value::as_table).into_iter().flatten() {
                assert!(value.get("path").is_none(), "{dir}Cargo.toml: {name} comes from the workspace");
            }
        }
    }
}

#[test]
fn a_crate_says_what_it_is_and_keeps_the_rules_of_all() {
    for dir in CRATES {
        let manifest = manifest(dir);
        for key in ["description", "readme", "keywords", "categories"] {
            assert!(at(&manifest, &["package", key]).is_some(), "{dir}Cargo.toml: package.{key}");
        }
        for key in ["version", "license", "repository", "rust-version"] {
            let inherited = at(&manifest, &["package", key, "workspace"]).and_then(Value::as_bool);
            assert_eq!(inherited, Some(true), "{dir}Cargo.toml: package.{key}");
        }
        let keywords = at(&manifest, &["package", "keywords"]).and_then(Value::as_array).unwrap();
        let fits = |word: &Value| word.as_str().is_some_and(|word| word.len() <= 20);
        assert!(
            keywords.len() <= 5 && keywords.iter().all(fits),
            "{dir}Cargo.toml: the registry takes five short ones"
        );
        let docs = at(&manifest, &["package", "metadata", "docs", "rs", "all-features"]);
        assert_eq!(docs.and_then(Value::as_bool), Some(true), "{dir}Cargo.toml: docs.rs shows all features");
        let lints = at(&manifest, &["lints", "workspace"]).and_then(Value::as_bool);
        assert_eq!(lints, Some(true), "{dir}Cargo.toml: lints.workspace");
        for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
            assert!(root().join(dir).join(file).exists(), "{dir}{file} is in the package");
        }
        assert!(read(&format!("{dir}src/lib.rs")).contains("#![forbid(unsafe_code)]"), "{dir}src/lib.rs");
    }
}

#[test]
fn the_package_of_the_facade_has_the_pages_that_its_sources_read_and_none_of_its_tests() {
    let whole = manifest("");
    let include = at(&whole, &["package", "include"]).and_then(Value::as_array).expect("package.include");
    let include: Vec<_> = include.iter().filter_map(Value::as_str).collect();
    // A pattern of ours is a name, or one with a star at its end or before its ending.
    let has = |file: &str| {
        include.iter().any(|pattern| match pattern.trim_start_matches('/').split_once('*') {
            Some((start, end)) => file.starts_with(start) && file.ends_with(end),
            None => file == pattern.trim_start_matches('/'),
        })
    };
    let docs = read("src/docs.rs");
    let pages: Vec<_> = docs.split("include_str!(\"../").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(pages.contains(&"README.md") && pages.len() > 3, "{pages:?}");
    for file in pages.into_iter().chain(["src", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"]) {
        assert!(has(file), "Cargo.toml: package.include has no {file}");
    }
    assert!(!has("tests") && !has("benches") && !has(".ci/run"), "{include:?}");
}

#[test]
fn the_workspace_has_the_lints_that_its_crates_inherit() {
    let whole = manifest("");
    let lint = |tool: &str, name: &str| {
        at(&whole, &["workspace", "lints", tool, name]).and_then(Value::as_str).map(str::to_string)
    };
    assert_eq!(lint("rust", "unsafe_code").as_deref(), Some("deny"));
    assert_eq!(lint("rust", "missing_docs").as_deref(), Some("warn"));
    assert_eq!(lint("clippy", "incompatible_msrv").as_deref(), Some("warn"));
    assert!(read(".ci/run").contains("cargo package --workspace --no-verify"), ".ci/run packages every crate");
}

#[test]
fn the_page_on_upgrading_has_the_release_and_the_pins_that_there_are() {
    let (page, whole) = (read("docs/upgrading.md"), manifest(""));
    let version = at(&whole, &["workspace", "package", "version"]).and_then(Value::as_str).unwrap();
    assert!(page.contains(&format!("\n### {version}\n")), "docs/upgrading.md has no section for {version}");
    let timely = at(&whole, &["workspace", "dependencies", "timely"]).and_then(Value::as_str).unwrap();
    assert!(timely.starts_with('='), "docs/upgrading.md says that timely is pinned");
}
