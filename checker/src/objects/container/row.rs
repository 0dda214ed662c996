//! Elements in a row, put in at its back: a queue takes them from the front, a stack from the back.

use std::collections::VecDeque;

use histories::Value;

use super::names::{Access, Names, may_find};
use crate::{
    UnknownWhy,
    specification::{Call, Specification, elements},
};

/// End of a row from which elements are taken, and at which clients peek.
#[derive(Clone, Copy, Debug)]
pub(in crate::objects) enum RowEnd {
    Front,
    Back,
}

/// Specification of a row of elements.
#[derive(Debug)]
pub(crate) struct Row {
    names: &'static Names,
    end: RowEnd,
    initial: VecDeque<Value>,
}

impl Row {
    /// Creates a row that holds the elements of `initial`, a list from front to back.
    pub(in crate::objects) fn new(names: &'static Names, end: RowEnd, initial: &Value) -> Self {
        Self { names, end, initial: elements(initial).collect() }
    }
}

impl Specification for Row {
    type State = VecDeque<Value>;

    fn initial(&self) -> Self::State {
        self.initial.clone()
    }

    fn apply(&self, row: &mut Self::State, call: &Call<'_>) -> bool {
        match (self.names.access(call), self.end) {
            (Some(Access::Put), _) => {
                row.push_back(call.input.clone());
                true
            }
            (Some(Access::Take), RowEnd::Front) => may_find(call, row.pop_front().as_ref()),
            (Some(Access::Take), RowEnd::Back) => may_find(call, row.pop_back().as_ref()),
            (Some(Access::Peek), RowEnd::Front) => may_find(call, row.front()),
            (Some(Access::Peek), RowEnd::Back) => may_find(call, row.back()),
            (None, _) => false,
        }
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        self.names.accepts(call)
    }

    fn is_read_only(&self, call: &Call<'_>) -> bool {
        matches!(self.names.access(call), Some(Access::Peek))
    }

    fn about(&self, call: &Call<'_>) -> Option<Vec<Value>> {
        // Initial elements cannot be left out.
        if self.initial.is_empty() { self.names.about(call) } else { None }
    }

    fn finds(&self, call: &Call<'_>) -> Vec<Value> {
        self.names.finds(call, |found| self.initial.contains(found))
    }

    fn leaves(&self, call: &Call<'_>) -> Vec<Value> {
        self.names.leaves(call)
    }

    fn depends_on_process(&self) -> bool {
        false
    }
}
