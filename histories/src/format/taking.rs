//! From an event as its file writes it to what it says: the key apart from the value, micro-operations as a transaction, and a cas that
//! failed as what that means.

use rustc_hash::FxHashSet;

use super::shape::{cas_of_three, pair_of};
use crate::{
    Event, EventType, FailedCas, Function, Process, TRANSACTION, Value, history::FailedCasCounts, transactions,
};

/// How the events of one file are taken, one after the other.
#[derive(Debug, Default)]
pub(super) struct Taking {
    /// Whether values are pairs of key and value.
    is_keyed: bool,
    /// Whether the first client asked for a transaction, whatever it called it: then all that look like some are.
    are_transactions: Option<bool>,
    /// Clients whose open operation is a transaction by another name.
    renamed: FxHashSet<Process>,
    /// As was asked for.
    failed_cas: Option<FailedCas>,
    /// Whether a cas that failed with its arguments found another value in this format, if nobody says otherwise.
    is_mismatch: bool,
    counts: FailedCasCounts,
}

impl Taking {
    pub(super) fn new(failed_cas: Option<FailedCas>) -> Self {
        Self { failed_cas, ..Self::default() }
    }

    /// In a format where a cas that failed with its arguments, and without a reason, found another value.
    pub(super) fn in_logs(self) -> Self {
        Self { is_mismatch: true, ..self }
    }

    pub(super) fn keyed(self, is_keyed: bool) -> Self {
        Self { is_keyed, ..self }
    }

    /// The event as it is meant.
    ///
    /// # Errors
    /// Values are pairs of key and value, and this one is none.
    pub(super) fn apply(&mut self, event: &mut Event<'_>) -> Result<(), String> {
        if event.process.is_client() {
            if self.is_keyed {
                split(event)?;
            }
            self.name_transaction(event);
            self.settle_cas(event);
        }
        event.key = event.key.take().filter(|key| *key != Value::Nil);
        Ok(())
    }

    pub(super) fn is_keyed(&self) -> bool {
        self.is_keyed
    }

    /// How many failed cas were taken for what.
    pub(super) fn counts(&self) -> FailedCasCounts {
        self.counts
    }

    /// Tells that a transaction was taken without this.
    pub(super) fn saw_transaction(&mut self) {
        self.are_transactions = Some(true);
    }

    /// Calls a transaction one.
    fn name_transaction(&mut self, event: &mut Event<'_>) {
        let is_invoked = event.kind == EventType::Invoke;
        if event.f == TRANSACTION {
            self.are_transactions.get_or_insert(true);
        } else if is_invoked && self.are_transactions != Some(false) {
            let is_one = event.value.as_ref().is_some_and(transactions::is_transaction);
            self.are_transactions.get_or_insert(is_one);
            if is_one {
                self.renamed.insert(event.process.clone());
                event.f = TRANSACTION.into();
            }
        } else if !is_invoked && !self.renamed.is_empty() && self.renamed.remove(&event.process) {
            event.f = TRANSACTION.into();
        }
    }

    /// Says of a cas that failed whether it found another value, where the event does not.
    fn settle_cas(&mut self, event: &mut Event<'_>) {
        if event.kind != EventType::Fail || Function::known(&event.f) != Some(Function::Cas) {
            return;
        }
        let is_said = event.mismatch || event.observed.is_some() || event.error.is_some();
        let with_arguments = matches!(event.value, Some(Value::List(_)));
        if is_said || !(with_arguments || matches!(event.value, None | Some(Value::Nil))) {
            return;
        }
        event.mismatch = match self.failed_cas {
            Some(asked) => asked == FailedCas::Mismatch,
            None => self.is_mismatch && with_arguments,
        };
        let count = if event.mismatch { &mut self.counts.mismatch } else { &mut self.counts.nothing };
        *count += 1;
    }
}

/// Takes the key out of the value. An event that ends something need not say it again.
fn split(event: &mut Event<'_>) -> Result<(), String> {
    if event.key.is_some() {
        return Err(
            "the values of this history are taken as pairs of key and value, but here is a key of its own".to_owned()
        );
    }
    if cas_of_three(event).is_some() || event.value.as_ref().is_some_and(|value| pair_of(value).is_some()) {
        let Some(Value::List(parts)) = event.value.take() else { return Ok(()) };
        let mut parts = parts.into_iter();
        event.key = parts.next();
        event.value = match [parts.next(), parts.next()] {
            [Some(from), Some(to)] => Some(Value::List(vec![from, to])),
            [value, _] => value,
        };
        return Ok(());
    }
    let says_nothing = matches!(event.value, None | Some(Value::Nil));
    match event.kind {
        EventType::Fail | EventType::Info => {
            event.value = None;
            Ok(())
        }
        EventType::Ok if says_nothing && Function::known(&event.f) != Some(Function::Read) => Ok(()),
        EventType::Ok | EventType::Invoke => {
            let value = event.value.clone().unwrap_or_default();
            Err(format!("the values of this history are taken as pairs of key and value, which {value} is not"))
        }
    }
}
