//! Several processes on one machine, whose frames are sealed, and encrypted where that is asked for.

use crate::Case;
use crate::support::Dir;

pub const CASES: &[Case] = &[("processes_that_encrypt_write_what_one_writes", encrypted)];

fn encrypted() {
    let dir = Dir::new();
    for file in 0..3 {
        let line = |at| format!("k{},{at},2024-01-01T{:02}:{:02}:00Z\n", at % 7, at / 60 % 24, at % 60);
        dir.write(&format!("in/{file}.csv"), format!("key,value,ts\n{}", (0..900).map(line).collect::<String>()));
    }
    let run = |out: &str, more: &[&str]| {
        let (sink, late) = (format!("out=csv:{out}/o/?span=1h"), format!("late=csv:{out}/l/"));
        let words = ["run", "-q", "--source", "in=csv:in/", "--sink", &sink, "--sink", &late];
        let ran = dir.run("hours", &[&words[..], more].concat());
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{more:?}");
        // What a reader of the output sees.
        let names = dir.list(&format!("{out}/o")).into_iter().filter(|name| !name.starts_with('.'));
        names.map(|name| (name.clone(), dir.read(&format!("{out}/o/{name}")))).collect::<Vec<_>>()
    };
    let alone = run("alone", &[]);
    assert!(alone.len() > 10, "{alone:?}");
    for more in [&["--processes", "2"][..], &["--processes", "2", "--cluster-encrypt"]] {
        assert_eq!(run(&more.len().to_string(), more), alone, "{more:?}");
    }
}
