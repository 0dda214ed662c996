//! Tests of sets, counters and locks: every method agrees with trying every order, on 100,000 random small histories of
//! each, and explains its verdict.

use checker::{Model, Options, UnknownWhy, Verdict, check};
use histories::{Event, EventType, History, Operation, Outcome, Process, Value};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use crate::{
    build::history,
    oracles::share_of,
    random::{paired, record, swap},
};

const HISTORIES: u64 = 100_000;
const MAX_OPERATIONS: usize = 8;

/// State of an object: its elements, its count or its owner.
type State = Vec<u32>;

/// Returns the state after an operation, if the object can answer it so.
fn apply(model: Model, history: &History, state: &State, operation: &Operation) -> Option<State> {
    let (name, answer) = (history.function_name(operation.function), history.value(operation.output));
    let (mut next, argument) = (state.clone(), operation.input.0);
    let legal = match (model, name) {
        (Model::Set, "contains") => *answer == Value::Bool(state.contains(&argument)),
        (Model::Set, _) => {
            next.retain(|&element| element != argument);
            if name == "add" {
                next.push(argument);
                next.sort_unstable();
            }
            true
        }
        (Model::Counter, "read") => *answer == Value::Int(i64::try_from(state.len()).unwrap()),
        (Model::Counter, _) => {
            next.push(0);
            true
        }
        // The last token, and then the owner, if there is one.
        (Model::FencedLock, "acquire") => {
            let last = state.first().copied().unwrap_or(0);
            let token = if let Value::Int(token) = *answer { u32::try_from(token).unwrap() } else { last + 1 };
            next = vec![token, operation.process];
            state.len() < 2 && token > last
        }
        (Model::FencedLock, _) => state.len() == 2 && next.pop() == Some(operation.process),
        (_, "acquire") => {
            next.push(operation.process);
            state.is_empty()
        }
        (_, _) => next.pop() == Some(operation.process),
    };
    legal.then_some(next)
}

/// Returns true if some order explains these operations.
fn can_be_ordered(model: Model, history: &History, state: &State, left: &[&Operation]) -> bool {
    left.iter().all(|o| o.outcome == Outcome::Info)
        || (0..left.len()).any(|place| {
            let others: Vec<&Operation> =
                (left.iter().enumerate()).filter(|(at, _)| *at != place).map(|(_, o)| *o).collect();
            let may_be_first = others.iter().all(|o| o.outcome == Outcome::Info || o.completed > left[place].invoked);
            may_be_first
                && apply(model, history, state, left[place])
                    .is_some_and(|next| can_be_ordered(model, history, &next, &others))
        })
}

struct Call {
    f: &'static str,
    argument: Value,
    answer: Option<Value>,
}

/// Simulation of a real object and its clients; often, an answer is changed or two events are swapped afterwards.
struct Simulation {
    model: Model,
    rng: Pcg64,
    state: Vec<Value>,
    /// Last token that a lock issued.
    token: i64,
    events: Vec<Event<'static>>,
}

impl Simulation {
    fn call(&mut self, holds: bool) -> Call {
        let (choice, element) = (self.rng.random_range(0..10), self.rng.random_range(0..3) / 2);
        let (f, argument) = match (self.model, choice) {
            (Model::Set, 0..3) => ("add", Value::Int(element)),
            (Model::Set, 3..6) => ("remove", Value::Int(element)),
            (Model::Set, _) => ("contains", Value::Int(element)),
            (Model::Counter, 0..5) => ("inc", Value::Nil),
            (Model::Counter, _) => ("read", Value::Nil),
            // Occasionally a client makes an illegal call.
            (_, 0) => (if holds { "acquire" } else { "release" }, Value::Nil),
            _ => (if holds { "release" } else { "acquire" }, Value::Nil),
        };
        Call { f, argument, answer: None }
    }

    /// Lets the call take effect, if it can.
    fn take_effect(&mut self, call: &mut Call, process: u64) {
        let owner = Value::Int(process.try_into().unwrap());
        call.answer = match call.f {
            "add" | "inc" => {
                self.state.retain(|element| call.f == "inc" || *element != call.argument);
                self.state.push(call.argument.clone());
                Some(Value::Nil)
            }
            "remove" => {
                self.state.retain(|element| *element != call.argument);
                Some(Value::Nil)
            }
            "contains" => Some(Value::Bool(self.state.contains(&call.argument))),
            "read" => Some(Value::Int(self.state.len().try_into().unwrap())),
            "acquire" if self.state.is_empty() => {
                self.state.push(owner);
                self.token += 1;
                Some(if self.model == Model::FencedLock { self.token.into() } else { Value::Nil })
            }
            "release" if self.state.first() == Some(&owner) => {
                self.state.clear();
                Some(Value::Nil)
            }
            _ => None,
        };
    }

