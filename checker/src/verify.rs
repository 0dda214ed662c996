//! Second opinion: replays the order behind a "linearizable", and tries every order of the few operations behind a
//! "not linearizable".
//!
//! It knows only histories and sequential specifications: it shares no code with the methods that it verifies.

use histories::{Function, History, Operation, Outcome, Value, ValueId};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    Limits,
    budget::{Budget, Shortage},
    specification::{Call, Specification},
};

/// Maximum number of operations of which every order is tried.
const MAX_OPERATIONS: usize = 2048;

/// Number of places in an order that are filled between two queries of the limits.
const TRIES_PER_QUESTION: usize = 256;

/// Reason why an order is not confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReplayError {
    /// The order is no linearization, for this reason.
    Wrong(String),
    /// A limit was reached first.
    Shortage(Shortage),
}

impl From<String> for ReplayError {
    fn from(why: String) -> Self {
        Self::Wrong(why)
    }
}

impl From<Shortage> for ReplayError {
    fn from(out: Shortage) -> Self {
        Self::Shortage(out)
    }
}

/// Object that can give a second opinion: any [`Specification`], and registers.
pub(crate) trait Verify: Sync {
    /// Replays `order` (indexes of operations) as a linearization of the operations with the indexes `all`, which are
    /// ascending.
    ///
    /// # Errors
    /// The reason why `order` is not a linearization, or the limit that was reached.
    fn replay(&self, history: &History, all: &[u32], order: &[u32], budget: &Budget<'_>) -> Result<(), ReplayError>;
}

impl<S: Specification> Verify for S {
    fn replay(&self, history: &History, all: &[u32], order: &[u32], budget: &Budget<'_>) -> Result<(), ReplayError> {
        let mut state = self.initial();
        // One replay for all specifications: it is longer than the call takes.
        let apply: &mut dyn FnMut(&Operation) -> bool =
            &mut |operation| self.apply(&mut state, &Call::of(history, operation, self.depends_on_process()));
        replay_by(history, all, order, budget, apply)
    }
}

/// Register without `append` that begins with this value, and compares values by number: registers have the longest
/// histories.
pub(crate) struct RegisterByNumber<'a>(pub(crate) &'a Value);

impl Verify for RegisterByNumber<'_> {
    fn replay(&self, history: &History, all: &[u32], order: &[u32], budget: &Budget<'_>) -> Result<(), ReplayError> {
        // No other value has this number, so it can stand for an initial value that the history does not mention.
        let initial = history.values.find(self.0).unwrap_or(ValueId::UNKNOWN);
        let mut value = initial;
        replay_by(history, all, order, budget, |operation| {
            let Operation { function, input, output, .. } = *operation;
            let is_mismatch = operation.outcome == Outcome::Mismatch;
            match function {
                Function::Read => return output == value,
                Function::Cas if is_mismatch => {
                    return input != value && (output == ValueId::UNKNOWN || output == value);
                }
                Function::Cas if input != value => return false,
                Function::Cas => value = operation.to,
                Function::Write => value = input,
                Function::Delete => value = initial,
                Function::Append | Function::Other(_) => return false,
            }
            true
        })
    }
}

