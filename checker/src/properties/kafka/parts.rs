//! Parts of operations on logs, in either form.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use histories::{History, Operation, Outcome, REBALANCE, TRANSACTION, Value, ValueId};

pub(super) const SEND: &str = "send";
pub(super) const POLL: &str = "poll";

/// Log of operations that do not name it.
static LOG_OF_KEY: Value = Value::Nil;

/// Name of a log. Names are equal if they read the same, because the keys of a JSON object are text: 5, `"5"`; `:x`,
/// `"x"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogName<'a>(pub(super) &'a Value);

#[derive(PartialEq, Eq, Hash)]
enum Name<'a> {
    Number(i64),
    Text(&'a str),
    Other(&'a Value),
}

impl<'a> LogName<'a> {
    fn name(self) -> Name<'a> {
        let number = |text: &str| text.parse().ok().filter(|number: &i64| number.to_string() == text);
        match (self.0, self.0.name()) {
            (Value::Int(number), _) => Name::Number(*number),
            (_, Some(text)) => number(text).map_or(Name::Text(text), Name::Number),
            (other, None) => Name::Other(other),
        }
    }
}

impl PartialEq for LogName<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for LogName<'_> {}

impl Hash for LogName<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Display for LogName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Part of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Send of a value, with its offset as far as it is known.
    Send { log: LogName<'a>, value: &'a Value, offset: Option<i64> },
    /// Poll from an offset, or from where the process is, with the offsets and values that it showed.
    Poll { log: LogName<'a>, from: Option<i64>, pairs: Vec<(i64, &'a Value)> },
    /// Poll of which nobody knows what it showed.
    Unknown,
    /// Log that was taken from the process or given to it meanwhile.
    Rebalanced { log: LogName<'a> },
}

impl<'a> Part<'a> {
    /// Returns the log and the pairs of a poll.
    pub(super) fn shown(&self) -> Option<(LogName<'a>, &[(i64, &'a Value)])> {
        if let Self::Poll { log, pairs, .. } = self { Some((*log, pairs)) } else { None }
    }

    /// Returns log, value and offset of a send.
    pub(super) fn sent(&self) -> Option<(LogName<'a>, &'a Value, Option<i64>)> {
        if let Self::Send { log, value, offset } = self { Some((*log, value, *offset)) } else { None }
    }
}

/// Returns true if operations of this function have parts.
pub(super) fn has_parts(function: &str) -> bool {
    matches!(function, SEND | POLL | TRANSACTION)
}

/// Returns the parts of an operation; none if it has none of the forms. What did not succeed counts with as much as is
/// known of it.
pub(super) fn parts_of<'a>(history: &'a History, operation: &Operation) -> Vec<Part<'a>> {
    let function = history.function_name(operation.function);
    let input = history.value(operation.input);
    let output = Some(operation.output).filter(|id| *id != ValueId::UNKNOWN).map(|id| history.value(id));
    let is_ok = operation.outcome == Outcome::Ok;
    let known = output.and_then(|output| parts(function, input, Some(output), is_ok));
    known.or_else(|| parts(function, input, None, is_ok).filter(|_| !is_ok)).unwrap_or_default()
}

/// Returns the parts of an operation by its argument and its answer, or `None` if it has none of the forms.
pub(super) fn parts<'a>(
    function: &str,
    input: &'a Value,
    output: Option<&'a Value>,
    is_ok: bool,
) -> Option<Vec<Part<'a>>> {
    let log = LogName(&LOG_OF_KEY);
    match (function, micro_operations(input)) {
        (SEND | POLL | TRANSACTION, Some(asked)) => {
            let done = output.map_or(Some(asked), micro_operations)?;
            let mut all = Vec::new();
            for (place, micro) in done.iter().enumerate() {
                of_micro_operation(micro, asked.get(place), is_ok, &mut all)?;
            }
            Some(all)
        }
        (SEND, None) => {
            let offset = output.filter(|offset| **offset != Value::Nil);
            let offset = if let Some(offset) = offset { Some(whole(offset)?) } else { None };
            Some(vec![Part::Send { log, value: input, offset }])
        }
        (POLL, None) => {
            let pairs = output.map_or(Some(Vec::new()), pairs)?;
            Some(vec![Part::Poll { log, from: Some(whole(input)?), pairs }])
        }
        _ => None,
    }
}

/// Returns the micro-operations of an argument or answer, if it has any and nothing else.
fn micro_operations(value: &Value) -> Option<&[Value]> {
    let Value::List(all) = value else { return None };
    let is_one = |micro: &Value| matches!(list(micro).first().and_then(Value::name), Some(SEND | POLL | REBALANCE));
    (!all.is_empty() && all.iter().all(is_one)).then_some(all)
}

/// Adds the parts of a micro-operation, which was asked for as `asked`.
fn of_micro_operation<'a>(micro: &'a Value, asked: Option<&Value>, is_ok: bool, all: &mut Vec<Part<'a>>) -> Option<()> {
    let [name, rest @ ..] = list(micro) else { return None };
    match (name.name()?, rest) {
        (SEND, [log, value]) => {
            let is_as_asked = asked.is_some_and(|asked| list(asked).get(2) == Some(value));
            let (offset, value) = if is_as_asked { (&Value::Nil, value) } else { pair(value)? };
            let offset = if *offset == Value::Nil { None } else { Some(whole(offset)?) };
            all.push(Part::Send { log: LogName(log), value, offset });
        }
        (POLL, []) if is_ok => {}
        (POLL, []) => all.push(Part::Unknown),
        (POLL, [Value::Map(logs)]) => {
            for (log, shown) in logs {
                all.push(Part::Poll { log: LogName(log), from: None, pairs: pairs(shown)? });
            }
        }
        (REBALANCE, [logs]) => all.extend(list(logs).iter().map(|log| Part::Rebalanced { log: LogName(log) })),
        _ => return None,
    }
    Some(())
}

/// Returns the offsets in an answer, with their values.
fn pairs(value: &Value) -> Option<Vec<(i64, &Value)>> {
    let Value::List(pairs) = value else { return None };
    pairs.iter().map(|both| pair(both).and_then(|(offset, value)| Some((whole(offset)?, value)))).collect()
}

fn pair(value: &Value) -> Option<(&Value, &Value)> {
    if let [offset, value] = list(value) { Some((offset, value)) } else { None }
}

/// Returns the elements of a list; none of anything else.
pub(super) fn list(value: &Value) -> &[Value] {
    if let Value::List(all) = value { all } else { &[] }
}

/// Returns an offset, which is not negative.
fn whole(value: &Value) -> Option<i64> {
    if let Value::Int(number) = value { Some(*number).filter(|number| *number >= 0) } else { None }
}
