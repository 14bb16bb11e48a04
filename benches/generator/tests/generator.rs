//! Catches data that changes from version to version or machine to machine, proportions that are not Nexmark's, and an
//! order of arrival that is wilder than its bound: each would quietly make results and benches incomparable.

use std::collections::HashSet;

use dualgauge::connectors::log::{Log, ReadOptions};
use dualgauge::connectors::parquet::covered;
use dualgauge::prelude::*;
use dualgauge::{Digest, Event, Next, PartitionReader};
use dualgauge_nexmark::{Arrivals, Bid, FeedOptions, Generator, LiveFeed, Options, START, Table};

/// The first events of an auction house.
const EVENTS: u64 = 10_000;

#[test]
fn the_first_ten_thousand_events_are_what_they_always_were() {
    let generator = Generator::new(42, 10_000);
    let digests = [
        Digest::of(generator.persons(0..EVENTS)),
        Digest::of(generator.auctions(0..EVENTS)),
        Digest::of(generator.bids(0..EVENTS)),
    ];
    let shown: Vec<String> = digests.iter().map(|digest| format!("{} {digest}", digest.rows)).collect();
    assert_eq!(
        shown,
        [
            "200 3c3dad5e4c82efcee3b5d9bd0971f1cc",
            "600 0bf89a26e9987998e2dde1a4e2513532",
            "9200 5344f82cf810f6f0eac46c6c4433b915"
        ]
    );
}

#[test]
fn any_part_can_be_made_alone() {
    let generator = Generator::new(7, 1_000);
    let whole: Vec<Bid> = generator.bids(0..1_000).collect();
    let parts: Vec<Bid> = [0..1, 1..333, 333..1_000].into_iter().flat_map(|part| generator.bids(part)).collect();
    assert_eq!(whole, parts);
    assert_ne!(whole, Generator::new(8, 1_000).bids(0..1_000).collect::<Vec<_>>(), "the seed must matter");
}

#[test]
fn rows_and_events_are_numbered_alike() {
    for table in Table::ALL {
        let numbers: Vec<u64> = (0..1_000).filter(|&number| Table::of(number) == table).collect();
        assert_eq!(numbers, (0..table.rows(1_000)).map(|row| table.event(row)).collect::<Vec<_>>(), "{table:?}");
        for events in 0..1_000 {
            assert_eq!(table.rows(events), numbers.iter().filter(|&&number| number < events).count() as u64);
        }
    }
}

#[test]
fn proportions_are_those_of_nexmark() {
    let generator = Generator::new(42, 10_000);
    let bids: Vec<Bid> = generator.bids(0..500_000).collect();
    let share = |what: &dyn Fn(&Bid) -> bool| bids.iter().filter(|bid| what(bid)).count() as f64 / bids.len() as f64;
    let near = |share: f64, expected: f64| assert!((share - expected).abs() < 0.02, "{share}, not {expected}");
    near(share(&|bid| (bid.auction - 1000) % 100 == 0), 0.5 + 0.5 / 100.0); // hot auctions
    near(share(&|bid| (bid.bidder - 1000) % 100 == 1), 0.75 + 0.25 / 100.0); // hot bidders
    near(share(&|bid| !bid.channel.starts_with("channel-")), 0.5);
    near(share(&|bid| bid.price < 100 << 10), 0.5); // as many below a thousand as above it
    assert!(bids.iter().all(|bid| (100..100 << 20).contains(&bid.price)));
    assert!(bids.iter().all(|bid| bid.url.starts_with("https://www.nexmark.com/") && bid.url.split('/').count() == 7));
    let bytes = bids.iter().map(|bid| 32 + bid.extra.len()).sum::<usize>() as f64 / bids.len() as f64;
    assert!((bytes - 100.0).abs() < 1.0, "{bytes} bytes a bid");

    let auctions: Vec<_> = generator.auctions(0..500_000).collect();
    assert_eq!(auctions.len(), 30_000);
    let hot = auctions.iter().filter(|auction| (auction.seller - 1000) % 100 == 0).count() as f64;
    near(hot / auctions.len() as f64, 0.75 + 0.25 / 100.0);
    assert!(
        auctions.iter().all(|auction| auction.date_time < auction.expires && auction.initial_bid < auction.reserve)
    );
    let categories: HashSet<u64> = auctions.iter().map(|auction| auction.category).collect();
    assert_eq!(categories, HashSet::from([10, 11, 12, 13, 14]));
}

