//! Placement of looks that a method does not support into the order that it found without them. Looks constrain no
//! other operation: if there is no order without them, there is none with them; if there is one, they may fit into
//! it.

use histories::{NEVER, Operation};

use crate::{
    UnknownWhy,
    objects::key::Key,
    specification::{Call, Specification},
};

/// Returns the order with these looks (ascending indexes), each at the first place at which its answer is right.
/// Returns `None` if one fits nowhere, though it might in another order.
///
/// `object` must leave its state unchanged if it refuses a look.
pub(super) fn place(
    key: &Key<'_>,
    object: &impl Specification,
    order: &[u32],
    looks: &[u32],
) -> Result<Option<Vec<u32>>, UnknownWhy> {
    let times = |index: u32| {
        let Operation { invoked, completed, .. } = *key.operation(index);
        (invoked, completed)
    };
    let call = |index: u32| Call::of(key.history, key.operation(index), object.depends_on_process());
    // A look comes after every operation and look that ended before it began, and before every one that began after
    // it ended.
    let mut last_start = vec![0; order.len() + 1];
    let mut first_end = vec![NEVER; order.len() + 1];
    for (place, &index) in order.iter().enumerate() {
        last_start[place + 1] = times(index).0.max(last_start[place]);
    }
    for (place, &index) in order.iter().enumerate().rev() {
        first_end[place] = times(index).1.min(first_end[place + 1]);
    }
    let mut state = object.initial();
    let (mut placed, mut waiting) = (Vec::with_capacity(order.len() + looks.len()), Vec::new());
    let mut coming = looks.iter().copied().peekable();
    for place in 0..=order.len() {
        // From here on, nothing in the order ends before this look began.
        while let Some(look) = coming.next_if(|&look| times(look).0 < first_end[place]) {
            waiting.push(look);
        }
        loop {
            key.steps(1 + waiting.len(), 0)?;
            let first_waiting_end = waiting.iter().map(|&look| times(look).1).min().unwrap_or(NEVER);
            let fits = waiting
                .iter()
                .position(|&look| times(look).0 < first_waiting_end && object.apply(&mut state, &call(look)));
            let Some(fits) = fits else { break };
            placed.push(waiting.remove(fits));
        }
        let Some(&next) = order.get(place) else { break };
        if waiting.iter().any(|&look| times(look).1 < times(next).0.max(last_start[place])) {
            return Ok(None);
        }
        if !object.apply(&mut state, &call(next)) {
            return Ok(None);
        }
        placed.push(next);
    }
    let is_whole = waiting.is_empty() && coming.peek().is_none();
    Ok(is_whole.then_some(placed))
}
