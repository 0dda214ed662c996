//! Key of an object as its method sees it: the operations, the limits, the claim of a method, and the second opinion on
//! that claim.

use histories::{Function, History, NEVER, Operation, Outcome, Process, Value, ValueId};
use rustc_hash::FxHashSet;

use crate::{
    Evidence, Limits, UnknownWhy,
    budget::{Budget, Shortage},
    generic::{Object, ViolationOrigin, refute_alone, tell_unexplained},
    memory::Share,
    report::MAX_EVIDENCE,
    sorted::sorted,
    verify::ReplayError,
    words,
};

/// Question about one key: all but its operations.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub history: &'a History,
    pub initial: &'a Value,
    pub limits: &'a Limits<'a>,
    /// True if the order that is found matters to the caller.
    pub keep_order: bool,
}

/// Makes the sequential specification of an object that begins with this value.
pub(super) type NewObject = for<'a> fn(&'a Value) -> Box<dyn Object + 'a>;

/// Result of a method for one key, after the second opinion.
pub(crate) enum MethodResult {
    /// Linearization, which was replayed. May be empty unless [`Question::keep_order`] is set.
    Order(Vec<u32>),
    /// Violation: no order exists.
    Violation(Evidence),
    /// Limit that was reached, or an operation that the method lacks.
    Unknown(UnknownWhy),
}

/// Claim of a method: an order (indexes of operations), or the reason why it found none.
pub(super) type Claim = Result<Vec<u32>, SolveError>;

/// Reason why a method found no order.
pub(super) enum SolveError<V = Violation> {
    /// Violation: no order exists.
    Violation(V),
    /// Limit that was reached, or another reason why the method cannot decide.
    Unknown(UnknownWhy),
}

impl<V> From<UnknownWhy> for SolveError<V> {
    fn from(why: UnknownWhy) -> Self {
        Self::Unknown(why)
    }
}

impl From<Violation> for SolveError {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

/// Operations that have no order, and the reasons.
pub(super) struct Violation {
    pub operations: Vec<u32>,
    pub claim: String,
    pub reasons: Vec<String>,
    pub scope: Scope,
}

/// Assumption about the rest of the history under which the operations of a violation have no order.
pub(super) enum Scope {
    /// Absence of any assumption: they stand alone.
    Whole,
    /// Assumption named in these words.
    Among(String),
    /// Assumption that others may change the object too.
    Beside(Others),
}

/// Assumption of [`Others`] who add elements.
pub(super) const OTHER_ELEMENTS: &str = "whatever other elements were added";

/// Assumption about the changes that others may have made.
pub(super) struct Others {
    /// Assumption in words.
    pub assumption: &'static str,
    /// Elements that all others leave alone; `None` where changes cannot be told apart.
    pub elements: Option<Vec<Value>>,
    /// Specification under this assumption, of an object that begins with this value, given these elements.
    pub specification: for<'a> fn(&'a Value, &'a [Value]) -> Box<dyn Object + 'a>,
}

impl Violation {
    pub(super) fn new(operations: Vec<u32>, claim: String) -> Self {
        Self { operations, claim, reasons: Vec::new(), scope: Scope::Whole }
    }
}

/// Key of an object.
pub(crate) struct Key<'a> {
    question: Question<'a>,
    /// Name of the model.
    name: &'static str,
    specification: NewObject,
    budget: Budget<'a>,
    /// Indexes of the operations that took place or may have, ascending.
    pub(super) operations: Vec<u32>,
}

impl<'a> std::ops::Deref for Key<'a> {
    type Target = Question<'a>;

    fn deref(&self) -> &Question<'a> {
        &self.question
    }
}

impl<'a> Key<'a> {
    pub(super) fn new(
        question: &Question<'a>,
        name: &'static str,
        specification: NewObject,
        operations: Vec<u32>,
    ) -> Self {
        Self { question: *question, name, specification, budget: Budget::new(question.limits), operations }
    }

    /// Returns the same key with only these operations, which are ascending.
    pub(super) fn of(&self, operations: Vec<u32>) -> Self {
        Self::new(&self.question, self.name, self.specification, operations)
    }
}

