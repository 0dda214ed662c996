//! Wording of keys, times and transactions in evidence.

use histories::{History, Value};

/// Formats a key: `k3`, `key 5`.
pub(super) fn key(key: &Value) -> String {
    match key {
        Value::Str(name) => name.to_string(),
        other => format!("key {other}"),
    }
}

/// Formats a time: `4.182 s`, or `event 17` if the history has no times.
fn moment(history: &History, time_ns: u64, rank: u32) -> String {
    if history.operations.len().checked_sub(1).is_some_and(|last| history.times(last).completed_ns > 0) {
        format!("{}.{:03} s", time_ns / 1_000_000_000, time_ns / 1_000_000 % 1000)
    } else {
        format!("event {rank}")
    }
}

/// Formats the time of invocation.
pub(super) fn began(history: &History, operation: usize) -> String {
    moment(history, history.times(operation).invoked_ns, history.operations[operation].invoked)
}

/// Formats the time of completion.
pub(super) fn ended(history: &History, operation: usize) -> String {
    moment(history, history.times(operation).completed_ns, history.operations[operation].completed)
}
