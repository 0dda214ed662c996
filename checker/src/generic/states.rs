//! Numbered states and cached steps: every search of an object's history reuses the results of those before it.

use std::hash::BuildHasher;

use histories::{History, NEVER, Operation, Outcome};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::{
    Limits, UnknownWhy,
    automaton::{Act, Automaton, Effect, State},
    budget::{Budget, Shortage},
    index::OptionalIndex,
    memory::{Share, of_table, of_vec},
    prepare::Step,
    search::{Racers, SearchResult, race},
    specification::{Call, Specification},
};

/// Number of new states in a row of which the size of one is measured.
const STATES_PER_MEASURE: usize = 16;

/// Bytes of states for which memory is asked at once, if there are no more needed.
const BYTES_PER_QUESTION: usize = 1 << 14;

/// Estimated cost of a step by the specification, in cached steps.
const WORK_PER_STEP: usize = 8;

/// Kind of call: equal calls have the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    number: u32,
    is_read_only: bool,
}

impl Act for Kind {
    fn effect(self) -> Effect {
        if self.is_read_only { Effect::Look } else { Effect::Conditional }
    }
}

pub(super) struct States<'a, S: Specification> {
    pub object: &'a S,
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
    pub(super) fn new(object: &'a S, limits: &Limits<'a>) -> Self {
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

    /// Searches for an order of the operations with these indexes, in the order of their invocations. Certain
    /// operations need not take effect if `is_optional`.
    pub(super) fn search(
        &mut self,
        history: &'a History,
        operations: &[u32],
        is_optional: impl Fn(u32) -> bool,
        racers: Racers,
        limits: &Limits<'_>,
    ) -> RaceResult {
        let depends_on_process = self.object.depends_on_process();
        let calls = operations.iter().map(|&index| {
            let operation = history.operations[index as usize];
            (index, operation, Call::of(history, &operation, depends_on_process))
        });
        match self.steps(calls, is_optional, &Budget::new(limits)) {
            Ok(steps) => self.race(&steps, racers, limits),
            Err(out) => RaceResult::Limit(out.among(history, operations)),
        }
    }

    /// Lets these searches look for an order of the steps.
    pub(super) fn race(&mut self, steps: &[Step<Kind>], racers: Racers, limits: &Limits<'_>) -> RaceResult {
        // One search for all specifications: it is long, and a step by table lookup costs more than the call.
        let object: &mut dyn Automaton<Action = Kind> = self;
        match race(steps, object, racers, limits) {
            SearchResult::Order(order) => {
                RaceResult::Order(order.into_iter().map(|step| steps[step as usize].operation).collect())
            }
            SearchResult::Refuted(step) => RaceResult::Refuted(steps[step].end),
            SearchResult::GaveUp(_) => unreachable!("the searches of a race give nothing up"),
            SearchResult::Limit(why) => RaceResult::Limit(why),
        }
    }

    /// Turns calls, in the order of their starts, into steps: each with its operation and the index of that.
    pub(super) fn steps(
        &mut self,
        calls: impl Iterator<Item = (u32, Operation, Call<'a>)>,
        is_optional: impl Fn(u32) -> bool,
        budget: &Budget<'_>,
    ) -> Result<Vec<Step<Kind>>, Shortage> {
        let mut steps = Vec::new();
        for (index, operation, call) in calls {
            budget.step()?;
            let is_unknown = operation.outcome == Outcome::Info || is_optional(index);
            if operation.outcome == Outcome::Fail {
                continue;
            }
            let action = self.kind(call);
            // A look of unknown outcome is never needed.
            if !(is_unknown && action.is_look()) {
                let end = if is_unknown { NEVER } else { operation.completed };
                steps.push(Step { operation: index, start: operation.invoked, end, action });
            }
        }
        Ok(steps)
    }

    fn kind(&mut self, call: Call<'a>) -> Kind {
        *self.kinds.entry(call).or_insert_with(|| {
            self.calls.push(call);
            Kind { number: number(self.calls.len() - 1), is_read_only: self.object.is_read_only(&call) }
        })
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

/// Result of a search by a specification.
pub(crate) enum RaceResult {
    /// Linearization, as indexes of operations.
    Order(Vec<u32>),
    /// Violation: no order explains even what happened until this rank.
    Refuted(u32),
    /// Limit that was reached.
    Limit(UnknownWhy),
}

fn number(of: usize) -> u32 {
    u32::try_from(of).expect("a history has fewer operations than 2^32, and memory fewer states")
}
