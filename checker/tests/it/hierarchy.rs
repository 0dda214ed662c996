//! Agreement of every level of the hierarchy with its definition, on random small histories; and of every witness,
//! which must refute its model by itself.

use checker::{Consistency, Model, ModelStatus, Options, consistency};
use histories::{Event, EventType, History, HistoryBuilder, Outcome, Process, Value, ValueId};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use crate::{
    build::history,
    oracles::share_of,
    random,
    random::Kind,
    weaker_models::{self, some_key_is_unread},
};

const HISTORIES: u64 = 100_000;

/// Generates a history of a few clients on one or two keys, with reads that return any value that somebody sets.
fn anything(seed: u64) -> History {
    let mut rng = Pcg64::seed_from_u64(seed);
    let keys = rng.random_range(1..=2_i64);
    let clients = rng.random_range(2..=3_usize);
    let mut left = rng.random_range(3..=7);
    let cas_percent = [0, 30][rng.random_range(0..2)];
    let mut open: Vec<(u64, Option<(&'static str, i64)>)> = (0..clients).map(|client| (client as u64, None)).collect();
    let (mut next, mut next_process, mut time) = (1_i64, clients as u64, 0);
    let mut builder = HistoryBuilder::default();
    while left > 0 || open.iter().any(|(_, call)| call.is_some()) {
        let at = rng.random_range(0..clients);
        let (process, call) = open[at];
        let seen = |rng: &mut Pcg64, key: i64| match rng.random_range(0..4_i64) {
            0 => Value::Nil,
            _ => Value::Int(rng.random_range(0..4) * 2 + key + 1),
        };
        let (kind, f, key, value) = match call {
            None if left == 0 => continue,
            None => {
                left -= 1;
                let key = rng.random_range(0..keys);
                let new = next * 2 - 1 + key;
                let (f, value) = match rng.random_range(0..100) {
                    0..50 => ("read", None),
                    x if x < 50 + cas_percent => ("cas", Some(Value::List(vec![seen(&mut rng, key), new.into()]))),
                    _ => ("write", Some(new.into())),
                };
                next += i64::from(f != "read");
                open[at].1 = Some((f, key));
                (EventType::Invoke, f, key, value)
            }
            Some((f, key)) => {
                open[at].1 = None;
                let kind = match rng.random_range(0..100) {
                    0..85 => EventType::Ok,
                    85..95 => EventType::Info,
                    _ => EventType::Fail,
                };
                if kind == EventType::Info {
                    open[at].0 = next_process;
                    next_process += 1;
                }
                (kind, f, key, (f == "read" && kind == EventType::Ok).then(|| seen(&mut rng, key)))
            }
        };
        let mut event = Event::new(Process::Client(process), kind, f);
        (event.time, event.key, event.value) = (time, Some(Value::Int(key)), value);
        if f == "cas" && kind == EventType::Fail {
            let found = rng.random_bool(0.9).then(|| seen(&mut rng, key));
            (event.mismatch, event.observed) = (found.is_none(), found);
        }
        time += 1_000_000;
        builder.push(event).unwrap();
    }
    builder.finish()
}

/// Formats a history with one line per operation.
fn told(history: &History) -> String {
    let value = |id: ValueId| if id == ValueId::UNKNOWN { "-".to_owned() } else { history.value(id).to_string() };
    let line = |(index, o): (usize, &histories::Operation)| {
        let (input, to, output, key) = (value(o.input), value(o.to), value(o.output), value(o.key));
        let (p, f, outcome, invoked, completed) = (o.process, o.function, o.outcome, o.invoked, o.completed);
        format!("{index}: {p} {f}@{key} {input} {to} -> {output} {outcome:?} {invoked}..{completed}\n")
    };
    history.operations.iter().enumerate().map(line).collect()
}

/// Compares every level with its definition.
fn compare(history: &History, tally: &mut [[u64; 3]; 9]) {
    let hierarchy = consistency(history, &Options::new(Model::Register));
    let says_nothing = |output, input| output == ValueId::UNKNOWN || output == input;
    let unsaid = history.operations.iter().any(|o| o.outcome == Outcome::Mismatch && says_nothing(o.output, o.input));
    let all: Vec<usize> = (0..history.operations.len()).collect();
    let linearizable = *hierarchy.status(Consistency::Linearizable) == ModelStatus::Holds;
    for (level, tally) in hierarchy.levels.iter().zip(tally) {
        let model = level.model;
        let truth = weaker_models::holds(history, &all, model);
        let show = || format!("{model}: {:?}\n{}", level.status, told(history));
        match &level.status {
            ModelStatus::Holds => assert!(truth, "it does not hold: {}", show()),
            ModelStatus::Fails { witness, .. } => {
                assert!(!truth, "it holds: {}", show());
                assert!(!linearizable, "linearizable implies it: {}", show());
                assert!(
                    !weaker_models::holds(history, &witness.operations, model),
                    "the witness does not show it: {}",
                    show()
                );
            }
            ModelStatus::NotChecked { .. } => {
                let unread = model == Consistency::Converged && some_key_is_unread(history);
                assert!(unsaid || unread, "it can be checked: {}", show());
            }
        }
        let kind = match level.status {
            ModelStatus::Holds => 0,
            ModelStatus::Fails { .. } => 1,
            ModelStatus::NotChecked { .. } => 2,
        };
        tally[kind] += 1;
        for other in hierarchy.levels.iter().filter(|other| model.implies(other.model)) {
            let fails = matches!(other.status, ModelStatus::Fails { .. });
            assert!(kind != 0 || !fails, "{model} implies {}: {}", other.model, show());
        }
    }
}

#[test]
fn anything_that_clients_could_see() {
    let mut tally = [[0; 3]; 9];
    (0..share_of(HISTORIES)).for_each(|seed| compare(&anything(seed), &mut tally));
    for (model, [holds, fails, _]) in Consistency::ALL.into_iter().zip(tally) {
        assert!(holds.min(fails) * 200 >= share_of(HISTORIES), "{model} must often hold and often fail: {tally:?}");
    }
}

#[test]
fn what_clients_of_a_register_see() {
    let mut tally = [[0; 3]; 9];
    (0..share_of(HISTORIES) / 2)
        .for_each(|seed| compare(&random::history(Kind::Unique, 77 << 32 | seed, 7), &mut tally));
}

#[test]
fn a_cas_that_does_not_say_what_it_found_leaves_the_weaker_models_open() {
    let stale = "
        0 invoke write 1
        0 ok write
        1 invoke write 2
        1 ok write
        2 invoke read
        2 ok read 1";
    let looks = "
        3 invoke cas 7 8
        3 fail cas mismatch";
    let status = |text: &str, model| consistency(&history(text), &Options::new(Model::Register)).status(model).clone();
    assert_eq!(status(stale, Consistency::SequentialPerKey), ModelStatus::Holds);
    for text in [[stale, looks].concat(), [stale, looks, looks].concat()] {
        assert!(matches!(status(&text, Consistency::Linearizable), ModelStatus::Fails { .. }), "{text}");
        let ModelStatus::NotChecked { why } = status(&text, Consistency::SequentialPerKey) else { panic!("{text}") };
        assert!(why.contains("did not say what they found"), "{why}");
    }
    // Tries it with several keys.
    for others in [&["b"][..], &["b", "c"]] {
        let text = others.iter().fold(stale.replace("read", "read@a").replace("write", "write@a"), |text, key| {
            text + &format!("\n3 invoke cas@{key} 7 8\n3 fail cas@{key} mismatch")
        });
        let ModelStatus::NotChecked { why } = status(&text, Consistency::Causal) else { panic!("{text}") };
        assert!(why.contains("did not say what they found"), "{why}");
    }
}
