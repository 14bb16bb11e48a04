//! Which files an output has, and what they are called.

use dualgauge_engine::{Duration, EventTime};

use crate::staging::{NO_SPAN, is_span_start};

/// Which rows go to which file.
#[derive(Clone, Debug)]
pub(super) enum Naming {
    /// All rows in one file of this name.
    One(String),
    /// A file for each span of this length, with this extension.
    Spans(Duration, &'static str),
}

impl Naming {
    /// The start of the span that a row belongs to.
    pub(super) fn span_of(&self, time: EventTime) -> EventTime {
        match self {
            Naming::One(_) => EventTime::MIN,
            Naming::Spans(span, _) => time.floor_to(*span, Duration::ZERO),
        }
    }

    /// Whether no row of the span can come any more; the end of all time closes every span.
    pub(super) fn is_over(&self, start: EventTime, watermark: EventTime) -> bool {
        match self {
            Naming::One(_) => watermark == EventTime::MAX,
            Naming::Spans(span, _) => start + *span <= watermark,
        }
    }

    /// The name of a span's file; `supplement` counts the files for rows that came after it was published.
    pub(super) fn name(&self, start: EventTime, bucket: usize, supplement: usize) -> String {
        let more = if supplement == 0 { String::new() } else { format!("-{supplement}") };
        match self {
            Naming::One(name) => {
                let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
                if supplement == 0 { name.clone() } else { format!("{stem}{more}.{extension}") }
            }
            Naming::Spans(_, extension) => format!("{}-b{bucket}{more}.{extension}", compact(start)),
        }
    }

    /// The name of a file without rows, which is the only one.
    pub(super) fn empty(&self) -> String {
        match self {
            Naming::One(name) => name.clone(),
            Naming::Spans(_, extension) => format!("{NO_SPAN}-b0.{extension}"),
        }
    }

    /// Whether a name is one that [`Naming::name`] or [`Naming::empty`] gives.
    pub(super) fn is_ours(&self, name: &str) -> bool {
        let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let supplement = |rest: &str| rest.is_empty() || rest.strip_prefix('-').is_some_and(number);
        match self {
            Naming::One(one) => {
                let (stem, extension) = one.rsplit_once('.').unwrap_or((one, ""));
                let middle = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(extension)?.strip_suffix('.'));
                name == one || middle.is_some_and(supplement)
            }
            Naming::Spans(_, extension) => {
                let stem = name.strip_suffix(extension).and_then(|stem| stem.strip_suffix('.'));
                let Some((start, rest)) = stem.and_then(|stem| stem.rsplit_once("-b")) else { return false };
                let bucket = rest.trim_start_matches(|c: char| c.is_ascii_digit());
                is_span_start(start, '-') && bucket.len() < rest.len() && supplement(bucket)
            }
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
        let naming = Naming::Spans(1.hours(), "csv");
        let start = naming.span_of("2026-01-01T13:59:59Z".parse().unwrap());
        assert_eq!(naming.name(start, 3, 0), "20260101T130000Z-b3.csv");
        assert_eq!(naming.name(start, 3, 2), "20260101T130000Z-b3-2.csv");
        for (name, ours) in [
            ("20260101T130000Z-b3.csv", true),
            ("20260101T130000Z-b3-2.csv", true),
            ("empty-b0.csv", true),
            ("20260101T130000Z-b3.jsonl", false),
            ("notes-backup.csv", false),
            ("sales-b1.csv", false),
            ("results-b2-2025.csv", false),
            ("20260101T130000Z-b3-2-5.csv", false),
            ("README.md", false),
        ] {
            assert_eq!(naming.is_ours(name), ours, "{name}");
        }
        let one = Naming::One("sales.2026.csv".to_string());
        for (name, ours) in [
            (one.name(EventTime::MIN, 0, 0), true),
            (one.name(EventTime::MIN, 0, 3), true),
            ("sales.2025.csv".to_string(), false),
            ("sales.2026-b.csv".to_string(), false),
        ] {
            assert_eq!(one.is_ours(&name), ours, "{name}");
        }
    }

    #[test]
    fn a_span_is_over_when_the_watermark_reaches_its_end() {
        let naming = Naming::Spans(10.seconds(), "csv");
        let (one, start) = (Naming::One("out.csv".to_string()), EventTime::from_millis(20_000));
        assert!(!naming.is_over(start, EventTime::from_millis(29_999)));
        assert!(naming.is_over(start, EventTime::from_millis(30_000)));
        assert!(!one.is_over(EventTime::MIN, EventTime::from_millis(30_000)));
        assert!(one.is_over(EventTime::MIN, EventTime::MAX));
    }
}
