//! Tests of the isolation levels against their definitions, over all orders of a few transactions: lists, registers and
//! both at once, values that are written twice, aborted writes that are read, reads that contradict their own
//! transaction, initial values, unknown outcomes.
//!
//! The oracle permutes orders and keeps whole states, without memoization: slow, and simple.

mod random;

use checker::{Level, Limits, Status, TransactionReport, check_transactions_from};
use histories::{Event, EventType, History, Process, Value};

use self::random::{Mix, draw};
use crate::{oracles::share_of, random::paired};

const HISTORIES: u64 = 8_000;
const KEYS: usize = 3;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Op {
    Append(usize, i64),
    Write(usize, i64),
    Lists(usize, Vec<i64>),
    Holds(usize, Option<i64>),
}

#[derive(Clone, Debug)]
pub(crate) struct Txn {
    pub process: u64,
    pub invoked: usize,
    pub completed: usize,
    pub end: EventType,
    pub ops: Vec<Op>,
}

/// Initial state of a key: a list, a value, or neither.
#[derive(Clone, Debug, Default)]
struct First {
    list: Vec<i64>,
    value: Option<i64>,
}

#[derive(Clone, Debug)]
struct RandomHistory {
    txns: Vec<Txn>,
    is_list: [bool; KEYS],
    first: First,
}

type State = [Vec<i64>; KEYS];

impl RandomHistory {
    fn initially(&self) -> State {
        std::array::from_fn(|key| {
            if self.is_list[key] { self.first.list.clone() } else { self.first.value.into_iter().collect() }
        })
    }

    fn apply(state: &mut State, op: &Op) {
        match op {
            Op::Append(key, value) => state[*key].push(*value),
            Op::Write(key, value) => state[*key] = vec![*value],
            Op::Lists(..) | Op::Holds(..) => {}
        }
    }

    fn finds(state: &State, op: &Op) -> bool {
        match op {
            Op::Lists(key, list) => state[*key] == *list,
            Op::Holds(key, value) => state[*key].last().copied() == *value,
            Op::Append(..) | Op::Write(..) => true,
        }
    }

    /// Returns true if a transaction finds what it read, starting from this state.
    fn runs(&self, at: usize, state: &mut State) -> bool {
        self.txns[at].ops.iter().all(|op| {
            let found = self.txns[at].end != EventType::Ok || Self::finds(state, op);
            Self::apply(state, op);
            found
        })
    }

    fn certain(&self) -> Vec<usize> {
        (0..self.txns.len()).filter(|at| self.txns[*at].end == EventType::Ok).collect()
    }

    /// Tries all orders of the committed transactions with any of those of unknown outcome, until `right` accepts one.
    fn any_order(&self, right: &mut dyn FnMut(&[usize]) -> bool) -> bool {
        self.orders_from(&mut Vec::new(), right)
    }

    fn orders_from(&self, order: &mut Vec<usize>, right: &mut dyn FnMut(&[usize]) -> bool) -> bool {
        if self.certain().iter().all(|at| order.contains(at)) && right(order) {
            return true;
        }
        (0..self.txns.len()).any(|at| {
            if order.contains(&at) || self.txns[at].end == EventType::Fail {
                return false;
            }
            order.push(at);
            let found = self.orders_from(order, right);
            order.pop();
            found
        })
    }

    fn serializable(&self, level: Level) -> bool {
        self.any_order(&mut |order| {
            let in_order = (0..order.len()).all(|late| {
                (0..late).all(|early| {
                    let (first, then) = (&self.txns[order[early]], &self.txns[order[late]]);
                    let turned = then.end == EventType::Ok && then.completed < first.invoked;
                    !turned
                        || !(level == Level::StrictSerializable
                            || level == Level::StrongSessionSerializable && first.process == then.process)
                })
            });
            let mut state = self.initially();
            in_order && order.iter().all(|at| self.runs(*at, &mut state))
        })
    }

    fn changes(&self, at: usize, key: usize) -> bool {
        self.txns[at].ops.iter().any(|op| matches!(op, Op::Append(k, _) | Op::Write(k, _) if *k == key))
    }