    fn record(&mut self, process: u64, kind: EventType, f: &'static str, value: Value) {
        record(&mut self.events, process, kind, f, Some(value));
    }

    fn run(&mut self) {
        let mut left = self.rng.random_range(4..=MAX_OPERATIONS);
        let count = self.rng.random_range(2..=4);
        let mut clients: Vec<(u64, Option<Call>)> = (0..count).map(|process| (process, None)).collect();
        let (mut adrift, mut next): (Vec<(u64, Call)>, _) = (Vec::new(), count);
        while left > 0 || clients.iter().any(|(_, call)| call.is_some()) {
            if !adrift.is_empty() && self.rng.random_bool(0.15) {
                let (process, mut call) = adrift.swap_remove(0);
                self.take_effect(&mut call, process);
            }
            let at = self.rng.random_range(0..clients.len());
            let process = clients[at].0;
            match clients[at].1.take() {
                None if left > 0 => {
                    left -= 1;
                    let holds = self.state.first() == Some(&Value::Int(process.try_into().unwrap()));
                    let call = self.call(holds);
                    self.record(process, EventType::Invoke, call.f, call.argument.clone());
                    clients[at].1 = Some(call);
                }
                None => {}
                Some(mut call) if call.answer.is_none() && self.rng.random_bool(0.6) => {
                    self.take_effect(&mut call, process);
                    clients[at].1 = Some(call);
                }
                Some(Call { f, answer: Some(answer), .. }) if self.rng.random_bool(0.9) => {
                    self.record(process, EventType::Ok, f, answer);
                }
                Some(call) if call.answer.is_none() && self.rng.random_bool(0.5) => {
                    self.record(process, EventType::Fail, call.f, Value::Nil);
                }
                Some(call) => {
                    if self.rng.random_bool(0.7) {
                        self.record(process, EventType::Info, call.f, Value::Nil);
                    }
                    if call.answer.is_none() {
                        adrift.push((process, call));
                    }
                    clients[at].0 = next;
                    next += 1;
                }
            }
        }
    }

    fn mutate(&mut self) {
        let most = if self.model == Model::Set { 16 } else { 10 };
        for _ in 0..self.rng.random_range(0..most) {
            let at = self.rng.random_range(0..self.events.len());
            let event = &mut self.events[at];
            match (event.kind, &*event.f) {
                (EventType::Ok, "contains") => event.value = Some(Value::Bool(self.rng.random_bool(0.5))),
                (EventType::Ok, "read") => event.value = Some(Value::Int(self.rng.random_range(0..4))),
                (EventType::Ok, _) if self.rng.random_bool(0.3) => event.kind = EventType::Fail,
                (EventType::Ok, "acquire") if self.model == Model::FencedLock && self.rng.random_bool(0.3) => {
                    event.value = Some(self.rng.random_range(1..4).into());
                }
                (EventType::Fail, "acquire") if self.model == Model::FencedLock => {
                    event.kind = EventType::Ok;
                    event.value = Some(self.rng.random_range(1..4).into());
                }
                (EventType::Fail, "acquire" | "release") => event.kind = EventType::Ok,
                _ => swap(&mut self.events, at),
            }
        }
    }
}

fn random(model: Model, seed: u64) -> History {
    let (rng, state, events) = (Pcg64::seed_from_u64(seed), Vec::new(), Vec::new());
    let mut simulation = Simulation { model, rng, state, token: 0, events };
    simulation.run();
    simulation.mutate();
    paired(simulation.events)
}

fn agree(model: Model) {
    let histories = share_of(HISTORIES);
    let (mut yes, mut no) = (0, 0);
    for seed in 0..histories {
        let history = random(model, seed);
        let left: Vec<&Operation> = history.operations.iter().filter(|o| o.outcome != Outcome::Fail).collect();
        let truth = can_be_ordered(model, &history, &Vec::new(), &left);
        let report = check(&history, &Options::new(model));
        let expected = if truth { Verdict::Linearizable } else { Verdict::NotLinearizable };
        assert_eq!(report.verdict, expected, "seed {seed} of {model:?}: {report:#?}\n{:#?}", history.operations);
        *if truth { &mut yes } else { &mut no } += 1;
        if let Some(evidence) = &report.keys[0].evidence {
            let alone = evidence.operations.iter().map(|&at| &history.operations[at]);
            let alone: Vec<&Operation> = alone.filter(|operation| operation.outcome != Outcome::Fail).collect();
            let explained = can_be_ordered(model, &history, &Vec::new(), &alone);
            assert!(!explained, "seed {seed} of {model:?}: {evidence:#?}\n{:#?}", history.operations);
        } else {
            assert!(truth, "a no without evidence: seed {seed}");
        }
    }
    assert!(yes.min(no) * 5 >= histories, "both verdicts must be well represented: {yes} {no}");
}

