//! FIFO queue: `enqueue`, `dequeue` and `peek`.

use histories::Value;

use crate::objects::container::{
    names::Names,
    row::{Row, RowEnd},
};

pub(crate) const NAMES: Names = Names {
    put: &["enqueue", "offer", "push", "send", "write"],
    take: &["dequeue", "poll", "pop", "take", "receive"],
    peek: &["peek"],
};

/// Creates the specification of a queue that holds the elements of `initial`.
pub(in crate::objects) fn queue(initial: &Value) -> Row {
    Row::new(&NAMES, RowEnd::Front, initial)
}
