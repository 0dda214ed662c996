//! Answers of reads that leave out the key for which the read asks: `[key nil]`, then `value` instead of `[key value]`,
//! as clients of Jepsen's `independent` write who forget it.
//!
//! A history has such answers throughout or not at all. An answer that is a pair may be either a value without its key
//! or one with it. If all answers that certainly lack the key are collections, such a pair counts as one of two
//! elements, unless it has the key and its second part is a collection, too.

use rustc_hash::FxHashMap;

use super::key_detector::pair_of;
use crate::{Event, EventType, Function, Process, Value, value::Edn};

/// Reads that ask for a key, and the forms of their answers.
#[derive(Debug, Default)]
pub(super) struct BareAnswers {
    /// Keys for which the open reads ask.
    asked: FxHashMap<Process, Value>,
    /// True if an answer that is no collection lacks its key.
    has_scalar: bool,
    /// True if an answer is a pair, so that it may have a key.
    has_pair: bool,
}

impl BareAnswers {
    /// Returns true if the event is an answer without its key.
    ///
    /// # Errors
    /// Returns an error if the answer, or one before it, may be one with its key.
    pub(super) fn has(&mut self, event: &Event<'_>) -> Result<bool, String> {
        if Function::known(&event.f) != Some(Function::Read) {
            return Ok(false);
        }
        if event.kind == EventType::Invoke {
            if let Some([key, Value::Nil]) = event.value.as_ref().and_then(pair_of) {
                self.asked.insert(event.process.clone(), key.clone());
            }
            return Ok(false);
        }
        let Some(key) = self.asked.remove(&event.process) else { return Ok(false) };
        if event.kind != EventType::Ok {
            return Ok(false);
        }
        let Some(answer) = event.value.as_ref().filter(|value| **value != Value::Nil) else { return Ok(false) };
        let pair = pair_of(answer);
        self.has_pair |= pair.is_some();
        self.has_scalar |= pair.is_none() && !is_collection(answer);
        let is_keyed = pair.is_some_and(|[of, part]| *of == key && is_collection(part));
        if is_keyed || self.has_pair && self.has_scalar {
            return Err(format!(
                "some reads are answered with the key for which they ask and some without, so that nobody can tell \
                what {answer} means"
            ));
        }
        Ok(true)
    }
}

fn is_collection(value: &Value) -> bool {
    match value {
        Value::List(_) | Value::Map(_) => true,
        Value::Edn(edn) => matches!(**edn, Edn::Set(_)),
        _ => false,
    }
}
