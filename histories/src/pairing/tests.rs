//! Tests with one test per rule by which events become operations.

use super::{HistoryBuilder, PairingError};
use crate::{Event, EventPlace, EventType, Function, History, NEVER, Outcome, Process, Value, ValueId};

use EventType::{Fail, Info, Invoke, Ok as Done};
use Function::{Append, Other, Read, Write};

fn event(process: u64, kind: EventType, f: &'static str, value: impl Into<Option<Value>>) -> Event<'static> {
    Event { value: value.into(), ..Event::new(Process::Client(process), kind, f) }
}

fn int(number: i64) -> Value {
    Value::Int(number)
}

fn pair(from: i64, to: i64) -> Value {
    Value::List(vec![from.into(), to.into()])
}

fn built(mut builder: HistoryBuilder, events: Vec<Event<'static>>) -> Result<History, PairingError> {
    events.into_iter().try_for_each(|event| builder.push(event))?;
    Ok(builder.finish())
}

fn history(events: Vec<Event<'static>>) -> History {
    built(HistoryBuilder::default(), events).expect("the events keep all rules")
}

fn error(events: Vec<Event<'static>>) -> PairingError {
    built(HistoryBuilder::default(), events).expect_err("an event breaks a rule")
}

#[test]
fn operations_stand_in_the_order_of_their_invocations() {
    let history = history(vec![
        event(1, Invoke, "write", int(7)),
        event(0, Invoke, "read", None),
        event(0, Done, "read", int(7)),
        event(1, Done, "write", int(7)),
    ]);
    let seen: Vec<_> = history.operations.iter().map(|op| (op.process, op.invoked, op.completed)).collect();
    assert_eq!(seen, [(1, 0, 3), (0, 1, 2)]);
}

#[test]
fn what_a_read_returned_comes_from_its_completion() {
    let history = history(vec![event(0, Invoke, "read", int(1)), event(0, Done, "read", int(2))]);
    assert_eq!(history.value(history.operations[0].output), &Value::Int(2));
}

#[test]
fn what_either_event_calls_final_is_final() {
    let events = |invoked, completed| {
        let [invoke, done] = [event(0, Invoke, "read", None), event(0, Done, "read", int(1))];
        history(vec![Event { is_final: invoked, ..invoke }, Event { is_final: completed, ..done }])
    };
    for (invoked, completed) in [(true, false), (false, true), (true, true)] {
        assert!(events(invoked, completed).is_final(0));
    }
    assert!(!events(false, false).has_finals());
}

#[test]
fn revisions_stand_beside_the_operations_if_there_are_any() {
    let events = |revisions: [Option<u64>; 3]| {
        let of = |(process, revision)| {
            let done = event(process, Done, "write", None);
            [event(process, Invoke, "write", int(1)), Event { revision, ..done }]
        };
        (0..).zip(revisions).flat_map(of).collect()
    };
    let with = history(events([None, Some(7), None]));
    assert_eq!([0, 1, 2].map(|index| with.revision(index)), [None, Some(7), None]);
    assert_eq!(with.revisions.len(), 3);
    let without = history(events([None; 3]));
    assert_eq!((without.revision(2), without.revisions.capacity()), (None, 0));
    let limit = PairingError::TooMany("a revision is below 2^63");
    assert_eq!(error(events([None, Some(1 << 63), None])), limit);
}

#[test]
fn a_read_of_null_found_the_key_absent() {
    let history = history(vec![event(0, Invoke, "read", None), event(0, Done, "read", Some(Value::Nil))]);
    assert_eq!(history.operations[0].output, ValueId::NIL);
}

#[test]
fn a_read_that_ended_ok_must_have_a_value() {
    let error = error(vec![event(0, Invoke, "read", None), event(0, Done, "read", None)]);
    assert_eq!(error, PairingError::NoResult);
}

#[test]
fn a_write_must_have_a_value() {
    assert_eq!(error(vec![event(0, Invoke, "write", None)]), PairingError::NoArgument(Write));
}

#[test]
fn a_process_has_one_operation_at_a_time() {
    let error =
        error(vec![event(3, Invoke, "write", int(1)), event(4, Invoke, "read", None), event(3, Invoke, "read", None)]);
    assert_eq!(
        error,
        PairingError::AlreadyOpen { process: Process::Client(3), f: "read".to_owned(), open: EventPlace::Number(0) }
    );
}

#[test]
fn a_process_may_go_on_after_an_unknown_outcome_which_stays_unknown() {
    let history = history(vec![
        event(3, Invoke, "write", int(1)),
        event(3, Info, "write", None),
        event(3, Invoke, "read", None),
        event(3, Done, "read", int(1)),
    ]);
    let ends: Vec<_> = history.operations.iter().map(|op| (op.outcome, op.completed)).collect();
    assert_eq!(ends, [(Outcome::Info, NEVER), (Outcome::Ok, 3)]);
}

#[test]
fn a_process_goes_on_after_ok_and_fail() {
    let history = history(vec![
        event(3, Invoke, "write", int(1)),
        event(3, Done, "write", None),
        event(3, Invoke, "write", int(2)),
        event(3, Fail, "write", None),
        event(3, Invoke, "read", None),
    ]);
    let outcomes: Vec<_> = history.operations.iter().map(|op| op.outcome).collect();
    assert_eq!(outcomes, [Outcome::Ok, Outcome::Fail, Outcome::Info]);
}

#[test]
fn nothing_completes_that_was_not_invoked() {
    let not_open = PairingError::NotOpen { process: Process::Client(3), f: "read".to_owned() };
    assert_eq!(error(vec![event(3, Done, "read", int(1))]), not_open);
    let other = vec![event(3, Invoke, "write", int(1)), event(3, Done, "write", None), event(3, Done, "read", int(1))];
    assert_eq!(error(other), not_open);
}

#[test]
fn what_has_ended_does_not_end_again() {
    for kind in [Done, Fail, Info] {
        let twice =
            vec![event(3, Invoke, "read", None), event(3, kind, "read", int(1)), event(3, Done, "read", int(1))];
        let first = EventPlace::Number(1);
        assert_eq!(error(twice), PairingError::Repeated { process: Process::Client(3), f: "read".to_owned(), first });
    }
}

#[test]
fn a_completion_is_of_what_was_invoked() {
    let error_of =
        |completion| error(vec![Event { key: Some(int(1)), ..event(3, Invoke, "write", int(5)) }, completion]);
    let (invoked, completed) = ("write".to_owned(), "read".to_owned());
    assert_eq!(
        error_of(event(3, Done, "read", int(5))),
        PairingError::Mismatched { process: Process::Client(3), invoked, completed }
    );
    let other_value = PairingError::OtherValue { f: "write".to_owned(), invoked: 5.into(), completed: 6.into() };
    assert_eq!(error_of(event(3, Done, "write", int(6))), other_value);
    let other_key = PairingError::OtherKey { process: Process::Client(3), invoked: 1.into(), completed: 2.into() };
    assert_eq!(error_of(Event { key: Some(int(2)), ..event(3, Done, "write", int(5)) }), other_key);
}

#[test]
fn a_completion_may_leave_out_key_and_value_of_a_write() {
    let history = history(vec![
        Event { key: Some(int(1)), ..event(0, Invoke, "write", int(5)) },
        event(0, Done, "write", None),
        Event { key: Some(int(1)), ..event(0, Invoke, "cas", pair(5, 6)) },
        event(0, Done, "cas", Some(Value::Nil)),
    ]);
    assert!(history.operations.iter().all(|op| op.outcome == Outcome::Ok));
}

#[test]
fn an_operation_without_a_key_has_the_key_nil() {
    let history = history(vec![event(0, Invoke, "read", None)]);
    assert_eq!(history.operations[0].key, ValueId::NIL);
}

#[test]
fn indexes_increase_and_times_do_not_decrease() {
    let at = |index, time| Event { index: Some(index), time, ..event(index, Invoke, "read", None) };
    assert_eq!(error(vec![at(4, 0), at(4, 0)]), PairingError::Index { index: 4, previous: 4 });
    assert_eq!(error(vec![at(1, 9), at(2, 8)]), PairingError::Time { time: 8, previous: 9 });
    assert_eq!(history(vec![at(1, 9), at(5, 9)]).operations.len(), 2, "gaps and equal times are allowed");
}

#[test]
fn the_value_of_a_cas_is_a_pair() {
    let history = history(vec![event(0, Invoke, "cas", pair(1, 2))]);
    let cas = history.operations[0];
    assert_eq!((history.value(cas.input), history.value(cas.to)), (&Value::Int(1), &Value::Int(2)));
    for wrong in
        [None, Some(int(1)), Some(Value::List(vec![1.into()])), Some(Value::List(vec![1.into(), 2.into(), 3.into()]))]
    {
        let shown = wrong.clone().unwrap_or_default();
        assert_eq!(error(vec![event(0, Invoke, "cas", wrong)]), PairingError::CasValue(shown));
    }
}

#[test]
fn a_cas_that_did_not_match_is_kept_as_what_it_observed() {
    let cas = |end| history(vec![event(0, Invoke, "cas", pair(1, 2)), end]).operations[0];
    let fail = || event(0, Fail, "cas", None);
    let observed = cas(Event { observed: Some(int(1)), ..fail() });
    assert_eq!((observed.outcome, observed.output, observed.completed), (Outcome::Mismatch, observed.input, 1));
    let absent = cas(Event { observed: Some(Value::Nil), ..fail() });
    assert_eq!((absent.outcome, absent.output), (Outcome::Mismatch, ValueId::NIL));
    let unseen = cas(Event { mismatch: true, ..fail() });
    assert_eq!((unseen.outcome, unseen.output), (Outcome::Mismatch, ValueId::UNKNOWN));
    let never_happened = cas(fail());
    assert_eq!((never_happened.outcome, never_happened.output), (Outcome::Fail, ValueId::UNKNOWN));
}

#[test]
fn only_a_cas_can_mismatch() {
    let history = history(vec![
        event(0, Invoke, "write", int(1)),
        Event { observed: Some(int(2)), mismatch: true, ..event(0, Fail, "write", None) },
    ]);
    assert_eq!(history.operations[0].outcome, Outcome::Fail);
}

#[test]
fn an_unknown_outcome_never_completes() {
    let at = |time, event| Event { time, ..event };
    let history = history(vec![
        at(1, event(0, Invoke, "write", int(1))),
        at(2, event(1, Invoke, "write", int(2))),
        at(3, event(0, Info, "write", None)),
        at(9, event(2, Invoke, "read", None)),
    ]);
    let ends: Vec<_> = (history.operations.iter().zip(&history.times))
        .map(|(op, times)| (op.outcome, op.completed, times.completed_ns))
        .collect();
    let open = |time| (Outcome::Info, NEVER, time);
    assert_eq!(ends, [open(3), open(9), open(9)], "open at the end is unknown too");
}

#[test]
fn what_an_unknown_read_saw_is_not_used() {
    let history = history(vec![event(0, Invoke, "read", None), event(0, Info, "read", int(5))]);
    assert_eq!(history.operations[0].output, ValueId::UNKNOWN);
}

#[test]
fn the_nemesis_is_kept_apart_and_never_retires() {
    let nemesis = || Event { value: Some("n1".into()), ..Event::new(Process::nemesis(), Info, "kill") };
    let history = history(vec![nemesis(), event(0, Invoke, "read", None), nemesis(), nemesis()]);
    assert_eq!((history.operations.len(), history.others.len()), (1, 3));
    assert_eq!(history.operations[0].invoked, 1, "its events have a place in the order");
}

#[test]
fn functions_have_the_names_that_others_give_them() {
    let history = history(vec![
        event(0, Invoke, "get", None),
        event(1, Invoke, "put", int(1)),
        event(2, Invoke, "append", int(1)),
        event(3, Invoke, "dequeue", None),
        event(4, Invoke, "enqueue", int(1)),
    ]);
    let functions: Vec<_> = history.operations.iter().map(|op| op.function).collect();
    assert_eq!(functions, [Read, Write, Append, Other(0), Other(1)]);
    assert_eq!(history.function_name(Other(1)), "enqueue");
}

#[test]
fn only_the_nemesis_is_no_client() {
    let named = |name: Value| Process::from_value(name).expect("it is a process");
    for nemesis in [Value::from("nemesis"), Value::keyword("nemesis"), Value::Int(-1)] {
        assert_eq!(named(nemesis), Process::Nemesis);
    }
    let clients = [
        Value::from("1"),
        Value::from("writer"),
        Value::keyword("writer"),
        Value::symbol("writer"),
        Value::from("checker"),
        Value::from_u64(u64::MAX),
        Value::from_json_number("1e30").unwrap(),
    ];
    assert!(clients.iter().all(|name| named(name.clone()) == Process::Named(Box::new(name.clone()))));
    assert_eq!(named(1.into()), Process::Client(1));
    for other in [
        Value::Int(-2),
        Value::from_json_number("-1e30").unwrap(),
        Value::from_f64(0.5),
        Value::Nil,
        Value::Bool(true),
        Value::List(vec![]),
        Value::char('a'),
    ] {
        let error = Process::from_value(other.clone()).expect_err("it is none").to_string();
        assert!(error.contains(&format!("not {other}; only \"nemesis\"")), "{error}");
    }
}

#[test]
fn clients_with_names_are_numbered_above_all_others() {
    let names = ["\"1\"", ":w", "\"w\"", "w", "18446744073709551615", "4294967295", "2147483648"];
    let name = |text: &str| match text.as_bytes()[0] {
        b'"' => text.trim_matches('"').into(),
        b':' => Value::keyword(&text[1..]),
        b'w' => Value::symbol(text),
        _ => Value::from_json_number(text).unwrap(),
    };
    let process = |text: &str| Process::from_value(name(text)).unwrap();
    let mut events = vec![event(1, Invoke, "write", int(1)), event(77, Invoke, "write", int(2))];
    for text in names {
        events.push(Event { process: process(text), ..event(0, Invoke, "write", int(3)) });
    }
    for text in names {
        events.push(Event { process: process(text), ..event(0, Done, "write", int(3)) });
    }
    let history = history(events);
    let numbers: Vec<u32> = history.operations.iter().map(|operation| operation.process).collect();
    assert_eq!(numbers, [1, 77, 78, 79, 80, 81, 82, 83, 84]);
    let shown: Vec<String> = numbers.iter().map(|number| history.process(*number).to_string()).collect();
    assert_eq!(shown[..2], ["1", "77"]);
    assert_eq!(shown[2..], names);
    assert_eq!(history.process(5), Process::Client(5), "nobody, but that is its number");
    assert_eq!(history.process(84), Process::Client(1 << 31), "a large number is a number");
    assert!(history.operations.iter().skip(2).all(|operation| operation.outcome == Outcome::Ok));
    let again = [Invoke, Invoke].map(|kind| Event { process: process(":w"), ..event(0, kind, "write", int(1)) });
    let error = error(again.to_vec()).to_string();
    assert!(error.starts_with("process :w invokes write while"), "{error}");
}

#[test]
fn a_value_that_equals_nothing_is_refused() {
    let nan = || Value::from_edn_number("##NaN").unwrap();
    let in_a_map = Value::map(vec![("a".into(), Value::List(vec![nan()]))]).unwrap();
    for value in [nan(), Value::set(vec![nan()]).unwrap(), in_a_map, Value::tagged("a", nan()).unwrap()] {
        assert_eq!(error(vec![event(0, Invoke, "write", value.clone())]), PairingError::NotANumber);
        let fault = Event { value: Some(value), ..Event::new(Process::nemesis(), Info, "kill") };
        assert_eq!(history(vec![fault]).others.len(), 1, "nobody compares it");
    }
}
