//! Lists of values.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, OffsetSizeTrait};
use arrow_buffer::{NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field as ArrowField, FieldRef};

use super::unpack::{unpack, wrong_type};
use super::{Column, ColumnBuilder, DecodeError, Element, Field, Live, Present, Said};

impl<T: Element> Field for Vec<T> {
    type Column = Lists<T::Column>;
    type Builder = ListsBuilder<T>;

    fn data_type() -> DataType {
        DataType::List(item::<T>())
    }
    fn wanted(name: &str, said: Said<'_>) -> ArrowField {
        let item = T::wanted(ArrowField::LIST_FIELD_DEFAULT_NAME, said);
        said.of(ArrowField::new(name, DataType::List(Arc::new(item)), false))
    }
    fn weight(&self) -> usize {
        8 * self.len() + self.iter().map(T::weight).sum::<usize>()
    }
    fn open(array: &ArrayRef, live: &Live, said: Said<'_>) -> Result<Self::Column, DecodeError> {
        let array = unpack::<Vec<T>>(array);
        live.refuse_nulls(&array)?;
        let (ends, values) = match array.data_type() {
            DataType::List(_) => split::<i32>(&array),
            DataType::LargeList(_) => split::<i64>(&array),
            // A map is a list of its entries.
            DataType::Map(..) => {
                let map = array.as_map();
                let entries: ArrayRef = Arc::new(map.entries().clone());
                covered(map.value_offsets(), &entries)
            }
            _ => return Err(wrong_type(&array, &format!("a List or LargeList of {}", T::data_type()))),
        };
        let values = T::open(&values, &live_elements(live, &ends), said).map_err(|mut error| {
            // The list that has the element: the last to start at or before it, as empty ones before it start there too.
            error.row = error.row.map(|element| ends.partition_point(|&end| end <= element) - 1);
            error.within("item")
        })?;
        Ok(Lists { ends, values })
    }
}

impl<T: Element> Element for Vec<T> {}
impl<T: Element> Present for Vec<T> {}

/// Lists: the elements of all side by side.
#[derive(Debug)]
pub struct Lists<C> {
    /// Where each list ends and the next begins, after the start of the first.
    ends: Vec<usize>,
    values: C,
}

impl<C: Column> Column for Lists<C> {
    type Value = Vec<C::Value>;

    #[inline]
    fn get(&self, row: usize) -> Vec<C::Value> {
        (self.ends[row]..self.ends[row + 1]).map(|element| self.values.get(element)).collect()
    }
}

/// Lists in the making.
#[derive(Debug)]
pub struct ListsBuilder<T: Element> {
    ends: Vec<i32>,
    values: T::Builder,
}

impl<T: Element> ColumnBuilder for ListsBuilder<T> {
    type Value = Vec<T>;

    fn with_capacity(rows: usize) -> Self {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        ListsBuilder { ends, values: T::Builder::with_capacity(rows) }
    }
    fn push(&mut self, value: &Vec<T>) {
        let end = self.ends[self.ends.len() - 1] as usize + value.len();
        self.ends.push(end.try_into().expect("at most 2^31 - 1 list elements in one column of a batch"));
        value.iter().for_each(|element| self.values.push(element));
    }
    fn push_placeholder(&mut self) {
        self.ends.push(self.ends[self.ends.len() - 1]);
    }
    fn finish(self, nulls: Option<NullBuffer>) -> ArrayRef {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        Arc::new(ListArray::new(item::<T>(), offsets, self.values.finish(None), nulls))
    }
}

fn item<T: Element>() -> FieldRef {
    Arc::new(ArrowField::new_list_field(T::data_type(), T::NULLABLE))
}

/// The elements that the lists cover, and where in them each list begins and ends.
fn split<O: OffsetSizeTrait>(array: &dyn Array) -> (Vec<usize>, ArrayRef) {
    let lists = array.as_list::<O>();
    covered(lists.value_offsets(), lists.values())
}

fn covered<O: OffsetSizeTrait>(offsets: &[O], values: &ArrayRef) -> (Vec<usize>, ArrayRef) {
    let (first, last) = (offsets[0].as_usize(), offsets[offsets.len() - 1].as_usize());
    // A slice of an array has all its elements; those of the rows outside must not fail the rows inside.
    let ends = offsets.iter().map(|offset| offset.as_usize() - first).collect();
    (ends, values.slice(first, last - first))
}

/// The elements of live lists.
fn live_elements(live: &Live, ends: &[usize]) -> Live {
    let Some(hidden) = live.hidden() else { return Live::ALL };
    let mut elements = NullBufferBuilder::new(ends[ends.len() - 1]);
    for (list, range) in ends.windows(2).enumerate() {
        match hidden.is_valid(list) {
            true => elements.append_n_non_nulls(range[1] - range[0]),
            false => elements.append_n_nulls(range[1] - range[0]),
        }
    }
    Live::under(elements.finish())
}
