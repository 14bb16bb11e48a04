//! The footer of a file, of which the library decodes only the row groups and columns that are wanted.
//!
//! A footer grows with row groups times columns, and the library decodes all of it or nothing, into some hundred bytes
//! for each column of each group. So it is walked once, which checks it and notes the place of each row group; and
//! whoever wants some groups gets them decoded from a small footer, put together from the bytes of these groups and,
//! within them, of the wanted columns. What a file costs is then linear in its groups, and memory holds eight bytes for
//! each.

use std::fs::File;
use std::os::unix::fs::FileExt;

use dualgauge_engine::{Error, Result};

use super::thrift::{I64, LIST, Walk, damaged, put_structs_header, put_varint};
use super::tree;

/// The four bytes at both ends of every Parquet file.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";
/// The ends of a file whose footer is encrypted.
const MAGIC_ENCRYPTED: &[u8; 4] = b"PARE";
/// The length of the footer and the magic after it.
pub(super) const TAIL_BYTES: u64 = 8;

/// The longest footer: it is held in memory, and a file can claim one of 4 GiB without having a byte on the disk.
const FOOTER_MAX: u64 = 1 << 30;

/// The numbers of the fields that are looked for.
const SCHEMA: i64 = 2;
const ROW_GROUPS: i64 = 4;
const COLUMNS: i64 = 1;
const ROWS: i64 = 3;

/// A footer that has been walked.
#[derive(Debug)]
pub(super) struct Footer {
    /// All but the row groups: a footer of its own.
    pub(super) head: Vec<u8>,
    /// The part of it that says what the columns are.
    pub(super) schema: Vec<u8>,
    /// Where in the footer's bytes each row group begins, and where the last one ends.
    pub(super) groups: Vec<u32>,
}

impl Footer {
    /// Walks a footer.
    ///
    /// # Errors
    /// Bytes that are not a footer, or lists in it that claim more than there is.
    pub(super) fn of(bytes: &[u8]) -> Result<Footer> {
        let (mut walk, mut schema, mut list, mut groups) = (Walk::new(bytes), 0..0, None, Vec::new());
        let mut trees = Vec::new();
        let walked = walk.fields(0, &mut |walk, number, kind| {
            let start = walk.at;
            match (number, kind) {
                (SCHEMA, LIST) => {
                    let mut elements = Vec::new();
                    walk.structs(0, &mut |element| elements.push(element))?;
                    trees.push(tree::check(bytes, &elements));
                    schema = start..walk.at;
                }
                (ROW_GROUPS, LIST) => {
                    // A second list of row groups would hide the first.
                    list.is_none().then_some(())?;
                    let mut end = None;
                    walk.structs(0, &mut |group| {
                        groups.push(group.start as u32);
                        end = Some(group.end as u32);
                    })?;
                    groups.extend(end);
                    list = Some(start..walk.at);
                }
                _ => return Some(false),
            }
            Some(true)
        });
        walked.ok_or_else(|| damaged(&walk))?;
        trees.into_iter().collect::<Result<()>>()?;
        let list = list.unwrap_or(walk.at..walk.at);
        let mut head = bytes[..list.start].to_vec();
        if !list.is_empty() {
            put_structs_header(&mut head, 0);
        }
        head.extend_from_slice(&bytes[list.end..walk.at]);
        Ok(Footer { head, schema: bytes[schema].to_vec(), groups })
    }
}

/// A footer of these row groups, with the `leaves` of the `of` columns that each has.
pub(super) fn small<'a>(
    groups: impl ExactSizeIterator<Item = (usize, &'a [u8])>,
    leaves: &[usize],
    of: usize,
) -> Result<Vec<u8>> {
    let (mut list, mut rows) = (Vec::new(), 0_i64);
    put_structs_header(&mut list, groups.len());
    for (number, group) in groups {
        let of_group = put_group(&mut list, group, leaves, of).map_err(|e| e.at(format_args!("row group {number}")))?;
        rows = rows.saturating_add(of_group);
    }
    // The version, the rows and the list; the library is given the columns separately.
    let mut bytes = vec![0x15, 0x02, 0x26];
    put_varint(&mut bytes, ((rows << 1) ^ (rows >> 63)) as u64);
    bytes.push(0x19);
    bytes.extend_from_slice(&list);
    bytes.push(0x00);
    Ok(bytes)
}

/// Appends a row group with only these columns. Returns how many rows it has.
fn put_group(bytes: &mut Vec<u8>, group: &[u8], leaves: &[usize], of: usize) -> Result<i64> {
    let (mut walk, mut columns, mut list, mut rows) = (Walk::new(group), Vec::new(), None, 0);
    let walked = walk.fields(1, &mut |walk, number, kind| {
        let start = walk.at;
        match (number, kind) {
            (COLUMNS, LIST) => {
                list.is_none().then_some(())?;
                walk.structs(1, &mut |column| columns.push(column))?;
                list = Some(start..walk.at);
            }
            (ROWS, I64) => rows = walk.integer()?,
            _ => return Some(false),
        }
        Some(true)
    });
    walked.ok_or_else(|| damaged(&walk))?;
    let list = list.ok_or_else(|| Error::data("it has no columns. Was the file damaged?"))?;
    if columns.len() != of {
        let has = columns.len();
        return Err(Error::data(format!("it has {has} columns and the schema {of}. Was the file damaged?")));
    }
    bytes.extend_from_slice(&group[..list.start]);
    put_structs_header(bytes, leaves.len());
    leaves.iter().for_each(|leaf| bytes.extend_from_slice(&group[columns[*leaf].clone()]));
    bytes.extend_from_slice(&group[list.end..walk.at]);
    Ok(rows)
}

/// The footer's bytes, once it is clear that they can be there.
pub(super) fn read(file: &File, len: u64) -> Result<Vec<u8>> {
    let refused = |e| Error::io("cannot read the footer", e);
    if len < MAGIC.len() as u64 + TAIL_BYTES {
        return Err(Error::data(format!("not a Parquet file: it has only {len} bytes. Does it still download?")));
    }
    let (mut head, mut tail) = ([0; 4], [0; 8]);
    file.read_exact_at(&mut head, 0).map_err(refused)?;
    file.read_exact_at(&mut tail, len - TAIL_BYTES).map_err(refused)?;
    if &tail[4..] == MAGIC_ENCRYPTED || &head == MAGIC_ENCRYPTED {
        return Err(Error::data("the file is encrypted, which this build cannot read"));
    }
    if &head != MAGIC {
        return Err(Error::data("not a Parquet file: it does not start with PAR1. Is it of another format?"));
    }
    if &tail[4..] != MAGIC {
        return Err(Error::data("not a whole Parquet file: it does not end with PAR1. Does it still download?"));
    }
    let footer_len = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    let room = len - TAIL_BYTES - MAGIC.len() as u64;
    if footer_len > room {
        return Err(Error::data(format!(
            "the footer should have {footer_len} bytes, but the file has only {room} for it. Was it cut or damaged?"
        )));
    }
    if footer_len > FOOTER_MAX {
        return Err(Error::data(format!("the footer should have {footer_len} bytes; {FOOTER_MAX} are the most")));
    }
    let mut footer = vec![0; footer_len as usize];
    file.read_exact_at(&mut footer, len - TAIL_BYTES - footer_len).map_err(refused)?;
    Ok(footer)
}
