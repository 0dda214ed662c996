//! Tests of edge cases: numbers at their limits, values that nobody can have left behind, lookups that must not slow a
//! method down, and models that contradict themselves.

use std::{
    fmt::Write,
    sync::atomic::{AtomicUsize, Ordering},
};

use checker::{Call, Limits, Model, Options, Report, Specification, UnknownWhy, Verdict, check, check_with};
use histories::{History, Value};

use crate::build::history;

/// Checks a history, and stops after this many questions whether to go on.
fn within(questions: usize, history: &History, model: Model) -> Report {
    let left = AtomicUsize::new(questions);
    let keep_going = || left.fetch_sub(1, Ordering::Relaxed) > 1;
    let limits = Limits { keep_going: &keep_going, ..Limits::none() };
    check(history, &Options { limits, ..Options::new(model) })
}

fn verdict(model: Model, initial: Value, text: &str) -> Verdict {
    let report = check(&history(text), &Options { initial, ..Options::new(model) });
    assert!(!report.has_internal_error(), "{report:#?}");
    report.verdict
}

#[test]
fn tokens_may_be_the_least_and_the_greatest_of_all() {
    let (least, most) = (i64::MIN, i64::MAX);
    let two = |first: i64, second: i64| {
        format!(
            "0 invoke acquire
             0 ok acquire {first}
             0 invoke release {first}
             0 ok release
             1 invoke acquire
             1 ok acquire {second}"
        )
    };
    for initial in [Value::Nil, Value::Int(least)] {
        let expected = if initial == Value::Nil { Verdict::Linearizable } else { Verdict::NotLinearizable };
        assert_eq!(verdict(Model::FencedLock, initial, &two(least, most)), expected);
    }
    assert_eq!(verdict(Model::FencedLock, Value::Nil, &two(most, least)), Verdict::NotLinearizable);
    assert_eq!(verdict(Model::FencedLock, Value::Int(most), "0 invoke acquire\n0 info acquire"), Verdict::Linearizable);
}

#[test]
fn counters_pass_the_greatest_number() {
    let (least, most) = (i64::MIN, i64::MAX);
    let past = format!("0 invoke inc\n0 ok inc\n0 invoke read\n0 ok read {least}");
    assert_eq!(verdict(Model::Counter, Value::Int(most), &past), Verdict::NotLinearizable);
    let low = format!("0 invoke read\n0 ok read {least}");
    assert_eq!(verdict(Model::Counter, Value::Int(most), &low), Verdict::NotLinearizable);
    let high = format!("0 invoke read\n0 ok read {most}");
    assert_eq!(verdict(Model::Counter, Value::Int(least), &high), Verdict::NotLinearizable);
    let back = format!("0 invoke dec {least}\n0 ok dec\n0 invoke add -1\n0 ok add\n0 invoke read\n0 ok read {most}");
    assert_eq!(verdict(Model::Counter, Value::Int(0), &back), Verdict::Linearizable);
    let around = format!(
        "0 invoke add {most}\n0 ok add\n0 invoke add {most}\n0 ok add\n0 invoke add 2\n0 ok add\n0 invoke read\n0 ok \
        read 0"
    );
    assert_eq!(verdict(Model::Counter, Value::Int(0), &around), Verdict::NotLinearizable);
}

#[test]
fn priorities_may_be_the_least_and_the_greatest_of_all() {
    let (least, most) = (i64::MIN, i64::MAX);
    let polled = |first: i64| {
        format!(
            "0 invoke insert {most}\n0 ok insert\n0 invoke insert {least}\n0 ok insert\n0 invoke poll\n0 ok poll {first}
             1 invoke poll\n1 info poll\n0 invoke poll\n0 ok poll nil"
        )
    };
    assert_eq!(verdict(Model::PriorityQueue, Value::Nil, &polled(least)), Verdict::Linearizable);
    assert_eq!(verdict(Model::PriorityQueue, Value::Nil, &polled(most)), Verdict::NotLinearizable);
}

#[test]
fn what_nobody_wrote_is_found_at_once() {
    let lost = |f: &str, value: &dyn Fn(usize) -> String| {
        (0..60).fold(String::new(), |mut text, number| {
            writeln!(text, "{number} invoke {f} {}\n{number} info {f}", value(number % 7)).unwrap();
            text
        })
    };
    let number = |number: usize| number.to_string();
    for (model, put, look) in [
        (Model::Queue, "enqueue", "dequeue"),
        (Model::Queue, "enqueue", "peek"),
        (Model::Stack, "push", "pop"),
        (Model::PriorityQueue, "insert", "poll"),
        (Model::Bag, "add", "take"),
        (Model::KeyValue, "append", "read"),
        (Model::Register, "write", "read"),
    ] {
        for late in [false, true] {
            let mut text = lost(put, &number) + &format!("99 invoke {look}\n99 ok {look} 9\n");
            if late {
                write!(text, "99 invoke {put} 9\n99 ok {put}").unwrap();
            }
            let report = within(40, &history(&text), model);
            assert_eq!(report.verdict, Verdict::NotLinearizable, "{model:?} {look} {late}: {report:#?}");
            let evidence = report.keys[0].evidence.as_ref().unwrap();
            assert!(evidence.operations.len() <= 1 + usize::from(late), "{model:?}: {evidence:#?}");
        }
    }
}

