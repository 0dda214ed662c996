//! The `register` workload: reads, writes of unique values and cas on a few keys that all clients contend for.

use std::collections::HashMap;

use histories::Value;

use crate::{Action, Answer, Request, random::Random};

/// What the mix is made of.
#[derive(Clone, Debug)]
pub struct RegisterOptions {
    /// How many keys are in use at once, from 1.
    pub keys: u16,
    /// Reads in a hundred operations.
    pub read_percent: u8,
    /// Cas in a hundred operations; the rest are writes.
    pub cas_percent: u8,
    /// A key makes room for a fresh one after so many writes and cas …
    pub mutations_per_key: u32,
    /// … or after so many of them whose outcome is unknown: each stays open for ever, and a checker pays for it.
    pub unknowns_per_key: u32,
}

impl Default for RegisterOptions {
    fn default() -> Self {
        Self { keys: 5, read_percent: 50, cas_percent: 10, mutations_per_key: 1000, unknowns_per_key: 10 }
    }
}

/// A pure generator: the same seed, asked and told the same in the same order, says the same.
///
/// Every written value is unique (a counter over all keys). A key slot holds one key at a time, so that the number of operations
/// for each key is bounded while all clients still meet on the same few keys.
#[derive(Clone, Debug)]
pub struct Register {
    options: RegisterOptions,
    functions: Random,
    places: Random,
    next_value: i64,
    next_key: u32,
    slots: Vec<Slot>,
    /// By worker and slot: the key and the value of it that the worker saw last.
    seen: HashMap<(u16, usize), (u32, i64)>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    key: u32,
    mutations: u32,
    unknowns: u32,
}

impl Register {
    /// A generator that begins with the keys `k0` to `k(keys - 1)`.
    pub fn new(seed: u64, options: RegisterOptions) -> Self {
        let keys = u32::from(options.keys.max(1));
        Self {
            options,
            functions: Random::new(seed, "register function"),
            places: Random::new(seed, "register key"),
            next_value: 1,
            next_key: keys,
            slots: (0..keys).map(|key| Slot { key, mutations: 0, unknowns: 0 }).collect(),
            seen: HashMap::new(),
        }
    }

    /// What `worker` asks next. A cas expects the value that this worker saw last; where it saw none, it reads.
    pub fn next(&mut self, worker: u16) -> Request {
        let slots = u32::try_from(self.slots.len()).expect("there are at most 2^16 slots");
        let place = self.places.below(slots) as usize;
        let percent = self.functions.below(100);
        let key = self.slots[place].key;
        let (reads, cas) = (u32::from(self.options.read_percent), u32::from(self.options.cas_percent));
        let action = if percent < reads {
            Action::Read
        } else if percent < reads + cas {
            match self.seen.get(&(worker, place)) {
                Some((seen, from)) if *seen == key => Action::Cas { from: *from, to: self.fresh_value() },
                _ => Action::Read,
            }
        } else {
            Action::Write(self.fresh_value())
        };
        if action != Action::Read {
            self.slots[place].mutations += 1;
            if self.slots[place].mutations >= self.options.mutations_per_key {
                self.retire(place);
            }
        }
        Request { key, action }
    }

    /// What `worker` saw come of its request.
    pub fn observe(&mut self, worker: u16, request: &Request, answer: &Answer) {
        let Some(place) = self.slots.iter().position(|slot| slot.key == request.key) else { return };
        let seen = match (request.action, answer) {
            (Action::Read, Answer::Value(value)) | (Action::Cas { .. }, Answer::Mismatch(value)) => match value {
                Value::Int(number) => Some(*number),
                _ => None,
            },
            (Action::Write(value) | Action::Cas { to: value, .. }, Answer::Done) => Some(value),
            (Action::Write(_) | Action::Cas { .. }, Answer::Unknown(_)) => {
                self.slots[place].unknowns += 1;
                if self.slots[place].unknowns >= self.options.unknowns_per_key {
                    self.retire(place);
                }
                return;
            }
            _ => return,
        };
        if let Some(value) = seen {
            self.seen.insert((worker, place), (request.key, value));
        }
    }

    /// How many keys were in use so far: `k0` to one below.
    pub fn keys_used(&self) -> u32 {
        self.next_key
    }

    /// The keys in use now.
    pub fn live_keys(&self) -> impl Iterator<Item = u32> {
        self.slots.iter().map(|slot| slot.key)
    }

    fn fresh_value(&mut self) -> i64 {
        self.next_value += 1;
        self.next_value - 1
    }

    fn retire(&mut self, place: usize) {
        self.slots[place] = Slot { key: self.next_key, mutations: 0, unknowns: 0 };
        self.next_key += 1;
    }
}
