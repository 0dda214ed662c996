//! A simulated system with logs and transactions: what it does is right, and what is planted in it is found.

use histories::{EventType, History, Value};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use super::{
    super::{ASSIGN_FROM_BEGINNING, Kafka, POLL, SEND},
    Done, Fail, Info, Invoke, agreed, claim, decided, history, list, shown,
};

type SimulatedEvent = (u64, EventType, &'static str, Value);

/// Offsets and values of each log that a poll shows.
type Shown = [Vec<(i64, i64)>; 2];

#[derive(Clone, Copy, PartialEq)]
enum State {
    Open,
    Committed,
    Aborted,
}

/// Open operation: its process, its micro-operations (none for a poll, or the log and the value of a send), what was
/// done of them, its transaction, and where its process was.
struct Open {
    process: u64,
    asked: Vec<Option<(usize, i64)>>,
    done: Vec<Value>,
    transaction: usize,
    begin: [usize; 2],
}

/// Two logs, whose slots hold a value of a transaction each, or the mark that it ended.
struct World {
    random: Pcg64,
    logs: [Vec<(Option<i64>, usize)>; 2],
    states: Vec<State>,
    idle: Vec<(u64, [usize; 2])>,
    processes: u64,
    open: Vec<Open>,
    values: i64,
    events: Vec<SimulatedEvent>,
}

impl World {
    fn new(seed: u64) -> Self {
        let idle = (0..3).map(|process| (process, [0; 2])).collect();
        let (logs, open, states, events) = ([vec![], vec![]], vec![], vec![], vec![]);
        Self { random: Pcg64::seed_from_u64(seed), logs, states, idle, processes: 3, open, values: 0, events }
    }

    fn name(&mut self, name: &str) -> Value {
        if self.events.len().is_multiple_of(2) { Value::keyword(name) } else { name.into() }
    }

    fn begin(&mut self) {
        let at = self.random.random_range(0..self.idle.len());
        let (process, begin) = self.idle.swap_remove(at);
        let count = self.random.random_range(1..=3);
        let mut asked = Vec::new();
        for _ in 0..count {
            self.values += 1;
            let log = self.random.random_range(0..2);
            asked.push((self.random.random_range(0..2) == 0).then_some((log, self.values)));
        }
        let micros = list(asked.clone().into_iter().map(|micro| self.asked(micro)));
        self.events.push((process, Invoke, function(&asked), micros));
        self.states.push(State::Open);
        let transaction = self.states.len() - 1;
        self.open.push(Open { process, asked, done: Vec::new(), transaction, begin });
    }

    fn asked(&mut self, micro: Option<(usize, i64)>) -> Value {
        match micro {
            Some((log, value)) => list([self.name(SEND), log_name(log), value.into()]),
            None => list([self.name(POLL)]),
        }
    }

    /// Carries out the next micro-operation of an open operation, or ends it.
    fn advance(&mut self, at: usize, positions: &mut [[usize; 2]]) {
        let place = self.open[at].done.len();
        let Some(&micro) = self.open[at].asked.get(place) else { return self.end(at, positions) };
        if self.random.random_range(0..20) == 0 {
            return self.end(at, positions);
        }
        let done = if let Some((log, value)) = micro {
            self.logs[log].push((Some(value), self.open[at].transaction));
            let is_told = self.random.random_range(0..5) > 0;
            let offset = if is_told { Value::from(signed(self.logs[log].len()) - 1) } else { Value::Nil };
            list([self.name(SEND), log_name(log), list([offset, value.into()])])
        } else {
            let process = usize::try_from(self.open[at].process).unwrap();
            let most = self.random.random_range(0..4);
            let shown = self.poll(&mut positions[process], most);
            polled(&shown)
        };
        self.open[at].done.push(done);
    }

    /// Returns what lies from a position on, at most so much of each log, up to what is still open.
    fn poll(&mut self, position: &mut [usize; 2], most: usize) -> Shown {
        [0, 1].map(|log| {
            let mut shown = Vec::new();
            while let Some((value, transaction)) = self.logs[log].get(position[log])
                && self.states[*transaction] != State::Open
                && shown.len() < most
            {
                let is_committed = self.states[*transaction] == State::Committed;
                shown.extend(value.filter(|_| is_committed).map(|value| (signed(position[log]), value)));
                position[log] += 1;
            }
            shown
        })
    }

    fn end(&mut self, at: usize, positions: &mut [[usize; 2]]) {
        let Open { process, asked, done, transaction, begin } = self.open.swap_remove(at);
        let is_done = done.len() == asked.len();
        let kind = match self.random.random_range(0..8) {
            0 => Fail,
            1 => Info,
            _ if is_done => Done,
            _ => Fail,
        };
        let is_committed = kind == Done || kind == Info && is_done && self.random.random_range(0..2) == 0;
        self.states[transaction] = if is_committed { State::Committed } else { State::Aborted };
        for log in 0..2 {
            if self.logs[log].iter().any(|(_, of)| *of == transaction) {
                self.logs[log].push((None, transaction));
            }
        }
        let rest = asked[done.len()..].to_vec();
        let rest: Vec<Value> = rest.into_iter().map(|micro| self.asked(micro)).collect();
        self.events.push((process, kind, function(&asked), list(done.into_iter().chain(rest))));
        let index = usize::try_from(process).unwrap();
        match kind {
            Info => {
                self.idle.push((self.processes, [0; 2]));
                self.processes += 1;
            }
            Fail => {
                positions[index] = begin;
                self.idle.push((process, begin));
            }
            _ => self.idle.push((process, positions[index])),
        }
    }
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap()
}

fn log_name(log: usize) -> Value {
    Value::Int(signed(log) + 5)
}

fn polled(logs: &Shown) -> Value {
    let logs = [0, 1].map(|log| (log_name(log), shown(&logs[log])));
    let logs = logs.into_iter().filter(|(_, shown)| *shown != Value::List(Vec::new()));
    list([Value::keyword(POLL), Value::map(logs.collect()).unwrap()])
}

fn function(asked: &[Option<(usize, i64)>]) -> &'static str {
    match asked.iter().filter(|micro| micro.is_some()).count() {
        0 => POLL,
        sends if sends == asked.len() => SEND,
        _ => "txn",
    }
}

