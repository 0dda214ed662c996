//! Stack: `push`, `pop` and `peek`. [`crate::Options::initial`] is a list from bottom to top.

use histories::Value;

use crate::objects::container::names::{Access, Names, may_find};
use crate::{
    UnknownWhy,
    specification::{Call, Specification, elements},
};

pub(crate) const NAMES: Names =
    Names { put: &["push", "add", "write"], take: &["pop", "take"], peek: &["peek", "top"] };

#[derive(Debug)]
pub(crate) struct Stack {
    initial: Vec<Value>,
}

impl Stack {
    pub(crate) fn new(initial: &Value) -> Self {
        Self { initial: elements(initial).collect() }
    }
}

impl Specification for Stack {
    type State = Vec<Value>;

    fn initial(&self) -> Self::State {
        self.initial.clone()
    }

    fn apply(&self, stack: &mut Self::State, call: &Call<'_>) -> bool {
        match NAMES.access(call) {
            Some(Access::Put) => {
                stack.push(call.input.clone());
                true
            }
            Some(Access::Take) => may_find(call, stack.pop().as_ref()),
            Some(Access::Peek) => may_find(call, stack.last()),
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
