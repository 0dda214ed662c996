//! Workloads `register`, `causal` and `cas`: reads, writes and cas on a few keys that all clients contend for, of
//! unique values, or of a few that are written again and again. In `causal` there is no cas, since a client that it
//! tells what it found has one more cause of what it does.

use std::collections::HashMap;

use histories::Value;

use crate::{Action, Answer, Generator, Mix, Request, Workload, keys::Keys, random::Random};

/// Number of values in a workload of few; the same as in Jepsen's tutorial.
const FEW: u32 = 5;

/// Registers whose values are unique, so that each read tells which write it follows.
pub(crate) static REGISTER: Register = Register {
    name: "register",
    about: "reads, writes of unique values and cas on several independent keys",
    model: "register",
    cas: CasShare::AsAskedFor,
    has_few_values: false,
};

/// Registers whose reads must respect cause and effect over all keys.
pub(crate) static CAUSAL: Register = Register {
    name: "causal",
    about: "reads and writes of unique values on several keys, which are judged together",
    model: "causal",
    cas: CasShare::Nothing,
    has_few_values: false,
};

/// Registers of few values under much cas.
pub(crate) static CAS: Register = Register {
    name: "cas",
    about: "reads, writes of five values and as much cas on several independent keys",
    model: "cas-register",
    cas: CasShare::HalfOfChanges,
    has_few_values: true,
};

/// Workload of registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Register {
    name: &'static str,
    about: &'static str,
    model: &'static str,
    cas: CasShare,
    has_few_values: bool,
}

/// Share of cas among the operations.
#[derive(Clone, Copy, Debug)]
enum CasShare {
    Nothing,
    AsAskedFor,
    HalfOfChanges,
}

impl Workload for Register {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn model(&self) -> &'static str {
        self.model
    }

    fn generator(&self, seed: u64, mix: &Mix) -> Box<dyn Generator> {
        let cas_percent = match self.cas {
            CasShare::Nothing => 0,
            CasShare::AsAskedFor => mix.cas_percent,
            CasShare::HalfOfChanges => (100 - mix.read_percent) / 2,
        };
        let values = if self.has_few_values { Values::Few(Random::new(seed, "cas value")) } else { Values::Unique(1) };
        Box::new(Registers::new(seed, &Mix { cas_percent, ..mix.clone() }, values))
    }

    fn final_read(&self, key: u32) -> Request {
        Request::new(key, Action::Read)
    }

    fn probe_read(&self, key: u32) -> Request {
        Request::new(key, Action::Read)
    }

    fn probe_write(&self, key: u32, number: u32) -> Request {
        Request::new(key, Action::Write(number.into()))
    }
}

/// Values to write.
#[derive(Clone, Debug)]
enum Values {
    /// Values each of which is written once, over all keys; the next one.
    Unique(i64),
    /// A few values, drawn at random.
    Few(Random),
}

impl Values {
    fn next(&mut self) -> i64 {
        match self {
            Self::Unique(next) => {
                *next += 1;
                *next - 1
            }
            Self::Few(random) => random.below(FEW).into(),
        }
    }

    /// Returns a value that a register may well have, if anybody can tell.
    fn guess(&mut self) -> Option<i64> {
        if matches!(self, Self::Few(_)) { Some(self.next()) } else { None }
    }
}

/// Generator of operations on registers.
#[derive(Clone, Debug)]
struct Registers {
    read_percent: u8,
    cas_percent: u8,
    functions: Random,
    keys: Keys,
    values: Values,
    /// Key and value that each worker saw last.
    seen: HashMap<u16, (u32, i64)>,
}

impl Registers {
    fn new(seed: u64, mix: &Mix, values: Values) -> Self {
        Self {
            read_percent: mix.read_percent,
            cas_percent: mix.cas_percent,
            functions: Random::new(seed, "register function"),
            keys: Keys::new(seed, "register key", mix),
            values,
            seen: HashMap::new(),
        }
    }
}

impl Generator for Registers {
    /// Returns the next request of `worker`. A cas expects the value that this worker saw last, on its key: the fresher
    /// the value, the likelier a match. If that key is not in use any more, or there is none, it guesses one of few
    /// values, or reads instead.
    fn next(&mut self, worker: u16) -> Request {
        let key = self.keys.draw();
        let percent = self.functions.below(100);
        let (reads, cas) = (u32::from(self.read_percent), u32::from(self.cas_percent));
        let is_cas = (reads..reads + cas).contains(&percent);
        let seen = self.seen.get(&worker).copied().filter(|(key, _)| is_cas && self.keys.is_live(*key));
        let expected = if is_cas { seen.or_else(|| Some((key, self.values.guess()?))) } else { None };
        let (key, action) = match expected {
            Some((key, from)) => (key, Action::Cas { from, to: self.values.next() }),
            _ if percent < reads + cas => (key, Action::Read),
            _ => (key, Action::Write(self.values.next())),
        };
        if action != Action::Read {
            self.keys.count_change(key);
        }
        Request::new(key, action)
    }