#[test]
fn ids_count_up_and_references_are_near() {
    let generator = Generator::new(1, 10_000);
    let auctions: Vec<u64> = generator.auctions(0..EVENTS).map(|auction| auction.id).collect();
    assert_eq!(auctions, (1000..1600).collect::<Vec<_>>());
    let persons: Vec<u64> = generator.persons(0..EVENTS).map(|person| person.id).collect();
    assert_eq!(persons, (1000..1200).collect::<Vec<_>>());
    for number in (0..EVENTS).filter(|&number| Table::of(number) == Table::Bids) {
        let newest = 1000 + Table::Auctions.rows(number) - 1;
        let auction = generator.bid(number).auction;
        assert!((newest.saturating_sub(100)..=newest + 10).contains(&auction), "bid {number} for auction {auction}");
    }
}

#[test]
fn time_starts_at_new_year_and_never_goes_back() {
    assert_eq!(START.to_string(), "2026-01-01T00:00:00Z");
    for rate in [1, 7, 999, 10_000, 1_000_000] {
        let generator = Generator::new(0, rate);
        assert_eq!(generator.time(rate * 3_600) - START, 1.hours(), "an hour at {rate} a second");
        assert!((0..EVENTS).all(|number| generator.time(number) <= generator.time(number + 1)));
        // Neighbouring milliseconds are still distinct after years.
        let late = rate * 100_000_000;
        assert_eq!(generator.time(late + rate) - generator.time(late), 1.seconds());
    }
}

#[test]
fn arrivals_are_a_permutation_within_the_bound() {
    let generator = Generator::new(42, 1_000);
    let (mut disorder_max, bound) = (Duration::ZERO, 500.millis());
    let (mut latest, mut seen) = (EventTime::MIN, Vec::new());
    for number in generator.arrivals(Table::Bids, 0..EVENTS, bound) {
        let time = generator.time(number);
        latest = latest.max(time);
        disorder_max = disorder_max.max(latest - time);
        seen.push(number);
    }
    assert!(disorder_max <= bound, "{disorder_max} of {bound}");
    assert!(disorder_max > 400.millis(), "the bound is made use of: {disorder_max}");
    seen.sort();
    assert!(seen.iter().copied().eq(generator.arrivals(Table::Bids, 0..EVENTS, Duration::ZERO)));
    let length = |arrivals: Arrivals| (arrivals.len(), arrivals.count());
    assert_eq!(length(generator.arrivals(Table::Bids, 0..EVENTS, bound)), (9_200, 9_200));
}

#[test]
fn the_files_hold_what_the_generator_makes() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        events: EVENTS,
        disorder: 1.seconds(),
        file_rows: 4_000,
        row_group_rows: 1_000,
        ..Options::new(dir.path())
    };
    let summary = dualgauge_nexmark::generate(&options).unwrap();
    let counts: Vec<_> = summary.tables.iter().map(|table| (table.table.name(), table.rows, table.files)).collect();
    assert_eq!(counts, [("persons", 200, 1), ("auctions", 600, 1), ("bids", 9_200, 3)]);

    let generator = Generator::new(options.seed, options.rate);
    assert_eq!(digest_of_files(&dir.path().join("bids")), Digest::of(generator.bids(0..EVENTS)));
    assert!(dualgauge_nexmark::generate(&options).unwrap_err().to_string().contains("is not empty"));
}

#[test]
fn the_same_options_write_the_same_bytes() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for dir in [&one, &two] {
        let tables = vec![Table::Auctions];
        dualgauge_nexmark::generate(&Options { events: 5_000, tables, file_rows: 100, ..Options::new(dir.path()) })
            .unwrap();
    }
    for file in ["auctions-00000.parquet", "auctions-00002.parquet"] {
        let read = |dir: &tempfile::TempDir| std::fs::read(dir.path().join("auctions").join(file)).unwrap();
        assert_eq!(read(&one), read(&two), "{file}");
    }
}

#[test]
fn options_that_cannot_be_meant_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(dualgauge_nexmark::generate(&Options { rate: 0, ..Options::new(dir.path()) }).is_err());
    assert!(dualgauge_nexmark::generate(&Options { file_rows: 0, ..Options::new(dir.path()) }).is_err());
}

