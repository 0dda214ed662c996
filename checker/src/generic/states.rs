//! Any specification as an object: its states are numbered and its steps cached, so that every search of an object's
//! history reuses the results of those before it.

use std::hash::BuildHasher;

use histories::{History, NEVER, Operation, Outcome, Value};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::{
    object::{Kind, NumberedStates, Object},
    unexplained::{UnexplainedValue, find_unexplained_value},
};
use crate::{
    Limits, UnknownWhy,
    automaton::{Automaton, State},
    budget::{Budget, Shortage},
    index::OptionalIndex,
    memory::{Share, of_table, of_vec},
    specification::{Call, Specification},
    state_words::in_words,
    verify::some_order,
};

/// Number of new states in a row of which the size of one is measured.
const STATES_PER_MEASURE: usize = 16;

/// Bytes of states for which memory is asked at once, if there are no more needed.
const BYTES_PER_QUESTION: usize = 1 << 14;

/// Estimated cost of a step by the specification, in cached steps.
const WORK_PER_STEP: usize = 8;

struct States<'a, S: Specification> {
    object: &'a S,
    kinds: FxHashMap<Call<'a>, Kind>,
    /// Calls by the numbers of their kinds.
    calls: Vec<Call<'a>>,
    /// States, each with the previous one that has the same hash.
    states: Vec<(S::State, OptionalIndex)>,
    /// Last state with each hash: no state is hashed twice.
    numbers: FxHashMap<u64, OptionalIndex>,
    /// State after a kind of call in a state, or none if the call is impossible.
    steps: FxHashMap<(State, Kind), OptionalIndex>,
    /// State in which calls are tried, and its number, or none if it is of no further use.
    hand: S::State,
    in_hand: OptionalIndex,
    /// Estimated bytes of the state that was measured last, of all states, and of as many as there is memory for.
    state_bytes: usize,
    bytes: usize,
    granted_bytes: usize,
    /// Work done, in cached steps.
    work: usize,
    memory: Share<'a>,
}

impl<'a, S: Specification> States<'a, S> {
    fn new(object: &'a S, limits: &Limits<'a>) -> Self {
        let hand = object.initial();
        let numbers = [(FxBuildHasher.hash_one(&hand), 0.into())].into_iter().collect();
        let (kinds, calls, steps) = (FxHashMap::default(), Vec::new(), FxHashMap::default());
        let (states, memory) = (vec![(hand.clone(), OptionalIndex::NONE)], limits.memory.share());
        let bytes = object.state_bytes(&hand);
        Self {
            object,
            kinds,
            calls,
            states,
            numbers,
            steps,
            hand,
            in_hand: 0.into(),
            state_bytes: bytes,
            bytes,
            granted_bytes: 0,
            work: 0,
            memory,
        }
    }

    fn step_anew(&mut self, state: State, kind: Kind) -> OptionalIndex {
        self.work += WORK_PER_STEP;
        if self.in_hand.get() != Some(state) {
            self.hand.clone_from(&self.states[state as usize].0);
        }
        self.in_hand = OptionalIndex::NONE;
        let is_possible = self.object.apply(&mut self.hand, &self.calls[kind.number as usize]);
        if kind.is_read_only {
            // Comparing is faster than a copy for each read. An impossible call, though, may leave any state.
            if self.hand == self.states[state as usize].0 {
                self.in_hand = state.into();
            }
        } else if is_possible {
            self.in_hand = self.number_in_hand().into();
        }
        let next = match is_possible {
            true if kind.is_read_only => state.into(),
            true => self.in_hand,
            false => OptionalIndex::NONE,
        };
        self.steps.insert((state, kind), next);
        next
    }

    fn number_in_hand(&mut self) -> u32 {
        let hash = FxBuildHasher.hash_one(&self.hand);
        let last = self.numbers.entry(hash).or_insert(OptionalIndex::NONE);
        let mut known = *last;
        while let Some(number) = known.get() {
            let (state, before) = &self.states[number as usize];
            if *state == self.hand {
                return number;
            }
            known = *before;
        }
        if self.states.len() % STATES_PER_MEASURE == 1 {
            self.state_bytes = self.object.state_bytes(&self.hand);
            self.bytes += STATES_PER_MEASURE * self.state_bytes;
        }
        let number = number(self.states.len());
        self.states.push((self.hand.clone(), std::mem::replace(last, number.into())));
        number
    }

    /// Returns the estimated bytes of this many states more.
    fn bytes_of_more(&self, more: usize) -> usize {
        more * self.state_bytes
    }
}

