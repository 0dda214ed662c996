//! Priority queue of integers, the smallest first: `insert`, `poll` and `peek`.

use std::collections::BTreeMap;

use histories::Value;

use crate::objects::container::names::{Access, Names, may_find};
use crate::{
    UnknownWhy,
    specification::{Call, Specification, elements},
};

pub(crate) const NAMES: Names = Names {
    put: &["insert", "enqueue", "add", "offer", "push", "write"],
    take: &["poll", "dequeue", "pop", "take", "delete-min", "extract-min"],
    peek: &["peek", "min", "find-min"],
};

#[derive(Debug)]
pub(crate) struct PriorityQueue {
    initial: BTreeMap<Value, u32>,
}

impl PriorityQueue {
    pub(crate) fn new(initial: &Value) -> Self {
        let mut queue = BTreeMap::new();
        elements(initial).for_each(|element| *queue.entry(element).or_default() += 1);
        Self { initial: queue }
    }
}

impl Specification for PriorityQueue {
    /// Number of copies of each integer.
    type State = BTreeMap<Value, u32>;

    fn initial(&self) -> Self::State {
        self.initial.clone()
    }

    fn apply(&self, queue: &mut Self::State, call: &Call<'_>) -> bool {
        let smallest = || queue.first_key_value().map(|(smallest, _)| smallest);
        match NAMES.access(call) {
            Some(Access::Put) => *queue.entry(call.input.clone()).or_default() += 1,
            Some(_) if !may_find(call, smallest()) => return false,
            Some(Access::Take) => {
                if let Some(mut first) = queue.first_entry() {
                    *first.get_mut() -= 1;
                    if *first.get() == 0 {
                        first.remove();
                    }
                }
            }
            Some(Access::Peek) => {}
            None => return false,
        }
        true
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        NAMES.accepts(call)?;
        let is_number = |value: &Value| matches!(value, Value::Int(_));
        match NAMES.access(call) {
            Some(Access::Put) if !is_number(call.input) => Err(call.unsupported_input()),
            _ if !self.initial.keys().all(is_number) => Err(UnknownWhy::Unsupported {
                what: "a priority queue that begins with something else than numbers".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn is_read_only(&self, call: &Call<'_>) -> bool {
        matches!(NAMES.access(call), Some(Access::Peek))
    }

    fn about(&self, call: &Call<'_>) -> Option<Vec<Value>> {
        // Initial elements cannot be left out.
        if self.initial.is_empty() { NAMES.about(call) } else { None }
    }

    fn finds(&self, call: &Call<'_>) -> Vec<Value> {
        NAMES.finds(call, |found| self.initial.contains_key(found))
    }

    fn leaves(&self, call: &Call<'_>) -> Vec<Value> {
        NAMES.leaves(call)
    }

    fn depends_on_process(&self) -> bool {
        false
    }
}
