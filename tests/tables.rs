//! Tables that are bound to files: what is read of them, what is refused, and that a run goes on with the same rows alone.
//!
//! It would catch a row that is lost or left out by time, an answer that depends on how the files are cut or on the number
//! of workers, a table that holds a run back, and a run that goes on with other rows than it had started with.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dualgauge::checkpoint::open_store;
use dualgauge::connectors::parquet::{FileOptions, write_file};
use dualgauge::connectors::{csv, json, parquet};
use dualgauge::flow::SourceOptions;
use dualgauge::prelude::*;
use dualgauge::testing::Item;
use dualgauge::{Checkpoints, Code, ErrorKind, Source};

/// No event time: a category is not something that happened.
#[record]
struct Category {
    id: i64,
    name: String,
}

fn category(id: i64, name: &str) -> Category {
    Category { id, name: name.into() }
}

/// Every item with all categories of its value.
fn named(flow: &Flow<'_>) {
    let categories = flow.table::<Category>("categories");
    let named = flow.source::<Item>("items").lookup(categories, |item| item.value, |category| category.id);
    named
        .left(|item, category| {
            let name = category.map_or("none", |category| category.name.as_str());
            Item { key: format!("{}: {name}", item.key), ..item.clone() }
        })
        .sink("named");
}

fn item(key: &str, value: i64, second: i64) -> Item {
    Item { time: EventTime::default() + second.seconds(), key: key.into(), value }
}

fn items() -> memory::Rows<Item> {
    memory::rows(vec![item("a", 1, 0), item("b", 2, 10), item("c", 3, 20), item("d", 1, 30)])
}

fn expected() -> Vec<&'static str> {
    vec!["a: books", "b: music", "b: records", "c: none", "d: books"]
}

/// The keys of what `job` gives when its items and these categories are bound.
fn keys(job: Job, categories: impl Source + 'static) -> Result<Vec<String>, dualgauge::Error> {
    let out = memory::collect::<Item>();
    job.source("items", items()).source("categories", categories).sink("named", out.clone()).run()?;
    Ok(out.rows().into_iter().map(|item| item.key).collect())
}

fn csv_file(directory: &Path, name: &str, rows: &[Category]) -> PathBuf {
    let lines: String = rows.iter().map(|row| format!("{},{}\n", row.name, row.id)).collect();
    let path = directory.join(name);
    std::fs::write(&path, format!("name,id\n{lines}")).unwrap();
    path
}

fn parquet_file(directory: &Path, name: &str, rows: &[Category]) -> PathBuf {
    let path = directory.join(name);
    let options = FileOptions { row_group_rows: 1, ..FileOptions::default() };
    write_file(&path, &Category::schema(), [Category::encode(rows.iter())], &options).unwrap();
    path
}

fn categories() -> Vec<Category> {
    vec![category(2, "records"), category(1, "books"), category(2, "music"), category(4, "games")]
}

#[test]
fn a_table_is_read_whole_from_any_files_on_any_number_of_workers() {
    let directory = tempfile::tempdir().unwrap();
    let rows = categories();
    let csv_path = csv_file(directory.path(), "all.csv", &rows);
    let parquet_path = parquet_file(directory.path(), "all.parquet", &rows);
    let split = directory.path().join("split");
    std::fs::create_dir(&split).unwrap();
    csv_file(&split, "a.csv", &rows[1..]);
    csv_file(&split, "b.csv", &rows[..1]);
    for workers in [1, 2, 3] {
        let job = || Job::new(named).workers(workers);
        assert_eq!(keys(job(), csv::read(&csv_path)).unwrap(), expected(), "{workers} workers");
        assert_eq!(keys(job(), parquet::read(&parquet_path)).unwrap(), expected(), "{workers} workers");
        assert_eq!(keys(job(), csv::read(&split)).unwrap(), expected(), "{workers} workers");
        assert_eq!(keys(job(), memory::rows(rows.clone()).deal(3)).unwrap(), expected(), "{workers} workers");
    }
}

