//! Objects other than registers, each decided by a method of its own that is exact and near-linear.
//!
//! Every method answers with an order or with a few operations that have none. Both are verified by [`crate::verify`]
//! before they are believed.

mod bag;
mod container;
mod counter;
mod fifo;
mod gaps;
mod list;
mod mutex;
mod place;
mod priority_queue;
mod queue;
mod segments;
mod set;
mod snapshots;
mod stack;
mod switch;

use histories::{Function, History, Operation, Outcome, Process, Value, ValueId};
use rustc_hash::FxHashSet;

use crate::{
    Evidence, Limits, Model, Options, UnknownWhy,
    budget::{Budget, Exhausted},
    generic::{By, Object},
    memory::Share,
    model::{self, Counter, List, Register, Set},
    prepare::Prepared,
    report::MAX_EVIDENCE,
    specification::Argument,
    verify::Unconfirmed,
    words::Words,
};

/// Decision about one key.
pub(crate) enum Found {
    /// Linearization, which was replayed. May be empty unless [`Options::keep_order`] is set.
    Order(Vec<u32>),
    /// Violation: no order exists.
    Violation(Evidence),
    /// Limit that was reached, or an operation that the method lacks.
    Unknown(UnknownWhy),
}

/// Claim of a method: an order (indexes of operations), or a few operations that have none.
enum Claim {
    Order(Vec<u32>),
    Violation(Violation),
}

/// Operations that have no order, and the reasons.
struct Violation {
    operations: Vec<u32>,
    claim: String,
    reasons: Vec<String>,
    scope: Scope,
}

/// Assumption about the rest of the history under which the operations of a violation have no order.
enum Scope {
    /// Absence of any assumption: they stand alone.
    Whole,
    /// Assumption named in these words.
    Among(String),
    /// Assumption that others may increment the counter too.
    AmongIncrements,
    /// Assumption that the list or set may hold elements other than these.
    Elements(Vec<Value>),
}

impl Violation {
    fn new(operations: Vec<u32>, claim: String) -> Self {
        Self { operations, claim, reasons: Vec::new(), scope: Scope::Whole }
    }
}

/// Key of an object.
struct Key<'a> {
    history: &'a History,
    model: Model,
    initial: &'a Value,
    limits: &'a Limits<'a>,
    budget: Budget<'a>,
    keep_order: bool,
    /// Indexes of the operations that took place or may have, ascending.
    operations: Vec<u32>,
}

/// Decides one key. Returns `None` if the model has no method of its own.
pub(crate) fn decide(history: &History, options: &Options<'_>, operations: &[u32]) -> Option<Found> {
    if matches!(options.model, Model::Register | Model::KeyValue) {
        return None;
    }
    let happened = |&index: &u32| history.operations[index as usize].outcome != Outcome::Fail;
    let Options { model, ref initial, ref limits, keep_order, .. } = *options;
    let budget = Budget::new(limits);
    if let Err(out) = budget.may_take(2 * size_of_val(operations)) {
        return Some(Found::Unknown(out.among(history, operations)));
    }
    // Arguments that no method looks at are left to the specification.
    let mut arguments: [Option<Argument>; FUNCTIONS] = [None; FUNCTIONS];
    let fits = |&index: &u32| {
        let operation = &history.operations[index as usize];
        let known = &mut arguments[number(operation.function)];
        known.get_or_insert_with(|| model.argument(history.function_name(operation.function))).fits(operation)
    };
    let operations: Vec<u32> = operations.iter().copied().filter(happened).collect();
    if !operations.iter().all(fits) {
        return None;
    }
    let key = Key { history, model, initial, limits, budget, keep_order, operations };
    let found = match model {
        Model::Set => set::check(&key),
        Model::Counter => counter::check(&key).map(|claim| key.verified(&key.operations, claim)),
        Model::List => list::check(&key).map(|claim| key.verified(&key.operations, claim)),
        Model::Mutex | Model::FencedLock => mutex::check(&key).map(|claim| key.verified(&key.operations, claim)),
        Model::Bag => key.contained(&bag::KIND),
        Model::Queue => match key.contained(&queue::KIND) {
            Err(UnknownWhy::Function { .. } | UnknownWhy::Unsupported { .. }) => {
                fifo::check(&key).map(|claim| key.verified(&key.operations, claim))
            }
            found => found,
        },
        Model::Stack => key.contained(&stack::KIND),
        Model::PriorityQueue => key.contained(&priority_queue::KIND),
        _ => return None,
    };
    Some(found.unwrap_or_else(Found::Unknown))
}