/// A feed of the first events into three partitions.
fn feed(dir: &std::path::Path) -> LiveFeed {
    let (disorder, batch_rows) = (300.millis(), 100);
    let options = FeedOptions { events: EVENTS, disorder, partitions: 3, batch_rows, ..FeedOptions::default() };
    LiveFeed::create(dir, options).unwrap()
}

#[test]
fn the_log_holds_the_same_bids_out_of_order_within_the_bound() {
    let dir = tempfile::tempdir().unwrap();
    let mut feed = feed(&dir.path().join("log"));
    assert_eq!((feed.append(250).unwrap(), feed.append(1).unwrap(), feed.appended()), (250, 1, 251));
    assert_eq!(feed.run().unwrap(), 9_200 - 251);
    assert_eq!(feed.append(1).unwrap(), 0, "nothing follows the end");

    let (mut digest, mut swapped) = (Digest::default(), 0);
    for partition in 0..3 {
        let mut latest = EventTime::MIN;
        for bid in bids_of(feed.log(), partition) {
            assert!(latest - bid.date_time <= 300.millis(), "partition {partition}: {bid:?} after {latest}");
            swapped += u32::from(bid.date_time < latest);
            latest = latest.max(bid.date_time);
            digest.add_row(&bid);
        }
    }
    assert_eq!(digest, Digest::of(Generator::new(42, 10_000).bids(0..EVENTS)));
    assert!(swapped > 4_000, "only {swapped} bids are out of order");
}

#[test]
fn a_paced_feed_appends_everything_and_seals() {
    let dir = tempfile::tempdir().unwrap();
    let mut feed = feed(&dir.path().join("log"));
    assert_eq!(feed.run_at(10_000_000).unwrap(), 9_200);
    let rows: usize = (0..3).map(|partition| bids_of(feed.log(), partition).len()).sum();
    assert_eq!(rows, 9_200);
}

#[test]
fn an_archive_says_which_offsets_it_holds_and_holds_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut feed = feed(&dir.path().join("log"));
    feed.append(1_234).unwrap(); // ends within a batch: 434, 400 and 400 rows by partition
    let archived = feed.archive(dir.path().join("archive"), 650).unwrap();
    feed.run().unwrap();
    assert_eq!((archived.rows, archived.files), (1_234, 2));

    let covered = covered(&archived.dir).unwrap();
    let parts: Vec<_> = covered.iter().map(|part| (part.partition, part.from, part.to)).collect();
    assert_eq!(parts, [(0, 0, 250), (0, 250, 434), (1, 0, 200), (1, 200, 400), (2, 0, 200), (2, 200, 400)]);
    let mut held = Digest::default();
    for part in covered {
        assert_eq!(part.log, feed.log().id());
        let bids = bids_of(feed.log(), part.partition);
        assert_eq!(bids[..part.to as usize].iter().map(|bid| bid.date_time).max(), Some(part.watermark_max_time));
        held += Digest::of(bids[part.from as usize..part.to as usize].iter().cloned());
    }
    assert_eq!(digest_of_files(&archived.dir), held);
}

/// All bids of a partition of a sealed log.
fn bids_of(log: &Log, partition: u32) -> Vec<Bid> {
    let (mut reader, mut rows) = (log.reader(partition, None, ReadOptions::default()).unwrap(), Vec::new());
    loop {
        match reader.next().unwrap() {
            Next::Batch(batch) => Bid::decode(&batch.rows, &mut rows).unwrap(),
            Next::Mixed(_, bad) => panic!("{}", bad[0].reason()),
            Next::Pending => panic!("the log is not sealed"),
            Next::End => return rows.into_iter().map(|row: Event<Bid>| row.data).collect(),
        }
    }
}

/// The digest of the bids in the files of a directory.
fn digest_of_files(dir: &std::path::Path) -> Digest {
    let mut digest = Digest::default();
    for entry in std::fs::read_dir(dir).unwrap() {
        let file = std::fs::File::open(entry.unwrap().path()).unwrap();
        let reader = ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        for batch in reader.build().unwrap() {
            let mut rows: Vec<Event<Bid>> = Vec::new();
            Bid::decode(&batch.unwrap(), &mut rows).unwrap();
            rows.iter().for_each(|row| digest.add_row(&row.data));
        }
    }
    digest
}
