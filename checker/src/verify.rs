//! The second opinion: replays the order behind a "yes", and tries every order of the few operations behind a "no".
//!
//! Knows only histories and what objects may do: it shares no code with the methods that it verifies.

use histories::{Function, History, Operation, Outcome, Value, ValueId};
use rustc_hash::FxHashSet;

use crate::{
    model::{Call, Register, Specification},
    patience::{OutOf, Patience},
};

/// More operations than this are not tried in every order.
const MAX_OPERATIONS: usize = 128;

/// Why an order is not confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unconfirmed {
    /// It is no linearization, for this reason.
    Wrong(String),
    /// This ran out before anybody could say.
    OutOf(OutOf),
}

impl From<String> for Unconfirmed {
    fn from(why: String) -> Self {
        Self::Wrong(why)
    }
}

impl From<OutOf> for Unconfirmed {
    fn from(out: OutOf) -> Self {
        Self::OutOf(out)
    }
}

/// An object that can give a second opinion: any [`Specification`].
pub(crate) trait Verify: Sync {
    /// Why `order` (indexes of operations) is no linearization of the operations with the indexes `all`, which are ascending;
    /// nothing if it is one.
    fn replay(&self, history: &History, all: &[u32], order: &[u32], patience: &Patience<'_>)
    -> Result<(), Unconfirmed>;

    /// Whether some order explains these operations (indexes) alone; nothing if there are too many of them to try within `tries`.
    fn can_be_ordered(&self, history: &History, indexes: &[usize], tries: usize) -> Option<bool>;
}

impl<S: Specification> Verify for S {
    fn replay(
        &self,
        history: &History,
        all: &[u32],
        order: &[u32],
        patience: &Patience<'_>,
    ) -> Result<(), Unconfirmed> {
        let mut state = self.initial();
        replay_by(history, all, order, patience, |operation| {
            self.apply(&mut state, &Call::of(history, operation, self.asks_who()))
        })
    }

