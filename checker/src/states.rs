//! States of an object along orders of its operations: what each operation of a linearization leaves.

use histories::History;

use crate::{Options, budget::Budget, generic::as_values, state_words::MOST_CHARACTERS};

/// Returns the state after each operation of each order (indexes of operations of one key, as in
/// [`crate::KeyReport::order`]), in a few words: `3`, `["a", "b"]`, `held by process 7`. There is `None` for an order
/// that the object does not allow, or for which a limit was reached, and for all of a property, which has no states.
pub fn states(history: &History, options: &Options<'_>, orders: &[&[u32]]) -> Vec<Option<Vec<String>>> {
    let unknown = || vec![None; orders.len()];
    if options.model.is_property() {
        return unknown();
    }
    let Ok(history) = as_values(history, &options.limits) else { return unknown() };
    let (object, budget) = (options.model.specification(&options.initial), Budget::new(&options.limits));
    let along = |order: &&[u32]| {
        budget.may_take(order.len() * (size_of::<String>() + MOST_CHARACTERS / 2)).ok()?;
        object.states(&history, order, &budget)
    };
    orders.iter().map(along).collect()
}
