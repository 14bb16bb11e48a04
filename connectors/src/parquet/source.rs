//! Parquet files as a source: partitions are row groups or runs of them, in the order of their event times.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use dualgauge_engine::columns::{UNIT, ZONE};
use dualgauge_engine::{
    Basis, Change, Code, Error, EventTime, Listing, Offset, Partition, PartitionId, PartitionReader, Place, Result,
    Scan, Source,
};
use rayon::prelude::*;

use super::file::{KnownColumns, ParquetFile};
use super::reader::GroupReader;
use super::runs;
use super::statistics::{self, GroupLook};
use super::time_column::TimeColumn;
use crate::files::{self, DataFile, Hive, Kind, may_have_wanted};
use crate::places::read_from;
use crate::written::Written;

/// What the files are called.
pub(super) const KIND: Kind = Kind { extensions: &["parquet", "parq", "pq"], packed: false };

/// The option of the basis that says how small row groups are read.
const SMALL_GROUPS: &str = "small row groups";

/// Reads Parquet files: a file, a directory with all `*.parquet`, `*.parq` and `*.pq` below it, or a pattern such as
/// `data/day=*/bids-*.parquet`.
///
/// Row groups come in the order of their smallest event time, which the statistics give, so nothing in a replay of
/// files is late, whatever the disorder in and between them. A directory is listed once, at the first look: files that
/// appear later are not part of this run. Names that start with `.` are not data, nor are those that start with `_`,
/// unless they are Hive partitions (`_name=value`); the notes of the listing report what is left out.
///
/// A page may have 128 MiB, or 32 times the bytes that it has in the file if that is more. One that claims to be larger
/// is damaged: an error that names the file.
///
/// ```
/// use dualgauge_connectors::parquet;
/// use dualgauge_engine::Source;
///
/// assert_eq!(parquet::read("data/bids/").describe(), "parquet:data/bids/");
/// assert!(parquet::read("data/bids/").bounded());
/// ```
pub fn read(path: impl Into<PathBuf>) -> ParquetSource {
    ParquetSource {
        path: path.into(),
        sorted: true,
        options: files::Options::default(),
        written: Written::default(),
        files: OnceLock::new(),
        columns: KnownColumns::default(),
        times: Mutex::default(),
    }
}

/// Parquet files as a source; made by [`read`].
#[derive(Debug)]
pub struct ParquetSource {
    path: PathBuf,
    /// Whether to believe a row group that says it is sorted.
    sorted: bool,
    options: files::Options,
    written: Written,
    /// Listed once: every worker must see the same files.
    files: OnceLock<Files>,
    columns: KnownColumns,
    /// The event times of the row groups of each file, by event-time column.
    times: Mutex<HashMap<TimesKey, Arc<FileTimes>>>,
}

/// What is read.
#[derive(Debug)]
struct Files {
    /// By ascending name.
    known: Vec<Known>,
    notes: Vec<String>,
}

/// A file of the source; its footer is read once.
#[derive(Debug)]
struct Known {
    named: DataFile,
    open: Mutex<Option<Arc<ParquetFile>>>,
}

impl Known {
    fn load(&self, columns: &KnownColumns) -> Result<Arc<ParquetFile>> {
        let mut open = self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(file) = &*open {
            return Ok(Arc::clone(file));
        }
        let (file, _) = ParquetFile::open(&self.named, columns)?;
        Ok(Arc::clone(open.insert(Arc::new(file))))
    }
}

/// File, event-time column and what the record says of it: its unit and its zone.
type TimesKey = (String, String, [Option<String>; 2]);

#[derive(Debug)]
struct FileTimes {
    /// `None` if the rows are wanted without a time.
    column: Option<TimeColumn>,
    ranges: Vec<(EventTime, EventTime)>,
}

impl Source for ParquetSource {
    fn describe(&self) -> String {
        format!("parquet:{}", self.path.display())
    }

    fn places(&self) -> Vec<Place> {
        read_from(&self.path)
    }

