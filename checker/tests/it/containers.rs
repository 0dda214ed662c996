//! Tests of queues, stacks, priority queues and bags: the methods agree with trying every order, on a million random
//! small histories of each, and find what was planted in large ones.

use std::ops::Range;

use checker::{Method, Model, Options, Report, Verdict, check};
use histories::{Event, EventType, History, Operation, Outcome, Value, ValueId};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use crate::{
    build::history,
    oracles::share_of,
    random::{paired, record, swap},
};

const HISTORIES: u64 = 1_000_000;
const MAX_OPERATIONS: usize = 8;
/// One in this many histories is also searched without the methods.
const SEARCHED: u64 = 10;

/// Returns the names of the functions that insert and remove.
fn names(model: Model) -> [&'static str; 2] {
    match model {
        Model::Queue => ["enqueue", "dequeue"],
        Model::Stack => ["push", "pop"],
        Model::Bag => ["add", "take"],
        _ => ["insert", "poll"],
    }
}

/// Returns the positions of the values of which one is removed next.
fn next(model: Model, inside: &[i64]) -> Range<usize> {
    let all = 0..inside.len();
    match model {
        Model::Queue => 0..all.end.min(1),
        Model::Stack => all.end.saturating_sub(1)..all.end,
        Model::Bag => all,
        _ => all.min_by_key(|&place| inside[place]).map_or(0..0, |place| place..place + 1),
    }
}

/// Returns true if some order explains these operations, except for those whose bits are set in `done`.
fn can_be_ordered(model: Model, history: &History, inside: &[i64], all: &[&Operation], done: u32) -> bool {
    let left = |place: &usize| done >> place & 1 == 0;
    let certain = (0..all.len()).filter(left).filter(|&place| all[place].outcome == Outcome::Ok);
    let Some(end) = certain.map(|place| all[place].completed).min() else { return true };
    (0..all.len()).filter(left).filter(|&place| all[place].invoked < end).any(|place| {
        let operation = all[place];
        let goes_on = |left: &[i64]| can_be_ordered(model, history, left, all, done | 1 << place);
        let answers = |found: Value| operation.outcome != Outcome::Ok || *history.value(operation.output) == found;
        if history.function_name(operation.function) == names(model)[0] {
            let Value::Int(number) = history.value(operation.input) else { panic!("values are numbers") };
            return goes_on(&[inside, &[*number]].concat());
        }
        if inside.is_empty() {
            return answers(Value::Nil) && goes_on(inside);
        }
        next(model, inside).any(|taken| {
            answers(Value::Int(inside[taken])) && goes_on(&[&inside[..taken], &inside[taken + 1..]].concat())
        })
    })
}

