//! Reading what postcard wrote of a program's own types, on a bounded stack.
//!
//! A recursive type (`enum Tree { Leaf, Node(Box<Tree>) }`) is read as deep as its bytes say, one call inside the
//! other, and the bytes come from a checkpoint or from another process: a megabyte of them would overflow the stack and
//! end the process. Between two levels of any type postcard takes a byte, of a tag or a length, so the depth is checked
//! there.

use std::fmt;

use postcard::Deserializer;
use postcard::de_flavors::Flavor;
use serde::Deserialize;

/// How far reading may go down the stack, in bytes: a quarter of what a thread has by default.
const STACK_MAX: usize = 512 << 10;

/// Why bytes are not what they should be.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// They are nested deeper than [`STACK_MAX`] allows.
    TooDeep,
    /// Postcard cannot read them.
    Malformed(postcard::Error),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::TooDeep => write!(f, "values are nested deeper than {} KiB of stack can hold", STACK_MAX >> 10),
            Unreadable::Malformed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Unreadable {}

/// Reads a value from the front of `bytes`, and returns it with the bytes after it.
///
/// # Errors
/// When the bytes are too few, hold something else, or are nested too deep.
pub(crate) fn take_from_bytes<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<(T, &'de [u8]), Unreadable> {
    let mut reader = Deserializer::from_flavor(Bounded { bytes, top: stack_address(), too_deep: false });
    let value = T::deserialize(&mut reader);
    let (rest, too_deep) = reader.finalize().map_err(Unreadable::Malformed)?;
    match value {
        Ok(value) => Ok((value, rest)),
        Err(_) if too_deep => Err(Unreadable::TooDeep),
        Err(error) => Err(Unreadable::Malformed(error)),
    }
}

/// The bytes that are left, and where on the stack reading began.
struct Bounded<'de> {
    bytes: &'de [u8],
    top: usize,
    too_deep: bool,
}

impl<'de> Flavor<'de> for Bounded<'de> {
    type Remainder = (&'de [u8], bool);
    type Source = &'de [u8];

    #[inline]
    fn pop(&mut self) -> postcard::Result<u8> {
        if stack_address().abs_diff(self.top) > STACK_MAX {
            self.too_deep = true;
            return Err(postcard::Error::SerdeDeCustom);
        }
        let (byte, rest) = self.bytes.split_first().ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        self.bytes = rest;
        Ok(*byte)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.bytes.len())
    }

    #[inline]
    fn try_take_n(&mut self, count: usize) -> postcard::Result<&'de [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn finalize(self) -> postcard::Result<(&'de [u8], bool)> {
        Ok((self.bytes, self.too_deep))
    }
}

/// About where the stack ends now.
#[inline(always)]
fn stack_address() -> usize {
    let here = 0_u8;
    (&raw const here).addr()
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    /// What a program may well keep.
    #[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
    enum Tree {
        Leaf(u32),
        Node(Box<Tree>),
        Many(Vec<Tree>),
    }

    /// `depth` nodes around what follows.
    fn nested(depth: usize, tag: &[u8], leaf: &[u8]) -> Vec<u8> {
        [tag.repeat(depth), leaf.to_vec()].concat()
    }

    #[test]
    fn what_was_written_is_read_and_the_rest_is_handed_back() {
        let tree = Tree::Many(vec![Tree::Leaf(300), Tree::Node(Box::new(Tree::Many(vec![])))]);
        let bytes = [postcard::to_stdvec(&tree).unwrap(), vec![7, 8]].concat();
        let (read, rest): (Tree, _) = take_from_bytes(&bytes).unwrap();
        assert_eq!((read, rest), (tree, &[7, 8][..]));
        for cut in 0..bytes.len() - 2 {
            assert!(matches!(take_from_bytes::<Tree>(&bytes[..cut]), Err(Unreadable::Malformed(_))), "{cut}");
        }
    }

    #[test]
    fn deep_bytes_are_refused_before_the_stack_ends() {
        let reader = std::thread::Builder::new().stack_size(1 << 20).spawn(|| {
            for tag in [&[1][..], &[2, 1]] {
                let sound = nested(50, tag, &[0, 9]);
                assert!(take_from_bytes::<Tree>(&sound).is_ok());
                for leaf in [&[][..], &[0, 9], &[77]] {
                    let deep = nested(1_000_000, tag, leaf);
                    let error = take_from_bytes::<Tree>(&deep).expect_err("a million levels");
                    assert_eq!(error.to_string(), "values are nested deeper than 512 KiB of stack can hold");
                }
            }
        });
        reader.unwrap().join().unwrap();
    }
}
