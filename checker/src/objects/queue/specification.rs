//! FIFO queue: `enqueue`, `dequeue` and `peek`.

use std::collections::VecDeque;

use histories::Value;

use crate::objects::container::names::{Access, Names, may_find};
use crate::{
    UnknownWhy,
    specification::{Call, Specification, elements},
};

pub(crate) const NAMES: Names = Names {
    put: &["enqueue", "offer", "push", "send", "write"],
    take: &["dequeue", "poll", "pop", "take", "receive"],
    peek: &["peek"],
};

#[derive(Debug)]
pub(crate) struct Queue {
    initial: VecDeque<Value>,
}

impl Queue {
    pub(crate) fn new(initial: &Value) -> Self {
        Self { initial: elements(initial).collect() }
    }
}

impl Specification for Queue {
    type State = VecDeque<Value>;

    fn initial(&self) -> Self::State {
        self.initial.clone()
    }

    fn apply(&self, queue: &mut Self::State, call: &Call<'_>) -> bool {
        match NAMES.access(call) {
            Some(Access::Put) => {
                queue.push_back(call.input.clone());
                true
            }
            Some(Access::Take) => may_find(call, queue.pop_front().as_ref()),
            Some(Access::Peek) => may_find(call, queue.front()),
            None => false,
        }
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        NAMES.accepts(call)
    }

    fn is_read_only(&self, call: &Call<'_>) -> bool {
        matches!(NAMES.access(call), Some(Access::Peek))
    }

    fn about(&self, call: &Call<'_>) -> Option<Vec<Value>> {
        // Initial elements cannot be left out.
        if self.initial.is_empty() { NAMES.about(call) } else { None }
    }

    fn finds(&self, call: &Call<'_>) -> Vec<Value> {
        NAMES.finds(call, |found| self.initial.contains(found))
    }

    fn leaves(&self, call: &Call<'_>) -> Vec<Value> {
        NAMES.leaves(call)
    }

    fn asks_who(&self) -> bool {
        false
    }
}