impl<'a, S: Specification> NumberedStates<'a> for States<'a, S> {
    fn kind(&mut self, call: Call<'a>) -> Kind {
        *self.kinds.entry(call).or_insert_with(|| {
            self.calls.push(call);
            Kind { number: number(self.calls.len() - 1), is_read_only: self.object.is_read_only(&call) }
        })
    }
}

impl<S: Specification> Automaton for States<'_, S> {
    type Action = Kind;

    fn initial(&self) -> State {
        0
    }

    fn step(&mut self, state: State, action: Kind) -> Option<State> {
        self.work += 1;
        let next = match self.steps.get(&(state, action)) {
            Some(&known) => known,
            None => self.step_anew(state, action),
        };
        next.get()
    }

    fn settle(&self, state: State, _rank: u32) -> State {
        state
    }

    fn useful_until(&self, _action: Kind) -> u32 {
        NEVER
    }

    /// Returns 0: the states keep an account of their own, as both searches use the same.
    fn memory_bytes(&self, _more: usize) -> usize {
        0
    }

    fn has_room(&self, more: usize) -> bool {
        let room = |length, capacity| length + more <= capacity;
        self.bytes + self.bytes_of_more(more) <= self.granted_bytes
            && room(self.states.len(), self.states.capacity())
            && room(self.numbers.len(), self.numbers.capacity())
            && room(self.steps.len(), self.steps.capacity())
    }

    fn may_grow(&mut self, more: usize) -> bool {
        let calls = self.calls.capacity() * size_of::<Call<'_>>() + of_table(&self.kinds, 0);
        let tables = of_vec(&self.states, more) + of_table(&self.numbers, more) + of_table(&self.steps, more);
        let granted = self.bytes + self.bytes_of_more(more).max(BYTES_PER_QUESTION);
        let is_granted = self.memory.hold(calls + tables + granted);
        if is_granted {
            self.granted_bytes = granted;
        }
        is_granted
    }

    fn reserve(&mut self, more: usize) {
        self.states.reserve(more);
        self.numbers.reserve(more);
        self.steps.reserve(more);
    }

    fn work(&self) -> usize {
        self.work
    }
}

impl<S: Specification> Object for S {
    fn has(&self, function: &str) -> bool {
        let nil = &Value::Nil;
        let call = Call { function, input: nil, to: nil, output: None, mismatch: false, process: 0 };
        !matches!(self.accepts(&call), Err(UnknownWhy::Function { .. }))
    }

    fn knows(&self, history: &History, operations: &[u32]) -> Result<(), UnknownWhy> {
        (operations.iter())
            .map(|&index| &history.operations[index as usize])
            .filter(|operation| operation.outcome != Outcome::Fail)
            .try_for_each(|operation| self.accepts(&self.call(history, operation)))
    }

    fn call<'h>(&self, history: &'h History, operation: &Operation) -> Call<'h> {
        Call::of(history, operation, self.depends_on_process())
    }

    fn only_looks(&self, call: &Call<'_>) -> bool {
        self.is_read_only(call)
    }

    fn part_of(&self, call: &Call<'_>) -> Option<Value> {
        self.part(call)
    }

    fn values_of(&self, call: &Call<'_>) -> Option<Vec<Value>> {
        self.about(call)
    }

    fn values_found(&self, call: &Call<'_>) -> Vec<Value> {
        self.finds(call)
    }

    fn values_left(&self, call: &Call<'_>) -> Vec<Value> {
        self.leaves(call)
    }

    fn find_unexplained_value(
        &self,
        history: &History,
        operations: &[u32],
        budget: &Budget<'_>,
    ) -> Result<Option<UnexplainedValue>, Shortage> {
        find_unexplained_value(self, history, operations, budget)
    }

    fn states(&self, history: &History, order: &[u32], budget: &Budget<'_>) -> Option<Vec<String>> {
        let mut state = self.initial();
        let after = |&index: &u32| {
            budget.step().ok()?;
            let is_possible = self.apply(&mut state, &self.call(history, &history.operations[index as usize]));
            is_possible.then(|| in_words(|out| self.write_state(&state, history, out)))
        };
        order.iter().map(after).collect()
    }

    fn numbered<'a>(&'a self, limits: &Limits<'a>) -> Box<dyn NumberedStates<'a> + 'a> {
        Box::new(States::new(self, limits))
    }

    fn has_order(
        &self,
        operations: &[Operation],
        calls: &[Call<'_>],
        tries: usize,
        budget: &Budget<'_>,
    ) -> Option<bool> {
        some_order(self, operations, calls, tries, budget)
    }
}

fn number(of: usize) -> u32 {
    u32::try_from(of).expect("a history has fewer operations than 2^32, and memory fewer states")
}