    fn can_be_ordered(&self, history: &History, indexes: &[usize], tries: usize) -> Option<bool> {
        let operations: Vec<Operation> = indexes.iter().map(|&index| history.operations[index]).collect();
        explains(self, history, &operations, tries)
    }
}

/// [`Verify::replay`] of a register without `append`, by the numbers of values, since registers are the longest histories.
pub(crate) fn replay_register(
    history: &History,
    initial: &Value,
    all: &[u32],
    order: &[u32],
    patience: &Patience<'_>,
) -> Result<(), Unconfirmed> {
    // No other value has the number of nothing, so it can stand for an initial value that nobody mentions.
    let initial = history.values.find(initial).unwrap_or(ValueId::UNKNOWN);
    let mut value = initial;
    replay_by(history, all, order, patience, |operation| {
        let Operation { function, input, output, .. } = *operation;
        let is_mismatch = operation.outcome == Outcome::Mismatch;
        match function {
            Function::Read => return output == value,
            Function::Cas if is_mismatch => return input != value && (output == ValueId::UNKNOWN || output == value),
            Function::Cas if input != value => return false,
            Function::Cas => value = operation.to,
            Function::Write => value = input,
            Function::Delete => value = initial,
            Function::Append | Function::Other(_) => return false,
        }
        true
    })
}

/// Whether `order` holds every operation of `all` that must be in it, each once, as real time allows, and each can be applied.
fn replay_by(
    history: &History,
    all: &[u32],
    order: &[u32],
    patience: &Patience<'_>,
    mut apply: impl FnMut(&Operation) -> bool,
) -> Result<(), Unconfirmed> {
    let first = all.first().map_or(0, |index| index / 64);
    let mut seen = vec![0_u64; all.last().map_or(0, |index| (index / 64 - first + 1) as usize)];
    let mut last_start = 0;
    let mut certain = 0;
    for &index in order {
        patience.step()?;
        let operation = &history.operations[index as usize];
        let word = &mut seen[(index / 64 - first) as usize];
        if *word >> (index % 64) & 1 == 1 {
            return Err(format!("operation {index} twice").into());
        }
        *word |= 1 << (index % 64);
        if operation.completed < last_start {
            return Err(format!("operation {index} after one that began when it was over").into());
        }
        last_start = last_start.max(operation.invoked);
        certain += usize::from(must_take_place(operation));
        if operation.outcome == Outcome::Fail || !apply(operation) {
            return Err(format!("operation {index} could not have seen what it saw").into());
        }
    }
    let (mut held, mut due) = (0, certain);
    for &index in all {
        let is_held = seen[(index / 64 - first) as usize] >> (index % 64) & 1 == 1;
        held += usize::from(is_held);
        due += usize::from(!is_held && must_take_place(&history.operations[index as usize]));
    }
    if held < order.len() {
        return Err("an operation of something else".to_owned().into());
    }
    if due == certain { Ok(()) } else { Err(format!("{certain} of {due} certain operations").into()) }
}

/// Whether an order without this operation would not do.
fn must_take_place(operation: &Operation) -> bool {
    match operation.outcome {
        Outcome::Ok => operation.function != Function::Read || operation.output != ValueId::UNKNOWN,
        Outcome::Mismatch => operation.function == Function::Cas,
        Outcome::Fail | Outcome::Info => false,
    }
}

/// [`Verify::can_be_ordered`] of registers: a cas whose expected value is set by others of its key, but by none of these, counts
/// as a write.
pub(crate) fn can_be_ordered(history: &History, initial: &Value, indexes: &[usize], tries: usize) -> Option<bool> {
    let operations: Vec<&Operation> = indexes.iter().map(|&index| &history.operations[index]).collect();
    let sets = |o: &Operation, id| match o.function {
        _ if matches!(o.outcome, Outcome::Fail | Outcome::Mismatch) => false,
        Function::Write => o.input == id,
        Function::Cas => o.to == id,
        Function::Append | Function::Delete | Function::Read | Function::Other(_) => false,
    };
    let is_left_to_nobody = |o: &Operation| {
        let outside = || history.operations.iter().any(|other| other.key == o.key && sets(other, o.input));
        history.value(o.input) != initial && !operations.iter().any(|other| sets(other, o.input)) && outside()
    };
    let call = |&o: &&Operation| {
        let call = Call::of(history, o, false);
        if o.function == Function::Cas && o.outcome != Outcome::Mismatch && is_left_to_nobody(o) {
            return Call { function: "write", input: call.to, ..call };
        }
        call
    };
    let calls = operations.iter().map(call).collect();
    some_order(&Register::new(initial, true), operations, calls, tries)
}

/// Whether some order explains just these operations, which need not be in the history; nothing if there are too many of them to try.
pub(crate) fn explains(
    object: &impl Specification,
    history: &History,
    operations: &[Operation],
    tries: usize,
) -> Option<bool> {
    let calls = operations.iter().map(|operation| Call::of(history, operation, object.asks_who())).collect();
    some_order(object, operations.iter().collect(), calls, tries)
}

fn some_order<S: Specification>(
    object: &S,
    operations: Vec<&Operation>,
    calls: Vec<Call<'_>>,
    tries: usize,
) -> Option<bool> {
    if operations.len() > MAX_OPERATIONS {
        return None;
    }
    Trial { object, operations, calls, dead_ends: FxHashSet::default(), tries }.go(0, &object.initial())
}

struct Trial<'a, S: Specification> {
    object: &'a S,
    operations: Vec<&'a Operation>,
    calls: Vec<Call<'a>>,
    dead_ends: FxHashSet<(u128, S::State)>,
    tries: usize,
}

