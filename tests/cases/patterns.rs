//! Which files a source reads, the same for every format: directories, Hive partitions, patterns, and what is left out.

use crate::Case;
use crate::support::Dir;

pub const CASES: &[Case] = &[
    ("a_directory_is_read_whole_and_what_is_left_out_is_told", directories),
    ("a_pattern_stands_for_what_it_says_in_any_part_of_a_path", patterns),
    ("nothing_to_read_is_an_error_unless_it_is_allowed", nothing),
    ("a_table_whose_list_is_not_read_is_refused_by_name", tables),
    ("directories_are_columns_where_that_is_asked_for", columns),
    ("a_directory_gives_every_type_that_a_field_of_text_gives", typed_columns),
    ("names_and_links_that_cannot_be_read_end_no_run_and_are_told", odd_names),
    ("a_file_is_read_once_however_many_links_lead_to_it", links),
    ("a_file_beside_its_compressed_self_is_told", packed_beside_plain),
    ("what_is_left_out_of_a_table_is_told_too", left_out_of_a_table),
];

/// Every format, with an ending of its names and the same in other letters.
const FORMATS: [(&str, &str, &str); 4] =
    [("csv", "csv", "CSV"), ("json", "jsonl", "Json"), ("parquet", "parquet", "PARQUET"), ("parquet", "parq", "Pq")];

/// Writes a file of one row with this value; `name` ends with `EXT` where the ending of the format goes.
pub fn row(dir: &Dir, scheme: &str, name: &str, value: i64) {
    let csv = format!("key,value,ts\na,{value},2024-01-01T00:00:00Z\n");
    match scheme {
        "csv" => dir.write(name, csv),
        "json" => dir.write(name, format!("{{\"key\":\"a\",\"value\":{value},\"ts\":\"2024-01-01T00:00:00Z\"}}\n")),
        _ => {
            let (from, made) = (format!("made/{value}.csv"), format!("made/{value}"));
            dir.write(&from, csv);
            let (from, to) = (format!("in=csv:{from}"), format!("out=parquet:{made}?buckets=1&overwrite=true"));
            let ran = dir.run("ev", &["run", "-q", "--source", &from, "--sink", &to]);
            assert_eq!(ran.code, Some(0), "{}", ran.err);
            let file = dir.list(&made).into_iter().find(|name| name.ends_with(".parquet")).unwrap();
            dir.write(name, std::fs::read(dir.path(&format!("{made}/{file}"))).unwrap());
        }
    }
}

/// The values that are read of a binding, in order, and what was said.
fn read(dir: &Dir, graph: &str, binding: &str) -> (Vec<i64>, String) {
    let ran = dir.run(graph, &["run", "--source", &format!("in={binding}"), "--sink", "out=json:-"]);
    assert_eq!(ran.code, Some(0), "{binding}: {}", ran.err);
    let value =
        |line: &str| line.split("\"value\":").nth(1).unwrap().split([',', '}']).next().unwrap().parse().unwrap();
    let mut values: Vec<i64> = ran.out.lines().map(value).collect();
    values.sort();
    (values, ran.err)
}

fn directories() {
    for (scheme, ending, other) in FORMATS {
        let dir = Dir::new();
        let data = ["d/a.EXT", "d/sub/b.EXT", "d/day=1/c.EXT", "d/_day=2/x=1/d.EXT", "d/E.OTHER"];
        let not = ["d/_temporary/x.EXT", "d/.hidden/x.EXT", "d/.y.EXT", "d/_z.EXT", "d/_w/_day=1/x.EXT"];
        let named = |name: &str| name.replace("EXT", ending).replace("OTHER", other);
        data.iter().zip(1..).for_each(|(name, value)| row(&dir, scheme, &named(name), value));
        not.iter().for_each(|name| row(&dir, scheme, &named(name), 9));
        dir.write("d/other.txt", "x");
        dir.write("d/_SUCCESS", "");
        let (values, said) = read(&dir, "ev", &format!("{scheme}:d"));
        assert_eq!(values, [1, 2, 3, 4, 5], "{scheme} {ending}: {said}");
        let plan = dir.run("ev", &["plan", "--source", &format!("in={scheme}:d")]).out;
        for said in [said, plan] {
            for words in ["d: 5 entries are not read; 1 is not *.", ": other.txt", "4 have names that begin with"] {
                assert!(said.contains(words), "{scheme} {ending}: {words}: {said}");
            }
            assert!(said.contains(&named(".y.EXT, _temporary, _w and 1 more")), "{scheme} {ending}: {said}");
        }
    }
}