#[test]
fn the_rows_are_sorted_and_none_while_a_graph_is_looked_at() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = Arc::clone(&seen);
    let look = move |flow: &Flow<'_>| {
        sees.lock().unwrap().push(flow.table::<Category>("categories").rows().to_vec());
        flow.source::<Item>("items").sink("named");
    };
    keys(Job::new(look).workers(2), memory::rows(categories()).deal(3)).unwrap();
    let mut sorted = categories();
    sorted.sort();
    assert_eq!(*seen.lock().unwrap(), [vec![], sorted.clone(), sorted]);
}

#[test]
fn the_range_of_a_run_leaves_out_events_and_no_rows() {
    let timed = |flow: &Flow<'_>| {
        // A record with an event time may be a table too; its time means nothing there.
        let rates = flow.table::<Item>("rates");
        let rated = flow.source::<Item>("items").lookup(rates, |item| item.value, |rate| rate.value);
        rated.inner(|item, rate| Item { key: format!("{} {}", item.key, rate.key), ..item.clone() }).sink("rated");
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rates.parquet");
    let rates = [item("old", 2, -1_000), item("new", 3, 1_000)];
    write_file(&path, &Item::schema(), [Item::encode(rates.iter())], &FileOptions::default()).unwrap();
    let out = memory::collect::<Item>();
    let job = Job::new(timed).source("items", items()).source("rates", parquet::read(path)).sink("rated", out.clone());
    job.from(EventTime::default() + 5.seconds()).to(EventTime::default() + 25.seconds()).run().unwrap();
    assert_eq!(out.rows(), [item("b old", 2, 10), item("c new", 3, 20)]);
}

#[test]
fn names_plan_and_graph_tell_of_a_table_without_reading_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = parquet_file(directory.path(), "all.parquet", &categories());
    let job = Job::new(named).source("items", items()).source("categories", parquet::read(&path));
    assert_eq!(job.names().unwrap(), (vec!["items".into(), "categories".into()], vec!["named".into()]));
    let plan = job.plan().unwrap();
    let tables: Vec<_> = plan.tables.iter().map(|table| (&*table.name, table.listing.partitions.len())).collect();
    assert_eq!((plan.sources.len(), tables), (1, vec![("categories", 4)]));
    let graph = job.graph().unwrap().to_string();
    assert!(graph.contains("table categories\n"), "{graph}");
    assert!(graph.contains("lookup (left, table categories)"), "{graph}");
}

#[test]
fn a_name_is_bound_once_and_belongs_to_one_input() {
    let directory = tempfile::tempdir().unwrap();
    let path = csv_file(directory.path(), "all.csv", &categories());
    let refused = |job: Job| {
        let error = job.sink("named", memory::collect::<Item>()).run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        error.to_string()
    };
    let unbound = refused(Job::new(named).source("items", items()));
    assert!(
        unbound.contains("nothing is bound to source categories; the graph has the sources: items, categories"),
        "{unbound}"
    );
    let wrong = refused(Job::new(named).source("items", items()).source("categorys", csv::read(&path)));
    assert!(wrong.contains("unknown source categorys; the graph has the sources: items, categories"), "{wrong}");
    let twice = |flow: &Flow<'_>| {
        flow.table::<Category>("items");
        flow.source::<Item>("items").sink("named");
    };
    let twice = refused(Job::new(twice).source("items", items()));
    assert!(twice.contains("the name `items` is used twice"), "{twice}");
}

#[test]
fn what_is_followed_or_read_as_events_are_is_no_table() {
    let directory = tempfile::tempdir().unwrap();
    let path = csv_file(directory.path(), "all.csv", &categories());
    let error = keys(Job::new(named), csv::read(&path).follow(true)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("table categories") && error.to_string().contains("it is followed"), "{error}");

    let options = dualgauge::flow::SourceOptions::default().disorder(5.seconds());
    let job = Job::new(named).source("items", items()).sink("named", memory::collect::<Item>());
    let error = job.source_with("categories", Arc::new(csv::read(&path)), options).run().unwrap_err();
    assert!(error.to_string().contains("it takes none of disorder"), "{error}");
}

