//! Final reads of an object that only has to be right in the end: those after which nothing changes, once the load is
//! over.
//!
//! Where a generator calls operations final, as Maelstrom's do, the reads among these are. Elsewhere a read is final if
//! it is the last operation on its key of its node (of its process, if nodes are not named), and begins after every
//! operation that is not the last of its node. Either must begin after every acknowledged addition to any key: a read
//! that only comes after the last addition to its own key may be one of the load, and stale.

use histories::{History, NEVER, Operation, Outcome};
use rustc_hash::FxHashMap;

use super::{FewCalls, Key, key::Client};
use crate::UnknownWhy;

pub(super) const ADD: &str = "add";
pub(super) const READ: &str = "read";
pub(super) const ADDITIONS: &str = "additions";

/// Reads of a key that may be final, as far as the key tells.
pub(super) struct FinalReads<'a> {
    history: &'a History,
    /// The reads with their indexes, in the order of their ends.
    pub(super) candidates: Vec<(u32, &'a Operation)>,
    /// Rank of the last completion of an acknowledged addition to any key, looked for only if some read is wrong.
    additions_end: Option<u32>,
}

impl<'a> FinalReads<'a> {
    /// Finds the reads of a key that may be final.
    ///
    /// # Errors
    /// The reason, if a limit is reached.
    pub(super) fn of(key: &Key<'a>) -> Result<Self, UnknownWhy> {
        let mut last: FxHashMap<Client, (u32, &Operation)> = FxHashMap::default();
        let mut called_final = Vec::new();
        // Rank at which the last addition ended that was acknowledged, and the last operation but those of the ends.
        let (mut added, mut over) = (0, 0);
        for (index, operation) in key.all() {
            key.step()?;
            if let Some((_, earlier)) = last.insert(key.client(index), (index, operation)) {
                over = over.max(end(earlier) + 1);
            }
            if operation.outcome == Outcome::Ok && key.call(operation).function == ADD {
                added = added.max(operation.completed);
            }
            called_final.extend(key.history.is_final(index as usize).then_some((index, operation)));
        }
        let (mut candidates, over): (Vec<_>, u32) = if key.history.has_finals() {
            (called_final, added)
        } else {
            (last.into_values().collect(), over.max(added))
        };
        let is_read = |read: &Operation| read.outcome == Outcome::Ok && key.call(read).function == READ;
        candidates.retain(|(_, read)| over <= read.invoked && is_read(read));
        Ok(Self { history: key.history, candidates: Key::by_completion(candidates), additions_end: None })
    }

    /// Returns true if this candidate is final.
    pub(super) fn has(&mut self, read: &Operation) -> bool {
        *self.additions_end.get_or_insert_with(|| end_of_additions(self.history)) <= read.invoked
    }
}

/// Returns true if the call at this place is a final read: the plain definition.
pub(super) fn is_final_read(few: &FewCalls<'_>, at: usize) -> bool {
    let (read, call) = &few.calls[at];
    let goes_on = |at: usize| few.clients[at + 1..].contains(&few.clients[at]);
    let is_last = || {
        let mut others = few.calls.iter().enumerate();
        !goes_on(at) && others.all(|(place, (other, _))| !goes_on(place) || end(other) < read.invoked)
    };
    call.function == READ
        && read.outcome == Outcome::Ok
        && end_of_additions(few.history) <= read.invoked
        && if few.history.has_finals() { few.are_final[at] } else { is_last() }
}

/// Returns the rank of the last completion of an acknowledged addition to any key; 0 if there is none.
fn end_of_additions(history: &History) -> u32 {
    let is_done = |add: &&Operation| add.outcome == Outcome::Ok && history.function_name(add.function) == ADD;
    history.operations.iter().filter(is_done).map(|add| add.completed).max().unwrap_or(0)
}

/// Returns the rank of the completion, or of the invocation if there is no completion that says what happened.
fn end(operation: &Operation) -> u32 {
    if operation.completed == NEVER { operation.invoked } else { operation.completed }
}