fn patterns() {
    for (scheme, ending, _) in FORMATS {
        let dir = Dir::new();
        let data = ["d/a.EXT", "d/b.EXT", "d/day=1/c.EXT", "d/day=2/x=1/d.EXT", "d/sub/e"];
        let named = |name: &str| name.replace("EXT", ending);
        data.iter().zip(1..).for_each(|(name, value)| row(&dir, scheme, &named(name), value));
        for (pattern, values) in [
            ("d/*.EXT", &[1, 2][..]),
            ("d/?.EXT", &[1, 2]),
            ("d/[b-z].EXT", &[2]),
            ("d/{a,x}.EXT", &[1]),
            ("d/**/?.EXT", &[1, 2, 3, 4]),
            ("**/d.EXT", &[4]),
            ("d/*/*.EXT", &[3]),
            ("d/day=[0-9]", &[3, 4]),
            ("d/day=?/?.EXT", &[3]),
            ("d/day=*/**/d.EXT", &[4]),
            ("d/*", &[1, 2, 3, 4]),
            ("d/sub/?", &[5]),
            ("?/day=1/c.EXT", &[3]),
        ] {
            let pattern = named(pattern);
            assert_eq!(read(&dir, "ev", &format!("{scheme}:{pattern}?hive=false")).0, values, "{scheme}:{pattern}");
        }
        row(&dir, scheme, &named("d/[x].EXT"), 6);
        assert_eq!(
            read(&dir, "ev", &named(&format!("{scheme}:d/[x].EXT"))).0,
            [6],
            "a name that is there is no pattern"
        );
    }
}

fn nothing() {
    for (scheme, ending, _) in FORMATS {
        let dir = Dir::new();
        dir.write("d/other.txt", "x");
        dir.write("d/_work/x.txt", "x");
        std::fs::create_dir(dir.path("e")).unwrap();
        for (path, code, words) in [
            ("d", 2, "directory d has no file *."),
            ("d", 2, "2 entries are not read; 1 is not *."),
            ("e", 2, "directory e has no file *."),
            ("d/*.EXT", 2, "no file matches d/*."),
            ("d/**", 2, "no file matches d/**"),
            ("not/there.EXT", 1, "not/there."),
            ("not/*.EXT", 1, "cannot list not"),
        ] {
            let binding = format!("in={scheme}:{}", path.replace("EXT", ending));
            for graph in ["ev", "lookup"] {
                let (source, table) = match graph {
                    "ev" => (binding.clone(), None),
                    _ => ("in=csv:-".to_string(), Some(binding.replace("in=", "cats="))),
                };
                let run = |options: &str| {
                    let (mut source, mut table) = (source.clone(), table.clone());
                    table.as_mut().unwrap_or(&mut source).push_str(options);
                    let mut words = vec!["run", "-q", "--source", &source, "--sink", "out=json:-"];
                    words.extend(table.iter().flat_map(|table| ["--source", table]));
                    dir.run(graph, &words)
                };
                let ran = run("");
                assert_eq!(ran.code, Some(code), "{graph} {binding}: {}", ran.err);
                assert!(ran.err.contains(words), "{graph} {binding}: {}", ran.err);
                let ran = run("?allow_empty=true");
                assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{graph} {binding}: {}", ran.err);
            }
        }
    }
}

fn tables() {
    for (scheme, ending, _) in FORMATS {
        let dir = Dir::new();
        let file = format!("d/t/day=1/a.{ending}");
        row(&dir, scheme, &file, 1);
        dir.write("d/t/_delta_log/00000000000000000000.json", "{}");
        for path in ["d", "d/t", "d/t/day=1", "d/t/*", "d/t/day=1/*", "d/*/*/*"] {
            let ran = dir.run("ev", &["run", "--source", &format!("in={scheme}:{path}"), "--sink", "out=json:-"]);
            assert_eq!(ran.code, Some(2), "{scheme}:{path}: {}", ran.err);
            assert!(ran.err.contains("d/t is a Delta table: its `_delta_log`"), "{scheme}:{path}: {}", ran.err);
        }
        assert_eq!(read(&dir, "ev", &format!("{scheme}:{file}")).0, [1]);
    }
}