impl Model {
    /// Returns true if objects of this model have a function of this name.
    pub fn has(self, function: &str) -> bool {
        self.specification(&Value::Nil).has(function)
    }

    /// Returns the sequential specification of this model.
    pub(crate) fn specification(self, initial: &Value) -> Box<dyn Object + '_> {
        match self {
            Self::Register => Box::new(Register::new(initial, false)),
            Self::KeyValue => Box::new(Register::new(initial, true)),
            Self::MultiRegister => Box::new(model::multi_register::MultiRegister::new(initial)),
            Self::Set => Box::new(Set::new(initial)),
            Self::Counter => Box::new(Counter::new(initial)),
            Self::Queue => Box::new(model::queue::Queue::new(initial)),
            Self::Bag => Box::new(model::bag::Bag::new(initial)),
            Self::Stack => Box::new(model::stack::Stack::new(initial)),
            Self::PriorityQueue => Box::new(model::priority_queue::PriorityQueue::new(initial)),
            Self::Mutex => Box::new(model::mutex::Mutex),
            Self::FencedLock => Box::new(model::fenced_lock::FencedLock::new(initial)),
            Self::List => Box::new(List::new(initial)),
        }
    }
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

impl<'a> Key<'a> {
    /// Returns the same key with only these operations, which are ascending.
    fn of(&self, operations: Vec<u32>) -> Key<'a> {
        let Self { history, model, initial, limits, keep_order, .. } = *self;
        Key { history, model, initial, limits, budget: Budget::new(limits), keep_order, operations }
    }
}

