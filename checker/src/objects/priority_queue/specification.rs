//! Priority queue of integers, the smallest first: `insert`, `poll` and `peek`.

use std::{collections::BTreeMap, fmt};

use histories::Value;

use crate::{
    UnknownWhy,
    memory::of_tree,
    objects::container::{
        collection::Elements,
        names::{Access, DRAIN, Names, may_find},
    },
    specification::Call,
    state_words::{Copies, write_first},
    unknown::unsupported,
};

pub(crate) const NAMES: Names = Names {
    put: &["insert", "enqueue", "add", "offer", "push", "write"],
    take: &["poll", "dequeue", "pop", "take", "delete-min", "extract-min", DRAIN],
    peek: &["peek", "min", "find-min"],
};

/// Number of copies of each integer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct PriorityQueue(BTreeMap<Value, u32>);

impl Elements for PriorityQueue {
    const NAMES: Names = NAMES;

    fn put(&mut self, element: Value) {
        *self.0.entry(element).or_default() += 1;
    }

    fn take(&mut self, call: &Call<'_>) -> bool {
        let is_possible = self.may_peek(call);
        if let Some(mut first) = self.0.first_entry().filter(|_| is_possible) {
            *first.get_mut() -= 1;
            if *first.get() == 0 {
                first.remove();
            }
        }
        is_possible
    }

    fn may_peek(&self, call: &Call<'_>) -> bool {
        may_find(call, self.0.first_key_value().map(|(smallest, _)| smallest))
    }

    fn contains(&self, element: &Value) -> bool {
        self.0.contains_key(element)
    }

    fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write_first(out, ['[', ']'], self.0.len(), self.0.iter().map(Copies))
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + of_tree(self.0.keys(), size_of::<(Value, u32)>())
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        NAMES.accepts(call)?;
        let is_number = |value: &Value| matches!(value, Value::Int(_));
        match NAMES.access(call) {
            Some(Access::Put) if !is_number(call.input) => Err(call.unsupported_input()),
            _ if !self.0.keys().all(is_number) => {
                unsupported("a priority queue that begins with something else than numbers")
            }
            _ => Ok(()),
        }
    }
}
