//! The second opinion: replays the order behind a "yes", and tries every order of the few operations behind a "no".
//!
//! Knows only histories: it shares no code with the methods that it verifies.

use histories::{Function, History, Operation, Outcome, Value, ValueId};
use rustc_hash::FxHashSet;

/// What stands in a key, as far as it can be compared without looking at values.
#[derive(Clone, PartialEq)]
enum Content {
    Initial,
    Is(ValueId),
    /// What was put together by appends.
    Text(Value),
}

/// Why `order` (indexes of operations) is no linearization of the operations with the indexes `all`, which are ascending;
/// nothing if it is one.
pub(crate) fn replay(history: &History, initial: &Value, all: &[u32], order: &[u32]) -> Result<(), String> {
    let initial_id = history.values.find(initial);
    let content = |id: ValueId| if initial_id == Some(id) { Content::Initial } else { Content::Is(id) };
    let holds = |value: &Content, id: ValueId| match value {
        Content::Text(text) => text == history.value(id),
        other => *other == content(id),
    };
    let first = all.first().map_or(0, |index| index / 64);
    let mut seen = vec![0_u64; all.last().map_or(0, |index| (index / 64 - first + 1) as usize)];
    let mut value = Content::Initial;
    let mut last_start = 0;
    let mut certain = 0;
    for &index in order {
        let operation = &history.operations[index as usize];
        let word = &mut seen[(index / 64 - first) as usize];
        if *word >> (index % 64) & 1 == 1 {
            return Err(format!("operation {index} twice"));
        }
        *word |= 1 << (index % 64);
        if operation.completed < last_start {
            return Err(format!("operation {index} after one that began when it was over"));
        }
        last_start = last_start.max(operation.invoked);
        certain += usize::from(must_take_place(operation));
        let legal = match (operation.function, operation.outcome) {
            (_, Outcome::Fail) | (Function::Other(_), _) => false,
            (Function::Read, _) => holds(&value, operation.output),
            (Function::Cas, Outcome::Mismatch) => {
                !holds(&value, operation.input)
                    && (operation.output == ValueId::UNKNOWN || holds(&value, operation.output))
            }
            (Function::Cas, _) => {
                let matches = holds(&value, operation.input);
                value = content(operation.to);
                matches
            }
            (Function::Write, _) => {
                value = content(operation.input);
                true
            }
            (Function::Append, _) => {
                let before = match &value {
                    Content::Initial => initial,
                    Content::Is(id) => history.value(*id),
                    Content::Text(text) => text,
                };
                value = Content::Text(Value::Str((plain(before) + &plain(history.value(operation.input))).into()));
                true
            }
            (Function::Delete, _) => {
                value = Content::Initial;
                true
            }
        };
        if !legal {
            return Err(format!("operation {index} could not have seen what it saw"));
        }
    }
    let due = all.iter().filter(|&&index| must_take_place(&history.operations[index as usize])).count();
    if due == certain { Ok(()) } else { Err(format!("{certain} of {due} certain operations")) }
}

/// Whether an order without this operation would not do.
fn must_take_place(operation: &Operation) -> bool {
    match operation.outcome {
        Outcome::Ok => operation.function != Function::Read || operation.output != ValueId::UNKNOWN,
        Outcome::Mismatch => operation.function == Function::Cas,
        Outcome::Fail | Outcome::Info => false,
    }
}

/// Whether some order explains these operations (indexes) alone; nothing if there are too many of them to try within `tries`.
///
/// A cas whose expected value is set by others of its key, but by none of these, counts as a write.
pub(crate) fn can_be_ordered(history: &History, initial: &Value, indexes: &[usize], tries: usize) -> Option<bool> {
    if indexes.len() > 128 {
        return None;
    }
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
    let orphans = (0..)
        .zip(&operations)
        .filter(|(_, o)| o.function == Function::Cas && o.outcome != Outcome::Mismatch)
        .filter(|(_, o)| is_left_to_nobody(o))
        .fold(0, |mask, (place, _): (u32, _)| mask | 1_u128 << place);
    let mut trial = Trial { history, initial, operations, orphans, dead_ends: FxHashSet::default(), tries };
    trial.go(0, initial)
}

struct Trial<'a> {
    history: &'a History,
    initial: &'a Value,
    operations: Vec<&'a Operation>,
    orphans: u128,
    dead_ends: FxHashSet<(u128, Value)>,
    tries: usize,
}

impl Trial<'_> {
    /// Whether the rest can follow those in `done`.
    fn go(&mut self, done: u128, value: &Value) -> Option<bool> {
        let left = |place: &usize| done >> place & 1 == 0;
        let due = |place: &usize| must_take_place(self.operations[*place]);
        let rest: Vec<usize> = (0..self.operations.len()).filter(left).collect();
        let Some(end) = rest.iter().filter(|place| due(place)).map(|&place| self.operations[place].completed).min()
        else {
            return Some(true);
        };
        if !self.dead_ends.insert((done, value.clone())) {
            return Some(false);
        }
        self.tries = self.tries.checked_sub(1)?;
        for place in rest {
            if self.operations[place].invoked > end {
                continue;
            }
            if let Some(next) = self.after(place, value)
                && self.go(done | 1 << place, &next)?
            {
                return Some(true);
            }
        }
        Some(false)
    }

    /// The value after the operation in this place; nothing if it cannot happen at `value`.
    fn after(&self, place: usize, value: &Value) -> Option<Value> {
        let operation = self.operations[place];
        let known = |id| self.history.value(id);
        let same = value.clone();
        match (operation.function, operation.outcome) {
            (_, Outcome::Fail) | (Function::Other(_), _) => None,
            (Function::Read, Outcome::Info) => Some(same),
            (Function::Read, _) => (known(operation.output) == value).then_some(same),
            (Function::Cas, Outcome::Mismatch) => {
                let found = operation.output == ValueId::UNKNOWN || known(operation.output) == value;
                (found && known(operation.input) != value).then_some(same)
            }
            (Function::Cas, _) => {
                let matches = self.orphans >> place & 1 == 1 || known(operation.input) == value;
                matches.then(|| known(operation.to).clone())
            }
            (Function::Write, _) => Some(known(operation.input).clone()),
            (Function::Append, _) => Some(Value::Str((plain(value) + &plain(known(operation.input))).into())),
            (Function::Delete, _) => Some(self.initial.clone()),
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Nil => String::new(),
        Value::Str(text) => text.to_string(),
        other => other.to_string(),
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
        let replay = |order: &[u32]| replay(&history, &Value::Nil, &[0, 1, 2], order);
        assert_eq!(replay(&[0, 1, 2]), Ok(()));
        assert!(replay(&[0, 1]).unwrap_err().contains("2 of 3"), "one is missing");
        assert!(replay(&[0, 1, 2, 2]).unwrap_err().contains("twice"));
        assert!(replay(&[1, 0, 2]).unwrap_err().contains("could not have seen"));
        assert!(replay(&[2, 0, 1]).unwrap_err().contains("began when it was over"));
        assert!(replay(&[0, 2, 1]).unwrap_err().contains("could not have seen"));
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
}