    /// Decides snapshot isolation (Adya 1999, 4.3): each transaction reads from the state after some number of earlier
    /// commits, and the commits since then changed no key that it changes.
    fn on_snapshots(&self) -> bool {
        self.any_order(&mut |order| {
            let mut states = vec![self.initially()];
            order.iter().enumerate().all(|(place, at)| {
                let fits = (0..=place).any(|snapshot| {
                    let lost = order[snapshot..place]
                        .iter()
                        .any(|other| (0..KEYS).any(|key| self.changes(*other, key) && self.changes(*at, key)));
                    !lost && self.runs(*at, &mut states[snapshot].clone())
                });
                let mut after = states[place].clone();
                self.txns[*at].ops.iter().for_each(|op| Self::apply(&mut after, op));
                states.push(after);
                fits
            })
        })
    }

    /// Returns what a transaction's reads of lists claim: the whole list, and the part that was there before the
    /// transaction. For a read that contradicts its own transaction, both are the part that others appended.
    fn claims(&self, at: usize) -> Vec<(usize, Vec<i64>, Vec<i64>)> {
        let mut claims = Vec::new();
        let (mut own, mut base): ([Vec<i64>; KEYS], [Option<Vec<i64>>; KEYS]) = Default::default();
        for op in &self.txns[at].ops {
            if let Op::Append(key, value) = op {
                own[*key].push(*value);
            }
            let Op::Lists(key, list) = op else { continue };
            // No transaction appended the initial elements.
            let first = list.iter().zip(&self.first.list).take_while(|(a, b)| a == b).count();
            if list[first..].ends_with(&own[*key]) {
                let rest = list[..list.len() - own[*key].len()].to_vec();
                if base[*key].get_or_insert_with(|| rest.clone()) == &rest {
                    claims.push((*key, list.clone(), rest));
                    continue;
                }
            }
            let mut others = list.clone();
            while others.len() > first && others.last().is_some_and(|last| own[*key].contains(last)) {
                others.pop();
            }
            claims.push((*key, others.clone(), others));
        }
        claims
    }

    /// Decides read committed (Crooks et al. 2017): each read returns a value of some state between transactions before
    /// its own, or one that its own transaction wrote.
    fn read_committed(&self) -> bool {
        self.any_order(&mut |order| {
            let mut states = vec![self.initially()];
            for at in order {
                let mut after = states[states.len() - 1].clone();
                self.txns[*at].ops.iter().for_each(|op| Self::apply(&mut after, op));
                states.push(after);
            }
            let last = &states[states.len() - 1];
            order.iter().enumerate().filter(|(_, at)| self.txns[**at].end == EventType::Ok).all(|(place, at)| {
                let before = &states[..=place];
                let lists = self.claims(*at).iter().all(|(key, claim, base)| {
                    last[*key].starts_with(claim) && before.iter().any(|state| state[*key] == *base)
                });
                let mut own: [Vec<i64>; KEYS] = Default::default();
                lists
                    && self.txns[*at].ops.iter().all(|op| match op {
                        Op::Write(key, value) => {
                            own[*key].push(*value);
                            true
                        }
                        Op::Holds(key, value) => {
                            value.is_some_and(|value| own[*key].contains(&value))
                                || before.iter().any(|state| state[*key].last().copied() == *value)
                        }
                        Op::Append(..) | Op::Lists(..) => true,
                    })
            })
        })
    }

    /// Decides read uncommitted (Adya 1999: no G0): writes do not interleave, as far as the reads of lists agree on an
    /// order, and no element occurs more often than it was appended.
    fn read_uncommitted(&self) -> bool {
        let certain = self.certain();
        let mut by_key: Vec<Vec<Vec<i64>>> = vec![Vec::new(); KEYS];
        for at in &certain {
            for (key, claim, _) in self.claims(*at) {
                let same = claim.iter().zip(&self.first.list).take_while(|(a, b)| a == b).count();
                by_key[key].push(claim[same..].to_vec());
            }
        }
        for (key, claims) in by_key.iter().enumerate() {
            for value in claims.iter().flatten() {
                let added = self.added(key, |_| true).iter().filter(|(_, other)| other == value).count();
                let most = claims.iter().map(|claim| claim.iter().filter(|other| *other == value).count()).max();
                if added > 0 && most > Some(added) {
                    return false;
                }
            }
        }
        self.permutations(&certain, &mut Vec::new(), &by_key)
    }

