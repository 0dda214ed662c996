//! Stack: `push`, `pop` and `peek`. [`crate::Options::initial`] is a list from bottom to top.

use std::{collections::VecDeque, fmt};

use histories::Value;

use crate::{
    memory::of_values,
    objects::container::{
        collection::Elements,
        names::{Names, may_find},
    },
    specification::Call,
    state_words::write_last,
};

pub(crate) const NAMES: Names =
    Names { put: &["push", "add", "write"], take: &["pop", "take"], peek: &["peek", "top"] };

/// Elements in the order in which they were put in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Stack(VecDeque<Value>);

impl Elements for Stack {
    const NAMES: Names = NAMES;

    fn put(&mut self, element: Value) {
        self.0.push_back(element);
    }

    fn take(&mut self, call: &Call<'_>) -> bool {
        may_find(call, self.0.pop_back().as_ref())
    }

    fn may_peek(&self, call: &Call<'_>) -> bool {
        may_find(call, self.0.back())
    }

    fn contains(&self, element: &Value) -> bool {
        self.0.contains(element)
    }

    fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write_last(out, self.0.len(), self.0.iter())
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + 2 * of_values(&self.0, size_of::<Value>())
    }
}
