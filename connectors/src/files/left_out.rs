//! What a listing leaves out: counted and named, by reason.

use std::collections::BTreeMap;

use super::Kind;

/// How many names are listed for each reason.
const NAMES_MAX: usize = 3;

/// Why something is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// Its name is of another format.
    OtherFormat,
    /// Its name begins with `.` or `_`.
    Hidden,
    /// Its name is not UTF-8, so no partition can be named by it.
    NotUtf8,
    /// A link to nothing.
    LeadsNowhere,
    /// A link to a directory above it.
    LeadsBack,
    /// A link to a file that is read already.
    Again,
    /// Neither a file nor a directory.
    Special,
}

/// What was left out so far.
#[derive(Debug, Default)]
pub(super) struct LeftOut(BTreeMap<Why, (usize, Vec<String>)>);

impl LeftOut {
    pub(super) fn add(&mut self, why: Why, name: impl Into<String>) {
        let (count, names) = self.0.entry(why).or_default();
        *count += 1;
        // The first ones by name, whatever order a directory is listed in.
        names.push(name.into());
        names.sort();
        names.truncate(NAMES_MAX);
    }

    /// All of it in one sentence; `None` where nothing was left out.
    pub(super) fn told(self, kind: Kind) -> Option<String> {
        let total: usize = self.0.values().map(|(count, _)| count).sum();
        let reason = |(why, (count, names)): (Why, (usize, Vec<String>))| {
            let is = if count == 1 { "is" } else { "are" };
            let (has, leads, a) =
                if count == 1 { ("has a name", "leads", "a link") } else { ("have names", "lead", "links") };
            let words = match why {
                Why::OtherFormat => format!("{is} not {}", kind.names()),
                Why::Hidden if count == 1 => format!("{has} that begins with `.` or `_`"),
                Why::Hidden => format!("{has} that begin with `.` or `_`"),
                Why::NotUtf8 if count == 1 => format!("{has} that is not UTF-8"),
                Why::NotUtf8 => format!("{has} that are not UTF-8"),
                Why::LeadsNowhere => format!("{is} {a} that {leads} nowhere"),
                Why::LeadsBack => format!("{is} {a} that {leads} back to a directory above"),
                Why::Again => format!("{is} read already under another name"),
                Why::Special => format!("{is} neither file nor directory"),
            };
            let more = count - names.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{count} {words}: {}{more}", names.join(", "))
        };
        let reasons: Vec<_> = self.0.into_iter().map(reason).collect();
        let entries = if total == 1 { "entry is" } else { "entries are" };
        (total > 0).then(|| format!("{total} {entries} not read; {}", reasons.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted_and_named_by_reason() {
        let kind = Kind { extensions: &["csv"], packed: true };
        assert_eq!(LeftOut::default().told(kind), None);
        let mut left_out = LeftOut::default();
        for name in ["e.txt", "a.txt", "d.txt", "b.txt"] {
            left_out.add(Why::OtherFormat, name);
        }
        left_out.add(Why::LeadsNowhere, "x.csv");
        assert_eq!(
            left_out.told(kind).unwrap(),
            "5 entries are not read; 4 are not *.csv: a.txt, b.txt, d.txt and 1 more; 1 is a link that leads nowhere: x.csv"
        );
    }
}