/// Aborted value: its log, and its offset with the value itself.
type AbortedValue = (usize, (i64, i64));

/// Returns the events of a run, what a poll of all finds at its end, and an aborted value, if there is one.
fn run(seed: u64) -> (Vec<SimulatedEvent>, Shown, Option<AbortedValue>) {
    let mut world = World::new(seed);
    let mut positions = vec![[0; 2]; 200];
    for _ in 0..60 {
        if world.open.is_empty() || world.open.len() < 3 && world.random.random_range(0..3) == 0 {
            world.begin();
        } else {
            let at = world.random.random_range(0..world.open.len());
            world.advance(at, &mut positions);
        }
    }
    while !world.open.is_empty() {
        world.advance(0, &mut positions);
    }
    let all = world.poll(&mut [0; 2], usize::MAX);
    let failed: Vec<&Value> = world.events.iter().filter(|it| it.1 == Fail).map(|it| &it.3).collect();
    let mut aborted = None;
    for log in 0..2 {
        for (offset, (value, transaction)) in world.logs[log].iter().enumerate() {
            let is_known = |value: i64| failed.iter().any(|it| it.to_string().contains(&format!(",{value}]]")));
            if let Some(value) = value.filter(|value| is_known(*value))
                && world.states[*transaction] == State::Aborted
            {
                aborted = Some((log, (signed(offset), value)));
            }
        }
    }
    (world.events, all, aborted)
}

/// Adds the poll of all by a process that begins anew.
fn with_final_poll(mut events: Vec<SimulatedEvent>, all: &Shown) -> History {
    let logs = list([5.into(), 6.into()]);
    events.extend([
        (900, Invoke, ASSIGN_FROM_BEGINNING, logs.clone()),
        (900, Done, ASSIGN_FROM_BEGINNING, logs),
        (900, Invoke, POLL, list([list([Value::keyword(POLL)])])),
        (900, Done, POLL, list([polled(all)])),
    ]);
    history(&events)
}

#[test]
fn a_system_that_is_right_is_found_right_and_what_is_planted_is_found() {
    let mut planted = [0; 5];
    for seed in 0..400 {
        let (events, all, aborted) = run(seed);
        let right = with_final_poll(events.clone(), &all);
        assert_eq!(claim(&right), None, "seed {seed}: {events:?} {all:?}");
        let log = usize::from(all[0].len() < all[1].len());
        let last = all[log].len();
        if last < 2 {
            continue;
        }
        for (kind, count) in planted.iter_mut().enumerate() {
            let mut wrong = all.clone();
            match (kind, aborted) {
                // Known by the send or another poll, or else nobody can tell.
                (0, _) => drop(wrong[log].remove(all[0].len() % (last - 1))),
                (1, _) => {
                    let value = wrong[log][0].1;
                    wrong[log][0].1 = std::mem::replace(&mut wrong[log][1].1, value);
                }
                (2, _) => wrong[log].push(all[log][last - 1]),
                (3, _) => wrong[log][last - 1].1 = 9999,
                (_, Some((log, pair))) => {
                    wrong[log].push(pair);
                    wrong[log].sort_unstable();
                }
                _ => continue,
            }
            let found = claim(&with_final_poll(events.clone(), &wrong));
            let is_certain = kind > 1;
            assert!(found.is_some() || !is_certain, "seed {seed}, {kind}: {events:?} {wrong:?}");
            *count += usize::from(found.is_some());
        }
    }
    assert!(planted.iter().all(|count| *count > 50), "too little was planted: {planted:?}");
}

/// Changes one number of a value, the `at`th of it.
fn change(value: &mut Value, at: &mut usize, by: i64) {
    match value {
        Value::Int(number) => {
            if *at == 0 {
                *number += by;
            }
            *at = at.wrapping_sub(1);
        }
        Value::List(all) => all.iter_mut().for_each(|value| change(value, at, by)),
        Value::Map(map) => {
            let mut pairs: Vec<(Value, Value)> = map.iter().cloned().collect();
            for (_, value) in &mut pairs {
                change(value, at, by);
            }
            *value = Value::map(pairs).unwrap();
        }
        _ => {}
    }
}

/// Compares both definitions on runs of which a few numbers in completions are changed.
#[test]
fn both_definitions_agree_on_transactions() {
    let mut counts = [0; 2];
    for seed in 0..1500 {
        let (mut events, all, _) = run(seed);
        let mut random = Pcg64::seed_from_u64(seed);
        for _ in 0..random.random_range(1..3) {
            let at = random.random_range(0..events.len());
            let by = *[-1, 1, 2].get(random.random_range(0..3)).unwrap();
            if events[at].1 != Invoke {
                change(&mut events[at].3, &mut random.random_range(0..6), by);
            }
        }
        let changed = if random.random_range(0..2) == 0 { with_final_poll(events, &all) } else { history(&events) };
        let Ok(found) = decided(&Kafka, &changed, &Value::Nil) else { continue };
        counts[usize::from(agreed(&Kafka, &changed, &Value::Nil, found.as_ref(), seed))] += 1;
    }
    assert!(counts.iter().all(|count| *count > 200), "the comparison is one-sided: {counts:?}");
}
