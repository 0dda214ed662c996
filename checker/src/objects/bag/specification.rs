//! Bag (a pool of jobs, an unordered queue): `add`, and `take` of any element.
//!
//! A `take` of unknown outcome may have removed some element, but it is unknown which. That matters only to a `take`
//! that finds the bag empty, and since the unknown one has no end, it can be put off until right before that. So the
//! state counts such takes, and when the bag is found empty, they removed everything that is left.

use std::collections::BTreeMap;

use histories::Value;

use crate::objects::container::names::{Access, Names};
use crate::{
    UnknownWhy,
    specification::{Call, Specification, elements},
};

pub(crate) const NAMES: Names = Names {
    put: &["add", "insert", "enqueue", "offer", "push", "send", "write"],
    take: &["take", "remove", "dequeue", "poll", "pop", "receive"],
    peek: &[],
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct BagState {
    /// Number of copies of each element.
    elements: BTreeMap<Value, u32>,
    /// Number of elements in all.
    count: u32,
    /// Number of elements that unknown takes have removed.
    gone: u32,
}

#[derive(Debug)]
pub(crate) struct Bag {
    initial: BagState,
}

impl Bag {
    pub(crate) fn new(initial: &Value) -> Self {
        let mut state = BagState::default();
        elements(initial).for_each(|element| state.add(element));
        Self { initial: state }
    }
}

impl BagState {
    fn add(&mut self, element: Value) {
        *self.elements.entry(element).or_default() += 1;
        self.count += 1;
    }

    /// Takes this element and returns true, if it can still be there.
    fn take(&mut self, element: &Value) -> bool {
        let Some(left) = self.elements.get_mut(element).filter(|_| self.gone < self.count) else { return false };
        *left -= 1;
        self.count -= 1;
        if *left == 0 {
            self.elements.remove(element);
        }
        true
    }
}

impl Specification for Bag {
    type State = BagState;

    fn initial(&self) -> BagState {
        self.initial.clone()
    }

    fn apply(&self, bag: &mut BagState, call: &Call<'_>) -> bool {
        match (NAMES.access(call), call.output) {
            (Some(Access::Put), _) => bag.add(call.input.clone()),
            (Some(Access::Take), None) => bag.gone = bag.count.min(bag.gone + 1),
            (Some(Access::Take), Some(Value::Nil)) => {
                if bag.gone < bag.count {
                    return false;
                }
                *bag = BagState::default();
            }
            (Some(Access::Take), Some(element)) => return bag.take(element),
            _ => return false,
        }
        true
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        NAMES.accepts(call)
    }

    fn about(&self, call: &Call<'_>) -> Option<Vec<Value>> {
        // Initial elements cannot be left out.
        if self.initial.count == 0 { NAMES.about(call) } else { None }
    }

    fn finds(&self, call: &Call<'_>) -> Vec<Value> {
        NAMES.finds(call, |found| self.initial.elements.contains_key(found))
    }

    fn leaves(&self, call: &Call<'_>) -> Vec<Value> {
        NAMES.leaves(call)
    }

    fn depends_on_process(&self) -> bool {
        false
    }
}