#[test]
fn sets_agree_with_every_order() {
    agree(Model::Set);
}

#[test]
fn counters_agree_with_every_order() {
    agree(Model::Counter);
}

#[test]
fn mutexes_agree_with_every_order() {
    agree(Model::Mutex);
}

#[test]
fn fenced_locks_agree_with_every_order() {
    agree(Model::FencedLock);
}

/// Returns the first claim about a history.
fn claim(model: Model, text: &str) -> String {
    let report = check(&history(text), &Options::new(model));
    report.keys[0].evidence.as_ref().map_or_else(|| report.verdict.to_string(), |evidence| evidence.claim.clone())
}

#[test]
fn an_element_that_was_acknowledged_is_missing() {
    let events = [
        (EventType::Invoke, "add", Value::Int(5)),
        (EventType::Ok, "add", Value::Nil),
        (EventType::Invoke, "contains", Value::Int(5)),
        (EventType::Ok, "contains", Value::Bool(false)),
    ];
    let event = |(time, (kind, f, value)): (u64, (EventType, &'static str, Value))| {
        let mut event = Event::new(Process::Client(0), kind, f);
        event.time = time * 1_000_000;
        event.value = Some(value);
        event
    };
    let history = paired((0..).zip(events).map(event));
    let report = check(&history, &Options::new(Model::Set));
    let expected = "contains 5 by process 0 at 0.002 s returned false, although add 5 by process 0 at 0.000 s had been \
        acknowledged at 0.001 s";
    assert_eq!(report.keys[0].evidence.as_ref().unwrap().claim, expected);
}

#[test]
fn an_early_read_can_need_an_increment_that_is_still_open() {
    // Every read lies between the completed (1) and the begun (2) increments; but the first read used up the open one,
    // and another ended afterwards.
    let text = "0 invoke inc\n1 invoke read\n1 ok read 1\n2 invoke inc\n2 ok inc\n1 invoke read\n1 ok read 1";
    assert_eq!(
        claim(Model::Counter, text),
        "read by process 1 at 0.005 s returned 1, although read by process 1 at 0.001 s had already returned 1 at \
         0.002 s, and 1 increment had begun and ended since"
    );
    assert_eq!(
        claim(Model::Counter, &text.replace("read 1", "read 7")).split(',').nth(1),
        Some(
            " although the counter began at 0 and only 1 increment that did not fail had begun by the time the read \
                ended"
        )
    );
}

#[test]
fn two_hold_a_lock_at_once() {
    let text = "0 invoke acquire\n0 ok acquire\n1 invoke acquire\n1 ok acquire\n0 invoke release\n0 info release";
    let expected = "acquire by process 1 at 0.002 s succeeded, although acquire by process 0 at 0.000 s had \
        succeeded, and \
        process 0 had not begun to release the lock by then";
    assert_eq!(claim(Model::Mutex, text), expected);
    assert_eq!(claim(Model::Mutex, &text.replace("1 ok", "1 info")), "linearizable", "it may never have got it");
}

#[test]
fn a_list_only_grows() {
    let both = "0 invoke append 1\n0 ok append 1\n0 invoke append 2\n0 ok append 2\n1 invoke append 3\n1 ok append 3\n";
    let claim = |reads: &str| claim(Model::List, &format!("{both}{reads}"));
    assert_eq!(claim("1 invoke read\n1 ok read [1,2,3]"), "linearizable");
    assert_eq!(
        claim("0 invoke read\n1 invoke read\n1 ok read [1,2,3]\n0 ok read [1,3,2]"),
        "read by process 0 at 0.006 s returned [1,3,2], although read by process 1 at 0.007 s returned [1,2,3]: two \
         lists of which none begins with the other"
    );
    assert_eq!(
        claim("1 invoke read\n1 ok read [1,2]"),
        "read by process 1 at 0.006 s returned [1,2], although append 3 by process 1 at 0.004 s had been \
         acknowledged at 0.005 s"
    );
    assert_eq!(
        claim(
            "1 invoke append 4\n1 info append 4\n2 invoke read\n2 ok read [1,2,3,4]\n2 invoke read\n2 ok read [1,2,3]"
        ),
        "read by process 2 at 0.010 s returned [1,2,3], although read by process 2 at 0.008 s had already returned \
         [1,2,3,4] at 0.009 s"
    );
    assert_eq!(
        claim("1 invoke read\n1 ok read [1,3,2]"),
        "read by process 1 at 0.006 s returned [1,3,2], with 3 as element 2 and 2 only as element 3, although append \
         2 by process 0 at 0.002 s had been acknowledged at 0.003 s, before append 3 by process 1 at 0.004 s began"
    );
    assert_eq!(
        claim("1 invoke read\n1 ok read [1,2,3,4]\n1 invoke append 4"),
        "read by process 1 at 0.006 s returned [1,2,3,4], although append 4 by process 1 at 0.008 s, which first \
         appended 4, only began after the read had ended at 0.007 s"
    );
    assert_eq!(
        claim("1 invoke read\n1 ok read [1,2,3,3]"),
        "read by process 1 at 0.006 s returned [1,2,3,3], in which 3 stands 2 times, although only 1 append of it had \
         begun by the time the read ended at 0.007 s"
    );
}

#[test]
fn what_only_a_failed_attempt_put_in_is_said_to_have_failed() {
    let events = "0 invoke enqueue 1\n0 fail enqueue\n1 invoke dequeue\n1 ok dequeue 1";
    assert_eq!(
        claim(Model::Queue, events),
        "dequeue by process 1 at 0.002 s returned 1, although enqueue 1 by process 0 at 0.000 s failed, and no other \
         one succeeded"
    );
    for (model, add, shown) in [(Model::List, "append", "[1], with 1"), (Model::Comments, "write", "1")] {
        assert_eq!(
            claim(model, &format!("0 invoke {add} 1\n0 fail {add}\n1 invoke read\n1 ok read [1]")),
            format!(
                "read by process 1 at 0.002 s returned {shown}, although {add} 1 by process 0 at 0.000 s failed, and \
                no other one succeeded"
            )
        );
    }
    assert_eq!(
        claim(Model::Set, "0 invoke add 1\n0 fail add\n1 invoke contains 1\n1 ok contains true"),
        "contains 1 by process 1 at 0.002 s returned true, although add 1 by process 0 at 0.000 s failed, and \
        nothing else that began before it ended added 1"
    );
    for (model, add) in [(Model::Stack, "push"), (Model::PriorityQueue, "insert"), (Model::Queue, "enqueue")] {
        assert_eq!(
            claim(model, &format!("0 invoke {add} 1\n0 fail {add}\n1 invoke peek\n1 ok peek 1")),
            format!(
                "peek by process 1 at 0.002 s answered 1, although {add} 1 by process 0 at 0.000 s failed, and nothing \
                that may have happened ever left 1 there"
            )
        );
    }
    assert_eq!(
        claim(Model::Queue, "1 invoke dequeue\n1 ok dequeue 1\n0 invoke enqueue 1\n0 fail enqueue"),
        "dequeue by process 1 at 0.000 s returned 1, which nobody ever put in",
        "what had not begun is no reason"
    );
}

#[test]
fn a_look_at_what_was_put_in_too_late_is_what_is_wrong() {
    for (model, add) in [(Model::Stack, "push"), (Model::PriorityQueue, "insert"), (Model::Queue, "enqueue")] {
        assert_eq!(
            claim(model, &format!("1 invoke peek\n1 ok peek 1\n0 invoke {add} 1\n0 ok {add}")),
            "peek by process 1 at 0.000 s answered 1, but nothing that began before it ended can have left 1 there"
        );
    }
}

#[test]
fn evidence_tells_what_the_claim_is_about_from_what_only_fills_the_set() {
    let decisive = |rest: &str| {
        let adds = "0 invoke add 1\n0 ok add\n0 invoke add 2\n0 ok add\n0 invoke add 3\n0 ok add\n";
        let report = check(&history(&format!("{adds}{rest}")), &Options::new(Model::Set));
        report.keys[0].evidence.as_ref().map(|evidence| (evidence.operations.clone(), evidence.decisive.clone()))
    };
    // The last read misses 3, which was added third.
    assert_eq!(decisive("1 invoke read\n1 ok read [1,2]"), Some((vec![0, 1, 2, 3], vec![2, 3])));
    let unheard_of = decisive("1 invoke read\n1 ok read [1,2,3,9]");
    assert_eq!(unheard_of, Some((vec![0, 1, 2, 3], vec![3])), "nobody added 9");
}

#[test]
fn a_set_that_is_read_as_a_whole_only_grows() {
    let adds = "0 invoke add 1\n0 ok add\n0 invoke add 2\n1 invoke add 3\n";
    let claim = |rest: &str| claim(Model::Set, &format!("{adds}{rest}"));
    let read = |process: u32, set: &str| format!("{process} invoke read\n{process} ok read {set}\n");
    assert_eq!(claim(&(read(2, "[3,1]") + &read(2, "[1,2,3]"))), "linearizable");
    assert_eq!(
        claim("2 invoke read\n2 ok read [3]"),
        "read by process 2 at 0.004 s lacked 1, although add 1 by process 0 at 0.000 s had been acknowledged at \
         0.001 s"
    );
    assert_eq!(
        claim(&(read(2, "[1,2]") + &read(3, "[1,3]"))),
        "read by process 3 at 0.006 s returned 3 without 2, although read by process 2 at 0.004 s returned 2 without \
        3: one \
         of the two had been there before the other"
    );
    assert_eq!(
        claim(&(read(2, "[1,2]") + &read(3, "[1]"))),
        "read by process 3 at 0.006 s lacked 2, although read by process 2 at 0.004 s had returned it at 0.005 s"
    );
    assert_eq!(claim(&read(2, "[1,7]")), "read by process 2 at 0.004 s returned 7, which nobody ever added");
    assert_eq!(
        claim(&("0 ok add\n0 invoke add 7\n0 fail add\n".to_owned() + &read(2, "[1,7]"))),
        "read by process 2 at 0.007 s returned 7, although add 7 by process 0 at 0.005 s failed, and no other one \
         succeeded"
    );
    assert_eq!(claim(&read(2, "[1,1]")), "read by process 2 at 0.004 s returned 1 twice");
    assert_eq!(
        claim(&(read(2, "[1,2,4]") + "3 invoke add 4")),
        "read by process 2 at 0.004 s returned 4, although add 4 by process 3 at 0.006 s, which added it, only \
         began after that read had ended at 0.005 s"
    );
    assert_eq!(
        claim("0 ok add\n3 invoke add 4\n2 invoke read\n2 ok read [1,4]"),
        "read by process 2 at 0.006 s lacked 2, although add 2 by process 0 at 0.002 s had been acknowledged at 0.004 s"
    );
    assert_eq!(
        claim("2 invoke read\n0 ok add\n3 invoke add 4\n2 ok read [1,4]"),
        "read by process 2 at 0.004 s returned 4 without 2, although add 2 by process 0 at 0.002 s had been \
            acknowledged at 0.005 s, before add 4 by process 3 at 0.006 s began"
    );
}

#[test]
fn fencing_tokens_only_grow() {
    let text = "0 invoke acquire\n0 ok acquire 7\n0 invoke release\n0 ok release\n1 invoke acquire\n1 ok acquire 7";
    let expected = "acquire by process 1 at 0.004 s answered with the fencing token 7, although acquire by process 0 \
        at 0.000 s, which \
        held the lock before it, had got 7";
    assert_eq!(claim(Model::FencedLock, text), expected);
    assert_eq!(claim(Model::FencedLock, &text.replace("1 ok acquire 7", "1 ok acquire 9")), "linearizable");
    let both = text.replace("0 invoke release\n0 ok release\n", "");
    let expected = "acquire by process 1 at 0.002 s succeeded, although acquire by process 0 at 0.000 s had \
        succeeded, and \
        process 0 had not begun to release the lock by then";
    assert_eq!(claim(Model::FencedLock, &both), expected);
}

#[test]
fn what_a_model_lacks_is_unknown() {
    let why = |model, text: &str| check(&history(text), &Options::new(model)).keys[0].why.clone();
    for (model, text) in
        [(Model::Set, "0 invoke pop 1"), (Model::Counter, "0 invoke pop"), (Model::Mutex, "0 invoke read")]
    {
        assert!(matches!(why(model, text), Some(UnknownWhy::Function { .. })), "{text}");
    }
    for (model, text) in [
        (Model::Counter, "0 invoke inc x"),
        (Model::Set, "0 invoke add 1\n0 ok add 2"),
        (Model::Mutex, "0 invoke acquire\n0 ok acquire 3"),
    ] {
        assert!(matches!(why(model, text), Some(UnknownWhy::Unsupported { .. })), "{text}");
    }
}
