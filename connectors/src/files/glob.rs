//! One pattern against one name, a character at a time: `*`, `?`, `[a-z]`, `[!a-z]`, `{a,b}`, `\` before a mark, and `**`.
//!
//! A name is text, so `?` stands for `é` as for `e`. No mark but `**` stands for a `/`; `**` is a part of its own, and stands
//! for any number of parts.

/// How many patterns a pattern with `{…}` may stand for.
const CHOICES_MAX: usize = 1024;

/// A pattern, as the patterns without `{…}` that it stands for.
#[derive(Clone, Debug)]
pub(super) struct Glob(Vec<Vec<Mark>>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Mark {
    One(char),
    Any,
    Many,
    /// Whether it is one of these, or is none of them.
    Among(bool, Vec<(char, char)>),
    /// `**/`: any number of parts.
    Parts,
    /// `/**` at the end: all that is below.
    Below,
}

impl Glob {
    /// Reads a pattern; or says why it is none.
    pub(super) fn new(pattern: &str) -> Result<Glob, &'static str> {
        let chars: Vec<char> = pattern.chars().collect();
        let mut all = choices(&chars)?.into_iter();
        all.try_fold(Vec::new(), |mut read, choice| {
            read.push(marks(&choice)?);
            Ok(read)
        })
        .map(Glob)
    }

    pub(super) fn is_match(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        self.0.iter().any(|marks| matches(marks, &name))
    }
}

/// Where a class that begins at `[` ends; its `]` may stand first in it.
fn class_end(chars: &[char]) -> Result<usize, &'static str> {
    let first = 1 + usize::from(matches!(chars.get(1), Some('!' | '^')));
    let end = chars.iter().enumerate().skip(first + 1).find(|(_, c)| **c == ']');
    end.map(|(end, _)| end).ok_or("a `[` that is not closed")
}

/// The patterns without `{…}`.
fn choices(chars: &[char]) -> Result<Vec<Vec<char>>, &'static str> {
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 1,
            '[' => at += class_end(&chars[at..])?,
            '}' => return Err("a `}` without its `{`"),
            '{' => {
                let (inner, behind) = group(&chars[at..])?;
                let mut all = Vec::new();
                for choice in inner {
                    // Groups within a choice, and those behind, are taken apart in their turn.
                    let whole = [&chars[..at], &choice, &chars[at + behind..]].concat();
                    all.extend(choices(&whole)?);
                    if all.len() > CHOICES_MAX {
                        return Err("more choices in `{…}` than anybody means");
                    }
                }
                return Ok(all);
            }
            _ => {}
        }
        at += 1;
    }
    Ok(vec![chars.to_vec()])
}

/// The choices of a group that begins at `{`, and where what is behind it begins.
fn group(chars: &[char]) -> Result<(Vec<Vec<char>>, usize), &'static str> {
    let (mut all, mut depth, mut start, mut at) = (Vec::new(), 0, 1, 1);
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 1,
            '[' => at += class_end(&chars[at..])?,
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' if depth == 0 => {
                all.push(chars[start..at].to_vec());
                start = at + 1;
            }
            '}' => {
                all.push(chars[start..at].to_vec());
                return Ok((all, at + 1));
            }
            _ => {}
        }
        at += 1;
    }
    Err("a `{` that is not closed")
}

fn marks(chars: &[char]) -> Result<Vec<Mark>, &'static str> {
    let (mut marks, mut at) = (Vec::new(), 0);
    while at < chars.len() {
        let rest = &chars[at..];
        let begins_part = at == 0 || chars[at - 1] == '/';
        let (mark, length) = match rest[0] {
            '\\' => (Mark::One(*rest.get(1).ok_or("a `\\` with nothing behind it")?), 2),
            '*' if begins_part && rest.starts_with(&['*', '*', '/']) => (Mark::Parts, 3),
            '*' if begins_part && rest == ['*', '*'] => (Mark::Below, 2),
            '*' => (Mark::Many, 1),
            '?' => (Mark::Any, 1),
            '[' => {
                let end = class_end(rest)?;
                (class(&rest[1..end])?, end + 1)
            }
            one => (Mark::One(one), 1),
        };
        marks.push(mark);
        at += length;
    }
    Ok(marks)
}

/// What stands between `[` and `]`.
fn class(inner: &[char]) -> Result<Mark, &'static str> {
    let is_not = matches!(inner.first(), Some('!' | '^'));
    let (inner, mut ranges, mut at) = (&inner[usize::from(is_not)..], Vec::new(), 0);
    while at < inner.len() {
        let (low, high, length) = match inner[at..] {
            [low, '-', high, ..] => (low, high, 3),
            [one, ..] => (one, one, 1),
            [] => unreachable!("there is one more"),
        };
        if high < low {
            return Err("a range in `[…]` whose end is before its start");
        }
        ranges.push((low, high));
        at += length;
    }
    Ok(Mark::Among(!is_not, ranges))
}

fn matches(marks: &[Mark], name: &[char]) -> bool {
    let Some((mark, behind)) = marks.split_first() else { return name.is_empty() };
    let one = |is_it: &dyn Fn(char) -> bool| name.first().is_some_and(|&c| is_it(c)) && matches(behind, &name[1..]);
    match mark {
        Mark::One(own) => one(&|c| c == *own),
        Mark::Any => one(&|c| c != '/'),
        Mark::Among(among, ranges) => {
            one(&|c| c != '/' && ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) == *among)
        }
        Mark::Many => {
            let within = name.iter().position(|c| *c == '/').unwrap_or(name.len());
            (0..=within).any(|length| matches(behind, &name[length..]))
        }
        Mark::Parts => {
            let starts = name.iter().enumerate().filter(|(_, c)| **c == '/').map(|(at, _)| at + 1);
            std::iter::once(0).chain(starts).any(|start| matches(behind, &name[start..]))
        }
        Mark::Below => !name.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mark_stands_for_characters_and_not_for_bytes() {
        for (pattern, names, others) in [
            ("a?c", &["abc", "aéc", "a日c", "a𝄞c"][..], &["ac", "abbc", "a/c", "aéec"][..]),
            ("[é-ü]", &["é", "ö"], &["e", "z", "éé"]),
            ("[!é]x", &["ex", "日x"], &["éx", "/x"]),
            ("[]a-]", &["]", "a", "-"], &["b"]),
            ("*é", &["é", "aé"], &["e", "a/é"]),
            ("{é,日}{1,2}", &["é1", "日2"], &["é", "é3"]),
            ("{a{b,c},}d", &["abd", "acd", "d"], &["ad"]),
            (r"\*\[", &["*["], &["a["]),
            ("[{]", &["{"], &["a"]),
            ("a**b", &["ab", "axyb"], &["a/b"]),
            ("**/b", &["b", "a/b", "a/a/b"], &["ab", "a/c"]),
            ("a/**", &["a/b", "a/b/c"], &["a", "b/a"]),
            ("a/**/b", &["a/b", "a/x/y/b"], &["ab", "a/xb"]),
            ("**", &["a", "a/b"], &[]),
        ] {
            let glob = Glob::new(pattern).unwrap();
            names.iter().for_each(|name| assert!(glob.is_match(name), "{pattern} {name}"));
            others.iter().for_each(|name| assert!(!glob.is_match(name), "{pattern} {name}"));
        }
        for pattern in ["[a", "[", "{a", "a}", "[z-a]", "a\\"] {
            assert!(Glob::new(pattern).is_err(), "{pattern}");
        }
        assert!(Glob::new(&"{a,b}".repeat(11)).is_err(), "2048 choices");
    }
}
