//! Wording of operations, values and times in evidence.

use histories::{
    Function, History, MicroOperation, Operation, Outcome, Process, ReadResult, TRANSACTION, Times, Value, ValueId,
};

use crate::prepare::{KeySteps, Step, Val};

/// Formatter for the operations of one key.
pub(crate) struct Words<'a> {
    pub history: &'a History,
    pub initial: &'a Value,
    pub prepared: &'a KeySteps,
}

impl Words<'_> {
    pub(crate) fn operation(&self, step: &Step) -> &Operation {
        &self.history.operations[step.operation as usize]
    }

    /// Returns the times at which the operation with this index began and ended.
    pub(crate) fn times(&self, operation: u32) -> Times {
        self.history.times(operation as usize)
    }

    /// Formats a value, in short if it is long.
    pub(crate) fn value(&self, value: Val) -> String {
        brief(self.prepared.values[value as usize].map_or(self.initial, |id| self.history.value(id)))
    }

    /// Formats the time of invocation.
    pub(crate) fn began(&self, step: &Step) -> String {
        began(self.history, step.operation as usize)
    }

    /// Formats the time of completion.
    pub(crate) fn ended(&self, step: &Step) -> String {
        ended(self.history, step.operation as usize)
    }

    /// Returns the name of the register, as in `read of k3`.
    pub(crate) fn key(&self, step: &Step) -> String {
        register_name(self.history, self.operation(step))
    }

    /// Returns the name of the function: `read`, `write`, …
    pub(crate) fn noun(&self, step: &Step) -> &str {
        self.history.function_name(self.operation(step).function)
    }

    /// Formats an operation in short: `the write of 57 by process 4`, `the read of 57 by process 5`.
    pub(crate) fn short(&self, step: &Step) -> String {
        short(self.history, step.operation as usize)
    }

    /// Formats an operation in full: `read of k3 by process 7 at 4.182 s on n1`.
    pub(crate) fn who(&self, step: &Step) -> String {
        who(self.history, step.operation as usize)
    }

    /// Returns the process that made the call, as the history names it.
    pub(crate) fn process(&self, step: &Step) -> Process {
        self.history.process(self.operation(step).process)
    }

    /// Formats the answer: `returned 41`.
    pub(crate) fn answer(&self, step: &Step) -> String {
        let operation = self.operation(step);
        match (operation.function, operation.outcome) {
            (Function::Read, _) => format!("returned {}", brief(self.history.value(operation.output))),
            (_, Outcome::Mismatch) if operation.output == ValueId::UNKNOWN => "did not match".to_owned(),
            (_, Outcome::Mismatch) => format!("found {}", brief(self.history.value(operation.output))),
            (_, Outcome::Info) => "took effect".to_owned(),
            (Function::Cas, _) => "succeeded".to_owned(),
            _ => "was acknowledged".to_owned(),
        }
    }

    /// Formats an operation as already completed: `the write of 57 by process 4 had been acknowledged at 4.120 s`,
    /// `process 5 had already read 57 at 4.120 s`.
    pub(crate) fn was_done(&self, step: &Step) -> String {
        let operation = self.operation(step);
        let (process, at) = (self.process(step), self.ended(step));
        match (operation.function, operation.outcome) {
            (Function::Read, _) => {
                format!("process {process} had already read {} at {at}", brief(self.history.value(operation.output)))
            }
            (_, Outcome::Mismatch) => {
                let found = brief(self.history.value(operation.output));
                format!("a cas of process {process} had already found {found} at {at}")
            }
            _ => format!("{} had been acknowledged at {at}", self.short(step)),
        }
    }
}

/// Formats a time: `4.182 s`, or `event 17` if the history has no times.
fn moment(history: &History, time_ns: u64, rank: u32) -> String {
    if history.has_times() { seconds(time_ns) } else { format!("event {rank}") }
}

/// Formats a time difference: `62 ms before`, `3.495 s after`, or only `before`, `after` if the history has no times.
pub(crate) fn apart(history: &History, ns: u64, relation: &str) -> String {
    match ns {
        _ if !history.has_times() => relation.to_owned(),
        0..1_000 => format!("{ns} ns {relation}"),
        1_000..1_000_000 => format!("{} µs {relation}", ns / 1_000),
        1_000_000..1_000_000_000 => format!("{} ms {relation}", ns / 1_000_000),
        _ => format!("{} {relation}", seconds(ns)),
    }
}

