//! Stack: `push`, `pop` and `peek`. [`crate::Options::initial`] is a list from bottom to top.

use histories::Value;

use crate::objects::container::{
    names::Names,
    row::{Row, RowEnd},
};

pub(crate) const NAMES: Names =
    Names { put: &["push", "add", "write"], take: &["pop", "take"], peek: &["peek", "top"] };

/// Creates the specification of a stack that holds the elements of `initial`.
pub(in crate::objects) fn stack(initial: &Value) -> Row {
    Row::new(&NAMES, RowEnd::Back, initial)
}
