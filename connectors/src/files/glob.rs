//! One pattern against one name, a character at a time: `*`, `?`, `[a-z]`, `[!a-z]`, `{a,b}`, `\` before a mark, and `**`.
//!
//! A name is text, so `?` stands for `é` as for `e`. Only `**` matches a `/`; `**` is a part of its own, and stands for
//! any number of parts.

/// How many patterns a pattern with `{…}` may stand for.
const CHOICES_MAX: usize = 1024;

/// How many groups `{…}` a pattern may have, nested or side by side.
const GROUPS_MAX: usize = 32;

/// A pattern, as the patterns without `{…}` that it stands for.
#[derive(Clone, Debug)]
pub(super) struct Glob(Vec<Vec<Mark>>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Mark {
    One(char),
    Any,
    Many,
    /// A character that is one of these, or none of them, as the flag says.
    Among(bool, Vec<(char, char)>),
    /// `**/`: any number of parts.
    Parts,
    /// `/**` at the end: all that is below.
    Below,
}

impl Glob {
    /// Reads a pattern, or says why it is not one.
    pub(super) fn new(pattern: &str) -> Result<Glob, &'static str> {
        let chars: Vec<char> = pattern.chars().collect();
        let mut all = choices(&chars, 0)?.into_iter();
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
fn choices(chars: &[char], depth: usize) -> Result<Vec<Vec<char>>, &'static str> {
    if depth > GROUPS_MAX {
        return Err("more than 32 groups `{…}`");
    }
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
                    // Groups within a choice, and those after it, are taken apart in their turn.
                    let whole = [&chars[..at], &choice, &chars[at + behind..]].concat();
                    all.extend(choices(&whole, depth + 1)?);
                    if all.len() > CHOICES_MAX {
                        return Err("more than 1,024 choices in `{…}`");
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

/// The choices of a group that begins at `{`, and where the text after it begins.
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

/// Whether the marks stand for the whole name. Goes through the marks and keeps where in the name each may begin.
fn matches(marks: &[Mark], name: &[char]) -> bool {
    let mut ends = vec![false; name.len() + 1];
    ends[0] = true;
    for mark in marks {
        ends = behind(mark, name, &ends);
    }
    ends[name.len()]
}

/// Where a mark may end in a name that begins where one before it has ended.
fn behind(mark: &Mark, name: &[char], starts: &[bool]) -> Vec<bool> {
    let mut ends = vec![false; starts.len()];
    let one = |is_it: &dyn Fn(char) -> bool, ends: &mut [bool]| {
        for (at, c) in name.iter().enumerate().filter(|(at, _)| starts[*at]) {
            ends[at + 1] = is_it(*c);
        }
    };
    match mark {
        Mark::One(own) => one(&|c| c == *own, &mut ends),
        Mark::Any => one(&|c| c != '/', &mut ends),
        Mark::Among(among, ranges) => {
            one(&|c| c != '/' && ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) == *among, &mut ends);
        }
        Mark::Many => {
            for at in 0..starts.len() {
                ends[at] = starts[at] || at > 0 && ends[at - 1] && name[at - 1] != '/';
            }
        }
        Mark::Parts => {
            let mut begun = false;
            for at in 0..starts.len() {
                ends[at] = starts[at] || begun && name[at - 1] == '/';
                begun |= starts[at];
            }
        }
        Mark::Below => ends[name.len()] = starts[..name.len()].contains(&true),
    }
    ends
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
        assert!(Glob::new(&"{".repeat(100_000)).is_err());
        assert!(Glob::new(&format!("{}{}", "{".repeat(1_000), "}".repeat(1_000))).is_err());
    }

    #[test]
    fn many_marks_for_any_number_of_characters_take_no_longer_for_it() {
        let (pattern, name) = (format!("{}b", "*a".repeat(50)), "a".repeat(200));
        assert!(!Glob::new(&pattern).unwrap().is_match(&name));
        assert!(Glob::new(&pattern).unwrap().is_match(&format!("{name}b")));
        assert!(Glob::new(&"*".repeat(50_000)).unwrap().is_match(&name));
    }
}