/// Call of a client that waits for an answer: function, argument, and the answer once the operation took effect.
type Call = (&'static str, Value, Option<Value>);

struct Simulation {
    model: Model,
    rng: Pcg64,
    inside: Vec<i64>,
    /// Numbers, in the order in which they are inserted.
    numbers: Vec<i64>,
    put: usize,
    events: Vec<Event<'static>>,
}

impl Simulation {
    fn record(&mut self, process: u64, kind: EventType, f: &'static str, value: Value) {
        record(&mut self.events, process, kind, f, Some(value));
    }

    fn take_effect(&mut self, (f, argument, answer): &mut Call) {
        let [put, _] = names(self.model);
        *answer = Some(match argument {
            Value::Int(number) if *f == put => {
                self.inside.push(*number);
                Value::Nil
            }
            _ => match next(self.model, &self.inside) {
                none if none.is_empty() => Value::Nil,
                some => Value::Int(self.inside.remove(self.rng.random_range(some))),
            },
        });
    }

    fn call(&mut self) -> Call {
        let [put, take] = names(self.model);
        if self.rng.random_bool(0.5) {
            self.put += 1;
            return (put, Value::Int(self.numbers[self.put - 1]), None);
        }
        (take, Value::Nil, None)
    }

    /// Runs `count` clients; of 1,000 operations, `unknown` get an unknown outcome.
    fn run(&mut self, mut left: usize, count: u64, unknown: u32) {
        let mut clients: Vec<(u64, Option<Call>)> = (0..count).map(|process| (process, None)).collect();
        let mut next = count;
        while left > 0 || clients.iter().any(|(_, call)| call.is_some()) {
            let at = self.rng.random_range(0..clients.len());
            let process = clients[at].0;
            clients[at].1 = match clients[at].1.take() {
                None if left > 0 => {
                    left -= 1;
                    let call = self.call();
                    self.record(process, EventType::Invoke, call.0, call.1.clone());
                    Some(call)
                }
                None => None,
                Some((f, _, Some(_))) if self.rng.random_range(0..1000) < unknown => {
                    self.record(process, EventType::Info, f, Value::Nil);
                    (clients[at].0, next) = (next, next + 1);
                    None
                }
                Some((f, _, Some(answer))) => {
                    self.record(process, EventType::Ok, f, answer);
                    None
                }
                Some((f, ..)) if self.rng.random_range(0..3000) < unknown => {
                    self.record(process, EventType::Fail, f, Value::Nil);
                    None
                }
                Some(mut call) => {
                    self.take_effect(&mut call);
                    Some(call)
                }
            };
        }
    }

    /// Changes an answer, an outcome, or the order of two events of different clients, up to `most` times.
    fn mutate(&mut self, most: usize) {
        for _ in 0..self.rng.random_range(0..=most) {
            let at = self.rng.random_range(0..self.events.len());
            let takes = |event: &Event<'_>| event.f == names(self.model)[1] && event.kind == EventType::Ok;
            if takes(&self.events[at]) {
                let number = self.rng.random_range(0..=self.put);
                let answer = if number < self.put { self.numbers[number].into() } else { Value::Nil };
                // Mostly, the operation that had that answer gets this one in exchange.
                if let Some(other) =
                    self.events.iter().position(|event| takes(event) && event.value == Some(answer.clone()))
                {
                    let mine = self.events[at].value.take();
                    self.events[other].value = mine;
                }
                self.events[at].value = Some(answer);
            } else {
                swap(&mut self.events, at);
            }
        }
    }
}

fn simulation(model: Model, seed: u64, operations: usize) -> Simulation {
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut numbers: Vec<i64> = (1..).take(operations).collect();
    for place in (1..numbers.len()).rev() {
        let other = rng.random_range(0..=place);
        numbers.swap(place, other);
    }
    if model == Model::Bag && operations <= MAX_OPERATIONS && rng.random_bool(0.5) {
        for number in &mut numbers {
            *number %= 3;
        }
    }
    Simulation { model, rng, inside: Vec::new(), numbers, put: 0, events: Vec::new() }
}

fn random(model: Model, seed: u64) -> History {
    let mut simulation = simulation(model, seed, MAX_OPERATIONS);
    let (left, clients) = (simulation.rng.random_range(4..=MAX_OPERATIONS), simulation.rng.random_range(2..=4));
    let unknown = if simulation.rng.random_bool(0.5) { 0 } else { 250 };
    simulation.run(left, clients, unknown);
    simulation.mutate(12);
    paired(simulation.events)
}

fn agree(model: Model) {
    let histories = share_of(HISTORIES);
    let (mut yes, mut no) = (0, 0);
    for seed in 0..histories {
        let history = random(model, seed);
        let happened: Vec<&Operation> = history.operations.iter().filter(|o| o.outcome != Outcome::Fail).collect();
        let report = check(&history, &Options::new(model));
        let truth = can_be_ordered(model, &history, &[], &happened, 0);
        let expected = if truth { Verdict::Linearizable } else { Verdict::NotLinearizable };
        assert_eq!(report.verdict, expected, "seed {seed} of {model:?}: {report:#?}\n{:#?}", history.operations);
        if seed % SEARCHED == 0 {
            let searched = check(&history, &Options { search_only: true, ..Options::new(model) });
            assert_eq!(
                searched.verdict, expected,
                "seed {seed} of {model:?}: {searched:#?}\n{:#?}",
                history.operations
            );
        }
        *if truth { &mut yes } else { &mut no } += 1;
        if let Some(evidence) = &report.keys[0].evidence {
            let alone = evidence.operations.iter().map(|&at| &history.operations[at]);
            let alone: Vec<&Operation> = alone.filter(|operation| operation.outcome != Outcome::Fail).collect();
            assert!(!can_be_ordered(model, &history, &[], &alone, 0), "seed {seed} of {model:?}: {evidence:#?}");
        }
    }
    assert!(yes.min(no) * 5 >= histories, "both verdicts must be well represented: {yes} {no}");
}

#[test]
fn queues_agree_with_every_order() {
    agree(Model::Queue);
}

#[test]
fn stacks_agree_with_every_order() {
    agree(Model::Stack);
}

#[test]
fn priority_queues_agree_with_every_order() {
    agree(Model::PriorityQueue);
}

#[test]
fn bags_agree_with_every_order() {
    agree(Model::Bag);
}

/// Checks a large history, in which two distant removals have exchanged their answers if `plant` is set; returns the
/// report and the planted operations.
fn large(model: Model, unknown: u32, plant: bool) -> (Report, Vec<usize>) {
    let mut simulation = simulation(model, 5, 20_000);
    simulation.run(20_000, 8, unknown);
    let mut history = paired(simulation.events);
    let takes: Vec<usize> = (0..history.operations.len())
        .filter(|&at| history.operations[at].outcome == Outcome::Ok)
        .filter(|&at| ![ValueId::NIL, ValueId::UNKNOWN].contains(&history.operations[at].output))
        .collect();
    // A bag may keep a value for a long time.
    let apart = if model == Model::Bag { 4000 } else { 500 };
    let planted = if plant { vec![takes[takes.len() / 2], takes[takes.len() / 2 + apart]] } else { Vec::new() };
    if let [one, other] = planted[..] {
        let output = history.operations[one].output;
        history.operations[one].output = history.operations[other].output;
        history.operations[other].output = output;
    }
    (check(&history, &Options::new(model)), planted)
}

#[test]
fn large_ones_are_decided_and_what_was_planted_is_found() {
    for model in [Model::Queue, Model::Stack, Model::PriorityQueue, Model::Bag] {
        assert_eq!(large(model, 0, false).0.verdict, Verdict::Linearizable, "{model:?}");
        let (report, planted) = large(model, 0, true);
        assert_eq!(report.keys[0].method, Method::Object, "{model:?}");
        let evidence = report.keys[0].evidence.as_ref().expect("it is a violation");
        assert!(evidence.operations.iter().any(|at| planted.contains(at)), "{planted:?} {evidence:#?}");
        assert!(evidence.operations.len() <= 12, "{evidence:#?}");
    }
    assert_eq!(large(Model::Queue, 10, false).0.verdict, Verdict::Linearizable, "with takes of unknown outcome");
}

#[test]
fn a_bag_gives_back_no_value_more_often_than_it_was_put_in() {
    let puts = "0 invoke add 7\n0 ok add\n0 invoke add 7\n0 ok add\n";
    let takes = |times: usize| "1 invoke take\n1 ok take 7\n".repeat(times);
    let yes = check(&history(&format!("{puts}{}", takes(2))), &Options::new(Model::Bag));
    assert_eq!((yes.verdict, yes.keys[0].method), (Verdict::Linearizable, Method::Object));
    let no = check(&history(&format!("{puts}{}", takes(3))), &Options::new(Model::Bag));
    let evidence = no.keys[0].evidence.as_ref().expect("it is a violation");
    assert_eq!((no.keys[0].method, &evidence.operations[..]), (Method::Object, &[0, 1, 2, 3, 4][..]));
    assert!(
        evidence.claim.ends_with("returned 7 for the 3rd time, although add 7 had only begun 2 times by then"),
        "{}",
        evidence.claim
    );
}
