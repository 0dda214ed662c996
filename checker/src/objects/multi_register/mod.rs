//! Several registers that are read and written together. The general search decides them.

pub(super) mod specification;

use super::definition::Definition;
use specification::{MultiRegister, reads};

pub(super) static DEFINITION: Definition = Definition {
    is_informative: reads,
    ..Definition::new("multi-register", "several registers, read and written at once", |initial| {
        Box::new(MultiRegister::new(initial))
    })
};
