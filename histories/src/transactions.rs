//! Transactions: operations with `f` = `txn`, whose value is a list of micro-operations `[function, key, value]`.
//! Those of logs, whose micro-operations are `send` and `poll`, are operations like any other, with their value as it
//! is.
//!
//! Stored in flat columns, so that millions fit in memory: 16 bytes per micro-operation, 4 per element of a list that
//! was read.

use rustc_hash::FxHashMap;

use crate::{PairingError, Value, ValueId, Values};

/// Name of the function of an operation that is a transaction.
pub const TRANSACTION: &str = "txn";

/// Name of the micro-operation by which an operation on logs says which of them were taken from its process or given to
/// it: `[rebalance [log …]]`, the last one of a completion. It is what Jepsen notes as `:rebalance-log`.
pub const REBALANCE: &str = "rebalance";

/// Transactions of a history, in the order of their invocations.
#[derive(Clone, Debug, Default)]
pub struct Transactions {
    /// Index of each transaction in [`crate::History::operations`], ascending.
    operations: Vec<u32>,
    /// End of each transaction's micro-operations in `columns`.
    ends: Vec<u32>,
    columns: Columns,
    /// Micro-operations of those open transactions whose reads were invoked with values: whoever wrote the history
    /// filled in the results already.
    prefilled: FxHashMap<u32, Columns>,
}

/// Micro-operation: one step of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MicroOperation<'a> {
    /// Appends a value to a list (`append`).
    Append {
        /// The list.
        key: ValueId,
        /// The value appended.
        value: ValueId,
    },
    /// Replaces the value of a register (`w`).
    Write {
        /// The register.
        key: ValueId,
        /// The value written.
        value: ValueId,
    },
    /// Reads a list or a register (`r`).
    Read {
        /// The list or register.
        key: ValueId,
        /// The result.
        found: ReadResult<'a>,
    },
}

/// Result of a read in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadResult<'a> {
    /// Unknown: the transaction did not complete, or did not happen.
    Unknown,
    /// A single value; [`ValueId::NIL`] where nothing was written yet.
    Value(ValueId),
    /// A list.
    List(&'a [ValueId]),
}

impl Transactions {
    /// Returns the number of transactions.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Returns true if there are no transactions.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Returns the index of this transaction in [`crate::History::operations`].
    pub fn operation(&self, transaction: usize) -> usize {
        self.operations[transaction] as usize
    }

    /// Returns the transaction that is the operation at this index, if it is one.
    pub fn at(&self, operation: usize) -> Option<usize> {
        let operation = u32::try_from(operation).ok()?;
        self.operations.binary_search(&operation).ok()
    }

