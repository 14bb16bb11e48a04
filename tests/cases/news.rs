//! `dualgauge new`: what a crate of one's own begins with.
//!
//! Whether the program in it compiles and its test is green, the tests of `dualgauge` itself say, of which it is one. Would
//! catch: a manifest that cargo cannot read, data that the graph cannot, and a directory of somebody's that is written over.

use std::process::Command;

use crate::Case;
use crate::support::Dir;

pub const CASES: &[Case] = &[
    ("a_new_crate_is_whole_and_cargo_reads_it", whole),
    ("a_new_crate_is_made_nowhere_else_and_over_nothing", refused),
];

fn whole() {
    let dir = Dir::new();
    let root = env!("CARGO_MANIFEST_DIR");
    let ran = dir.dualgauge(&["new", "shop/hot-pages", "--path", root]);
    assert!(ran.code == Some(0) && ran.out.contains("cd shop/hot-pages\ncargo test\n"), "{ran:?}");
    assert_eq!(dir.list("shop/hot-pages"), [".gitignore", "Cargo.toml", "README.md", "data", "src"]);
    let read = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(dir.path("shop/hot-pages/Cargo.toml"))
        .output()
        .unwrap();
    let said: serde_json::Value = serde_json::from_slice(&read.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&read.stderr)));
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
    assert!(dir.read("far/Cargo.toml").ends_with(&line), "{}", dir.read("far/Cargo.toml"));
}

fn refused() {
    let dir = Dir::new();
    dir.write("there/mine.txt", "mine");
    for (words, why) in [
        (&["new", "there"][..], "there is there already"),
        (&["new", "2hot"], "cargo takes no such name"),
        (&["new", "fn"], "the name is taken"),
        (&["new", "hot", "--path", "there"], "there is no crate `dualgauge`"),
        (&["new"], "NAME"),
    ] {
        let ran = dir.dualgauge(words);
        assert!(ran.code == Some(2) && ran.err.contains(why), "{words:?}: {ran:?}");
    }
    assert_eq!((dir.list(""), dir.list("there")), (vec!["there".to_string()], vec!["mine.txt".to_string()]));
}
