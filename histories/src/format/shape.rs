//! Whether the values of a history are pairs of key and value, as Jepsen's `independent` writes them: `[key value]` where others say `value`.
//!
//! Nothing in a file says so, thus it is told by what no history without keys would say, in this order:
//!
//! 1. It has no keys in its values if some invocation of a client has a value that is no pair, or one whose first part is nil; a value
//!    that is a list of micro-operations; a cas whose second part is no pair; a `key` beside the value; or if an operation is answered with
//!    something that is no pair with the key that was asked for.
//! 2. Else it has keys if some client invokes a read, or something else that needs no argument, with `[key nil]`; a cas with
//!    `[key [from to]]`, where the key is no pair, or `[key from to]`; a transaction with `[key [micro-operation …]]`; or if something is answered with
//!    `[key answer]`, where the answer is not the argument once more (`contains [0 5]`, then `[0 true]`).
//! 3. Of a cas of two pairs, `[[1 2] [3 4]]`, the first is the key if others have that key, and what is expected if others write it.
//! 4. Where only a read with an argument or such a cas is left, nobody can tell, and whoever reads must say. Else it has none: nothing but
//!    values that are put somewhere is answered alike either way.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{Event, EventType, Function, Process, Value, transactions::is_transaction};

/// So many values are kept to tell of which pairs a cas is.
const MAX_VALUES: usize = 10_000;

/// What the values of a history are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyed {
    /// Pairs of key and value.
    Yes,
    /// Values.
    No,
    /// This can be told either way.
    Either(&'static str),
}

/// What the values of a history's clients look like.
#[derive(Debug, Default)]
pub(super) struct Shape {
    evidence: bool,
    plain: bool,
    reads_with_arguments: bool,
    /// The first parts of cas of two pairs.
    expected: Vec<Value>,
    /// The first parts of all others.
    keys: FxHashSet<Value>,
    /// Pairs that are written as they stand, if they are no key and value.
    written: FxHashSet<Value>,
    /// What each client asked for last: key, argument.
    open: FxHashMap<Process, [Value; 2]>,
}

impl Shape {
    /// Looks at the next event.
    pub(super) fn see(&mut self, event: &Event<'_>) {
        if !event.process.is_client() {
            return;
        }
        self.plain |= event.key.is_some();
        if self.plain {
            return;
        }
        match event.kind {
            EventType::Invoke => self.invoke(event),
            EventType::Ok => self.complete(event),
            EventType::Fail | EventType::Info => drop(self.open.remove(&event.process)),
        }
    }

    fn invoke(&mut self, event: &Event<'_>) {
        if let Some([key, from, to]) = cas_of_three(event) {
            // A cas without a key has two parts.
            self.evidence = true;
            self.open.insert(event.process.clone(), [key.clone(), Value::List(vec![from.clone(), to.clone()])]);
            return;
        }
        let Some((whole, [key, argument])) = event.value.as_ref().and_then(|value| Some((value, pair_of(value)?)))
        else {
            self.plain = true;
            return;
        };
        let is_bare = *argument == Value::Nil;
        match Function::known(&event.f) {
            _ if *key == Value::Nil || is_transaction(whole) => self.plain = true,
            _ if is_transaction(argument) => self.evidence = true,
            Some(Function::Cas) if pair_of(argument).is_none() => self.plain = true,
            Some(Function::Cas) if pair_of(key).is_none() => self.evidence = true,
            Some(Function::Cas) => {
                self.expected.extend((self.expected.len() < MAX_VALUES).then(|| key.clone()));
                self.write(argument);
            }
            Some(Function::Read) if !is_bare => self.reads_with_arguments = true,
            _ if is_bare && !needs_argument(&event.f) => self.evidence = true,
            _ => self.write(whole),
        }
        // Once there is evidence, nothing but a contradiction is looked for.
        let argument = if self.evidence { Value::Nil } else { argument.clone() };
        if !self.evidence && Function::known(&event.f) != Some(Function::Cas) && self.keys.len() < MAX_VALUES {
            self.keys.insert(key.clone());
        }
        self.open.insert(event.process.clone(), [key.clone(), argument]);
    }

    fn write(&mut self, value: &Value) {
        if !self.evidence && self.written.len() < MAX_VALUES {
            self.written.insert(value.clone());
        }
    }

    fn complete(&mut self, event: &Event<'_>) {
        let Some([key, argument]) = self.open.remove(&event.process) else { return };
        let function = Function::known(&event.f);
        match &event.value {
            None | Some(Value::Nil) => self.plain |= function == Some(Function::Read),
            _ if cas_of_three(event).is_some_and(|[of, ..]| *of == key) => {}
            Some(value) => match pair_of(value) {
                Some([of, answer]) if *of == key => self.evidence |= function.is_none() && *answer != argument,
                _ => self.plain = true,
            },
        }
    }

    /// Whether no event to come can make this a keyed history.
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Whether some event says that values are keyed, and none the contrary.
    pub(super) fn is_evident(&self) -> bool {
        self.evidence && !self.plain
    }

    /// What the values are, by all that was seen.
    pub(super) fn keyed(&self) -> Keyed {
        let are_keys = self.expected.iter().any(|first| self.keys.contains(first));
        let are_written = self.expected.iter().any(|first| self.written.contains(first));
        match () {
            () if self.plain => Keyed::No,
            () if self.evidence || (are_keys && !are_written) => Keyed::Yes,
            () if !self.expected.is_empty() && are_keys == are_written => Keyed::Either("a cas of two pairs"),
            () if self.reads_with_arguments => Keyed::Either("a read of a pair"),
            () => Keyed::No,
        }
    }
}

/// Whether such an operation always has an argument, so that `[key nil]` may be one: the rest are taken for operations without any.
fn needs_argument(f: &str) -> bool {
    matches!(
        f,
        "write"
            | "put"
            | "append"
            | "add"
            | "insert"
            | "enqueue"
            | "offer"
            | "push"
            | "send"
            | "remove"
            | "discard"
            | "contains"
            | "member"
            | "has"
            | "txn"
    )
}

/// The parts of a cas that has its key beside what it expects and sets: `[key from to]`, as some write for `[key [from to]]`.
pub(super) fn cas_of_three<'a>(event: &'a Event<'_>) -> Option<&'a [Value; 3]> {
    match &event.value {
        Some(Value::List(parts)) if Function::known(&event.f) == Some(Function::Cas) => {
            parts.as_slice().try_into().ok()
        }
        _ => None,
    }
}

/// The two parts of a pair.
pub(super) fn pair_of(value: &Value) -> Option<&[Value; 2]> {
    match value {
        Value::List(items) => items.as_slice().try_into().ok(),
        _ => None,
    }
}
