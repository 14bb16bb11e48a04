//! Text from outside on its way to a person: names of columns, files and bindings, and values of data.
//!
//! A terminal obeys control characters wherever they come from: it would clear its screen, or rename its window, at the
//! word of a file. So all messages on standard output and standard error go through [`Outside`], which shows them as
//! `\u{1b}`; rows that a sink writes are data, and do not.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Writes text to where a person reads it, with control characters made visible.
pub struct Outside<W>(pub W);

impl<W: Write> Write for Outside<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // What is written through `fmt` comes in whole characters; part of a character from anywhere else is shown as
        // unreadable.
        self.0.write_all(visible(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The text with its control characters made visible, except line ends and tabs.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_hidden(c) {
            true => write!(shown, "\\u{{{:x}}}", c as u32).expect("a string takes all"),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal or an editor acts on the character instead of showing it: the controls, and the marks that turn
/// the direction of the text around them.
pub(crate) fn is_hidden(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_character_is_shown_and_all_else_is_as_it_was() {
        for c in (0..=0x2100_u32).filter_map(char::from_u32) {
            let (text, mut out) = (format!("a{c}b"), Vec::new());
            write!(Outside(&mut out), "{text}").unwrap();
            let shown = String::from_utf8(out).unwrap();
            match c == '\n' || c == '\t' || !is_hidden(c) {
                true => assert_eq!(shown, text),
                false => assert_eq!(shown, format!("a\\u{{{:x}}}b", c as u32)),
            }
        }
        assert_eq!(visible("column `a\u{1b}[2J`\n"), "column `a\\u{1b}[2J`\n");
        assert!(('\u{0}'..='\u{1f}').chain('\u{7f}'..='\u{9f}').all(|c| is_hidden(c) || c == '\n' || c == '\t'));
    }
}
