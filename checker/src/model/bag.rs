//! A bag (a pool of jobs, an unordered queue): `add`, and `take` of any element.
//!
//! A `take` of unknown outcome has removed some element, nobody knows which. That it did matters only to a `take` that finds
//! nothing, and since it has no end, it can be put off until right before that: so the state counts such takes, and what
//! they removed is everything that is left when the bag is found empty.

use std::collections::BTreeMap;

use histories::Value;

use super::{
    Call, Specification,
    collection::{Access, Names},
    elements,
};
use crate::UnknownWhy;

pub(crate) const NAMES: Names = Names {
    put: &["add", "insert", "enqueue", "offer", "push", "send", "write"],
    take: &["take", "remove", "dequeue", "poll", "pop", "receive"],
    peek: &[],
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// How often it has each element.
    elements: BTreeMap<Value, u32>,
    /// How many there are.
    count: u32,
    /// How many of them are gone, nobody knows which.
    gone: u32,
}

#[derive(Debug)]
pub(super) struct Bag {
    initial: State,
}

impl Bag {
    pub(super) fn new(initial: &Value) -> Self {
        let mut state = State::default();
        elements(initial).for_each(|element| state.add(element));
        Self { initial: state }
    }
}

impl State {
    fn add(&mut self, element: Value) {
        *self.elements.entry(element).or_default() += 1;
        self.count += 1;
    }

    /// Takes this element, if it can still be there.
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
    type State = State;

    fn initial(&self) -> State {
        self.initial.clone()
    }

    fn apply(&self, bag: &mut State, call: &Call<'_>) -> bool {
        match (NAMES.access(call), call.output) {
            (Some(Access::Put), _) => bag.add(call.input.clone()),
            (Some(Access::Take), None) => bag.gone = bag.count.min(bag.gone + 1),
            (Some(Access::Take), Some(Value::Nil)) => {
                if bag.gone < bag.count {
                    return false;
                }
                *bag = State::default();
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
        // Nothing can be left out of what was there at first.
        if self.initial.count == 0 { NAMES.about(call) } else { None }
    }

    fn finds(&self, call: &Call<'_>) -> Vec<Value> {
        NAMES.finds(call, |found| self.initial.elements.contains_key(found))
    }

    fn leaves(&self, call: &Call<'_>) -> Vec<Value> {
        NAMES.leaves(call)
    }

    fn asks_who(&self) -> bool {
        false
    }
}