/// Returns a history of `rounds` rounds, in each of which one client inserts and another looks up and removes, while a
/// third does the same with another value.
fn rounds(put: &str, take: &str, rounds: usize, last: &str) -> History {
    let mut text = String::new();
    for round in 0..rounds {
        let (one, other) = (2 * round, 2 * round + 1);
        writeln!(text, "0 invoke {put} {one}\n2 invoke {put} {other}\n0 ok {put}\n2 ok {put}").unwrap();
        let (first, second) = if take == "pop" { (other, one) } else { (one, other) };
        writeln!(text, "1 invoke peek\n3 invoke {take}\n1 ok peek {first}\n3 ok {take} {first}").unwrap();
        writeln!(text, "3 invoke {take}\n3 ok {take} {second}").unwrap();
    }
    history(&(text + last))
}

#[test]
fn a_look_makes_nothing_slow() {
    for (model, put, take) in
        [(Model::Queue, "enqueue", "dequeue"), (Model::Stack, "push", "pop"), (Model::PriorityQueue, "insert", "poll")]
    {
        let good = within(2_000, &rounds(put, take, 1_500, ""), model);
        assert_eq!(good.verdict, Verdict::Linearizable, "{model:?}: {:?}", good.keys[0].why);
        let last = format!("0 invoke {put} 9999\n0 ok {put}\n1 invoke peek\n1 ok peek 7");
        let bad = within(2_000, &rounds(put, take, 1_500, &last), model);
        assert_eq!(bad.verdict, Verdict::NotLinearizable, "{model:?}: {:?}", bad.keys[0].why);
        assert!(bad.keys[0].evidence.as_ref().unwrap().operations.len() <= 5, "{bad:#?}");
    }
}

/// Returns a history in which four clients insert concurrently, repeating every seventh value, and remove as many
/// values.
fn crowd(count: usize, swap: bool) -> History {
    let value = |number: usize| if number % 7 == 6 { number - 3 } else { number };
    let mut text = String::new();
    for group in 0..count / 4 {
        for f in ["invoke", "ok"] {
            for client in 0..4 {
                let argument = if f == "invoke" { value(4 * group + client).to_string() } else { String::new() };
                writeln!(text, "{client} {f} enqueue {argument}").unwrap();
            }
        }
    }
    for number in 0..count {
        let number = if swap && number == count - 8 { number + 7 } else { number };
        writeln!(text, "9 invoke dequeue\n9 ok dequeue {}", value(number)).unwrap();
    }
    history(&text)
}

#[test]
fn a_queue_of_values_that_repeat_is_decided() {
    let good = within(1_000, &crowd(200, false), Model::Queue);
    assert_eq!(good.verdict, Verdict::Linearizable, "{:?}", good.keys[0].why);
    let bad = within(1_000, &crowd(200, true), Model::Queue);
    assert_eq!(bad.verdict, Verdict::NotLinearizable, "{:?}", bad.keys[0].why);
    assert!(bad.keys[0].evidence.as_ref().unwrap().operations.len() <= 8, "{bad:#?}");
}

/// Specification that panics on one value, and contradicts its own answer when it is asked a second time.
struct FaultySpecification(AtomicUsize);

impl Specification for FaultySpecification {
    type State = u8;

    fn initial(&self) -> u8 {
        0
    }

    fn apply(&self, _: &mut u8, call: &Call<'_>) -> bool {
        assert_ne!(*call.input, Value::Int(13), "thirteen brings bad luck");
        *call.input != Value::Int(7) && (*call.input != Value::Int(5) || self.0.fetch_add(1, Ordering::Relaxed) == 0)
    }
}

#[test]
fn a_panic_or_a_contradiction_is_one_key_that_is_unknown() {
    let report = |numbers: &[i64]| {
        let text = numbers.iter().fold(String::new(), |text, number| {
            text + &format!("0 invoke write@{number} {number}\n0 ok write@{number}\n")
        });
        check_with(&history(&text), &FaultySpecification(AtomicUsize::new(0)), &Options::new(Model::Register))
    };
    let is_internal = |report: &Report, key: usize| {
        matches!(&report.keys[key].why, Some(UnknownWhy::Internal { .. }))
            && report.keys[key].verdict == Verdict::Unknown
    };
    let all = report(&[1, 13, 2]);
    assert_eq!((all.verdict, all.has_internal_error()), (Verdict::Unknown, true));
    assert!(is_internal(&all, 2) && all.keys[0].verdict == Verdict::Linearizable, "{all:#?}");
    assert!(all.keys[2].why.as_ref().unwrap().to_string().contains("thirteen"), "{all:#?}");
    assert!(is_internal(&report(&[5]), 0), "it was possible once, and is not any more");
    let worst = report(&[7, 13, 2]);
    assert_eq!(worst.verdict, Verdict::NotLinearizable, "a violation wins");
}