    fn added(&self, key: usize, of: impl Fn(usize) -> bool) -> Vec<(usize, i64)> {
        let all = (0..self.txns.len()).filter(|at| of(*at));
        let all = all.flat_map(|at| self.txns[at].ops.iter().map(move |op| (at, op)));
        all.filter_map(|(at, op)| match op {
            Op::Append(other, value) if *other == key => Some((at, *value)),
            _ => None,
        })
        .collect()
    }

    fn permutations(&self, certain: &[usize], order: &mut Vec<usize>, by_key: &[Vec<Vec<i64>>]) -> bool {
        if order.len() == certain.len() {
            return (0..KEYS).all(|key| self.keeps(order, key, &by_key[key]));
        }
        certain.iter().any(|at| {
            if order.contains(at) {
                return false;
            }
            order.push(*at);
            let found = self.permutations(certain, order, by_key);
            order.pop();
            found
        })
    }

    fn keeps(&self, order: &[usize], key: usize, claims: &[Vec<i64>]) -> bool {
        let longest = claims.iter().max_by_key(|claim| claim.len()).cloned().unwrap_or_default();
        if claims.iter().all(|claim| longest.starts_with(claim)) {
            return self.assigns(order, key, &longest, &mut Vec::new());
        }
        let says = |a: i64, b: i64| {
            claims.iter().any(|claim| {
                let place = |value| claim.iter().position(|other| *other == value);
                match (place(a), place(b)) {
                    (Some(first), Some(then)) => first < then,
                    (first, None) => first.is_some(),
                    (None, Some(_)) => false,
                }
            })
        };
        let all = self.added(key, |at| self.txns[at].end != EventType::Ok || order.contains(&at));
        let unique = |value: i64| all.iter().filter(|(_, other)| *other == value).map(|(at, _)| at).collect::<Vec<_>>();
        let place = |at: usize| order.iter().position(|other| *other == at);
        all.iter().all(|(first, a)| {
            all.iter().all(|(then, b)| {
                let sure =
                    |value: i64, at: usize| unique(value).iter().all(|other| **other == at) && place(at).is_some();
                !(sure(*a, *first) && sure(*b, *then) && first != then && says(*a, *b) && !says(*b, *a))
                    || place(*first) < place(*then)
            })
        })
    }

    /// Returns true if each element of a list can be attributed to one of the transactions that appended it, or to one
    /// that is not certain to have happened, so that the elements of one transaction are contiguous and in the order of
    /// the transactions, and transactions with missing elements come after all others.
    fn assigns(&self, order: &[usize], key: usize, list: &[i64], given: &mut Vec<Option<usize>>) -> bool {
        if given.len() == list.len() {
            let places: Vec<usize> =
                (given.iter().flatten()).map(|at| order.iter().position(|other| other == at).unwrap()).collect();
            let last = places.last().copied();
            return places.is_sorted()
                && self.added(key, |at| order.contains(&at)).iter().all(|(at, _)| {
                    let place = order.iter().position(|other| other == at).unwrap();
                    let there = given.iter().flatten().filter(|other| *other == at).count();
                    let all = self.added(key, |other| other == *at).len();
                    there == all || last.is_none_or(|last| place >= last)
                });
        }
        let value = list[given.len()];
        let mut candidates: Vec<Option<usize>> = Vec::new();
        for at in order {
            let mine = self.added(key, |other| other == *at);
            let has = mine.iter().filter(|(_, other)| *other == value).count();
            let used = (given.iter().zip(list)).filter(|(to, other)| **to == Some(*at) && **other == value).count();
            if used < has {
                candidates.push(Some(*at));
            }
        }
        let of_certain = self.added(key, |at| order.contains(&at)).iter().any(|(_, other)| *other == value);
        let of_others =
            self.added(key, |at| self.txns[at].end != EventType::Ok).iter().any(|(_, other)| *other == value);
        if !of_certain || of_others {
            candidates.push(None);
        }
        candidates.into_iter().any(|candidate| {
            given.push(candidate);
            let found = self.assigns(order, key, list, given);
            given.pop();
            found
        })
    }

