//! The delimiter of CSV fields, as a binding writes it.

use std::str::FromStr;

/// One byte between fields; a tab, which is hard to type, has a name.
pub(super) struct Delimiter(pub(super) u8);

impl Delimiter {
    pub(super) const EXPECTED: &str = "one ASCII character other than a quote or a newline, or `tab`";
}

impl FromStr for Delimiter {
    type Err = ();

    fn from_str(text: &str) -> Result<Delimiter, ()> {
        match text.as_bytes() {
            b"tab" => Ok(Delimiter(b'\t')),
            [byte] if !matches!(byte, b'"' | b'\n' | b'\r') => Ok(Delimiter(*byte)),
            _ => Err(()),
        }
    }
}
