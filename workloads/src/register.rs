//! Workload `register`: reads, writes of unique values and cas on a few keys that all clients contend for.

use std::collections::HashMap;

use histories::Value;

use crate::{Action, Answer, Request, random::Random};

/// Options of the mix of operations.
#[derive(Clone, Debug)]
pub struct RegisterOptions {
    /// Number of keys in use at once, from 1.
    pub keys: u16,
    /// Percentage of reads.
    pub read_percent: u8,
    /// Percentage of cas; the rest are writes.
    pub cas_percent: u8,
    /// Number of writes and cas after which a key is replaced by a new one.
    pub mutations_per_key: u32,
    /// Number of writes and cas with unknown outcome after which a key is replaced, too: each stays open for ever,
    /// which is expensive for a checker.
    pub unknowns_per_key: u32,
}

impl Default for RegisterOptions {
    fn default() -> Self {
        Self { keys: 5, read_percent: 50, cas_percent: 10, mutations_per_key: 1000, unknowns_per_key: 10 }
    }
}

/// Pure generator of requests: the same seed, and the same calls in the same order, give the same requests.
///
/// Every written value is unique (a counter over all keys). A key slot holds one key at a time, so that the number of
/// operations on each key is bounded while all clients still contend for the same few keys.
#[derive(Clone, Debug)]
pub struct Register {
    options: RegisterOptions,
    functions: Random,
    places: Random,
    next_value: i64,
    next_key: u32,
    slots: Vec<Slot>,
    /// Key and value that each worker saw last.
    seen: HashMap<u16, (u32, i64)>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    key: u32,
    mutations: u32,
    unknowns: u32,
}

impl Register {
    /// Creates a generator that begins with the keys `k0` to `k(keys - 1)`.
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

    /// Returns the next request of `worker`. A cas expects the value that this worker saw last, on its key: the fresher
    /// the value, the likelier a match. If that key is not in use any more, or there is none, it reads instead.
    pub fn next(&mut self, worker: u16) -> Request {
        let slots = u32::try_from(self.slots.len()).expect("there are at most 2^16 slots");
        let place = self.places.below(slots) as usize;
        let percent = self.functions.below(100);
        let (reads, cas) = (u32::from(self.options.read_percent), u32::from(self.options.cas_percent));
        let seen = self.seen.get(&worker).and_then(|(key, value)| Some((self.place_of(*key)?, *value)));
        let (place, action) = match seen {
            Some((place, from)) if (reads..reads + cas).contains(&percent) => {
                (place, Action::Cas { from, to: self.fresh_value() })
            }
            _ if percent < reads + cas => (place, Action::Read),
            _ => (place, Action::Write(self.fresh_value())),
        };
        let key = self.slots[place].key;
        if action != Action::Read {
            self.slots[place].mutations += 1;
            if self.slots[place].mutations >= self.options.mutations_per_key {
                self.retire(place);
            }
        }
        Request { key, action }
    }

