//! Objects: one folder or file each, with the specification (the behaviour under one call after another) and, where
//! there is one, the method that decides the object exactly and in near-linear time. Beside them: `container/` (what
//! queues, stacks and bags share), `growth.rs` (for values that grow), `key.rs` (the input and result of a method), and
//! `definition.rs` (what the table below needs to know of a model).
//!
//! The table below registers them. A new model is a folder (or a file) with a [`Definition`], its `mod` line, and its
//! row in the table. [`crate::properties`] that are no object have rows as well.
//!
//! Every method answers with an order or with a few operations that have none. Both are verified by [`crate::verify`]
//! before they are believed.

mod bag;
mod container;
mod counter;
mod definition;
mod fenced_lock;
mod growth;
mod key;
mod list;
mod multi_register;
mod mutex;
mod priority_queue;
mod properties;
mod queue;
pub(crate) mod register;
mod semaphore;
mod set;
mod stack;
#[cfg(test)]
mod tests;

pub(crate) use container::names::DRAIN;

use histories::{Function, History, Operation, Outcome, Value, ValueId};

use crate::{
    budget::Budget,
    generic::Object,
    properties::{Property, has},
    specification::{Argument, Call},
};
use definition::Definition;
use key::Key;

pub(crate) use key::{MethodResult, Question};

/// Defines [`Model`] from the rows of the table: documentation, name, and definition of each.
macro_rules! models {
    ($($(#[$documentation:meta])* $model:ident: $definition:expr,)*) => {
        /// Type of the object under each key.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Model {
            $($(#[$documentation])* $model,)*
        }

        impl Model {
            /// List of the models, in the order in which users see them.
            pub const ALL: &'static [Self] = &[$(Self::$model),*];

            fn definition(self) -> &'static Definition {
                match self {
                    $(Self::$model => &$definition,)*
                }
            }
        }
    };
}

models! {
    /// Register with `read`, `write` and `cas`.
    Register: register::REGISTER,
    /// `Register` with `append` (adds text at the end; an absent value counts as empty text) and `delete` (sets the
    /// value back to [`Options::initial`](crate::Options::initial)).
    KeyValue: register::KEY_VALUE,
    /// Several registers that are accessed together: `read` and `write` of values such as `{"x": 1}`, or Jepsen's
    /// `txn` with `[["r", "x", 1], ["w", "y", 2]]`. [`Options::initial`](crate::Options::initial) is the value of each
    /// register, or a map from registers to values.
    MultiRegister: multi_register::DEFINITION,
    /// Set with `add`, `remove` and `contains` of an element, and `read` of all elements. If
    /// [`Options::initial`](crate::Options::initial) is a list, the set begins with its elements, as do all
    /// collections.
    Set: set::DEFINITION,
    /// `Set` of comments, which `write` adds.
    Comments: set::COMMENTS,
    /// Counter with `inc` and `dec`, by 1 or a given number, `add` and `subtract` of a number, and `read`. Begins
    /// with the number [`Options::initial`](crate::Options::initial), or 0 if that is absent.
    Counter: counter::DEFINITION,
    /// Queue, first in, first out: `enqueue`, `dequeue` and `peek`. As in all collections, the answer is `null` if it
    /// is empty.
    Queue: queue::DEFINITION,
    /// Bag with `add`, and `take` of any element.
    Bag: bag::DEFINITION,
    /// Stack, last in, first out: `push`, `pop` and `peek`.
    Stack: stack::DEFINITION,
    /// Priority queue with `insert` of integers, and `poll` and `peek` of the smallest.
    PriorityQueue: priority_queue::DEFINITION,
    /// List with `append` at the end, and `read` of the whole list.
    List: list::DEFINITION,
    /// Lock with `acquire`, and `release` by the process that holds it. Free at first.
    Mutex: mutex::DEFINITION,
    /// `Mutex` whose `acquire` answers with a fencing token: a number larger than all before it, and than
    /// [`Options::initial`](crate::Options::initial) if that is a number.
    FencedLock: fenced_lock::DEFINITION,
    /// Semaphore: `acquire` of a permit, or of several at once, and `release` by a process that holds as many. Begins
    /// with the number of permits [`Options::initial`](crate::Options::initial), or 1 if that is absent.
    Semaphore: semaphore::DEFINITION,
    /// Ids that `generate` answers with, each once: a property, not an object.
    UniqueIds: properties::UNIQUE_IDS,
    /// Bank with `transfer` and `read` of all balances, whose total stays the same: a property, not an object.
    /// [`Options::initial`](crate::Options::initial) is the total, or the balances.
    Bank: properties::BANK,
    /// `Bank` whose balances may be below zero.
    BankNegativeBalances: properties::BANK_NEGATIVE_BALANCES,
    /// Set with `add` and `read` of all elements, which must not lose any, but may show them late: a property, not an
    /// object.
    SetFull: properties::SET_FULL,
    /// Counter with `add` of positive and negative numbers, and `read`, which must show their sum once all additions
    /// are over: a property, not an object.
    PnCounter: properties::PN_COUNTER,
    /// Keys whose parts are written in their order, and read in reverse order: a property, not an object.
    Sequential: properties::SEQUENTIAL,
    /// Registers of unique values that respect cause and effect over all keys: a property, not an object.
    Causal: properties::CAUSAL,
    /// Inserts by `write`, and `read` of all, which shows none without those that were over before it began: a
    /// property, not an object.
    CausalReverse: properties::CAUSAL_REVERSE,
    /// Inserts into two tables, each of which must find both empty, so that one at most succeeds: a property, not an
    /// object.
    G2: properties::G2,
    /// Lock whose holder may lose it, with tokens that grow, and a resource that refuses those who lost it: a property,
    /// not an object.
    LeasedLock: properties::LEASED_LOCK,
    /// Rows whose values grow with their timestamps: a property, not an object.
    Monotonic: properties::MONOTONIC,
    /// Logs with `send`, which is answered by an offset, and `poll`, which is answered by offsets with their values: a
    /// property, not an object.
    Kafka: properties::KAFKA,
}

impl Model {
    /// Returns the name of the model as a user types it: `priority-queue`.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// Returns the functions of the model in a few words: `enqueue and dequeue, first in first out`.
    pub fn functions(self) -> &'static str {
        self.definition().functions
    }

    /// Checks that objects of this model can begin with this value.
    ///
    /// # Errors
    /// A description of the allowed initial values, if they cannot.
    pub fn begins_with(self, initial: &Value) -> Result<(), &'static str> {
        let (allowed, fits) = self.definition().initial;
        if fits(initial) { Ok(()) } else { Err(allowed) }
    }

    /// Returns true if objects of this model have a function of this name.
    pub fn has(self, function: &str) -> bool {
        let of_object = || self.specification(&Value::Nil).has(function);
        self.property().map_or_else(of_object, |property| has(property, function))
    }

    /// Returns true if the model is a property of all operations, and not an object that must be linearizable.
    pub fn is_property(self) -> bool {
        self.property().is_some()
    }

    /// Returns true if the model is judged over all keys together, in the report as one key without a name.
    pub fn spans_keys(self) -> bool {
        self.property().is_some_and(Property::spans_keys)
    }

    /// Returns true if a history that does not name processes says too little for this model.
    pub(crate) fn needs_processes(self) -> bool {
        self.definition().needs_processes
    }

    /// Returns the property that the model is, if it is one.
    pub(crate) fn property(self) -> Option<&'static dyn Property> {
        self.definition().property
    }

    /// Returns true if the object is a single register, with or without text.
    pub fn is_register(self) -> bool {
        matches!(self, Self::Register | Self::KeyValue)
    }

    /// Returns true if the object is a register that can be appended to and deleted.
    pub(crate) fn has_edits(self) -> bool {
        self == Self::KeyValue
    }

    /// Returns the sequential specification of this model.
    pub(crate) fn specification(self, initial: &Value) -> Box<dyn Object + '_> {
        (self.definition().specification)(initial)
    }
}