    fn noun(&self) -> &'static str {
        "row groups"
    }

    fn bounded(&self) -> bool {
        true
    }

    fn partitions(&self, scan: &Scan) -> Result<Listing> {
        let scan = &self.said(scan)?;
        let files = self.files()?;
        let list = |known: &Known| {
            let file = known.load(&self.columns)?;
            let mut listing = Listing::default();
            let hive = self.hive_of(known, scan)?;
            let rest = hive.as_ref().map_or_else(|| scan.clone(), |hive| hive.rest(scan));
            let (times, mut looks) = self.look(&file, &rest)?;
            if let Some(at) = hive.and_then(|hive| hive.event_time(&scan.event_time)) {
                looks.iter_mut().for_each(|look| look.range = (at, at));
            }
            list(&file, times.column.as_ref(), &looks, scan, &mut listing);
            Ok(listing)
        };
        let mut listing = Listing { notes: files.notes.clone(), ..Listing::default() };
        for part in files.known.par_iter().map(list).collect::<Result<Vec<_>>>()? {
            listing.partitions.extend(part.partitions);
            listing.pruned.extend(part.pruned);
            listing.notes.extend(part.notes);
        }
        // The sort is stable and the files came by name, so groups of equal bounds stay in the order of file and group.
        listing.partitions.sort_by_key(|partition| partition.bound);
        listing.pruned.sort_by_key(|partition| partition.bound);
        Ok(listing)
    }

    /// Its files are recognised by their footers.
    fn basis(&self) -> Basis {
        let basis = self.written.basis(Basis::new().with("format", "parquet").with(SMALL_GROUPS, "together"));
        if self.options.hive { basis.with("hive", true) } else { basis }
    }

    /// A checkpoint from before small row groups were read together has different partitions for a file that has many.
    fn takes(&self, change: &Change) -> bool {
        let has_many =
            |known: &Known| known.load(&self.columns).is_ok_and(|file| file.group_count() >= runs::GROUPS_MIN);
        let has_none = || self.files().is_ok_and(|files| !files.known.iter().any(has_many));
        change.option == SMALL_GROUPS && change.before.is_none() && has_none()
    }

    fn open(&self, partition: &Partition, offset: Option<&Offset>, scan: &Scan) -> Result<Box<dyn PartitionReader>> {
        let said = self.said(scan)?;
        let (known, file, groups) = self.find(&partition.id)?;
        let hive = self.hive_of(known, &said)?;
        let scan = &hive.as_ref().map_or_else(|| said.clone(), |hive| hive.rest(&said));
        let offset = offset.or(partition.start.as_ref());
        if let Some(offset) = offset {
            file.check_proof(offset)?;
        }
        let times = self.times(&file, scan)?;
        let of_path = hive.as_ref().and_then(|hive| hive.event_time(&said.event_time));
        let ranges = times.ranges[groups.clone()].iter().map(|range| of_path.map_or(*range, |at| (at, at)));
        let ranges: Vec<_> = ranges.collect();
        let scan = Scan {
            from: scan.from.max(partition.from),
            to: scan.to.into_iter().chain(partition.to).min(),
            ..scan.clone()
        };
        let reader = Box::new(match ranges[..] {
            [range] => {
                let (group, column, by_mark) = (groups.start, times.column.clone(), self.sorted);
                GroupReader::open(file, group, column, by_mark, range, offset, &scan)?
            }
            _ => GroupReader::open_run(file, groups, &ranges, offset, &scan)?,
        });
        let reader = match hive {
            Some(hive) => hive.reader(reader),
            None => reader,
        };
        Ok(self.written.said_by(reader, &said.schema))
    }
}

impl ParquetSource {
    /// Whether a row group that says so in its `sorting_columns` is sorted by event time; on by default. Then the
    /// watermark follows what was read, and a row out of order is an error. Otherwise it waits at the group's smallest
    /// time.
    pub fn sorted(mut self, sorted: bool) -> ParquetSource {
        self.sorted = sorted;
        self
    }

    /// Whether directories called `name=value` are columns, for a record that has a column of that name. Off by
    /// default; their files are read in any case.
    pub fn hive(mut self, hive: bool) -> ParquetSource {
        self.options.hive = hive;
        self
    }

    /// Whether there may be nothing to read. Off by default: a path that is not there, a directory without a file of the
    /// format, and a pattern without a match are errors.
    pub fn allow_empty(mut self, allow_empty: bool) -> ParquetSource {
        self.options.allow_empty = allow_empty;
        self
    }

    /// All options of a listing at once.
    pub(crate) fn listed(mut self, options: files::Options) -> ParquetSource {
        self.options = options;
        self
    }

    /// What is read.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is no file and that is allowed.
    pub(crate) fn is_empty(&self) -> Result<bool> {
        Ok(self.files()?.known.is_empty())
    }

    /// The columns that the path of a file has, where they are asked for.
    fn hive_of(&self, known: &Known, scan: &Scan) -> Result<Option<Hive>> {
        self.options.hive.then(|| Hive::of(&known.named.path, &scan.schema)).transpose()
    }

    /// How values are written, where that differs from what the record says.
    pub fn written(mut self, written: Written) -> ParquetSource {
        self.written = written;
        self
    }

    /// The scan, with what is set for its columns.
    fn said(&self, scan: &Scan) -> Result<Scan> {
        let schema = self.written.on(&scan.schema).map_err(|error| error.at(self.describe()))?;
        Ok(Scan { schema, ..scan.clone() })
    }