/// Replays `order`: it must contain every operation of `all` that must take place, none twice, respect real time, and
/// each operation must be applicable.
fn replay_by(
    history: &History,
    all: &[u32],
    order: &[u32],
    budget: &Budget<'_>,
    mut apply: impl FnMut(&Operation) -> bool,
) -> Result<(), ReplayError> {
    let first = all.first().map_or(0, |index| index / 64);
    let mut seen = vec![0_u64; all.last().map_or(0, |index| (index / 64 - first + 1) as usize)];
    let mut last_start = 0;
    let mut certain = 0;
    for &index in order {
        budget.step()?;
        let operation = &history.operations[index as usize];
        let word = &mut seen[(index / 64 - first) as usize];
        if *word >> (index % 64) & 1 == 1 {
            return Err(format!("operation {index} twice").into());
        }
        *word |= 1 << (index % 64);
        if operation.completed < last_start {
            return Err(format!("operation {index} after one that began when it was over").into());
        }
        last_start = last_start.max(operation.invoked);
        certain += usize::from(must_take_place(operation));
        if operation.outcome == Outcome::Fail || !apply(operation) {
            return Err(format!("operation {index} could not have seen what it saw").into());
        }
    }
    let (mut held, mut due) = (0, certain);
    for &index in all {
        let is_held = seen[(index / 64 - first) as usize] >> (index % 64) & 1 == 1;
        held += usize::from(is_held);
        due += usize::from(!is_held && must_take_place(&history.operations[index as usize]));
    }
    if held < order.len() {
        return Err("an operation of something else".to_owned().into());
    }
    if due == certain { Ok(()) } else { Err(format!("{certain} of {due} certain operations").into()) }
}

/// Returns true if every order must contain this operation.
fn must_take_place(operation: &Operation) -> bool {
    match operation.outcome {
        Outcome::Ok => operation.function != Function::Read || operation.output != ValueId::UNKNOWN,
        Outcome::Mismatch => operation.function == Function::Cas,
        Outcome::Fail | Outcome::Info => false,
    }
}

/// Returns the calls of these operations of one register for an order of just these: a cas whose expected value is
/// set by other operations of its key, but by none of these, counts as a write.
pub(crate) fn register_calls<'a>(history: &'a History, initial: &Value, operations: &[Operation]) -> Vec<Call<'a>> {
    let set = |o: &Operation| match o.function {
        _ if matches!(o.outcome, Outcome::Fail | Outcome::Mismatch) => None,
        Function::Write => Some(o.input),
        Function::Cas => Some(o.to),
        Function::Append | Function::Delete | Function::Read | Function::Other(_) => None,
    };
    let here: FxHashSet<ValueId> = operations.iter().filter_map(set).collect();
    let is_swap = |o: &Operation| o.function == Function::Cas && o.outcome != Outcome::Mismatch;
    let is_left_here = |o: &Operation| history.value(o.input) != initial && !here.contains(&o.input);
    let mut elsewhere = FxHashSet::default();
    if operations.iter().any(|o| is_swap(o) && is_left_here(o)) {
        let keys: FxHashSet<ValueId> = operations.iter().map(|o| o.key).collect();
        elsewhere = history.operations.iter().filter(|o| keys.contains(&o.key)).filter_map(set).collect();
    }
    let call = |o: &Operation| {
        let call = Call::of(history, o, false);
        if is_swap(o) && is_left_here(o) && elsewhere.contains(&o.input) {
            return Call { function: "write", input: call.to, ..call };
        }
        call
    };
    operations.iter().map(call).collect()
}

/// Returns true if some order explains just these operations when the last of them is assumed to have answered
/// `answer`, which need not occur in the history. Returns `None` if there are too many to try.
pub(crate) fn explains_answer(
    object: &impl Specification,
    history: &History,
    operations: &[Operation],
    answer: &Value,
    tries: usize,
) -> Option<bool> {
    let mut calls: Vec<Call<'_>> =
        operations.iter().map(|operation| Call::of(history, operation, object.depends_on_process())).collect();
    if let Some(last) = calls.last_mut() {
        last.output = Some(answer);
    }
    some_order(object, operations, &calls, tries, &Budget::new(&Limits::none()))
}

/// Returns true if some order explains these calls, the i-th made by the i-th operation. Returns `None` if deciding
/// that takes more than `tries` or the time allowed.
pub(crate) fn some_order<S: Specification>(
    object: &S,
    operations: &[Operation],
    calls: &[Call<'_>],
    tries: usize,
    budget: &Budget<'_>,
) -> Option<bool> {
    if operations.len() > MAX_OPERATIONS {
        return None;
    }
    Trial::new(object, operations, calls).go(tries, budget)
}

/// Set of operations that took place, as a bit set in words of 64.
type OperationSet = Box<[u64]>;

struct Trial<'a, S: Specification> {
    object: &'a S,
    operations: &'a [Operation],
    calls: &'a [Call<'a>],
    twins: Vec<Option<usize>>,
    dead_ends: FxHashSet<(OperationSet, S::State)>,
}