/// Decides one key. Returns `None` if the model has no method of its own.
pub(crate) fn decide(model: Model, question: &Question<'_>, operations: &[u32]) -> Option<MethodResult> {
    let Question { history, limits, .. } = *question;
    let definition = model.definition();
    let method = definition.method?;
    if let Err(out) = Budget::new(limits).may_take(2 * size_of_val(operations)) {
        return Some(MethodResult::Unknown(out.among(history, operations)));
    }
    // Arguments that no method looks at are left to the specification.
    let mut arguments: [Option<Argument>; FUNCTIONS] = [None; FUNCTIONS];
    let fits = |&index: &u32| {
        let operation = &history.operations[index as usize];
        let argument = || (definition.argument)(history.function_name(operation.function));
        arguments[number(operation.function)].get_or_insert_with(argument).fits(operation)
    };
    let happened = |&index: &u32| history.operations[index as usize].outcome != Outcome::Fail;
    let operations: Vec<u32> = operations.iter().copied().filter(happened).collect();
    if !operations.iter().all(fits) {
        return None;
    }
    Some(method(&Key::new(question, definition.name, definition.specification, operations)))
}

/// Number of functions that a history can have.
const FUNCTIONS: usize = 5 + 256;

/// Returns the number of a function, below [`FUNCTIONS`].
fn number(function: Function) -> usize {
    match function {
        Function::Read => 0,
        Function::Write => 1,
        Function::Cas => 2,
        Function::Append => 3,
        Function::Delete => 4,
        Function::Other(other) => 5 + usize::from(other),
    }
}

/// Returns true if an operation was answered with something that could have been wrong; for a custom model, with
/// anything.
pub(crate) fn is_informative(history: &History, model: Option<Model>, operation: &Operation) -> bool {
    if !matches!(operation.outcome, Outcome::Ok | Outcome::Mismatch) {
        return false;
    }
    let call = Call::of(history, operation, false);
    model.map_or(operation.output != ValueId::UNKNOWN, |model| (model.definition().is_informative)(&call))
}