impl Key<'_> {
    pub(super) fn operation(&self, index: u32) -> &Operation {
        &self.history.operations[index as usize]
    }

    /// Returns the rank at which an operation ended, [`NEVER`] if its outcome is unknown.
    pub(super) fn end(&self, index: u32) -> u32 {
        let operation = self.operation(index);
        if operation.outcome == Outcome::Ok { operation.completed } else { NEVER }
    }

    pub(super) fn name(&self, operation: &Operation) -> &str {
        self.history.function_name(operation.function)
    }

    pub(super) fn lacks(&self, operation: &Operation) -> UnknownWhy {
        UnknownWhy::Function { name: self.name(operation).to_owned(), model: None }
    }

    /// Counts steps, some of which query the limits. `explained` is the approximate number of completed operations
    /// explained so far.
    pub(super) fn steps(&self, more: usize, explained: usize) -> Result<(), UnknownWhy> {
        self.budget.steps(more).map_err(|out| self.exhausted(out, explained))
    }

    pub(super) fn exhausted(&self, out: Shortage, explained: usize) -> UnknownWhy {
        let (completed, unknown_outcomes) = self.counts();
        out.why(explained.min(completed), completed, unknown_outcomes)
    }

    /// Reserves memory for a method, as long as it keeps the share that is returned.
    pub(super) fn affords(&self, bytes: usize) -> Result<Share<'_>, UnknownWhy> {
        self.budget.may_take(bytes).map_err(|out| self.exhausted(out, 0))?;
        let mut share = self.limits.memory.share();
        share.account(bytes);
        Ok(share)
    }

    /// Returns the number of operations that completed, and of those of unknown outcome.
    pub(super) fn counts(&self) -> (usize, usize) {
        let completed = self.operations.iter().filter(|&&index| self.operation(index).outcome != Outcome::Info).count();
        (completed, self.operations.len() - completed)
    }

    /// Formats an operation: `read by process 3 at 1.200 s on n1`.
    pub(super) fn who(&self, what: &str, index: u32) -> String {
        words::made(self.history, what, index as usize)
    }

    /// Formats an operation with its argument: `enqueue 5 on k by process 3 at 1.200 s on n1`.
    pub(super) fn who_called(&self, index: u32) -> String {
        self.who(&words::call(self.history, index as usize), index)
    }

    /// Returns the first operation of such a name on a value that failed, but began before one that found it ended.
    pub(super) fn failed_attempt(&self, value: &Value, is_named: impl Fn(&str) -> bool, finder: u32) -> Option<u32> {
        let Operation { key, completed, .. } = *self.operation(finder);
        let is_attempt = |operation: &Operation| {
            operation.outcome == Outcome::Fail
                && operation.key == key
                && operation.invoked < completed
                && self.history.value(operation.input) == value
                && is_named(self.name(operation))
        };
        self.history.operations.iter().position(is_attempt).and_then(|index| u32::try_from(index).ok())
    }

    /// Says that no operation of such a name added a value that one found, or that the one that should have failed.
    /// Returns the latter (its index), too.
    pub(super) fn never_added(
        &self,
        value: &Value,
        is_named: impl Fn(&str) -> bool,
        added: &str,
        finder: u32,
    ) -> (String, Option<u32>) {
        let attempt = self.failed_attempt(value, is_named, finder);
        let why = attempt.map_or_else(
            || format!("which nobody ever {added}"),
            |attempt| format!("although {} failed, and no other one succeeded", self.who_called(attempt)),
        );
        (why, attempt)
    }

    /// Returns an operation that found a value which no other can have left by then as a violation.
    ///
    /// # Errors
    /// The limit that was reached.
    pub(super) fn unexplained(&self) -> Result<Option<Violation>, UnknownWhy> {
        let object = (self.specification)(self.initial);
        let found = object.find_unexplained_value(self.history, &self.operations, &self.budget);
        Ok(found.map_err(|out| self.exhausted(out, 0))?.map(|found| {
            let (claim, reasons) = tell_unexplained(self.history, &found);
            Violation { reasons, ..Violation::new(found.operations(), claim) }
        }))
    }

    /// Returns the process that made the call, as the history names it.
    pub(super) fn process(&self, index: u32) -> Process {
        self.history.process(self.operation(index).process)
    }

    pub(super) fn began(&self, index: u32) -> String {
        words::began(self.history, index as usize)
    }

    pub(super) fn ended(&self, index: u32) -> String {
        words::ended(self.history, index as usize)
    }

    /// Returns the decision that a claim about these operations leads to, after the second opinion.
    pub(super) fn verified(&self, operations: &[u32], claim: Claim) -> MethodResult {
        let object = (self.specification)(self.initial);
        match claim {
            Ok(order) => match object.replay(self.history, operations, &order, &self.budget) {
                Ok(()) => MethodResult::Order(order),
                Err(ReplayError::Shortage(out)) => MethodResult::Unknown(self.exhausted(out, 0)),
                Err(ReplayError::Wrong(why)) => {
                    let what = format!("the method for {} found an order that is none: {why}", self.name);
                    MethodResult::Unknown(UnknownWhy::Internal { what })
                }
            },
            Err(SolveError::Violation(violation)) => self.refuted(violation),
            Err(SolveError::Unknown(why)) => MethodResult::Unknown(why),
        }
    }

    /// Returns the decision for a violation, if the second opinion confirms it. If few additional operations make it
    /// stand alone, these are added.
    fn refuted(&self, violation: Violation) -> MethodResult {
        let (mut operations, mut besides) = (violation.operations.clone(), None);
        let mut object = (self.specification)(self.initial);
        match &violation.scope {
            Scope::Whole => {}
            Scope::Among(besides_what) => besides = Some(besides_what.clone()),
            Scope::Beside(others) => {
                let alone = self.alone(&operations, others);
                if alone.len() <= MAX_EVIDENCE {
                    operations = alone;
                } else {
                    object = (others.specification)(self.initial, others.elements.as_deref().unwrap_or_default());
                    besides = Some(others.assumption.to_owned());
                }
            }
        }
        let [operations, decisive] =
            [operations, violation.operations].map(|all| sorted(all.into_iter().map(|index| index as usize)));
        if let Err(doubt) = refute_alone(&*object, self.history, &operations, ViolationOrigin::OtherMethod, self.limits)
        {
            return MethodResult::Unknown(doubt.why(operations.len(), &violation.claim));
        }
        let Violation { claim, reasons, .. } = violation;
        let decisive = if decisive == operations { Vec::new() } else { decisive };
        MethodResult::Violation(Evidence { operations, decisive, besides, claim, reasons, ..Evidence::default() })
    }

    /// Returns these operations, with all increments that began before their end, or all that added an element that
    /// they saw.
    fn alone(&self, operations: &[u32], others: &Others) -> Vec<u32> {
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
            let counts = others.elements.is_none() || elements.contains(self.history.value(operation.input));
            !is_read(index) && counts && operation.invoked < end
        };
        sorted(self.operations.iter().copied().filter(changes).chain(operations.iter().copied()))
    }
}

/// Returns true if the answer only says that the call took place: it is absent, nil, or equal to the argument.
pub(super) fn says_nothing(operation: &Operation) -> bool {
    [ValueId::UNKNOWN, ValueId::NIL, operation.input].contains(&operation.output)
}
