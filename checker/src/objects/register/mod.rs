//! Registers, of any value or of text: their specification, the automata by which the search prunes, the stages of that
//! search, and how a violation is made small. Where values are unique, `zones/` decides.

mod automaton;
mod plain;
mod problem;
pub(crate) mod specification;
mod stages;
#[cfg(test)]
mod tests;
mod text;

use super::definition::Definition;
use crate::specification::{Call, is_compound};
use specification::Register;

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
