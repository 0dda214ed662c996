//! Registers, of any value or of text: their specification, the automata by which the search prunes, the stages of that
//! search, and how a violation is made small. Where values are unique, `zones/` decides.

mod automaton;
mod plain;
mod problem;
pub(crate) mod specification;
mod stages;
mod text;

use super::{Definition, Model};
use crate::specification::{Call, is_compound};
use specification::Register;

#[cfg(test)]
pub(crate) use automaton::RegisterAutomaton;
pub(crate) use problem::{Problem, fewest_steps};
pub(crate) use stages::{Stage, by_search, by_specification};

pub(super) static REGISTER: Definition = Definition {
    is_informative,
    ..Definition::new("register", "read and write (and cas, where there is any)", |initial| {
        Box::new(Register::new(initial, false))
    })
};

pub(super) static KEY_VALUE: Definition = Definition {
    initial: ("null, text, a number, true or false", |initial| !is_compound(initial)),
    is_informative,
    ..Definition::new("kv", "get, put, append, delete and cas on text", |initial| {
        Box::new(Register::new(initial, true))
    })
};

fn is_informative(call: &Call<'_>) -> bool {
    call.output.is_some() || call.function == "cas"
}

impl Model {
    /// Returns true if the object is a single register, with or without text.
    pub fn is_register(self) -> bool {
        matches!(self, Self::Register | Self::KeyValue)
    }

    /// Returns true if the object is a register that can be appended to and deleted.
    pub(crate) fn has_edits(self) -> bool {
        self == Self::KeyValue
    }
}
