//! Bag (a pool of jobs, an unordered queue): `add`, and `take` of any element.
//!
//! A `take` of unknown outcome may have removed some element, but it is unknown which. That matters only to a `take`
//! that finds the bag empty, and since the unknown one has no end, it can be put off until right before that. So the
//! state counts such takes, and when the bag is found empty, they removed everything that is left.

use std::{collections::BTreeMap, fmt};

use histories::Value;

use crate::{
    memory::of_tree,
    objects::container::{
        collection::Elements,
        names::{DRAIN, Names},
    },
    specification::Call,
    state_words::{Copies, write_first},
};

pub(crate) const NAMES: Names = Names {
    put: &["add", "insert", "enqueue", "offer", "push", "send", "write"],
    take: &["take", "remove", "dequeue", "poll", "pop", "receive", DRAIN],
    peek: &[],
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Bag {
    /// Number of copies of each element.
    elements: BTreeMap<Value, u32>,
    /// Number of elements in all.
    count: u32,
    /// Number of elements that unknown takes have removed.
    gone: u32,
}

impl Elements for Bag {
    const NAMES: Names = NAMES;

    fn put(&mut self, element: Value) {
        *self.elements.entry(element).or_default() += 1;
        self.count += 1;
    }

    fn take(&mut self, call: &Call<'_>) -> bool {
        match call.output {
            None => self.gone = self.count.min(self.gone + 1),
            Some(Value::Nil) if self.gone < self.count => return false,
            Some(Value::Nil) => *self = Self::default(),
            Some(element) => {
                let Some(left) = self.elements.get_mut(element).filter(|_| self.gone < self.count) else {
                    return false;
                };
                *left -= 1;
                self.count -= 1;
                if *left == 0 {
                    self.elements.remove(element);
                }
            }
        }
        true
    }

    fn contains(&self, element: &Value) -> bool {
        self.elements.contains_key(element)
    }

    fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write_first(out, ['{', '}'], self.elements.len(), self.elements.iter().map(Copies))?;
        if self.gone == 0 { Ok(()) } else { write!(out, ", {} of them gone", self.gone) }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + of_tree(self.elements.keys(), size_of::<(Value, u32)>())
    }
}