    fn holds(&self, level: Level) -> bool {
        match level {
            Level::ReadUncommitted => self.read_uncommitted(),
            Level::ReadCommitted => self.read_committed(),
            Level::SnapshotIsolation => self.on_snapshots(),
            _ => self.serializable(level),
        }
    }

    fn initial(&self) -> Value {
        match (&self.first.list[..], self.first.value) {
            ([], None) => Value::Nil,
            ([], Some(value)) => Value::Int(value),
            (list, _) => Value::List(list.iter().copied().map(Value::Int).collect()),
        }
    }

    fn check(&self) -> TransactionReport {
        check_transactions_from(&history(&self.txns), &self.initial(), &Limits::none())
    }
}

/// Builds a history of these transactions.
pub(crate) fn history(txns: &[Txn]) -> History {
    let mut events: Vec<(usize, Event<'static>)> = Vec::new();
    for txn in txns {
        let value = |filled: bool| {
            let name = |key: &usize| Value::from(["x", "y", "z"][*key]);
            let ops = txn.ops.iter().map(|op| match op {
                Op::Append(key, value) => Value::List(vec!["append".into(), name(key), Value::Int(*value)]),
                Op::Write(key, value) => Value::List(vec!["w".into(), name(key), Value::Int(*value)]),
                Op::Lists(key, _) | Op::Holds(key, _) if !filled => {
                    Value::List(vec!["r".into(), name(key), Value::Nil])
                }
                Op::Lists(key, list) => {
                    let list = list.iter().copied().map(Value::Int).collect();
                    Value::List(vec!["r".into(), name(key), Value::List(list)])
                }
                Op::Holds(key, value) => Value::List(vec!["r".into(), name(key), value.map_or(Value::Nil, Value::Int)]),
            });
            Some(Value::List(ops.collect()))
        };
        let event = |end| Event::new(Process::Client(txn.process), end, "txn");
        events.push((txn.invoked, Event { value: value(false), ..event(EventType::Invoke) }));
        events.push((txn.completed, Event { value: value(true), ..event(txn.end) }));
    }
    events.sort_by_key(|(at, _)| *at);
    paired(events.into_iter().map(|(_, event)| event))
}

/// Compares every level of each history with its definition; returns how often each level is refuted, and how often it
/// holds.
fn agree(mix: Mix) -> Vec<[u64; 2]> {
    let mut tally = vec![[0; 2]; Level::ALL.len()];
    for seed in 0..share_of(HISTORIES) {
        let drawn = draw(mix, seed);
        let report = drawn.check();
        for (place, level) in Level::ALL.into_iter().enumerate() {
            let truth = drawn.holds(level);
            let expected = if truth { Status::Holds } else { Status::Refuted };
            assert_eq!(report.status(level), expected, "seed {seed}, {level}: {drawn:#?}\n{report:#?}");
            tally[place][usize::from(truth)] += 1;
        }
        assert_eq!(report.order.is_some(), report.status(Level::Serializable) == Status::Holds);
        assert_eq!(
            report.anomalies.is_empty(),
            report.status(Level::StrictSerializable) == Status::Holds,
            "seed {seed}"
        );
    }
    tally
}

/// Checks that each level is refuted while the one below holds, and that it holds, in at least one of a thousand
/// histories.
fn occur(tally: &[[u64; 2]]) {
    let least = share_of(HISTORIES) / 1000;
    for pair in tally.windows(2) {
        assert!(pair[0][0] >= pair[1][0] + least, "{tally:?}");
    }
    assert!(tally.iter().all(|[_, held]| *held > least), "{tally:?}");
}

#[test]
fn of_few_lists_every_level_is_what_its_definition_says() {
    let tally = agree(Mix::Lists);
    occur(&tally);
    assert!(tally[5][0] > share_of(HISTORIES) / 1000, "{tally:?}");
}

#[test]
fn of_few_registers_every_level_is_what_its_definition_says() {
    let tally = agree(Mix::Registers);
    occur(&tally);
}

#[test]
fn of_few_lists_and_registers_every_level_is_what_its_definition_says() {
    let tally = agree(Mix::Both);
    occur(&tally);
}