/// Returns the previous operation with the same call, for each operation of unknown outcome: it may as well take place
/// first.
fn twins(operations: &[Operation], calls: &[Call<'_>]) -> Vec<Option<usize>> {
    let mut last: FxHashMap<&Call<'_>, usize> = FxHashMap::default();
    let mut by_start: Vec<usize> = (0..operations.len()).collect();
    by_start.sort_by_key(|&place| operations[place].invoked);
    let mut twins = vec![None; operations.len()];
    for place in by_start {
        if operations[place].outcome == Outcome::Info {
            twins[place] = last.insert(&calls[place], place);
        }
    }
    twins
}

/// Prefix of an order, and what to try next.
struct Beginning<T> {
    done: OperationSet,
    state: T,
    /// Completion of the first operation that must still take place: no operation that began later can come before
    /// it.
    end: u32,
    next: usize,
}

impl<'a, S: Specification> Trial<'a, S> {
    fn new(object: &'a S, operations: &'a [Operation], calls: &'a [Call<'a>]) -> Self {
        Self { object, operations, calls, twins: twins(operations, calls), dead_ends: FxHashSet::default() }
    }

    fn go(mut self, tries: usize, budget: &Budget<'_>) -> Option<bool> {
        let done = vec![0; self.operations.len().div_ceil(64)].into_boxed_slice();
        let Some(first) = self.begin(done, self.object.initial()) else { return Some(true) };
        let (mut path, mut left) = (vec![first], tries);
        while let Some(now) = path.last_mut() {
            let Some((done, state)) = self.next(now) else {
                path.pop();
                continue;
            };
            let Some(further) = self.begin(done, state) else { return Some(true) };
            if self.dead_ends.insert((further.done.clone(), further.state.clone())) {
                left = left.checked_sub(1)?;
                if left.is_multiple_of(TRIES_PER_QUESTION) {
                    budget.ask().ok()?;
                }
                path.push(further);
            }
        }
        Some(false)
    }

    /// Returns `None` if every operation that must take place has.
    fn begin(&self, done: OperationSet, state: S::State) -> Option<Beginning<S::State>> {
        let end = next_end(self.operations, &done)?;
        Some(Beginning { done, state, end, next: 0 })
    }

    /// Applies the next operation that can follow.
    fn next(&self, now: &mut Beginning<S::State>) -> Option<(OperationSet, S::State)> {
        while now.next < self.operations.len() {
            let place = now.next;
            now.next += 1;
            let operation = &self.operations[place];
            let is_ahead = self.twins[place].is_some_and(|twin| !is_done(&now.done, twin));
            if is_done(&now.done, place)
                || operation.outcome == Outcome::Fail
                || operation.invoked >= now.end
                || is_ahead
            {
                continue;
            }
            let mut state = now.state.clone();
            if !self.object.apply(&mut state, &self.calls[place])
                || operation.outcome == Outcome::Info && state == now.state
            {
                continue;
            }
            let mut done = now.done.clone();
            done[place / 64] |= 1 << (place % 64);
            return Some((done, state));
        }
        None
    }
}

/// Returns the completion of the first operation that must still take place.
fn next_end(operations: &[Operation], done: &[u64]) -> Option<u32> {
    let is_due = |place: &usize| !is_done(done, *place) && must_take_place(&operations[*place]);
    (0..operations.len()).filter(is_due).map(|place| operations[place].completed).min()
}

fn is_done(done: &[u64], place: usize) -> bool {
    done[place / 64] >> (place % 64) & 1 == 1
}
