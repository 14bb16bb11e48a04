//! From the text that names a place to the store there.

use std::path::Path;
use std::sync::Arc;

use super::{LocalStore, Store, strange};
use crate::fs::RealFs;
use crate::{Error, Result};

/// The store that a text names: a directory (`checkpoints/hot_items`, `file:///var/lib/hot_items`), or a place behind a URL
/// (`s3://bucket/hot_items`), for which the cargo feature `s3` must be on.
///
/// Local places are always directories whose writes are synced, whichever way they are named.
///
/// # Errors
/// When the directory cannot be created, or is a log or an output; when the URL cannot be read, or its scheme was not compiled in.
///
/// ```
/// use dualgauge_engine::checkpoint::open_store;
///
/// let dir = std::env::temp_dir().join(format!("dualgauge-open-store-{}", std::process::id()));
/// let store = open_store(&format!("file://{}", dir.display())).unwrap();
/// assert_eq!(store.describe(), dir.display().to_string());
/// std::fs::remove_dir_all(dir).unwrap();
/// ```
pub fn open_store(place: &str) -> Result<Arc<dyn Store>> {
    match scheme_of(place) {
        None => local(place),
        Some("file") => match place.strip_prefix("file://").or_else(|| place.strip_prefix("file:")) {
            Some(path) if path.starts_with('/') => local(path),
            _ => {
                Err(Error::usage(format!("checkpoints {place}: a file URL has an absolute path: file:///var/lib/job")))
            }
        },
        Some(scheme) => remote(place, scheme),
    }
}

/// As [`open_store`], for a caller that only looks: a missing directory is not created.
///
/// # Errors
/// As for [`open_store`], and when there is no such directory.
pub fn open_existing_store(place: &str) -> Result<Arc<dyn Store>> {
    let path = if scheme_of(place).is_none() { Some(place) } else { place.strip_prefix("file://") };
    match path.filter(|path| !Path::new(path).join("manifest").is_dir()) {
        Some(path) => Err(Error::usage(format!("{path}: there are no checkpoints here (no folder `manifest`)"))),
        None => open_store(place),
    }
}

fn local(path: &str) -> Result<Arc<dyn Store>> {
    if path.is_empty() {
        return Err(Error::usage(
            "the place for checkpoints is empty; name a directory, or a URL such as s3://bucket/job",
        ));
    }
    strange::refuse(&RealFs, path)?;
    Ok(Arc::new(LocalStore::open(Arc::new(RealFs), path)?))
}

/// What stands before the colon of a URL. A path may have a colon too, but not after letters alone.
fn scheme_of(place: &str) -> Option<&str> {
    let (scheme, _) = place.split_once(':')?;
    let is_scheme = scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_scheme.then_some(scheme)
}

#[cfg(feature = "object-store")]
fn remote(place: &str, scheme: &str) -> Result<Arc<dyn Store>> {
    if cfg!(not(feature = "s3")) && matches!(scheme, "s3" | "s3a") {
        return Err(not_compiled_in(place, scheme));
    }
    Ok(Arc::new(super::RemoteStore::open(place)?))
}

#[cfg(not(feature = "object-store"))]
fn remote(place: &str, scheme: &str) -> Result<Arc<dyn Store>> {
    match scheme {
        "s3" | "s3a" => Err(not_compiled_in(place, scheme)),
        _ => Err(Error::usage(format!(
            "checkpoints {place}: `{scheme}` is no kind of place that this program can write to; name a directory, or \
             s3://bucket/job in a program built with the cargo feature `s3` of dualgauge"
        ))),
    }
}

#[cfg_attr(feature = "s3", allow(dead_code))]
fn not_compiled_in(place: &str, scheme: &str) -> Error {
    Error::usage(format!(
        "checkpoints {place}: this program was built without `{scheme}`; build it with the cargo feature `s3` of dualgauge, \
         or name a directory"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_no_url() {
        for path in ["checkpoints", "./a:b", "/var/lib/job", "a/b:c", "c:/jobs"] {
            assert_eq!(scheme_of(path), None, "{path}");
        }
        assert_eq!(scheme_of("s3://bucket/job"), Some("s3"));
        assert_eq!(scheme_of("memory:///"), Some("memory"));
    }

    #[test]
    fn what_cannot_be_opened_is_refused_with_what_to_do() {
        let message = |place| open_store(place).err().unwrap_or_else(|| panic!("{place} was opened")).to_string();
        assert!(message("").contains("is empty"));
        assert!(message("file://relative").contains("absolute path"));
        assert!(
            open_existing_store("/no/such/place").unwrap_err().to_string().contains("there are no checkpoints here")
        );
        if cfg!(not(feature = "s3")) {
            assert!(message("s3://bucket/job").contains("cargo feature `s3`"), "{}", message("s3://bucket/job"));
        }
    }
}