    /// Returns the micro-operations of this transaction, in their order.
    pub fn micro_operations(&self, transaction: usize) -> impl ExactSizeIterator<Item = MicroOperation<'_>> + Clone {
        let begin = transaction.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let all = &self.columns.steps[begin..self.ends[transaction] as usize];
        all.iter().map(|step| self.columns.micro_operation_of(step))
    }

    /// Returns the number of micro-operations of all transactions together.
    pub fn micro_operation_count(&self) -> usize {
        self.columns.steps.len()
    }

    /// Replaces the key of each micro-operation, given the index of its transaction in [`crate::History::operations`].
    pub(crate) fn rename_keys(&mut self, mut rename: impl FnMut(usize, ValueId) -> ValueId) {
        let mut begin = 0;
        for (&operation, &end) in self.operations.iter().zip(&self.ends) {
            for step in &mut self.columns.steps[begin..end as usize] {
                step.key = rename(operation as usize, step.key);
            }
            begin = end as usize;
        }
    }

    /// Adds the invocation that is operation number `operation`.
    pub(crate) fn begin(&mut self, operation: u32, invocation: &Columns) -> Result<(), PairingError> {
        self.operations.push(operation);
        let unknown = |step: &Step| if step.kind.is_read() { Step { kind: Kind::ReadUnknown, ..*step } } else { *step };
        self.columns.steps.extend(invocation.steps.iter().map(unknown));
        if invocation.steps.iter().any(Step::is_answered) {
            self.prefilled.insert(operation, invocation.clone());
        }
        let end = u32::try_from(self.columns.steps.len()).map_err(|_| TOO_MANY)?;
        self.ends.push(end);
        Ok(())
    }

    /// Compares the completion with the invocation and, if `happened`, stores the results of its reads.
    pub(crate) fn complete(
        &mut self,
        operation: u32,
        completion: &Columns,
        happened: bool,
    ) -> Result<(), PairingError> {
        let transaction = self.at(operation as usize).expect("a transaction that ends has begun");
        let begin = transaction.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let invocation = &mut self.columns.steps[begin..self.ends[transaction] as usize];
        if invocation.len() != completion.steps.len() {
            return Err(PairingError::MicroCount { invoked: invocation.len(), completed: completion.steps.len() });
        }
        if let Some(prefilled) = self.prefilled.remove(&operation).filter(|_| happened)
            && let Some(place) = prefilled.first_difference(completion)
        {
            return Err(PairingError::MicroOther { place: place + 1 });
        }
        for (place, (invocation, completed_step)) in invocation.iter_mut().zip(&completion.steps).enumerate() {
            if !invocation.requests_same_as(completed_step) {
                return Err(PairingError::MicroOther { place: place + 1 });
            }
            if happened && completed_step.kind == Kind::ReadUnknown {
                return Err(PairingError::NoResult);
            }
            if happened && completed_step.kind.is_read() {
                *invocation = *completed_step;
                if completed_step.kind == Kind::ReadList {
                    invocation.first = u32::try_from(self.columns.elements.len()).map_err(|_| TOO_MANY)?;
                    self.columns.elements.extend_from_slice(completion.list(completed_step));
                }
            }
        }
        Ok(())
    }
}

const TOO_MANY: PairingError = PairingError::TooMany(
    "the transactions of a history have at most 4,294,967,295 micro-operations and list elements",
);

/// Micro-operations in sequence, and the lists that they read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    steps: Vec<Step>,
    elements: Vec<ValueId>,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    key: ValueId,
    /// The value; for a list, the index of its first element.
    first: u32,
    /// Length of a list.
    length: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Append,
    Write,
    ReadUnknown,
    ReadValue,
    ReadList,
}

impl Kind {
    fn is_read(self) -> bool {
        matches!(self, Self::ReadUnknown | Self::ReadValue | Self::ReadList)
    }
}

impl Step {
    /// Returns true if it is a read with a result.
    fn is_answered(&self) -> bool {
        match self.kind {
            Kind::ReadList => true,
            Kind::ReadValue => ValueId(self.first) != ValueId::NIL,
            Kind::Append | Kind::Write | Kind::ReadUnknown => false,
        }
    }

    /// Returns true if both ask for the same, whatever their results.
    fn requests_same_as(&self, other: &Self) -> bool {
        let both_read = self.kind.is_read() && other.kind.is_read();
        self.key == other.key && (both_read || (self.kind, self.first) == (other.kind, other.first))
    }
}

impl Columns {
    fn list(&self, step: &Step) -> &[ValueId] {
        &self.elements[step.first as usize..][..step.length as usize]
    }

    /// Returns the index of the first read with a result from which the result in `completion` differs.
    fn first_difference(&self, completion: &Self) -> Option<usize> {
        let found = |columns: &Self, step: &Step| match step.kind {
            Kind::ReadList => Some(columns.list(step).to_vec()),
            _ => None,
        };
        let differs = |(step, completed_step): (&Step, &Step)| {
            let same = step.kind == completed_step.kind
                && (step.kind == Kind::ReadList || step.first == completed_step.first)
                && found(self, step) == found(completion, completed_step);
            step.is_answered() && !same
        };
        self.steps.iter().zip(&completion.steps).position(differs)
    }

