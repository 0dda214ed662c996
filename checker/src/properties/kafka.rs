//! Logs as Kafka has them: `send` adds a value at the end of a log and is answered by its offset, `poll` reads from an
//! offset and is answered by offsets with their values. Offset and value name each other, nothing is shown that nobody
//! sent, what one process sends or polls only goes forward, and what is read past was read.
//!
//! Beside `send` of a value and `poll` of an offset, both on the log that is the key, operations may consist of
//! Jepsen's micro-operations on several logs: `[send log value]`, answered by `[send log [offset value]]`, and
//! `[poll]`, answered by `[poll {log [[offset value] …]}]`; those of a `txn` are a transaction. A process then reads on
//! where it was: an operation that fails leaves it there, `assign` leaves it where it was on the logs that stay, or
//! begins at their beginning. After `subscribe`, until `assign`, the system may let others read on instead. These rules
//! are those of Jepsen's `jepsen.tests.kafka`, with what it holds for errors at read committed.
//!
//! - `parts`: operations in parts,
//! - `logs`: what is known of each log, and contradictions in that,
//! - `order`: what each process sends and polls, one after another,
//! - `cycles`: transactions that depend on each other,
//! - `definition`: the property by its plain definition.

use histories::{Operation, TRANSACTION};

use super::{Besides, FewCalls, Key, Property, Violation};
use crate::{UnknownWhy, specification::Call};

mod cycles;
mod definition;
mod logs;
mod order;
mod parts;

use logs::Logs;
use parts::{POLL, Part, SEND, has_parts, parts, parts_of};

const ASSIGN: &str = "assign";
/// Assignment after which polls begin at offset 0.
const ASSIGN_FROM_BEGINNING: &str = "assign-from-beginning";
const SUBSCRIBE: &str = "subscribe";
const CRASH: &str = "crash";

/// Property of the offsets of logs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kafka;

impl Property for Kafka {
    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        let Call { function, input, output, .. } = *call;
        match function {
            SEND | POLL | TRANSACTION if parts(function, input, output, output.is_some()).is_some() => Ok(()),
            SEND | POLL | TRANSACTION if parts(function, input, None, false).is_some() => {
                Err(call.unsupported_output())
            }
            SEND | POLL | TRANSACTION => Err(call.unsupported_input()),
            ASSIGN | ASSIGN_FROM_BEGINNING | SUBSCRIBE | CRASH | "debug-topic-partitions" => Ok(()),
            _ => Err(call.unknown_function()),
        }
    }

    fn violation(&self, key: &Key<'_>) -> Result<Option<Violation>, UnknownWhy> {
        let all = transactions(key)?;
        let found = match Logs::of(key, &all)? {
            Err(wrong) => Some(wrong),
            Ok(logs) => {
                let mut found = order::disorder(&logs, key, &all)?;
                if found.is_none() {
                    found = logs.lost(key, &all)?;
                }
                if found.is_none() { cycles::cycle(&logs, key, &all)? } else { found }
            }
        };
        // The definition looks for them by itself.
        let besides = || Some(Besides { words: "given all sends and polls", operations: Vec::new() });
        Ok(found.map(|(operations, claim)| Violation { operations, besides: besides(), claim }))
    }

    fn is_violated_by(&self, few: &FewCalls<'_>) -> bool {
        definition::is_violated_by(few)
    }
}

/// Operation on logs.
struct Transaction<'a> {
    /// Index of the operation.
    index: u32,
    operation: Operation,
    function: &'a str,
    parts: Vec<Part<'a>>,
}

/// Returns all operations with their parts.
fn transactions<'a>(key: &Key<'a>) -> Result<Vec<Transaction<'a>>, UnknownWhy> {
    let mut all = Vec::new();
    for (index, operation) in key.all() {
        key.step()?;
        let function = key.history.function_name(operation.function);
        let parts = if has_parts(function) { parts_of(key.history, operation) } else { Vec::new() };
        let pairs: usize = parts.iter().filter_map(Part::shown).map(|(_, pairs)| pairs.len()).sum();
        key.may_take(size_of::<Transaction<'_>>() + parts.len() * size_of::<Part<'_>>() + pairs * PAIR_BYTES)?;
        all.push(Transaction { index, operation: *operation, function, parts });
    }
    Ok(all)
}

/// Memory of an offset with its value, in bytes.
const PAIR_BYTES: usize = 16;

/// Operations (indexes) that violate the property, given all sends and polls, with the claim.
type Found = (Vec<u32>, String);

/// Offset before that of the first value.
const BEFORE_ALL: i64 = -1;

#[cfg(test)]
mod tests;