fn columns() {
    for (scheme, ending, _) in FORMATS {
        let dir = Dir::new();
        for (name, value) in
            [("day=2024-01-02/shop=7", 1), ("day=a%3Ab/shop=__HIVE_DEFAULT_PARTITION__", 2), ("day=c/shop=-8", 3)]
        {
            row(&dir, scheme, &format!("d/{name}/x.{ending}"), value);
        }
        let run = |binding: &str| dir.run("ev_day", &["run", "-q", "--source", binding, "--sink", "out=csv:-"]);
        let ran = run(&format!("in={scheme}:d?hive=true"));
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{scheme}");
        let mut rows: Vec<_> = ran.out.lines().skip(1).map(|line| line.replace("2024-01-01T00:00:00Z,", "")).collect();
        rows.sort();
        assert_eq!(rows, ["1,2024-01-02,7", "2,a:b,", "3,c,-8"], "{scheme}");
        let ran = run(&format!("in={scheme}:d/day=2*?hive=true"));
        assert!(ran.out.contains(",2024-01-02,7"), "{scheme}: {}", ran.err);
        let ran = run(&format!("in={scheme}:d"));
        assert_eq!(ran.code, Some(1), "{scheme}: {}", ran.err);
        row(&dir, scheme, &format!("d/day=x/shop=many/x.{ending}"), 4);
        let ran = run(&format!("in={scheme}:d?hive=true"));
        assert_eq!(ran.code, Some(1), "{scheme}: {}", ran.err);
        assert!(ran.err.contains("the directory `shop=many`: that is not Int64"), "{scheme}: {}", ran.err);
    }
}

fn typed_columns() {
    const PATHS: [&str; 3] =
        ["at=2024-01-02 03%3A04%3A05/d=PT1.5S", "at=2024-01-02T03:04:05Z/d=2s", "at=1704164645/d=500"];
    for (scheme, ending, _) in FORMATS {
        let dir = Dir::new();
        for (path, value) in PATHS.into_iter().zip(1..) {
            row(&dir, scheme, &format!("d/{path}/price=1{value}.50/ok=true/x.{ending}"), value);
        }
        let run = |binding: &str| dir.run("ev_typed", &["run", "-q", "--source", binding, "--sink", "out=csv:-"]);
        let ran = run(&format!("in={scheme}:d?hive=true&unit.at=s&unit.d=ms"));
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{scheme}");
        let lines: Vec<_> = ran.out.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "1,2024-01-02T03:04:05Z,PT1.5S,11.50,true",
                "2,2024-01-02T03:04:05Z,PT2S,12.50,true",
                "3,2024-01-02T03:04:05Z,PT0.5S,13.50,true",
            ],
            "{scheme}"
        );
        let ran = run(&format!("in={scheme}:d?hive=true"));
        assert_eq!(ran.code, Some(1), "{scheme}: {}", ran.err);
        let said =
            "the directory `at=1704164645`: that is not Timestamp(µs, \"UTC\"); expected a number whose unit is said";
        assert!(ran.err.contains(said), "{scheme}: {}", ran.err);
    }
}

