//! Reading of answers, as far as it is the same for clients of all protocols.

use histories::Value;
use serde::{Deserialize, Deserializer};

use crate::{Action, Answer, MicroAction, MicroOperation};

/// Number of characters quoted of an answer that is not understood.
const QUOTE_CHARS: usize = 80;

/// Quotes the beginning of an answer that is not understood.
pub(crate) fn quoted(text: &[u8]) -> String {
    // A character takes at most four bytes.
    let beginning = &text[..text.len().min(4 * QUOTE_CHARS)];
    format!("{:?}", String::from_utf8_lossy(beginning).chars().take(QUOTE_CHARS).collect::<String>())
}

/// Deserializes a field that is present, so that `null` differs from a missing field: a response without a value is not
/// an answer.
pub(crate) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Returns the answer to an action that returns this value. A set, log or table that is absent is empty, and a
/// counter is at 0.
pub(crate) fn with_value(action: &Action, value: Value) -> Result<Answer, &'static str> {
    match (action, value) {
        (Action::Elements | Action::Poll(_) | Action::Rows, Value::Nil) => Ok(Answer::Value(Value::List(Vec::new()))),
        (Action::Count, Value::Nil) => Ok(Answer::Value(0.into())),
        (Action::Elements, value) if !matches!(value, Value::List(_)) => Err("the elements of a set are no list"),
        (Action::Balances, value) if !matches!(value, Value::List(_)) => Err("the balances of a bank are no list"),
        (Action::Poll(_), value) if !are_pairs(&value) => Err("what a log has is no list of pairs of offset and value"),
        (Action::Rows, value) if !matches!(&value, Value::List(rows) if rows.iter().all(is_row)) => {
            Err("what a table has is no list of rows, maps with whole numbers `val` and `sts`")
        }
        (Action::Insert, value) if !is_row(&value) => Err("the row is no map with whole numbers `val` and `sts`"),
        (Action::Send(_), value) if !matches!(value, Value::Int(_)) => Err("the offset is no integer"),
        (Action::Count, value) if !matches!(value, Value::Int(_)) => Err("what a counter has reached is no integer"),
        (Action::AcquireWithToken, value) if !matches!(value, Value::Int(_)) => Err("the fencing token is no integer"),
        (_, value) => Ok(Answer::Value(value)),
    }
}

fn are_pairs(value: &Value) -> bool {
    let is_pair = |pair: &Value| matches!(pair, Value::List(pair) if matches!(pair[..], [Value::Int(_), _]));
    matches!(value, Value::List(pairs) if pairs.iter().all(is_pair))
}

/// Returns true if this is a row of a table.
fn is_row(value: &Value) -> bool {
    let Value::Map(row) = value else { return false };
    ["val", "sts"].iter().all(|name| matches!(row.named(name), Some(Value::Int(_))))
}

/// Returns the micro-operations that were asked for with the values that were read. An absent list is an empty one.
pub(crate) fn transaction(
    asked: &[MicroOperation],
    done: Vec<(String, String, Value)>,
) -> Result<Answer, &'static str> {
    if asked.len() != done.len() {
        return Err("its micro-operations are not those that were asked for");
    }
    let mut all = Vec::with_capacity(done.len());
    for (asked, (name, key, value)) in asked.iter().zip(done) {
        let found = match value {
            value if asked.action == MicroAction::ReadRegister => value,
            value @ Value::List(_) if asked.is_read() => value,
            Value::Nil if asked.is_read() => Value::List(Vec::new()),
            value if asked.argument().map(Value::from) == Some(value.clone()) => Value::Nil,
            _ => return Err("its micro-operations have other values than were asked for, or no lists"),
        };
        if name != asked.name() || key != asked.key_name() {
            return Err("its micro-operations are not those that were asked for");
        }
        all.push(asked.in_history(found));
    }
    Ok(Answer::Value(Value::List(all)))
}
