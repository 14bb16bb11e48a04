//! The options that every source of files takes.

use dualgauge_engine::Result;

use super::{Binding, TRUTH};
use crate::parquet::ParquetSource;
use crate::text::{Format, TextSource};

/// A source that lists files.
pub(super) trait Listed: Sized {
    /// Whether directories that are called `name=value` are columns.
    fn hive(self, hive: bool) -> Self;

    /// Whether there may be nothing to read.
    fn allow_empty(self, allow_empty: bool) -> Self;
}

impl Listed for ParquetSource {
    fn hive(self, hive: bool) -> ParquetSource {
        ParquetSource::hive(self, hive)
    }

    fn allow_empty(self, allow_empty: bool) -> ParquetSource {
        ParquetSource::allow_empty(self, allow_empty)
    }
}

impl<F: Format> Listed for TextSource<F> {
    fn hive(self, hive: bool) -> TextSource<F> {
        TextSource::hive(self, hive)
    }

    fn allow_empty(self, allow_empty: bool) -> TextSource<F> {
        TextSource::allow_empty(self, allow_empty)
    }
}

/// The source with what the binding says of its files.
pub(super) fn listed<S: Listed>(binding: &mut Binding, source: S) -> Result<S> {
    let source = binding.option(source, "hive", TRUTH, S::hive)?;
    binding.option(source, "allow_empty", TRUTH, S::allow_empty)
}
