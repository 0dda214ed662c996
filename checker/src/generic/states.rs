//! Numbered states and cached steps: every search of an object's history reuses the results of those before it.

use std::{
    fmt::{self, Write},
    hash::BuildHasher,
};

use histories::Value;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::{
    Memory,
    memory::{Share, of_table, of_vec},
    specification::{Call, Specification},
};

/// Number of new states in a row of which the size of one is measured.
const STATES_PER_MEASURE: usize = 16;

/// Estimated cost of a step by the specification, in cached steps.
const WORK_PER_STEP: usize = 8;

/// Placeholder for no state.
const NONE: u32 = u32::MAX;

pub(super) struct States<'a, S: Specification> {
    pub object: &'a S,
    /// Number of each call. Equal calls have the same number.
    kinds: FxHashMap<Call<'a>, u32>,
    calls: Vec<Call<'a>>,
    /// True for the calls that are read-only.
    reads: Vec<bool>,
    /// States, each with the previous one that has the same hash.
    states: Vec<(S::State, u32)>,
    /// Last state with each hash: no state is hashed twice.
    numbers: FxHashMap<u64, u32>,
    /// State after a kind of call in a state, or [`NONE`] if the call is impossible.
    steps: FxHashMap<(u32, u32), u32>,
    /// State in which calls are tried, and its number, or [`NONE`] if it is of no further use.
    hand: S::State,
    in_hand: u32,
    /// Estimated bytes of the states themselves.
    bytes: usize,
    /// Work done, in cached steps.
    pub work: usize,
    /// Memory held by the current search.
    pub memory: Share<'a>,
}

impl<'a, S: Specification> States<'a, S> {
    pub(super) fn new(object: &'a S, memory: &'a Memory) -> Self {
        let hand = object.initial();
        let numbers = [(FxBuildHasher.hash_one(&hand), 0)].into_iter().collect();
        Self {
            object,
            kinds: FxHashMap::default(),
            calls: Vec::new(),
            reads: Vec::new(),
            states: vec![(hand.clone(), NONE)],
            numbers,
            steps: FxHashMap::default(),
            hand,
            in_hand: 0,
            bytes: 0,
            work: 0,
            memory: memory.share(),
        }
    }

    /// Returns the memory held with one step more, as an estimate.
    pub(super) fn bytes(&self) -> usize {
        let calls = self.calls.capacity() * (size_of::<Call<'_>>() + 1) + of_table(&self.kinds, 0);
        self.bytes + calls + of_vec(&self.states, 1) + of_table(&self.numbers, 1) + of_table(&self.steps, 1)
    }

    /// Returns the number of this call.
    pub(super) fn kind(&mut self, call: Call<'a>) -> u32 {
        *self.kinds.entry(call).or_insert_with(|| {
            self.calls.push(call);
            self.reads.push(self.object.is_read_only(&call));
            number(self.calls.len() - 1)
        })
    }

    pub(super) fn only_reads(&self, kind: u32) -> bool {
        self.reads[kind as usize]
    }

    /// Returns the state after such a call in this one, or `None` if it is impossible.
    pub(super) fn step(&mut self, state: u32, kind: u32) -> Option<u32> {
        self.work += 1;
        let next = match self.steps.get(&(state, kind)) {
            Some(&known) => known,
            None => self.step_anew(state, kind),
        };
        (next != NONE).then_some(next)
    }

    fn step_anew(&mut self, state: u32, kind: u32) -> u32 {
        self.work += WORK_PER_STEP;
        if self.in_hand != state {
            self.hand.clone_from(&self.states[state as usize].0);
        }
        self.in_hand = NONE;
        let is_possible = self.object.apply(&mut self.hand, &self.calls[kind as usize]);
        if self.reads[kind as usize] {
            // Comparing is faster than a copy for each read. An impossible call, though, may leave any state.
            if self.hand == self.states[state as usize].0 {
                self.in_hand = state;
            }
        } else if is_possible {
            self.in_hand = self.number_in_hand();
        }
        let next = match is_possible {
            true if self.reads[kind as usize] => state,
            true => self.in_hand,
            false => NONE,
        };
        self.steps.insert((state, kind), next);
        next
    }

    fn number_in_hand(&mut self) -> u32 {
        let hash = FxBuildHasher.hash_one(&self.hand);
        let last = self.numbers.entry(hash).or_insert(NONE);
        let mut known = *last;
        while known != NONE {
            let (state, before) = &self.states[known as usize];
            if *state == self.hand {
                return known;
            }
            known = *before;
        }
        if self.states.len() % STATES_PER_MEASURE == 1 {
            self.bytes += STATES_PER_MEASURE * bytes_of(&self.hand);
        }
        let number = number(self.states.len());
        self.states.push((self.hand.clone(), std::mem::replace(last, number)));
        number
    }
}

/// Estimates the maximum bytes that a state takes. Only its model knows the exact size, but every part that matters
/// shows in its debug text: text and digits count by their length, names and separators 10 bytes for each character,
/// room to grow included. Braces may be a tree, whose smallest node has room for eleven entries; brackets have room
/// for four.
fn bytes_of<T: fmt::Debug>(state: &T) -> usize {
    const NODE: usize = 600;
    const SHORT: usize = 4 * size_of::<Value>();
    #[derive(Default)]
    struct Count {
        bytes: usize,
        in_text: bool,
        is_escaped: bool,
    }
    impl Write for Count {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for byte in text.bytes() {
                self.bytes += match byte {
                    b'{' if !self.in_text => NODE,
                    b'[' if !self.in_text => SHORT,
                    b'0'..=b'9' => 1,
                    _ if self.in_text => 1,
                    _ => 10,
                };
                self.in_text ^= byte == b'"' && !self.is_escaped;
                self.is_escaped = byte == b'\\' && !self.is_escaped;
            }
            Ok(())
        }
    }
    let mut count = Count::default();
    write!(count, "{state:?}").expect("counting never fails");
    size_of::<T>() + count.bytes
}

pub(super) fn number(of: usize) -> u32 {
    u32::try_from(of).expect("a history has fewer operations than 2^32, and memory fewer states")
}
