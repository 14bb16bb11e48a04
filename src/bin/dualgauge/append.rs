//! `dualgauge log append`: rows from standard input into a partition.

use std::path::PathBuf;
use std::time::Duration;

use dualgauge::connectors::log::{Layout, Log, LogWriter};
use dualgauge::connectors::{csv, json};
use dualgauge::{Error, Next, Partition, Result, Scan, Source};

use crate::log::Format;
use crate::print::remark;
use crate::schema;

/// How long to wait for input that pauses; what came before is committed by then.
const PAUSE: Duration = Duration::from_millis(5);

/// Rows that are appended before they are committed, if the input never pauses.
const ROWS: usize = 65_536;

/// What to append to.
pub(crate) struct Append {
    pub(crate) dir: PathBuf,
    pub(crate) partition: u32,
    pub(crate) format: Format,
    pub(crate) schema: Option<String>,
    pub(crate) event_time: Option<String>,
    pub(crate) partitions: u32,
    pub(crate) seal: bool,
}

pub(crate) fn append(append: &Append) -> Result<()> {
    let log = open(append)?;
    let mut writer = log.writer(append.partition)?;
    if !writer.recovery().is_clean() {
        remark!("note: {}", writer.recovery());
    }
    let source: Box<dyn Source> = match append.format {
        Format::Csv => Box::new(csv::read("-")),
        Format::Json => Box::new(json::read("-")),
    };
    let schema = log.schema().clone();
    let scan = Scan { schema, event_time: String::new(), from: None, to: None, batch_rows: 8192 };
    let rows = copy(source.as_ref(), &scan, &mut writer)?;
    let offset = if append.seal { writer.seal()? } else { writer.commit()? };
    let noun = if rows == 1 { "row" } else { "rows" };
    remark!("{rows} {noun} appended; partition {} now ends at offset {offset}", append.partition);
    Ok(())
}

/// Appends until the input ends; commits whenever it pauses.
fn copy(source: &dyn Source, scan: &Scan, writer: &mut LogWriter) -> Result<usize> {
    let mut reader = source.open(&Partition::new("-"), None, scan)?;
    let (mut rows, mut uncommitted) = (0, 0);
    loop {
        match reader.next()? {
            Next::Batch(batch) => {
                writer.append(&batch.rows)?;
                (rows, uncommitted) = (rows + batch.rows.num_rows(), uncommitted + batch.rows.num_rows());
            }
            // The log takes good rows only: bad ones are to be fixed where they come from.
            Next::Mixed(_, bad) => return Err(Error::data(bad[0].reason())),
            Next::Pending if uncommitted == 0 => std::thread::sleep(PAUSE),
            Next::Pending => uncommitted = ROWS,
            Next::End => return Ok(rows),
        }
        if uncommitted >= ROWS {
            writer.commit()?;
            uncommitted = 0;
        }
    }
}

fn open(append: &Append) -> Result<Log> {
    let Some(columns) = &append.schema else {
        return Log::open(&append.dir).map_err(|error| error.at("to create a log, say its --schema"));
    };
    let schema = schema::parse(columns)?;
    if append.dir.join("log.json").exists() {
        let log = Log::open(&append.dir)?;
        if log.schema() != &schema {
            let dir = append.dir.display();
            return Err(Error::usage(format!("{dir}: there is a log already, of other columns; leave out --schema")));
        }
        return Ok(log);
    }
    if append.partition >= append.partitions.max(1) {
        let (partition, partitions) = (append.partition, append.partitions);
        return Err(Error::usage(format!("a log of --partitions {partitions} has no partition {partition} (from 0)")));
    }
    let layout = Layout::partitions(append.partitions);
    let layout = match append.event_time.as_deref().or(schema::only_timestamp(&schema)) {
        Some(column) => layout.event_time(column),
        None => layout,
    };
    Log::create(&append.dir, &schema, layout)
}