impl Key<'_> {
    /// Decides a container.
    fn contained(&self, kind: &container::Kind) -> Result<Found, UnknownWhy> {
        container::check(self, kind).map(|claim| self.verified(&self.operations, claim))
    }

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

    /// Counts steps, some of which query the limits. `explained` is the approximate number of completed operations
    /// explained so far.
    fn steps(&self, more: usize, explained: usize) -> Result<(), UnknownWhy> {
        self.budget.steps(more).map_err(|out| self.exhausted(out, explained))
    }

    fn exhausted(&self, out: Exhausted, explained: usize) -> UnknownWhy {
        let (completed, unknown_outcomes) = self.counts();
        out.why(explained.min(completed), completed, unknown_outcomes)
    }

    /// Reserves memory for a method, as long as it keeps the share that is returned.
    fn affords(&self, bytes: usize) -> Result<Share<'_>, UnknownWhy> {
        self.budget.may_take(bytes).map_err(|out| self.exhausted(out, 0))?;
        let mut share = self.limits.memory.share();
        share.account(bytes);
        Ok(share)
    }

    /// Returns the number of operations that completed, and of those of unknown outcome.
    fn counts(&self) -> (usize, usize) {
        let completed = self.operations.iter().filter(|&&index| self.operation(index).outcome != Outcome::Info).count();
        (completed, self.operations.len() - completed)
    }

    /// Formats an operation: `read by process 3 at 1.200 s on n1`.
    fn who(&self, what: &str, index: u32) -> String {
        let node = match self.history.node(index as usize) {
            0 => String::new(),
            node => format!(" on n{node}"),
        };
        format!("{what} by process {} at {}{node}", self.process(index), self.began(index))
    }

    /// Returns the process that made the call, as the history names it.
    fn process(&self, index: u32) -> Process {
        self.history.process(self.operation(index).process)
    }

    fn began(&self, index: u32) -> String {
        self.words(|words| words.moment(words.times(index).invoked_ns, self.operation(index).invoked))
    }

    fn ended(&self, index: u32) -> String {
        self.words(|words| words.moment(words.times(index).completed_ns, self.operation(index).completed))
    }

    /// Returns the decision that a claim about these operations leads to, after the second opinion.
    fn verified(&self, operations: &[u32], claim: Claim) -> Found {
        let object = self.model.specification(self.initial);
        match claim {
            Claim::Order(order) => match object.replay(self.history, operations, &order, &self.budget) {
                Ok(()) => Found::Order(order),
                Err(Unconfirmed::Exhausted(out)) => Found::Unknown(self.exhausted(out, 0)),
                Err(Unconfirmed::Wrong(why)) => {
                    let what = format!("the method for {:?} found an order that is none: {why}", self.model);
                    Found::Unknown(UnknownWhy::Internal { what })
                }
            },
            Claim::Violation(violation) => self.refuted(violation),
        }
    }

    /// Returns the decision for a violation, if the second opinion confirms it. If few additional operations make it
    /// stand alone, these are added.
    fn refuted(&self, violation: Violation) -> Found {
        let (mut operations, mut besides) = (violation.operations.clone(), None);
        let mut object = self.model.specification(self.initial);
        match &violation.scope {
            Scope::Whole => {}
            Scope::Among(besides_what) => besides = Some(besides_what.clone()),
            scope => {
                let alone = self.alone(&operations);
                if alone.len() <= MAX_EVIDENCE {
                    operations = alone;
                } else {
                    besides = Some(scope.in_words().to_owned());
                    object = match scope {
                        Scope::Elements(elements) if self.model == Model::Set => {
                            Box::new(Set::of_only(self.initial, elements))
                        }
                        Scope::Elements(elements) => Box::new(List::of_only(self.initial, elements)),
                        _ => Box::new(Counter::among_others(self.initial)),
                    };
                }
            }
        }
        let mut operations: Vec<usize> = operations.into_iter().map(|index| index as usize).collect();
        operations.sort_unstable();
        operations.dedup();
        if let Err(doubt) = object.refute(self.history, &operations, By::Another, self.limits) {
            return Found::Unknown(doubt.why(operations.len(), &violation.claim));
        }
        let Violation { claim, reasons, .. } = violation;
        Found::Violation(Evidence {
            operations,
            besides,
            claim,
            reasons,
            staleness: None,
            revisions: None,
            possible: None,
        })
    }

    /// Returns these operations, with all increments that began before their end, or all that added an element that
    /// they saw.
    fn alone(&self, operations: &[u32]) -> Vec<u32> {
        let is_read = |index: u32| self.operation(index).function == Function::Read;
        let end = operations.iter().map(|&index| self.operation(index).completed).max().unwrap_or(0);
        let mut elements: FxHashSet<&Value> = FxHashSet::default();
        for &index in operations {
            match self.history.value(self.operation(index).output) {
                Value::List(seen) if is_read(index) => elements.extend(seen),
                _ if !is_read(index) => elements.extend([self.history.value(self.operation(index).input)]),
                _ => {}
            }
        }
        let changes = |&index: &u32| {
            let operation = self.operation(index);
            let counts = self.model == Model::Counter || elements.contains(self.history.value(operation.input));
            !is_read(index) && counts && operation.invoked < end
        };
        let mut all: Vec<u32> =
            self.operations.iter().copied().filter(changes).chain(operations.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Scope {
    fn in_words(&self) -> &str {
        match self {
            Self::Whole => "",
            Self::Among(besides) => besides,
            Self::AmongIncrements => "however often others incremented the counter",
            Self::Elements(_) => "whatever other elements were added",
        }
    }
}

/// Returns true if the answer only says that the call took place: it is absent, nil, or equal to the argument.
fn says_nothing(operation: &Operation) -> bool {
    [ValueId::UNKNOWN, ValueId::NIL, operation.input].contains(&operation.output)
}
