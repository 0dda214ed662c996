//! Specification of the collections that elements are put into and taken out of.

use std::{
    fmt::{self, Debug},
    hash::Hash,
};

use histories::{History, Value};

use super::names::{Access, Names};
use crate::{
    UnknownWhy,
    specification::{Call, Specification, elements},
};

/// Elements of a collection, and which of them is taken next.
pub(crate) trait Elements: Clone + Debug + Default + Eq + Hash + Sync {
    const NAMES: Names;

    /// Puts in an element.
    fn put(&mut self, element: Value);

    /// Takes out the element that the call answered with. Returns false if that is impossible.
    fn take(&mut self, call: &Call<'_>) -> bool;

    /// Returns true if a look at an element may have this answer.
    fn may_peek(&self, _call: &Call<'_>) -> bool {
        false
    }

    fn contains(&self, element: &Value) -> bool;

    /// Writes the elements for people.
    fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result;

    /// Returns the memory held, in bytes.
    fn bytes(&self) -> usize;

    /// Checks that a collection that begins with these contents has such calls.
    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        Self::NAMES.accepts(call)
    }
}

/// Specification of a collection.
#[derive(Debug)]
pub(crate) struct Collection<C> {
    initial: C,
}

impl<C: Elements> Collection<C> {
    /// Creates a collection into which the elements of `initial` were put.
    pub(in crate::objects) fn new(initial: &Value) -> Self {
        let mut contents = C::default();
        elements(initial).for_each(|element| contents.put(element));
        Self { initial: contents }
    }
}

impl<C: Elements> Specification for Collection<C> {
    type State = C;

    fn initial(&self) -> C {
        self.initial.clone()
    }

    fn state_bytes(&self, contents: &C) -> usize {
        contents.bytes()
    }

    fn write_state(&self, contents: &Self::State, _: &History, out: &mut dyn fmt::Write) -> fmt::Result {
        contents.write(out)
    }

    fn apply(&self, contents: &mut C, call: &Call<'_>) -> bool {
        match C::NAMES.access(call) {
            Some(Access::Put) => {
                contents.put(call.input.clone());
                true
            }
            Some(Access::Take) => contents.take(call),
            Some(Access::Peek) => contents.may_peek(call),
            None => false,
        }
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        self.initial.accepts(call)
    }

    fn is_read_only(&self, call: &Call<'_>) -> bool {
        matches!(C::NAMES.access(call), Some(Access::Peek))
    }

    fn about(&self, call: &Call<'_>) -> Option<Vec<Value>> {
        // Initial elements cannot be left out.
        if self.initial == C::default() { C::NAMES.about(call) } else { None }
    }

    fn finds(&self, call: &Call<'_>) -> Vec<Value> {
        C::NAMES.finds(call, |found| self.initial.contains(found))
    }

    fn leaves(&self, call: &Call<'_>) -> Vec<Value> {
        C::NAMES.leaves(call)
    }

    fn depends_on_process(&self) -> bool {
        false
    }
}
