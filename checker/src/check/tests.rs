//! Tests of how keys are judged, and of drains, which are taken apart before they are.

use histories::{
    EventType::{Invoke, Ok as Done},
    Value,
};

use super::*;
use crate::properties::tests::history;

/// Judges a queue of which 1 and 2 were put in, one after the other, and of which this was taken out in the end.
fn judged(model: Model, drained: &[i64]) -> Report {
    let all = Value::List(drained.iter().copied().map(Value::Int).collect());
    let events = [
        (0, Invoke, "enqueue", 1.into()),
        (0, Done, "enqueue", 1.into()),
        (0, Invoke, "enqueue", 2.into()),
        (0, Done, "enqueue", 2.into()),
        (1, Invoke, "drain", Value::Nil),
        (1, Done, "drain", all),
    ];
    check(&history(&events), &Options::new(model))
}

#[test]
fn a_drain_takes_out_what_is_there_in_its_order_and_all_of_it() {
    assert_eq!(judged(Model::Queue, &[1, 2]).verdict, Verdict::Linearizable);
    assert_eq!(judged(Model::Bag, &[2, 1]).verdict, Verdict::Linearizable);
    for (model, drained) in [(Model::Queue, &[2, 1][..]), (Model::Queue, &[1]), (Model::Bag, &[1]), (Model::Bag, &[])] {
        let report = judged(model, drained);
        assert_eq!(report.verdict, Verdict::NotLinearizable, "{model:?} {drained:?}");
        let evidence = report.keys[0].evidence.as_ref().unwrap();
        assert!(evidence.operations.iter().all(|index| *index < 3), "{evidence:?}");
        assert_eq!(evidence.operations.last(), Some(&2), "the drain itself: {evidence:?}");
    }
}

#[test]
fn of_two_drains_at_once_each_may_take_any_element() {
    let of = |elements: &[i64]| Value::List(elements.iter().copied().map(Value::Int).collect());
    let events = [
        (0, Invoke, "enqueue", 1.into()),
        (0, Done, "enqueue", 1.into()),
        (0, Invoke, "enqueue", 2.into()),
        (0, Done, "enqueue", 2.into()),
        (1, Invoke, "drain", Value::Nil),
        (2, Invoke, "drain", Value::Nil),
        (2, Done, "drain", of(&[2])),
        (1, Done, "drain", of(&[1])),
    ];
    assert_eq!(check(&history(&events), &Options::new(Model::Queue)).verdict, Verdict::Linearizable);
    let late = [&events[..6], &[(2, Done, "drain", of(&[1])), (1, Done, "drain", of(&[1]))]].concat();
    assert_eq!(check(&history(&late), &Options::new(Model::Queue)).verdict, Verdict::NotLinearizable);
}

#[test]
fn which_violated_key_is_reported_does_not_depend_on_threads() {
    let mut text = String::new();
    for key in 0..40 {
        for (f, value) in [("write", 1), ("write", 2), ("read", 1)] {
            for kind in ["invoke", "ok"] {
                text += &format!(r#"{{"process":0,"type":"{kind}","f":"{f}","key":{key},"value":{value}}}"#);
                text += "\n";
            }
        }
    }
    let history = histories::read_bytes("h", text.as_bytes(), None).unwrap();
    let verdicts = |threads| {
        let options = Options { all: false, threads, ..Options::new(Model::Register) };
        check(&history, &options).keys.into_iter().map(|key| (key.verdict, key.evidence)).collect::<Vec<_>>()
    };
    let alone = verdicts(1);
    assert_eq!(alone.iter().filter(|(verdict, _)| *verdict == Verdict::NotLinearizable).count(), 1);
    for _ in 0..100 {
        assert_eq!(verdicts(4), alone);
    }
}
