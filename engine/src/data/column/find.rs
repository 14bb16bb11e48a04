//! Finds columns by name, and says what is likely meant where there is none of that name.

use arrow_array::{Array, ArrayRef, RecordBatch, StructArray};
use arrow_schema::{Fields, TimeUnit};

use super::{DecodeError, Field, Live, repeat};

/// The columns of a batch or of a struct within one.
#[derive(Debug)]
pub struct Columns<'a> {
    fields: &'a Fields,
    arrays: &'a [ArrayRef],
    rows: usize,
    live: Live,
}

impl<'a> Columns<'a> {
    /// Those of a batch, in which every row is live.
    pub fn of_batch(batch: &'a RecordBatch) -> Columns<'a> {
        let fields = batch.schema_ref().fields();
        Columns { fields, arrays: batch.columns(), rows: batch.num_rows(), live: Live::ALL }
    }

    /// Those of a struct, in which these rows are live.
    pub fn of_struct(array: &'a StructArray, live: Live) -> Columns<'a> {
        Columns { fields: array.fields(), arrays: array.columns(), rows: array.len(), live }
    }

    /// Opens a column that must be there.
    pub fn open<T: Field>(&self, name: &str, unit: Option<TimeUnit>) -> Result<T::Column, DecodeError> {
        match self.find(name) {
            Some(array) => self.open_found::<T>(name, array, unit),
            None => Err(DecodeError::missing(name, &T::data_type(), self.fields)),
        }
    }

    /// Opens a column, or one of nothing but `default` where there is none of that name.
    pub fn open_or<T: Field>(
        &self,
        name: &str,
        unit: Option<TimeUnit>,
        default: impl FnOnce() -> T,
    ) -> Result<T::Column, DecodeError> {
        match self.find(name) {
            Some(array) => self.open_found::<T>(name, array, unit),
            None => self.open_found::<T>(name, &repeat(&default(), self.rows), None),
        }
    }

    fn find(&self, name: &str) -> Option<&ArrayRef> {
        self.fields.find(name).map(|(position, _)| &self.arrays[position])
    }

    fn open_found<T: Field>(
        &self,
        name: &str,
        array: &ArrayRef,
        unit: Option<TimeUnit>,
    ) -> Result<T::Column, DecodeError> {
        T::open(array, &self.live, unit).map_err(|error| error.within(name))
    }
}

/// The name among `names` that `wanted` was likely meant to be: the same but for case, `_` and `-`, or one that few
/// letters keep apart.
pub fn similar<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let fold = |name: &str| -> Vec<char> {
        name.chars().filter(|letter| !matches!(letter, '_' | '-')).flat_map(char::to_lowercase).collect()
    };
    let wanted = fold(wanted);
    // A third of the letters: enough for a slip or two, too few to turn one short name into any other.
    names
        .map(|name| (distance(&wanted, &fold(name)), name))
        .filter(|(distance, _)| *distance <= wanted.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters must be put in, taken out or changed to make one of the other.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != b);
            let fewest = changed.min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], fewest);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_letters_put_in_taken_out_and_changed() {
        let distance =
            |from: &str, to: &str| distance(&from.chars().collect::<Vec<_>>(), &to.chars().collect::<Vec<_>>());
        assert_eq!(distance("price", "price"), 0);
        assert_eq!(distance("price", "prices"), 1);
        assert_eq!(distance("price", "pice"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn the_nearest_name_is_meant_and_no_far_one() {
        let names = ["dateTime", "price", "prices", "id"];
        let similar = |wanted| similar(wanted, names.into_iter());
        assert_eq!(similar("date_time"), Some("dateTime"));
        assert_eq!(similar("PRICE"), Some("price"));
        assert_eq!(similar("prce"), Some("price"));
        assert_eq!(similar("auction"), None);
        assert_eq!(similar("it"), None);
    }
}
