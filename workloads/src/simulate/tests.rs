//! Tests of the shape of simulated histories. The tests that checkers agree with what was planted are those of the
//! binary, where a checker can be called.

use std::{collections::BTreeMap, convert::Infallible};

use histories::{Event, EventType, Function, HistoryBuilder, Outcome, Process, write_event};

use super::{SimulatedModel, Simulation, Violation};

const PLAN: Simulation = Simulation {
    model: SimulatedModel::CasRegister,
    operations: 4000,
    clients: 5,
    keys: 3,
    unknown_percent: 5,
    values: None,
    always_overlapping: false,
    violation: None,
    seed: 1,
};

fn run(plan: Simulation) -> Vec<Event<'static>> {
    let mut events = Vec::new();
    let planted = plan.run(|event| {
        events.push(event.clone().into_owned());
        Ok::<(), Infallible>(())
    });
    assert_eq!(planted, Ok(true));
    events
}

#[test]
fn the_first_events_of_a_seed_never_change() {
    let mut lines = Vec::new();
    run(Simulation { model: SimulatedModel::KeyValue, ..PLAN })
        .iter()
        .take(7)
        .for_each(|event| write_event(&mut lines, event).expect("memory takes it"));
    assert_eq!(String::from_utf8(lines).expect("it is text"), GOLDEN);
}

const GOLDEN: &str = r#"{"index":0,"time":1958547,"process":3,"type":"invoke","f":"put","key":"k1","value":"1"}
{"index":1,"time":2036534,"process":1,"type":"invoke","f":"get","key":"k0"}
{"index":2,"time":2123470,"process":4,"type":"invoke","f":"get","key":"k1"}
{"index":3,"time":2818712,"process":1,"type":"ok","f":"get","key":"k0","value":null}
{"index":4,"time":3040465,"process":3,"type":"ok","f":"put","key":"k1"}
{"index":5,"time":3216041,"process":2,"type":"invoke","f":"put","key":"k1","value":"2"}
{"index":6,"time":3504529,"process":4,"type":"ok","f":"get","key":"k1","value":null}
"#;

#[test]
fn the_rules_of_histories_are_kept() {
    for model in [SimulatedModel::Register, SimulatedModel::CasRegister, SimulatedModel::KeyValue] {
        for always_overlapping in [false, true] {
            let mut builder = HistoryBuilder::default();
            for event in run(Simulation { model, always_overlapping, ..PLAN }) {
                builder.push(event).expect("it keeps the rules");
            }
            let history = builder.finish();
            assert_eq!(history.operations.len(), 4000);
            let unknown = history.operations.iter().filter(|o| o.outcome == Outcome::Info).count();
            assert!((140..260).contains(&unknown), "{unknown} of 4000 for 5 percent");
            let cas = history.operations.iter().filter(|o| o.function == Function::Cas);
            let matched = cas.clone().filter(|o| o.outcome == Outcome::Ok).count();
            let mismatched = cas.filter(|o| o.outcome == Outcome::Mismatch).count();
            let some = model != SimulatedModel::Register;
            assert_eq!((matched > 0, mismatched > 0), (some, some), "{matched} and {mismatched}");
        }
    }
}

#[test]
fn clients_overlap_always_or_a_third_of_the_time() {
    for (always_overlapping, expected) in [(false, 25..40), (true, 98..101)] {
        let plan = Simulation { unknown_percent: 0, always_overlapping, ..PLAN };
        let (mut open, mut busy_ns, mut last) = (BTreeMap::new(), 0, 0);
        for event in run(plan) {
            let Process::Client(process) = event.process else { panic!("there are only clients") };
            last = event.time;
            if event.kind == EventType::Invoke {
                open.insert(process, event.time);
            } else {
                busy_ns += event.time - open[&process];
            }
        }
        let percent = busy_ns * 100 / (last * u64::from(PLAN.clients));
        assert!(expected.contains(&percent), "{percent}");
    }
}

#[test]
fn what_is_planted_is_near_the_end_and_once() {
    let plan = Simulation { operations: 20_000, values: Some(5), unknown_percent: 0, ..PLAN };
    let sound = run(plan);
    let stale = run(Simulation { violation: Some(Violation::StaleRead), ..plan });
    let differ: Vec<_> = (0..sound.len()).filter(|at| sound[*at] != stale[*at]).collect();
    let [at] = differ[..] else { panic!("they differ at {differ:?}") };
    assert!(at > sound.len() * 9 / 10 && sound[at].f == "read", "{at}: {:?}", sound[at]);
}

#[test]
fn where_unknown_outcomes_explain_everything_nothing_is_claimed() {
    for violation in [Violation::StaleRead, Violation::LostWrite] {
        let plan = Simulation { violation: Some(violation), values: Some(2), unknown_percent: 50, keys: 1, ..PLAN };
        assert_eq!(plan.run(|_| Ok::<(), Infallible>(())), Ok(false));
    }
}
