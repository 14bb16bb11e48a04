//! The file of an output without rows: so that who reads it finds a place that can be read, and its columns.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow_schema::SchemaRef;
use dualgauge_engine::Result;
use dualgauge_engine::fs::{Kind, PlainName};

use super::files::{self, create_own_dir, on, synced};
use super::{OutputPlace, ledger};

/// The columns of the rows that a sink has been given the place for.
#[derive(Clone, Default)]
pub(crate) struct Columns(Arc<Mutex<Option<SchemaRef>>>);

impl Columns {
    pub(crate) fn note(&self, schema: &SchemaRef) {
        *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(schema.clone());
    }

    /// `None` for a sink that was not given a place.
    pub(crate) fn get(&self) -> Option<SchemaRef> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Columns")
    }
}

/// A file without rows.
pub(crate) struct EmptyFile {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// Whether the ledger must say that a sink has made it.
    pub(crate) ledger: bool,
}

/// Makes the file in `visible`, where nothing lies whose name the sink `gives`.
pub(super) fn fill(
    place: &OutputPlace,
    visible: &Path,
    gives: &dyn Fn(&str) -> bool,
    EmptyFile { name, bytes, ledger }: EmptyFile,
) -> Result<()> {
    let fs = &*place.fs;
    if files::list(fs, visible)?.iter().any(|name| gives(name)) {
        return Ok(());
    }
    let name = PlainName::parse(&name)?;
    create_own_dir(fs, &place.staging)?;
    let aside = place.staging.join("empty.new");
    files::write_aside(fs, &aside, &bytes)?;
    if ledger {
        let published = (bytes.len() as u64, blake3::hash(&bytes).to_hex().to_string());
        ledger::add(fs, &place.published, 0, &[(&name, published, None)])?;
    }
    let path = name.within(visible);
    match on(&path, fs.kind(&path))? {
        None => on(&path, fs.rename(&aside, &path))?,
        Some(Kind::File) => files::remove(fs, &aside)?, // somebody was faster
        Some(kind) => return Err(files::not_ours(&path, kind)),
    }
    synced(visible, fs.sync_names(visible))
}
