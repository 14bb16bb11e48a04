//! A value as it stands in the text, before anyone knows what it should be.

use std::borrow::Cow;

/// A value as it stands in the text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell<'a> {
    /// The record does not mention it.
    Absent,
    /// It is missing, and the record says so.
    Null,
    /// An empty field of a record that has no other way to say that it is missing; for a `String`, the empty text.
    Empty,
    /// Text between quotes. If it is empty, it is a value for texts, and a missing value for everything else.
    Quoted(&'a str),
    /// The value that contains it is missing; nobody reads it.
    Hidden,
    /// Text.
    Plain(&'a str),
    /// Text in which quotes are doubled.
    Doubled(&'a str),
    /// JSON that is not `null`.
    Json(&'a str),
}

/// What a cell means to a column of plain values.
pub(super) enum Scalar<'a> {
    Missing,
    Empty,
    Quoted,
    Hidden,
    Text(Cow<'a, str>),
    /// An object or a list, or text with an invalid escape.
    Unreadable(&'a str),
}

impl<'a> Cell<'a> {
    /// A whole value of JSON.
    pub(crate) fn json(text: &'a str) -> Cell<'a> {
        if text == "null" { Cell::Null } else { Cell::Json(text) }
    }

    /// Whether the text is one of some spellings; in CSV, text between quotes is taken literally.
    pub(super) fn is_spelt(self, spelling: impl Fn(&str) -> bool) -> bool {
        match self {
            Cell::Plain(text) => spelling(text),
            Cell::Json(_) => matches!(self.scalar(), Scalar::Text(text) if spelling(&text)),
            _ => false,
        }
    }

    #[inline]
    pub(super) fn scalar(self) -> Scalar<'a> {
        match self {
            Cell::Absent | Cell::Null => Scalar::Missing,
            Cell::Empty => Scalar::Empty,
            Cell::Quoted("") => Scalar::Quoted,
            Cell::Quoted(text) => Scalar::Text(Cow::Borrowed(text)),
            Cell::Hidden => Scalar::Hidden,
            Cell::Plain(text) => Scalar::Text(Cow::Borrowed(text)),
            Cell::Doubled(text) => Scalar::Text(Cow::Owned(text.replace("\"\"", "\""))),
            Cell::Json(json) => match json.as_bytes()[0] {
                b'"' if !json.contains('\\') => Scalar::Text(Cow::Borrowed(&json[1..json.len() - 1])),
                b'"' => {
                    serde_json::from_str(json).map_or(Scalar::Unreadable(json), |text| Scalar::Text(Cow::Owned(text)))
                }
                b'{' | b'[' => Scalar::Unreadable(json),
                _ => Scalar::Text(Cow::Borrowed(json)),
            },
        }
    }

    /// The text as a message shows it; nothing where the value is missing.
    pub(super) fn shown(self) -> Option<String> {
        match self.scalar() {
            Scalar::Missing | Scalar::Empty | Scalar::Quoted | Scalar::Hidden => None,
            Scalar::Text(text) => Some(text.into_owned()),
            Scalar::Unreadable(json) => Some(json.to_string()),
        }
    }
}
