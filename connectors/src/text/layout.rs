//! Which files an output has, and what they are called.

use std::fs;
use std::path::{Path, PathBuf};

use dualgauge_engine::{Duration, Error, EventTime, Result};

/// The shape of an output on disk.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Where finished files appear.
    pub(super) directory: PathBuf,
    /// Where they are made.
    pub(super) staging: PathBuf,
    naming: Naming,
}

#[derive(Clone, Debug)]
enum Naming {
    /// All rows in one file of this name.
    One(String),
    /// A file for each span of this length.
    Spans(Duration, &'static str),
}

impl Layout {
    pub(super) fn one_file(path: &Path) -> Layout {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        Layout { staging: directory.join(format!(".{name}.staging")), directory, naming: Naming::One(name) }
    }

    pub(super) fn per_span(path: &Path, span: Duration, extension: &'static str) -> Layout {
        let (directory, naming) = (path.to_path_buf(), Naming::Spans(span, extension));
        Layout { staging: directory.join(".staging"), directory, naming }
    }

    /// The start of the span that a row belongs to.
    pub(super) fn span_of(&self, time: EventTime) -> EventTime {
        match self.naming {
            Naming::One(_) => EventTime::MIN,
            Naming::Spans(span, _) => time.floor_to(span, Duration::ZERO),
        }
    }

    /// Whether no row of the span can come any more; the end of all time closes every span.
    pub(super) fn is_over(&self, start: EventTime, watermark: EventTime) -> bool {
        match self.naming {
            Naming::One(_) => watermark == EventTime::MAX,
            Naming::Spans(span, _) => start + span <= watermark,
        }
    }

    /// The name of a span's file; `supplement` counts the files for rows that came after it was published.
    pub(super) fn name(&self, start: EventTime, bucket: usize, supplement: usize) -> String {
        let more = if supplement == 0 { String::new() } else { format!("-{supplement}") };
        match &self.naming {
            Naming::One(name) => {
                let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
                if supplement == 0 { name.clone() } else { format!("{stem}{more}.{extension}") }
            }
            Naming::Spans(_, extension) => format!("{}-b{bucket}{more}.{extension}", compact(start)),
        }
    }

    /// The visible files that are there already.
    pub(super) fn found(&self) -> Result<Vec<PathBuf>> {
        if let Naming::One(name) = &self.naming {
            let file = self.directory.join(name);
            return Ok(if file.exists() { vec![file] } else { Vec::new() });
        }
        if !self.directory.exists() {
            return Ok(Vec::new());
        }
        let failed = |cause| Error::io(format!("cannot look at {}", self.directory.display()), cause);
        let entries = fs::read_dir(&self.directory).map_err(failed)?.map(|entry| entry.map(|entry| entry.path()));
        let mut found = entries.collect::<std::io::Result<Vec<_>>>().map_err(failed)?;
        found.retain(|path| *path != self.staging);
        found.sort();
        Ok(found)
    }

    /// Whether a file that was found is named as this layout names its own.
    pub(super) fn wrote(&self, path: &Path) -> bool {
        let Naming::Spans(_, extension) = &self.naming else { return true };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some((span, rest)) = name.strip_suffix(extension).and_then(|name| name.strip_suffix('.')?.split_once("-b"))
        else {
            return false;
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        span.ends_with(['Z', 's']) && rest.split('-').all(digits)
    }

    /// Removes what was left aside.
    pub(super) fn clean(&self) -> Result<()> {
        match fs::remove_dir_all(&self.staging) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io(format!("cannot remove {}", self.staging.display()), cause))
            }
            _ => Ok(()),
        }
    }
}

/// `20260101T000000Z`: RFC 3339 without what a file name should not have.
fn compact(time: EventTime) -> String {
    let text = time.to_string();
    match text.strip_prefix('-') {
        Some(before_year_0) => format!("-{}", before_year_0.replace(['-', ':'], "")),
        None => text.replace(['-', ':'], ""),
    }
}

#[cfg(test)]
mod tests {
    use dualgauge_engine::Durations;

    use super::*;

    #[test]
    fn files_are_named_by_span_and_bucket_and_recognised_by_their_name() {
        let layout = Layout::per_span(Path::new("out"), 1.hours(), "csv");
        let start = layout.span_of("2026-01-01T13:59:59Z".parse().unwrap());
        assert_eq!(layout.name(start, 3, 0), "20260101T130000Z-b3.csv");
        assert_eq!(layout.name(start, 3, 2), "20260101T130000Z-b3-2.csv");
        for (name, ours) in [
            ("20260101T130000Z-b3.csv", true),
            ("20260101T130000Z-b3-2.csv", true),
            ("20260101T130000Z-b3.jsonl", false),
            ("notes-backup.csv", false),
            ("README.md", false),
        ] {
            assert_eq!(layout.wrote(Path::new(name)), ours, "{name}");
        }
    }

    #[test]
    fn a_span_is_over_when_the_watermark_reaches_its_end() {
        let layout = Layout::per_span(Path::new("out"), 10.seconds(), "csv");
        let start = EventTime::from_millis(20_000);
        assert!(!layout.is_over(start, EventTime::from_millis(29_999)));
        assert!(layout.is_over(start, EventTime::from_millis(30_000)));
        assert!(!Layout::one_file(Path::new("out.csv")).is_over(EventTime::MIN, EventTime::from_millis(30_000)));
        assert!(Layout::one_file(Path::new("out.csv")).is_over(EventTime::MIN, EventTime::MAX));
    }
}
