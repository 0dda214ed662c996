//! Requests of a workload.

use histories::{History, MicroOperation as Recorded, TRANSACTION, Value};

/// Function of a request, with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Returns the value.
    Read,
    /// Sets the value.
    Write(i64),
    /// Sets the value to `to` if it is `from`.
    Cas {
        /// The expected value.
        from: i64,
        /// The new value.
        to: i64,
    },
    /// Returns all elements of a set.
    Elements,
    /// Adds an element to a set.
    Add(i64),
    /// Adds an element at the end of a queue.
    Enqueue(i64),
    /// Takes the first element out of a queue, and returns it; nil if it is empty.
    Dequeue,
    /// Returns the first element of a queue; nil if it is empty.
    Peek,
    /// Returns the number that a counter has reached.
    Count,
    /// Adds a number to a counter.
    Increment(i64),
    /// Acquires a lock for the client that sends this, if nobody holds it.
    Acquire,
    /// Does the same, and returns a fencing token: a number larger than those of all holders before.
    AcquireWithToken,
    /// Releases a lock that the client holds.
    Release,
    /// Sets the value that a lock guards, unless that was set under a larger token.
    GuardedWrite {
        /// Token of the client's acquire.
        token: i64,
        /// The new value.
        value: i64,
    },
    /// Adds a value at the end of a log, and returns its offset.
    Send(i64),
    /// Returns what a log has from an offset on, as pairs of offset and value.
    Poll(i64),
    /// Inserts a row into a table, whose value is one more than the largest there, with the system's own timestamp, and
    /// returns it.
    Insert,
    /// Returns all rows of a table, in the order of their timestamps.
    Rows,
    /// Returns an id that no other request got.
    Generate,
    /// Returns the balances of all accounts of a bank.
    Balances,
    /// Moves an amount from an account of a bank to another, unless the first would have less than nothing.
    Transfer {
        /// Number of the account that loses it.
        from: u16,
        /// Number of the account that gets it.
        to: u16,
        /// The amount.
        amount: i64,
    },
    /// Does all of this at one moment, and returns it with the values that were read.
    Transaction(Vec<MicroOperation>),
}

/// Part of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MicroOperation {
    /// Number of the key; see [`Request::key_name`].
    pub key: u32,
    /// Function, with its argument.
    pub action: MicroAction,
}

/// Function of a micro-operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MicroAction {
    /// Returns the elements of a list.
    ReadList,
    /// Returns the value of a register.
    ReadRegister,
    /// Adds an element at the end of a list.
    Append(i64),
    /// Sets the value of a register.
    Write(i64),
}

impl MicroOperation {
    /// Returns a read of the list at `key`.
    pub fn read_list(key: u32) -> Self {
        Self { key, action: MicroAction::ReadList }
    }

    /// Returns a read of the register at `key`.
    pub fn read_register(key: u32) -> Self {
        Self { key, action: MicroAction::ReadRegister }
    }

    /// Returns an append of `element` to the list at `key`.
    pub fn append(key: u32, element: i64) -> Self {
        Self { key, action: MicroAction::Append(element) }
    }

    /// Returns a write of `value` to the register at `key`.
    pub fn write(key: u32, value: i64) -> Self {
        Self { key, action: MicroAction::Write(value) }
    }

    /// Returns true if it changes nothing.
    pub fn is_read(&self) -> bool {
        self.argument().is_none()
    }

    /// Returns the element to append, or the value to write; none for a read.
    pub fn argument(&self) -> Option<i64> {
        match self.action {
            MicroAction::ReadList | MicroAction::ReadRegister => None,
            MicroAction::Append(value) | MicroAction::Write(value) => Some(value),
        }
    }

    /// Returns the name of its key in nodes and histories.
    pub fn key_name(&self) -> String {
        key_name(self.key)
    }

    /// Returns its name in nodes and histories.
    pub fn name(&self) -> &'static str {
        match self.action {
            MicroAction::ReadList | MicroAction::ReadRegister => "r",
            MicroAction::Append(_) => "append",
            MicroAction::Write(_) => "w",
        }
    }

    /// Returns it as histories write it; `found` is the value that a read found.
    pub fn in_history(&self, found: Value) -> Value {
        let value = self.argument().map_or(found, Value::from);
        Value::List(vec![self.name().into(), self.key_name().into(), value])
    }
}

impl Action {
    /// Returns true if this is about a register. Only what is known of a register's revisions is known to hold for
    /// every store.
    pub(crate) fn is_of_register(&self) -> bool {
        matches!(self, Self::Read | Self::Write(_) | Self::Cas { .. })
    }

    /// Returns true if a successful answer to this has a value.
    pub(crate) fn returns_value(&self) -> bool {
        match self {
            Self::Read
            | Self::Elements
            | Self::Dequeue
            | Self::Peek
            | Self::Count
            | Self::AcquireWithToken
            | Self::Send(_)
            | Self::Poll(_)
            | Self::Insert
            | Self::Rows
            | Self::Generate
            | Self::Balances
            | Self::Transaction(_) => true,
            Self::Write(_)
            | Self::Cas { .. }
            | Self::Add(_)
            | Self::Enqueue(_)
            | Self::Increment(_)
            | Self::Acquire
            | Self::Release
            | Self::GuardedWrite { .. }
            | Self::Transfer { .. } => false,
        }
    }