#[cfg(unix)]
fn odd_names() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    for (scheme, ending, _) in FORMATS {
        let dir = Dir::new();
        row(&dir, scheme, &format!("d/a.{ending}"), 1);
        row(&dir, scheme, &format!("far/b.{ending}"), 2);
        let odd = [b"d/odd\xff.", ending.as_bytes()].concat();
        std::fs::write(dir.path("").join(std::ffi::OsStr::from_bytes(&odd)), "x").unwrap();
        symlink("nowhere", dir.path(&format!("d/gone.{ending}"))).unwrap();
        symlink("../d", dir.path("d/back")).unwrap();
        symlink("../far", dir.path("d/far")).unwrap();
        let made = dir.shell(&format!("mkfifo d/pipe.{ending}")).status().unwrap();
        assert!(made.success());
        let binding = |path: &str| format!("{scheme}:{path}");
        let (values, said) = read(&dir, "ev", &binding("d"));
        assert_eq!(values, [1, 2], "{scheme}: {said}");
        for words in [
            "d: 4 entries are not read; ",
            &format!("1 has a name that is not UTF-8: odd\u{fffd}.{ending}"),
            &format!("1 is a link that leads nowhere: gone.{ending}"),
            "1 is a link that leads back to a directory above: back",
            &format!("1 is neither file nor directory: pipe.{ending}"),
        ] {
            assert!(said.contains(words), "{scheme}: {words}: {said}");
        }
        assert_eq!(read(&dir, "ev", &binding(&format!("d/*.{ending}"))).0, [1], "{scheme}");
    }
}

#[cfg(not(unix))]
fn odd_names() {}

fn packed_beside_plain() {
    for (scheme, ending, _) in &FORMATS[..2] {
        let dir = Dir::new();
        row(&dir, scheme, &format!("d/a.{ending}"), 1);
        row(&dir, scheme, &format!("d/b.{ending}.gz"), 2);
        assert!(!read(&dir, "ev", &format!("{scheme}:d")).1.contains("the same rows"), "{scheme}");
        row(&dir, scheme, &format!("d/a.{ending}.gz"), 1);
        let (values, said) = read(&dir, "ev", &format!("{scheme}:d"));
        assert_eq!(values, [1, 1, 2], "{scheme}: {said}");
        let words = format!("d: a.{ending}.gz is read, and beside it what has its name without that ending");
        assert!(said.contains(&words), "{scheme}: {said}");
    }
}

#[cfg(unix)]
fn links() {
    use std::os::unix::fs::symlink;
    for (scheme, ending, _) in FORMATS {
        let dir = Dir::new();
        row(&dir, scheme, &format!("d/day=1/a.{ending}"), 1);
        row(&dir, scheme, &format!("d/day=2/b.{ending}"), 2);
        row(&dir, scheme, &format!("far/c.{ending}"), 3);
        symlink("day=2", dir.path("d/latest")).unwrap();
        symlink("latest", dir.path("d/a-newer-latest")).unwrap();
        symlink(format!("day=1/a.{ending}"), dir.path(&format!("d/first.{ending}"))).unwrap();
        symlink("../far", dir.path("d/far")).unwrap();
        symlink("../far", dir.path("d/far-too")).unwrap();
        for path in ["d".to_string(), "d/*".to_string(), format!("d/**/*.{ending}"), format!("{{d,d}}/**/*.{ending}")] {
            let (values, said) = read(&dir, "ev", &format!("{scheme}:{path}"));
            assert_eq!(values, [1, 2, 3], "{scheme}:{path}: {said}");
            assert!(said.contains("4 are read already under another name: "), "{scheme}:{path}: {said}");
        }
        // What is found by links alone is read.
        assert_eq!(read(&dir, "ev", &format!("{scheme}:d/latest")).0, [2], "{scheme}");
        assert_eq!(read(&dir, "ev", &format!("{scheme}:d/{{latest,first*}}")).0, [1, 2], "{scheme}");
        // Names that no link gives are files of their own.
        std::fs::hard_link(dir.path(&format!("d/day=1/a.{ending}")), dir.path(&format!("d/day=1/z.{ending}"))).unwrap();
        assert_eq!(read(&dir, "ev", &format!("{scheme}:d/day=1")).0, [1, 1], "{scheme}");
    }
}

#[cfg(not(unix))]
fn links() {}

fn left_out_of_a_table() {
    let dir = Dir::new();
    row(&dir, "csv", "in.csv", 1);
    dir.write("cats/a.csv", "id,name\n1,one\n");
    dir.write("cats/b.tsv", "id\tname\n1\tone\n");
    let words = ["run", "--source", "in=csv:in.csv", "--source", "cats=csv:cats", "--sink", "out=json:-"];
    let ran = dir.run("lookup", &words);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("note: cats: 1 entry is not read; 1 is not *.csv: b.tsv"), "{}", ran.err);
}
