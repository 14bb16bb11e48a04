//! The rows that are written to a sink under test, and how they are compared with those that are seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch, UInt64Array};
use arrow_schema::SchemaRef;

use crate::connector::{Firings, widened};
use crate::testing::Item;
use crate::{Duration, Durations, EventTime, Record};

/// The first second of 2026.
const BEGIN: i64 = 1_767_225_600;

/// How much event time an epoch covers.
const EPOCH: Duration = Duration::from_micros(60_000_000);

/// How many rows each epoch has; the input ends at the end of the last.
pub(super) const FULL: &[usize] = &[5, 4, 0, 3];
pub(super) const NONE: &[usize] = &[0, 0];

/// The values of ghosts begin here.
const GHOSTS: i64 = 9_000;

fn begin(epoch: usize) -> EventTime {
    EventTime::from_micros(BEGIN * 1_000_000) + Duration::from_micros(EPOCH.as_micros() * epoch as i64)
}

/// The rows of an epoch that go to a bucket, sorted by event time; nothing decides it but their numbers.
pub(super) fn rows(counts: &[usize], epoch: usize, bucket: usize, buckets: usize) -> Vec<Item> {
    let row = |number: usize| Item {
        time: begin(epoch) + (number as i64 * 7).seconds(),
        key: format!("k{}", number % 3),
        value: (epoch * 100 + number) as i64,
    };
    (0..counts[epoch]).filter(|number| number % buckets == bucket).map(row).collect()
}

/// A row that is never committed, of a generation that has a successor.
pub(super) fn ghost(epoch: usize) -> Item {
    Item { time: begin(epoch) + 50.seconds(), key: "ghost".to_string(), value: GHOSTS + epoch as i64 }
}

/// Whether it is such a row.
pub(super) fn is_ghost(row: &Item) -> bool {
    row.value >= GHOSTS
}

/// The event time below which nothing follows once an epoch has ended.
pub(super) fn watermark(counts: &[usize], epoch: usize) -> EventTime {
    if epoch + 1 == counts.len() { EventTime::MAX } else { begin(epoch + 1) }
}

/// The columns that a sink is given.
pub(super) fn schema(firings: Firings, schema: SchemaRef) -> SchemaRef {
    if firings == Firings::All { widened(&schema) } else { schema }
}

/// Rows as a sink is given them.
pub(super) fn batch(firings: Firings, rows: &[Item]) -> RecordBatch {
    let plain = Item::encode(rows.iter());
    if firings == Firings::Last {
        return plain;
    }
    let mut columns = plain.columns().to_vec();
    columns.push(Arc::new(UInt64Array::from(vec![1; rows.len()])));
    columns.push(Arc::new(BooleanArray::from(vec![true; rows.len()])));
    RecordBatch::try_new(widened(&plain.schema()), columns).expect("a column for each field, of as many rows")
}

/// How often each row is there.
pub(super) fn counted<'a>(rows: impl IntoIterator<Item = &'a Item>) -> BTreeMap<Item, usize> {
    let mut counts = BTreeMap::new();
    rows.into_iter().for_each(|row| *counts.entry(row.clone()).or_default() += 1);
    counts
}

/// A few rows in words.
pub(super) fn named<'a>(rows: impl IntoIterator<Item = &'a Item>) -> String {
    let all: Vec<_> = rows.into_iter().map(|row| row.value.to_string()).collect();
    let more = if all.len() > 6 { format!(" and {} more", all.len() - 6) } else { String::new() };
    format!("{}{more}", all[..all.len().min(6)].join(", "))
}
