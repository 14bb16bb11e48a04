//! A name that may become a part of a path.
//!
//! - **One plain component.** Joined to a directory, it names something in that directory and nowhere else: it has no
//!   separator, is neither `.` nor `..`, and is nothing that an operating system reads in another way.
//! - **Checked where it is read.** Whatever a checkpoint or a disk says is text until it has become such a name; so a
//!   crafted one is refused before anything is touched.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How many bytes the name of a file can have on the file systems that matter.
const BYTES_MAX: usize = 255;

/// A name that may become a part of a path: one plain component of it.
///
/// ```
/// use dualgauge_engine::fs::PlainName;
///
/// assert!(PlainName::parse("20260101T000000Z-b0.parquet").is_ok());
/// for text in ["", ".", "..", "../diary.txt", "/etc/passwd", "a/b", "a\\b", "a\0b", "line\nbreak"] {
///     assert!(PlainName::parse(text).is_err(), "{text:?}");
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlainName(String);

impl PlainName {
    /// The name, if the text is one.
    ///
    /// # Errors
    /// A text that is more, or less, than one plain component of a path; the error shows it escaped.
    pub fn parse(text: impl Into<String>) -> Result<PlainName> {
        let text = text.into();
        let plain = |c: char| !c.is_control() && !matches!(c, '/' | '\\');
        let mut components = Path::new(&text).components();
        let one = matches!(components.next(), Some(Component::Normal(name)) if name == text.as_str());
        match one && components.next().is_none() && text.len() <= BYTES_MAX && text.chars().all(plain) {
            true => Ok(PlainName(text)),
            false => {
                let shown: String = text.chars().take(BYTES_MAX).flat_map(char::escape_debug).collect();
                Err(Error::data(format!("`{shown}` is not the plain name of a file")))
            }
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What has this name in `dir`.
    pub fn within(&self, dir: &Path) -> PathBuf {
        dir.join(&self.0)
    }
}

impl TryFrom<String> for PlainName {
    type Error = Error;

    fn try_from(text: String) -> Result<PlainName> {
        PlainName::parse(text)
    }
}

impl From<PlainName> for String {
    fn from(name: PlainName) -> String {
        name.0
    }
}

impl fmt::Display for PlainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
