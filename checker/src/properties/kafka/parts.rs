//! Parts of operations on logs, in either form.

use histories::Value;

use crate::specification::Call;

pub(super) const SEND: &str = "send";
pub(super) const POLL: &str = "poll";

/// Log of operations that do not name it.
static LOG_OF_KEY: Value = Value::Nil;

/// Part of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Send of a value, with its offset as far as it is known.
    Send { log: &'a Value, value: &'a Value, offset: Option<i64> },
    /// Poll from an offset, or from where the process is, with the offsets and values that it showed.
    Poll { log: &'a Value, from: Option<i64>, pairs: Vec<(i64, &'a Value)> },
}

impl<'a> Part<'a> {
    /// Returns each log and offset that it shows, with its value.
    pub(super) fn seen(&self) -> Vec<(&'a Value, i64, &'a Value)> {
        match self {
            Self::Send { log, value, offset } => offset.iter().map(|offset| (*log, *offset, *value)).collect(),
            Self::Poll { log, pairs, .. } => pairs.iter().map(|(offset, value)| (*log, *offset, *value)).collect(),
        }
    }

    /// Returns the offsets that it showed, if it is a poll of this log from where the process is.
    pub(super) fn polled(&self, of: &Value) -> Vec<i64> {
        match self {
            Self::Poll { log, from: None, pairs } if *log == of => pairs.iter().map(|(offset, _)| *offset).collect(),
            _ => Vec::new(),
        }
    }
}

/// Returns the parts of a call, or `None` if it has none of the forms.
pub(super) fn parts<'a>(call: &Call<'a>) -> Option<Vec<Part<'a>>> {
    let log = &LOG_OF_KEY;
    match (call.function, micro_operations(call.input)) {
        (SEND | POLL, Some(asked)) => {
            let done = call.output.map_or(Some(asked), micro_operations)?;
            let parts = done.iter().map(|it| of_micro_operation(it, call.output.is_some()));
            Some(parts.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
        }
        (SEND, None) => {
            let offset = call.output.filter(|offset| **offset != Value::Nil);
            let offset = if let Some(offset) = offset { Some(whole(offset)?) } else { None };
            Some(vec![Part::Send { log, value: call.input, offset }])
        }
        (POLL, None) => {
            let pairs = call.output.map_or(Some(Vec::new()), pairs)?;
            Some(vec![Part::Poll { log, from: Some(whole(call.input)?), pairs }])
        }
        _ => None,
    }
}

/// Returns the micro-operations of an argument or answer, if it has any and nothing else.
fn micro_operations(value: &Value) -> Option<&[Value]> {
    let Value::List(all) = value else { return None };
    let is_one = |micro: &Value| matches!(list(micro).first().and_then(Value::name), Some(SEND | POLL));
    (!all.is_empty() && all.iter().all(is_one)).then_some(all)
}

fn of_micro_operation(micro: &Value, is_answered: bool) -> Option<Vec<Part<'_>>> {
    match (list(micro), is_answered) {
        ([_, log, value], false) => Some(vec![Part::Send { log, value, offset: None }]),
        ([name, log, Value::List(pair)], true) if name.name() == Some(SEND) => match &pair[..] {
            [Value::Nil, value] => Some(vec![Part::Send { log, value, offset: None }]),
            [offset, value] => Some(vec![Part::Send { log, value, offset: Some(whole(offset)?) }]),
            _ => None,
        },
        ([name], _) if name.name() == Some(POLL) => Some(Vec::new()),
        ([name, Value::Map(logs)], true) if name.name() == Some(POLL) => {
            logs.iter().map(|(log, shown)| Some(Part::Poll { log, from: None, pairs: pairs(shown)? })).collect()
        }
        _ => None,
    }
}

/// Returns the offsets in an answer, with their values.
fn pairs(value: &Value) -> Option<Vec<(i64, &Value)>> {
    let Value::List(pairs) = value else { return None };
    let pair = |pair| match list(pair) {
        [offset, value] => Some((whole(offset)?, value)),
        _ => None,
    };
    pairs.iter().map(pair).collect()
}

fn list(value: &Value) -> &[Value] {
    if let Value::List(all) = value { all } else { &[] }
}

/// Returns an offset, which is not negative.
fn whole(value: &Value) -> Option<i64> {
    if let Value::Int(number) = value { Some(*number).filter(|number| *number >= 0) } else { None }
}
