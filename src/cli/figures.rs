//! Numbers as people read them.

use crate::{Duration, Error, Result};

/// `12 345 678`.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `1 row`, `12 345 rows`.
pub(super) fn plural(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// `118.4 MiB`.
pub(super) fn bytes(count: u64) -> String {
    if count < 1024 { plural(count, "byte") } else { scaled(count as f64, 1024.0, &["", "KiB", "MiB", "GiB", "TiB"]) }
}

/// The number of bytes that a text means: `512MiB`, `1000000`.
pub(super) fn parse_bytes(text: &str) -> Result<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let shift = ["", "KiB", "MiB", "GiB", "TiB"].iter().position(|known| *known == unit.trim_start());
    let bytes = shift.and_then(|shift| number.parse::<u64>().ok()?.checked_mul(1 << (10 * shift)));
    bytes.ok_or_else(|| Error::usage("expected a whole number of bytes, such as 512MiB, 4GiB or 1000000"))
}

/// `7.6 M rows/s`.
pub(super) fn rate(rows: u64, elapsed: Duration) -> String {
    let per_second = rows as f64 * 1e6 / elapsed.as_micros().max(1) as f64;
    if per_second < 1000.0 {
        return format!("{per_second:.0} rows/s");
    }
    format!("{} rows/s", scaled(per_second, 1000.0, &["", "k", "M", "G"]))
}

/// To the millisecond below ten seconds, to the second above: nobody reads the rest.
pub(super) fn length(length: Duration) -> String {
    let micros = length.as_micros();
    let step = if micros.abs() < 10_000_000 { 1_000 } else { 1_000_000 };
    Duration::from_micros(micros / step * step).to_string()
}

fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while value >= step && unit + 1 < units.len() {
        (value, unit) = (value / step, unit + 1);
    }
    format!("{value:.1} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Durations;

    #[test]
    fn numbers_are_grouped_and_scaled() {
        assert_eq!([0, 999, 1_000, 12_345_678].map(grouped), ["0", "999", "1 000", "12 345 678"]);
        assert_eq!([1, 2].map(|count| plural(count, "row")), ["1 row", "2 rows"]);
        assert_eq!([1, 1_023, 1_536, 5 << 20].map(bytes), ["1 byte", "1 023 bytes", "1.5 KiB", "5.0 MiB"]);
        let parsed = ["0", "1000000", "512MiB", "4 GiB"].map(|text| parse_bytes(text).unwrap());
        assert_eq!(parsed, [0, 1_000_000, 512 << 20, 4 << 30]);
        for wrong in ["", "MiB", "1.5GiB", "512MB", "-1", "99999999999TiB"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
        assert_eq!(rate(1_500, 1.seconds()), "1.5 k rows/s");
        assert_eq!(rate(12, 0.seconds()), "12.0 M rows/s");
        assert_eq!(rate(5, 2.seconds()), "2 rows/s");
        assert_eq!(length(1_234_567.micros()), "1s234ms");
        assert_eq!(length(61_234_567.micros()), "1m1s");
    }
}
