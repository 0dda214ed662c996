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
//! - `parts` and `transaction`: operations in parts,
//! - `logs`: what is known of each log, and contradictions in that,
//! - `order`: what each process sends and polls, one after another,
//! - `cycles`: transactions that depend on each other,
//! - `definition`: the property by its plain definition.

use histories::TRANSACTION;

use super::{Besides, FewCalls, Key, Property, Violation, key::Collected};
use crate::{UnknownWhy, specification::Call};

mod cycles;
mod definition;
mod logs;
mod order;
mod parts;
mod transaction;

use logs::Logs;
use parts::{POLL, SEND, parts};
use transaction::{ASSIGN, ASSIGN_FROM_BEGINNING, CRASH, SUBSCRIBE, transactions};

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
            Collected::Wrong(wrong) => Some(wrong),
            Collected::Consistent(logs) => {
                let mut found = order::disorder(&logs, key, &all)?;
                if found.is_none() {
                    found = logs.lost(key, &all)?;
                }
                if found.is_none() { cycles::cycle(&logs, key, &all)? } else { found }
            }
        };
        // The definition looks for them by itself.
        let besides = || Some(Besides { what: "sends and polls", operations: Vec::new() });
        Ok(found.map(|(operations, claim)| Violation { operations, besides: besides(), claim }))
    }

    fn is_violated_by(&self, few: &FewCalls<'_>) -> bool {
        definition::is_violated_by(few)
    }
}

#[cfg(test)]
mod tests;