#[test]
fn a_bad_row_ends_the_job_before_it_starts_and_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bad.csv");
    std::fs::write(&path, "name,id\nbooks,1\nmusic,two\n").unwrap();
    let error = keys(Job::new(named), csv::read(&path)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    let text = error.to_string();
    assert!(text.contains("table categories") && text.contains("bad.csv") && text.contains("two"), "{text}");
    let missing = parquet_file(directory.path(), "items.parquet", &categories());
    let renamed = |flow: &Flow<'_>| {
        flow.table::<Item>("categories");
        flow.source::<Item>("items").sink("named");
    };
    let error = keys(Job::new(renamed), parquet::read(missing)).unwrap_err();
    assert!(error.to_string().contains("table categories") && error.to_string().contains("`time`"), "{error}");
}

/// Runs `named` with checkpoints over `items.csv` as it is: followed until two rows of it are read and then stopped, or to
/// its end.
fn run_on(directory: &Path, table: impl Source + 'static, workers: usize, stops: bool) -> Result<(), dualgauge::Error> {
    run_over(directory, Arc::new(table), workers, stops)
}

fn run_over(directory: &Path, table: Arc<dyn Source>, workers: usize, stops: bool) -> Result<(), dualgauge::Error> {
    let store = open_store(&directory.join("checkpoints").display().to_string())?;
    let checkpoints = Checkpoints::in_store(store).every(1.hours());
    let items = csv::read(directory.join("items.csv")).follow(stops);
    let job = Job::new(named).source("items", items).source_with("categories", table, SourceOptions::default());
    let job = job.sink("named", csv::write(directory.join("named.csv"))).workers(workers).checkpoints(checkpoints);
    let running = job.start()?;
    if stops {
        while running.metrics().snapshot().rows_read() < 2 && !running.is_finished() {
            std::thread::yield_now();
        }
        running.stop_handle().stop();
    }
    running.join().map(drop)
}

/// `items.csv` with the first two items, a run that is stopped behind them, and then the other two.
fn stopped_on(directory: &Path, table: impl Source + 'static) {
    stopped_over(directory, Arc::new(table));
}

fn stopped_over(directory: &Path, table: Arc<dyn Source>) {
    std::fs::write(directory.join("items.csv"), "key,value,time\na,1,1970-01-01T00:00:00Z\nb,2,1970-01-01T00:00:10Z\n")
        .unwrap();
    assert_eq!(run_over(directory, table, 2, true).unwrap_err().kind(), ErrorKind::Stopped);
    let mut more = std::fs::OpenOptions::new().append(true).open(directory.join("items.csv")).unwrap();
    more.write_all(b"c,3,1970-01-01T00:00:20Z\nd,1,1970-01-01T00:00:30Z\n").unwrap();
}

#[test]
fn a_run_goes_on_with_the_same_rows_wherever_they_lie() {
    for workers in [1, 2, 3] {
        let directory = tempfile::tempdir().unwrap();
        let mut rows = categories();
        let path = csv_file(directory.path(), "categories.csv", &rows);
        stopped_on(directory.path(), csv::read(path));
        rows.reverse();
        let moved = parquet_file(directory.path(), "categories.parquet", &rows);
        run_on(directory.path(), parquet::read(moved), workers, false).unwrap();
        let text = std::fs::read_to_string(directory.path().join("named.csv")).unwrap();
        let mut keys: Vec<_> = text.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
        keys.sort_unstable();
        assert_eq!(keys, expected(), "{workers} workers");
    }
}

