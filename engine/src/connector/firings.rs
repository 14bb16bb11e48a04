//! Which firings of a result a sink is given, and with which columns.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::{Error, Result};

/// Which firings of a result a sink writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Firings {
    /// The last one, when it can change no more.
    #[default]
    Last,
    /// Each, as soon as it has fired: with the columns `firing`, its number from 1, and `last`.
    All,
}

/// The columns that are added.
pub(crate) const FIRING: &str = "firing";
pub(crate) const LAST: &str = "last";

impl Firings {
    /// The columns that a sink is given for rows of `schema`.
    ///
    /// # Errors
    /// The rows have a column of a name that is to be added.
    pub(crate) fn columns(self, schema: &SchemaRef) -> Result<SchemaRef> {
        if self == Firings::Last {
            return Ok(schema.clone());
        }
        if let Some(taken) = [FIRING, LAST].into_iter().find(|name| schema.field_with_name(name).is_ok()) {
            return Err(Error::usage(format!(
                "the rows have a column `{taken}` of their own, and `firings=all` adds one of this name; rename it in the record"
            )));
        }
        Ok(widened(schema))
    }
}

/// A schema with the columns that are added.
pub(crate) fn widened(schema: &SchemaRef) -> SchemaRef {
    let added = [Field::new(FIRING, DataType::UInt64, false), Field::new(LAST, DataType::Boolean, false)];
    let fields = schema.fields().iter().cloned().chain(added.map(Arc::new));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
