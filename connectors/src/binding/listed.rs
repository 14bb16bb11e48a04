//! The options that every source of files takes.

use dualgauge_engine::Result;

use super::{Binding, TRUTH};
use crate::files::Options;

/// What the binding says of the files of a source.
pub(super) fn listed(binding: &mut Binding) -> Result<Options> {
    let options = Options::default();
    let options = binding.option(options, "hive", TRUTH, |options, hive| Options { hive, ..options })?;
    binding.option(options, "allow_empty", TRUTH, |options, allow_empty| Options { allow_empty, ..options })
}
