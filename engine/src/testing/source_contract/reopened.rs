//! A partition that is opened again, at every offset that it handed out, and compared with the reading that went through.

use super::reading::{Mark, Reading, Said};
use super::{IDLE_MAX, VAIN_MAX, pause};
use crate::{Error, EventTime, Offset, Record, Result, Scan, Source};

/// Opens the partition of `whole` at its start and behind each mark; at how many offsets.
///
/// Each time a reader of the same source is dropped after its first batch, and then a new source reads all that is left.
pub(super) fn check<D: Record>(
    whole: &Reading<D>,
    source: &dyn Source,
    make: &impl Fn() -> Box<dyn Source>,
    scan: &Scan,
) -> Result<usize> {
    let start = Mark { offset: Offset::default(), rows: 0, bound: EventTime::MIN };
    let anew = make();
    for at in 0..=whole.marks.len() {
        let mark = at.checked_sub(1).map(|at| &whole.marks[at]);
        let stored = mark.map(stored).transpose()?;
        let again = || -> Result<()> {
            let mut dropped = Reading::<D>::open(source, &whole.partition, stored.as_ref(), scan)?;
            dropped.ask()?;
            drop(dropped);
            for source in [source, &*anew] {
                let rest = read(source, whole, stored.as_ref(), scan)?;
                compare(whole, stored.as_ref().unwrap_or(&start), &rest)?;
            }
            Ok(())
        };
        let place = mark.map_or("opened again at its start".to_string(), |mark| {
            format!("opened again at offset {}, behind {} rows", mark.offset, mark.rows)
        });
        again().map_err(|error| error.at(place))?;
    }
    Ok(whole.marks.len())
}

/// Reads the partition with every offset committed as soon as it is handed out, and what is left behind the last, which is nothing.
pub(super) fn check_committed<D: Record>(
    whole: &Reading<D>,
    source: &dyn Source,
    anew: &dyn Source,
    scan: &Scan,
) -> Result<()> {
    let start = Mark { offset: Offset::default(), rows: 0, bound: EventTime::MIN };
    let told = read_told(source, whole, None, scan, true).and_then(|rest| compare(whole, &start, &rest));
    told.map_err(|error| error.at("told of each offset that is committed"))?;
    let Some(last) = whole.marks.last() else { return Ok(()) };
    let rest = read_told(anew, whole, Some(last), scan, true).and_then(|rest| compare(whole, last, &rest));
    rest.map_err(|error| error.at(format_args!("opened again at offset {}, which is committed", last.offset)))
}

/// The mark with its offset as a checkpoint gives it back.
fn stored(mark: &Mark) -> Result<Mark> {
    let stored = postcard::to_stdvec(&mark.offset).ok().and_then(|bytes| postcard::from_bytes(&bytes).ok());
    match stored.filter(|stored| *stored == mark.offset) {
        Some(offset) => Ok(Mark { offset, ..mark.clone() }),
        None => Err(Error::usage(format!("offset {:?} is another one when it was stored and read back", mark.offset))),
    }
}

/// Reads on from a mark, as far as the whole reading went.
fn read<D: Record>(source: &dyn Source, whole: &Reading<D>, behind: Option<&Mark>, scan: &Scan) -> Result<Reading<D>> {
    read_told(source, whole, behind, scan, false)
}

/// The same, by a reader that may be told of what is committed.
fn read_told<D: Record>(
    source: &dyn Source,
    whole: &Reading<D>,
    behind: Option<&Mark>,
    scan: &Scan,
    told: bool,
) -> Result<Reading<D>> {
    let mut rest = Reading::<D>::open(source, &whole.partition, behind, scan)?;
    if told {
        rest.commit()?;
    }
    let expected = whole.rows.len() - behind.map_or(0, |mark| mark.rows);
    let mut vain = 0;
    while rest.said != Said::End {
        if rest.ask()? == Said::Rows {
            vain = 0;
            if told {
                rest.commit()?;
            }
            continue;
        }
        vain += 1;
        let all = rest.rows.len() >= expected;
        if all && rest.said == whole.said || vain > if all { IDLE_MAX } else { VAIN_MAX } {
            break;
        }
        pause(vain);
    }
    match rest.said == Said::End {
        true => drop(rest.ask()?), // it ends for good
        false if !rest.is_read() => return Err(rest.never_ends()),
        false => {}
    }
    Ok(rest)
}

/// Compares what came behind a mark with what came there the first time.
fn compare<D: Record>(whole: &Reading<D>, behind: &Mark, rest: &Reading<D>) -> Result<()> {
    let expected = &whole.rows[behind.rows..];
    for at in 0..expected.len().max(rest.rows.len()) {
        let (found, expected, number) = (rest.rows.get(at), expected.get(at), behind.rows + at);
        if found == expected {
            continue;
        }
        let words = |row: Option<&super::reading::Row<D>>| row.map_or("none".to_string(), |row| format!("{row:?}"));
        let before = found.and_then(|found| whole.rows[..behind.rows].iter().position(|row| row == found));
        let before =
            before.map_or(String::new(), |row| format!(" (row {row} comes again: a batch has rows of both sides)"));
        return Err(Error::usage(format!("row {number} is {}{before}, expected {}", words(found), words(expected))));
    }
    rest.marks.iter().try_for_each(|mark| compare_mark(whole, behind, mark))?;
    match rest.said == whole.said {
        true => Ok(()),
        false => Err(Error::usage(format!("it says {:?} behind its last row, expected {:?}", rest.said, whole.said))),
    }
}

/// Compares an offset with the one at the same position, or holds it between its neighbours where batches end elsewhere.
fn compare_mark<D>(whole: &Reading<D>, behind: &Mark, mark: &Mark) -> Result<()> {
    let (offset, rows) = (&mark.offset, behind.rows + mark.rows);
    let mut same = whole.marks.iter().filter(|other| other.offset.position == offset.position).peekable();
    if same.peek().is_none() {
        let in_order = whole.marks.iter().all(|other| match other.offset.position < offset.position {
            true => other.rows <= rows,
            false => other.rows >= rows,
        });
        return match in_order {
            true => Ok(()),
            false => Err(Error::usage(format!(
                "offset {offset} comes behind {rows} rows; expected offsets that grow with the rows, as {} did",
                Told(&whole.marks)
            ))),
        };
    }
    let same: Vec<_> = same.collect();
    let differs = |what: &str, found: &dyn std::fmt::Debug, expected: Vec<String>| {
        let expected = expected.join(" or ");
        Err(Error::usage(format!("offset {offset} has {found:?} {what}, expected {expected} as the first time")))
    };
    if !same.iter().any(|other| other.rows == rows) {
        return differs("rows before it", &rows, same.iter().map(|other| other.rows.to_string()).collect());
    }
    if !same.iter().any(|other| other.offset.proof == offset.proof) {
        return differs(
            "as its proof",
            &offset.proof,
            same.iter().map(|one| format!("{:?}", one.offset.proof)).collect(),
        );
    }
    if !same.iter().any(|other| other.bound == mark.bound) {
        return differs(
            "as the watermark behind it",
            &mark.bound,
            same.iter().map(|one| one.bound.to_string()).collect(),
        );
    }
    Ok(())
}

/// The offsets of a reading, in words.
struct Told<'a>(&'a [Mark]);

impl std::fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let marks: Vec<_> = self.0.iter().map(|mark| format!("{} (behind {} rows)", mark.offset, mark.rows)).collect();
        f.write_str(&marks.join(", "))
    }
}
