//! Finds columns by name, and says what is likely meant where there is none of that name.

use arrow_array::{Array, ArrayRef, RecordBatch, StructArray};
use arrow_schema::Fields;

use super::{DecodeError, Field, Live, Said, repeat};

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
    pub fn open<T: Field>(&self, name: &str, said: Said<'_>) -> Result<T::Column, DecodeError> {
        match self.find(name)? {
            Some(place) => self.open_found::<T>(name, place, said),
            None => Err(DecodeError::missing(name, &T::data_type(), self.fields)),
        }
    }

    /// Opens a column, or one of nothing but `default` where there is none of that name.
    pub fn open_or<T: Field>(
        &self,
        name: &str,
        said: Said<'_>,
        default: impl FnOnce() -> T,
    ) -> Result<T::Column, DecodeError> {
        match self.find(name)? {
            Some(place) => self.open_found::<T>(name, place, said),
            // One of another case is a misspelt name and not a missing column.
            None if names(self.fields).any(|other| is_same_but_for_case(name, other)) => {
                Err(DecodeError::missing(name, &T::data_type(), self.fields))
            }
            None => {
                T::open(&repeat(&default(), self.rows), &self.live, Said::NOTHING).map_err(|error| error.within(name))
            }
        }
    }

    fn find(&self, name: &str) -> Result<Option<usize>, DecodeError> {
        find(name, names(self.fields)).map_err(|Twice| DecodeError::twice(name, self.fields))
    }

    fn open_found<T: Field>(&self, name: &str, place: usize, said: Said<'_>) -> Result<T::Column, DecodeError> {
        let opened = T::open(&self.arrays[place], &self.live, said.or_by(&self.fields[place]));
        opened.map_err(|error| error.within(name))
    }
}

fn names(fields: &Fields) -> impl Iterator<Item = &str> {
    fields.iter().map(|field| field.name().as_str())
}

/// A name that two columns have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twice;

/// Finds the column of this name by the rule of every connector: the name counts as it is written, so another case is
/// another column; and of two with the same name, neither is chosen.
///
/// # Errors
/// Two columns of this name.
pub fn find<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Result<Option<usize>, Twice> {
    let mut places = names.enumerate().filter(|(_, name)| *name == wanted).map(|(place, _)| place);
    match (places.next(), places.next()) {
        (place, None) => Ok(place),
        (_, Some(_)) => Err(Twice),
    }
}

/// Whether two names differ by case only.
pub fn is_same_but_for_case(name: &str, other: &str) -> bool {
    name != other && name.chars().flat_map(char::to_lowercase).eq(other.chars().flat_map(char::to_lowercase))
}

/// The name among `names` that `wanted` was likely meant to be: the same but for case, `_` and `-`, or one that differs
/// by a few letters.
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
    fn a_name_counts_as_it_is_written_and_none_is_chosen_of_two() {
        let find = |wanted| find(wanted, ["id", "ID", "x", "x"].into_iter());
        assert_eq!((find("id"), find("ID"), find("Id"), find("x")), (Ok(Some(0)), Ok(Some(1)), Ok(None), Err(Twice)));
        assert!(is_same_but_for_case("id", "Id") && is_same_but_for_case("straße", "STRAßE"));
        assert!(!is_same_but_for_case("id", "id") && !is_same_but_for_case("id", "i_d"));
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
