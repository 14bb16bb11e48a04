//! What a log is: `log.json`, written once when the log is created.

use std::path::Path;
use std::sync::Arc;

use arrow_ipc::convert::try_schema_from_ipc_buffer;
use arrow_schema::{DataType, FieldRef, SchemaRef};
use dualgauge_engine::fs::Fs;
use dualgauge_engine::{Error, Result};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::files::{create_own_dir, on, remove, synced};
use super::format::{partition_name, schema_message};
use crate::caught::caught;

const NAME: &str = "log.json";
const FORMAT: u32 = 1;

/// The longest identity: some hundred bytes for each of a hundred thousand columns.
const BYTES_MAX: u64 = 64 << 20;

/// How many partitions there may be: each is a directory, and files.
const PARTITIONS_MAX: u32 = 10_000;

/// How many columns there may be, and how deeply nested: readers of the schema recurse into each level.
const COLUMNS_MAX: usize = 100_000;
const DEPTH_MAX: usize = 32;

/// How a log is laid out; a number of partitions is a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    partitions: u32,
    event_time: Option<String>,
}

impl Layout {
    /// A log of this many partitions.
    pub fn partitions(partitions: u32) -> Layout {
        Layout { partitions, event_time: None }
    }

    /// The column that holds the event time (a timestamp, or an `Int64` of microseconds); its largest value so far is
    /// kept with every batch.
    pub fn event_time(mut self, column: impl Into<String>) -> Layout {
        self.event_time = Some(column.into());
        self
    }

    /// How many partitions.
    pub fn partition_count(&self) -> u32 {
        self.partitions
    }
}

impl From<u32> for Layout {
    fn from(partitions: u32) -> Layout {
        Layout::partitions(partitions)
    }
}

/// What a log is, for ever.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub id: [u8; 16],
    pub partitions: u32,
    pub event_time: Option<usize>,
    pub schema: SchemaRef,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u32,
    id: String,
    partitions: u32,
    event_time: Option<String>,
    /// For people; the schema is what counts.
    columns: Vec<String>,
    /// The schema's Arrow IPC message in hexadecimal digits.
    schema: String,
    /// xxh3_64 over the fields above, one to a line.
    checksum: String,
}

impl Document {
    fn checksum(&self) -> String {
        let event_time = self.event_time.as_deref().unwrap_or_default();
        let (columns, has) = (self.columns.join("\n"), self.event_time.is_some());
        let text = format!(
            "{}\n{}\n{}\n{has}\n{event_time}\n{columns}\n{}",
            self.format, self.id, self.partitions, self.schema
        );
        format!("{:016x}", xxh3_64(text.as_bytes()))
    }
}

impl Identity {
    /// Writes the identity of a new log into `dir`; the last thing that makes the log exist.
    pub fn create(fs: &dyn Fs, dir: &Path, schema: &SchemaRef, layout: &Layout, id: [u8; 16]) -> Result<Identity> {
        let event_time = check(schema, layout)?;
        for partition in 0..layout.partitions {
            create_own_dir(fs, &dir.join(partition_name(partition)))?;
        }
        let mut document = Document {
            format: FORMAT,
            id: hex(&id),
            partitions: layout.partitions,
            event_time: layout.event_time.clone(),
            columns: schema.fields().iter().map(|field| format!("{}: {}", field.name(), field.data_type())).collect(),
            schema: hex(&schema_message(schema)),
            checksum: String::new(),
        };
        document.checksum = document.checksum();
        let text = serde_json::to_string_pretty(&document).expect("strings and numbers become JSON");

        let (path, aside) = (dir.join(NAME), dir.join(format!("{NAME}.{}", hex(&id))));
        let mut file = on(&aside, fs.create(&aside))?;
        on(&aside, file.append(text.as_bytes()))?;
        on(&aside, file.sync())?;
        // Another start of the job may have made the partitions, and not yet durably.
        synced(dir, fs.sync_names(dir))?;
        let linked = fs.give_name(&aside, &path).map(drop);
        remove(fs, &aside)?; // already gone if it was moved
        match linked {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(Error::usage(format!("{}: there is a log already; open it", dir.display())));
            }
            linked => on(&path, linked)?,
        }
        synced(dir, fs.sync_names(dir))?;
        Ok(Identity { id, partitions: layout.partitions, event_time, schema: schema.clone() })
    }

    /// Reads the identity of the log in `dir`.
    pub fn load(fs: &dyn Fs, dir: &Path) -> Result<Identity> {
        let path = dir.join(NAME);
        let file = match fs.open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(
                    Error::usage(format!("{}: there is no log here ({NAME} is missing)", dir.display())).absent()
                );
            }
            file => on(&path, file)?,
        };
        let length = on(&path, file.length())?;
        if length > BYTES_MAX {
            let message = format!("{}: it has {length} bytes; {BYTES_MAX} are the most", path.display());
            return Err(Error::data(message));
        }
        let bytes = on(&path, fs.read(&path))?;
        Identity::parse(&bytes).map_err(|error| error.at(path.display()))
    }

    fn parse(bytes: &[u8]) -> Result<Identity> {
        let damaged = || Error::data("it is damaged (bad checksum)");
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| Error::data("it cannot be read").caused_by(error))?;
        if document.format != FORMAT {
            let message = format!("its format version is {}, and this program reads {FORMAT}", document.format);
            return Err(Error::data(message));
        }
        if document.checksum != document.checksum() {
            return Err(damaged());
        }
        let id = unhex(&document.id).and_then(|id| id.try_into().ok()).ok_or_else(damaged)?;
        let message = unhex(&document.schema).ok_or_else(damaged)?;
        let partitions = document.partitions;
        if !(1..=PARTITIONS_MAX).contains(&partitions) {
            let message = format!("it names {partitions} partitions, and a log has between 1 and {PARTITIONS_MAX}");
            return Err(Error::data(message));
        }
        let schema = caught("its schema", || try_schema_from_ipc_buffer(&message))?
            .map_err(|error| Error::data("its schema cannot be read").caused_by(error))?;
        let schema = Arc::new(schema);
        check_size(&schema).map_err(Error::data)?;
        let event_time = document.event_time.as_deref().map(|column| event_time_index(&schema, column)).transpose()?;
        Ok(Identity { id, partitions: document.partitions, event_time, schema })
    }
}