    fn observe(&mut self, worker: u16, request: &Request, answer: &Answer) {
        let Some(key) = request.key.filter(|key| self.keys.is_live(*key)) else { return };
        let seen = match (&request.action, answer) {
            (Action::Read, Answer::Value(value)) | (Action::Cas { .. }, Answer::Mismatch(value)) => match value {
                Value::Int(number) => Some(*number),
                _ => None,
            },
            (Action::Write(value) | Action::Cas { to: value, .. }, Answer::Done) => Some(*value),
            (Action::Write(_) | Action::Cas { .. }, Answer::Unknown(_)) => return self.keys.count_unknown(key),
            _ => return,
        };
        if let Some(value) = seen {
            self.seen.insert(worker, (key, value));
        }
    }

    fn keys(&self) -> Vec<u32> {
        self.keys.all()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use histories::Value;

    use super::{CAS, Registers, Values};
    use crate::{Action, Answer, Generator, Mix, Request, Workload as _};

    /// Returns the first requests of `workers` in turn, where each takes effect at once; reads return the last value
    /// written.
    fn requests(register: &mut dyn Generator, workers: u16, count: usize) -> Vec<Request> {
        let mut state: BTreeMap<Option<u32>, Value> = BTreeMap::new();
        (0..workers)
            .cycle()
            .take(count)
            .map(|worker| {
                let request = register.next(worker);
                let found = state.get(&request.key).cloned().unwrap_or_default();
                let answer = match &request.action {
                    Action::Read => Answer::Value(found),
                    Action::Cas { from, .. } if found != (*from).into() => Answer::Mismatch(found),
                    Action::Write(value) | Action::Cas { to: value, .. } => {
                        state.insert(request.key, (*value).into());
                        Answer::Done
                    }
                    other => panic!("{other:?} is none of a register"),
                };
                register.observe(worker, &request, &answer);
                request
            })
            .collect()
    }

    fn register(seed: u64) -> Registers {
        with(seed, &Mix::default())
    }

    fn with(seed: u64, mix: &Mix) -> Registers {
        Registers::new(seed, mix, Values::Unique(1))
    }

    #[test]
    fn the_first_requests_of_a_seed_never_change() {
        let shown: Vec<_> = requests(&mut register(1), 3, 72)
            .iter()
            .skip(60)
            .map(|request| {
                let key = request.key_name().unwrap();
                match request.action {
                    Action::Read => format!("{key} read"),
                    Action::Write(value) => format!("{key} write {value}"),
                    Action::Cas { from, to } => format!("{key} cas {from} {to}"),
                    _ => unreachable!("{request:?}"),
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
                _ => None,
            })
            .collect();
        assert_eq!(written.iter().collect::<BTreeSet<_>>().len(), written.len());
    }

    #[test]
    fn few_values_are_written_as_often_as_they_are_compared_and_set() {
        let mut cas = CAS.generator(2, &Mix { cas_percent: 0, ..Mix::default() });
        let requests = requests(&mut *cas, 4, 20_000);
        let percent = |wanted: fn(&Action) -> bool| requests.iter().filter(|r| wanted(&r.action)).count() / 200;
        assert!((48..=52).contains(&percent(|action| *action == Action::Read)));
        assert!((23..=27).contains(&percent(|action| matches!(action, Action::Write(0..=4)))));
        let is_of_few = |action: &Action| matches!(action, Action::Cas { from: 0..=4, to: 0..=4 });
        assert!((23..=27).contains(&percent(is_of_few)));
    }

    #[test]
    fn a_cas_expects_what_its_own_client_saw_last() {
        let options = Mix { keys: 1, read_percent: 0, cas_percent: 100, ..Mix::default() };
        let mut register = with(1, &options);
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
        let options = Mix { keys: 2, mutations_per_key: 100, ..Mix::default() };
        let mut register = with(1, &options);
        let mut mutations: BTreeMap<u32, u32> = BTreeMap::new();
        for request in requests(&mut register, 4, 5000) {
            *mutations.entry(request.key.unwrap()).or_default() += u32::from(request.action != Action::Read);
        }
        assert!(mutations.values().all(|count| *count <= 100), "{mutations:?}");
        let all = register.keys();
        let live: BTreeSet<_> = all[all.len() - 2..].iter().copied().collect();
        assert!(mutations.iter().all(|(key, count)| *count == 100 || live.contains(key)), "{mutations:?}");
        assert_eq!(all.len(), mutations.keys().chain(&live).collect::<BTreeSet<_>>().len());
    }

    #[test]
    fn a_key_has_a_bounded_number_of_unknown_outcomes() {
        let options = Mix { keys: 1, unknowns_per_key: 3, read_percent: 0, cas_percent: 0, ..Mix::default() };
        let mut register = with(1, &options);
        let mut keys = Vec::new();
        for _ in 0..7 {
            let request = register.next(0);
            keys.push(request.key.unwrap());
            register.observe(0, &request, &Answer::Unknown(String::new()));
        }
        assert_eq!(keys, [0, 0, 0, 1, 1, 1, 2]);
        let late = Request::new(0, Action::Write(1));
        register.observe(0, &late, &Answer::Unknown(String::new()));
        assert_eq!(register.keys().len(), 3, "what comes late of a retired key changes nothing");
    }
}
