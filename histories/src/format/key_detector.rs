//! Detection of keyed values: pairs of key and value, as Jepsen's `independent` writes them, `[key value]` instead of
//! `value`.
//!
//! Files do not declare this, so it is inferred from the values of all events, by the first of these rules that
//! applies:
//!
//! 1. Values are not keyed if some invocation of a client has a value that is no pair, or one whose first part is nil,
//!    or a list of micro-operations; if a cas has a second part that is no pair; if an event has a `key` beside its
//!    value; or if the result of an operation is not a pair with the key of the invocation, unless reads that were
//!    invoked with `[key nil]` are answered with what is no pair: then these answers leave out the key.
//! 2. Values are keyed if some client invokes a read, or another function that needs no argument, with `[key nil]`; a
//!    cas with `[key [from to]]`, where the key is no pair; a transaction with `[key [micro-operation …]]`; an insert
//!    with `[key [id nil]]` or `[key [nil id]]`; or if the result of an operation of another function is
//!    `[key answer]`, where the answer differs from the argument (`contains [0 5]`, then `[0 true]`).
//! 3. In a cas of two pairs, `[[1 2] [3 4]]`, the first is the key if other operations have that key, and the expected
//!    value if others write it.
//! 4. If that leaves only such a cas, or a read with an argument, the values are ambiguous, and the caller must decide.
//!    Otherwise they are not keyed: histories that only put values somewhere get the same verdict either way.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    Event, EventType, Function, Process, Value,
    transactions::{is_of_logs, is_transaction},
};

/// Maximum number of values kept to decide what the pairs of a cas are.
const MAX_VALUES: usize = 10_000;

/// Interpretation of the values of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueShape {
    /// The values are pairs of key and value.
    Pairs,
    /// The values are plain.
    Plain,
    /// The values are ambiguous, because of this.
    Ambiguous(&'static str),
}

/// Features of the values of a history's clients, as far as they decide whether these are keyed.
#[derive(Debug, Default)]
pub(super) struct KeyDetector {
    evidence: bool,
    plain: bool,
    reads_with_arguments: bool,
    /// Answers of reads that were invoked with `[key nil]`.
    bare_reads: BareReads,
    /// First parts of cas of two pairs.
    expected: Vec<Value>,
    /// First parts of all other values.
    keys: FxHashSet<Value>,
    /// Pairs that are written as values, if values are not keyed.
    written: FxHashSet<Value>,
    /// Each client's open operation.
    open: FxHashMap<Process, Open>,
}

/// Answers of reads that ask for nothing but a key.
#[derive(Clone, Copy, Debug, Default)]
struct BareReads {
    /// True if one is no pair.
    has_plain: bool,
    /// True if one is a pair whose first part is another than the key.
    has_other_pair: bool,
}

/// Open operation of a client.
#[derive(Debug)]
struct Open {
    key: Value,
    argument: Value,
    /// True if it is a read with nothing but a key, whose answer may leave out the key.
    is_bare_read: bool,
}

impl KeyDetector {
    /// Takes the next event into account.
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
            // Jepsen writes no such thing: it counts as keyed only if something else shows that values are.
            let argument = Value::List(vec![from.clone(), to.clone()]);
            self.open.insert(event.process.clone(), Open { key: key.clone(), argument, is_bare_read: false });
            return;
        }
        let Some((whole, [key, argument])) = event.value.as_ref().and_then(|value| Some((value, pair_of(value)?)))
        else {
            self.plain = true;
            return;
        };
        let is_bare = *argument == Value::Nil;
        match Function::known(&event.f) {
            _ if *key == Value::Nil || is_transaction(whole) || is_of_logs(whole) => self.plain = true,
            _ if is_transaction(argument) => self.evidence = true,
            _ if event.f == "insert" && is_row_of_two_tables(argument) => self.evidence = true,
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
        let is_bare_read = is_bare && Function::known(&event.f) == Some(Function::Read);
        self.open.insert(event.process.clone(), Open { key: key.clone(), argument, is_bare_read });
    }

    fn write(&mut self, value: &Value) {
        if !self.evidence && self.written.len() < MAX_VALUES {
            self.written.insert(value.clone());
        }
    }

    fn complete(&mut self, event: &Event<'_>) {
        let Some(Open { key, argument, is_bare_read }) = self.open.remove(&event.process) else { return };
        let function = Function::known(&event.f);
        match &event.value {
            None | Some(Value::Nil) => self.plain |= function == Some(Function::Read),
            Some(value) if is_bare_read => match pair_of(value) {
                Some([of, _]) => self.bare_reads.has_other_pair |= *of != key,
                None => self.bare_reads.has_plain = true,
            },
            _ if cas_of_three(event).is_some_and(|[of, ..]| *of == key) => {}
            Some(value) => match pair_of(value) {
                Some([of, answer]) if *of == key => self.evidence |= function.is_none() && *answer != argument,
                _ => self.plain = true,
            },
        }
    }

    /// Returns true if no later event can make this a keyed history.
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Returns true if some event shows that values are keyed, and none contradicts it.
    pub(super) fn is_evident(&self) -> bool {
        self.evidence && !self.is_plain() && !self.has_unknown_pairs()
    }

    /// Returns true if reads that ask for `[key nil]` are answered without the key.
    pub(super) fn has_bare_answers(&self) -> bool {
        self.bare_reads.has_plain
    }

    /// Returns true if answers are pairs of other keys, unless answers are values without a key.
    pub(super) fn has_unknown_pairs(&self) -> bool {
        self.bare_reads.has_other_pair && !self.bare_reads.has_plain
    }

    /// Returns the interpretation of the values, by all events seen.
    pub(super) fn keyed(&self) -> ValueShape {
        let are_keys = self.expected.iter().any(|first| self.keys.contains(first));
        let are_written = self.expected.iter().any(|first| self.written.contains(first));
        match () {
            () if self.plain || self.has_unknown_pairs() => ValueShape::Plain,
            () if self.evidence || (are_keys && !are_written) => ValueShape::Pairs,
            () if !self.expected.is_empty() && are_keys == are_written => ValueShape::Ambiguous("a cas of two pairs"),
            () if self.reads_with_arguments => ValueShape::Ambiguous("a read of a pair"),
            () => ValueShape::Plain,
        }
    }
}

/// Returns true if a value is a pair of ids of which one is given, as in the inserts of Jepsen's test of Adya's G2.
fn is_row_of_two_tables(value: &Value) -> bool {
    pair_of(value).is_some_and(|[one, other]| (*one == Value::Nil) != (*other == Value::Nil))
}

/// Returns true if the function always has an argument, so that nil in `[key nil]` may be one; all other functions are
/// taken not to need one.
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

/// Returns the parts of a cas that has its key beside the expected and the new value, `[key from to]` for
/// `[key [from to]]`. Without a key, a cas has two parts.
pub(super) fn cas_of_three<'a>(event: &'a Event<'_>) -> Option<&'a [Value; 3]> {
    match &event.value {
        Some(Value::List(parts)) if Function::known(&event.f) == Some(Function::Cas) => {
            parts.as_slice().try_into().ok()
        }
        _ => None,
    }
}

/// Returns the two parts of a pair.
pub(super) fn pair_of(value: &Value) -> Option<&[Value; 2]> {
    match value {
        Value::List(items) => items.as_slice().try_into().ok(),
        _ => None,
    }
}
