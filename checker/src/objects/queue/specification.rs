//! FIFO queue: `enqueue`, `dequeue` and `peek`.

use std::{collections::VecDeque, fmt};

use histories::Value;

use crate::{
    memory::of_values,
    objects::container::{
        collection::Elements,
        names::{DRAIN, Names, may_find},
    },
    specification::Call,
    state_words::write_first,
};

pub(crate) const NAMES: Names = Names {
    put: &["enqueue", "offer", "push", "send", "write"],
    take: &["dequeue", "poll", "pop", "take", "receive", DRAIN],
    peek: &["peek"],
};

/// Elements in the order in which they were put in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Queue(VecDeque<Value>);

impl Elements for Queue {
    const NAMES: Names = NAMES;

    fn put(&mut self, element: Value) {
        self.0.push_back(element);
    }

    fn take(&mut self, call: &Call<'_>) -> bool {
        may_find(call, self.0.pop_front().as_ref())
    }

    fn may_peek(&self, call: &Call<'_>) -> bool {
        may_find(call, self.0.front())
    }

    fn contains(&self, element: &Value) -> bool {
        self.0.contains(element)
    }

    fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write_first(out, ['[', ']'], self.0.len(), &self.0)
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + 2 * of_values(&self.0, size_of::<Value>())
    }
}
