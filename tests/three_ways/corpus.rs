//! The graphs of the examples, and events for them: the same as Parquet files and as a log.

use std::path::Path;
use std::sync::Arc;

use dualgauge::Source;
use dualgauge::connectors::log::{Layout, Log, LogSource};
use dualgauge::connectors::parquet;
use dualgauge::connectors::parquet::{FileOptions, write_file};
use dualgauge::prelude::*;
use dualgauge_nexmark::{FeedOptions, LiveFeed, Options, START, Table, generate};

#[allow(dead_code)] // an example is a whole program, of which this wants the graph
#[path = "../../examples/backfill.rs"]
mod backfill;
#[allow(dead_code)]
#[path = "../../examples/currency.rs"]
mod currency;
#[allow(dead_code)]
#[path = "../../examples/hello.rs"]
mod hello;
#[allow(dead_code)]
#[path = "../../examples/hot_items.rs"]
mod hot_items;
#[allow(dead_code)]
#[path = "../../examples/nexmark/queries/mod.rs"]
mod queries;
#[allow(dead_code)]
#[path = "../../examples/sessions.rs"]
mod sessions;

/// A graph and what it is bound to.
pub struct Program {
    pub name: &'static str,
    pub graph: fn(&Flow<'_>),
    /// Names that the graph and the corpus have in common.
    pub sources: Vec<&'static str>,
    pub answer: &'static str,
    /// Where rows go that are late, if the graph keeps them.
    pub late: Option<&'static str>,
    /// How much event time a file covers; several files come of it.
    pub span: Duration,
    /// Whether rows come too late over the live log for some window, so that live is another answer than history.
    pub has_late: bool,
}

/// Where the events lie.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    History,
    Live,
}

/// The graphs of the programs in `examples/`.
pub fn examples() -> Vec<Program> {
    let of = |name, graph, sources: &[_], answer, span| {
        let sources = sources.to_vec();
        Program { name, graph, sources, answer, late: None, span, has_late: false }
    };
    let late = |program| Program { has_late: true, ..program };
    let kept = |sink, program| Program { late: Some(sink), has_late: true, ..program };
    let (minutes, seconds) = (10.minutes(), 20.seconds());
    vec![
        of("hello", hello::counts, &["words"], "counts", minutes),
        of("hot_items", hot_items::hot_items, &["bids"], "hot_items", seconds),
        late(of("backfill, by minute", backfill::by_minute, &["bids"], "turnover", seconds)),
        late(of("backfill, rolling", backfill::rolling, &["bids"], "turnover", seconds)),
        kept("late", of("sessions", sessions::visits, &["clicks"], "visits", 2.hours())),
        kept("too_late", of("currency", currency::conversion, &["rates", "orders"], "converted", 1.hours())),
    ]
}

/// The queries of the example `nexmark`.
pub fn nexmark() -> Vec<Program> {
    let program = |query: queries::Query| Program {
        name: query.name,
        graph: query.graph,
        sources: query.inputs.iter().map(|table| table.name()).collect(),
        answer: "answer",
        late: None,
        span: 20.seconds(),
        has_late: false,
    };
    queries::QUERIES.map(program).into()
}

#[record]
struct Word {
    word: String,
    #[event_time]
    at: EventTime,
}

#[record]
struct Click {
    user: String,
    #[event_time]
    at: EventTime,
}

#[record]
struct Rate {
    currency: String,
    euros: u64,
    #[event_time]
    from: EventTime,
}

#[record]
struct Order {
    number: u64,
    currency: String,
    cents: u64,
    #[event_time]
    placed: EventTime,
}

/// Two minutes of an auction house.
const EVENTS: u64 = 6_000;
const RATE: u64 = 50;

/// How far the bids of the auction house are out of order, as its graphs allow.
const DISORDER: Duration = queries::DISORDER;

/// Events by the name of their source, as files and as logs in a directory of its own.
pub struct Corpus {
    dir: tempfile::TempDir,
}

