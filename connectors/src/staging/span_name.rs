//! The form of a span's start in the name of a visible file: `20260101T120000Z`.

/// What stands in the place of a span in the name of a file without rows.
pub(crate) const NO_SPAN: &str = "empty";

/// Whether a text is the start of a span as in file names: RFC 3339 in UTC without `-` and `:`, after `before` if it
/// lies before the year 0; outside the calendar a number of microseconds, `…us`; `empty` for a file without rows.
///
/// This form distinguishes a file that a sink made from one that somebody else put beside it.
pub(crate) fn is_span_start(text: &str, before: char) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if text == NO_SPAN {
        return true;
    }
    let text = text.strip_prefix(before).unwrap_or(text);
    if let Some(micros) = text.strip_suffix("us") {
        return digits(micros);
    }
    let Some((date, time)) = text.strip_suffix('Z').and_then(|text| text.split_once('T')) else { return false };
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, "0"));
    // Years outside 0 to 9999 have six digits.
    digits(date) && matches!(date.len(), 8 | 10) && digits(seconds) && seconds.len() == 6 && digits(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_are_starts_of_spans() {
        for text in
            ["20260101T120000Z", "20260101T120000.5Z", "n0099990102T015959Z", "n377705116800000001us", "7us", "empty"]
        {
            assert!(is_span_start(text, 'n'), "{text}");
        }
        for text in
            ["", "sales", "results", "status", "Z", "us", "2026Z", "20260101TZ", "20260101T1200Z", "-7us", "VIZ"]
        {
            assert!(!is_span_start(text, 'n'), "{text}");
        }
    }
}
