//! A whole history, paired and validated: what a checker reads.

use crate::{Event, Function, Operation, Transactions, Value, ValueId, Values};

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
    pub(crate) function_names: Vec<Box<str>>,
}

impl History {
    /// A value by its number.
    pub fn value(&self, id: ValueId) -> &Value {
        self.values.get(id)
    }

    /// The name of a function, as it would be written.
    pub fn function_name(&self, function: Function) -> &str {
        match function {
            Function::Other(number) => self.function_names.get(usize::from(number)).map_or("?", |name| name),
            known => known.name().unwrap_or("?"),
        }
    }
}