    fn micro_operation_of(&self, step: &Step) -> MicroOperation<'_> {
        let (key, value) = (step.key, ValueId(step.first));
        let found = match step.kind {
            Kind::Append => return MicroOperation::Append { key, value },
            Kind::Write => return MicroOperation::Write { key, value },
            Kind::ReadUnknown => ReadResult::Unknown,
            Kind::ReadValue => ReadResult::Value(value),
            Kind::ReadList => ReadResult::List(self.list(step)),
        };
        MicroOperation::Read { key, found }
    }

    /// Removes all micro-operations.
    pub(crate) fn clear(&mut self) {
        self.steps.clear();
        self.elements.clear();
    }

    /// Adds an `append` or a `w`.
    pub(crate) fn change(&mut self, is_append: bool, key: ValueId, value: ValueId) {
        let kind = if is_append { Kind::Append } else { Kind::Write };
        self.steps.push(Step { key, first: value.0, length: 0, kind });
    }

    /// Adds an `r` of a single value.
    pub(crate) fn read(&mut self, key: ValueId, value: ValueId) {
        self.steps.push(Step { key, first: value.0, length: 0, kind: Kind::ReadValue });
    }

    /// Adds an `r` whose result is not known yet.
    fn read_unknown(&mut self, key: ValueId) {
        self.steps.push(Step { key, first: ValueId::NIL.0, length: 0, kind: Kind::ReadUnknown });
    }

    /// Adds an `r` of a list.
    pub(crate) fn read_list(
        &mut self,
        key: ValueId,
        elements: impl IntoIterator<Item = ValueId>,
    ) -> Result<(), PairingError> {
        let first = self.elements.len();
        self.elements.extend(elements);
        let length = self.elements.len() - first;
        let narrow = |number: usize| u32::try_from(number).map_err(|_| TOO_MANY);
        self.steps.push(Step { key, first: narrow(first)?, length: narrow(length)?, kind: Kind::ReadList });
        Ok(())
    }

    /// Adds the micro-operations of a `txn` event's value.
    pub(crate) fn take(&mut self, value: Value, values: &mut Values) -> Result<(), PairingError> {
        let Value::List(all) = value else { return Err(PairingError::NoMicroOperations(value)) };
        for micro in all {
            let Some((function, key, value)) = parts(&micro) else { return Err(PairingError::MicroForm(micro)) };
            let key = values.intern(key.clone());
            let Some(value) = value else {
                self.read_unknown(key);
                continue;
            };
            match (function, value) {
                ("append" | "w" | "write", value) => {
                    self.change(function == "append", key, values.intern(value.clone()));
                }
                (_, Value::List(list)) => self.read_list(key, list.iter().map(|item| values.intern(item.clone())))?,
                (_, value) => self.read(key, values.intern(value.clone())),
            }
        }
        Ok(())
    }
}

/// Returns function, key and value of a micro-operation; a read may lack the value.
fn parts(micro: &Value) -> Option<(&str, &Value, Option<&Value>)> {
    let Value::List(parts) = micro else { return None };
    match &parts[..] {
        [function, key, value] => function.name().filter(|name| is_function(name)).map(|name| (name, key, Some(value))),
        [function, key] => function.name().filter(|name| matches!(*name, "r" | "read")).map(|name| (name, key, None)),
        _ => None,
    }
}

/// Returns true if a value is a nonempty list of micro-operations, whatever its event calls it; an empty list could be
/// anything.
pub(crate) fn is_transaction(value: &Value) -> bool {
    matches!(value, Value::List(all) if !all.is_empty() && all.iter().all(|micro| parts(micro).is_some()))
}

/// Returns true if a value is a nonempty list of the micro-operations of logs, `send` and `poll`, with or without what
/// they found, and with the keys that a rebalancing took or gave ([`REBALANCE`]).
pub(crate) fn is_of_logs(value: &Value) -> bool {
    let is_one = |micro: &Value| {
        let Value::List(parts) = micro else { return false };
        let count = parts.len();
        match parts.first().and_then(Value::name) {
            Some("send") => count == 3,
            Some("poll") => count <= 2,
            Some(REBALANCE) => count == 2,
            _ => false,
        }
    };
    matches!(value, Value::List(all) if !all.is_empty() && all.iter().all(is_one))
}

fn is_function(name: &str) -> bool {
    matches!(name, "append" | "w" | "write" | "r" | "read")
}

/// Returns the functions of the micro-operations in a transaction's value.
pub(crate) fn functions(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    let all = if let Value::List(all) = value { &mut all[..] } else { &mut [] };
    all.iter_mut().filter_map(|micro| match micro {
        Value::List(parts) => parts.first_mut(),
        _ => None,
    })
}