impl Corpus {
    pub fn new() -> Corpus {
        let corpus = Corpus { dir: tempfile::tempdir().unwrap() };
        corpus.lay_auctions();
        let drawn = |number: i64, below: i64| (number + 1).wrapping_mul(0x9E37_79B9) / 64 % below;
        let one_of = |words: &[&str], number| words[drawn(number, words.len() as i64) as usize].to_string();
        // Now and then a row is behind by more than its source allows.
        let behind = |number, at_most: i64, late: i64| match drawn(number, 40) {
            0 => late.minutes(),
            _ => drawn(number + 7, at_most * 60 + 1).seconds(),
        };
        let (words, currencies) = (["past", "present", "hello", "world", "again"], ["USD", "GBP", "CHF", "JPY"]);
        let word = |n: i64| Word { word: one_of(&words, n), at: START + (n * 800).millis() };
        corpus.lay("words", "at", (0..3_000).map(word));
        let user = |n: i64| format!("user {}", drawn(n, 40));
        let click = |n: i64| Click { user: user(n), at: START + (n * 15).seconds() - behind(n, 9, 45) };
        corpus.lay("clicks", "at", (0..3_000).map(click));
        let rate = |n: i64| {
            let from = START + n.minutes() - behind(n, 9, 25);
            Rate { currency: one_of(&currencies, n), euros: 9_000 + n as u64, from }
        };
        corpus.lay("rates", "from", (0..720).map(rate));
        let order = |n: i64| {
            let placed = START + (n * 15).seconds() - if drawn(n, 40) == 0 { 3.minutes() } else { Duration::ZERO };
            Order { number: n as u64, currency: one_of(&currencies, n + 3), cents: 100 * n as u64, placed }
        };
        corpus.lay("orders", "placed", (0..2_880).map(order));
        corpus
    }

    /// The source of this name.
    pub fn source(&self, name: &str, way: Way) -> Arc<dyn Source> {
        let [history, live] = self.places(name);
        match way {
            Way::History => Arc::new(parquet::read(history)),
            Way::Live => Arc::new(LogSource::open(live).unwrap()),
        }
    }

    fn places(&self, name: &str) -> [std::path::PathBuf; 2] {
        ["history", "live"].map(|way| self.dir.path().join(way).join(name))
    }

    /// Writes rows in their order of arrival: to two files of several row groups, and to a log of two partitions.
    fn lay<D: Record>(&self, name: &str, event_time: &str, rows: impl Iterator<Item = D>) {
        let (rows, [history, live]) = (rows.collect::<Vec<_>>(), self.places(name));
        std::fs::create_dir_all(&history).unwrap();
        let options = FileOptions { row_group_rows: 300, ..FileOptions::default() };
        for (number, rows) in rows.chunks(rows.len().div_ceil(2)).enumerate() {
            let path = history.join(format!("{number}.parquet"));
            write_file(path, &D::schema(), [D::encode(rows.iter())], &options).unwrap();
        }
        let log = Log::create(live, &D::schema(), Layout::partitions(2).event_time(event_time)).unwrap();
        let mut writers = [0, 1].map(|partition| log.writer(partition).unwrap());
        for (number, rows) in rows.chunks(90).enumerate() {
            writers[number % 2].append_rows(rows).unwrap();
        }
        for mut writer in writers {
            writer.seal().unwrap();
        }
    }

    /// The same bids, auctions and persons as files and as logs.
    fn lay_auctions(&self) {
        let (events, rate) = (EVENTS, RATE);
        let history = self.dir.path().join("history");
        generate(&Options { events, rate, file_rows: 2_000, row_group_rows: 500, ..Options::new(history) }).unwrap();
        for table in Table::ALL {
            // A batch of each table spans about as much time.
            let batch_rows = (200 * table.rows(50) / Table::Bids.rows(50)).max(1);
            let options = FeedOptions { table, events, rate, disorder: DISORDER, batch_rows, ..FeedOptions::default() };
            LiveFeed::create(self.places(table.name())[1].as_path() as &Path, options).unwrap().run().unwrap();
        }
    }
}
