//! Interpretation of an event as its file writes it: separates the key from the value, renames transactions, and
//! decides what a failed cas means.

use rustc_hash::FxHashSet;

use super::{
    bare_answers::BareAnswers,
    key_detector::{cas_of_three, pair_of},
};
use crate::{
    Event, EventType, FailedCas, Function, Process, TRANSACTION, Value, history::FailedCasCounts, transactions,
};

/// Interpretation of the events of one file, in sequence.
#[derive(Debug, Default)]
pub(super) struct Interpreter {
    /// True if values are pairs of key and value.
    is_keyed: bool,
    /// True if the first client invoked a transaction, under whatever name: then every operation that looks like one is
    /// a transaction.
    are_transactions: Option<bool>,
    /// Clients whose open operation is a transaction under another name.
    renamed: FxHashSet<Process>,
    /// Meaning of failed cas that the caller asked for.
    failed_cas: Option<FailedCas>,
    /// True if, in this format, a cas that failed with its arguments found another value, unless the caller says
    /// otherwise.
    is_mismatch: bool,
    counts: FailedCasCounts,
    /// Answers of reads without their key, if there are some.
    bare_answers: Option<BareAnswers>,
    /// True if a read was answered without its key, though `bare_answers` is none.
    saw_bare_answer: bool,
}

impl Interpreter {
    pub(super) fn new(failed_cas: Option<FailedCas>) -> Self {
        Self { failed_cas, ..Self::default() }
    }

    /// Switches to a format in which a cas that failed with its arguments, and without a reason, found another value.
    pub(super) fn in_logs(self) -> Self {
        Self { is_mismatch: true, ..self }
    }

    /// Expects that reads that ask for `[key nil]` are answered without the key, if `has_bare_answers` is true.
    pub(super) fn with_bare_answers(self, has_bare_answers: bool) -> Self {
        if !has_bare_answers || self.bare_answers.is_some() {
            return self;
        }
        Self { bare_answers: Some(BareAnswers::default()), ..self }
    }

    /// Returns true if answers of reads are taken for values without their key.
    pub(super) fn has_bare_answers(&self) -> bool {
        self.is_keyed && self.bare_answers.is_some()
    }

    pub(super) fn keyed(self, is_keyed: bool) -> Self {
        Self { is_keyed, ..self }
    }

    /// Replaces an event by its interpretation.
    ///
    /// # Errors
    /// Returns an error if values are keyed and this one is no pair of key and value.
    pub(super) fn apply(&mut self, event: &mut Event<'_>) -> Result<(), String> {
        if event.process.is_client() {
            if self.is_keyed {
                self.split(event)?;
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

    /// Returns the numbers of failed cas by how they were interpreted.
    pub(super) fn counts(&self) -> FailedCasCounts {
        self.counts
    }

    /// Returns true if a read was answered without its key, though values are keyed, and this was not expected.
    pub(super) fn saw_bare_answer(&self) -> bool {
        self.saw_bare_answer
    }

    /// Notes that a transaction was added without [`Interpreter::apply`].
    pub(super) fn saw_transaction(&mut self) {
        self.are_transactions = Some(true);
    }

    /// Renames an operation that is a transaction under another name.
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

    /// Decides whether a failed cas found another value, if the event does not say so.
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

    /// Separates the key from the value. A completion need not repeat them.
    fn split(&mut self, event: &mut Event<'_>) -> Result<(), String> {
        if event.key.is_some() {
            return Err("the values of this history are taken as pairs of key and value, but here is a key of its own"
                .to_owned());
        }
        if let Some(bare) = &mut self.bare_answers
            && bare.has(event)?
        {
            return Ok(());
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
        let is_read = Function::known(&event.f) == Some(Function::Read);
        match event.kind {
            EventType::Fail | EventType::Info => {
                event.value = None;
                Ok(())
            }
            EventType::Ok if says_nothing && !is_read => Ok(()),
            EventType::Ok if is_read && !says_nothing && self.bare_answers.is_none() => {
                self.saw_bare_answer = true;
                Ok(())
            }
            EventType::Ok | EventType::Invoke => {
                let value = event.value.clone().unwrap_or_default();
                Err(format!("the values of this history are taken as pairs of key and value, which {value} is not"))
            }
        }
    }
}
