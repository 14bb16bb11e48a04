//! `dualgauge new`: what a crate of one's own begins with.
//!
//! Whether the program in it compiles and its test is green, the tests of `dualgauge` itself say, of which it is one. Would
//! catch: a manifest that cargo cannot read, data that the graph cannot, and a directory of somebody's that is written over.

use std::process::Command;

use crate::Case;
use crate::support::Dir;

pub const CASES: &[Case] = &[
    ("a_new_crate_is_whole_and_cargo_reads_it", whole),
    ("a_new_crate_stands_by_itself_inside_a_workspace", inside),
    ("a_new_crate_is_made_nowhere_else_and_over_nothing", refused),
];

/// What cargo reads of the crate at `path`.
fn metadata(dir: &Dir, path: &str) -> serde_json::Value {
    let read = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(dir.path(&format!("{path}/Cargo.toml")))
        .output()
        .unwrap();
    serde_json::from_slice(&read.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&read.stderr)))
}

fn whole() {
    let dir = Dir::new();
    let root = env!("CARGO_MANIFEST_DIR");
    let ran = dir.dualgauge(&["new", "shop/hot-pages", "--path", root]);
    assert!(ran.code == Some(0) && ran.out.contains("cd shop/hot-pages\ncargo test\n"), "{ran:?}");
    assert_eq!(dir.list("shop/hot-pages"), [".gitignore", "Cargo.toml", "README.md", "data", "src"]);
    let said = metadata(&dir, "shop/hot-pages");
    let package = &said["packages"][0];
    assert_eq!((&package["name"], &package["targets"][0]["kind"][0]), (&"hot-pages".into(), &"bin".into()));
    assert_eq!(package["dependencies"][0]["path"], root, "{package}");
    // The commands that it is told of are those of its page, and their data is there.
    let page = dir.read("shop/hot-pages/README.md");
    let commands = ran.out.split_once("cd shop/hot-pages\n").unwrap().1;
    assert!(page.contains(commands) && commands.contains("csv:data/visits.csv"), "{page}");
    assert!(dir.read("shop/hot-pages/src/main.rs").contains("dualgauge::main(counts)"));
    let fields: Vec<_> =
        dir.read("shop/hot-pages/data/visits.csv").lines().next().unwrap().split(',').map(String::from).collect();
    assert_eq!(fields, ["page", "time"], "those of the record");
    let far = dir.dualgauge(&["new", "far"]);
    assert!(far.code == Some(0), "{far:?}");
    let line = format!("dualgauge = {{ git = \"{}\" }}\n", env!("CARGO_PKG_REPOSITORY"));
    assert!(dir.read("far/Cargo.toml").contains(&line), "{}", dir.read("far/Cargo.toml"));
}

fn inside() {
    let dir = Dir::new();
    dir.write("all/Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = []\n");
    let made = dir.dualgauge(&["new", "all/hot-pages"]);
    assert!(made.code == Some(0), "{made:?}");
    let said = metadata(&dir, "all/hot-pages");
    let names: Vec<_> = said["packages"].as_array().unwrap().iter().map(|package| &package["name"]).collect();
    assert_eq!(names, ["hot-pages"]);
    let root = std::path::Path::new(said["workspace_root"].as_str().unwrap());
    assert!(root.ends_with("all/hot-pages"), "{root:?}");
}

fn refused() {
    let dir = Dir::new();
    dir.write("there/mine.txt", "mine");
    for (words, why) in [
        (&["new", "there"][..], "there is there already"),
        (&["new", "2hot"], "cargo takes no such name"),
        (&["new", "fn"], "the name is taken"),
        (&["new", "build"], "the name is taken"),
        (&["new", "hot", "--path", "there"], "there is no crate `dualgauge`"),
        (&["new"], "NAME"),
    ] {
        let ran = dir.dualgauge(words);
        assert!(ran.code == Some(2) && ran.err.contains(why), "{words:?}: {ran:?}");
    }
    assert_eq!((dir.list(""), dir.list("there")), (vec!["there".to_string()], vec!["mine.txt".to_string()]));
}
