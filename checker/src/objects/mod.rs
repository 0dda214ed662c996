//! Objects that are no registers, each by a method of its own that is exact and near-linear.
//!
//! Every method answers with an order or with a few operations that have none; both go through [`verify`] before they are believed.

mod counter;
mod mutex;
mod set;
mod switch;
mod verify;

use histories::{History, Operation, Outcome, Value, ValueId};

use crate::{Evidence, Limits, Model, UnknownWhy, evidence::Words, prepare::Prepared};

/// Orders that the second opinion tries on the evidence.
const MAX_TRIES: usize = 20_000;

/// What was found out about one key.
pub(crate) enum Found {
    /// An order explains everything, and was replayed.
    Order,
    /// None does.
    Violation(Evidence),
    /// A limit was reached, or the model lacks an operation.
    Unknown(UnknownWhy),
}

/// What a method claims: an order (indexes of operations), or a few operations that have none.
enum Claim {
    Order(Vec<u32>),
    Violation(Violation),
}

/// Operations that have no order, and why.
struct Violation {
    operations: Vec<u32>,
    claim: String,
    reasons: Vec<String>,
    /// Whether there is none either if increments beside these happened.
    despite_others: bool,
}

/// One key of an object.
struct Key<'a> {
    history: &'a History,
    model: Model,
    initial: &'a Value,
    limits: &'a Limits<'a>,
    /// Indexes of the operations that happened or may have, ascending.
    operations: Vec<u32>,
}

/// Decides one key; nothing if the model is a kind of register.
pub(crate) fn decide(
    history: &History,
    model: Model,
    initial: &Value,
    limits: &Limits<'_>,
    operations: &[u32],
) -> Option<Found> {
    if matches!(model, Model::Register | Model::KeyValue) {
        return None;
    }
    let happened = |&index: &u32| history.operations[index as usize].outcome != Outcome::Fail;
    let operations = operations.iter().copied().filter(happened).collect();
    let key = Key { history, model, initial, limits, operations };
    let found = match model {
        Model::Register | Model::KeyValue => return None,
        Model::Set => set::check(&key),
        Model::Counter => counter::check(&key).map(|claim| key.verified(&key.operations, claim)),
        Model::Mutex => mutex::check(&key).map(|claim| key.verified(&key.operations, claim)),
    };
    Some(found.unwrap_or_else(Found::Unknown))
}

impl Key<'_> {
    fn operation(&self, index: u32) -> &Operation {
        &self.history.operations[index as usize]
    }

    fn name(&self, operation: &Operation) -> &str {
        self.history.function_name(operation.function)
    }

    fn lacks(&self, operation: &Operation) -> UnknownWhy {
        UnknownWhy::Function { name: self.name(operation).to_owned() }
    }

    fn words(&self, tell: impl FnOnce(&Words<'_>) -> String) -> String {
        let prepared = Prepared { steps: Vec::new(), values: Vec::new(), failed: Vec::new() };
        tell(&Words { history: self.history, initial: self.initial, prepared: &prepared })
    }

    /// `read by process 3 at 1.200 s on n1`.
    fn who(&self, what: &str, index: u32) -> String {
        let node = match self.history.node(index as usize) {
            0 => String::new(),
            node => format!(" on n{node}"),
        };
        format!("{what} by process {} at {}{node}", self.operation(index).process, self.began(index))
    }

    fn began(&self, index: u32) -> String {
        self.words(|words| words.moment(words.times(index).invoked_ns, self.operation(index).invoked))
    }

    fn ended(&self, index: u32) -> String {
        self.words(|words| words.moment(words.times(index).completed_ns, self.operation(index).completed))
    }

    /// The claim on these operations as a verdict, after the second opinion.
    fn verified(&self, operations: &[u32], claim: Claim) -> Found {
        match claim {
            Claim::Order(order) => {
                if let Err(why) = verify::replay(self.history, self.model, self.initial, operations, &order) {
                    panic!(
                        "this is a bug in schism: the method for {:?} found an order that is none: {why}",
                        self.model
                    );
                }
                Found::Order
            }
            Claim::Violation(violation) => {
                let mut operations: Vec<usize> = violation.operations.iter().map(|&index| index as usize).collect();
                operations.sort_unstable();
                let despite = violation.despite_others;
                let trial =
                    verify::can_be_ordered(self.history, self.model, self.initial, &operations, despite, MAX_TRIES);
                assert!(
                    trial != Some(true),
                    "this is a bug in schism: operations {operations:?} can be ordered, although the checker says: {}",
                    violation.claim
                );
                let Violation { claim, reasons, .. } = violation;
                Found::Violation(Evidence { operations, claim, reasons, staleness: None })
            }
        }
    }
}

/// Whether a call's answer says nothing beyond that it happened: nothing, or its argument once more.
fn says_nothing(operation: &Operation) -> bool {
    [ValueId::UNKNOWN, ValueId::NIL, operation.input].contains(&operation.output)
}
