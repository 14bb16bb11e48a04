//! A look at a page's header before the page is decoded: it may not claim more than its bytes can hold.
//!
//! The Parquet library reserves memory for a page by the size that the header claims, and for a dictionary by the
//! number of values that it claims. So a damaged or hostile header of thirty bytes would reserve gibibytes, and if the
//! machine does not have them, that ends the process: it is neither an error nor a panic that could be caught.

use parquet::basic::Type;
use parquet::file::metadata::ColumnChunkMetaData;

use super::thrift::{I32, STRUCT, Walk};

/// A page may have this many bytes, whatever its compression made of them. Writers cut pages at one mebibyte or so,
/// some at a hundred million bytes.
const PAGE_BYTES_MAX: i64 = 128 << 20;

/// A larger page may have this many times the bytes that it has in the file: some writers make one page of a whole
/// column.
const TIMES_MAX: i64 = 32;

/// The fewest bytes that a value of the column has in a dictionary.
pub(super) fn value_bytes_min(column: &ColumnChunkMetaData) -> i64 {
    match column.column_type() {
        Type::BOOLEAN => 1,
        // Of a text or bytes, its length comes first.
        Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
        Type::INT64 | Type::DOUBLE => 8,
        Type::INT96 => 12,
        Type::FIXED_LEN_BYTE_ARRAY => i64::from(column.column_descr().type_length()).max(1),
    }
}

/// What a header says of sizes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sizes {
    page: i64,
    in_file: i64,
    dictionary_values: i64,
}

/// Checks the header that `bytes` begin with. Returns its length.
///
/// # Errors
/// What is wrong with it; `None` if there is no whole header.
pub(super) fn check(bytes: &[u8], value_bytes_min: i64) -> Result<usize, Option<String>> {
    let (mut walk, mut sizes) = (Walk::new(bytes), Sizes::default());
    let walked = walk.fields(0, &mut |walk, number, kind| {
        match (number, kind) {
            (2, I32) => sizes.page = walk.integer()?,
            (3, I32) => sizes.in_file = walk.integer()?,
            (7, STRUCT) => walk.fields(1, &mut |walk, number, kind| {
                if (number, kind) == (1, I32) {
                    sizes.dictionary_values = walk.integer()?;
                    return Some(true);
                }
                Some(false)
            })?,
            _ => return Some(false),
        }
        Some(true)
    });
    walked.ok_or(None)?;
    let Sizes { page, in_file, dictionary_values } = sizes;
    let allowed = PAGE_BYTES_MAX.max(in_file.saturating_mul(TIMES_MAX));
    if page < 0 || in_file < 0 || page > allowed {
        return Err(Some(format!("it claims a page of {page} bytes, of {in_file} in the file")));
    }
    if dictionary_values < 0 || dictionary_values.saturating_mul(value_bytes_min) > page {
        return Err(Some(format!("it claims a dictionary of {dictionary_values} values in {page} bytes")));
    }
    Ok(walk.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with these sizes; a dictionary's if it has values.
    fn header(page: i64, in_file: i64, values: Option<i64>) -> Vec<u8> {
        let integer = |value: i64| {
            let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
            let mut bytes = Vec::new();
            while zigzag >= 0x80 {
                bytes.push(zigzag as u8 | 0x80);
                zigzag >>= 7;
            }
            bytes.push(zigzag as u8);
            bytes
        };
        let kind = if values.is_some() { 2 } else { 0 };
        let sizes = [&[0x15][..], &integer(kind), &[0x15], &integer(page), &[0x15], &integer(in_file)].concat();
        let of_kind = match values {
            Some(values) => [&[0x4c, 0x15][..], &integer(values), &[0x15, 0x04, 0x00]].concat(),
            None => [&[0x2c, 0x15][..], &integer(7), &[0x15, 0x00, 0x15, 0x06, 0x15, 0x06, 0x00]].concat(),
        };
        [&sizes[..], &of_kind, &[0x00]].concat()
    }

    #[test]
    fn a_page_claims_what_its_bytes_can_hold_and_no_more() {
        let whole = header(1 << 20, 30, None);
        assert_eq!(check(&[&whole[..], b"the page"].concat(), 8), Ok(whole.len()));
        assert!((0..whole.len()).all(|length| check(&whole[..length], 8) == Err(None)));
        let is_refused = |page, in_file, values| check(&header(page, in_file, values), 8).is_err();
        assert!(!is_refused(128 << 20, 30, None) && is_refused((128 << 20) + 1, 30, None));
        assert!(!is_refused(1 << 30, 32 << 20, None), "one page of a whole column");
        assert!(is_refused(1 << 30, 30, None) && is_refused(i64::from(i32::MAX), 30, None) && is_refused(-1, 30, None));
        assert!(is_refused(100, -1, None));
        assert!(!is_refused(800, 90, Some(100)) && is_refused(799, 90, Some(100)) && is_refused(800, 90, Some(-1)));
        assert!(is_refused(1 << 20, 30, Some(1 << 31)));
    }
}