/// Formats a time in seconds: `4.182 s`.
fn seconds(ns: u64) -> String {
    format!("{}.{:03} s", ns / 1_000_000_000, ns / 1_000_000 % 1000)
}

/// Formats the time at which the operation with this index was invoked.
pub(crate) fn began(history: &History, index: usize) -> String {
    moment(history, history.times(index).invoked_ns, history.operations[index].invoked)
}

/// Formats the time at which the operation with this index was completed.
pub(crate) fn ended(history: &History, index: usize) -> String {
    moment(history, history.times(index).completed_ns, history.operations[index].completed)
}

/// Formats the operation with this index, described by `what`, with its key: `read of k3 by process 3 at 1.200 s on
/// n1`, `push 3 on k3 by process 4 at 1.300 s`.
pub(crate) fn made(history: &History, what: &str, index: usize) -> String {
    let key = match history.value(history.operations[index].key) {
        Value::Nil => String::new(),
        key if what == "read" => format!(" of {}", key_name(key)),
        key => format!(" on {}", key_name(key)),
    };
    format!("{what}{key} {}", by(history, index))
}

/// Returns the name of the register that an operation is on.
fn register_name(history: &History, operation: &Operation) -> String {
    match history.value(operation.key) {
        Value::Nil => "the register".to_owned(),
        name => key_name(name),
    }
}

/// Formats an operation on a register in full: `read of k3 by process 7 at 4.182 s on n1`.
pub(crate) fn who(history: &History, index: usize) -> String {
    let operation = &history.operations[index];
    let (key, value) = (register_name(history, operation), |id| brief(history.value(id)));
    let noun = history.function_name(operation.function);
    let what = match operation.function {
        Function::Cas => format!("cas of {key} from {} to {}", value(operation.input), value(operation.to)),
        Function::Write | Function::Append => format!("{noun} of {} to {key}", value(operation.input)),
        Function::Read | Function::Delete | Function::Other(_) => format!("{noun} of {key}"),
    };
    format!("{what} {}", by(history, index))
}

/// Returns the noun for an operation: `push`, `transaction`.
pub(crate) fn noun(history: &History, index: usize) -> &str {
    let name = history.function_name(history.operations[index].function);
    if name == TRANSACTION { "transaction" } else { name }
}

/// Returns the micro-operations of a transaction; `None` if the operation is none.
fn micro_operations(history: &History, index: usize) -> Option<impl Iterator<Item = MicroOperation<'_>>> {
    Some(history.transactions.micro_operations(history.transactions.at(index)?))
}

fn is_read(micro: &MicroOperation<'_>) -> bool {
    matches!(micro, MicroOperation::Read { .. })
}

/// Formats a micro-operation with what it found: `57 to x`, `41 in y`.
fn in_words(history: &History, micro: MicroOperation<'_>) -> String {
    let (value, name) = (|id| brief(history.value(id)), |id| key_name(history.value(id)));
    match micro {
        MicroOperation::Append { key, value: added } => format!("append {} to {}", value(added), name(key)),
        MicroOperation::Write { key, value: written } => format!("{} to {}", value(written), name(key)),
        MicroOperation::Read { key, found: ReadResult::Value(found) } => format!("{} in {}", value(found), name(key)),
        MicroOperation::Read { key, found: ReadResult::List(list) } => {
            format!("{} in {}", brief(&of_ids(history, list)), name(key))
        }
        MicroOperation::Read { key, found: ReadResult::Unknown } => format!("an unknown value in {}", name(key)),
    }
}

/// Formats what a micro-operation did to its key: `wrote 57`, `read 41`.
pub(crate) fn did(history: &History, micro: MicroOperation<'_>) -> String {
    let value = |id| brief(history.value(id));
    match micro {
        MicroOperation::Append { value: added, .. } => format!("appended {}", value(added)),
        MicroOperation::Write { value: written, .. } => format!("wrote {}", value(written)),
        MicroOperation::Read { found: ReadResult::Value(found), .. } => format!("read {}", value(found)),
        MicroOperation::Read { found: ReadResult::List(list), .. } => format!("read {}", brief(&of_ids(history, list))),
        MicroOperation::Read { found: ReadResult::Unknown, .. } => "read something unknown".to_owned(),
    }
}

