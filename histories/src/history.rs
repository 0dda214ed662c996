//! A whole history, paired and validated: what a checker reads.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use crate::{Event, Function, Note, Operation, Process, Times, Transactions, Value, ValueId, Values, Way};

/// What all clients did, in the order of invocation, and what the nemesis did to them.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Client operations, in the order of their invocations.
    pub operations: Vec<Operation>,
    /// Every key and value that occurs.
    pub values: Values,
    /// Events of the nemesis and of all others that are not clients, in their order.
    pub others: Vec<Event<'static>>,
    /// What the operations that are transactions do.
    pub transactions: Transactions,
    /// What failed cas were taken for.
    pub failed_cas: FailedCasCounts,
    /// What its file does not say, so that no verdict on it does.
    pub notes: Vec<Note>,
    /// How its file was read.
    pub(crate) way: Way,
    pub(crate) function_names: Vec<Box<str>>,
    /// The names of clients that have no numbers of their own, numbered from `first_named` on, above all others.
    pub(crate) process_names: Vec<Value>,
    pub(crate) first_named: u32,
    /// One for each operation, as are `nodes`: apart from them, as only what is told of a verdict needs them.
    pub(crate) times: Vec<Times>,
    pub(crate) nodes: Vec<u16>,
    /// As `times`, but empty where no event has any; [`NO_REVISION`] of those that have none.
    pub(crate) revisions: Vec<u64>,
}

/// Cas that ended as failed, without a word about what they found or why: how many were taken for what ([`crate::FailedCas`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailedCasCounts {
    /// Found another value than they expected.
    pub mismatch: usize,
    /// Did not happen.
    pub nothing: usize,
}

/// No revision; those that are some are at most [`MAX_REVISION`].
pub(crate) const NO_REVISION: u64 = u64::MAX;
/// The largest revision that a history can have: every format has a form for it.
pub const MAX_REVISION: u64 = u64::MAX >> 1;

impl History {
    /// A value by its number.
    pub fn value(&self, id: ValueId) -> &Value {
        self.values.get(id)
    }

    /// When the operation with this index in `operations` was invoked and ended.
    pub fn times(&self, index: usize) -> Times {
        self.times[index]
    }

    /// Whether events have times: some file formats, and some tools, leave them out.
    pub fn has_times(&self) -> bool {
        self.times.last().is_some_and(|last| last.completed_ns > 0)
    }

    /// Which node was asked to do the operation with this index in `operations`; 0 if that is not known.
    pub fn node(&self, index: usize) -> u16 {
        self.nodes[index]
    }

    /// The revision with which the operation with this index in `operations` was answered, where that is known.
    pub fn revision(&self, index: usize) -> Option<u64> {
        self.revisions.get(index).copied().filter(|revision| *revision != NO_REVISION)
    }

    /// The client with this number in [`Operation::process`], as its source calls it.
    pub fn process(&self, number: u32) -> Process {
        let name = number.checked_sub(self.first_named).and_then(|place| self.process_names.get(place as usize));
        name.and_then(|name| Process::from_value(name.clone()).ok()).unwrap_or(Process::Client(number.into()))
    }

    /// The same history with each transaction's own key within the keys of its micro-operations, `[key, key]`: those of independent objects
    /// have nothing to do with each other, and are one history where each names its object.
    pub fn with_keys_joined(&self) -> Cow<'_, Self> {
        if self.transactions.is_empty() || self.operations.iter().all(|operation| operation.key == ValueId::NIL) {
            return Cow::Borrowed(self);
        }
        let mut joined = self.clone();
        let Self { operations, values, transactions, .. } = &mut joined;
        let mut known: FxHashMap<(ValueId, ValueId), ValueId> = FxHashMap::default();
        transactions.rename_keys(|operation, of| {
            let object = operations[operation].key;
            *known.entry((object, of)).or_insert_with(|| {
                let pair = [object, of].map(|id| values.get(id).clone());
                values.intern(Value::List(pair.to_vec()))
            })
        });
        for transaction in 0..transactions.len() {
            operations[transactions.operation(transaction)].key = ValueId::NIL;
        }
        Cow::Owned(joined)
    }

    /// How its file was read, which is not told before its end.
    pub fn way(&self) -> Way {
        self.way
    }

    /// The name of a function, as it would be written.
    pub fn function_name(&self, function: Function) -> &str {
        match function {
            Function::Other(number) => self.function_names.get(usize::from(number)).map_or("?", |name| name),
            known => known.name().unwrap_or("?"),
        }
    }
}
