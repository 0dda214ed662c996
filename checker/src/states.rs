//! States of an object along an order of its operations: what each operation of a linearization leaves.

use histories::History;

use crate::{Options, budget::Budget, generic::as_values, state_words::MOST_CHARACTERS};

/// Returns the state after each operation of an order (indexes of operations of one key, as in
/// [`crate::KeyReport::order`]), in a few words: `3`, `["a", "b"]`, `held by process 7`. Returns `None` of a property,
/// which has no states, of an order that the object does not allow, and if a limit was reached.
pub fn states(history: &History, options: &Options<'_>, order: &[u32]) -> Option<Vec<String>> {
    if options.model.is_property() {
        return None;
    }
    let budget = Budget::new(&options.limits);
    budget.may_take(order.len() * (size_of::<String>() + MOST_CHARACTERS / 2)).ok()?;
    let history = as_values(history, &options.limits).ok()?;
    options.model.specification(&options.initial).states(&history, order, &budget)
}