fn of_ids(history: &History, list: &[ValueId]) -> Value {
    Value::List(list.iter().map(|id| history.value(*id).clone()).collect())
}

/// Formats what a transaction read: `41 in x, nil in y`; `None` if it read nothing, or is none.
pub(crate) fn reads(history: &History, index: usize) -> Option<String> {
    let reads = micro_operations(history, index)?.filter(is_read).map(|micro| in_words(history, micro));
    Some(reads.collect::<Vec<_>>().join(", ")).filter(|reads| !reads.is_empty())
}

/// Formats a call: `push 3`, `cas from 1 to 2`, `read`, `transaction [57 to x]`.
pub(crate) fn call(history: &History, index: usize) -> String {
    let operation = &history.operations[index];
    let (name, value) = (noun(history, index), |id| history.value(id));
    if let Some(micros) = micro_operations(history, index) {
        let writes: Vec<String> =
            micros.filter(|micro| !is_read(micro)).map(|micro| in_words(history, micro)).collect();
        return if writes.is_empty() { name.to_owned() } else { format!("{name} [{}]", writes.join(", ")) };
    }
    match (value(operation.input), value(operation.to)) {
        (Value::Nil, Value::Nil) => name.to_owned(),
        _ if operation.function == Function::Read => name.to_owned(),
        (input, Value::Nil) => format!("{name} {}", brief(input)),
        (from, to) => format!("{name} from {} to {}", brief(from), brief(to)),
    }
}

/// Formats who made the call of the operation with this index, and when: `by process 3 at 1.200 s on n1`.
pub(crate) fn by(history: &History, index: usize) -> String {
    let node = match history.node(index) {
        0 => String::new(),
        node => format!(" on n{node}"),
    };
    let process = history.process(history.operations[index].process);
    format!("by process {process} at {}{node}", began(history, index))
}

/// Maximum length of a value that is written out, in characters, and the lengths of the beginning and the end that are
/// shown of a longer one.
const MAX_LENGTH: usize = 120;
const BEGINNING: usize = 40;
const END: usize = 20;

/// Formats a value; of a long one only the beginning and the end, with its length.
#[must_use]
pub fn brief(value: &Value) -> String {
    let text = value.to_string();
    let length = text.chars().count();
    if length <= MAX_LENGTH {
        return text;
    }
    let size = match value {
        Value::List(elements) => format!("{} elements", elements.len()),
        Value::Map(pairs) => format!("{} entries", pairs.len()),
        Value::Str(text) => format!("{} characters", text.chars().count()),
        _ => format!("{length} characters"),
    };
    let begin: String = text.chars().take(BEGINNING).collect();
    let end: String = text.chars().skip(length - END).collect();
    format!("{begin}…{end} ({size})")
}

/// Formats a key: `k3`, `key 5`.
pub(crate) fn key_name(key: &Value) -> String {
    match key {
        Value::Str(name) => name.to_string(),
        other => format!("key {other}"),
    }
}

/// Formats the operation with this index in short, without its key: `the write of 57 by process 4`.
#[must_use]
pub fn short(history: &History, index: usize) -> String {
    let operation = &history.operations[index];
    let (noun, value) = (noun(history, index), |id| brief(history.value(id)));
    let process = history.process(operation.process);
    match operation.function {
        Function::Read => format!("the read of {} by process {process}", value(operation.output)),
        Function::Cas if operation.outcome == Outcome::Mismatch => {
            format!("the cas from {} by process {process} that did not match", value(operation.input))
        }
        Function::Cas => {
            format!("the cas from {} to {} by process {process}", value(operation.input), value(operation.to))
        }
        Function::Delete => format!("the delete by process {process}"),
        Function::Other(_) if operation.input == ValueId::NIL || noun == "transaction" => {
            format!("the {noun} by process {process}")
        }
        Function::Write | Function::Append | Function::Other(_) => {
            format!("the {noun} of {} by process {process}", value(operation.input))
        }
    }
}
