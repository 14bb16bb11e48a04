//! Which rows are bad, and where in a record a value stands.

use super::Cell;
use super::shorten;

/// Where the cells of a column stand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'p> {
    /// In a column of the record.
    Column(&'p str),
    /// In a field of what stands there.
    Field(&'p Place<'p>, &'p str),
    /// In the lists that stand there; for each element, the list that it is in.
    Element(&'p Place<'p>, &'p [usize]),
}

/// The rows that are bad; if a reason is wanted, also why the first value that does not fit is bad.
pub(crate) struct Marks {
    bad: Vec<bool>,
    any: bool,
    wanted: bool,
    why: Option<Why>,
}

/// What is wrong with a value.
#[derive(Debug)]
pub(crate) struct Why {
    /// Where it is: `inner.many[3].a`.
    pub(crate) path: String,
    /// What stands there; `None` if the value is missing.
    pub(crate) found: Option<String>,
    pub(crate) expected: String,
    pub(crate) mistake: &'static str,
}

impl Place<'_> {
    fn row(&self, at: usize) -> usize {
        match self {
            Place::Column(_) => at,
            Place::Field(above, _) => above.row(at),
            Place::Element(above, lists) => above.row(lists[at]),
        }
    }

    fn path(&self, at: usize) -> String {
        match self {
            Place::Column(name) => (*name).to_string(),
            Place::Field(above, name) => format!("{}.{name}", above.path(at)),
            Place::Element(above, lists) => {
                let first = lists.partition_point(|&list| list < lists[at]);
                format!("{}[{}]", above.path(lists[at]), at - first)
            }
        }
    }
}

impl Marks {
    /// None of this many rows is bad.
    pub(crate) fn new(rows: usize) -> Marks {
        Marks { bad: vec![false; rows], any: false, wanted: false, why: None }
    }

    /// The same for a single row, to find out what is wrong with it.
    pub(crate) fn explaining() -> Marks {
        Marks { wanted: true, ..Marks::new(1) }
    }

    /// The row is not a record at all.
    pub(crate) fn mark_row(&mut self, row: usize) {
        (self.bad[row], self.any) = (true, true);
    }

    /// The row of this cell is bad, since the cell does not have what is expected.
    #[cold]
    pub(super) fn mark(
        &mut self,
        place: &Place<'_>,
        at: usize,
        cell: Cell<'_>,
        expected: impl FnOnce() -> (String, &'static str),
    ) {
        self.mark_row(place.row(at));
        if self.wanted && self.why.is_none() {
            let (found, (expected, mistake)) = (cell.shown().map(|text| shorten(&text)), expected());
            let mistake = if found.is_none() {
                "the value is missing; a field that may be missing is an Option"
            } else {
                mistake
            };
            self.why = Some(Why { path: place.path(at), found, expected, mistake });
        }
    }

    /// Whether the row is bad.
    pub(crate) fn is_bad(&self, row: usize) -> bool {
        self.bad[row]
    }

    /// The bad rows, in ascending order.
    pub(crate) fn rows(&self) -> Vec<usize> {
        if self.any { (0..self.bad.len()).filter(|&row| self.bad[row]).collect() } else { Vec::new() }
    }

    /// Why the first value does not fit.
    pub(crate) fn why(self) -> Option<Why> {
        self.why
    }
}