    /// Returns true if this is about a lock.
    pub(crate) fn is_of_lock(&self) -> bool {
        matches!(self, Self::Acquire | Self::AcquireWithToken | Self::Release)
    }

    /// Returns true if the action certainly changes nothing.
    pub fn is_read(&self) -> bool {
        match self {
            Self::Read | Self::Elements | Self::Peek | Self::Count | Self::Poll(_) | Self::Rows | Self::Balances => {
                true
            }
            Self::Write(_)
            | Self::Cas { .. }
            | Self::Add(_)
            | Self::Enqueue(_)
            | Self::Dequeue
            | Self::Increment(_)
            | Self::Acquire
            | Self::AcquireWithToken
            | Self::Release
            | Self::GuardedWrite { .. }
            | Self::Send(_)
            | Self::Insert
            | Self::Generate
            | Self::Transfer { .. } => false,
            Self::Transaction(micro_operations) => micro_operations.iter().all(MicroOperation::is_read),
        }
    }
}

/// Returns true if the operation at this index certainly changed nothing, by its name in a history.
pub fn only_reads(history: &History, index: usize) -> bool {
    match history.transactions.at(index) {
        Some(at) => history.transactions.micro_operations(at).all(|it| matches!(it, Recorded::Read { .. })),
        None => matches!(history.function_name(history.operations[index].function), "read" | "peek" | "poll"),
    }
}

/// Request of a client: an action on a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Number of the key; see [`Request::key_name`]. None for a transaction, each part of which has its own, unless it
    /// stays within a group of keys that is judged as one object: then it is the first of these.
    pub key: Option<u32>,
    /// The action.
    pub action: Action,
}

fn key_name(key: u32) -> String {
    "k".to_owned() + &key.to_string()
}

impl Request {
    /// Creates a request about one key.
    pub fn new(key: u32, action: Action) -> Self {
        Self { key: Some(key), action }
    }

    /// Creates a request for a transaction.
    pub fn transaction(micro_operations: Vec<MicroOperation>) -> Self {
        Self { key: None, action: Action::Transaction(micro_operations) }
    }

    /// Returns the parts of a transaction that change something.
    pub(crate) fn changes(&self) -> impl Iterator<Item = &MicroOperation> {
        let parts = if let Action::Transaction(parts) = &self.action { &parts[..] } else { &[] };
        parts.iter().filter(|part| !part.is_read())
    }

    /// Returns the name of the key in nodes and histories: `k0`, `k1`, …
    pub fn key_name(&self) -> Option<String> {
        self.key.map(key_name)
    }

    /// Returns the name of the function in a history.
    pub(crate) fn f(&self) -> &'static str {
        match self.action {
            Action::Read | Action::Elements | Action::Count | Action::Rows | Action::Balances => "read",
            Action::Generate => "generate",
            Action::Send(_) => "send",
            Action::Poll(_) => "poll",
            Action::Transfer { .. } => "transfer",
            Action::Write(_) | Action::GuardedWrite { .. } => "write",
            Action::Cas { .. } => "cas",
            Action::Add(_) | Action::Increment(_) | Action::Insert => "add",
            Action::Enqueue(_) => "enqueue",
            Action::Dequeue => "dequeue",
            Action::Peek => "peek",
            Action::Acquire | Action::AcquireWithToken => "acquire",
            Action::Release => "release",
            Action::Transaction(_) => TRANSACTION,
        }
    }

    /// Returns the name of the function for a shim, which cannot tell what kind of object a key is.
    pub(crate) fn f_for_shim(&self) -> &'static str {
        match self.action {
            Action::Balances => "balances",
            Action::Increment(_) => "increment",
            Action::GuardedWrite { .. } => "guarded-write",
            Action::Insert => "insert",
            Action::Rows => "rows",
            _ => self.f(),
        }
    }

    /// Returns the argument in a history.
    pub(crate) fn argument(&self) -> Option<Value> {
        match &self.action {
            Action::Read
            | Action::Elements
            | Action::Dequeue
            | Action::Peek
            | Action::Count
            | Action::Acquire
            | Action::AcquireWithToken
            | Action::Release
            | Action::Insert
            | Action::Rows
            | Action::Generate
            | Action::Balances => None,
            Action::Write(value)
            | Action::Add(value)
            | Action::Enqueue(value)
            | Action::Increment(value)
            | Action::Send(value)
            | Action::Poll(value) => Some((*value).into()),
            Action::Transfer { from, to, amount } => {
                let parts: [(&str, Value); 3] =
                    [("from", i64::from(*from).into()), ("to", i64::from(*to).into()), ("amount", (*amount).into())];
                Some(Value::Map(parts.into_iter().collect()))
            }
            Action::Cas { from: one, to: other } | Action::GuardedWrite { token: one, value: other } => {
                Some(Value::List(vec![(*one).into(), (*other).into()]))
            }
            Action::Transaction(micro_operations) => {
                Some(Value::List(micro_operations.iter().map(|it| it.in_history(Value::Nil)).collect()))
            }
        }
    }
}