/// A table that was there when the job started and is not when it goes on.
#[test]
fn a_table_whose_files_are_gone_is_a_gap_and_no_mistyped_path() {
    type Read = fn(&Path) -> Arc<dyn Source>;
    let forms: [(&str, &str, Read); 5] = [
        ("a file", "cats/a.csv", |directory| Arc::new(csv::read(directory.join("cats/a.csv")))),
        ("a directory", "cats/a.csv", |directory| Arc::new(csv::read(directory.join("cats")))),
        ("a pattern", "cats/a.csv", |directory| Arc::new(csv::read(directory.join("cats/*.csv")))),
        ("JSON lines", "cats/a.jsonl", |directory| Arc::new(json::read(directory.join("cats")))),
        ("Parquet", "cats/a.parquet", |directory| Arc::new(parquet::read(directory.join("cats")))),
    ];
    for (form, file, read) in forms {
        for whole in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let (cats, path) = (directory.path().join("cats"), directory.path().join(file));
            std::fs::create_dir(&cats).unwrap();
            let rows = categories();
            match path.extension().and_then(|end| end.to_str()) {
                Some("csv") => drop(csv_file(&cats, "a.csv", &rows)),
                Some("parquet") => drop(parquet_file(&cats, "a.parquet", &rows)),
                _ => {
                    let line = |row: &Category| format!("{{\"id\":{},\"name\":\"{}\"}}\n", row.id, row.name);
                    std::fs::write(&path, rows.iter().map(line).collect::<String>()).unwrap();
                }
            }
            stopped_over(directory.path(), read(directory.path()));
            let (there, away) = if whole { (cats, "away") } else { (path, "away.file") };
            let away = directory.path().join(away);
            std::fs::rename(&there, &away).unwrap();
            let error = run_over(directory.path(), read(directory.path()), 1, false).unwrap_err();
            let case = format!("{form}, the {} is gone", if whole { "directory" } else { "file" });
            assert_eq!((error.code(), error.kind()), (Some(Code::SourceGap), ErrorKind::Data), "{case}: {error}");
            let text = error.to_string();
            for part in ["E-SOURCE-GAP: table categories (", "and had 4 rows when the job was started; put it back"] {
                assert!(text.contains(part), "{case}: `{part}` is not in {text}");
            }
            std::fs::rename(&away, &there).unwrap();
            run_over(directory.path(), read(directory.path()), 1, false).expect("put back, it goes on");
            // A job that has ended needs no row of it any more, so there it is a path that leads nowhere.
            std::fs::rename(&there, &away).unwrap();
            let error = run_over(directory.path(), read(directory.path()), 1, false).unwrap_err();
            assert_eq!(error.code(), None, "{case}: {error}");
        }
    }
}

#[test]
fn a_run_does_not_go_on_with_other_rows() {
    let directory = tempfile::tempdir().unwrap();
    let path = csv_file(directory.path(), "categories.csv", &categories());
    stopped_on(directory.path(), csv::read(&path));
    let renamed: Vec<_> = categories().into_iter().map(|row| category(row.id, &row.name.to_uppercase())).collect();
    for changed in [&renamed[..], &categories()[1..], &[]] {
        csv_file(directory.path(), "categories.csv", changed);
        let error = run_on(directory.path(), csv::read(&path), 2, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        let text = error.to_string();
        assert!(
            text.contains("E-TABLE-CHANGED: table categories") && text.contains("Put back what was there"),
            "{text}"
        );
    }
    // Nothing was spoilt by trying, and a run that has come to its end reads nothing more.
    csv_file(directory.path(), "categories.csv", &categories());
    run_on(directory.path(), csv::read(&path), 2, false).unwrap();
    csv_file(directory.path(), "categories.csv", &renamed);
    run_on(directory.path(), csv::read(&path), 2, false).unwrap();
    assert_eq!(
        std::fs::read_to_string(directory.path().join("named.csv")).unwrap().lines().count(),
        1 + expected().len()
    );
}
