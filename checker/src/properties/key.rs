//! Operations of one key, or of all, as a property looks at them, within the limits; and a few of them by themselves.

use histories::{History, Operation, Outcome, Value};

use crate::{
    Limits, UnknownWhy,
    budget::{Budget, Shortage},
    specification::Call,
    words,
};

/// Memory that a property holds for each operation, in bytes, at most.
const OPERATION_BYTES: usize = 64;

/// Node that was asked, or the process that asks where nodes are not named.
pub(super) type Client = (u16, u32);

/// Operations of one key, or of all.
pub(crate) struct Key<'a> {
    pub(super) history: &'a History,
    pub(super) initial: &'a Value,
    /// Their indexes, ascending.
    pub(super) operations: &'a [u32],
    pub(super) limits: Limits<'a>,
    budget: Budget<'a>,
}

/// Few operations, with their calls, in the order of their invocations.
pub(crate) struct FewCalls<'a> {
    pub(super) initial: &'a Value,
    pub(super) history: &'a History,
    pub(super) calls: Vec<(Operation, Call<'a>)>,
    /// Client of each call.
    pub(super) clients: Vec<Client>,
    /// True for each call that its generator calls final.
    pub(super) are_final: Vec<bool>,
}

/// Result of collecting what the operations of a key say: all of it, to be judged, or what is wrong already.
pub(super) enum Collected<T, W> {
    Consistent(T),
    Wrong(W),
}

impl<'a> Key<'a> {
    /// Makes the key of these operations (indexes, ascending).
    ///
    /// # Errors
    /// The reason, if there is too little memory.
    pub(super) fn new(
        history: &'a History,
        initial: &'a Value,
        limits: &Limits<'a>,
        operations: &'a [u32],
    ) -> Result<Self, UnknownWhy> {
        let key = Self { history, initial, operations, limits: *limits, budget: Budget::new(limits) };
        key.within(key.budget.may_take(operations.len() * OPERATION_BYTES))?;
        Ok(key)
    }

    /// Returns all operations, failed ones included, with their indexes.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, &'a Operation)> + use<'a> {
        let history = self.history;
        self.operations.iter().map(move |&index| (index, &history.operations[index as usize]))
    }

    /// Returns the operations with this function that were answered, with their indexes.
    pub(super) fn answered(&self, function: &str) -> impl Iterator<Item = (u32, &'a Operation)> {
        self.all().filter(move |(_, operation)| {
            operation.outcome == Outcome::Ok && self.history.function_name(operation.function) == function
        })
    }

    /// Returns the same operations in the order of their completions.
    pub(super) fn by_completion(mut operations: Vec<(u32, &'a Operation)>) -> Vec<(u32, &'a Operation)> {
        operations.sort_unstable_by_key(|(_, operation)| operation.completed);
        operations
    }

    /// Returns the call of an operation.
    pub(super) fn call(&self, operation: &Operation) -> Call<'a> {
        Call::of(self.history, operation, false)
    }

    /// Returns the indexes of the operations that may have taken effect and have this function.
    pub(super) fn changes(&self, function: &str) -> Vec<u32> {
        let may_be = |operation: &Operation| {
            operation.outcome != Outcome::Fail && self.history.function_name(operation.function) == function
        };
        self.all().filter(|(_, operation)| may_be(operation)).map(|(index, _)| index).collect()
    }

    /// Formats an operation: `insert [null,4] on key 7 by process 3 at 1.200 s on n1`.
    pub(super) fn who(&self, index: u32) -> String {
        words::made(self.history, &words::call(self.history, index as usize), index as usize)
    }

    /// Formats who asked for an operation, and when: `by process 3 at 1.200 s on n1`.
    pub(super) fn by(&self, index: u32) -> String {
        words::by(self.history, index as usize)
    }

    /// Returns the argument of an operation.
    pub(super) fn input(&self, index: u32) -> &'a Value {
        self.history.value(self.history.operations[index as usize].input)
    }

    /// Formats the time at which an operation ended.
    pub(super) fn ended(&self, index: u32) -> String {
        words::ended(self.history, index as usize)
    }

    /// Says that all operations of this kind count, to follow "these operations violate it".
    pub(super) fn given_all(&self, what: &str) -> String {
        let key = self.operations.first().map(|index| self.history.operations[*index as usize].key);
        match key.map(|key| self.history.value(key)) {
            None | Some(Value::Nil) => format!("given all {what} in the history"),
            Some(key) => format!("given all {what} on {}", words::key_name(key)),
        }
    }

    /// Asks for memory, in bytes.
    ///
    /// # Errors
    /// The reason, if there is too little.
    pub(super) fn may_take(&self, bytes: usize) -> Result<(), UnknownWhy> {
        self.within(self.budget.may_take(bytes))
    }

    /// Counts one step.
    ///
    /// # Errors
    /// The reason, if a limit is reached.
    pub(super) fn step(&self) -> Result<(), UnknownWhy> {
        self.within(self.budget.step())
    }

    /// Counts several steps.
    ///
    /// # Errors
    /// The reason, if a limit is reached.
    pub(super) fn steps(&self, count: usize) -> Result<(), UnknownWhy> {
        self.within(self.budget.steps(count))
    }

    fn within(&self, asked: Result<(), Shortage>) -> Result<(), UnknownWhy> {
        asked.map_err(|out| out.among(self.history, self.operations))
    }

    /// Returns these operations (indexes) by themselves.
    pub(super) fn few(&self, indexes: &[u32]) -> FewCalls<'a> {
        let history = self.history;
        let operation = |&index: &u32| history.operations[index as usize];
        let calls = indexes.iter().map(operation).map(|operation| (operation, self.call(&operation))).collect();
        FewCalls {
            initial: self.initial,
            history,
            calls,
            clients: indexes.iter().map(|index| self.client(*index)).collect(),
            are_final: indexes.iter().map(|index| history.is_final(*index as usize)).collect(),
        }
    }

    /// Returns the client of an operation (index).
    pub(super) fn client(&self, index: u32) -> Client {
        match self.history.node(index as usize) {
            0 => (0, self.history.operations[index as usize].process),
            node => (node, 0),
        }
    }
}

impl<'a> FewCalls<'a> {
    /// Returns the calls of this function that were answered.
    pub(super) fn answered(&self, function: &str) -> impl Iterator<Item = &(Operation, Call<'a>)> {
        self.calls.iter().filter(move |(operation, call)| operation.outcome == Outcome::Ok && call.function == function)
    }
}