    fn files(&self) -> Result<&Files> {
        if self.files.get().is_none() {
            let known = |named| Known { named, open: Mutex::default() };
            let found = files::list(&self.path, KIND, self.options.allow_empty)?;
            let known = found.files.into_iter().map(known).collect();
            // Another worker may have been here meanwhile; the first result holds for all.
            let _ = self.files.set(Files { known, notes: found.notes });
        }
        Ok(self.files.get().expect("they were set just now"))
    }

    /// The ranges of event times of a file's row groups, as found when they were listed.
    fn times(&self, file: &ParquetFile, scan: &Scan) -> Result<Arc<FileTimes>> {
        let known = self.times.lock().expect("no panic under this lock").get(&times_key(file, scan)).cloned();
        match known {
            Some(known) => Ok(known),
            None => Ok(self.look(file, scan)?.0),
        }
    }

    fn look(&self, file: &ParquetFile, scan: &Scan) -> Result<(Arc<FileTimes>, Vec<GroupLook>)> {
        let wanted = scan.schema.field_with_name(&scan.event_time).ok();
        let names = scan.schema.fields().iter().map(|field| field.name().as_str());
        file.columns().check(names).map_err(|e| e.at(format_args!("file {}", file.name)))?;
        let column = match scan.event_time.as_str() {
            "" => None,
            name => Some(
                TimeColumn::find(file.columns().schema(), name, wanted)
                    .map_err(|e| e.coded(Code::Schema).at(format_args!("file {}", file.name)))?,
            ),
        };
        let projection = file.project(scan);
        let looks = statistics::looks(file, &projection, column.as_ref())?;
        let times = Arc::new(FileTimes { column, ranges: looks.iter().map(|look| look.range).collect() });
        self.times.lock().expect("no panic under this lock").insert(times_key(file, scan), Arc::clone(&times));
        Ok((times, looks))
    }

    fn find(&self, id: &PartitionId) -> Result<(&Known, Arc<ParquetFile>, Range<usize>)> {
        let gone = |what: String| {
            let path = self.path.display();
            Error::data(format!("partition {id}: {what} in {path}. Was it removed or replaced since the checkpoint?"))
        };
        let (name, groups) = id.0.rsplit_once('#').ok_or_else(|| gone("no file can be named so".to_owned()))?;
        let files = &self.files()?.known;
        let known = files.binary_search_by(|known| known.named.name.as_str().cmp(name));
        let known = known.map_err(|_| gone("there is no such file".to_owned()))?;
        let known = &files[known];
        let file = known.load(&self.columns)?;
        let count = file.group_count();
        match runs::parse(groups).filter(|groups| groups.end <= count) {
            Some(groups) => Ok((known, file, groups)),
            None => Err(gone(format!("the file has {count} row groups and not this one"))),
        }
    }
}

fn times_key(file: &ParquetFile, scan: &Scan) -> TimesKey {
    let wanted = scan.schema.field_with_name(&scan.event_time).ok();
    let said = [UNIT, ZONE].map(|key| wanted.and_then(|field| field.metadata().get(key)).cloned());
    (file.name.clone(), scan.event_time.clone(), said)
}

/// Adds the row groups of a file to the listing, small ones as runs; those without rows are left out.
fn list(file: &ParquetFile, column: Option<&TimeColumn>, looks: &[GroupLook], scan: &Scan, listing: &mut Listing) {
    let runs = runs::runs(looks);
    let groups: usize = runs.iter().map(Range::len).sum();
    if runs.len() < groups {
        let (name, runs) = (&file.name, runs.len());
        listing
            .notes
            .push(format!("file {name}: {groups} row groups, of which many are small, are read as {runs} runs"));
    }
    for run in runs {
        let looks = &looks[run.clone()];
        let (bound, upper) = (looks[0].range.0, looks[looks.len() - 1].range.1);
        let partition = Partition {
            bound: Some(bound),
            upper: Some(upper),
            rows: Some(looks.iter().map(|look| look.rows).sum()),
            bytes: Some(looks.iter().map(|look| look.bytes).sum()),
            ..Partition::new(format!("{}#{}", file.name, runs::Name(&run)))
        };
        match may_have_wanted(scan, bound, upper) {
            true => listing.partitions.push(partition),
            false => listing.pruned.push(partition),
        }
    }
    let Some(column) = column else { return };
    if !column.is_known() {
        listing.notes.push(format!(
            "file {}: nothing says what the {} of `{}` count, so no row group is left out and no window closes \
             before all are read: say it (#[column(unit = \"ms\")]), or write the column as timestamps",
            file.name,
            column.numbers(),
            column.name()
        ));
    }
    let scanned = looks.iter().filter(|look| look.scanned).count();
    if scanned > 0 {
        let (name, column) = (&file.name, column.name());
        listing.notes.push(format!(
            "file {name}: {scanned} row groups have no statistics of `{column}` to rely on: scanned that column"
        ));
    }
}
