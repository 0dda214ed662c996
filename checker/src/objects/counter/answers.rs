//! Reads of a counter, and what they returned.

use histories::{Operation, Value};

use crate::objects::key::Key;

/// Returns true if an operation reads the counter.
pub(super) fn is_read(key: &Key<'_>, index: u32) -> bool {
    key.name(key.operation(index)) == "read"
}

/// Returns the number that a read returned, if it is one.
pub(super) fn answer(key: &Key<'_>, operation: &Operation) -> Option<i128> {
    if let &Value::Int(seen) = key.history.value(operation.output) { Some(seen.into()) } else { None }
}