/// Whether the log exists: its identity is the last thing that is written.
pub(super) fn exists(fs: &dyn Fs, dir: &Path) -> bool {
    fs.open(&dir.join(NAME)).is_ok()
}

/// Refuses what no log can be. Returns the index of the event-time column, if there is one.
pub(super) fn check(schema: &SchemaRef, layout: &Layout) -> Result<Option<usize>> {
    check_schema(schema)?;
    let partitions = layout.partitions;
    if !(1..=PARTITIONS_MAX).contains(&partitions) {
        let message = format!("a log has between 1 and {PARTITIONS_MAX} partitions, and {partitions} were asked for");
        return Err(Error::usage(message));
    }
    layout.event_time.as_deref().map(|column| event_time_index(schema, column)).transpose()
}

/// Refuses what a segment cannot hold.
fn check_schema(schema: &SchemaRef) -> Result<()> {
    check_size(schema).map_err(Error::usage)?;
    for field in schema.flattened_fields() {
        if matches!(field.data_type(), DataType::Dictionary(..)) {
            let message = format!(
                "column `{}` is dictionary-encoded ({}), which a log does not store: cast it to its value type",
                field.name(),
                field.data_type()
            );
            return Err(Error::usage(message));
        }
    }
    arrow_ipc::writer::StreamEncoder::try_new(schema)
        .map(|_| ())
        .map_err(|error| Error::usage("a log cannot store this schema").caused_by(error))
}

/// Refuses what is too wide or too deep to be read back, and says why.
fn check_size(schema: &SchemaRef) -> Result<(), String> {
    let columns = schema.fields().len();
    if columns > COLUMNS_MAX {
        return Err(format!("the schema has {columns} columns; {COLUMNS_MAX} are the most"));
    }
    for field in schema.fields() {
        // Level by level, so that nothing here recurses either.
        let (mut level, mut depth) = (vec![field], 0);
        while !level.is_empty() {
            depth += 1;
            if depth > DEPTH_MAX {
                return Err(format!("column `{}` is nested more than {DEPTH_MAX} deep", field.name()));
            }
            level = level.into_iter().flat_map(|field| below(field.data_type())).collect();
        }
    }
    Ok(())
}

/// The fields that a type is made of.
fn below(of: &DataType) -> Vec<&FieldRef> {
    match of {
        DataType::Struct(fields) => fields.iter().collect(),
        DataType::Union(fields, _) => fields.iter().map(|(_, field)| field).collect(),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => vec![field],
        DataType::RunEndEncoded(ends, values) => vec![ends, values],
        _ => Vec::new(),
    }
}

fn event_time_index(schema: &SchemaRef, column: &str) -> Result<usize> {
    let (index, field) = schema.column_with_name(column).ok_or_else(|| {
        let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        Error::usage(format!("the event-time column `{column}` is not among the columns: {}", names.join(", ")))
    })?;
    match field.data_type() {
        DataType::Timestamp(..) | DataType::Int64 => Ok(index),
        other => Err(Error::usage(format!(
            "the event-time column `{column}` is {other}, and must be a timestamp or an Int64 of microseconds"
        ))),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<_>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| (high * 16 + low) as u8).collect())
}
