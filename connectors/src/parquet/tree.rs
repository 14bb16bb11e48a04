//! How deep and how wide the columns of a file are, before anything descends into them.
//!
//! A footer lists its columns as a tree, each group with the number of its children. The library reads it recursively,
//! so that a small file can end the process by its depth; and it makes some hundred bytes of each element, which may
//! take only a byte or two in the file.

use std::ops::Range;

use dualgauge_engine::{Error, Result};

use super::thrift::{I32, Walk, damaged};

/// How deeply groups may be nested; a list is two of them.
pub(super) const GROUPS_MAX: usize = 32;

/// How many columns and groups there may be.
const ELEMENTS_MAX: usize = 100_000;

/// The number of the field that says how many children there are.
const CHILDREN: i64 = 5;

/// Refuses a tree of columns that is too deep or too wide; each element is given as its range of bytes.
pub(super) fn check(bytes: &[u8], elements: &[Range<usize>]) -> Result<()> {
    let count = elements.len();
    if count > ELEMENTS_MAX {
        return Err(Error::data(format!("it has {count} columns and groups; {ELEMENTS_MAX} are the most")));
    }
    // How many children are still to come in each open group.
    let mut open: Vec<i64> = Vec::new();
    for element in elements {
        while open.pop_if(|rest| *rest <= 0).is_some() {}
        if let Some(rest) = open.last_mut() {
            *rest -= 1;
        }
        match children(&bytes[element.clone()])? {
            0 => {}
            below if open.len() < GROUPS_MAX => open.push(below),
            _ => {
                return Err(Error::data(format!("its columns are groups more than {GROUPS_MAX} deep in each other")));
            }
        }
    }
    Ok(())
}

fn children(element: &[u8]) -> Result<i64> {
    let (mut walk, mut children) = (Walk::new(element), 0);
    let walked = walk.fields(0, &mut |walk, number, kind| match (number, kind) {
        (CHILDREN, I32) => {
            children = walk.integer()?;
            Some(true)
        }
        _ => Some(false),
    });
    walked.ok_or_else(|| damaged(&walk))?;
    Ok(children)
}

#[cfg(test)]
mod tests {
    use super::super::thrift::put_varint;
    use super::*;

    /// Checks elements with this many children each.
    fn checked(children: impl IntoIterator<Item = u64>) -> Result<()> {
        let (mut bytes, mut elements) = (Vec::new(), Vec::new());
        for below in children {
            let start = bytes.len();
            bytes.extend([0x48, 1, b'a']);
            if below > 0 {
                bytes.push(0x15);
                put_varint(&mut bytes, below << 1);
            }
            bytes.push(0);
            elements.push(start..bytes.len());
        }
        check(&bytes, &elements)
    }

    #[test]
    fn a_tree_is_as_deep_as_its_groups_are_in_each_other() {
        let deep = |levels| checked(std::iter::repeat_n(1, levels).chain([0]));
        deep(GROUPS_MAX).unwrap();
        assert!(deep(GROUPS_MAX + 1).unwrap_err().to_string().contains("more than 32 deep"));
        // Many groups in a row are not deep.
        checked([1000].into_iter().chain([1, 0].repeat(1000))).unwrap();
        assert!(
            checked(std::iter::repeat_n(0, ELEMENTS_MAX + 1))
                .unwrap_err()
                .to_string()
                .contains("100001 columns and groups")
        );
        // A group that claims more than there is counts only as deep as what there is.
        checked([u64::from(u32::MAX); GROUPS_MAX]).unwrap();
    }
}
