//! Complete histories, paired and validated: the input of a checker.

use std::{borrow::Cow, collections::BTreeMap};

use rustc_hash::FxHashMap;

use crate::{Event, Function, Interpretation, Note, Operation, Process, Times, Transactions, Value, ValueId, Values};

/// History of all client operations, in the order of invocation, and of the nemesis.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Client operations, in the order of their invocations.
    pub operations: Vec<Operation>,
    /// Keys and values that occur.
    pub values: Values,
    /// Events of the nemesis and of all other processes that are not clients, in their order.
    pub others: Vec<Event<'static>>,
    /// Micro-operations of the operations that are transactions.
    pub transactions: Transactions,
    /// Numbers of failed cas by how they were interpreted.
    pub failed_cas: FailedCasCounts,
    /// Reservations about the history: facts that its file does not give, so that a verdict cannot rest on them.
    pub notes: Vec<Note>,
    /// Interpretation with which its file was read.
    pub(crate) interpretation: Interpretation,
    pub(crate) function_names: Vec<Box<str>>,
    /// Names of the clients that have no number of their own; they are numbered from `first_named` on, above all other
    /// clients.
    pub(crate) process_names: Vec<Value>,
    pub(crate) first_named: u32,
    /// Times of each operation. `times` and `nodes` are parallel to `operations`, and kept apart because only reports
    /// of a verdict need them.
    pub(crate) times: Vec<Times>,
    pub(crate) nodes: Vec<u16>,
    /// Bit of each operation, 1 if its generator calls it final ([`Event::is_final`]); the zeros at the end are left
    /// out.
    pub(crate) finals: Vec<u64>,
    /// Revision of each operation, [`NO_REVISION`] where it has none; empty if no event has any.
    pub(crate) revisions: Vec<u64>,
    /// Position and link of the operations (indexes) whose completion has any, [`ValueId::UNKNOWN`] for one that it
    /// has not.
    pub(crate) links: BTreeMap<u32, [ValueId; 2]>,
}

/// Numbers of cas that failed without stating what they found or why, by how they were interpreted
/// ([`crate::FailedCas`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailedCasCounts {
    /// Number of cas taken to have found another value than they expected.
    pub mismatch: usize,
    /// Number of cas taken not to have happened.
    pub nothing: usize,
}

/// Marker of an operation without a revision; real revisions are at most [`MAX_REVISION`].
pub(crate) const NO_REVISION: u64 = u64::MAX;
/// Largest revision that a history can have: every file format can represent it.
pub const MAX_REVISION: u64 = u64::MAX >> 1;

impl History {
    /// Returns the value with this id.
    pub fn value(&self, id: ValueId) -> &Value {
        self.values.get(id)
    }

    /// Returns the times of invocation and completion of the operation at `index` in `operations`.
    pub fn times(&self, index: usize) -> Times {
        self.times[index]
    }

    /// Returns true if events have times: some file formats, and some tools, leave them out.
    pub fn has_times(&self) -> bool {
        self.times.last().is_some_and(|last| last.completed_ns > 0)
    }

    /// Returns the node that was asked to do the operation at `index` in `operations`; 0 if that is not known.
    pub fn node(&self, index: usize) -> u16 {
        self.nodes[index]
    }

    /// Returns true if the generator calls any operation final.
    pub fn has_finals(&self) -> bool {
        !self.finals.is_empty()
    }

    /// Returns true if the generator calls the operation at `index` in `operations` final.
    pub fn is_final(&self, index: usize) -> bool {
        self.finals.get(index / 64).is_some_and(|bits| bits >> (index % 64) & 1 == 1)
    }

    /// Notes that the generator calls the operation at `index` in `operations` final.
    pub(crate) fn mark_final(&mut self, index: usize) {
        let words = self.finals.len().max(index / 64 + 1);
        self.finals.resize(words, 0);
        self.finals[index / 64] |= 1 << (index % 64);
    }

    /// Returns the revision that came with the answer to the operation at `index` in `operations`, if it is known.
    pub fn revision(&self, index: usize) -> Option<u64> {
        self.revisions.get(index).copied().filter(|revision| *revision != NO_REVISION)
    }

    /// Returns true if the completion of any operation has a position or a link.
    pub fn has_links(&self) -> bool {
        !self.links.is_empty()
    }

    /// Returns the [`Event::position`] and the [`Event::link`] of the completion of the operation at `index` in
    /// `operations`.
    pub fn position_and_link(&self, index: usize) -> [Option<ValueId>; 2] {
        let given = u32::try_from(index).ok().and_then(|index| self.links.get(&index));
        given.map_or([None; 2], |given| given.map(|id| Some(id).filter(|id| *id != ValueId::UNKNOWN)))
    }

    /// Returns the client with this number in [`Operation::process`], as its source names it.
    pub fn process(&self, number: u32) -> Process {
        let name = number.checked_sub(self.first_named).and_then(|place| self.process_names.get(place as usize));
        name.and_then(|name| Process::from_value(name.clone()).ok()).unwrap_or(Process::Client(number.into()))
    }

    /// Names the processes by their numbers anew, so that several numbers can stand for one process. The numbers must
    /// be those of clients without names.
    pub fn name_processes(&mut self, names: &[Process]) {
        self.first_named = 0;
        self.process_names = names.iter().map(Process::to_value).collect();
    }

    /// Returns the same history with each transaction's own key moved into the keys of its micro-operations, as
    /// `[key, key]`. Transactions on independent objects do not interact, so they form one history once each key names
    /// its object.
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

    /// Returns the interpretation with which its file was read, which is known only at the end of the file.
    pub fn interpretation(&self) -> Interpretation {
        self.interpretation
    }

    /// Returns the name of a function, as it is written in a file.
    pub fn function_name(&self, function: Function) -> &str {
        match function {
            Function::Other(number) => self.function_names.get(usize::from(number)).map_or("?", |name| name),
            known => known.name().unwrap_or("?"),
        }
    }
}
