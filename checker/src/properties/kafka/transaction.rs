//! Operations on logs, with their parts.

use histories::Operation;

use super::parts::{Part, has_parts, parts_of};
use crate::{UnknownWhy, properties::key::Key, words};

pub(super) const ASSIGN: &str = "assign";
/// Assignment after which polls begin at offset 0.
pub(super) const ASSIGN_FROM_BEGINNING: &str = "assign-from-beginning";
pub(super) const SUBSCRIBE: &str = "subscribe";
pub(super) const CRASH: &str = "crash";

/// Operation on logs.
pub(super) struct Transaction<'a> {
    /// Index of the operation.
    pub(super) index: u32,
    pub(super) operation: Operation,
    pub(super) function: &'a str,
    pub(super) parts: Vec<Part<'a>>,
}

/// Formats an operation without its parts: `transaction by process 3 at 1.200 s on n1`, `poll on k by process 4 at …`.
pub(super) fn who(key: &Key<'_>, index: u32) -> String {
    words::made(key.history, words::noun(key.history, index as usize), index as usize)
}

/// Returns all operations with their parts.
pub(super) fn transactions<'a>(key: &Key<'a>) -> Result<Vec<Transaction<'a>>, UnknownWhy> {
    let mut all = Vec::new();
    for (index, operation) in key.all() {
        key.step()?;
        let function = key.history.function_name(operation.function);
        let parts = if has_parts(function) { parts_of(key.history, operation) } else { Vec::new() };
        let pairs: usize = parts.iter().filter_map(Part::shown).map(|(_, pairs)| pairs.len()).sum();
        key.may_take(size_of::<Transaction<'_>>() + parts.len() * size_of::<Part<'_>>() + pairs * PAIR_BYTES)?;
        all.push(Transaction { index, operation: *operation, function, parts });
    }
    Ok(all)
}

/// Memory of an offset with its value, in bytes.
const PAIR_BYTES: usize = 16;

/// Operations (indexes) that violate the property, given all sends and polls, with the claim, which first names the one
/// that it is about.
pub(super) type Found = (Vec<u32>, String);

/// Offset before that of the first value.
pub(super) const BEFORE_ALL: i64 = -1;