    /// Tells the generator the answer to a request of `worker`.
    pub fn observe(&mut self, worker: u16, request: &Request, answer: &Answer) {
        let Some(place) = self.place_of(request.key) else { return };
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
            self.seen.insert(worker, (request.key, value));
        }
    }

    /// Returns the number of keys used so far: `k0` to one below.
    pub fn keys_used(&self) -> u32 {
        self.next_key
    }

    /// Returns the keys in use now.
    pub fn live_keys(&self) -> impl Iterator<Item = u32> {
        self.slots.iter().map(|slot| slot.key)
    }

    fn place_of(&self, key: u32) -> Option<usize> {
        self.slots.iter().position(|slot| slot.key == key)
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use histories::Value;

    use super::{Register, RegisterOptions};
    use crate::{Action, Answer, Request};

    /// Returns the first requests of `workers` in turn, where each takes effect at once; reads return the last value
    /// written.
    fn requests(register: &mut Register, workers: u16, count: usize) -> Vec<Request> {
        let mut state: BTreeMap<u32, Value> = BTreeMap::new();
        (0..workers)
            .cycle()
            .take(count)
            .map(|worker| {
                let request = register.next(worker);
                let found = state.get(&request.key).cloned().unwrap_or_default();
                let answer = match request.action {
                    Action::Read => Answer::Value(found),
                    Action::Cas { from, .. } if found != from.into() => Answer::Mismatch(found),
                    Action::Write(value) | Action::Cas { to: value, .. } => {
                        state.insert(request.key, value.into());
                        Answer::Done
                    }
                };
                register.observe(worker, &request, &answer);
                request
            })
            .collect()
    }

    fn register(seed: u64) -> Register {
        Register::new(seed, RegisterOptions::default())
    }

    #[test]
    fn the_first_requests_of_a_seed_never_change() {
        let shown: Vec<_> = requests(&mut register(1), 3, 72)
            .iter()
            .skip(60)
            .map(|request| {
                let key = request.key_name();
                match request.action {
                    Action::Read => format!("{key} read"),
                    Action::Write(value) => format!("{key} write {value}"),
                    Action::Cas { from, to } => format!("{key} cas {from} {to}"),
                }
            })
            .collect();
        assert_eq!(shown, GOLDEN);
    }

    const GOLDEN: [&str; 12] = [
        "k3 read",
        "k4 read",
        "k0 cas 26 29",
        "k3 cas 28 30",
        "k1 read",
        "k3 read",
        "k2 read",
        "k4 write 31",
        "k3 cas 30 32",
        "k1 read",
        "k0 read",
        "k3 write 33",
    ];

    #[test]
    fn the_mix_is_as_asked_for() {
        let requests = requests(&mut register(2), 4, 20_000);
        let percent = |wanted: fn(&Action) -> bool| requests.iter().filter(|r| wanted(&r.action)).count() / 200;
        assert!((48..=52).contains(&percent(|action| *action == Action::Read)));
        assert!((38..=42).contains(&percent(|action| matches!(action, Action::Write(_)))));
        assert!((8..=11).contains(&percent(|action| matches!(action, Action::Cas { .. }))));
    }

    #[test]
    fn what_is_written_is_unique() {
        let requests = requests(&mut register(2), 4, 20_000);
        let written: Vec<_> = requests
            .iter()
            .filter_map(|request| match request.action {
                Action::Write(value) | Action::Cas { to: value, .. } => Some(value),
                Action::Read => None,
            })
            .collect();
        assert_eq!(written.iter().collect::<BTreeSet<_>>().len(), written.len());
    }

    #[test]
    fn a_cas_expects_what_its_own_client_saw_last() {
        let options = RegisterOptions { keys: 1, read_percent: 0, cas_percent: 100, ..RegisterOptions::default() };
        let mut register = Register::new(1, options);
        let read = register.next(0);
        assert_eq!(read.action, Action::Read, "who saw nothing reads");
        register.observe(0, &read, &Answer::Value(Value::Nil));
        assert_eq!(register.next(0).action, Action::Read, "nothing is no value to expect");
        register.observe(0, &read, &Answer::Value(77.into()));
        assert_eq!(register.next(1).action, Action::Read, "another client saw it");
        let cas = register.next(0);
        assert_eq!(cas.action, Action::Cas { from: 77, to: 1 });
        register.observe(0, &cas, &Answer::Mismatch(78.into()));
        let cas = register.next(0);
        assert_eq!(cas.action, Action::Cas { from: 78, to: 2 });
        register.observe(0, &cas, &Answer::Done);
        assert_eq!(register.next(0).action, Action::Cas { from: 2, to: 3 });
    }

    #[test]
    fn a_key_has_a_bounded_number_of_mutations() {
        let options = RegisterOptions { keys: 2, mutations_per_key: 100, ..RegisterOptions::default() };
        let mut register = Register::new(1, options);
        let mut mutations: BTreeMap<u32, u32> = BTreeMap::new();
        for request in requests(&mut register, 4, 5000) {
            *mutations.entry(request.key).or_default() += u32::from(request.action != Action::Read);
        }
        assert!(mutations.values().all(|count| *count <= 100), "{mutations:?}");
        let live: BTreeSet<_> = register.live_keys().collect();
        assert!(mutations.iter().all(|(key, count)| *count == 100 || live.contains(key)), "{mutations:?}");
        assert_eq!(register.keys_used() as usize, mutations.keys().chain(&live).collect::<BTreeSet<_>>().len());
    }

    #[test]
    fn a_key_has_a_bounded_number_of_unknown_outcomes() {
        let options = RegisterOptions {
            keys: 1,
            unknowns_per_key: 3,
            read_percent: 0,
            cas_percent: 0,
            ..RegisterOptions::default()
        };
        let mut register = Register::new(1, options);
        let mut keys = Vec::new();
        for _ in 0..7 {
            let request = register.next(0);
            keys.push(request.key);
            register.observe(0, &request, &Answer::Unknown(String::new()));
        }
        assert_eq!(keys, [0, 0, 0, 1, 1, 1, 2]);
        let late = Request { key: 0, action: Action::Write(1) };
        register.observe(0, &late, &Answer::Unknown(String::new()));
        assert_eq!(register.keys_used(), 3, "what comes late of a retired key changes nothing");
    }
}