impl<S: Specification> Trial<'_, S> {
    /// Whether the rest can follow those in `done`.
    fn go(&mut self, done: u128, state: &S::State) -> Option<bool> {
        let left = |place: &usize| done >> place & 1 == 0 && self.operations[*place].outcome != Outcome::Fail;
        let due = |place: &&usize| must_take_place(self.operations[**place]);
        let rest: Vec<usize> = (0..self.operations.len()).filter(left).collect();
        let Some(end) = rest.iter().filter(due).map(|&place| self.operations[place].completed).min() else {
            return Some(true);
        };
        if !self.dead_ends.insert((done, state.clone())) {
            return Some(false);
        }
        self.tries = self.tries.checked_sub(1)?;
        for place in rest {
            let mut next = state.clone();
            if self.operations[place].invoked < end
                && self.object.apply(&mut next, &self.calls[place])
                && self.go(done | 1 << place, &next)?
            {
                return Some(true);
            }
        }
        Some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use histories::{Event, EventType, HistoryBuilder, Process};

    /// Each event: process, kind, function, value.
    fn history(events: &[(u64, EventType, &'static str, Value)]) -> History {
        let mut builder = HistoryBuilder::default();
        for (process, kind, f, value) in events {
            let mut event = Event::new(Process::Client(*process), *kind, *f);
            event.value = Some(value.clone());
            builder.push(event).unwrap();
        }
        builder.finish()
    }

    use EventType::{Invoke, Ok as Done};

    #[test]
    fn replay_refuses_what_is_no_linearization() {
        let history = history(&[
            (0, Invoke, "write", 1.into()),
            (0, Done, "write", 1.into()),
            (0, Invoke, "read", Value::Nil),
            (1, Invoke, "write", 2.into()),
            (0, Done, "read", 1.into()),
            (1, Done, "write", 2.into()),
        ]);
        let replay_of = |all: &[u32], order: &[u32]| {
            let patience = Patience::endless();
            let by_numbers = replay_register(&history, &Value::Nil, all, order, &patience);
            assert_eq!(by_numbers, Register::new(&Value::Nil, true).replay(&history, all, order, &patience));
            by_numbers
        };
        let replay = |order: &[u32]| replay_of(&[0, 1, 2], order);
        let why_not = |order: &[u32]| {
            let Err(Unconfirmed::Wrong(why)) = replay(order) else { panic!("{order:?} is wrong") };
            why
        };
        assert_eq!(replay(&[0, 1, 2]), Ok(()));
        assert!(why_not(&[0, 1]).contains("2 of 3"), "one is missing");
        assert!(why_not(&[0, 1, 2, 2]).contains("twice"));
        assert!(why_not(&[1, 0, 2]).contains("could not have seen"));
        assert!(why_not(&[2, 0, 1]).contains("began when it was over"));
        assert!(why_not(&[0, 2, 1]).contains("could not have seen"));
        assert!(replay_of(&[0, 2], &[0, 1]).is_err(), "one is of something else, and as many are certain");
    }

    #[test]
    fn every_order_is_tried() {
        let history = history(&[
            (0, Invoke, "write", 1.into()),
            (1, Invoke, "write", 2.into()),
            (0, Done, "write", 1.into()),
            (1, Done, "write", 2.into()),
            (0, Invoke, "read", Value::Nil),
            (0, Done, "read", 1.into()),
            (0, Invoke, "read", Value::Nil),
            (0, Done, "read", 2.into()),
        ]);
        let ordered = |indexes: &[usize]| can_be_ordered(&history, &Value::Nil, indexes, 1000);
        assert_eq!(ordered(&[0, 1, 2]), Some(true));
        assert_eq!(ordered(&[0, 1, 3]), Some(true));
        assert_eq!(ordered(&[0, 1, 2, 3]), Some(false));
        assert_eq!(can_be_ordered(&history, &Value::Nil, &[0, 1, 2, 3], 1), None, "it gives up in time");
    }

    #[test]
    fn only_a_cas_that_matched_counts_as_a_write_where_nobody_set_what_it_expects() {
        let pair = |from: i64, to: i64| Value::List(vec![from.into(), to.into()]);
        let history = history(&[
            (0, Invoke, "write", 1.into()),
            (0, Done, "write", 1.into()),
            (0, Invoke, "cas", pair(1, 2)),
            (0, Done, "cas", pair(1, 2)),
            (0, Invoke, "read", Value::Nil),
            (0, Done, "read", 2.into()),
            (0, Invoke, "cas", pair(9, 3)),
            (0, Done, "cas", pair(9, 3)),
            (0, Invoke, "write", 4.into()),
            (0, Done, "write", 4.into()),
            (0, Invoke, "read", Value::Nil),
            (0, Done, "read", Value::Nil),
        ]);
        let ordered = |indexes: &[usize]| can_be_ordered(&history, &Value::Nil, indexes, 1000);
        assert_eq!(ordered(&[1, 2]), Some(true), "another one, left out, set 1");
        assert_eq!(ordered(&[0, 1, 2]), Some(true));
        assert_eq!(ordered(&[3]), Some(false), "nobody at all set 9");
        assert_eq!(ordered(&[1, 4]), Some(true), "a write is a write");
        assert_eq!(ordered(&[2]), Some(false), "a read is no write, whoever set what it saw");
        assert_eq!(ordered(&[4, 5]), Some(false));
    }
}
